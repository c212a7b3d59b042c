"""How many replicas one metric asks for.

Pure over a `Metrics` source, which answers at once from what it last knew; all values are in thousandths.
Source: k8s.io/kubernetes pkg/controller/podautoscaler/{replica_calculator.go,metrics}
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from kubelite.api.autoscaling_v2 import CrossVersionObjectReference
from kubelite.api.core_v1 import Container, Pod
from kubelite.api.meta import LabelSelector
from kubelite.api.quantity import milli_value
from kubelite.controllers.pods import condition_of, is_ready, seconds

TOLERANCE = 0.1
CPU_INITIALIZATION_S = 300.0
INITIAL_READINESS_S = 30.0


class MetricsUnavailable(Exception):
    """The metric cannot be told now."""


class PodMetric(msgspec.Struct, frozen=True):
    milli: int
    at: float  #: unix seconds
    window_s: float = 30.0


class Metrics(Protocol):
    """Where an autoscaler reads. Every call may raise MetricsUnavailable."""

    def resource(
        self, name: str, namespace: str, pods: Sequence[Pod], *, container: str = ""
    ) -> Mapping[str, PodMetric]:
        """The use of "cpu" or "memory" by pod, of one container or of all."""

    def pods(
        self, name: str, namespace: str, pods: Sequence[Pod], selector: LabelSelector | None
    ) -> Mapping[str, PodMetric]: ...

    def object(
        self, name: str, namespace: str, of: CrossVersionObjectReference, selector: LabelSelector | None
    ) -> int: ...

    def external(self, name: str, namespace: str, selector: LabelSelector | None) -> Sequence[int]: ...


class NoMetrics:
    """A cluster that measures nothing."""

    def resource(
        self, name: str, namespace: str, pods: Sequence[Pod], *, container: str = ""
    ) -> Mapping[str, PodMetric]:
        raise MetricsUnavailable(
            f"unable to get metrics for resource {name}: unable to fetch metrics from resource metrics API: "
            "the server could not find the requested resource (get pods.metrics.k8s.io)"
        )

    def pods(
        self, name: str, namespace: str, pods: Sequence[Pod], selector: LabelSelector | None
    ) -> Mapping[str, PodMetric]:
        raise MetricsUnavailable(f"unable to get metric {name}: no custom metrics API is registered")

    def object(self, name: str, namespace: str, of: CrossVersionObjectReference, selector: LabelSelector | None) -> int:
        raise MetricsUnavailable(f"unable to get metric {name}: no custom metrics API is registered")

    def external(self, name: str, namespace: str, selector: LabelSelector | None) -> Sequence[int]:
        raise MetricsUnavailable(
            f"unable to get external metric {namespace}/{name}: no external metrics API is registered"
        )


class Answer(msgspec.Struct, frozen=True):
    """The replicas wanted, and what was measured: the average (thousandths), and in percent of the requests."""

    replicas: int
    average: int
    percent: int | None = None


class _Groups(msgspec.Struct, frozen=True):
    ready: list[Pod]
    unready: list[Pod]
    missing: list[Pod]


def group_pods(pods: Sequence[Pod], metrics: Mapping[str, PodMetric], *, is_cpu: bool, now: float) -> _Groups:
    """Which pods' numbers count. A pod that just started says little about its use of cpu."""
    groups = _Groups([], [], [])
    for pod in pods:
        metric = metrics.get(pod.metadata.name)
        if pod.metadata.deletion_timestamp or pod.status.phase == "Failed":
            continue
        if pod.status.phase == "Pending":
            groups.unready.append(pod)
        elif metric is None:
            groups.missing.append(pod)
        elif is_cpu and _is_new(pod, metric, now):
            groups.unready.append(pod)
        else:
            groups.ready.append(pod)
    return groups


def _is_new(pod: Pod, metric: PodMetric, now: float) -> bool:
    ready = condition_of(pod, "Ready")
    if ready is None or pod.status.start_time is None:
        return True
    started, changed = seconds(pod.status.start_time), seconds(ready.last_transition_time)
    if started + CPU_INITIALIZATION_S > now:
        return ready.status == "False" or metric.at < changed + metric.window_s
    return ready.status == "False" and started + INITIAL_READINESS_S > changed


