"""What the memory and the sqlite store share: present, past and watchers of one history, and the time that passes over it.

A subclass decides when a transaction is durable and then calls `_publish`; everything before that is nobody's to see. Here
live leases, compaction by age and size, progress to idle watchers, statistics and forks. Time passes in tasks of the
store's own group, which runs while the store is entered; nothing wakes up while nothing was written.

Source: https://etcd.io/docs/v3.5/learning/api/ (Lease API), https://etcd.io/docs/v3.5/op-guide/maintenance/ (auto-compaction)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

import anyio
import anyio.abc
import anyio.lowlevel
import msgspec

from kubelite.store import mvcc
from kubelite.store.keys import Keys
from kubelite.store.stats import BATCH_BOUNDS, LATENCY_BOUNDS_S, Histogram, Stats
from kubelite.store.store import (
    Compacted,
    Delete,
    Event,
    Future,
    Get,
    Put,
    Range,
    Record,
    Sink,
    StoreError,
    Txn,
    TxnResult,
    Unavailable,
)
from kubelite.store.watch import Bus, Watcher
from kubelite.store.window import Window

if TYPE_CHECKING:
    from kubelite.store.memory import MemoryStore

#: A writer that never waits lets the pump run after so many commits.
PATIENCE = 64


class Clock(Protocol):
    """What the store needs of kubelite.actor.clock."""

    def monotonic(self) -> float: ...
    async def sleep(self, seconds: float) -> None: ...
    def randrange(self, stop: int) -> int: ...


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How much history is kept: at most `max_events` and `max_bytes` at any time; what is older than `age_s` goes too,

    except the newest `min_revisions`. Every `tick_s` after a write, ages are looked at and idle watchers told where they are.
    """

    max_events: int = 50_000
    max_bytes: int = 64 << 20
    age_s: float = 600.0
    min_revisions: int = 1000
    tick_s: float = 60.0


class Lease(msgspec.Struct, kw_only=True):
    ttl_s: float
    deadline: float
    keys: set[str]
    scope: anyio.CancelScope


