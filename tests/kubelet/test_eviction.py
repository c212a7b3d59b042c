"""Pods leave a node that is short of something, the greediest first; and for using more local storage than they may."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.api.core_v1 import Container, EmptyDirVolumeSource, Pod, ResourceRequirements, Toleration, Volume
from kubelite.kubelet.eviction import Usage, compute_eviction, compute_overuse, compute_refusal
from kubelite.kubelet.node_status import Health, Shortage, Signal
from tests.kubelet.nodes import bench, is_ready, pod, running

SHORT = Health(memory_pressure=True, shortages=(Shortage(resource="memory", threshold="100Mi", available="50Mi"),))
MIB = 1 << 20


def asking(name: str, memory: str = "", *, limit: str = "", **spec: Any) -> Pod:
    requests = {"memory": memory} if memory else {}
    limits = {"ephemeral-storage": limit} if limit else {}
    resources = ResourceRequirements(requests=requests, limits=limits)
    return pod(name, Container(name="app", image="busybox:1", resources=resources), **spec)


def using(memory: int = 0, *, writable: int = 0, **volumes: int) -> Usage:
    return Usage(memory={"app": memory}, writable={"app": writable}, volumes=volumes)


@pytest.mark.parametrize(
    ("pods", "leaves"),
    [
        ([(asking("modest", "64Mi"), using(32 * MIB)), (asking("greedy"), using(16 * MIB))], "greedy"),
        ([(asking("much"), using(32 * MIB)), (asking("more"), using(64 * MIB))], "more"),
        ([(asking("low", priority=1), using(1 * MIB)), (asking("high", priority=9), using(64 * MIB))], "low"),
        ([(asking("critical", priority=2_000_000_000), using(64 * MIB))], ""),
    ],
)
def test_who_leaves_first(pods: list[tuple[Pod, Usage]], leaves: str) -> None:
    found = compute_eviction(SHORT, pods)
    assert (found[0].metadata.name if found else "") == leaves
    assert compute_eviction(Health(), pods) is None


def test_the_message_says_what_was_short_and_who_used_it() -> None:
    found = compute_eviction(SHORT, [(asking("web", "16Mi"), using(32 * MIB))])
    assert found is not None
    assert found[1].message == (
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. "
        "Container app was using 32Mi, request is 16Mi, has larger consumption of memory. "
    )


def test_inodes_are_freed_by_who_has_most_files() -> None:
    short = Health(shortages=(Shortage(resource="inodes", threshold="100", available="5"),))
    large, many = Usage(volumes={"a": 9 * MIB}, inodes=1), Usage(volumes={"a": MIB}, inodes=500)
    found = compute_eviction(short, [(asking("large"), large), (asking("many"), many)])
    assert found is not None
    assert found[0].metadata.name == "many"


def test_limits_of_local_storage_hold() -> None:
    volume = Volume(name="scratch", empty_dir=EmptyDirVolumeSource(size_limit="1Mi"))
    scratch = asking("web", volumes=(volume,))
    assert compute_overuse(scratch, using(scratch=MIB)) is None
    found = compute_overuse(scratch, using(scratch=MIB + 1))
    assert found is not None
    assert found.message == 'Usage of EmptyDir volume "scratch" exceeds the limit "1Mi". '
    limited = asking("web", limit="1Mi")
    assert compute_overuse(limited, using(writable=MIB)) is None
    found = compute_overuse(limited, using(writable=MIB, other=1))
    assert found is not None
    assert found.message == "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. "


def test_a_soft_threshold_lets_the_pod_end_in_peace() -> None:
    soft = Health(shortages=(Shortage(resource="memory", threshold="1", available="0", is_soft=True),))
    for health, max_grace_s, grace_s in ((SHORT, 20.0, 1.0), (soft, 20.0, 20.0), (soft, 0.0, 1.0)):
        found = compute_eviction(health, [(asking("web"), using(1))], max_grace_s=max_grace_s)
        assert found is not None
        assert found[1].grace_s == grace_s


def test_process_ids_are_freed_by_who_has_most() -> None:
    short = Health(shortages=(Shortage(resource="pids", threshold="100", available="5"),))
    few, many = Usage(memory={"app": 9 * MIB}, processes=2), Usage(memory={"app": MIB}, processes=500)
    found = compute_eviction(short, [(asking("few"), few), (asking("many"), many)])
    assert found is not None
    assert found[0].metadata.name == "many"
    assert found[1].message == "The node was low on resource: pids. Threshold quantity: 100, available: 5. "


def test_under_pressure_only_some_pods_are_taken() -> None:
    refused = compute_refusal(pod(), SHORT)
    assert refused is not None
    assert (refused.reason, refused.message) == ("Evicted", "The node had condition: [MemoryPressure]. ")
    assert compute_refusal(asking("web", "16Mi"), SHORT) is None
    assert compute_refusal(pod(tolerations=(Toleration(key="node.kubernetes.io/memory-pressure"),)), SHORT) is None
    assert compute_refusal(asking("web", "16Mi"), Health(disk_pressure=True)) is not None


async def test_an_evicted_pod_fails_and_says_why() -> None:
    async with bench() as node:
        health = Health()
        kubelet = node.kubelet(health=lambda: health)
        async with running(kubelet):
            await node.create(pod())
            await node.until("web", is_ready)
            health = Health(signals={"memory.available": Signal(50 * MIB, 1000 * MIB)})
            kubelet.node.changed()
            seen = await node.until("web", lambda each: each.status.phase == "Failed")
            assert seen.status.reason == "Evicted"
            assert seen.status.message.startswith("The node was low on resource: memory. ")
            (condition,) = (each for each in seen.status.conditions if each.type == "DisruptionTarget")
            assert (condition.status, condition.reason) == ("True", "TerminationByKubelet")
            assert "Evicted" in [reason for reason, _ in await node.events()]
            await node.create(pod("late"))
            late = await node.until("late", lambda each: each.status.phase == "Failed")
            assert late.status.message == "Pod was rejected: The node had condition: [MemoryPressure]. "
