"""Namespaces that are being deleted: their content goes first, pods before all else, then the namespace itself.

Called by `client/host` per Namespace; woken by what leaves a terminating one.
Source: k8s.io/kubernetes pkg/controller/namespace/deletion, KEP-5080 (ordered deletion)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from kubelite.api.core_v1 import Namespace, NamespaceCondition, Pod
from kubelite.api.meta import Object
from kubelite.api.scheme import Resource
from kubelite.api.timestamp import rfc3339
from kubelite.client.plan import Delete, Plan, Update, Write
from kubelite.client.view import Key, View, Watch, self_key
from kubelite.controllers.pods import is_terminal

FINALIZER = "kubernetes"
BURST = 500  #: deletions per decision


def _content_keys(view: View, old: Object | None, new: Object | None) -> Iterable[Key]:
    obj = new or old
    if obj is None or not obj.metadata.namespace:
        return
    if new is None or old is None or old.metadata.finalizers != new.metadata.finalizers:
        namespace = view.get(Namespace, obj.metadata.namespace)
        if namespace is not None and namespace.metadata.deletion_timestamp:
            yield namespace.metadata.name


class NamespaceController:
    name = "namespace-controller"

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._built_in = tuple(resources)
        self._resources: tuple[Resource, ...] = ()
        self.follow(())

    @property
    def watches(self) -> tuple[Watch, ...]:
        content = (Watch(resource.type, _content_keys) for resource in self._resources)
        return (Watch(Namespace, self_key), *content)

    reads: tuple[type[Object], ...] = ()

    def follow(self, custom: Sequence[Resource]) -> tuple[Key, ...]:
        self._resources = tuple(resource for resource in (*self._built_in, *custom) if resource.namespaced)
        return ()

    def decide(self, view: View, key: Key, now: float) -> Plan:
        namespace = view.get(Namespace, key)
        if namespace is None or not namespace.metadata.deletion_timestamp:
            return Plan()
        if FINALIZER not in namespace.spec.finalizers:
            return Plan()
        content = [(resource, found) for resource in self._resources if (found := view.list(resource.type, key))]
        if not content and namespace.status.phase == "Terminating":
            left = tuple(entry for entry in namespace.spec.finalizers if entry != FINALIZER)
            done = replace(namespace, spec=replace(namespace.spec, finalizers=left))
            return Plan(writes=(Update(done, subresource="finalize"),))
        conditions = compute_conditions(namespace, content, now)
        status = replace(namespace.status, phase="Terminating", conditions=conditions)
        writes: list[Write] = []
        if status != namespace.status:
            writes.append(Update(replace(namespace, status=status), subresource="status"))
        return Plan(writes=(*writes, *_deletions(content)))


def _deletions(content: Sequence[tuple[Resource, Sequence[Object]]]) -> list[Delete]:
    """Pods alone as long as there are any."""
    pods = [obj for resource, found in content if resource.type is Pod for obj in found]
    now = pods or [obj for _, found in content for obj in found]
    return [
        Delete(type=type(obj), name=obj.metadata.name, namespace=obj.metadata.namespace, uid=obj.metadata.uid)
        for obj in now
        if not obj.metadata.deletion_timestamp
    ][:BURST]


def _stays(obj: Object) -> bool:
    """Whether the object outlives the request to delete it."""
    running = isinstance(obj, Pod) and bool(obj.spec.node_name) and not is_terminal(obj)
    return bool(obj.metadata.finalizers) or running


def compute_conditions(
    namespace: Namespace, content: Sequence[tuple[Resource, Sequence[Object]]], now: float
) -> tuple[NamespaceCondition, ...]:
    """The five conditions of a deletion."""
    remaining = sorted(
        f"{resource.plural}.{resource.group} has {count} resource instances"
        for resource, found in content
        if (count := sum(map(_stays, found)))
    )
    holders = Counter(entry for _, found in content for obj in found for entry in obj.metadata.finalizers)
    held = sorted(f"{finalizer} in {count} resource instances" for finalizer, count in holders.items())
    some = f"Some resources are remaining: {', '.join(remaining)}"
    kept = f"Some content in the namespace has finalizers remaining: {', '.join(held)}"
    facts = (
        ("NamespaceDeletionDiscoveryFailure", False, "ResourcesDiscovered", "All resources successfully discovered"),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            False,
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        (
            "NamespaceDeletionContentFailure",
            False,
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        (
            ("NamespaceContentRemaining", True, "SomeResourcesRemain", some)
            if remaining
            else ("NamespaceContentRemaining", False, "ContentRemoved", "All content successfully removed")
        ),
        (
            ("NamespaceFinalizersRemaining", True, "SomeFinalizersRemain", kept)
            if held
            else (
                "NamespaceFinalizersRemaining",
                False,
                "ContentHasNoFinalizers",
                "All content-preserving finalizers finished",
            )
        ),
    )
    known = {condition.type: condition for condition in namespace.status.conditions}
    result = []
    for type_, holds, reason, message in facts:
        status, old = ("True" if holds else "False"), known.get(type_)
        since = old.last_transition_time if old and old.status == status else rfc3339(now)
        result.append(
            NamespaceCondition(type=type_, status=status, reason=reason, message=message, last_transition_time=since)
        )
    return tuple(result)
