"""What happened within the retained history, for people who ask later: of a running daemon, of the file that it left, of etcd.

A source answers "events" of a key, or of "@REVISION", as JSON lines (`control.encode_event`). A file and an etcd are read once,
a running daemon is asked each time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from msgspec.structs import replace

from kubelite.store.cli import FILE, SOCKET, CommandClock
from kubelite.store.control import Request, ask, encode_event
from kubelite.store.sqlite import SqliteStore
from kubelite.store.sqlite_process import Locked
from kubelite.store.store import Compacted, Event, Store, StoreError

REVISIONS = 100_000  #: so far back is an etcd read
READ_TIMEOUT_S = 60.0

Source = Callable[[str], AsyncIterator[str]]


def source_of(events: Iterable[Event]) -> Source:
    """Answers from `events`, which are in the order of their revisions."""
    found: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        found[event.key].append(event)
        found[f"@{event.revision}"].append(event)

    async def answer(of: str) -> AsyncIterator[str]:
        for event in found.get(of, ()):
            yield encode_event(event)

    return answer


@asynccontextmanager
async def opened_history(directory: Path, store: str) -> AsyncIterator[Source]:
    """The history of the store that `store` names (`sqlite`, or etcd://…). Raises: StoreError, OSError, ValueError."""
    if store.startswith("etcd://"):
        from kubelite.store.etcd import EtcdStore
        from kubelite.store.etcd_client import EtcdConfig

        async with EtcdStore(EtcdConfig.parse(store), CommandClock()) as etcd:
            yield source_of(await retained(etcd))
        return
    path = directory / FILE
    if not await anyio.Path(path).exists():
        raise StoreError(f"there is no store at {path}")
    try:
        async with SqliteStore(path, CommandClock()) as local:
            yield source_of(local.contents()[1])
    except Locked:
        yield lambda of: ask(directory / SOCKET, Request(command="events", argument=of))


class _Collected:
    """A sink that takes events until a revision is reached."""

    def __init__(self, until: int) -> None:
        self.events: list[Event] = []
        self.done = anyio.Event()
        self.error: StoreError | None = None
        self._until = until

    def deliver(self, events: Sequence[Event], revision: int) -> None:
        self.events.extend(events)
        if revision >= self._until:
            self.done.set()

    def lost(self, error: StoreError) -> None:
        self.error = error
        self.done.set()


async def retained(store: Store) -> list[Event]:
    """What etcd still knows, with the causes that were written beside. Raises: StoreError."""
    await store.range("\0")
    until = store.revision
    start = max(1, until - REVISIONS, store.compact_revision + 1)
    while start <= until:
        collected = _Collected(until)
        watch = store.watch("", "\0", collected, start_revision=start)
        try:
            with anyio.fail_after(READ_TIMEOUT_S):
                await collected.done.wait()
        except TimeoutError as error:
            raise StoreError("etcd did not tell its history in time") from error
        finally:
            watch.close()
        if isinstance(collected.error, Compacted):
            start = collected.error.compact_revision + 1
        elif collected.error is not None:
            raise collected.error
        else:
            return _with_causes(collected.events)
    return []


def _with_causes(events: Sequence[Event]) -> list[Event]:
    from kubelite.store.etcd import CAUSE

    causes = {event.revision: event.record.value for event in events if event.key == CAUSE and event.record is not None}
    return [
        replace(event, cause=causes.get(event.revision, b"").decode(errors="replace"))
        for event in events
        if event.key != CAUSE
    ]
