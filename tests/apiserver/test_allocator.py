"""Cluster IPs and node ports."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kubelite.actor.clock import Clock
from kubelite.api import core_v1 as core, errors, networking_v1 as networking
from kubelite.api.meta import Condition, ObjectMeta
from kubelite.apiserver.admission import Finder
from kubelite.apiserver.allocator import NODE_PORTS, Holding, ServiceAllocator
from kubelite.apiserver.local import LocalClient
from kubelite.apiserver.plugins import standard_admission
from kubelite.apiserver.registry import ObjectRegistry
from kubelite.store.store import Delete, Put, Store, Txn, prefix_end
from tests.apiserver.registries import Cluster, cluster, service


async def addresses(c: Cluster) -> dict[str, str]:
    """The Service of each IPAddress."""
    found = (await c.client.list(networking.IPAddress)).items
    return {obj.metadata.name: obj.spec.parent_ref.name for obj in found if obj.spec.parent_ref}


async def ports(c: Cluster) -> dict[int, str]:
    """The Service of each node port that has a key."""
    found = await c.store.range(NODE_PORTS, prefix_end(NODE_PORTS))
    return {int(record.key.removeprefix(NODE_PORTS)): record.value.decode() for record in found.records}


class Late(ServiceAllocator):
    """Somebody else gets its first answer before it is written."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.drawn: list[str] = []

    async def allocate(
        self, new: core.Service, old: core.Service | None, store: Store, finder: Finder
    ) -> tuple[core.Service, Holding]:
        made, holding = await super().allocate(new, old, store, finder)
        if not self.drawn:
            await store.txn(Txn(success=holding.ops))
        self.drawn.append(made.spec.cluster_ip)
        return made, holding


def node_port(name: str, port: int) -> core.Service:
    return service(name, type="NodePort", ports=(core.ServicePort(port=80, node_port=port),))


def cidr(name: str, *cidrs: str) -> networking.ServiceCIDR:
    return networking.ServiceCIDR(metadata=ObjectMeta(name=name), spec=networking.ServiceCIDRSpec(cidrs=cidrs))


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


async def test_an_address_is_an_object_that_comes_and_goes_with_its_service() -> None:
    async with cluster() as c:
        made = await c.client.create(service("a"))
        assert await addresses(c) == {"10.96.0.1": "kubernetes", made.spec.cluster_ip: "a"}
        found = await c.client.get(networking.IPAddress, made.spec.cluster_ip)
        assert found.metadata.labels == {
            "ipaddress.kubernetes.io/ip-family": "IPv4",
            "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
        }
        assert found.metadata.uid
        assert found.metadata.creation_timestamp
        parent = networking.ParentReference(resource="services", namespace="default", name="a")
        assert found.spec.parent_ref == parent
        assert found.metadata.resource_version == made.metadata.resource_version  # one transaction
        await c.client.delete(core.Service, "a", "default")
        assert await addresses(c) == {"10.96.0.1": "kubernetes"}


async def test_a_service_that_becomes_external_gives_everything_back() -> None:
    async with cluster() as c:
        await c.client.create(service("a", type="NodePort"))
        assert len(await ports(c)) == 1
        spec = {"type": "ExternalName", "externalName": "example.com", "clusterIP": None, "clusterIPs": None}
        await c.client.patch(core.Service, "a", "default", patch={"spec": spec})
        assert (await addresses(c), await ports(c)) == ({"10.96.0.1": "kubernetes"}, {})


async def test_an_address_of_a_user_is_not_given() -> None:
    async with cluster() as c:
        gateway = networking.ParentReference(group="gateway.networking.k8s.io", resource="gateways", name="g")
        spec = networking.IPAddressSpec(parent_ref=gateway)
        await c.client.create(networking.IPAddress(metadata=ObjectMeta(name="10.96.0.77"), spec=spec))
        with pytest.raises(errors.Invalid, match="provided IP is already allocated"):
            await c.client.create(service("a", cluster_ip="10.96.0.77"))


async def test_node_ports_are_keys_of_their_service_that_no_request_reaches() -> None:
    async with cluster() as c:
        await c.client.create(node_port("a", 30005))
        local = {"type": "LoadBalancer", "external_traffic_policy": "Local"}
        made = await c.client.create(service("b", **local))
        taken = {
            30005: "default/a",
            made.spec.ports[0].node_port: "default/b",
            made.spec.health_check_node_port: "default/b",
        }
        assert await ports(c) == taken
        assert len(taken) == 3
        with pytest.raises(errors.Invalid, match="provided port is already allocated"):
            await c.client.create(node_port("c", 30005))
        with pytest.raises(errors.Invalid, match="The range of valid ports is 30000-30063"):
            await c.client.create(node_port("c", 29999))
        assert not any("servicenodeports" in resource.prefix for resource in c.scheme)


