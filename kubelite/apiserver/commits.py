"""The last step of every write: one encoding, one transaction that holds only on the state that was read, with its cause.

The registry decides what is written; here it is only written, or found to be no change, or lost to somebody faster (None).
A Service's addresses and ports are written in its own transaction, see `allocator`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from kubelite.actor.clock import Clock
from kubelite.api import codec, core_v1 as core
from kubelite.api.errors import InternalError, ServiceUnavailable
from kubelite.api.scheme import Resource
from kubelite.apiserver.admission import Finder
from kubelite.apiserver.allocator import NOTHING, Holding, ServiceAllocator
from kubelite.apiserver.entries import EntryCache
from kubelite.apiserver.interface import Context, Entry
from kubelite.store.store import Compare, Delete, Get, Put, Store, Txn, TxnResult, Unavailable

#: Events are kept for an hour. Source: kube-apiserver --event-ttl
_EVENT_TTL_S = 3600.0
_LEASE_REUSE_S = 60.0
#: How often a Service asks for addresses and ports again that somebody else was given. Each time is somebody else's progress.
_DRAWS = 32


class Commits:
    def __init__(
        self, store: Store, clock: Clock, entries: EntryCache, allocator: ServiceAllocator, finder: Finder
    ) -> None:
        self._store = store
        self._clock = clock
        self._entries = entries
        self._allocator = allocator
        self._finder = finder
        self._event_lease = (0, 0.0)

    async def put(self, resource: Resource, old: Entry | None, obj: Any, ctx: Context) -> Entry | None:
        """Writes `obj` over `old` (None: where nothing is). None when the race was lost."""
        if resource.type is core.Service:
            return await self._put_service(resource, old, obj, ctx)
        if ctx.dry_run:
            return await self._tried(resource, old, obj)
        return await self._write(resource, old, obj, ctx)

    async def _put_service(
        self, resource: Resource, old: Entry | None, service: core.Service, ctx: Context
    ) -> Entry | None:
        before = old.object if old else None
        for _ in range(_DRAWS):
            try:
                obj, holding = await self._allocator.allocate(service, before, self._store, self._finder)
            except Unavailable as error:
                raise ServiceUnavailable(str(error)) from error
            if ctx.dry_run:
                return await self._tried(resource, old, obj)
            try:
                return await self._write(resource, old, obj, ctx, holding)
            except _Taken:
                continue
        raise InternalError("Internal error occurred: failed to allocate a serviceIP: others were always faster")

    async def _tried(self, resource: Resource, old: Entry | None, obj: Any) -> Entry | None:
        """What a dry run answers."""
        if old is None:
            meta = obj.metadata
            if (await self._store.range(resource.key(meta.name, meta.namespace))).records:
                return None
        return Entry(resource, codec.encode_stored(obj), old.revision if old else 0)

    async def _write(
        self, resource: Resource, old: Entry | None, obj: Any, ctx: Context, holding: Holding = NOTHING
    ) -> Entry | None:
        meta = obj.metadata
        key = resource.key(meta.name, meta.namespace)
        shown = codec.encode_stored(obj)
        if old is not None and shown == old.stored and not old.is_stale:
            return old
        stored = await self._entries.stored_form(obj, shown)
        revision = old.revision if old else 0
        compare = (Compare(key, "mod_revision", "=", revision), *holding.compare)
        put = Put(key, stored, await self._lease(resource))
        looked = (Get(key),) if holding.compare else ()
        txn = Txn(compare, (put, *holding.ops), looked, self._cause(ctx))
        if stored is shown:
            self._entries.expect(key, stored, obj)
        try:
            result = await self._commit(txn)
            if not result.succeeded:
                if looked and revision == max((record.mod_revision for record in result.results[0].records), default=0):
                    raise _Taken
                return None
            (entry,) = await self._entries.load(resource, result.results[0].records[:1])
            return entry
        finally:
            self._entries.forget(key)

    async def remove(self, resource: Resource, old: Entry, obj: Any, ctx: Context) -> Entry | None:
        """Deletes the key; `obj` is what the client sees. None when the race was lost."""
        meta = old.object.metadata
        key = resource.key(meta.name, meta.namespace)
        revision = old.revision
        if not ctx.dry_run:
            compare = Compare(key, "mod_revision", "=", old.revision)
            released = self._allocator.release(old.object) if resource.type is core.Service else ()
            result = await self._commit(Txn((compare,), (Delete(key), *released), (), self._cause(ctx)))
            if not result.succeeded:
                return None
            revision = result.revision
        return Entry(resource, codec.encode_stored(obj), revision)

    async def _commit(self, txn: Txn) -> TxnResult:
        try:
            return await self._store.txn(txn)
        except Unavailable as error:
            raise ServiceUnavailable(str(error)) from error

    async def _lease(self, resource: Resource) -> int:
        """A lease for events, shared by those of the same minute; 0 for what lives until it is deleted."""
        if resource.kind != "Event":
            return 0
        lease, until = self._event_lease
        now = self._clock.monotonic()
        if now >= until:
            try:
                lease = await self._store.grant_lease(_EVENT_TTL_S + _LEASE_REUSE_S)
            except Unavailable as error:
                raise ServiceUnavailable(str(error)) from error
            self._event_lease = (lease, now + _LEASE_REUSE_S)
        return lease

    def _cause(self, ctx: Context) -> str:
        """Who wrote, why and when, as the store keeps it beside the value; read by `why`."""
        at = round(self._clock.now(), 3)
        return msgspec.json.encode({"user": ctx.user.name, "cause": ctx.cause, "at": at}).decode()


class _Taken(Exception):
    """Somebody else was given an address or a port meanwhile; the Service itself is as it was."""
