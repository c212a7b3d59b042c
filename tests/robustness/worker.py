"""A process that loads a store until it is killed, and reports each acknowledged write and each revision watched.

    python -m tests.robustness.worker PATH WRITERS

Lines on standard output: `writer PID`, then `a REVISION KEY VALUE` for an acknowledged write, `w REVISION` for a watched one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import anyio

from kubelite.actor.clock import SystemClock
from kubelite.store.local import Retention
from kubelite.store.sqlite import SqliteStore
from kubelite.store.store import Compare, Delete, Event, Put, StoreError, Txn


def say(line: str) -> None:
    os.write(1, line.encode())


class Watcher:
    def deliver(self, events: Sequence[Event], revision: int) -> None:
        say(f"w {revision}\n")

    def lost(self, error: StoreError) -> None:
        """The store is closed."""


async def write(store: SqliteStore, number: int) -> None:
    key = f"/load/{number}"
    records = (await store.range(key)).records
    revision = records[0].mod_revision if records else 0
    for step in range(10**9):
        unchanged = (Compare(key, "mod_revision", "=", revision),)
        if revision and step % 7 == 6:
            result = await store.txn(Txn(unchanged, (Delete(key),)))
            say(f"a {result.revision} {key} -\n")
            revision = 0
        else:
            value = f"{number}.{store.revision}.{step}." + "x" * 200
            result = await store.txn(Txn(unchanged, (Put(key, value.encode()),)))
            assert result.succeeded
            say(f"a {result.revision} {key} {value}\n")
            revision = result.revision


async def main(path: Path, writers: int) -> None:
    retention = Retention(max_events=2000)
    async with SqliteStore(path, SystemClock(), retention=retention) as store, anyio.create_task_group() as tasks:
        store.watch("/load/", "/load0", Watcher())
        assert store._process is not None
        say(f"writer {store._process.pid}\n")
        for number in range(writers):
            tasks.start_soon(write, store, number)


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), int(sys.argv[2]))
