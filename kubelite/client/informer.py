"""Keeps a cache current: one list and watch per kind, shared by everybody in the process.

A handler is called synchronously, in order, with (old, new) for every change, after the cache holds it; a handler that comes
late is first told of everything that is there. Failures are retried with back-off; nothing polls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

import anyio
from anyio.abc import TaskGroup, TaskStatus

from kubelite.actor.backoff import Backoff
from kubelite.actor.clock import Clock
from kubelite.actor.log import get_logger
from kubelite.api.errors import Expired, StatusError
from kubelite.api.meta import Object
from kubelite.client.cache import Cache
from kubelite.client.interface import Reader, Watcher
from kubelite.client.reflector import Failed, Input, Lost, NeedList, Remove, State, step
from kubelite.client.view import Indexes, View

O = TypeVar("O", bound=Object)  # noqa: E741
Handler = Callable[[Any, Any], None]  #: (old, new); one of both is None

log = get_logger(__name__)


class Source(Reader, Watcher, Protocol):
    """What an informer needs of a client."""


class Informer:
    """One kind's list and watch into a cache."""

    def __init__(
        self, source: Source, type_: type[Object], cache: Cache, clock: Clock, *, field_selector: str = ""
    ) -> None:
        self.name = f"informer/{type_.kind}"
        self.type = type_
        self.revision = 0  #: everything up to here is in the cache
        self._source = source
        self._cache = cache
        self._clock = clock
        self._selector = field_selector
        self._handlers: list[Handler] = []
        self._changed: anyio.Event | None = None  # there while somebody waits
        self._state: State = NeedList()
        self._scope = anyio.CancelScope()
        self._is_stopped = False

    def subscribe(self, handler: Handler) -> None:
        """Calls `handler(None, obj)` for all there is, then for every change."""
        for obj in self._cache.list(self.type):
            handler(None, obj)
        self._handlers.append(handler)

    def unsubscribe(self, handler: Handler) -> None:
        self._handlers.remove(handler)

    async def changed(self) -> None:
        """Returns after the next change of the cache, or when there will be none."""
        if not self._is_stopped:
            self._changed = self._changed or anyio.Event()
            await self._changed.wait()

    def _tell(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    async def synced(self) -> None:
        """Returns when the cache holds the first list, or never will."""
        while not self.revision and not self._is_stopped:
            await self.changed()

    def stop(self) -> None:
        """For good: from now on nothing is put into the cache, and nobody is told anything."""
        self._is_stopped = True
        self._handlers.clear()
        self._scope.cancel()
        self._tell()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Reports started when the cache holds the first list. Returns only after `stop`."""
        with anyio.CancelScope() as self._scope:
            await self._keep_current(task_status)

    async def _keep_current(self, task_status: TaskStatus[None]) -> None:
        backoff = Backoff(base_s=0.2, cap_s=30.0)
        started = False
        while not self._is_stopped:
            if self._state.after_failure:
                await self._clock.sleep(backoff.next())
            try:
                if isinstance(self._state, NeedList):
                    listing = await self._source.list(self.type, field_selector=self._selector)
                    self._apply(listing, int(listing.resource_version))
                    if not started:
                        started = True
                        task_status.started()
                else:
                    await self._follow(self._state.resource_version, backoff)
            except Expired:
                self._apply(Lost(), self.revision)
            except (StatusError, OSError) as error:
                log.warning("Lost the watch", kind=self.type.kind, error=str(error))
                self._apply(Failed(), self.revision)

    async def _follow(self, resource_version: str, backoff: Backoff) -> None:
        async with self._source.watch(
            self.type, resource_version=resource_version, field_selector=self._selector
        ) as batches:
            async for batch in batches:
                backoff.forget()
                if batch:
                    self._apply(batch, int(batch[-1].object.metadata.resource_version or self.revision))

    def _apply(self, given: Input, revision: int) -> None:
        if self._is_stopped:
            return
        known = self._cache.known(self.type) if isinstance(self._state, NeedList) else {}
        self._state, outputs = step(self._state, given, known)
        self.revision = revision
        for output in outputs:
            if isinstance(output, Remove):
                self._notify(self._cache.remove(output.obj) or output.obj, None)
            else:
                self._notify(self._cache.put(output.obj), output.obj)
        self._tell()

    def _notify(self, old: Object | None, new: Object | None) -> None:
        for handler in self._handlers:
            handler(old, new)


class Informers:
    """The informers of a process over one cache. An actor: started when every kind is synced. Kinds may come and go."""

    name = "informers"

    def __init__(
        self,
        source: Source,
        types: Iterable[type[Object]],
        clock: Clock,
        *,
        indexes: Indexes,
        field_selectors: dict[type[Object], str] | None = None,
    ) -> None:
        self._source = source
        self._clock = clock
        self._cache = Cache(indexes)
        self._selectors = field_selectors or {}
        self._group: TaskGroup | None = None
        self._added = anyio.Event()
        self._informers: dict[type[Object], Informer] = {}
        for type_ in dict.fromkeys(types):
            self.add(type_)

    @property
    def view(self) -> View:
        return self._cache

    def __getitem__(self, type_: type[Object]) -> Informer:
        return self._informers[type_]

    def __contains__(self, type_: type[Object]) -> bool:
        return type_ in self._informers

    async def of(self, type_: type[Object]) -> Informer:
        """The informer of a kind, once there is one."""
        while type_ not in self._informers:
            await self._added.wait()
        return self._informers[type_]

    def add(self, type_: type[Object]) -> Informer:
        """Follows one kind more, which was not there."""
        informer = self._informers[type_] = Informer(
            self._source, type_, self._cache, self._clock, field_selector=self._selectors.get(type_, "")
        )
        if self._group is not None:
            self._group.start_soon(informer.run)
        added, self._added = self._added, anyio.Event()
        added.set()
        return informer

    def remove(self, type_: type[Object]) -> None:
        """Forgets a kind with its objects and handlers; these are not told."""
        self._informers.pop(type_).stop()
        self._cache.drop(type_)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        async with anyio.create_task_group() as group:
            self._group, known = group, list(self._informers.values())
            try:
                for informer in known:
                    group.start_soon(informer.run)
                for informer in known:
                    await informer.synced()
                task_status.started()
                await anyio.sleep_forever()
            finally:
                self._group = None
