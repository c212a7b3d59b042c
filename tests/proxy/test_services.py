from __future__ import annotations

import pytest
from msgspec.structs import replace

from kubelite.api.core_v1 import (
    ClientIPConfig,
    LoadBalancerIngress,
    LoadBalancerStatus,
    ServiceStatus,
    SessionAffinityConfig,
)
from kubelite.api.discovery_v1 import Endpoint as ApiEndpoint
from kubelite.api.meta import ObjectMeta
from kubelite.proxy.services import Choice, Endpoint, Removal, agrees, choose, parse_endpoints, parse_service

from .builders import endpoint, endpoint_slice, service

READY = Endpoint(ip="10.244.0.2", port=80, node="here")
REMOTE = Endpoint(ip="10.244.0.3", port=80, node="there")
LEAVING = Endpoint(ip="10.244.0.4", port=80, ready=False, terminating=True, node="here")
GONE = Endpoint(ip="10.244.0.5", port=80, ready=False, serving=False, terminating=True, node="here")
UNREADY = Endpoint(ip="10.244.0.6", port=80, ready=False, serving=False, node="here")


@pytest.mark.parametrize(
    ("endpoints", "cluster", "local"),
    [
        ((), (), ()),
        ((READY, REMOTE, LEAVING), (READY, REMOTE), (READY,)),
        ((REMOTE, LEAVING), (REMOTE,), (LEAVING,)),
        ((LEAVING, GONE, UNREADY), (LEAVING,), (LEAVING,)),
        ((GONE, UNREADY), (), ()),
        ((REMOTE, GONE), (REMOTE,), ()),
    ],
)
def test_traffic_goes_to_ready_endpoints_else_to_serving_ones_that_terminate(
    endpoints: tuple[Endpoint, ...], cluster: tuple[Endpoint, ...], local: tuple[Endpoint, ...]
) -> None:
    assert choose(endpoints, "here") == Choice(cluster, local, bool(cluster))


def test_headless_external_and_foreign_services_have_no_ports() -> None:
    foreign = replace(
        service(), metadata=ObjectMeta(name="web", labels={"service.kubernetes.io/service-proxy-name": "other"})
    )
    for obj in (service(cluster_ip="None"), service(cluster_ip=""), service(type="ExternalName"), foreign):
        assert parse_service(obj) == ()


def test_a_service_port_carries_every_address_and_policy() -> None:
    ingress = (LoadBalancerIngress(ip="192.0.2.8"), LoadBalancerIngress(ip="192.0.2.9", ip_mode="Proxy"))
    obj = replace(
        service(
            external_ips=("192.0.2.1", "2001:db8::1"),
            session_affinity="ClientIP",
            session_affinity_config=SessionAffinityConfig(client_ip=ClientIPConfig(timeout_seconds=7)),
            external_traffic_policy="Local",
            internal_traffic_policy="Cluster",
        ),
        status=ServiceStatus(load_balancer=LoadBalancerStatus(ingress=ingress)),
    )
    (port,) = parse_service(obj)
    assert (port.owner, port.name, port.protocol, port.port) == ("default/web", "http", "tcp", 80)
    assert (port.cluster_ips, port.external_ips) == (("10.96.0.7",), ("192.0.2.1",))
    assert port.load_balancer_ips == ("192.0.2.8",)
    assert (port.affinity_s, port.external_local, port.internal_local) == (7, True, False)


def test_endpoints_of_several_slices_are_joined_by_port_name_and_unsaid_conditions_mean_ready() -> None:
    (port,) = parse_service(service())
    slices = [
        endpoint_slice([endpoint("10.244.0.3", ready=None), endpoint("10.244.0.2", ready=False)]),
        endpoint_slice([endpoint("10.244.0.2"), ApiEndpoint()], name="web-2"),
        endpoint_slice([endpoint("10.244.0.9")], name="web-3", port_name="metrics"),
        replace(endpoint_slice([endpoint("10.244.0.8")], name="web-4"), address_type="IPv6"),
    ]
    found = parse_endpoints(slices, port, {})
    assert [(e.ip, e.port, e.ready) for e in found] == [("10.244.0.2", 8080, True), ("10.244.0.3", 8080, True)]


@pytest.mark.parametrize(("dead", "serving"), [(False, True), (True, False)])
def test_a_removed_endpoint_is_terminating_and_a_dead_one_does_not_serve(dead: bool, serving: bool) -> None:
    (port,) = parse_service(service())
    removals = {"10.244.0.2": Removal("uid", dead)}
    (found,) = parse_endpoints([endpoint_slice([endpoint("10.244.0.2")])], port, removals)
    assert (found.ready, found.serving, found.terminating) == (False, serving, True)


@pytest.mark.parametrize(
    ("item", "going", "dead"),
    [
        (endpoint("10.244.0.2", uid="u", ready=True), False, False),
        (endpoint("10.244.0.2", uid="u", ready=None), False, False),
        (endpoint("10.244.0.2", uid="u", ready=False, serving=True, terminating=True), True, False),
        (endpoint("10.244.0.2", uid="u", ready=False, serving=False), True, True),
        (endpoint("10.244.0.2", uid="another pod"), True, True),
    ],
)
def test_a_removal_ends_when_the_api_says_as_much(item: ApiEndpoint, going: bool, dead: bool) -> None:
    assert agrees(item, Removal("u", dead=False)) is going
    assert agrees(item, Removal("u", dead=True)) is dead


@pytest.mark.parametrize(
    "address", ["", "10.244.0", "010.244.0.2", "::1", "10.244.0.2 . 80 }; flush ruleset", "a.b.c.d"]
)
def test_what_is_no_address_gets_no_rule(address: str) -> None:
    (port,) = parse_service(service(external_ips=(address,)))
    assert port.external_ips == ()
    assert parse_endpoints([endpoint_slice([endpoint(address)])], port, {}) == []
