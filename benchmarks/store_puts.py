"""Durable writes: kubelite's sqlite store in process, and etcd 3 over its gRPC API, in alternating rounds.

    python -m benchmarks.store_puts [--rounds 5] [--seconds 1] [--clients 1,64,1000] [--json]

Each client has one write under way. Ours are compare-and-swap transactions called in process, so they pay no network; etcd's
are plain puts through one loopback connection. The ratio is what embedding buys, not what the engines differ by.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time

import anyio

from benchmarks.store_rig import connect, etcd, grpc_headers, progress, quantile, scratch, spread
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


async def measure_etcd(clients: int, seconds: float) -> dict[str, float]:
    with etcd() as port:
        connection = await connect(port)
        meter, headers, left = Meter(seconds), grpc_headers("KV/Put"), clients
        over = asyncio.Event()

        def start(message: bytes) -> None:
            since = time.perf_counter()

            def done(answer: bytes) -> None:
                nonlocal left
                assert answer, "etcd refused a put"
                if meter.took(since):
                    start(message)
                    return
                left -= 1
                if not left:
                    over.set()

            connection.call(headers, message, done)

        for number in range(clients):
            key = f"/registry/pods/default/{number}".encode()
            start(pb.PutRequest(key=key, value=VALUE).SerializeToString())
        await over.wait()
        return meter.result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--clients", default="1,64,1000")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    report = []
    for clients in map(int, arguments.clients.split(",")):
        rounds = []
        for number in range(arguments.rounds):
            progress(f"{clients} clients, round {number + 1} of {arguments.rounds}")
            ours = asyncio.run(measure_ours(clients, arguments.seconds))
            rounds.append((ours, asyncio.run(measure_etcd(clients, arguments.seconds))))
        report.append({"clients": clients, "rounds": rounds})
        if not arguments.json:
            ratios = [ours["per_s"] / theirs["per_s"] for ours, theirs in rounds]
            tails = [ours["p99_ms"] / theirs["p99_ms"] for ours, theirs in rounds]
            print(f"\r{clients:>5} clients  ours {spread([ours['per_s'] for ours, _ in rounds])}/s", end="")
            print(f"  etcd {spread([theirs['per_s'] for _, theirs in rounds])}/s", end="")
            print(f"  ratio {spread(ratios)}  p99 ratio {spread(tails)}")
    if arguments.json:
        print(json.dumps(report))


if __name__ == "__main__":
    main()
