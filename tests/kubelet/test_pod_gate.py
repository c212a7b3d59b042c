"""A pod is back in its Services just before it is reported ready, and never while a death is unseen."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kubelite.api.core_v1 import Container as Spec, ContainerPort, PodCondition, PodStatus
from kubelite.kubelet.host_ports import HostPort
from kubelite.kubelet.observed import ObservedPod
from kubelite.kubelet.pod_gate import PodGate, serves
from kubelite.kubelet.runtime import Container, Sandbox, State
from tests.kubelet.nodes import pod

IP = "10.244.0.2"
READY = PodStatus(conditions=(PodCondition(type="Ready", status="True"),))


class Gate:
    def __init__(self) -> None:
        self.calls: list[str] = []

    async def remove_endpoint(self, ip: str, *, dead: bool = False) -> None:
        self.calls.append(f"-{ip}{'!' if dead else ''}")

    def map_host_ports(self, pod_uid: str, ip: str, ports: tuple[HostPort, ...]) -> None:
        self.calls.append(f"{ip}:{len(ports)}")

    def restore_endpoint(self, ip: str) -> None:
        self.calls.append(f"+{ip}")


def seen(*running: str) -> ObservedPod:
    box = Sandbox(id="box", uid="u", namespace="default", name="web", attempt=0, ready=True, ip=IP, created_at=1.0)
    facts = {"sandbox_id": "box", "pod_uid": "u", "attempt": 0, "image": "i", "image_ref": "i", "state": State.RUNNING}
    return ObservedPod(sandboxes=(box,), containers=tuple(Container(id=each, name="app", **facts) for each in running))  # type: ignore[arg-type]


async def test_it_enters_once_per_way_out_and_only_when_ready() -> None:
    gate = Gate()
    door = PodGate(gate)
    door.enter(pod(), seen("a"), PodStatus())
    assert gate.calls == []
    door.enter(pod(), seen("a"), READY)
    door.enter(pod(), seen("a"), READY)
    await door.leave(pod(), IP)
    await door.leave(pod(), IP, dead=True)
    door.enter(pod(), seen("b"), READY)
    assert gate.calls == [f"+{IP}", f"-{IP}", f"-{IP}!", f"+{IP}"]


@pytest.mark.parametrize("heard", ["a", "box"])
async def test_it_stays_out_until_the_death_that_was_heard_of_is_seen(heard: str) -> None:
    gate = Gate()
    door = PodGate(gate)
    door.note_death(heard)
    door.enter(pod(), seen("a"), READY)
    assert gate.calls == []
    door.note_start(heard)
    door.enter(pod(), seen("a"), READY)
    assert gate.calls == [f"+{IP}"]


async def test_a_pod_on_the_hosts_network_passes_no_gate() -> None:
    gate = Gate()
    door = PodGate(gate)
    mine = pod(host_network=True)
    await door.leave(mine, "192.168.0.10", dead=True)
    door.enter(mine, seen("a"), READY)
    assert gate.calls == []


def test_the_end_of_an_init_container_takes_nobody_out() -> None:
    made = pod("web", Spec(name="app"), init_containers=(Spec(name="setup"),))
    running = seen("a").containers[0]
    assert serves(running, made)
    assert serves(None, made)
    assert not serves(replace(running, name="setup"), made)


async def test_the_hosts_ports_follow_the_pods_address() -> None:
    gate = Gate()
    door = PodGate(gate)
    ports = (ContainerPort(container_port=80, host_port=8080),)
    made = pod("web", Spec(name="app", ports=ports))
    for ip in (IP, IP, "10.244.0.3", ""):
        door.map_ports(made, ip)
    door.map_ports(pod("web", Spec(name="app", ports=ports), host_network=True), IP)
    assert gate.calls == [f"{IP}:1", "10.244.0.3:1", ":0"]
