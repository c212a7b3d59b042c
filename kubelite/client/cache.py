"""The writable side of a `View`: objects by kind, namespace, owner and named indexes.

Only informers write; everybody else sees it as a View. Objects are the shared frozen values of the watch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from kubelite.api.meta import Object, controller_of
from kubelite.client.view import Index, Indexes

O = TypeVar("O", bound=Object)  # noqa: E741

_EMPTY: dict[Any, Any] = {}
_OWNER = "controller"


def _owner_uid(obj: Object) -> Iterable[str]:
    owner = controller_of(obj.metadata)
    return (owner.uid,) if owner else ()


def _namespace(obj: Object) -> Iterable[str]:
    return (obj.metadata.namespace,)


class _Kind:
    """All objects of one kind."""

    def __init__(self, indexes: dict[str, Index]) -> None:
        self.objects: dict[tuple[str, str], Any] = {}
        self.indexes = {**indexes, _OWNER: _owner_uid, "namespace": _namespace}
        self.found: dict[str, dict[str, dict[tuple[str, str], Any]]] = {name: {} for name in self.indexes}

    def put(self, key: tuple[str, str], obj: Any) -> Any:
        """Stores `obj` (None: removes) and returns what was there."""
        old = self.objects.get(key)
        for name, index in self.indexes.items():
            found = self.found[name]
            if old is not None:
                for value in index(old):
                    if (bucket := found.get(value)) is not None:
                        bucket.pop(key, None)
                        if not bucket:
                            del found[value]
            if obj is not None:
                for value in index(obj):
                    found.setdefault(value, {})[key] = obj
        if obj is None:
            self.objects.pop(key, None)
        else:
            self.objects[key] = obj
        return old


class Cache:
    """A View that can be written. `indexes` are those the deciders of this process need."""

    def __init__(self, indexes: Indexes) -> None:
        self._indexes = indexes
        self._kinds: dict[type[Object], _Kind] = {}

    def _kind(self, type_: type[Object]) -> _Kind:
        if (kind := self._kinds.get(type_)) is None:
            named = {name: index for (owner, name), index in self._indexes.items() if issubclass(type_, owner)}
            kind = self._kinds[type_] = _Kind(named)
        return kind

    def get(self, type_: type[O], name: str, namespace: str = "") -> O | None:
        found: O | None = self._kind(type_).objects.get((namespace, name))
        return found

    def list(self, type_: type[O], namespace: str = "") -> Sequence[O]:
        if namespace:
            return self.indexed(type_, "namespace", namespace)
        return tuple(self._kind(type_).objects.values())

    def owned(self, type_: type[O], uid: str) -> Sequence[O]:
        return self.indexed(type_, _OWNER, uid)

    def indexed(self, type_: type[O], index: str, value: str) -> Sequence[O]:
        return tuple(self._kind(type_).found[index].get(value, _EMPTY).values())

    def known(self, type_: type[Object]) -> Mapping[tuple[str, str], Object]:
        """All of a kind by (namespace, name)."""
        return self._kind(type_).objects

    def put(self, obj: O) -> O | None:
        """Stores an object; returns the one it replaces."""
        old: O | None = self._kind(type(obj)).put((obj.metadata.namespace, obj.metadata.name), obj)
        return old

    def drop(self, type_: type[Object]) -> None:
        """Forgets a kind."""
        self._kinds.pop(type_, None)

    def remove(self, obj: O) -> O | None:
        """Removes the object of that name; returns it."""
        old: O | None = self._kind(type(obj)).put((obj.metadata.namespace, obj.metadata.name), None)
        return old
