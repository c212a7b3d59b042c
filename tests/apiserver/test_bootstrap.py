"""What a cluster has before anybody asks."""

from __future__ import annotations

from kubelite.api import core_v1 as core, discovery_v1 as discovery, scheduling_v1 as scheduling
from kubelite.apiserver.bootstrap import NAMESPACES, bootstrap
from tests.apiserver.registries import cluster


async def test_standard_objects_exist() -> None:
    async with cluster() as c:
        namespaces = await c.client.list(core.Namespace)
        assert {item.metadata.name for item in namespaces.items} == set(NAMESPACES)
        assert all(
            item.metadata.labels["kubernetes.io/metadata.name"] == item.metadata.name for item in namespaces.items
        )
        classes = await c.client.list(scheduling.PriorityClass)
        assert [item.value for item in classes.items] == [2_000_000_000, 2_000_001_000]
        endpoints = await c.client.get(discovery.EndpointSlice, "kubernetes", "default")
        assert endpoints.endpoints[0].addresses == ("192.0.2.1",)
        assert endpoints.ports[0].port == 6443


async def test_second_start_writes_only_a_new_address() -> None:
    async with cluster() as c:
        before = c.store.revision
        await bootstrap(c.registry, service_cidr="10.96.0.0/24", address="192.0.2.1", port=6443)
        assert c.store.revision == before
        await bootstrap(c.registry, service_cidr="10.96.0.0/24", address="192.0.2.2", port=6443)
        assert c.store.revision == before + 2
        endpoints = await c.client.get(core.Endpoints, "kubernetes", "default")
        assert endpoints.subsets[0].addresses[0].ip == "192.0.2.2"
