"""Watches of the API server as many clients see them: deliveries a second, latency, and what a watcher and an object take.

    python -m benchmarks.api_watch [--watchers 100,1000,5000] [--objects 100000] [--seconds 2] [--rounds 3] [--store memory]

The server is a daemon of its own that runs nothing but the API, over TLS with a service account's token and RBAC; one process
reads all watches, this one writes a ConfigMap that all of them watch. First 16 writers patch it as fast as they are answered:
deliveries, and the server's CPU time for each. Then patches come so far apart that each is alone on its way: latency from the
client's write to the watchers' reads. `memory` is resident memory of the server: what a watcher adds, and what a pod adds.
Needs nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import Self

import anyio

from benchmarks.apiserver_requests import MERGE, PODS, Connection, Server, cpu_s, daemon, pod, spread
from benchmarks.figures import Figure, arguments, progress, show
from benchmarks.store_rig import quantile

MAPS = "/api/v1/namespaces/default/configmaps"
MARK = "kubelite-mark-"
WRITERS = 16
PADDING = "x" * 1000
#: Seconds of pause per watcher between lone events: about twice what writing to all of them takes.
PACE_S = 0.0001


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def stamp() -> bytes:
    """A patch that says when it was made."""
    return json.dumps({"data": {"stamp": f"{MARK}{time.monotonic_ns():016x}", "padding": PADDING}}).encode()


class Readers:
    """The process that reads all watches."""

    def __init__(self, server: Server, token: str, count: int, revision: str) -> None:
        path = f"{MAPS}?watch=1&resourceVersion={revision}"
        words = ["https", str(server.address[1]), str(count), MARK, path, token]
        command = [sys.executable, "-m", "benchmarks.store_watchers", *words]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    @classmethod
    async def open(cls, server: Server, token: str, count: int, connection: Connection) -> Self:
        """Returns when all watches are open, from the present state on."""
        listed = json.loads(await connection.ask("GET", MAPS))
        readers = cls(server, token, count, listed["metadata"]["resourceVersion"])
        await readers.line()
        return readers

    async def line(self) -> str:
        assert self._process.stdout is not None
        return await anyio.to_thread.run_sync(self._process.stdout.readline)

    async def finish(self) -> dict[str, list[float]]:
        """What it has seen, once nothing more comes."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        said: dict[str, list[float]] = json.loads(await self.line())
        self._process.wait()
        return said


async def flood(connections: list[Connection], seconds: float) -> int:
    """Patches from 16 writers for `seconds`; how many."""
    until, count = time.perf_counter() + seconds, 0

    async def write(connection: Connection) -> None:
        nonlocal count
        while time.perf_counter() < until:
            await connection.ask("PATCH", f"{MAPS}/watched", stamp(), MERGE)
            count += 1

    async with anyio.create_task_group() as tasks:
        for connection in connections:
            tasks.start_soon(write, connection)
    return count


async def lone(connection: Connection, seconds: float, watchers: int) -> int:
    until, count = time.perf_counter() + seconds, 0
    while time.perf_counter() < until or count < 3:
        await connection.ask("PATCH", f"{MAPS}/watched", stamp(), MERGE)
        count += 1
        await asyncio.sleep(max(0.02, watchers * PACE_S))
    return count


async def watched(server: Server, token: str, watchers: int, seconds: float) -> dict[str, float]:
    async with server.connections(WRITERS, token) as writing:
        before = resident_bytes(server.pid)
        readers = await Readers.open(server, token, watchers, writing[0])
        grown = resident_bytes(server.pid) - before
        begun = cpu_s(server.pid)
        await flood(writing, seconds)
        seen = await readers.finish()
        spent = cpu_s(server.pid) - begun
        readers = await Readers.open(server, token, watchers, writing[0])
        await lone(writing[0], seconds, watchers)
        latencies = (await readers.finish())["latencies"]
    events = float(str(seen["events"]))
    return {
        "deliveries (1/s)": events / float(str(seen["seconds"])),
        "server CPU each (us)": spent / events * 1e6,
        "latency p50 (ms)": quantile(latencies, 0.5) * 1e3,
        "latency p99 (ms)": quantile(latencies, 0.99) * 1e3,
        "memory (kB)": grown / watchers / 1e3,
    }


async def filled(server: Server, token: str, objects: int) -> float:
    """Bytes of resident memory that a pod takes."""
    async with server.connections(WRITERS, token) as writing:
        before = resident_bytes(server.pid)
        await spread(writing, (("POST", PODS, pod(f"pod-{number}")) for number in range(objects)))
        return (resident_bytes(server.pid) - before) / objects


async def measure(options: Namespace) -> list[Figure]:
    samples: dict[str, list[float]] = {}
    for number in range(options.rounds):
        with daemon(options.store) as server:
            token = await server.token()
            async with server.connections(1, token) as (connection,):
                await connection.ask("POST", MAPS, b'{"metadata":{"name":"watched","labels":{"app":"load"}}}')
            for watchers in map(int, options.watchers.split(",")):
                progress(f"round {number + 1} of {options.rounds}: {watchers} watchers")
                for name, value in (await watched(server, token, watchers, options.seconds)).items():
                    samples.setdefault(f"{watchers} watchers: {name}", []).append(value)
            if options.objects and not number:
                progress(f"{options.objects} objects")
                samples["object: memory (kB)"] = [await filled(server, token, options.objects) / 1e3]
    return [_figure(name, tuple(found)) for name, found in samples.items()]


def _figure(name: str, found: tuple[float, ...]) -> Figure:
    name, _, unit = name.rstrip(")").rpartition(" (")
    return Figure(name, unit, found, 40_000.0 if name == "100 watchers: deliveries" else None, at_least=True)


def main() -> None:
    parser = arguments(__doc__ or "", rounds=3)
    parser.add_argument("--watchers", default="100,1000,5000", help="how many, one after the other")
    parser.add_argument("--objects", type=int, default=100_000, help="pods to fill the server with; 0: none")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--store", default="memory", help="sqlite or memory (default: memory)")
    options = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    show(asyncio.run(measure(options)), as_json=options.json)


if __name__ == "__main__":
    main()
