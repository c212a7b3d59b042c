"""Cluster IPs and node ports."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kubelite.actor.clock import SeededClock
from kubelite.api import core_v1 as core, errors
from kubelite.apiserver.allocator import Full, Pool
from tests.apiserver.registries import cluster, service


def test_pool_gives_every_number_once_and_keeps_the_lower_part_for_last() -> None:
    pool = Pool(10, 8, 3, SeededClock(1))
    drawn = [pool.draw() for _ in range(8)]
    assert sorted(drawn) == list(range(10, 18))
    assert sorted(drawn[-3:]) == [10, 11, 12]
    with pytest.raises(Full):
        pool.draw()
    pool.give_back(14)
    assert pool.draw() == 14


async def test_kubernetes_service_has_the_first_address() -> None:
    async with cluster() as c:
        found = await c.client.get(core.Service, "kubernetes", "default")
        assert found.spec.cluster_ip == "10.96.0.1"
        assert found.spec.cluster_ips == ("10.96.0.1",)


async def test_address_is_given_once_and_again_after_its_service_is_gone() -> None:
    async with cluster() as c:
        await c.client.create(service("a", cluster_ip="10.96.0.77"))
        with pytest.raises(
            errors.Invalid, match=r"failed to allocate IP 10\.96\.0\.77: provided IP is already allocated"
        ):
            await c.client.create(service("b", cluster_ip="10.96.0.77"))
        await c.client.delete(core.Service, "a", "default")
        assert (await c.client.create(service("b", cluster_ip="10.96.0.77"))).spec.cluster_ip == "10.96.0.77"


async def test_address_outside_of_the_range_is_refused() -> None:
    async with cluster() as c:
        with pytest.raises(errors.Invalid, match=r"The range of valid IPs is 10\.96\.0\.0/24"):
            await c.client.create(service(cluster_ip="203.0.113.5"))


async def test_nothing_is_taken_by_a_dry_run_or_a_refused_create() -> None:
    async with cluster() as c:
        wanted = service(
            "a", cluster_ip="10.96.0.77", type="NodePort", ports=(core.ServicePort(port=80, node_port=30001),)
        )
        await c.client.create(wanted, dry_run=True)
        await c.client.create(service("b"))
        with pytest.raises(errors.AlreadyExists):
            await c.client.create(replace(wanted, metadata=replace(wanted.metadata, name="b")))
        assert (await c.client.create(wanted)).spec.ports[0].node_port == 30001


async def test_type_change_takes_and_frees_node_ports() -> None:
    async with cluster() as c:
        made = await c.client.create(service("a", type="NodePort"))
        port = made.spec.ports[0].node_port
        assert 30000 <= port <= 30063
        back = await c.client.patch(core.Service, "a", "default", patch={"spec": {"type": "ClusterIP"}})
        assert back.spec.ports[0].node_port == 0
        other = service("b", type="NodePort", ports=(core.ServicePort(port=80, node_port=port),))
        assert (await c.client.create(other)).spec.ports[0].node_port == port


async def test_update_that_leaves_the_address_out_keeps_it() -> None:
    async with cluster() as c:
        made = await c.client.create(service("a"))
        bare = replace(service("a"), spec=replace(service().spec, selector={"app": "a"}))
        assert (await c.client.update(bare)).spec.cluster_ip == made.spec.cluster_ip


async def test_headless_and_external_services_have_no_address() -> None:
    async with cluster() as c:
        headless = await c.client.create(service("a", cluster_ip="None", selector={"a": "b"}))
        assert headless.spec.cluster_ips == ("None",)
        external = await c.client.create(service("b", type="ExternalName", external_name="example.com", ports=()))
        assert (external.spec.cluster_ip, external.spec.ip_families) == ("", ())


async def test_what_exists_is_taken_after_a_restart() -> None:
    async with cluster() as c:
        from kubelite.apiserver.allocator import ServiceAllocator

        made = await c.client.create(service("a"))
        fresh = ServiceAllocator(c.registry.clock, cidr="10.96.0.0/24")
        again = service("b", cluster_ip=made.spec.cluster_ip)
        with pytest.raises(errors.Invalid, match="provided IP is already allocated"):
            await fresh.reserve(again, None, c.registry)
