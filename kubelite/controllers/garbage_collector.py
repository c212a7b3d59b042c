"""Garbage collection: what its owners leave behind goes with them, at once, before them, or not at all.

Called by `client/host` per object that has owners or waits for its dependents. Background: a dependent whose owners are gone is
deleted. Foreground: the owner waits (finalizer `foregroundDeletion`) until dependents that block it are gone. Orphan (finalizer
`orphan`): dependents lose the reference.
Kinds arrive independently, so an owner may be seen after its dependent: absence counts once the owner was seen to go, or when
it has lasted for `ABSENT_S`.
Source: k8s.io/kubernetes pkg/controller/garbagecollector
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace

from kubelite.api.meta import Object, OwnerReference
from kubelite.api.scheme import Resource
from kubelite.client.plan import Delete, Patch, Plan, Report, Write
from kubelite.client.view import Index, Key, View, Watch

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
ABSENT_S = 2.0
KNOWN_DELETED = 16384  #: uids of deleted objects that are remembered


def owner_uids(obj: Object) -> Iterable[str]:
    """Index "owner": objects by the uids of all their owners."""
    return [owner.uid for owner in obj.metadata.owner_references]


def indexes(types: Iterable[type[Object]]) -> dict[tuple[type[Object], str], Index]:
    return {(type_, "owner"): owner_uids for type_ in types}


def _deleting(obj: Object, finalizer: str) -> bool:
    return obj.metadata.deletion_timestamp is not None and finalizer in obj.metadata.finalizers


class GarbageCollector:
    name = "garbage-collector-controller"

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._built_in = tuple(resources)
        self._resources: dict[tuple[str, str], Resource] = {}  # by group and kind: versions are the same objects
        self._puzzling: set[Key] = set()  # objects with owners of unknown kinds
        self.follow(())
        self._deleted: OrderedDict[str, None] = OrderedDict()
        self._absent: dict[tuple[str, str], float] = {}  # (dependent, owner) uids to when that was first found

    @property
    def watches(self) -> tuple[Watch, ...]:
        return tuple(Watch(resource.type, self._keys) for resource in self._resources.values())

    reads: tuple[type[Object], ...] = ()

    def follow(self, custom: Sequence[Resource]) -> set[Key]:
        self._resources = {(resource.group, resource.kind): resource for resource in (*self._built_in, *custom)}
        puzzling, self._puzzling = self._puzzling, set()
        return puzzling

    # Events

    def _keys(self, view: View, old: Object | None, new: Object | None) -> Iterator[Key]:
        if new is None:
            if old is not None:
                yield from self._went(view, old)
            return
        meta = new.metadata
        owners_changed = meta.owner_references != (old.metadata.owner_references if old else ())
        began = meta.deletion_timestamp is not None and (old is None or old.metadata.deletion_timestamp is None)
        waits = _deleting(new, FOREGROUND) or _deleting(new, ORPHAN)
        if owners_changed or (waits and (began or old is None or old.metadata.finalizers != meta.finalizers)):
            yield _key(new)
        if waits and began:
            yield from map(_key, self._dependents(view, meta.uid))
        if owners_changed and old is not None:
            yield from self._waiting_owners(view, old)

    def _went(self, view: View, old: Object) -> Iterator[Key]:
        self._puzzling.discard(_key(old))
        self._deleted[old.metadata.uid] = None
        if len(self._deleted) > KNOWN_DELETED:
            self._deleted.popitem(last=False)
        for owner in old.metadata.owner_references:
            self._absent.pop((old.metadata.uid, owner.uid), None)
        yield from map(_key, self._dependents(view, old.metadata.uid))
        yield from self._waiting_owners(view, old)

    def _waiting_owners(self, view: View, obj: Object) -> Iterator[Key]:
        for reference in obj.metadata.owner_references:
            owner = self._owner(view, obj, reference)
            if owner is not None and _deleting(owner, FOREGROUND):
                yield _key(owner)

    def _dependents(self, view: View, uid: str) -> list[Object]:
        return [obj for resource in self._resources.values() for obj in view.indexed(resource.type, "owner", uid)]

    def _owner(self, view: View, obj: Object, reference: OwnerReference) -> Object | None:
        resource = self._resource(reference.api_version, reference.kind)
        if resource is None:
            return None
        found = view.get(resource.type, reference.name, obj.metadata.namespace if resource.namespaced else "")
        return found if found is not None and found.metadata.uid == reference.uid else None

    def _resource(self, api_version: str, kind: str) -> Resource | None:
        return self._resources.get((api_version.rpartition("/")[0], kind))

    # Decisions

    def decide(self, view: View, key: Key, now: float) -> Plan:
        api_version, kind, path = key.split(" ")
        namespace, _, name = path.rpartition("/")
        resource = self._resource(api_version, kind)
        obj = view.get(resource.type, name, namespace) if resource else None
        if obj is None:
            return Plan()
        if _deleting(obj, ORPHAN):
            return self._orphan(view, obj)
        if _deleting(obj, FOREGROUND):
            blocking = any(_blocks(entry, obj) for entry in self._dependents(view, obj.metadata.uid))
            return Plan() if blocking else Plan(writes=(_without_finalizer(obj, FOREGROUND),))
        if obj.metadata.deletion_timestamp or not obj.metadata.owner_references:
            return Plan()
        return self._collect(view, obj, now)

    def _orphan(self, view: View, owner: Object) -> Plan:
        """Frees the dependents, then lets the owner go."""
        uid = owner.metadata.uid
        writes: list[Write] = [
            _with_owners(obj, lambda reference: None if reference.uid == uid else reference)
            for obj in self._dependents(view, uid)
        ]
        return Plan(writes=(*writes, _without_finalizer(owner, ORPHAN)))

    def _collect(self, view: View, obj: Object, now: float) -> Plan:
        """Deletes an object without solid owners; else drops the references to those that are gone or going."""
        gone: set[str] = set()
        going: set[str] = set()
        solid = False
        pending: list[float] = []
        for reference in obj.metadata.owner_references:
            owner = self._owner(view, obj, reference)
            if owner is not None:
                self._absent.pop((obj.metadata.uid, reference.uid), None)
                going |= {reference.uid} if _deleting(owner, FOREGROUND) else set()
                solid = solid or reference.uid not in going
            elif (left := self._absent_left(obj, reference, now)) <= 0:
                gone.add(reference.uid)
            else:
                solid = True  # until it is certain
                pending.append(left)
        due = min((left for left in pending if left != float("inf")), default=None)
        if solid:
            stale = gone | going
            drop = (_with_owners(obj, lambda entry: None if entry.uid in stale else entry),) if stale else ()
            return Plan(writes=drop, reports=self._strangers(view, obj, gone), requeue_after_s=due)
        for reference in obj.metadata.owner_references:
            self._absent.pop((obj.metadata.uid, reference.uid), None)
        plan = self._delete(view, obj, going)
        return replace(plan, reports=self._strangers(view, obj, gone))

    def _strangers(self, view: View, obj: Object, gone: set[str]) -> tuple[Report, ...]:
        """Owners that exist, but not where this object could have them."""
        namespace, reports = obj.metadata.namespace, []
        for owner in obj.metadata.owner_references:
            resource = self._resource(owner.api_version, owner.kind)
            if resource is None or not resource.namespaced or owner.uid in self._deleted:
                continue
            if namespace and not (
                owner.uid in gone and any(other.metadata.uid == owner.uid for other in view.list(resource.type))
            ):
                continue
            meant = f"[{owner.api_version}/{owner.kind}, namespace: {namespace}, name: {owner.name}, uid: {owner.uid}]"
            text = f'ownerRef {meant} does not exist in namespace "{namespace}"'
            reports.append(Report(regarding=obj, type="Warning", reason="OwnerRefInvalidNamespace", message=text))
        return tuple(reports)

    def _absent_left(self, obj: Object, reference: OwnerReference, now: float) -> float:
        """For how long the owner's absence is still in doubt; infinity for an owner of a kind or scope unknown here."""
        resource = self._resource(reference.api_version, reference.kind)
        if resource is not None and resource.namespaced and not obj.metadata.namespace:
            return float("inf")
        if reference.uid in self._deleted:
            return 0.0  # perhaps with its kind
        if resource is None:
            self._puzzling.add(_key(obj))
            return float("inf")
        return self._absent.setdefault((obj.metadata.uid, reference.uid), now) + ABSENT_S - now

    def _delete(self, view: View, obj: Object, going: set[str]) -> Plan:
        meta = obj.metadata
        writes: list[Write] = []
        policy: Any = "Background"
        dependents = self._dependents(view, meta.uid) if going else []
        if dependents:
            policy = "Foreground"
            if any(_deleting(entry, FOREGROUND) for entry in dependents):
                # A circle: each would wait for the other for ever.
                edit = partial(replace, block_owner_deletion=False)
                writes.append(_with_owners(obj, edit))
        elif ORPHAN in meta.finalizers:
            policy = "Orphan"
        elif FOREGROUND in meta.finalizers:
            policy = "Foreground"
        delete = Delete(
            type=type(obj), name=meta.name, namespace=meta.namespace, uid=meta.uid, propagation_policy=policy
        )
        return Plan(writes=(*writes, delete))


def _key(obj: Object) -> Key:
    return f"{obj.api_version} {obj.kind} {obj.metadata.namespace}/{obj.metadata.name}"


def _blocks(dependent: Object, owner: Object) -> bool:
    return any(
        entry.uid == owner.metadata.uid and entry.block_owner_deletion for entry in dependent.metadata.owner_references
    )


def _with_owners(obj: Object, edit: Callable[[OwnerReference], OwnerReference | None]) -> Patch:
    kept: Sequence[OwnerReference | None] = [edit(entry) for entry in obj.metadata.owner_references]
    return _patch(obj, {"ownerReferences": msgspec.to_builtins([entry for entry in kept if entry is not None])})


def _without_finalizer(obj: Object, finalizer: str) -> Patch:
    return _patch(obj, {"finalizers": [entry for entry in obj.metadata.finalizers if entry != finalizer]})


def _patch(obj: Object, metadata: dict[str, Any]) -> Patch:
    meta = obj.metadata
    guard = {"uid": meta.uid, "resourceVersion": meta.resource_version}
    return Patch(type=type(obj), name=meta.name, namespace=meta.namespace, patch={"metadata": {**metadata, **guard}})
