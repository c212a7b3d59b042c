"""ResourceQuotas: what a namespace uses of what it may, added up from what is there.

Called by `client/host` per quota. Admission charges what is created at once; this corrects it when something is deleted, ends,
or was charged and never written. Source: k8s.io/kubernetes pkg/controller/resourcequota
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from kubelite.api.core_v1 import Pod, ResourceQuota
from kubelite.api.meta import Object
from kubelite.api.scheme import Resource
from kubelite.api.usage import ZERO, add, in_scope, usage_of
from kubelite.client.plan import Plan, Update
from kubelite.client.view import Key, View, Watch, key_of, split_key
from kubelite.controllers.pods import is_terminal


class ResourceQuotaController:
    """`resources` are the kinds that can be counted."""

    name = "resourcequota-controller"
    reads: tuple[type[Object], ...] = ()

    def __init__(self, resources: Sequence[Resource]) -> None:
        self._built_in = [entry for entry in resources if entry.namespaced and entry.type is not ResourceQuota]
        self._resources = self._built_in
        self._counting: set[Key] = set()  # quotas that count kinds by name

    def follow(self, custom: Sequence[Resource]) -> Iterable[Key]:
        """Counts these custom kinds too."""
        self._resources = [*self._built_in, *(entry for entry in custom if entry.namespaced)]
        return tuple(self._counting)

    @property
    def watches(self) -> tuple[Watch, ...]:
        return (Watch(ResourceQuota, _quota_keys), *(Watch(entry.type, _counted_keys) for entry in self._resources))

    def decide(self, view: View, key: Key, now: float) -> Plan:
        namespace, name = split_key(key)
        quota = view.get(ResourceQuota, name, namespace)
        self._counting.discard(key)
        if quota is None:
            return Plan()
        hard = quota.spec.hard
        if any(name.startswith("count/") for name in hard):
            self._counting.add(key)
        used = dict.fromkeys(hard, ZERO)
        for resource in self._resources:
            if not _is_limited(resource, hard):
                continue
            for obj in view.list(resource.type, namespace):
                if in_scope(quota, obj):
                    counted = {name: amount for name, amount in usage_of(resource, obj, now).items() if name in hard}
                    used = add(used, counted)
        status = replace(quota.status, hard=hard, used={name: str(amount) for name, amount in used.items()})
        if status == quota.status:
            return Plan()
        return Plan(writes=(Update(replace(quota, status=status), subresource="status"),))


def _is_limited(resource: Resource, hard: Iterable[str]) -> bool:
    """Whether objects of this kind can count; pods count for what is neither named after a kind nor a storage class."""
    names = set(hard)
    if f"count/{resource.group_resource}" in names:
        return True
    if resource.group:
        return False
    if any(name == resource.plural or name.startswith(f"{resource.plural}.") for name in names):
        return True
    if resource.plural == "persistentvolumeclaims":
        return any(name == "requests.storage" or ".storageclass." in name for name in names)
    return resource.type is Pod and any(not name.startswith("count/") for name in names)


def _quota_keys(view: View, old: ResourceQuota | None, new: ResourceQuota | None) -> Iterable[Key]:
    """A charge by admission is not checked again."""
    if new is not None and (old is None or old.spec != new.spec):
        yield key_of(new)


def _counted_keys(view: View, old: Object | None, new: Object | None) -> Iterable[Key]:
    obj = new or old
    if obj is None or (old is not None and new is not None and not _changed(old, new)):
        return
    yield from (key_of(quota) for quota in view.list(ResourceQuota, obj.metadata.namespace))


def _changed(old: Object, new: Object) -> bool:
    if isinstance(old, Pod) and isinstance(new, Pod):
        return is_terminal(old) != is_terminal(new) or old.spec.containers != new.spec.containers
    return getattr(old, "spec", None) != getattr(new, "spec", None)
