"""The store on an existing etcd v3 cluster: the same contract for several kubelite servers at once.

Revisions, comparison and watching are etcd's own. `revision` is the newest that this client has seen, so "now" in a watch means
after that. Causes are not kept: etcd has no place for them beside the value. A transaction whose connection breaks, or whose
answer does not come in time, is reported as OutcomeUnknown; whoever retries must compare, as registry does.

Each watch is a stream of its own. When its member goes, it opens another one behind the last revision that it delivered.
A paused watch does not read, and etcd holds it back.

Source: https://etcd.io/docs/v3.5/learning/api/
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Self

import anyio
import anyio.abc

from kubelite.store import etcd_messages_pb2 as pb
from kubelite.store.etcd_client import EtcdClient, EtcdConfig, Refused, stream_errors
from kubelite.store.local import Clock
from kubelite.store.store import (
    Compacted,
    Compare,
    Delete,
    Event,
    Future,
    Get,
    Op,
    Put,
    Range,
    Record,
    Sink,
    StoreError,
    Txn,
    TxnResult,
    Unavailable,
)

#: Before a watch whose stream broke tries again.
RETRY_S = 0.2
CAUSE = "kubelite/cause"  #: the cause of a transaction is written with it, under this key
_RESULTS = {"=": 0, ">": 1, "<": 2, "!=": 3}
_TARGETS = {"version": 0, "create_revision": 1, "mod_revision": 2, "value": 3}


class EtcdStore:
    """Use as `async with EtcdStore(EtcdConfig.parse(url), clock) as store:`. Entering raises Unavailable, StoreError."""

    def __init__(self, config: EtcdConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._client = EtcdClient(config)
        self._revision = self._compact_revision = 0
        self._watches: dict[_Watch, None] = {}
        self._open = False
        self._tasks: anyio.abc.TaskGroup

    async def __aenter__(self) -> Self:
        await self._client.connect()
        try:
            self._open = True
            await self.range("\0")
        except BaseException:
            self._open = False
            await self._client.close()
            raise
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        self._open = False
        for watch in list(self._watches):
            watch.close()
            watch.sink.lost(Unavailable("the store is closed"))
        self._tasks.cancel_scope.cancel()
        try:
            return await self._tasks.__aexit__(kind, error, trace)
        except BaseExceptionGroup as group:
            if error is None or group.exceptions != (error,):
                raise
            return False  # the body's own error, as it was
        finally:
            with anyio.CancelScope(shield=True):
                await self._client.close()

    @property
    def revision(self) -> int:
        return self._revision

    @property
    def compact_revision(self) -> int:
        return self._compact_revision

    async def range(
        self, key: str, end: str | None = None, *, revision: int = 0, limit: int = 0, keys_only: bool = False
    ) -> Range:
        self._require_open()
        first, last = _interval(key, end)
        request = pb.RangeRequest(key=first, range_end=last, revision=revision, limit=limit, keys_only=keys_only)
        try:
            answer = await self._client.call("KV/Range", request, pb.RangeResponse)
        except Refused as error:
            raise await self._explained(error, revision) from error
        self._see(answer.header)
        return _range(answer, revision or answer.header.revision)

    def present(
        self, key: str, end: str | None, show: Callable[[Range], None], lost: Callable[[StoreError], None]
    ) -> None:
        async def read() -> None:
            try:
                show(await self.range(key, end))
            except StoreError as error:
                lost(error)

        self._require_open()
        self._tasks.start_soon(read)

    async def txn(self, txn: Txn) -> TxnResult:
        self._require_open()
        # A member answers a transaction without any operation from what it has itself, which may be old: let it read something.
        either = () if txn.success or txn.failure or not txn.compare else (Get(txn.compare[0].key),)
        request = pb.TxnRequest(
            compare=[_compare(compare) for compare in txn.compare],
            success=[_op(op) for op in _caused(txn.success, txn.cause) or either],
            failure=[_op(op) for op in _caused(txn.failure, txn.cause) or either],
        )
        try:
            answer = await self._client.call("KV/Txn", request, pb.TxnResponse)
        except Refused as error:
            raise await self._explained(error, 0) from error
        self._see(answer.header)
        revision = answer.header.revision
        ops = txn.success if answer.succeeded else txn.failure
        # what was added to the caller's operations has an answer, too
        results = tuple(_result(op, got, revision) for op, got in zip(ops, answer.responses, strict=False))
        return TxnResult(answer.succeeded, revision, results)

    def watch(self, key: str, end: str | None, sink: Sink, *, start_revision: int = 0) -> _Watch:
        """As store.Store; a start that is compacted on the server, unknown to this client, is told to the sink as lost."""
        self._require_open()
        cursor = start_revision - 1 if start_revision else self._revision
        if cursor < self._compact_revision:
            raise Compacted(self._compact_revision)
        watch = _Watch(sink, cursor, self._watches)
        self._watches[watch] = None
        self._tasks.start_soon(self._follow, watch, *_interval(key, end))
        return watch

    async def compact(self, revision: int) -> None:
        self._require_open()
        try:
            answer = await self._client.call(
                "KV/Compact", pb.CompactionRequest(revision=revision), pb.CompactionResponse
            )
        except Refused as error:
            raise await self._explained(error, revision) from error
        self._see(answer.header)
        self._compact_revision = max(self._compact_revision, revision)

    async def grant_lease(self, ttl_s: float) -> int:
        """etcd counts whole seconds, and knows a least TTL of about two."""
        self._require_open()
        request = pb.LeaseGrantRequest(ttl=math.ceil(ttl_s))
        return (await self._client.call("Lease/LeaseGrant", request, pb.LeaseGrantResponse)).id

    async def keep_alive(self, lease: int) -> None:
        call = self._client.stream("Lease/LeaseKeepAlive", pb.LeaseKeepAliveRequest, pb.LeaseKeepAliveResponse)
        try:
            await call.write(pb.LeaseKeepAliveRequest(id=lease))
            answer = await call.read()
        except stream_errors() as error:
            raise Unavailable(f"etcd: {error}") from error
        finally:
            call.cancel()
        if answer.ttl <= 0:
            raise KeyError(lease)

    async def revoke(self, lease: int) -> None:
        """Raises: KeyError when there is no such lease."""
        try:
            request = pb.LeaseRevokeRequest(id=lease)
            self._see((await self._client.call("Lease/LeaseRevoke", request, pb.LeaseRevokeResponse)).header)
        except Refused as error:
            raise await self._explained(error, 0) from error

    async def reached(self, revision: int) -> None:
        """Returns once `revision` is visible."""
        cursor = self._revision
        while self._revision < revision:
            async for answer in self._stream(b"\0", b"\0", cursor + 1):
                if answer.events:
                    cursor = answer.events[-1].kv.mod_revision
                if self._revision >= revision or answer.canceled:
                    break

    def _require_open(self) -> None:
        if not self._open:
            raise Unavailable("the store is closed")

    def _see(self, header: pb.ResponseHeader) -> None:
        self._revision = max(self._revision, header.revision)

    async def _explained(self, error: Refused, revision: int) -> StoreError | ValueError | KeyError:
        """The contract's error for what etcd said."""
        reason = error.reason
        if "has been compacted" in reason:
            async for answer in self._stream(b"\0", b"", max(revision, 1)):  # only a watch is told what is retained
                if answer.canceled:
                    self._compact_revision = max(self._compact_revision, answer.compact_revision)
                if answer.canceled or not answer.created:
                    break
                if self._compact_revision >= revision:
                    break
            return Compacted(self._compact_revision)
        if "future revision" in reason:
            return Future(self._revision)
        if "duplicate key" in reason:
            return ValueError(reason)
        if "lease not found" in reason:
            return KeyError(reason)
        return Unavailable(f"etcd: {reason}")

    async def _follow(self, watch: _Watch, key: bytes, end: bytes) -> None:
        """Feeds one watch until it is closed or has lost its place."""
        with watch.scope:
            while True:
                async for answer in self._stream(key, end, watch.revision + 1):
                    await watch.resumed.wait()
                    if answer.canceled:
                        if answer.compact_revision:
                            self._compact_revision = max(self._compact_revision, answer.compact_revision)
                            watch.close()
                            watch.sink.lost(Compacted(answer.compact_revision))
                            return
                        break
                    events = [_event(event) for event in answer.events]
                    revision = events[-1].revision if events else answer.header.revision
                    if answer.created or revision < watch.revision:
                        continue  # its revision says nothing about what has been delivered
                    watch.revision = revision
                    watch.sink.deliver(events, revision)
                await self._clock.sleep(RETRY_S)
        watch.close()

    async def _stream(self, key: bytes, end: bytes, revision: int) -> AsyncIterator[pb.WatchResponse]:
        """What etcd says to a watch; ends when the connection does."""
        call = self._client.stream("Watch/Watch", pb.WatchRequest, pb.WatchResponse)
        create = pb.WatchCreateRequest(
            key=key, range_end=end, start_revision=revision, progress_notify=True, prev_kv=True
        )
        try:
            await call.write(pb.WatchRequest(create=create))
            while isinstance(answer := await call.read(), pb.WatchResponse):
                self._see(answer.header)
                yield answer
        except stream_errors():
            return
        finally:
            call.cancel()


