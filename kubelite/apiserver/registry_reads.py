"""The reading half of the registry: which resources are served just now, and their objects, from the store or computed.

Source: k8s.io/apiserver pkg/registry/generic/registry/store.go (Get, List, Watch)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import anyio

from kubelite.api import errors
from kubelite.api.meta import Object
from kubelite.api.scheme import Resource, Scheme
from kubelite.apiserver.component_status import ComponentStatuses
from kubelite.apiserver.entries import EntryCache
from kubelite.apiserver.interface import Computed, Entry, ListParams, Page, WatchHandle, WatchSink
from kubelite.apiserver.listing import read_error, read_page
from kubelite.apiserver.watching import open_watch
from kubelite.store.store import Store, StoreError, prefix_end


class ObjectReader:
    """All calls belong to one event loop."""

    def __init__(self, store: Store, scheme: Scheme | None = None) -> None:
        self.store = store
        self.entries = EntryCache()
        self._built_in = self._scheme = scheme or Scheme()
        self._custom: tuple[Resource, ...] = ()
        self._computed: dict[type[Object], Computed] = {}
        self._scheme_changed = anyio.Event()
        self.serve_computed(ComponentStatuses(self._scheme))

    @property
    def scheme(self) -> Scheme:
        return self._scheme

    def serve_custom(self, resources: Iterable[Resource]) -> None:
        """From now on these custom resources are served, and no others."""
        self._custom = tuple(resources)
        self._scheme = self._built_in.with_resources(self._custom)
        changed, self._scheme_changed = self._scheme_changed, anyio.Event()
        changed.set()

    def serve_computed(self, computed: Computed) -> None:
        """From now on these are served too."""
        self._computed |= dict.fromkeys((resource.type for resource in computed.resources), computed)
        known = frozenset(self._built_in)
        self._built_in = self._built_in.with_resources(each for each in computed.resources if each not in known)
        self.serve_custom(self._custom)

    async def scheme_changed(self) -> None:
        """Returns when other resources are served."""
        await self._scheme_changed.wait()

    async def get(self, resource: Resource, name: str, namespace: str = "", *, revision: int = 0) -> Entry:
        if (computed := self._computed.get(resource.type)) is not None:
            return await computed.get(resource, name, namespace)
        entry = await self.find_entry(resource, name, namespace, revision=revision)
        if entry is None:
            raise errors.not_found(resource.group, resource.plural, name)
        return entry

    async def find_entry(
        self, resource: Resource, name: str, namespace: str = "", *, revision: int = 0
    ) -> Entry | None:
        try:
            found = await self.store.range(resource.key(name, namespace), revision=revision)
        except StoreError as error:
            raise read_error(error, revision, self.store.revision) from error
        loaded = await self.entries.load(resource, found.records[:1])
        return loaded[0] if loaded else None

    async def find(self, type_: type[Object], name: str, namespace: str = "") -> Any | None:
        """The typed object, or None: what admission looks up."""
        entry = await self.find_entry(self._scheme.of(type_), name, namespace)
        return entry.object if entry else None

    async def find_all(self, type_: type[Object], namespace: str = "") -> list[Any]:
        resource = self._scheme.of(type_)
        prefix = resource.prefix_of(namespace)
        try:
            found = await self.store.range(prefix, prefix_end(prefix))
        except StoreError as error:
            raise read_error(error, 0, self.store.revision) from error
        return [entry.object for entry in await self.entries.load(resource, found.records)]

    async def convert(self, obj: Any, resource: Resource) -> Any:
        """`obj` in another version: as admission shows it to those who ask for that."""
        return await self.entries.converted(obj, resource)

    async def list(self, resource: Resource, namespace: str, params: ListParams) -> Page:
        if (computed := self._computed.get(resource.type)) is not None:
            return await computed.list(resource, namespace, params)
        return await read_page(self.store, self.entries, resource, namespace, params)

    def watch(self, resource: Resource, namespace: str, params: ListParams, sink: WatchSink) -> WatchHandle:
        return open_watch(self.store, self.entries, resource, namespace, params, sink)

    async def storage_metrics(self) -> str:
        from kubelite.apiserver.storage_metrics import tell_storage

        return await tell_storage(self.store, self._scheme)
