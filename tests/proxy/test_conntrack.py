from __future__ import annotations

from kubelite.proxy.conntrack import Flow, compute_stale
from kubelite.proxy.rules import Elements, compute_elements
from kubelite.proxy.services import Endpoint, ServicePort


def elements(protocol: str, *ips: str, node_port: int = 0) -> Elements:
    port = ServicePort(
        owner="default/dns", protocol=protocol, port=53, cluster_ips=("10.96.0.10",), node_port=node_port
    )
    return compute_elements(port, [Endpoint(ip=ip, port=53) for ip in ips], "here")


def test_only_flows_to_endpoints_that_are_gone_are_forgotten() -> None:
    old, new = elements("udp", "10.244.0.2", "10.244.0.3"), elements("udp", "10.244.0.3", "10.244.0.4")
    assert compute_stale(old, new) == {Flow("10.96.0.10", 53, "10.244.0.2")}


def test_a_node_ports_flows_are_forgotten_at_any_address() -> None:
    stale = compute_stale(elements("udp", "10.244.0.2", node_port=30053), {})
    assert stale == {Flow("10.96.0.10", 53, "10.244.0.2"), Flow("", 30053, "10.244.0.2")}


def test_flows_from_before_the_first_endpoint_are_forgotten() -> None:
    assert compute_stale(elements("udp"), elements("udp", "10.244.0.2")) == {Flow("10.96.0.10", 53, "")}


def test_tcp_flows_end_by_themselves() -> None:
    assert compute_stale(elements("tcp", "10.244.0.2"), elements("tcp", "10.244.0.3")) == set()
