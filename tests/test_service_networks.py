"""Networks of Services in a running cluster: one more when the first is full, and none that goes while it is used."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest
from msgspec.structs import replace

from kubelite import Cluster
from kubelite.actor.clock import SystemClock
from kubelite.api.core_v1 import Event, Service, ServicePort, ServiceSpec
from kubelite.api.errors import InternalError, Invalid
from kubelite.api.meta import ObjectMeta
from kubelite.api.networking_v1 import IPAddress, ServiceCIDR, ServiceCIDRSpec
from kubelite.apiserver.allocator import IP_ADDRESSES, NODE_PORTS
from kubelite.config import Config
from kubelite.store.sqlite import SqliteStore
from kubelite.store.store import Delete, Txn


def service(name: str) -> Service:
    return Service(metadata=ObjectMeta(name=name, namespace="default"), spec=ServiceSpec(ports=(ServicePort(port=80),)))


def is_in(cidr: ServiceCIDR, status: str) -> bool:
    return [(each.type, each.status) for each in cidr.status.conditions] == [("Ready", status)]


async def told(cluster: Cluster) -> None:
    """Waits for the Event."""
    async with cluster.client.watch(Event, "default", resource_version="0") as batches:
        async for batch in batches:
            if any(change.object.reason == "ClusterIPNotAllocated" for change in batch):
                return


async def test_a_second_network_serves_until_it_is_deleted_and_stays_while_it_is_used() -> None:
    async with Cluster(service_cidr="10.96.0.0/28") as cluster:
        await cluster.wait_for(ServiceCIDR, "kubernetes", lambda cidr: is_in(cidr, "True"))
        for number in range(13):
            await cluster.client.create(service(f"s-{number}"))
        with pytest.raises(InternalError, match="range is full"):
            await cluster.client.create(service("more"))
        spec = ServiceCIDRSpec(cidrs=("10.97.0.0/28",))
        await cluster.client.create(ServiceCIDR(metadata=ObjectMeta(name="second"), spec=spec))
        made = await cluster.client.create(service("more"))
        assert made.spec.cluster_ip.startswith("10.97.0.")
        await cluster.wait_for(ServiceCIDR, "second", lambda cidr: is_in(cidr, "True"))
        await cluster.wait_for(IPAddress, made.spec.cluster_ip)
        await cluster.client.delete(ServiceCIDR, "second")
        await cluster.wait_for(ServiceCIDR, "second", lambda cidr: is_in(cidr, "False"))
        with pytest.raises(InternalError, match="range is full"):
            await cluster.client.create(service("last"))


async def test_a_deleted_address_comes_back_with_a_warning() -> None:
    async with Cluster() as cluster:
        made = await cluster.client.create(service("web"))
        first = await cluster.wait_for(IPAddress, made.spec.cluster_ip)
        await cluster.client.delete(IPAddress, made.spec.cluster_ip)
        await cluster.wait_for(IPAddress, made.spec.cluster_ip, lambda obj: obj.metadata.uid != first.metadata.uid)
        with anyio.fail_after(30):
            await told(cluster)


async def test_a_data_directory_without_taken_addresses_and_ports_gets_them_when_it_is_opened(tmp_path: Path) -> None:
    config = Config(runtime="simulated", data_dir=str(tmp_path / "data"), bind_address="127.0.0.1", secure_port=0)
    async with Cluster(config) as cluster:
        spec = ServiceSpec(type="NodePort", ports=(ServicePort(port=80, node_port=30777),))
        made = await cluster.client.create(replace(service("web"), spec=spec))
    async with SqliteStore(tmp_path / "data" / "store.db", SystemClock()) as store:
        keys = (IP_ADDRESSES.key(made.spec.cluster_ip), f"{NODE_PORTS}30777")
        assert len((await store.txn(Txn(success=tuple(Delete(key) for key in keys)))).results) == 2
    async with Cluster(config, components="apiserver") as cluster:
        assert (await cluster.client.get(IPAddress, made.spec.cluster_ip)).spec.parent_ref is not None
        with pytest.raises(Invalid, match="provided port is already allocated"):
            await cluster.client.create(replace(service("other"), spec=spec))
