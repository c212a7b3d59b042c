"""ServiceCIDRs that come and go, and IPAddresses that are mended."""

from __future__ import annotations

from msgspec.structs import replace

from kubelite.api.core_v1 import Service, ServicePort, ServiceSpec
from kubelite.api.meta import ObjectMeta
from kubelite.api.networking_v1 import IPAddress, ServiceCIDR, ServiceCIDRSpec
from kubelite.api.service_addresses import address_object, is_ready
from kubelite.controllers.service_cidrs import DELETION_GRACE_S, FINALIZER, ServiceCIDRController
from kubelite.controllers.service_ip_repair import LEAK_S, SETTLE_S, ServiceIPRepair
from tests.controllers.cluster import Cluster


def cidr(name: str, *cidrs: str) -> ServiceCIDR:
    return ServiceCIDR(metadata=ObjectMeta(name=name), spec=ServiceCIDRSpec(cidrs=cidrs))


def web(address: str = "10.97.0.5", name: str = "web") -> Service:
    spec = ServiceSpec(cluster_ip=address, cluster_ips=(address,), ports=(ServicePort(port=80),))
    return Service(metadata=ObjectMeta(name=name, namespace="default"), spec=spec)


def ready(made: Cluster, name: str) -> tuple[str, str]:
    found = made.view.get(ServiceCIDR, name)
    assert found is not None
    (condition,) = found.status.conditions
    return condition.status, condition.reason


def going(made: Cluster) -> ServiceCIDR:
    """A network in which a Service has an address, being deleted."""
    made.put(cidr("kubernetes", "10.96.0.0/16"))
    made.put(cidr("more", "10.97.0.0/24"))
    made.put(address_object("10.97.0.5", web()))
    made.settle()
    found = made.view.get(ServiceCIDR, "more")
    assert found is not None
    assert found.metadata.finalizers == (FINALIZER,)
    assert is_ready(found)
    made.delete(found)
    made.settle()
    assert ready(made, "more") == ("False", "Terminating")
    return found


def test_a_network_stays_while_an_address_needs_it_and_goes_a_while_after() -> None:
    made = Cluster(ServiceCIDRController("10.96.0.0/16"))
    going(made)
    address = made.view.get(IPAddress, "10.97.0.5")
    assert address is not None
    made.advance(10 * DELETION_GRACE_S)
    assert ready(made, "more") == ("False", "Terminating")
    made.remove(address)
    made.settle()
    assert made.view.get(ServiceCIDR, "more") is None


def test_a_network_that_contains_it_lets_it_go() -> None:
    made = Cluster(ServiceCIDRController())
    going(made)
    made.advance(DELETION_GRACE_S)
    made.put(cidr("wide", "10.96.0.0/12"))
    made.settle()
    assert made.view.get(ServiceCIDR, "more") is None


def test_an_unused_network_goes_when_all_servers_have_heard_of_it() -> None:
    made = Cluster(ServiceCIDRController())
    made.put(cidr("more", "10.97.0.0/24", "fd00::/112"))
    made.settle()
    found = made.view.get(ServiceCIDR, "more")
    assert found is not None
    made.delete(found)
    made.advance(DELETION_GRACE_S / 2)
    assert made.view.get(ServiceCIDR, "more") is not None
    made.advance(DELETION_GRACE_S / 2)
    assert made.view.get(ServiceCIDR, "more") is None


def test_the_default_comes_back() -> None:
    made = Cluster(ServiceCIDRController("10.96.0.0/16"))
    first = made.put(cidr("kubernetes", "10.96.0.0/16"))
    made.settle()
    made.remove(first)
    made.settle()
    found = made.view.get(ServiceCIDR, "kubernetes")
    assert found is not None
    assert found.spec.cidrs == ("10.96.0.0/16",)
    assert ready(made, "kubernetes") == ("True", "")


def test_a_default_that_differs_is_told_once() -> None:
    made = Cluster(ServiceCIDRController("10.96.0.0/16"))
    first = made.put(cidr("kubernetes", "10.100.0.0/16"))
    made.settle()
    made.put(replace(first, metadata=replace(first.metadata, labels={"a": "b"}, finalizers=(FINALIZER,))))
    made.settle()
    assert [reason for reason, _ in made.events] == ["KubernetesDefaultServiceCIDRInconsistent"]


def test_a_lost_address_comes_back_and_only_that_is_told() -> None:
    made = Cluster(ServiceIPRepair())
    made.put(cidr("kubernetes", "10.97.0.0/16"))
    service = made.put(web())
    made.settle()
    first = made.put(address_object("10.97.0.5", service))  # the other half of the same transaction, a little later
    made.advance(10 * SETTLE_S)
    assert made.events == []
    made.remove(first)
    made.settle()
    assert made.view.get(IPAddress, "10.97.0.5") is None
    made.advance(SETTLE_S)
    found = made.view.get(IPAddress, "10.97.0.5")
    assert found is not None
    assert found.spec == first.spec
    assert made.events == [("ClusterIPNotAllocated", "Cluster IP [IPv4]: 10.97.0.5 is not allocated; repairing")]


def test_an_address_whose_service_is_gone_goes_after_a_minute() -> None:
    made = Cluster(ServiceIPRepair())
    made.put(cidr("kubernetes", "10.97.0.0/16"))
    service = made.put(web())
    made.put(address_object("10.97.0.5", service))
    made.settle()
    made.remove(service)
    made.advance(LEAK_S / 2)
    assert made.view.get(IPAddress, "10.97.0.5") is not None
    made.advance(LEAK_S / 2)
    made.advance(SETTLE_S)
    assert made.view.get(IPAddress, "10.97.0.5") is None
    assert [reason for reason, _ in made.events] == ["IPAddressNotAllocated"]


def test_an_address_of_a_service_that_has_another_one_goes_and_its_owner_gets_it() -> None:
    made = Cluster(ServiceIPRepair())
    made.put(cidr("kubernetes", "10.97.0.0/16"))
    other = made.put(web("10.97.0.6", "other"))
    made.put(address_object("10.97.0.6", other))
    service = made.put(web())
    made.put(address_object("10.97.0.5", other))
    made.settle()
    for _ in range(4):
        made.advance(SETTLE_S)
    found = made.view.get(IPAddress, "10.97.0.5")
    assert found is not None
    assert found.spec == address_object("10.97.0.5", service).spec
    assert [reason for reason, _ in made.events] == ["IPAddressWrongReference", "ClusterIPNotAllocated"]