async def test_a_drawn_port_is_never_one_that_the_service_asks_for_elsewhere() -> None:
    async with cluster() as c:
        for number in range(30000, 30063):
            await c.client.create(node_port(f"s-{number}", number))
        both = (core.ServicePort(name="a", port=80), core.ServicePort(name="b", port=81, node_port=30063))
        with pytest.raises(errors.InternalError, match="failed to allocate a nodePort: range is full"):
            await c.client.create(service("last", type="NodePort", ports=both))
        assert (await c.client.create(service("last", type="NodePort"))).spec.ports[0].node_port == 30063


@pytest.mark.parametrize(
    ("second", "why"),
    [
        ("fd00::5", r"spec\.clusterIPs\[1\]: .*: IPv6 is not configured on this cluster"),
        ("10.96.0.78", r"spec\.clusterIPs: .*: may specify no more than one IP for each IP family"),
    ],
)
async def test_a_service_of_one_family_has_one_address(second: str, why: str) -> None:
    async with cluster() as c:
        with pytest.raises(errors.Invalid, match=why):
            await c.client.create(service("a", cluster_ip="10.96.0.77", cluster_ips=("10.96.0.77", second)))


async def test_a_full_range_says_so_and_the_lower_part_goes_last() -> None:
    async with cluster() as c:
        given = [(await c.client.create(service(f"s-{number}"))).spec.cluster_ip for number in range(253)]
        assert len(set(given)) == 253
        low = {f"10.96.0.{number}" for number in range(2, 17)}
        assert set(given[-15:]) == low
        with pytest.raises(
            errors.InternalError, match="Internal error occurred: failed to allocate a serviceIP: range is full"
        ):
            await c.client.create(service("more"))
        await c.client.delete(core.Service, "s-0", "default")
        assert (await c.client.create(service("more"))).spec.cluster_ip == given[0]


async def test_more_networks_give_more_addresses_while_they_are_ready() -> None:
    async with cluster() as c:
        with pytest.raises(errors.Invalid, match="is not in the valid range"):
            await c.client.create(service("early", cluster_ip="10.97.0.5"))
        more = await c.client.create(cidr("more", "10.97.0.0/29"))
        await c.client.create(cidr("other", "fd00::/64"))  # Services of this cluster are IPv4
        await c.client.create(service("asked", cluster_ip="10.97.0.5"))
        for number in range(252):
            await c.client.create(service(f"s-{number}"))
        given = await addresses(c)
        assert len(given) == 254
        await c.client.create(service("one"))
        down = replace(more, status=networking.ServiceCIDRStatus(conditions=(Condition(type="Ready", status="False"),)))
        await c.client.update(down, subresource="status")
        for number in range(252, 259):
            try:
                await c.client.create(service(f"s-{number}"))
            except errors.InternalError:
                break
        given = await addresses(c)
        assert sum(address.startswith("10.96.") for address in given) == 254


async def test_who_loses_an_address_in_the_last_moment_draws_again() -> None:
    async with cluster() as c:
        clock = c.registry.clock
        late = Late(clock)
        other = ObjectRegistry(c.store, clock, admission=standard_admission(clock), allocator=late)
        made = await LocalClient(other).create(service("a"))
        assert len(late.drawn) == 2
        assert made.spec.cluster_ip == late.drawn[1] != late.drawn[0]
        assert set(await addresses(c)) == {"10.96.0.1", *late.drawn}


async def test_what_older_versions_stored_is_taken_from_the_start() -> None:
    async with cluster() as c:
        made = await c.client.create(service("a", type="NodePort"))
        port = made.spec.ports[0].node_port
        address_key = f"/registry/ipaddresses.networking.k8s.io/{made.spec.cluster_ip}"
        await c.store.txn(
            Txn((), (Delete(f"{NODE_PORTS}{port}"), Delete(address_key), Put(f"{NODE_PORTS}30063", b"default/gone")))
        )
        fresh = ServiceAllocator(c.registry.clock, cidr="10.96.0.0/24")
        assert await fresh.repair(c.store, c.registry) == 3
        assert await ports(c) == {port: "default/a"}
        assert (await addresses(c))[made.spec.cluster_ip] == "a"
        assert await fresh.repair(c.store, c.registry) == 0