def by_utilization(
    name: str,
    target: int,
    current: int,
    pods: Sequence[Pod],
    metrics: Mapping[str, PodMetric],
    *,
    container: str,
    now: float,
) -> Answer:
    """Replicas that bring the use to `target` percent of the requests. Raises: MetricsUnavailable."""
    groups = group_pods(pods, metrics, is_cpu=name == "cpu", now=now)
    requests = {pod.metadata.name: _request(pod, name, container) for pod in pods}
    counted = {pod.metadata.name: metrics[pod.metadata.name].milli for pod in groups.ready}
    if not counted:
        raise MetricsUnavailable("did not receive metrics for targeted pods (pods might be unready)")
    ratio, percent = _utilization(counted, requests, target)
    answer = Answer(current, sum(counted.values()) // len(counted), percent)
    up_with_unready = bool(groups.unready) and ratio > 1
    if not up_with_unready and not groups.missing:
        return answer if _is_near(ratio) else msgspec.structs.replace(answer, replicas=_up(ratio * len(groups.ready)))
    for pod in groups.missing if ratio != 1 else ():
        assumed = requests[pod.metadata.name] * max(100, target) // 100 if ratio < 1 else 0
        counted[pod.metadata.name] = assumed
    if up_with_unready:
        counted |= {pod.metadata.name: 0 for pod in groups.unready}
    new_ratio, _ = _utilization(counted, requests, target)
    return msgspec.structs.replace(answer, replicas=_cautious(ratio, new_ratio, len(counted), current))


def by_average(
    target: int, current: int, pods: Sequence[Pod], metrics: Mapping[str, PodMetric], *, is_cpu: bool, now: float
) -> Answer:
    """Replicas that bring the average to `target` thousandths. Raises: MetricsUnavailable."""
    groups = group_pods(pods, metrics, is_cpu=is_cpu, now=now)
    counted = {pod.metadata.name: metrics[pod.metadata.name].milli for pod in groups.ready}
    if not counted:
        raise MetricsUnavailable("did not receive metrics for targeted pods (pods might be unready)")
    average = sum(counted.values()) // len(counted)
    ratio = average / target
    answer = Answer(current, average)
    up_with_unready = bool(groups.unready) and ratio > 1
    if not up_with_unready and not groups.missing:
        return answer if _is_near(ratio) else msgspec.structs.replace(answer, replicas=_up(ratio * len(groups.ready)))
    for pod in groups.missing if ratio != 1 else ():
        counted[pod.metadata.name] = target if ratio < 1 else 0
    if up_with_unready:
        counted |= {pod.metadata.name: 0 for pod in groups.unready}
    new_ratio = sum(counted.values()) // len(counted) / target
    return msgspec.structs.replace(answer, replicas=_cautious(ratio, new_ratio, len(counted), current))


def by_value(usage: int, target: int, current: int, pods: Sequence[Pod]) -> Answer:
    """Replicas for one number about all of them together."""
    ratio = usage / target
    if not current:
        return Answer(_up(ratio), usage)
    ready = sum(is_ready(pod) for pod in pods)
    return Answer(current if _is_near(ratio) else _up(ratio * ready), usage)


def by_value_per_pod(usage: int, target: int, current: int) -> Answer:
    near = current > 0 and _is_near(usage / (target * current))
    return Answer(current if near else _up(usage / target), _up(usage / current) if current else 0)


def _is_near(ratio: float) -> bool:
    return abs(1.0 - ratio) <= TOLERANCE


def _up(replicas: float) -> int:
    return math.ceil(round(replicas, 9))


def _cautious(ratio: float, new_ratio: float, count: int, current: int) -> int:
    """What is assumed of pods without numbers must not turn the direction."""
    if _is_near(new_ratio) or (ratio < 1 < new_ratio) or (new_ratio < 1 < ratio):
        return current
    replicas = _up(new_ratio * count)
    turned = (new_ratio < 1 and replicas > current) or (new_ratio > 1 and replicas < current)
    return current if turned else replicas


def _utilization(counted: Mapping[str, int], requests: Mapping[str, int], target: int) -> tuple[float, int]:
    """(ratio to the target, percent). Raises: MetricsUnavailable."""
    total = sum(requests[name] for name in counted)
    if not total:
        raise MetricsUnavailable("no metrics returned matched known pods")
    percent = sum(counted.values()) * 100 // total
    return percent / target, percent


def _request(pod: Pod, resource: str, container: str) -> int:
    sidecars: tuple[Container, ...] = tuple(
        entry for entry in pod.spec.init_containers if entry.restart_policy == "Always"
    )
    total = 0
    for entry in (*pod.spec.containers, *sidecars):
        if container and entry.name != container:
            continue
        if resource not in entry.resources.requests:
            raise MetricsUnavailable(
                f"missing request for {resource} in container {entry.name} of Pod {pod.metadata.name}"
            )
        total += milli_value(entry.resources.requests[resource])
    return total
