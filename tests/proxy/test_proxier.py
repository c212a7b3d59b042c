"""The actor with real informers and the real kernel, inside a network namespace."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
import pytest

from kubelite.actor.clock import SystemClock
from kubelite.client.informer import Informers
from kubelite.proxy.dns import Responder
from kubelite.proxy.nftables import Nftables, NftablesError
from kubelite.proxy.proxier import KINDS, Proxier, ProxyConfig, dns_services, remove_table
from kubelite.proxy.rules import compute_elements
from kubelite.proxy.services import Endpoint, ServicePort
from kubelite.proxy.table import TableConfig

from .builders import endpoint, endpoint_slice, service
from .feed import Feed
from .netns import Namespace

TABLE = TableConfig(name="kubelite_test", pod_cidr="10.244.0.0/24", service_cidr="10.96.0.0/16", links="kltest*")
A, B, C = "10.244.0.2", "10.244.0.3", "10.244.0.4"


def inside(namespace: Namespace, test: Callable[[], Awaitable[None]]) -> None:
    namespace.call(lambda: anyio.run(test))


@asynccontextmanager
async def proxying(feed: Feed, responder: Responder | None = None) -> AsyncIterator[Proxier]:
    config = ProxyConfig(
        table=TABLE, node_name="here", domain="cluster.local", static=dns_services("10.96.0.10", ("10.244.0.1", 10053))
    )
    informers = Informers(feed, KINDS, SystemClock(), indexes={})
    proxier = Proxier(informers, responder or Responder("cluster.local"), config)
    async with anyio.create_task_group() as group:
        await group.start(informers.run)
        await group.start(proxier.run)
        yield proxier
        group.cancel_scope.cancel()
    await remove_table(TABLE)


async def targets(namespace: Namespace, vip: str = "10.96.0.7") -> set[str]:
    """Where the kernel sends connections to `vip`."""
    lines = await anyio.to_thread.run_sync(namespace.listing, TABLE.name)
    return {
        match[1] for line in lines if (match := re.match(rf"\w+ \. {re.escape(vip)} \. \d+ \. \w+ : (\S+) \.", line))
    }


async def settled(proxier: Proxier) -> None:
    """Until the kernel has all that the feed told."""
    await anyio.wait_all_tasks_blocked()
    await proxier.remove_endpoint("nobody's")


def test_the_kernel_follows_services_and_their_endpoints(namespace: Namespace) -> None:
    async def test() -> None:
        feed = Feed(service(), endpoint_slice([endpoint(A)]))
        async with proxying(feed) as proxier:
            assert await targets(namespace) == {A}
            assert await targets(namespace, "10.96.0.10") == {"10.244.0.1"}
            feed.tell(endpoint_slice([endpoint(A), endpoint(B)]))
            feed.tell(service("db", cluster_ip="10.96.0.8"), endpoint_slice([endpoint(C)], name="db-1", of="db"))
            await settled(proxier)
            assert await targets(namespace) == {A, B}
            assert await targets(namespace, "10.96.0.8") == {C}
            feed.tell(service(), gone=True)
            await settled(proxier)
            assert await targets(namespace) == set()
            assert await targets(namespace, "10.96.0.8") == {C}

    inside(namespace, test)


def test_a_removed_endpoint_is_out_of_the_kernel_before_the_call_returns(namespace: Namespace) -> None:
    async def test() -> None:
        feed = Feed(service(), endpoint_slice([endpoint(A), endpoint(B)]))
        async with proxying(feed) as proxier:
            await proxier.remove_endpoint(A)
            assert await targets(namespace) == {B}
            await proxier.remove_endpoint(B, dead=True)
            assert await targets(namespace) == {A}
            await proxier.remove_endpoint(A, dead=True)
            assert await targets(namespace) == set()
            proxier.restore_endpoint(B)
            await settled(proxier)
            assert await targets(namespace) == {B}

    inside(namespace, test)


def test_a_service_may_outgrow_the_slots_of_the_table(namespace: Namespace) -> None:
    async def test() -> None:
        feed = Feed(service(), endpoint_slice([endpoint(A)]))
        async with proxying(feed) as proxier:
            many = [f"10.244.0.{n}" for n in range(2, 102)]
            feed.tell(endpoint_slice([endpoint(ip) for ip in many]))
            await settled(proxier)
            assert await targets(namespace) == set(many)
            feed.tell(endpoint_slice([endpoint(ip) for ip in many[:70]]))
            await settled(proxier)
            assert await targets(namespace) == set(many[:70])

    inside(namespace, test)


def test_a_restarted_actor_starts_from_what_is_there(namespace: Namespace) -> None:
    async def test() -> None:
        feed = Feed(service(), endpoint_slice([endpoint(A)]))
        informers = Informers(feed, KINDS, SystemClock(), indexes={})
        config = ProxyConfig(table=TABLE, node_name="here", domain="cluster.local")
        proxier = Proxier(informers, Responder("cluster.local"), config)
        async with anyio.create_task_group() as group:
            await group.start(informers.run)
            async with anyio.create_task_group() as first:
                await first.start(proxier.run)
                first.cancel_scope.cancel()
            feed.tell(endpoint_slice([endpoint(B)]))
            await anyio.wait_all_tasks_blocked()
            await remove_table(TABLE)
            await group.start(proxier.run)
            assert await targets(namespace) == {B}
            group.cancel_scope.cancel()
        await remove_table(TABLE)

    inside(namespace, test)


def test_a_refusal_is_one_line(namespace: Namespace) -> None:
    async def test() -> None:
        nftables = Nftables()
        with pytest.raises(NftablesError, match=r"^nftables: .*$"):
            await nftables.apply("add rule ip nowhere nothing accept\n")
        nftables.close()

    inside(namespace, test)


def test_the_dns_address_is_a_service_of_both_transports() -> None:
    services = dns_services("10.96.0.10", ("10.244.0.1", 10053))
    elements = {key: value for port, to in services for key, value in compute_elements(port, to, "here").items()}
    assert services[0][0] == ServicePort(
        owner="static/kube-dns", name="dns", protocol="udp", port=53, cluster_ips=("10.96.0.10",)
    )
    assert services[0][1] == (Endpoint(ip="10.244.0.1", port=10053),)
    for protocol in ("udp", "tcp"):
        assert elements["endpoints", f"{protocol} . 10.96.0.10 . 53 . 0"] == "10.244.0.1 . 10053"
