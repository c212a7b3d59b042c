"""Claim: cluster DNS answers at least 100,000 questions a second in process, and one over UDP within 0.2 ms.

Run: `python -m benchmarks.dns_answers`. The UDP part asks one question after the other over loopback, from a
thread of the same process.
"""

from __future__ import annotations

import socket
import struct
import time

import anyio
import anyio.to_thread

from benchmarks.figures import Figure, arguments, show
from kubelite.actor.clock import SystemClock
from kubelite.api.core_v1 import Service, ServicePort, ServiceSpec
from kubelite.api.meta import ObjectMeta
from kubelite.proxy.dns import Responder
from kubelite.proxy.dns_server import DnsServer
from kubelite.proxy.forward import Forwarder
from kubelite.proxy.zone import AAAA, A, compute_service_records, encode_name

DOMAIN = "cluster.local"
SERVICES = 1000
LEAST_ANSWERS_PER_S = 100_000.0
UDP_LIMIT_US = 200.0


def zone() -> Responder:
    responder = Responder(DOMAIN)
    for number in range(SERVICES):
        ip = f"10.96.{number >> 8}.{number & 255}"
        service = Service(
            metadata=ObjectMeta(name=f"s{number}", namespace="default"),
            spec=ServiceSpec(cluster_ip=ip, cluster_ips=(ip,), ports=(ServicePort(name="http", port=80),)),
        )
        responder.replace(f"default/s{number}", compute_service_records(service, (), DOMAIN))
    return responder


def question(name: str, type_: int = A) -> bytes:
    return b"\x12\x34\1\0\0\1\0\0\0\0\0\0" + encode_name(name) + struct.pack("!HH", type_, 1)


KINDS = {
    "hit": [question(f"s{n}.default.svc.{DOMAIN}") for n in range(SERVICES)],
    "no data": [question(f"s{n}.default.svc.{DOMAIN}", AAAA) for n in range(SERVICES)],
    "no such name": [question(f"example{n}.com.default.svc.{DOMAIN}") for n in range(SERVICES)],
}


def answers_per_s(responder: Responder, packets: list[bytes], questions: int) -> float:
    start = time.perf_counter()
    for number in range(questions):
        responder.respond(packets[number % len(packets)], udp=True)
    return questions / (time.perf_counter() - start)


async def latencies_us(responder: Responder, questions: int) -> list[float]:
    server = DnsServer(responder, Forwarder((), SystemClock()), host="127.0.0.1", port=0)

    def ask() -> list[float]:
        found = []
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(2)
            client.connect(server.address)
            for number in range(questions):
                start = time.perf_counter()
                client.send(KINDS["hit"][number % SERVICES])
                client.recv(512)
                found.append((time.perf_counter() - start) * 1e6)
        return found

    async with anyio.create_task_group() as group:
        await group.start(server.run)
        found = await anyio.to_thread.run_sync(ask)
        group.cancel_scope.cancel()
    return found


def main() -> None:
    parser = arguments(__doc__ or "", rounds=5)
    parser.add_argument("--questions", type=int, default=20_000, help="questions per round (default: 20000)")
    args = parser.parse_args()
    responder = zone()
    figures = [
        Figure(
            f"in process, {kind}",
            "1/s",
            tuple(answers_per_s(responder, packets, args.questions) for _ in range(args.rounds)),
            LEAST_ANSWERS_PER_S,
            at_least=True,
        )
        for kind, packets in KINDS.items()
    ]
    udp_us = anyio.run(latencies_us, responder, args.questions)
    figures.append(Figure("one question over UDP", "µs", tuple(udp_us), UDP_LIMIT_US))
    show(figures, as_json=args.json)


if __name__ == "__main__":
    main()
