"""The graceful end of a node: who ends when, what pods and the node say of it, and what is still taken."""

from __future__ import annotations

from typing import Any

import anyio

from kubelite import Cluster
from kubelite.api.core_v1 import Node, Pod, PodSpec
from kubelite.api.meta import ObjectMeta
from kubelite.kubelet.shutdown import Periods, compute_groups

CRITICAL = 2_000_001_000


def pod(name: str, priority: int = 0) -> Pod:
    return Pod(metadata=ObjectMeta(name=name), spec=PodSpec(priority=priority))


def test_critical_pods_end_last() -> None:
    pods = [pod("critical", CRITICAL), pod("web"), pod("db", 1000)]
    groups = compute_groups(pods, Periods(total_s=30, critical_s=10))
    assert [(each.period_s, [one.metadata.name for one in each.pods]) for each in groups] == [
        (20, ["web", "db"]),
        (10, ["critical"]),
    ]


def test_a_group_without_pods_takes_no_time() -> None:
    assert [
        each.period_s for each in compute_groups([pod("critical", CRITICAL)], Periods(total_s=30, critical_s=10))
    ] == [10]


def manifest(name: str, **annotations: str) -> str:
    notes = "".join(
        f'    simulated.kubelite.io/{key.replace("_", "-")}: "{value}"\n' for key, value in annotations.items()
    )
    return (
        f"apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  annotations:\n    a: b\n{notes}"
        "spec:\n  containers: [{name: app, image: busybox}]\n"
    )


def condition(obj: Any, type_: str) -> Any:
    return next(each for each in obj.status.conditions if each.type == type_)


async def test_pods_are_terminated_and_the_node_is_not_ready() -> None:
    async with Cluster(shutdown_grace_period=20) as cluster:
        await cluster.apply(manifest("web"))
        await cluster.apply(manifest("done", run_for="0s"))
        await cluster.wait_for(Pod, "web", lambda each: each.status.phase == "Running")
        await cluster.wait_for(Pod, "done", lambda each: each.status.container_statuses != ())
        with anyio.fail_after(10):
            await cluster.shut_down_nodes()
        ended = await cluster.client.get(Pod, "web", "default")
        assert (ended.status.phase, ended.status.reason) == ("Failed", "Terminated")
        assert ended.status.message == "Pod was terminated in response to imminent node shutdown."
        target = condition(ended, "DisruptionTarget")
        assert (target.status, target.reason) == ("True", "TerminationByKubelet")
        node = await cluster.wait_for(
            Node, "node-1", lambda each: condition(each, "Ready").status == "False", namespace=""
        )
        ready = condition(node, "Ready")
        assert (ready.reason, ready.message) == ("KubeletNotReady", "node is shutting down")


async def test_a_node_that_goes_down_takes_no_more_pods() -> None:
    async with Cluster(shutdown_grace_period=20) as cluster:
        await cluster.shut_down_nodes()
        late = manifest("late").replace("spec:\n", "spec:\n  nodeName: node-1\n")
        await cluster.apply(late)
        rejected = await cluster.wait_for(Pod, "late", lambda each: each.status.phase == "Failed")
        assert rejected.status.reason == "NodeShutdown"
        assert rejected.status.message == "Pod was rejected: Pod was rejected as the node is shutting down."


async def test_without_a_period_pods_are_left_running() -> None:
    async with Cluster() as cluster:
        await cluster.apply(manifest("web"))
        await cluster.wait_for(Pod, "web", lambda each: each.status.phase == "Running")
        await cluster.shut_down_nodes()
        assert (await cluster.client.get(Pod, "web", "default")).status.phase == "Running"


async def test_who_does_not_end_in_time_is_killed() -> None:
    async with Cluster(shutdown_grace_period=1) as cluster:
        await cluster.apply(manifest("web", stop_delay="1h"))
        await cluster.wait_for(Pod, "web", lambda each: each.status.phase == "Running")
        with anyio.fail_after(10):
            await cluster.shut_down_nodes()
        ended = await cluster.client.get(Pod, "web", "default")
        assert ended.status.container_statuses[0].state.terminated is not None
        assert ended.status.container_statuses[0].state.terminated.exit_code == 137
