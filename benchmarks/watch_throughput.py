"""How many watch events a second reach their watchers, in process and over sockets, beside etcd when it is installed.

    python -m benchmarks.watch_throughput [--watchers 1,100,1000,10000] [--size 1000] [--rounds 5] [--seconds 1]
                                          [--json] [--plot FILE]

* `in process`: watchers whose sink counts; memory store, 16 writers; no socket, no disk. What the bus alone can do.
* `sockets`: every watcher is a TCP connection to this process, which writes each wake-up's events to it in one piece; the
  store is on disk and every put is synced. No HTTP, TLS or JSON: this is the store's share of what an API client would see.
* `etcd`: the same watches, multiplexed on four gRPC connections, and the same synced puts; its reader is the same program.

Writers are 16 in a closed loop on both sides; ours wait when a watcher is more than 4,000 events behind.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel

from benchmarks.store_rig import connect, etcd, free_port, grpc_headers, progress, quantile, scratch, spread
from kubelite.actor.clock import SystemClock
from kubelite.store import etcd_messages_pb2 as pb
from kubelite.store.memory import MemoryStore
from kubelite.store.sqlite import SqliteStore
from kubelite.store.store import Event, Put, Store, StoreError, Subscription, Txn

WRITERS = 16
MARK = b"kubelite-mark-" + os.urandom(4).hex().encode()
MAX_BEHIND = 4000
HIGH_WATER_BYTES = 256 << 10

Figures = dict[str, float]


class CountingSink:
    def __init__(self) -> None:
        self.count = 0

    def deliver(self, events: Sequence[Event], revision: int) -> None:
        self.count += len(events)

    def lost(self, error: StoreError) -> None:
        """The measurement is over."""


class SocketSink(asyncio.Protocol):
    """Writes events to its connection; the bytes of a delivery are joined once for all who get it."""

    def __init__(
        self, store: Store, shared: dict[int, tuple[Sequence[Event], bytes]], all_sinks: list[SocketSink]
    ) -> None:
        self._store, self._shared, self._all = store, shared, all_sinks
        self._transport: asyncio.WriteTransport
        self.watch: Subscription

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=HIGH_WATER_BYTES)
        self.watch = self._store.watch("/watched/", "/watched0", self)
        self._all.append(self)

    def deliver(self, events: Sequence[Event], revision: int) -> None:
        held = self._shared.get(revision)
        if held is None or held[0] is not events:
            if len(self._shared) > 64:
                self._shared.clear()
            held = self._shared[revision] = events, b"".join([event.record.value for event in events if event.record])
        self._transport.write(held[1])

    def lost(self, error: StoreError) -> None:
        self._transport.close()

    def pause_writing(self) -> None:
        self.watch.pause()

    def resume_writing(self) -> None:
        self.watch.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        self.watch.close()


def stamped(size: int) -> bytes:
    """A value that begins with the mark and the time."""
    head = MARK + b"%016x" % time.monotonic_ns()
    return head + b"x" * max(size - len(head), 0)


async def write(store: Store, size: int, seconds: float, behind: Callable[[], int]) -> int:
    """Puts from 16 writers for `seconds`; returns how many."""
    end, puts = time.perf_counter() + seconds, 0

    async def writer(number: int) -> None:
        nonlocal puts
        while time.perf_counter() < end:
            await store.txn(Txn(success=(Put(f"/watched/{number}", stamped(size)),)))
            puts += 1
            await anyio.lowlevel.checkpoint()
            while behind() > MAX_BEHIND and time.perf_counter() < end:
                await asyncio.sleep(0.001)

    async with anyio.create_task_group() as tasks:
        for number in range(WRITERS):
            tasks.start_soon(writer, number)
    return puts


async def in_process(watchers: int, size: int, seconds: float) -> Figures:
    async with MemoryStore(SystemClock()) as store:
        sinks = [CountingSink() for _ in range(watchers)]
        watches = [store.watch("/watched/", "/watched0", sink) for sink in sinks]
        cpu, began = time.process_time(), time.perf_counter()
        await write(store, size, seconds, lambda: 0)
        while any(watch.revision < store.revision for watch in watches):
            await anyio.lowlevel.checkpoint()
        spent, took = time.process_time() - cpu, time.perf_counter() - began
        count = sum(sink.count for sink in sinks)
        assert count == watchers * store.revision, "a delivery is missing"
        return {"per_s": count / took, "per_cpu_s": count / spent, "events": store.revision}


async def over_sockets(watchers: int, size: int, seconds: float) -> Figures:
    with scratch() as directory:
        async with SqliteStore(directory / "store.db", SystemClock()) as store:
            sinks: list[SocketSink] = []
            shared: dict[int, tuple[Sequence[Event], bytes]] = {}
            loop, port = asyncio.get_running_loop(), free_port()
            server = await loop.create_server(lambda: SocketSink(store, shared, sinks), "127.0.0.1", port, backlog=4096)
            async with server, await _reader("ours", port, watchers) as reader:
                await _line(reader)
                while len(sinks) < watchers:
                    await asyncio.sleep(0.01)
                cpu = time.process_time()
                puts = await write(store, size, seconds, _lag(store, sinks))
                spent = time.process_time() - cpu
                return await _finish(reader, puts, watchers, spent)


def _lag(store: Store, sinks: list[SocketSink]) -> Callable[[], int]:
    """How far the slowest of a few watchers is behind; looking at all of them at each put would be the measurement."""
    sample = sinks[:: max(len(sinks) // 16, 1)]
    return lambda: store.revision - min(sink.watch.revision for sink in sample)


async def through_etcd(watchers: int, size: int, seconds: float) -> Figures:
    with etcd() as port:
        connection = await connect(port)
        async with await _reader("etcd", port, watchers) as reader:
            await _line(reader)
            headers, end, over = grpc_headers("KV/Put"), time.perf_counter() + seconds, asyncio.Event()
            puts, left = 0, WRITERS

            def start(number: int) -> None:
                def done(answer: bytes) -> None:
                    nonlocal puts, left
                    assert answer, "etcd refused a put"
                    puts += 1
                    if time.perf_counter() < end:
                        start(number)
                        return
                    left -= 1
                    if not left:
                        over.set()

                request = pb.PutRequest(key=f"/watched/{number}".encode(), value=stamped(size))
                connection.call(headers, request.SerializeToString(), done)

            for number in range(WRITERS):
                start(number)
            await over.wait()
            return await _finish(reader, puts, watchers, float("nan"))


async def _reader(side: str, port: int, watchers: int) -> anyio.abc.Process:
    command = [sys.executable, "-m", "benchmarks.store_watchers", side, str(port), str(watchers), MARK.decode()]
    return await anyio.open_process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None)


async def _line(reader: anyio.abc.Process) -> bytes:
    assert reader.stdout is not None
    text = b""
    while not text.endswith(b"\n"):
        text += await reader.stdout.receive()
    return text


async def _finish(reader: anyio.abc.Process, puts: int, watchers: int, cpu: float) -> Figures:
    assert reader.stdin is not None
    await reader.stdin.aclose()
    seen: dict[str, Any] = json.loads(await _line(reader))
    return {
        "per_s": seen["events"] / seen["seconds"],
        "p50_ms": quantile(seen["latencies"], 0.5) * 1e3,
        "p99_ms": quantile(seen["latencies"], 0.99) * 1e3,
        "delivered": seen["events"] / (puts * watchers),
        "us_cpu": cpu / seen["events"] * 1e6,
        "puts": puts,
    }


def show(watchers: int, rounds: list[dict[str, Figures]]) -> None:
    bus = [found["in process"] for found in rounds]
    ours = [found["sockets"] for found in rounds]
    print(f"\r{watchers:>6} watchers")
    each = spread([figures["per_cpu_s"] / 1e6 for figures in bus])
    print(f"  in process  {spread([figures['per_s'] / 1e6 for figures in bus])} M/s, {each} M per CPU-s")
    sides = [("sockets", ours)] + ([("etcd", [f["etcd"] for f in rounds])] if "etcd" in rounds[0] else [])
    for name, figures in sides:
        latency = f"p50 {spread([f['p50_ms'] for f in figures])} ms, p99 {spread([f['p99_ms'] for f in figures])} ms"
        delivered = min(f["delivered"] for f in figures)
        print(f"  {name:<11} {spread([f['per_s'] / 1e3 for f in figures])} k/s, {latency}, {delivered:.0%} delivered")
    if len(sides) == 2:
        ratios = [f["sockets"]["per_s"] / f["etcd"]["per_s"] for f in rounds]
        tails = [f["sockets"]["p99_ms"] / f["etcd"]["p99_ms"] for f in rounds]
        print(f"  to etcd     deliveries {spread(ratios)}, p99 {spread(tails)}")


def plot(report: dict[int, list[dict[str, Figures]]], target: Path) -> None:
    from matplotlib import pyplot  # type: ignore[import-not-found,unused-ignore]  # only for --plot

    for name in next(iter(report.values()))[0]:
        heights = [max(found[name]["per_s"] for found in rounds) for rounds in report.values()]
        pyplot.loglog(list(report), heights, marker="o", label=name)
    pyplot.xlabel("watchers")
    pyplot.ylabel("deliveries/s, best round")
    pyplot.legend()
    pyplot.savefig(target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--watchers", default="1,100,1000,10000")
    parser.add_argument("--size", type=int, default=1000, help="bytes per event")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    sides = {"in process": in_process, "sockets": over_sockets}
    if shutil.which("etcd"):
        sides["etcd"] = through_etcd
    report: dict[int, list[dict[str, Figures]]] = {}
    for watchers in map(int, arguments.watchers.split(",")):
        rounds = report[watchers] = []
        for number in range(arguments.rounds):
            found: dict[str, Figures] = {}
            for name, measure in sides.items():
                progress(f"{watchers} watchers, round {number + 1} of {arguments.rounds}: {name}")
                found[name] = asyncio.run(measure(watchers, arguments.size, arguments.seconds))
            rounds.append(found)
        if not arguments.json:
            show(watchers, rounds)
    if arguments.json:
        print(json.dumps(report))
    if arguments.plot:
        plot(report, arguments.plot)


if __name__ == "__main__":
    main()
