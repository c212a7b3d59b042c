"""Which objects a controller holds: label selectors, adoption and release.

Pure; shared by every controller that owns objects by selector. A selected object without a managing controller is adopted;
an owned one that is no longer selected is released. Neither touches objects that are being deleted.
Source: k8s.io/kubernetes pkg/controller/controller_ref_manager.go
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from kubelite.api.core_v1 import Pod
from kubelite.api.meta import LabelSelector, Object, OwnerReference, controlled_by, controller_of
from kubelite.api.selectors import matches
from kubelite.client.plan import Patch, Write
from kubelite.client.view import Key, View, key_of

O = TypeVar("O", bound=Object)  # noqa: E741


def orphans_of_namespace(obj: Object) -> Iterable[str]:
    """Index "orphan": objects without a managing controller, by namespace."""
    return () if controller_of(obj.metadata) else (obj.metadata.namespace,)


def labels_of_namespace(obj: Object) -> Iterable[str]:
    """Index "label": objects by `namespace/key=value` of each label."""
    meta = obj.metadata
    return tuple(f"{meta.namespace}/{key}={value}" for key, value in meta.labels.items())


def selector_of(holder: Any) -> LabelSelector | None:
    """A workload's selector; that of a ReplicationController is plain labels."""
    selector = holder.spec.selector
    if isinstance(selector, Mapping):
        return LabelSelector(match_labels=selector) if selector else None
    return selector  # type: ignore[no-any-return]  # all others have this type


def pods_with_labels(view: View, namespace: str, labels: Mapping[str, str]) -> list[Pod]:
    """The pods of `namespace` that carry all of `labels` (at least one), by the rarest of them."""
    rarest = min((view.indexed(Pod, "label", f"{namespace}/{k}={v}") for k, v in labels.items()), key=len)
    wanted = labels.items()
    return [pod for pod in rarest if wanted <= pod.metadata.labels.items()]


class Claimed(msgspec.Struct, frozen=True):
    """What a controller holds now, and the adoptions and releases that make it so."""

    held: list[Any]
    writes: tuple[Write, ...]


def claim(view: View, owner: Object, selector: LabelSelector | None, type_: type[O]) -> Claimed:
    """What `owner` holds of `type_`: its selected objects and selected orphans of its namespace."""
    held: list[O] = []
    writes: list[Write] = []
    for obj in view.owned(type_, owner.metadata.uid):
        if matches(selector, obj.metadata.labels):
            held.append(obj)
        elif not owner.metadata.deletion_timestamp and not obj.metadata.deletion_timestamp:
            others = tuple(ref for ref in obj.metadata.owner_references if ref.uid != owner.metadata.uid)
            writes.append(_own(obj, others))
    if not owner.metadata.deletion_timestamp:
        for obj in view.indexed(type_, "orphan", owner.metadata.namespace):
            if not obj.metadata.deletion_timestamp and matches(selector, obj.metadata.labels):
                held.append(obj)
                writes.append(_own(obj, (*obj.metadata.owner_references, controlled_by(owner))))
    return Claimed(held, tuple(writes))


def _own(obj: Object, owners: tuple[OwnerReference, ...]) -> Patch:
    meta = obj.metadata
    changed: dict[str, Any] = {"ownerReferences": msgspec.to_builtins(owners)}
    guard = {"uid": meta.uid, "resourceVersion": meta.resource_version}
    return Patch(type=type(obj), name=meta.name, namespace=meta.namespace, patch={"metadata": changed | guard})


def holder_keys(type_: type[Object], changed: Callable[[Any, Any], bool] = lambda old, new: True) -> Any:
    """A watch's keys: the holders of `type_` whom a change concerns: the owner, or for an orphan all that select it.

    An update for which `changed(old, new)` is false wakes nobody, unless its owner or labels changed."""

    def keys(view: View, old: Object | None, new: Object | None) -> Iterable[Key]:
        if old is not None and new is not None and not _rights_changed(old, new) and not changed(old, new):
            return
        for obj in (old, new):
            owner = controller_of(obj.metadata) if obj else None
            if obj is None:
                continue
            if owner is not None:
                if owner.kind == type_.kind:
                    yield f"{obj.metadata.namespace}/{owner.name}"
            elif obj is new:
                for holder in view.list(type_, obj.metadata.namespace):
                    if matches(selector_of(holder), obj.metadata.labels):
                        yield key_of(holder)

    return keys


def _rights_changed(old: Object, new: Object) -> bool:
    return (
        old.metadata.labels != new.metadata.labels
        or old.metadata.owner_references != new.metadata.owner_references
        or old.metadata.deletion_timestamp != new.metadata.deletion_timestamp
    )