class _Watch:
    """The handle of a watch (store.Subscription)."""

    def __init__(self, sink: Sink, cursor: int, siblings: dict[_Watch, None]) -> None:
        self.sink = sink
        self.revision = cursor
        self.scope = anyio.CancelScope()
        self.resumed = anyio.Event()
        self.resumed.set()
        self._siblings = siblings

    def pause(self) -> None:
        if self.resumed.is_set():
            self.resumed = anyio.Event()

    def resume(self) -> None:
        self.resumed.set()

    def close(self) -> None:
        self._siblings.pop(self, None)
        self.scope.cancel()


def _interval(key: str, end: str | None) -> tuple[bytes, bytes]:
    return key.encode() or b"\0", (end or "").encode()


def _compare(compare: Compare) -> pb.Comparison:
    made = pb.Comparison(result=_RESULTS[compare.op], target=_TARGETS[compare.target], key=compare.key.encode())
    setattr(made, compare.target, compare.operand)
    return made


def _caused(ops: tuple[Op, ...], cause: str) -> tuple[Op, ...]:
    """`ops`, and if they write anything, the cause beside it."""
    writes = any(not isinstance(op, Get) for op in ops)
    return (*ops, Put(CAUSE, cause.encode())) if cause and writes else ops


def _op(op: Op) -> pb.RequestOp:
    first, last = _interval(op.key, None if isinstance(op, Put) else op.end)
    match op:
        case Put():
            return pb.RequestOp(put=pb.PutRequest(key=first, value=op.value, lease=op.lease, prev_kv=True))
        case Delete():
            return pb.RequestOp(delete_range=pb.DeleteRangeRequest(key=first, range_end=last, prev_kv=True))
        case Get():
            return pb.RequestOp(range=pb.RangeRequest(key=first, range_end=last, limit=op.limit))


def _result(op: Op, got: pb.ResponseOp, revision: int) -> Range:
    match op:
        case Put():
            prev = got.put.prev_kv
            created, version = (prev.create_revision, prev.version + 1) if prev.mod_revision else (revision, 1)
            return Range((Record(op.key, op.value, created, revision, version, op.lease),), revision, 1)
        case Delete():
            gone = tuple([_record(kv) for kv in got.delete_range.prev_kvs])
            return Range(gone, revision, len(gone))
        case Get():
            return _range(got.range, revision)


def _range(answer: pb.RangeResponse, revision: int) -> Range:
    return Range(tuple([_record(kv) for kv in answer.kvs]), revision, answer.count, answer.more)


def _record(kv: pb.KeyValue) -> Record:
    return Record(kv.key.decode(), kv.value, kv.create_revision, kv.mod_revision, kv.version, kv.lease)


def _event(event: pb.WatchEvent) -> Event:
    kv = event.kv
    prev = _record(event.prev_kv) if event.prev_kv.mod_revision else None
    return Event(kv.mod_revision, kv.key.decode(), None if event.type else _record(kv), prev)