class LocalStore(ABC):
    """Use as `async with MemoryStore(clock) as store:`; outside of it, writes and watches are refused."""

    def __init__(self, clock: Clock, *, retention: Retention | None = None) -> None:
        self._clock = clock
        self._retention = retention or Retention()
        self._adopt(Keys(), Window())
        self._leases: dict[int, Lease] = {}
        self._latency = Histogram(LATENCY_BOUNDS_S)
        self._batches = Histogram(BATCH_BOUNDS)
        self._open = False
        self._tasks: anyio.abc.TaskGroup
        self._advanced: anyio.Event | None = None  # set, if there is one, when the revision grows

    def _adopt(self, keys: Keys, window: Window) -> None:
        self._keys = keys
        self._window = window
        self._bus = Bus(window)

    async def __aenter__(self) -> Self:
        self._written = anyio.Event()
        self._untold = False  # whether anything was written since the last tick
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._open = True
        self._tasks.start_soon(self._tidy)
        for number, lease in self._leases.items():
            self._tasks.start_soon(self._expire, number, lease)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        self._open = False
        self._bus.close(Unavailable("the store is closed"))
        self._tasks.cancel_scope.cancel()
        try:
            return await self._tasks.__aexit__(kind, error, trace)
        except BaseExceptionGroup as group:
            if error is None or group.exceptions != (error,):
                raise
            return False  # the body's own error, as it was

    @property
    def revision(self) -> int:
        return self._window.revision

    @property
    def compact_revision(self) -> int:
        return self._window.base

    async def range(
        self, key: str, end: str | None = None, *, revision: int = 0, limit: int = 0, keys_only: bool = False
    ) -> Range:
        window = self._window
        if not revision:
            found = mvcc.read_present(self._keys, key, end, limit, window.revision)
        elif revision > window.revision:
            raise Future(window.revision)
        elif revision < window.base:
            raise Compacted(window.base)
        else:
            found = mvcc.read(self._keys, window, Get(key, end, limit), revision)
        return without_values(found) if keys_only else found

    def present(
        self, key: str, end: str | None, show: Callable[[Range], None], lost: Callable[[StoreError], None]
    ) -> None:
        show(mvcc.read_present(self._keys, key, end, 0, self._window.revision))

    async def reached(self, revision: int) -> None:
        """Returns once `revision` is visible."""
        while self._window.revision < revision:
            if self._advanced is None:
                self._advanced = anyio.Event()
            await self._advanced.wait()

    @abstractmethod
    async def txn(self, txn: Txn) -> TxnResult: ...

    def watch(self, key: str, end: str | None, sink: Sink, *, start_revision: int = 0) -> Watcher:
        self._require_open()
        return self._bus.watch(key, end, sink, start_revision)

    async def compact(self, revision: int) -> None:
        self._require_open()
        if revision > self._window.revision:
            raise Future(self._window.revision)
        if revision <= self._window.base:
            raise Compacted(self._window.base)
        self._forget(revision)

    async def grant_lease(self, ttl_s: float) -> int:
        self._require_open()
        number = self._clock.randrange(2**63 - 1) + 1
        await self._record_lease(number, ttl_s)
        lease = self._leases[number] = self._new_lease(ttl_s)
        self._tasks.start_soon(self._expire, number, lease)
        return number

    async def keep_alive(self, lease: int) -> None:
        held = self._leases[lease]
        held.deadline = self._clock.monotonic() + held.ttl_s

    async def revoke(self, lease: int) -> None:
        """Raises: KeyError when there is no such lease."""
        self._leases[lease].scope.cancel()
        await self._end_lease(lease)

    def stats(self) -> Stats:
        watchers = self._bus.watchers()
        return Stats(
            revision=self._window.revision,
            compact_revision=self._window.base,
            keys=len(self._keys),
            leases=len(self._leases),
            window_events=self._window.count,
            window_bytes=self._window.size_bytes,
            log_bytes=self._log_bytes(),
            watchers=len(watchers),
            slowest_cursor=min((watcher.revision for watcher in watchers), default=self._window.revision),
            commit_latency_s=self._latency.value(),
            batch_sizes=self._batches.value(),
        )

    def fork(self, *, revision: int = 0) -> MemoryStore:
        """A branch in memory, to be entered like any store: the same past, a future of its own.

        Costs the same whatever is stored; from a past revision, as much as has happened since. Raises: Compacted, Future.
        """
        from kubelite.store.memory import MemoryStore

        if revision > self._window.revision:
            raise Future(self._window.revision)
        if revision and revision < self._window.base:
            raise Compacted(self._window.base)
        branch = MemoryStore(self._clock, retention=self._retention)
        keys, window = self._keys.copy(), self._window.copy()
        if revision and revision < window.revision:
            mvcc.rewind(keys, window.truncate(revision))
        branch._adopt(keys, window)
        for number, lease in self._leases.items():
            attached = {key for key in lease.keys if (record := keys.get(key)) and record.lease == number}
            branch._leases[number] = msgspec.structs.replace(lease, keys=attached, scope=anyio.CancelScope())
        return branch

    def contents(self) -> tuple[Keys, list[Event]]:
        """The keys, a copy, and all retained events."""
        return self._keys.copy(), self._window.after(self._window.base)

    def leases(self) -> dict[int, float]:
        """The TTL in seconds of each lease."""
        return {number: lease.ttl_s for number, lease in self._leases.items()}

    def _require_open(self) -> None:
        if not self._open:
            raise Unavailable("the store is closed")

    def _require_leases(self, txn: Txn) -> None:
        for op in (*txn.success, *txn.failure):
            if type(op) is Put and op.lease and op.lease not in self._leases:
                raise KeyError(op.lease)

    def _publish(self, events: Sequence[Event]) -> None:
        """Shows the events of the next revision, which is durable, to everybody. `_keys` has them already."""
        window = self._window
        window.append(events)
        for event in events:
            if event.prev is not None and event.prev.lease:
                self._detach(event.prev)
            if event.record is not None and event.record.lease in self._leases:
                self._leases[event.record.lease].keys.add(event.key)
        self._bus.wake()
        retention = self._retention
        if window.count > retention.max_events or window.size_bytes > retention.max_bytes:
            excess = window.excess(retention.max_events, retention.max_bytes)
            if excess > window.base:
                self._forget(excess)
        if not self._untold:
            self._untold = True
            self._written.set()
        if self._advanced is not None:
            self._advanced.set()
            self._advanced = None

    def _detach(self, record: Record) -> None:
        lease = self._leases.get(record.lease)
        if lease is not None:
            lease.keys.discard(record.key)

    def _forget(self, revision: int) -> list[Event]:
        """Makes `revision` the compact revision; returns the events that are gone."""
        dropped = self._window.drop(revision)
        self._bus.wake()
        return dropped

    @abstractmethod
    async def _record_lease(self, number: int, ttl_s: float) -> None:
        """Makes a lease durable, or with `ttl_s` 0 its end."""

    @abstractmethod
    async def _settled(self) -> None:
        """Returns once all that was asked for before is visible."""

    @abstractmethod
    def _log_bytes(self) -> int:
        """The size of the file, if there is one."""

    def _new_lease(self, ttl_s: float) -> Lease:
        return Lease(ttl_s=ttl_s, deadline=self._clock.monotonic() + ttl_s, keys=set(), scope=anyio.CancelScope())

    async def _expire(self, number: int, lease: Lease) -> None:
        with lease.scope:
            while (left := lease.deadline - self._clock.monotonic()) > 0:
                await self._clock.sleep(left)
        if number in self._leases and not lease.scope.cancel_called:
            await self._end_lease(number)

    async def _end_lease(self, number: int) -> None:
        lease = self._leases.pop(number)  # from here on, nobody can attach a key to it
        await self._settled()
        doomed = sorted(key for key in lease.keys if (record := self._keys.get(key)) and record.lease == number)
        if doomed:
            await self.txn(Txn(success=tuple(Delete(key) for key in doomed), cause=f"lease {number:x} ended"))
        await self._record_lease(number, 0)

    async def _tidy(self) -> None:
        """Ages the history and tells idle watchers where they are; sleeps for good once there is nothing more to do."""
        marks: deque[tuple[float, int]] = deque()
        retention = self._retention
        while True:
            if not marks:
                await self._written.wait()
            await self._clock.sleep(retention.tick_s)
            if self._untold:
                self._bus.progress()
                marks.append((self._clock.monotonic(), self._window.revision))
            self._untold, self._written = False, anyio.Event()
            target = 0
            while marks and marks[0][0] <= self._clock.monotonic() - retention.age_s:
                target = marks.popleft()[1]
            target = min(target, self._window.revision - retention.min_revisions)
            if target > self._window.base:
                self._forget(target)


def without_values(found: Range) -> Range:
    """`found` with every value empty."""
    return msgspec.structs.replace(
        found, records=tuple([msgspec.structs.replace(record, value=b"") for record in found.records])
    )
