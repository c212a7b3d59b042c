"""The API for components in this process: the registry as a `client.interface.Client`, without sockets or JSON.

Objects are the shared frozen ones that every other reader has. A watch keeps at most a bounded buffer: while its consumer is
busy the store is told to pause, the watch keeps its place in the store's window, and when it falls off, it is Expired.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Generic, Literal, TypeAlias, TypeVar

import anyio

from kubelite.api.errors import NotFound
from kubelite.api.meta import DeleteOptions, Object
from kubelite.api.scheme import Resource
from kubelite.apiserver.interface import Change, Context, ListParams, PatchRequest, Registry, User, WatchHandle
from kubelite.client.interface import Listing, WatchEvent

O = TypeVar("O", bound=Object)  # noqa: E741
Batches: TypeAlias = AsyncIterator[list[WatchEvent[O]]]

#: Changes buffered for a busy consumer before its watch is paused.
_BUFFER = 1_000
_MASTERS = User(name="system:apiserver", groups=("system:masters", "system:authenticated"))


class LocalClient:
    """All rights, as `user`; `cause` is written beside everything it changes."""

    def __init__(self, registry: Registry, user: User = _MASTERS, *, cause: str = "") -> None:
        self._registry = registry
        self._user = user
        self._cause = cause

    def because(self, cause: str) -> LocalClient:
        return LocalClient(self._registry, self._user, cause=cause)

    def _context(self, *, dry_run: bool = False, field_manager: str = "", force: bool = False) -> Context:
        return Context(user=self._user, cause=self._cause, dry_run=dry_run, field_manager=field_manager, force=force)

    def _resource(self, type_: type[Object]) -> Resource:
        """Raises: NotFound for a custom kind that is not served any more."""
        try:
            return self._registry.scheme.of(type_)
        except KeyError:
            raise NotFound("the server could not find the requested resource") from None

    async def get(self, type_: type[O], name: str, namespace: str = "") -> O:
        entry = await self._registry.get(self._resource(type_), name, namespace)
        obj: O = entry.object
        return obj

    async def list(
        self, type_: type[O], namespace: str = "", *, label_selector: str = "", field_selector: str = ""
    ) -> Listing[O]:
        params = ListParams(label_selector=label_selector, field_selector=field_selector)
        page = await self._registry.list(self._resource(type_), namespace, params)
        return Listing(tuple(entry.object for entry in page.entries), str(page.revision))

    @asynccontextmanager
    async def watch(
        self,
        type_: type[O],
        namespace: str = "",
        *,
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncIterator[Batches[O]]:
        params = ListParams(
            label_selector=label_selector, field_selector=field_selector, resource_version=resource_version
        )
        mailbox: Mailbox[O] = Mailbox()
        mailbox.handle = handle = self._registry.watch(self._resource(type_), namespace, params, mailbox)
        try:
            yield mailbox.batches()
        finally:
            handle.close()

    async def create(self, obj: O, *, dry_run: bool = False) -> O:
        resource = self._resource(type(obj))
        entry = await self._registry.create(resource, obj.metadata.namespace, obj, self._context(dry_run=dry_run))
        created: O = entry.object
        return created

    async def update(self, obj: O, *, subresource: str = "", dry_run: bool = False) -> O:
        meta = obj.metadata
        resource = self._resource(type(obj))
        entry, _ = await self._registry.update(
            resource, meta.name, meta.namespace, obj, self._context(dry_run=dry_run), subresource=subresource
        )
        updated: O = entry.object
        return updated

    async def patch(
        self,
        type_: type[O],
        name: str,
        namespace: str = "",
        *,
        patch: Any,
        patch_type: Literal["merge", "json", "strategic", "apply"] = "merge",
        subresource: str = "",
        field_manager: str = "",
        force: bool = False,
        dry_run: bool = False,
    ) -> O:
        ctx = self._context(dry_run=dry_run, field_manager=field_manager, force=force)
        request = PatchRequest(patch_type, patch)
        resource = self._resource(type_)
        entry, _ = await self._registry.patch(resource, name, namespace, request, ctx, subresource=subresource)
        patched: O = entry.object
        return patched

    async def delete(
        self, type_: type[Object], name: str, namespace: str = "", *, options: DeleteOptions | None = None
    ) -> None:
        resource = self._resource(type_)
        await self._registry.delete(resource, name, namespace, options or DeleteOptions(), self._context())

    async def create_subresource(self, obj: Object, name: str, namespace: str, *, plural: str, subresource: str) -> Any:
        scheme = self._registry.scheme
        resource = next(item for item in scheme if item.plural == plural and subresource in item.subresources)
        return await self._registry.subresource_create(resource, name, namespace, subresource, obj, self._context())


class Mailbox(Generic[O]):
    """A watch sink with an iterator on the other side: whatever came since the last look is one batch."""

    def __init__(self) -> None:
        self.handle: WatchHandle | None = None
        self._changes: list[Change] = []
        self._error: Exception | None = None
        self._arrived = anyio.Event()
        self._paused = False

    def deliver(self, changes: Sequence[Change], revision: int) -> None:
        if not changes:
            return
        self._changes.extend(changes)
        if len(self._changes) >= _BUFFER and self.handle is not None and not self._paused:
            self._paused = True
            self.handle.pause()
        self._arrived.set()

    def lost(self, error: Exception) -> None:
        self._error = error
        self._arrived.set()

    async def batches(self) -> Batches[O]:
        while True:
            if not self._changes:
                if self._error is not None:
                    raise self._error
                self._arrived = anyio.Event()
                await self._arrived.wait()
                continue
            changes, self._changes = self._changes, []
            if self._paused and self.handle is not None:
                self._paused = False
                self.handle.resume()
            yield [WatchEvent(change.type, change.entry.object) for change in changes]
