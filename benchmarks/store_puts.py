"""Durable writes: kubelite's sqlite store in process and behind a socket, and etcd 3 over its gRPC API, in alternating rounds.

    python -m benchmarks.store_puts [--rounds 5] [--seconds 1] [--clients 1,64,1000] [--json]

Each client has one write under way.
* `in process`: compare-and-swap transactions, which pay no network. The ratio is what embedding buys.
* `sockets`: plain puts to a store in a process of its own, over one loopback connection and a minimal protocol.
* `etcd`: plain puts from the same client program, over one loopback connection, gRPC as etcd speaks it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import time
from collections.abc import Callable
from functools import partial

import anyio

from benchmarks.store_rig import connect, etcd, grpc_headers, progress, quantile, ratios, scratch, spread
from benchmarks.store_service import ServiceConnection, put_message, service
from kubelite.actor.clock import SystemClock
from kubelite.store import etcd_messages_pb2 as pb
from kubelite.store.sqlite import SqliteStore
from kubelite.store.store import Compare, Put, Txn

VALUE = os.urandom(1000)
WARM_S = 0.3


class Meter:
    """Counts what ends within the measured time."""

    def __init__(self, seconds: float) -> None:
        self.begin = time.perf_counter() + WARM_S
        self.end = self.begin + seconds
        self.latencies: list[float] = []
        self._seconds = seconds

    def took(self, since: float) -> bool:
        """Notes a write; whether to go on."""
        now = time.perf_counter()
        if self.begin <= now < self.end:
            self.latencies.append(now - since)
        return now < self.end

    def result(self) -> dict[str, float]:
        return {
            "per_s": len(self.latencies) / self._seconds,
            "p50_ms": quantile(self.latencies, 0.5) * 1e3,
            "p99_ms": quantile(self.latencies, 0.99) * 1e3,
        }


async def measure_ours(clients: int, seconds: float) -> dict[str, float]:
    with scratch() as directory:
        async with SqliteStore(directory / "store.db", SystemClock()) as store:
            meter = Meter(seconds)

            async def client(number: int) -> None:
                key, revision = f"/registry/pods/default/{number}", 0
                while True:
                    since = time.perf_counter()
                    swap = Txn((Compare(key, "mod_revision", "=", revision),), (Put(key, VALUE),))
                    result = await store.txn(swap)
                    assert result.succeeded
                    revision = result.revision
                    if not meter.took(since):
                        return

            async with anyio.create_task_group() as tasks:
                for number in range(clients):
                    tasks.start_soon(client, number)
            return meter.result()


async def measure_sockets(clients: int, seconds: float) -> dict[str, float]:
    with scratch() as directory:
        async with service(directory) as port:
            loop = asyncio.get_running_loop()
            _, connection = await loop.create_connection(ServiceConnection, "127.0.0.1", port)
            return await closed_loop(connection.call, put_message, clients, seconds)


async def measure_etcd(clients: int, seconds: float) -> dict[str, float]:
    with etcd() as port:
        connection, headers = await connect(port), grpc_headers("KV/Put")

        def message(key: str, value: bytes) -> bytes:
            return pb.PutRequest(key=key.encode(), value=value).SerializeToString()

        return await closed_loop(partial(connection.call, headers), message, clients, seconds)


async def closed_loop(
    call: Callable[[bytes, Callable[[bytes], None]], None],
    message_of: Callable[[str, bytes], bytes],
    clients: int,
    seconds: float,
) -> dict[str, float]:
    """Each client puts its key again as soon as it has the answer."""
    meter, left, over = Meter(seconds), clients, asyncio.Event()

    def start(message: bytes) -> None:
        since = time.perf_counter()

        def done(answer: bytes) -> None:
            nonlocal left
            assert answer, "a put was refused"
            if meter.took(since):
                start(message)
                return
            left -= 1
            if not left:
                over.set()

        call(message, done)

    for number in range(clients):
        start(message_of(f"/registry/pods/default/{number}", VALUE))
    await over.wait()
    return meter.result()


SIDES = {"in process": measure_ours, "sockets": measure_sockets, "etcd": measure_etcd}


def show(clients: int, rounds: list[dict[str, dict[str, float]]]) -> None:
    print(f"\r{clients:>6} clients")
    for name in rounds[0]:
        sides = [found[name] for found in rounds]
        line = (
            f"  {name:<11} {spread([side['per_s'] for side in sides])}/s, p99 {spread([s['p99_ms'] for s in sides])} ms"
        )
        if name != "etcd" and "etcd" in rounds[0]:
            theirs = [found["etcd"] for found in rounds]
            rates = ratios([side["per_s"] for side in sides], [side["per_s"] for side in theirs])
            tails = ratios([side["p99_ms"] for side in sides], [side["p99_ms"] for side in theirs])
            line += f"; to etcd {spread(rates)}, p99 {spread(tails)}"
        print(line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--clients", default="1,64,1000")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    sides = {name: measure for name, measure in SIDES.items() if name != "etcd" or shutil.which("etcd")}
    report = []
    for clients in map(int, arguments.clients.split(",")):
        rounds = []
        for number in range(arguments.rounds):
            found = {}
            for name, measure in sides.items():
                progress(f"{clients} clients, round {number + 1} of {arguments.rounds}: {name}")
                found[name] = asyncio.run(measure(clients, arguments.seconds))
            rounds.append(found)
        report.append({"clients": clients, "rounds": rounds})
        if not arguments.json:
            show(clients, rounds)
    if arguments.json:
        print(json.dumps(report))


if __name__ == "__main__":
    main()
