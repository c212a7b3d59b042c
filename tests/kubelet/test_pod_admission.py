"""A node refuses what it cannot run, with upstream's reasons and words."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.api.core_v1 import Container, ContainerPort, Pod, PodSecurityContext, ResourceRequirements, Sysctl
from kubelite.kubelet.failure import Failure
from kubelite.kubelet.pod_admission import compute_rejection
from tests.kubelet.nodes import bench, is_ready, pod, running

ALLOCATABLE = {"cpu": "4", "memory": "8Gi", "pods": "2"}


def wants(**requests: str) -> Pod:
    return pod("web", Container(name="app", image="busybox:1", resources=ResourceRequirements(requests=requests)))


def on_port(number: int, host_ip: str = "") -> Pod:
    port = ContainerPort(container_port=80, host_port=number, host_ip=host_ip, protocol="TCP")
    return pod("web", Container(name="app", image="busybox:1", ports=(port,)))


def with_sysctl(name: str, **spec: Any) -> Pod:
    return pod(security_context=PodSecurityContext(sysctls=(Sysctl(name=name, value="1"),)), **spec)


@pytest.mark.parametrize(
    ("made", "others", "expected"),
    [
        (wants(cpu="3"), [], None),
        (wants(cpu="3"), [wants(cpu="2")], ("OutOfcpu", "cpu, requested: 3000, used: 2000, capacity: 4000")),
        (wants(memory="9Gi"), [], ("OutOfmemory", "memory, requested: 9663676416, used: 0, capacity: 8589934592")),
        (pod(), [pod(), pod()], ("OutOfpods", "pods, requested: 1, used: 2, capacity: 2")),
    ],
)
def test_a_pod_for_which_there_is_no_room(made: Pod, others: list[Pod], expected: tuple[str, str] | None) -> None:
    found = compute_rejection(made, others, ALLOCATABLE)
    want = Failure(expected[0], f"Node didn't have enough resource: {expected[1]}") if expected else None
    assert found == want


@pytest.mark.parametrize(
    ("mine", "theirs", "meet"), [("", "", True), ("", "10.0.0.1", True), ("10.0.0.1", "10.0.0.2", False)]
)
def test_a_port_of_the_host_is_had_once_per_address(mine: str, theirs: str, meet: bool) -> None:
    found = compute_rejection(on_port(8080, mine), [on_port(8080, theirs)], ALLOCATABLE)
    assert (found is not None and found.reason == "NodePorts") is meet
    assert compute_rejection(on_port(8081, mine), [on_port(8080, theirs)], ALLOCATABLE) is None


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (with_sysctl("net.ipv4.tcp_syncookies"), None),
        (with_sysctl("net/ipv4/tcp_syncookies"), None),
        (with_sysctl("kernel.msgmax"), "not allowlisted"),
        (with_sysctl("net.ipv4.tcp_syncookies", host_network=True), "not allowed with host net enabled"),
        (with_sysctl("kernel.shm_rmid_forced", host_ipc=True), "not allowed with host ipc enabled"),
    ],
)
def test_only_sysctls_that_stay_in_the_pod_are_allowed(made: Pod, why: str | None) -> None:
    found = compute_rejection(made, [], ALLOCATABLE)
    security = made.spec.security_context
    assert security is not None
    name = security.sysctls[0].name
    assert found == (Failure("SysctlForbidden", f'forbidden sysctl: "{name}" {why}') if why else None)


async def test_a_refused_pod_fails_without_having_run_and_can_be_deleted() -> None:
    async with bench() as node, running(node.kubelet()):
        await node.create(wants(cpu="5"))
        seen = await node.until("web", lambda each: each.status.phase == "Failed")
        text = "Node didn't have enough resource: cpu, requested: 5000, used: 0, capacity: 4000"
        assert (seen.status.reason, seen.status.message) == ("OutOfcpu", f"Pod was rejected: {text}")
        assert seen.status.container_statuses == ()
        assert await node.runtime.list_pod_sandboxes() == []
        await node.delete()
        await node.until_gone()
        assert ("OutOfcpu", text) in await node.events()
        await node.create(wants(cpu="3"))
        await node.until("web", is_ready)
