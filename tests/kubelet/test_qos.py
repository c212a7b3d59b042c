"""QoS classes, OOM scores, and what a pod needs as a whole."""

from __future__ import annotations

from typing import Any

from kubelite.api.core_v1 import Container, Pod, PodSpec, ResourceRequirements
from kubelite.api.meta import ObjectMeta
from kubelite.kubelet.cgroups import Limits, pod_cgroup, pod_limits, v1_files
from kubelite.kubelet.qos import Amounts, container_resources, oom_score_adj, pod_amounts, qos_class


def need(name: str = "c", *, sidecar: bool = False, limits: dict[str, str] | None = None, **requests: Any) -> Container:
    resources = ResourceRequirements(requests=dict(requests), limits=dict(limits or {}))
    return Container(name=name, resources=resources, restart_policy="Always" if sidecar else None)


def pod(*containers: Container, init: tuple[Container, ...] = ()) -> Pod:
    return Pod(metadata=ObjectMeta(uid="u"), spec=PodSpec(containers=containers, init_containers=init))


FULL: dict[str, Any] = {"cpu": "500m", "memory": "64Mi"}


def test_classes() -> None:
    assert qos_class(pod(need())) == "BestEffort"
    assert qos_class(pod(need(cpu="0"))) == "BestEffort"
    assert qos_class(pod(need(limits=FULL, **FULL))) == "Guaranteed"
    assert qos_class(pod(need(limits=FULL, **FULL), need())) == "Burstable"
    assert qos_class(pod(need(limits={"cpu": "1"}, cpu="1"))) == "Burstable"
    assert qos_class(pod(need(limits=FULL, cpu="250m", memory="64Mi"))) == "Burstable"


def test_the_bigger_the_request_the_later_the_kill() -> None:
    given = pod(need("a", memory="1Gi"), need("b", memory="2Gi"), need("c"))
    scores = [oom_score_adj(given, each, node_memory_bytes=8 << 30) for each in given.spec.containers]
    assert scores == [875, 750, 999]
    guaranteed = pod(need(limits=FULL, **FULL))
    assert oom_score_adj(guaranteed, guaranteed.spec.containers[0], node_memory_bytes=8 << 30) == -997


def test_a_pod_needs_its_main_containers_and_sidecars_or_its_largest_init_container() -> None:
    sidecar = need("s", sidecar=True, cpu="100m")
    assert pod_amounts(pod(need(cpu="1"), need(cpu="1"))).cpu_request_millis == 2000
    assert pod_amounts(pod(need(cpu="1"), init=(need(cpu="5"),))).cpu_request_millis == 5000
    assert pod_amounts(pod(need(cpu="1"), init=(sidecar, need(cpu="5")))).cpu_request_millis == 5100
    assert pod_amounts(pod(need(cpu="1"), init=(sidecar,))).cpu_request_millis == 1100


def test_a_pod_is_limited_only_if_every_container_is() -> None:
    assert pod_amounts(pod(need(limits=FULL), need(limits=FULL))) == Amounts(
        cpu_request_millis=1000, cpu_limit_millis=1000, memory_request_bytes=128 << 20, memory_limit_bytes=128 << 20
    )
    assert pod_amounts(pod(need(limits=FULL), need())).memory_limit_bytes == 0


def test_a_container_gets_shares_quota_and_memory() -> None:
    given = pod(need(limits=FULL, cpu="250m"))
    found = container_resources(given, given.spec.containers[0], node_memory_bytes=8 << 30)
    assert (found.cpu_shares, found.cpu_quota_us, found.memory_limit_bytes) == (256, 50_000, 64 << 20)


def test_a_pods_cgroup_is_below_its_class() -> None:
    assert pod_cgroup(pod(need()), "/k") == "/k/kubepods/besteffort/podu"
    assert pod_cgroup(pod(need(cpu="1")), "/k") == "/k/kubepods/burstable/podu"
    assert pod_cgroup(pod(need(limits=FULL, **FULL)), "/k") == "/k/kubepods/podu"


def test_what_is_written_into_the_pods_cgroup() -> None:
    assert pod_limits(pod(need())) == Limits(cpu_shares=2)
    files = v1_files(pod_limits(pod(need(limits=FULL))))
    assert files == {
        "cpu": {"cpu.shares": "512", "cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "50000"},
        "memory": {"memory.limit_in_bytes": str(64 << 20)},
    }
