"""An API server without sockets: the real registry over a memory store, for the tests of what uses it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kubelite.actor.clock import Clock, SystemClock
from kubelite.api.core_v1 import Namespace
from kubelite.api.meta import ObjectMeta
from kubelite.apiserver.allocator import ServiceAllocator
from kubelite.apiserver.local import LocalClient
from kubelite.apiserver.plugins import standard_admission
from kubelite.apiserver.registry import ObjectRegistry
from kubelite.store.memory import MemoryStore


@asynccontextmanager
async def local_client(clock: Clock | None = None) -> AsyncIterator[LocalClient]:
    """A client of an empty cluster that has the namespace `default`."""
    clock = clock or SystemClock()
    async with MemoryStore(clock) as store:
        admission, allocator = standard_admission(clock), ServiceAllocator(clock)
        client = LocalClient(ObjectRegistry(store, clock, admission=admission, allocator=allocator))
        await client.create(Namespace(metadata=ObjectMeta(name="default")))
        yield client
