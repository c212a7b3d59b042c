"""Requests and limits as the kernel takes them: QoS class, OOM score, CPU shares and quota. Pure.

Source: pkg/apis/core/v1/helper/qos/qos.go, pkg/kubelet/qos/policy.go, pkg/kubelet/cm/helpers_linux.go,
https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import msgspec

from kubelite.api.core_v1 import Container, EphemeralContainerCommon, Pod, ResourceRequirements
from kubelite.api.meta import Quantity
from kubelite.api.quantity import milli_value, value
from kubelite.kubelet.observed import is_sidecar
from kubelite.kubelet.runtime import Resources

QosClass = Literal["Guaranteed", "Burstable", "BestEffort"]

SHARES_PER_CPU = 1024
MIN_SHARES, MAX_SHARES = 2, 262_144
QUOTA_PERIOD_US = 100_000
MIN_QUOTA_US = 1_000
#: Container engines take no smaller limit.
MIN_MEMORY_BYTES = 6 << 20

GUARANTEED_OOM_SCORE, BEST_EFFORT_OOM_SCORE = -997, 1000
_COMPUTE = ("cpu", "memory")


class Amounts(msgspec.Struct, frozen=True, kw_only=True):
    """CPU in thousandths, memory in bytes; 0 is none. A limit counts only if every container has one."""

    cpu_request_millis: int = 0
    cpu_limit_millis: int = 0
    memory_request_bytes: int = 0
    memory_limit_bytes: int = 0


def requests_of(resources: ResourceRequirements) -> Mapping[str, Quantity]:
    """The requests, where a limit alone is a request too."""
    return {**resources.limits, **resources.requests}


def qos_class(pod: Pod) -> QosClass:
    """How the pod is treated under pressure."""
    containers = [*pod.spec.containers, *pod.spec.init_containers]
    declared = [pod.spec.resources] if pod.spec.resources is not None else [each.resources for each in containers]
    requests = [{name: amount for name, amount in _compute(each.requests) if amount} for each in declared]
    limits = [{name: amount for name, amount in _compute(each.limits) if amount} for each in declared]
    if not any(requests) and not any(limits):
        return "BestEffort"
    if all(len(limit) == len(_COMPUTE) and request == limit for request, limit in zip(requests, limits, strict=True)):
        return "Guaranteed"
    return "Burstable"


def _compute(amounts: Mapping[str, Quantity]) -> Iterable[tuple[str, int]]:
    return ((name, milli_value(amounts[name])) for name in _COMPUTE if name in amounts)


def oom_score_adj(pod: Pod, container: Container | EphemeralContainerCommon, *, node_memory_bytes: int) -> int:
    """Who is killed first when the node has no memory left: -997 last, 1000 first."""
    if (pod.spec.priority or 0) >= 2_000_000_000:
        return GUARANTEED_OOM_SCORE
    match qos_class(pod):
        case "Guaranteed":
            return GUARANTEED_OOM_SCORE
        case "BestEffort":
            return BEST_EFFORT_OOM_SCORE
        case "Burstable":
            request = value(requests_of(container.resources).get("memory", 0))
            score = 1000 - 1000 * request // max(node_memory_bytes, 1)
            return min(max(score, 3), BEST_EFFORT_OOM_SCORE - 1)


def cpu_shares(millis: int) -> int:
    """
    >>> cpu_shares(0), cpu_shares(250), cpu_shares(1000)
    (2, 256, 1024)
    """
    return min(max(millis * SHARES_PER_CPU // 1000, MIN_SHARES), MAX_SHARES)


def cpu_quota_us(millis: int) -> int:
    """CPU time per 100 ms; 0 is unlimited.

    >>> cpu_quota_us(0), cpu_quota_us(5), cpu_quota_us(500)
    (0, 1000, 50000)
    """
    return max(millis * QUOTA_PERIOD_US // 1000, MIN_QUOTA_US) if millis else 0


def container_resources(
    pod: Pod, container: Container | EphemeralContainerCommon, *, node_memory_bytes: int
) -> Resources:
    """What the runtime is told of a container."""
    amounts = _amounts(container.resources)
    return Resources(
        cpu_shares=cpu_shares(amounts.cpu_request_millis),
        cpu_quota_us=cpu_quota_us(amounts.cpu_limit_millis),
        cpu_period_us=QUOTA_PERIOD_US,
        memory_limit_bytes=max(amounts.memory_limit_bytes, MIN_MEMORY_BYTES) if amounts.memory_limit_bytes else 0,
        oom_score_adj=oom_score_adj(pod, container, node_memory_bytes=node_memory_bytes),
    )


def _amounts(resources: ResourceRequirements) -> Amounts:
    requests, limits = requests_of(resources), resources.limits
    return Amounts(
        cpu_request_millis=milli_value(requests.get("cpu", 0)),
        cpu_limit_millis=milli_value(limits.get("cpu", 0)),
        memory_request_bytes=value(requests.get("memory", 0)),
        memory_limit_bytes=value(limits.get("memory", 0)),
    )


def pod_amounts(pod: Pod) -> Amounts:
    """What the whole pod asks for: the sum of what runs at a time, at least what an init container needs.

    Source: k8s.io/component-helpers/resource (PodRequests, PodLimits)
    """
    if pod.spec.resources is not None:
        return _amounts(pod.spec.resources)
    main = [_amounts(each.resources) for each in pod.spec.containers]
    sidecars: list[Amounts] = []
    peaks: list[list[Amounts]] = []
    for each in pod.spec.init_containers:
        amounts = _amounts(each.resources)
        if is_sidecar(each):
            sidecars.append(amounts)
            peaks.append(list(sidecars))
        else:
            peaks.append([*sidecars, amounts])

    def request(get: Callable[[Amounts], int]) -> int:
        together = sum(get(each) for each in [*main, *sidecars])
        return max([together, *(sum(get(each) for each in peak) for peak in peaks)])

    def limit(get: Callable[[Amounts], int]) -> int:
        everything = [*main, *(_amounts(each.resources) for each in pod.spec.init_containers)]
        return request(get) if all(get(each) for each in everything) else 0

    overhead = pod.spec.overhead
    cpu, memory = milli_value(overhead.get("cpu", 0)), value(overhead.get("memory", 0))
    cpu_limit, memory_limit = limit(lambda each: each.cpu_limit_millis), limit(lambda each: each.memory_limit_bytes)
    return Amounts(
        cpu_request_millis=request(lambda each: each.cpu_request_millis) + cpu,
        cpu_limit_millis=cpu_limit + cpu if cpu_limit else 0,
        memory_request_bytes=request(lambda each: each.memory_request_bytes) + memory,
        memory_limit_bytes=memory_limit + memory if memory_limit else 0,
    )
