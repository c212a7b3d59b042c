"""The store on disk: state in memory, a log in SQLite written by a process of its own, and group commit between the two.

`_staged` runs ahead: transactions are decided on it in the order of their coming. Batches of what they wrote go to the writer,
which commits all that have arrived at once; so there is no timer and no queue but the callers that wait. A batch is sent at
the end of a turn of the loop, or in the midst of one when deciding it has taken about as long as a commit does: then the
writer and we work at the same time, and on a slow disk nobody starts a commit for a part of those who wait.

Only when a batch is durable do `_keys`, the window and the watchers see it, and then its callers. An answer that rests on
something staged (a failed comparison, say) waits for that to be durable as well. When a commit fails, everything staged is
thrown away, which costs nothing as the keys are copied by reference, and all who waited get Unavailable; batches on their way
that were decided on top of it are refused by the writer, which knows them by their era. The next transaction tries again.

Compaction happens here at once and in the file later, a step at a time between commits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from zlib import crc32

import anyio
import anyio.lowlevel
import msgspec

from kubelite.store import mvcc
from kubelite.store.keys import Keys
from kubelite.store.local import Clock, LocalStore, Retention
from kubelite.store.sqlite_process import SUB_BITS, Channel, Corrupt, WriterProcess
from kubelite.store.store import Event, Record, StoreError, Txn, TxnResult, Unavailable
from kubelite.store.window import Window

#: A batch ends before it passes one of these; a single transaction may be larger.
BATCH_EVENTS = 2048
BATCH_BYTES = 8 << 20
#: With so many batches on their way, a small one waits for the next answer.
BATCHES_AHEAD = 2
#: A batch goes early when it has as many events as are decided (10 µs each) in half the time of a commit, within bounds.
DECIDE_S = 10e-6
EARLY_EVENTS = (16, 512)
#: Superseded rows deleted per step, and the pause between steps. Measured: steps of 5,000 hold up writers for 36 ms.
STEP_ROWS = 500
STEP_PAUSE_S = 0.005
#: With so many rows still to delete, steps follow without a pause.
BACKLOG_ROWS = 100_000


class _Waiting(msgspec.Struct):
    """A transaction that has been decided and is not yet durable."""

    events: list[Event]
    result: TxnResult
    future: asyncio.Future[TxnResult]


class SqliteStore(LocalStore):
    """Use as `async with SqliteStore(path, clock) as store:`. Entering raises Locked, Corrupt or Unavailable.

    If the writer process dies the store cannot go on, and the body of `async with` is cancelled with Unavailable.
    """

    def __init__(self, path: Path, clock: Clock, *, retention: Retention | None = None) -> None:
        super().__init__(clock, retention=retention)
        self.path = path
        self._process: WriterProcess | None = None
        self._channel: Channel
        self._staged = Keys()
        self._staged_revision = 0
        self._pending: deque[_Waiting] = deque()  # the first, if there is one, has events
        self._pending_events = 0
        self._ahead: deque[list[_Waiting]] = deque()  # the batches that the writer has, oldest first
        self._early = EARLY_EVENTS[0]
        self._era = 0  # counts failed commits
        self._flushing = False
        self._dead: deque[tuple[int, int, list[tuple[int, str]]]] = deque()
        self._dead_rows = 0
        self.torn_frames = 0  #: what was left out of the log's torn tail when it was opened; to be told in one line

    def spawn(self) -> None:
        """Starts the writer before the store is entered, so that it reads the file while others start. Needs no loop."""
        self._process = WriterProcess(self.path)

    async def __aenter__(self) -> Self:
        if self._process is None:
            self.spawn()
        assert self._process is not None
        channel = self._channel = Channel(self._process)
        loading = _Loading(self.path)
        try:
            state = await channel.connect(loading.add)
            self._adopt(*loading.finish())
        except BaseException:
            await channel.close()
            self._process = None
            raise
        self._staged, self._staged_revision = self._keys.copy(), self.revision
        self.torn_frames = state["torn"]
        for number, ttl_ms in state["leases"]:
            self._leases[number] = self._new_lease(ttl_ms / 1000)
        for record in loading.leased:
            if record.lease in self._leases and self._keys.get(record.key) is record:
                self._leases[record.lease].keys.add(record.key)
        self._forgotten = anyio.Event()
        self._died = anyio.Event()
        channel.on_lost = self._died.set
        await super().__aenter__()
        self._tasks.start_soon(self._sweep)
        self._tasks.start_soon(self._watch_writer)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        try:
            return await super().__aexit__(kind, error, trace)
        finally:
            await self._channel.close()
            self._process = None

    async def txn(self, txn: Txn) -> TxnResult:
        self._require_open()
        self._require_leases(txn)
        succeeded, events, results = mvcc.run(self._staged, txn, self._staged_revision)
        if events:
            self._staged_revision += 1
        result = TxnResult(succeeded, self._staged_revision, results)
        if self._staged_revision == self._window.revision:
            return result
        loop = asyncio.get_running_loop()
        future: asyncio.Future[TxnResult] = loop.create_future()
        waiting = _Waiting(events, result, future)
        if not events and not self._pending:
            self._ahead[-1].append(waiting)
            return await future
        self._pending.append(waiting)
        self._pending_events += len(events)
        if self._pending_events >= self._early:
            self._flush()
        elif not self._flushing and len(self._ahead) < BATCHES_AHEAD:
            self._flushing = True
            loop.call_soon(self._end_turn)
        return await future

    async def verify(self) -> list[str]:
        """What is wrong with the file; empty when nothing. What its rows hold was checked when it was opened."""
        found: list[str] = await self._channel.ask("verify", None)
        return found

    def _end_turn(self) -> None:
        self._flushing = False
        if self._pending and len(self._ahead) < BATCHES_AHEAD:
            self._flush()

    def _flush(self) -> None:
        """Sends the next batch."""
        batch: list[_Waiting] = []
        rows: list[tuple[Any, ...]] = []
        size = 0
        pending = self._pending
        while pending and (not pending[0].events or (len(rows) < BATCH_EVENTS and size < BATCH_BYTES)):
            waiting = pending.popleft()
            batch.append(waiting)
            for sub, event in enumerate(waiting.events):
                row = encode_row(event, sub)
                size += len(row[7] or b"")
                rows.append(row)
        self._pending_events -= len(rows)
        era = self._era

        def done(error: str, detail: Any) -> None:
            if era != self._era:
                return  # failed together with the one before it
            if error:
                self._fail(Unavailable(f"{self.path}: {detail}; nothing was written"))
                return
            self._ahead.popleft()
            self._committed(batch, detail)

        self._ahead.append(batch)
        self._channel.send("append", (era, rows), done)

    def _committed(self, batch: list[_Waiting], commit: tuple[int, float] | None) -> None:
        """`batch` is durable; `commit` is the size and duration of the commit whose first batch it was."""
        if commit is not None:
            events, took_s = commit
            self._batches.observe(events)
            self._latency.observe(took_s)
            least, most = EARLY_EVENTS
            self._early = min(max(int(took_s / DECIDE_S / 2), least), most)
        for waiting in batch:
            if waiting.events:
                mvcc.replay(self._keys, waiting.events)
                self._publish(waiting.events)
        if self._pending and len(self._ahead) < BATCHES_AHEAD:
            self._flush()  # the next batch to disk first, then the answers
        for waiting in batch:
            if not waiting.future.done():
                waiting.future.set_result(waiting.result)

    def _fail(self, error: StoreError) -> None:
        """Everybody who waits has been decided on top of what failed."""
        self._era += 1
        self._staged, self._staged_revision = self._keys.copy(), self.revision
        everybody = [*(waiting for batch in self._ahead for waiting in batch), *self._pending]
        self._ahead.clear()
        self._pending.clear()
        self._pending_events = 0
        for waiting in everybody:
            if not waiting.future.done():
                waiting.future.set_exception(error)

    def _forget(self, revision: int) -> list[Event]:
        begin, last = self._window.base, 0
        dropped = super()._forget(revision)
        dead: list[tuple[int, str]] = []
        for event in dropped:
            if len(dead) >= STEP_ROWS and event.revision != last:  # a step ends with a revision
                self._dead.append((begin, last, dead))
                begin, dead = last, []
            if event.prev is not None:
                dead.append((event.prev.mod_revision, event.key))
            last = event.revision
        self._dead.append((begin, revision, dead))
        self._dead_rows += len(dropped)
        self._forgotten.set()
        return dropped

    async def _sweep(self) -> None:
        """Deletes from the file what was forgotten."""
        while True:
            await self._forgotten.wait()
            while self._dead:
                step = self._dead[0]
                try:
                    await self._channel.ask("forget", step)
                except Unavailable:
                    break  # the disk is full; goes on with the next compaction
                self._dead.popleft()
                self._dead_rows -= len(step[2])
                if self._dead_rows < BACKLOG_ROWS:
                    await self._clock.sleep(STEP_PAUSE_S)
            self._forgotten = anyio.Event()

    async def _watch_writer(self) -> None:
        await self._died.wait()
        self._open = False
        raise Unavailable(f"{self.path}: the writer process has ended")

    async def _record_lease(self, number: int, ttl_s: float) -> None:
        await self._channel.ask("lease", (number, round(ttl_s * 1000)))

    async def _settled(self) -> None:
        await self.txn(Txn())

    def _log_bytes(self) -> int:
        return sum(part.stat().st_size for part in (self.path, Path(f"{self.path}-wal")) if part.exists())


def encode_row(event: Event, sub: int) -> tuple[Any, ...]:
    """`event`, the `sub`th of its revision, as sqlite_writer takes it."""
    record = event.record
    if record is None:
        return (event.revision, sub, event.key, 0, 0, 0, event.cause, None)
    return (
        event.revision,
        sub,
        event.key,
        record.create_revision,
        record.version,
        record.lease,
        event.cause,
        record.value,
    )


class _Loading:
    """Rebuilds keys and window from the rows of the log."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._window = Window()
        self._live: dict[str, Record] = {}
        self._group: list[Event] = []  # the events of the newest revision so far
        self._fault: Corrupt | None = None
        self.leased: list[Record] = []

    def add(self, word: str, value: Any) -> None:
        if word == "compact":
            self._window = Window(value)
        else:
            self._add_rows(value)

    def _add_rows(self, rows: Sequence[tuple[Any, ...]]) -> None:
        live, compact_revision = self._live, self._window.base
        for number, key, create_revision, version, lease, cause, value, crc in rows:
            revision = number >> SUB_BITS
            if crc != crc32(value or b"", crc32(key.encode())) and self._fault is None:
                self._fault = Corrupt(self._path, f"the checksum of {key!r} at revision {revision} is wrong")
            record = None
            if value is not None:
                record = Record(key, value, create_revision, revision, version, lease, cause)
            if revision > compact_revision:
                if self._group and self._group[0].revision != revision:
                    self._seal()
                self._group.append(Event(revision, key, record, live.get(key), cause))
            if record is None:
                live.pop(key, None)
                continue
            live[key] = record
            if lease:
                self.leased.append(record)

    def _seal(self) -> None:
        group, expected = self._group, self._window.revision + 1
        self._group = []
        for event in group:
            if self._fault is None and not follows(event):
                detail = f"revision {event.revision} of {event.key!r} does not follow from its history"
                self._fault = Corrupt(self._path, detail)
        if self._fault is None and group[0].revision != expected:
            self._fault = Corrupt(self._path, f"revision {expected} is missing")
        self._window.append(group)

    def finish(self) -> tuple[Keys, Window]:
        """Raises: Corrupt when a revision is missing or does not follow from the one before."""
        if self._group:
            self._seal()
        if self._fault is not None:
            raise self._fault
        return Keys(self._live.values()), self._window


def follows(event: Event) -> bool:
    """Whether what `event` says of its key agrees with what it replaced."""
    record, prev = event.record, event.prev
    if record is None:
        return prev is not None
    if prev is None:
        return record.version == 1 and record.create_revision == record.mod_revision
    return record.version == prev.version + 1 and record.create_revision == prev.create_revision
