"""A cluster that is only what a test says: the reading rights of a client over dicts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal, TypeAlias, TypeVar

import anyio

from kubelite.api.errors import NotFound
from kubelite.api.meta import Object
from kubelite.client.interface import Listing, WatchEvent

O = TypeVar("O", bound=Object)  # noqa: E741
Batch: TypeAlias = list[WatchEvent[O]]  # in the class "list" is the method


class Feed:
    """`tell` an object and every watcher of its kind has it."""

    def __init__(self, *objects: Object) -> None:
        self._objects: dict[tuple[type[Object], str, str], Any] = {}
        self._watchers: dict[type[Object], list[Any]] = {}
        for obj in objects:
            self._objects[_key(obj)] = obj

    def tell(self, *objects: Object, gone: bool = False) -> None:
        kind: Literal["ADDED", "MODIFIED", "DELETED"]
        for obj in objects:
            known = self._objects.pop(_key(obj), None)
            if not gone:
                self._objects[_key(obj)] = obj
            kind = "DELETED" if gone else "MODIFIED" if known else "ADDED"
            for watcher in self._watchers.get(type(obj), ()):
                watcher.send_nowait([WatchEvent(type=kind, object=obj)])

    async def get(self, type_: type[O], name: str, namespace: str = "") -> O:
        raise NotFound(name)

    async def list(
        self, type_: type[O], namespace: str = "", *, label_selector: str = "", field_selector: str = ""
    ) -> Listing[O]:
        return Listing(tuple(o for o in self._objects.values() if isinstance(o, type_)), "1")

    @asynccontextmanager
    async def watch(
        self,
        type_: type[O],
        namespace: str = "",
        *,
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncIterator[AsyncIterator[Batch[O]]]:
        sender, receiver = anyio.create_memory_object_stream[Batch[O]](1000)
        self._watchers.setdefault(type_, []).append(sender)
        with sender, receiver:
            yield receiver


def _key(obj: Object) -> tuple[type[Object], str, str]:
    return type(obj), obj.metadata.namespace, obj.metadata.name
