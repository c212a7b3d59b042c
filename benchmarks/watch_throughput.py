"""How many watch events a second reach their watchers, in process and over sockets, beside etcd when it is installed.

    python -m benchmarks.watch_throughput [--watchers 1,100,1000,10000] [--size 1000] [--rounds 5] [--seconds 1]
                                          [--sides NAMES] [--lone] [--json] [--plot FILE]

* `in process`: watchers whose sink counts; memory store, 16 writers; no socket, no disk. What the bus alone can do.
* `sockets`: every watcher is a TCP connection to this process, which writes each wake-up's events to it in one piece; the
  store is on disk and every put is synced. No HTTP, TLS or JSON: this is the store's share of what an API client would see.
* `http`, `https`: every watcher is a connection to the real API server that watches ConfigMaps; the puts go through its
  registry to a store on disk. What a client sees: validation, encoding, framing, TLS.
* `etcd`: the same watches, multiplexed on four gRPC connections, and the same synced puts; its reader is the same program.

Writers are 16 in a closed loop on both sides; ours wait when a watcher is more than 4,000 events behind. With `--lone` there is
instead an event every 10 ms, so that each is alone on its way: what counts then is the latency. `memory` is what each watcher
adds to the resident memory of the process that serves it (its socket's buffers in the kernel are not in it).
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel

from benchmarks.store_rig import connect, etcd, free_port, grpc_headers, progress, quantile, ratios, scratch, spread
from kubelite.actor.clock import SystemClock
from kubelite.store import etcd_messages_pb2 as pb
from kubelite.store.memory import MemoryStore
from kubelite.store.sqlite import SqliteStore
from kubelite.store.store import Event, Put, Store, StoreError, Subscription, Txn

WRITERS = 16
MARK = b"kubelite-mark-" + os.urandom(4).hex().encode()
MAX_BEHIND = 4000
LONE_PACE_S = 0.01
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


def resident_bytes() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def put_key(store: Store, number: int, value: bytes) -> None:
    await store.txn(Txn(success=(Put(f"/watched/{number}", value),)))


async def write(
    put: Callable[[int, bytes], Awaitable[None]], size: int, seconds: float, behind: Callable[[], int], pace_s: float
) -> int:
    """Puts from 16 writers for `seconds`, or with a pace from one; returns how many."""
    end, puts = time.perf_counter() + seconds, 0

    async def writer(number: int) -> None:
        nonlocal puts
        while time.perf_counter() < end:
            await put(number, stamped(size))
            puts += 1
            await (asyncio.sleep(pace_s) if pace_s else anyio.lowlevel.checkpoint())
            while behind() > MAX_BEHIND and time.perf_counter() < end:
                await asyncio.sleep(0.001)

    async with anyio.create_task_group() as tasks:
        for number in range(1 if pace_s else WRITERS):
            tasks.start_soon(writer, number)
    return puts


async def in_process(watchers: int, size: int, seconds: float, *, pace_s: float) -> Figures:
    async with MemoryStore(SystemClock()) as store:
        sinks = [CountingSink() for _ in range(watchers)]
        watches = [store.watch("/watched/", "/watched0", sink) for sink in sinks]
        cpu, began = time.process_time(), time.perf_counter()
        await write(partial(put_key, store), size, seconds, lambda: 0, pace_s)
        while any(watch.revision < store.revision for watch in watches):
            await anyio.lowlevel.checkpoint()
        spent, took = time.process_time() - cpu, time.perf_counter() - began
        count = sum(sink.count for sink in sinks)
        assert count == watchers * store.revision, "a delivery is missing"
        return {"per_s": count / took, "per_cpu_s": count / spent, "events": store.revision}


async def over_http(watchers: int, size: int, seconds: float, *, tls: bool, pace_s: float) -> Figures:
    from benchmarks.store_api import api_server, put_config_map

    async with api_server(tls=tls) as (server, registry):
        before = resident_bytes()
        async with await _reader("https" if tls else "http", server.port, watchers) as reader:
            await _line(reader)
            held = resident_bytes() - before
            cpu = time.process_time()
            puts = await write(partial(put_config_map, registry), size, seconds, lambda: 0, pace_s)
            return {
                **await _finish(reader, puts, watchers, time.process_time() - cpu),
                "kb_per_watcher": held / watchers / 1e3,
            }


async def over_sockets(watchers: int, size: int, seconds: float, *, pace_s: float) -> Figures:
    with scratch() as directory:
        async with SqliteStore(directory / "store.db", SystemClock()) as store:
            sinks: list[SocketSink] = []
            shared: dict[int, tuple[Sequence[Event], bytes]] = {}
            loop, port = asyncio.get_running_loop(), free_port()
            server = await loop.create_server(lambda: SocketSink(store, shared, sinks), "127.0.0.1", port, backlog=4096)
            before = resident_bytes()
            async with server, await _reader("ours", port, watchers) as reader:
                await _line(reader)
                while len(sinks) < watchers:
                    await asyncio.sleep(0.01)
                cpu = time.process_time()
                held = resident_bytes() - before
                puts = await write(partial(put_key, store), size, seconds, _lag(store, sinks), pace_s)
                spent = time.process_time() - cpu
                found = await _finish(reader, puts, watchers, spent)
                return {**found, "kb_per_watcher": held / watchers / 1e3}


def _lag(store: Store, sinks: list[SocketSink]) -> Callable[[], int]:
    """How far the slowest of a few watchers is behind; looking at all of them at each put would be the measurement."""
    sample = sinks[:: max(len(sinks) // 16, 1)]
    return lambda: store.revision - min(sink.watch.revision for sink in sample)


async def through_etcd(watchers: int, size: int, seconds: float, *, pace_s: float) -> Figures:
    with etcd() as port:
        connection = await connect(port)
        async with await _reader("etcd", port, watchers) as reader:
            await _line(reader)
            headers, end, over = grpc_headers("KV/Put"), time.perf_counter() + seconds, asyncio.Event()
            left = writers = 1 if pace_s else WRITERS
            puts, loop = 0, asyncio.get_running_loop()

            def start(number: int) -> None:
                def done(answer: bytes) -> None:
                    nonlocal puts, left
                    assert answer, "etcd refused a put"
                    puts += 1
                    if time.perf_counter() < end:
                        loop.call_later(pace_s, start, number) if pace_s else start(number)
                        return
                    left -= 1
                    if not left:
                        over.set()

                request = pb.PutRequest(key=f"/watched/{number}".encode(), value=stamped(size))
                connection.call(headers, request.SerializeToString(), done)

            for number in range(writers):
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
    print(f"\r{watchers:>6} watchers")
    for name in rounds[0]:
        figures = [found[name] for found in rounds]
        line = f"  {name:<11} {spread([f['per_s'] / 1e3 for f in figures])} k/s"
        if "per_cpu_s" in figures[0]:
            line += f", {spread([f['per_cpu_s'] / 1e6 for f in figures])} M per CPU-s"
        if "p99_ms" in figures[0]:
            line += (
                f", p50 {spread([f['p50_ms'] for f in figures])} ms, p99 {spread([f['p99_ms'] for f in figures])} ms"
            )
            line += f", {min(f['delivered'] for f in figures):.0%} delivered"
        if "kb_per_watcher" in figures[0]:
            line += f", {spread([f['us_cpu'] for f in figures])} us CPU each"
        if "kb_per_watcher" in figures[0] and watchers >= 1000:  # fewer disappear in what the process frees and takes
            line += f", {spread([f['kb_per_watcher'] for f in figures])} kB a watcher"
        print(line)
    if "etcd" in rounds[0] and "sockets" in rounds[0]:  # the two paths that include the same
        ours, theirs = ([found[name] for found in rounds] for name in ("sockets", "etcd"))
        rates = ratios([f["per_s"] for f in ours], [f["per_s"] for f in theirs])
        tails = ratios([f["p99_ms"] for f in ours], [f["p99_ms"] for f in theirs])
        print(f"  sockets to etcd: deliveries {spread(rates)}, p99 {spread(tails)}")


def plot(report: dict[int, list[dict[str, Figures]]], target: Path) -> None:
    from matplotlib import pyplot  # type: ignore[import-not-found,unused-ignore]  # only for --plot

    for name in next(iter(report.values()))[0]:
        heights = [statistics.median(found[name]["per_s"] for found in rounds) for rounds in report.values()]
        pyplot.loglog(list(report), heights, marker="o", label=name)
    pyplot.xlabel("watchers")
    pyplot.ylabel("deliveries/s, median")
    pyplot.legend()
    pyplot.savefig(target)


SIDES: dict[str, Callable[..., Awaitable[Figures]]] = {
    "in process": in_process,
    "sockets": over_sockets,
    "http": partial(over_http, tls=False),
    "https": partial(over_http, tls=True),
    "etcd": through_etcd,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--watchers", default="1,100,1000,10000")
    parser.add_argument("--size", type=int, default=1000, help="bytes per event")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--sides", default=",".join(SIDES), help="default: %(default)s")
    parser.add_argument("--lone", action="store_true", help="an event every 10 ms instead of as many as possible")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw deliveries/s; needs matplotlib")
    arguments = parser.parse_args()
    if arguments.plot and find_spec("matplotlib") is None:
        parser.error("--plot needs matplotlib: pip install matplotlib")
    sides = {name: SIDES[name] for name in arguments.sides.split(",") if name != "etcd" or shutil.which("etcd")}
    pace_s = LONE_PACE_S if arguments.lone else 0.0
    report: dict[int, list[dict[str, Figures]]] = {}
    for watchers in map(int, arguments.watchers.split(",")):
        rounds = report[watchers] = []
        for number in range(arguments.rounds):
            found: dict[str, Figures] = {}
            for name, measure in sides.items():
                progress(f"{watchers} watchers, round {number + 1} of {arguments.rounds}: {name}")
                found[name] = anyio.run(partial(measure, watchers, arguments.size, arguments.seconds, pace_s=pace_s))
            rounds.append(found)
        if not arguments.json:
            show(watchers, rounds)
    if arguments.json:
        print(json.dumps(report))
    if arguments.plot:
        plot(report, arguments.plot)


if __name__ == "__main__":
    main()
