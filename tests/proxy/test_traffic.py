"""What the rules do to real connections."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from kubelite.proxy.conntrack import compute_stale, forget
from kubelite.proxy.rules import Elements, RuleSet, compute_elements
from kubelite.proxy.services import Endpoint, ServicePort
from kubelite.proxy.table import encode_update

from .machine import CONFIG, GATEWAY, NODE_IP, OUTSIDE_IP, Machine

VIP = ("10.96.0.7", 80)
PODS = ("10.244.0.2", "10.244.0.3", "10.244.0.4")


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with Machine(pods=3) as made:
        yield made


def port(**settings: object) -> ServicePort:
    return ServicePort(**{"owner": "default/web", "port": 80, "cluster_ips": ("10.96.0.7",), **settings})  # type: ignore[arg-type]


def endpoints(*ips: str, **settings: object) -> list[Endpoint]:
    return [Endpoint(ip=ip, port=8080, node="here", **settings) for ip in ips]  # type: ignore[arg-type]


def elements(service: ServicePort, to: list[Endpoint]) -> Elements:
    return compute_elements(service, to, "here")


def test_a_cluster_ip_spreads_over_all_ready_endpoints_and_no_other(machine: Machine) -> None:
    machine.load(elements(port(), [*endpoints(*PODS[:2]), *endpoints(PODS[2], ready=False)]))
    from_node = machine.ask(VIP, 60)
    assert {pod for pod, _ in from_node} == set(PODS[:2])
    assert {client for _, client in from_node} == {GATEWAY}
    assert min(from_node.values()) > 10
    from_pod = machine.ask(VIP, 30, source=machine.pods[PODS[2]])
    assert set(from_pod) == {(PODS[0], PODS[2]), (PODS[1], PODS[2])}


def test_a_pod_reaches_itself_through_its_service(machine: Machine) -> None:
    machine.load(elements(port(), endpoints(PODS[0])))
    assert {pod for pod, _ in machine.ask(VIP, 5, source=machine.pods[PODS[0]])} == {PODS[0]}


def test_a_terminating_endpoint_serves_only_where_no_ready_one_is_left(machine: Machine) -> None:
    leaving = endpoints(PODS[0], ready=False, serving=True, terminating=True)
    machine.load(elements(port(), [*leaving, *endpoints(PODS[1])]))
    assert {pod for pod, _ in machine.ask(VIP, 20)} == {PODS[1]}
    machine.load(elements(port(), leaving))
    assert {pod for pod, _ in machine.ask(VIP, 20)} == {PODS[0]}


@pytest.mark.parametrize("address", [VIP, ("10.96.0.7", 81), (NODE_IP, 30080)])
@pytest.mark.parametrize("where", ["node", "pod", "outside"])
def test_without_endpoints_and_on_other_ports_a_connection_is_refused(
    machine: Machine, address: tuple[str, int], where: str
) -> None:
    machine.load(elements(port(node_port=30080), []))
    source = {"node": machine.node, "pod": machine.pods[PODS[0]], "outside": machine.outside}[where]
    with pytest.raises(ConnectionRefusedError):
        machine.ask(address, 1, source=source)


def test_a_node_port_answers_on_every_address_of_the_node_and_masquerades(machine: Machine) -> None:
    machine.load(elements(port(node_port=30080), endpoints(*PODS)))
    for address in (NODE_IP, "127.0.0.1", GATEWAY):
        assert {pod for pod, _ in machine.ask((address, 30080), 30)} == set(PODS)
    assert OUTSIDE_IP not in {client for _, client in machine.ask((NODE_IP, 30080), 10, source=machine.outside)}
    assert {pod for pod, _ in machine.ask((NODE_IP, 30080), 30, source=machine.pods[PODS[0]])} == set(PODS)


def test_policy_local_keeps_the_client_and_uses_this_nodes_endpoints(machine: Machine) -> None:
    remote = [Endpoint(ip=PODS[1], port=8080, node="there")]
    service = port(node_port=30080, external_local=True, external_ips=("192.0.3.9",))
    machine.load(elements(service, sorted([*endpoints(PODS[0]), *remote])))
    assert set(machine.ask((NODE_IP, 30080), 20, source=machine.outside)) == {(PODS[0], OUTSIDE_IP)}
    assert set(machine.ask(("192.0.3.9", 80), 20, source=machine.outside)) == {(PODS[0], OUTSIDE_IP)}
    assert {pod for pod, _ in machine.ask((NODE_IP, 30080), 40, source=machine.pods[PODS[2]])} == set(PODS[:2])
    assert {pod for pod, _ in machine.ask(("127.0.0.1", 30080), 40)} == set(PODS[:2])


def test_policy_local_without_local_endpoints_drops_what_comes_from_outside(machine: Machine) -> None:
    service = port(node_port=30080, external_local=True)
    machine.load(elements(service, [Endpoint(ip=PODS[1], port=8080, node="there")]))
    with pytest.raises(TimeoutError):
        machine.ask((NODE_IP, 30080), 1, source=machine.outside)
    assert {pod for pod, _ in machine.ask(VIP, 3)} == {PODS[1]}


def test_a_client_stays_with_its_endpoint_while_others_come_and_go(machine: Machine) -> None:
    service = port(affinity_s=60, node_port=30080)
    rules = RuleSet()
    rules.replace("default/web", elements(service, endpoints(*PODS)))
    machine.load(rules.elements())
    rules.take_changes()
    first = machine.ask(VIP, 20)
    ((pod, _),) = first
    assert {p for p, _ in machine.ask((GATEWAY, 30080), 5)} == {pod}
    rest = [ip for ip in PODS if ip != pod]
    for now in ([pod, rest[0]], [pod, *rest], [pod]):
        rules.replace("default/web", elements(service, endpoints(*sorted(now))))
        machine.node.nft(encode_update(*rules.take_changes(), CONFIG))
        assert {p for p, _ in machine.ask(VIP, 10)} == {pod}
    rules.replace("default/web", elements(service, endpoints(*rest)))
    machine.node.nft(encode_update(*rules.take_changes(), CONFIG))
    assert {p for p, _ in machine.ask(VIP, 10)} <= set(rest)


def test_a_udp_client_moves_to_another_endpoint_once_its_flow_is_forgotten(machine: Machine) -> None:
    service = port(protocol="udp")
    old, new = (elements(service, endpoints(ip)) for ip in PODS[:2])
    rules = RuleSet()
    rules.replace("default/web", old)
    machine.load(old)
    rules.take_changes()
    client = machine.node.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))

    def ask() -> str:
        client.sendto(b"who", VIP)
        return client.recv(100).decode().split()[0]

    with client:
        client.settimeout(2)
        assert ask() == PODS[0]
        rules.replace("default/web", new)
        changes = rules.take_changes()
        machine.node.nft(encode_update(*changes, CONFIG))
        assert machine.node.call(lambda: forget(compute_stale(*changes))) == 1
        assert ask() == PODS[1]


def test_updates_lose_no_connection(machine: Machine) -> None:
    rules = RuleSet()
    rules.replace("default/web", elements(port(), endpoints(*PODS)))
    machine.load(rules.elements())
    rules.take_changes()
    asked = 0
    for turn in range(30):
        gone = PODS[turn % 3]
        rules.replace("default/web", elements(port(), endpoints(*(ip for ip in PODS if ip != gone))))
        machine.node.nft(encode_update(*rules.take_changes(), CONFIG))
        answers = machine.ask(VIP, 10)
        assert gone not in {pod for pod, _ in answers}
        asked += answers.total()
    assert asked == 300


def test_what_pods_send_outside_comes_from_the_node(machine: Machine) -> None:
    machine.load({})
    outside = machine.outside.call(lambda: socket.create_server((OUTSIDE_IP, 9000)))

    def connect() -> socket.socket:
        return socket.create_connection((OUTSIDE_IP, 9000), timeout=2)

    with outside, machine.pods[PODS[0]].call(connect):
        accepted, (address, _) = outside.accept()
        accepted.close()
    assert address == NODE_IP
