"""Concurrent clients that record what they did, for the history checker."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import anyio

from kubelite.store.store import Compare, Put, Store, Txn, Unavailable
from tests.robustness.history import History, Read, Write
from tests.store.sinks import Recorder

PREFIX = "/history/"


async def record(store: Store, *, clients: int, steps: int, keys: int, pause: Callable[[int], bool]) -> History:
    """Lets `clients` swap and read `keys` keys `steps` times each; one of three watches is paused while `pause(step)`."""
    ticks = count(1)
    history = History(store.revision + 1, 0)
    sinks = [Recorder() for _ in range(3)]
    watches = [store.watch(PREFIX, "/history0", sink, start_revision=history.first) for sink in sinks]

    async def client(number: int) -> None:
        for step in range(steps):
            key = f"{PREFIX}{(number + step) % keys}"
            began = next(ticks)
            try:
                records = (await store.range(key)).records
            except Unavailable:
                continue
            seen = records[0] if records else None
            expected = seen.mod_revision if seen else 0
            history.reads.append(Read(key, seen.value if seen else b"", expected, began, next(ticks)))
            if number == 0:
                (watches[2].pause if pause(step) else watches[2].resume)()
            value = b"%d.%d" % (number, step)
            began = next(ticks)
            try:
                swap = await store.txn(Txn((Compare(key, "mod_revision", "=", expected),), (Put(key, value),)))
                if swap.succeeded:
                    history.writes.append(Write(key, value, expected, swap.revision, began, next(ticks)))
            except Unavailable:
                history.writes.append(Write(key, value, expected, None, began, next(ticks)))
                await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as tasks:
        for number in range(clients):
            tasks.start_soon(client, number)
    watches[2].resume()
    while True:
        try:
            history.last = (await store.txn(Txn(success=(Put(PREFIX + "end", b"end"),)))).revision
            break
        except Unavailable:
            await anyio.lowlevel.checkpoint()
    history.writes.append(Write(PREFIX + "end", b"end", 0, history.last, next(ticks), next(ticks)))
    for sink in sinks:
        await sink.until(history.last)
        history.watches.append([(e.revision, e.key, e.record.value) for e in sink.events if e.record is not None])
    return history
