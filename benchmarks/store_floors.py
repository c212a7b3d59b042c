"""The store's own floors: a busy event loop, a long compaction, a reload, a fork. Prints min/median/max per figure, or JSON.

python -m benchmarks.store_floors [--rounds 3] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable

import anyio

from benchmarks.store_rig import progress, scratch
from kubelite.actor.clock import SystemClock
from kubelite.store.local import Retention
from kubelite.store.memory import MemoryStore
from kubelite.store.sqlite import SqliteStore
from kubelite.store.store import Put, Store, Txn

VALUE = b"x" * 1000
ALL = Retention(max_events=1_000_000, max_bytes=4 << 30)


async def put(store: Store, key: str) -> None:
    await store.txn(Txn(success=(Put(key, VALUE),)))


async def load(store: Store, writers: int, puts: int, keys: int) -> None:
    async def writer(number: int) -> None:
        for i in range(number, puts, writers):
            await put(store, f"/k/{i % keys}")

    async with anyio.create_task_group() as tasks:
        for number in range(writers):
            tasks.start_soon(writer, number)


async def busy_puts_per_s(slice_us: float) -> float:
    """16 writers while callbacks of `slice_us` keep the loop 100% busy."""
    with scratch() as directory:
        async with SqliteStore(directory / "store.db", SystemClock()) as store:
            end = time.perf_counter() + 1

            async def burn() -> None:
                while time.perf_counter() < end:
                    until = time.perf_counter() + slice_us / 1e6
                    while time.perf_counter() < until:
                        pass
                    await asyncio.sleep(0)

            async def writer(number: int) -> None:
                while time.perf_counter() < end:
                    await put(store, f"/k/{number}")

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(burn)
                for number in range(16):
                    tasks.start_soon(writer, number)
            return float(store.revision)


async def longest_put_while_compacting_ms() -> float:
    """180,000 superseded revisions; a put every 0.5 ms meanwhile."""
    with scratch() as directory:
        async with SqliteStore(directory / "store.db", SystemClock(), retention=ALL) as store:
            await load(store, 1000, 200_000, 20_000)
            await store.compact(store.revision)
            longest, end = 0.0, time.perf_counter() + 4
            while time.perf_counter() < end:
                began = time.perf_counter()
                await put(store, "/k/0")
                longest = max(longest, time.perf_counter() - began)
                await asyncio.sleep(0.0005)
            return longest * 1e3


async def reload_s() -> float:
    """100,000 keys of 1 kB, from starting the writer process until reads are answered."""
    with scratch() as directory:
        async with SqliteStore(directory / "store.db", SystemClock()) as store:
            await load(store, 1000, 100_000, 100_000)
            await store.compact(store.revision)
        began = time.perf_counter()
        async with SqliteStore(directory / "store.db", SystemClock()) as store:
            took = time.perf_counter() - began
            assert len((await store.range("/k/", "/k0")).records) == 100_000
        return took


async def empty_start_ms() -> float:
    with scratch() as directory:
        began = time.perf_counter()
        async with SqliteStore(directory / "store.db", SystemClock()):
            return (time.perf_counter() - began) * 1e3


async def fork_us() -> float:
    """Of a store of 100,000 keys."""
    async with MemoryStore(SystemClock()) as store:
        await load(store, 1, 100_000, 100_000)
        began = time.perf_counter()
        store.fork()
        return (time.perf_counter() - began) * 1e6


FIGURES: dict[str, Callable[[], Awaitable[float]]] = {
    **{f"puts/s, loop busy in {us} µs callbacks": lambda us=us: busy_puts_per_s(us) for us in (20, 50, 100, 200, 1000)},  # type: ignore[misc]
    "longest put while compacting 180,000 revisions, ms": longest_put_while_compacting_ms,
    "reload of 100,000 keys of 1 kB, s": reload_s,
    "start of an empty store, ms": empty_start_ms,
    "fork of 100,000 keys, µs": fork_us,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    report = {}
    for name, measure in FIGURES.items():
        values = []
        for number in range(arguments.rounds):
            progress(f"{name}: {number + 1} of {arguments.rounds}")
            values.append(asyncio.run(_run(measure)))
        report[name] = values
        if not arguments.json:
            print(f"\r{name:<52} {min(values):10.2f} {statistics.median(values):10.2f} {max(values):10.2f}")
    if arguments.json:
        print(json.dumps(report))


async def _run(measure: Callable[[], Awaitable[float]]) -> float:
    return await measure()


if __name__ == "__main__":
    main()
