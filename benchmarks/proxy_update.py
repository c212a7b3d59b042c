"""Claim: one changed Service is in the kernel within 2 ms, also with 5,000 Services, and 5,000 are loaded within 0.5 s.

Run as root: `python -m benchmarks.proxy_update`; it works in a network namespace of its own. An update is what the proxier
does: an EndpointSlice in, rules computed, the difference encoded and applied.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Awaitable, Callable

import anyio
from msgspec.structs import replace

from benchmarks.figures import Figure, arguments, show
from kubelite.api.core_v1 import Service, ServicePort, ServiceSpec
from kubelite.api.discovery_v1 import Endpoint, EndpointPort, EndpointSlice
from kubelite.api.meta import ObjectMeta
from kubelite.proxy.dns import Responder
from kubelite.proxy.nftables import Nftables
from kubelite.proxy.table import TableConfig, encode_full, encode_update
from kubelite.proxy.tracker import Tracker

CLONE_NEWNET = 0x40000000
FULL_LIMIT_MS = 500.0
UPDATE_LIMIT_MS = 2.0
TABLE = TableConfig(name="kubelite_bench", pod_cidr="10.244.0.0/16", service_cidr="10.96.0.0/12", links="klbench*")


def cluster(number: int) -> tuple[Service, EndpointSlice]:
    """Service `number` with two endpoints."""
    ip = f"10.96.{number >> 8}.{number & 255}"
    service = Service(
        metadata=ObjectMeta(name=f"s{number}", namespace="default"),
        spec=ServiceSpec(cluster_ip=ip, cluster_ips=(ip,), ports=(ServicePort(name="http", port=80),)),
    )
    slice_ = EndpointSlice(
        metadata=ObjectMeta(
            name=f"s{number}-1", namespace="default", labels={"kubernetes.io/service-name": f"s{number}"}
        ),
        address_type="IPv4",
        ports=(EndpointPort(name="http", port=8080),),
        endpoints=tuple(Endpoint(addresses=(f"10.244.{number >> 8}.{host}",)) for host in (1, 2)),
    )
    return service, slice_


async def timed(action: Callable[[], Awaitable[None]]) -> float:
    start = time.perf_counter()
    await action()
    return (time.perf_counter() - start) * 1000


async def measure(services: int, updates: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    nftables = Nftables()
    tracker = Tracker(Responder("cluster.local"), node_name="node", domain="cluster.local")
    slices = []
    for number in range(services):
        service, slice_ = cluster(number)
        tracker.see_service(None, service)
        tracker.see_slice(None, slice_)
        slices.append(slice_)

    async def full() -> None:
        tracker.recompute()
        tracker.rules.take_changes()
        await nftables.apply(encode_full(tracker.rules.elements(), TABLE))

    async def update(number: int, added: bool) -> None:
        old = slices[number]
        more = Endpoint(addresses=(f"10.244.{number >> 8}.3",))
        slices[number] = replace(old, endpoints=(*old.endpoints, more) if added else old.endpoints[:-1])
        tracker.see_slice(old, slices[number])
        tracker.recompute()
        await nftables.apply(encode_update(*tracker.rules.take_changes(), TABLE))

    load_ms = [await timed(full) for _ in range(3)]
    update_ms = [
        await timed(lambda turn=turn: update(turn // 2 % services, turn % 2 == 0))  # type: ignore[misc]
        for turn in range(updates)
    ]
    nftables.close()
    return tuple(load_ms), tuple(update_ms)


def main() -> None:
    parser = arguments(__doc__ or "", rounds=200)
    parser.add_argument("--services", type=int, default=5000)
    args = parser.parse_args()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET):
        raise SystemExit(f"cannot make a network namespace: {os.strerror(ctypes.get_errno())}")
    figures = []
    for services in sorted({10, args.services}):
        load_ms, update_ms = anyio.run(measure, services, args.rounds)
        figures += [
            Figure(f"{services} services, full load", "ms", load_ms, FULL_LIMIT_MS),
            Figure(f"{services} services, one update", "ms", update_ms, UPDATE_LIMIT_MS),
        ]
    show(figures, as_json=args.json)


if __name__ == "__main__":
    main()
