"""A pod keeps what it was granted until the node has room for more; a container restarts for that only if it says so."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kubelite.api.core_v1 import (
    Container,
    ContainerResizePolicy,
    ContainerStatus,
    Pod,
    PodCondition,
    PodStatus,
    ResourceRequirements,
)
from kubelite.kubelet.pod_resize import PENDING, Grant, compute_resize
from kubelite.kubelet.qos import container_resources
from kubelite.kubelet.runtime import Resources
from tests.kubelet.nodes import bench, is_ready, pod, running

ALLOCATABLE = {"cpu": "4", "memory": "8Gi", "pods": "110"}


def sized(cpu: str, *, name: str = "web", policy: str = "", limit: str = "8") -> Pod:
    policies = (ContainerResizePolicy(resource_name="cpu", restart_policy=policy),) if policy else ()
    resources = ResourceRequirements(requests={"cpu": cpu}, limits={"cpu": limit})
    return pod(name, Container(name="app", image="busybox:1", resources=resources, resize_policy=policies))


def cpu_of(given: Pod) -> str:
    return str(given.spec.containers[0].resources.requests["cpu"])


@pytest.mark.parametrize(
    ("wanted", "others", "reason", "message"),
    [
        ("2", [], "", ""),
        ("5", [], "Infeasible", "Node didn't have enough capacity: cpu, requested: 5000, capacity: 4000"),
        ("3", ["2"], "Deferred", "Node didn't have enough resource: cpu, requested: 3000, used: 2000, capacity: 4000"),
    ],
)
def test_what_a_node_grants(wanted: str, others: list[str], reason: str, message: str) -> None:
    grant = Grant(sized("1"))
    grant.ask(sized(wanted))
    assert cpu_of(grant.pod) == "1"
    assert grant.decide(lambda: [sized(each) for each in others], ALLOCATABLE) is not bool(reason)
    found = (grant.condition.reason, grant.condition.message) if grant.condition else ("", "")
    assert found == (reason, message)
    assert cpu_of(grant.pod) == ("1" if reason else wanted)


def test_a_resize_that_waits_still_waits_after_a_restart() -> None:
    waits = PodCondition(type=PENDING, status="True", reason="Deferred")
    had = ContainerStatus(name="app", resources=ResourceRequirements(requests={"cpu": "1"}))
    asked = replace(sized("3"), status=PodStatus(conditions=(waits,), container_statuses=(had,)))
    assert cpu_of(Grant(asked).pod) == "1"


def test_only_a_difference_is_given_and_a_policy_may_ask_for_a_restart() -> None:
    before = container_resources(sized("1"), sized("1").spec.containers[0], node_memory_bytes=1)
    for policy, restart in (("", False), ("NotRequired", False), ("RestartContainer", True)):
        same, more = sized("1", policy=policy), sized("2", policy=policy)
        assert compute_resize(same, same.spec.containers[0], before) == (None, False)
        wanted, anew = compute_resize(more, more.spec.containers[0], before)
        assert (wanted is not None, anew) == (True, restart)
    assert compute_resize(more, more.spec.containers[0], None) == (None, False)


async def test_a_deferred_resize_goes_on_when_another_pod_has_left() -> None:
    async with bench() as node, running(node.kubelet()):
        for name in ("web", "other"):
            await node.create(sized("1500m", name=name))
            await node.until(name, is_ready)
        seen = await node.get()
        await node.client.update(replace(seen, spec=sized("3").spec), subresource="resize")
        seen = await node.until("web", lambda each: any(x.type == PENDING for x in each.status.conditions))
        (container,) = [each for each in await node.runtime.list_containers() if each.pod_uid == seen.metadata.uid]
        assert (container.resources or Resources()).cpu_shares == 1536
        await node.delete("other", 0)
        seen = await node.until("web", lambda each: not any(x.type == PENDING for x in each.status.conditions))
        assert seen.status.container_statuses[0].allocated_resources == {"cpu": "3"}
        (container,) = await node.runtime.list_containers()
        assert (container.resources or Resources()).cpu_shares == 3072
        assert seen.status.container_statuses[0].restart_count == 0
