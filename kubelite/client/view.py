"""A read-only, indexed picture of the cluster, and the interface of a decision over it.

A view is consistent per kind: each kind's objects are those of some revision, and never go back. Lookups cost what they
return, not what the cluster holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

import msgspec

from kubelite.api.meta import Object, controller_of
from kubelite.api.scheme import Resource
from kubelite.client.plan import Plan, Write

O = TypeVar("O", bound=Object)  # noqa: E741

#: Index functions: an object to the values it is found under.
Index = Callable[[Any], Iterable[str]]
Key = str  #: "namespace/name", or "name" of a cluster-scoped object


def key_of(obj: Object) -> Key:
    """The key under which an object is queued and found."""
    meta = obj.metadata
    return f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name


def split_key(key: Key) -> tuple[str, str]:
    """(namespace, name) of a key."""
    namespace, _, name = key.rpartition("/")
    return namespace, name


class View(Protocol):
    """What a decision may read. All of it is synchronous and free of side effects."""

    def get(self, type_: type[O], name: str, namespace: str = "") -> O | None: ...
    def list(self, type_: type[O], namespace: str = "") -> Sequence[O]:
        """All of a kind in `namespace` (empty: everywhere), in no particular order."""

    def owned(self, type_: type[O], uid: str) -> Sequence[O]:
        """Those whose managing controller has this uid."""

    def indexed(self, type_: type[O], index: str, value: str) -> Sequence[O]:
        """Those found under `value` in a named index, e.g. ("node", "node-1") for pods."""


class Watch(msgspec.Struct, frozen=True):
    """Which keys a change of an object of `type` concerns. Called with (view, old, new); one of both may be None."""

    type: type[Object]
    keys: Callable[[View, Any, Any], Iterable[Key]]


def self_key(view: View, old: Object | None, new: Object | None) -> Iterable[Key]:
    """The key of the object itself."""
    obj = new or old
    return (key_of(obj),) if obj else ()


def owner_key(kind: str) -> Callable[[View, Object | None, Object | None], Iterable[Key]]:
    """The key of the managing controller of `kind`, of both the old and the new state."""

    def keys(view: View, old: Object | None, new: Object | None) -> Iterable[Key]:
        for obj in (old, new):
            owner = controller_of(obj.metadata) if obj else None
            if obj and owner and owner.kind == kind:
                yield f"{obj.metadata.namespace}/{owner.name}"

    return keys


class Controller(Protocol):
    """A pure decision, run by `client/host` for each key that a watched change concerns."""

    @property
    def name(self) -> str: ...
    @property
    def watches(self) -> tuple[Watch, ...]: ...
    @property
    def reads(self) -> tuple[type[Object], ...]:
        """Kinds that are read but whose changes wake nothing."""

    def decide(self, view: View, key: Key, now: float) -> Plan:
        """What to do about `key` at `now` (unix seconds). The object may be gone."""


@runtime_checkable
class FailureTeller(Protocol):
    """A controller that tells the user about a write of its plan that was refused (not for a Conflict)."""

    def failed(self, view: View, key: Key, now: float, write: Write, message: str) -> Plan:
        """Reports, and status updates; their own failure is not told again."""


@runtime_checkable
class KindFollower(Protocol):
    """A controller whose watches depend on which custom kinds there are."""

    def follow(self, custom: Sequence[Resource]) -> Iterable[Key]:
        """From now on these, and no others. Returns the keys to decide again for that."""


#: What a view is built with: (kind or its base, name of the index) to its function.
Indexes = Mapping[tuple[type[Object], str], Index]
