"""HorizontalPodAutoscalers: as many replicas as the metrics ask for, no faster than the behavior allows.

Called by `client/host` per autoscaler, every 15 seconds. What was recommended and done lately is remembered here, as upstream's
controller does. `autoscaler_metrics` computes what a metric asks for, `autoscaler_behavior` how much of it may be done now.
Source: k8s.io/kubernetes pkg/controller/podautoscaler/horizontal.go
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec.structs import replace

from kubelite.api.apps_v1 import Deployment, ReplicaSet, StatefulSet
from kubelite.api.autoscaling_v2 import (
    ContainerResourceMetricStatus,
    ExternalMetricStatus,
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerCondition,
    MetricSpec,
    MetricStatus,
    MetricTarget,
    MetricValueStatus,
    ObjectMetricStatus,
    PodsMetricStatus,
    ResourceMetricStatus,
)
from kubelite.api.core_v1 import Pod, ReplicationController
from kubelite.api.meta import Object
from kubelite.api.quantity import Amount, milli_value
from kubelite.api.selectors import matches
from kubelite.api.timestamp import rfc3339
from kubelite.client.plan import Patch, Plan, Report, Update, Write
from kubelite.client.view import Key, View, Watch, key_of, split_key
from kubelite.controllers.autoscaler_behavior import Change, limited, rules, stabilized
from kubelite.controllers.autoscaler_metrics import (
    Answer,
    Metrics,
    MetricsUnavailable,
    by_average,
    by_utilization,
    by_value,
    by_value_per_pod,
)
from kubelite.controllers.selection import selector_of

SYNC_S = 15.0
TARGETS: dict[tuple[str, str], type[Object]] = {
    (type_.api_version.partition("/")[0] if "/" in type_.api_version else "", type_.kind): type_
    for type_ in (Deployment, ReplicaSet, StatefulSet, ReplicationController)
}


class _Memory(msgspec.Struct):
    recommended: list[Change]
    added: list[Change]
    removed: list[Change]


class _Measured(msgspec.Struct, frozen=True):
    """What one metric asks for; `name` as messages call it."""

    name: str
    answer: Answer
    status: MetricStatus


class _Unmeasured(Exception):
    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def _keys(view: View, old: HorizontalPodAutoscaler | None, new: HorizontalPodAutoscaler | None) -> Iterable[Key]:
    """Its own status changes nothing."""
    if new is not None and (old is None or old.spec != new.spec):
        yield key_of(new)


class HorizontalPodAutoscalerController:
    name = "horizontal-pod-autoscaler-controller"
    watches = (Watch(HorizontalPodAutoscaler, _keys),)
    reads: tuple[type[Object], ...] = (Deployment, ReplicaSet, StatefulSet, ReplicationController, Pod)

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._memory: dict[Key, _Memory] = {}

    def decide(self, view: View, key: Key, now: float) -> Plan:
        namespace, name = split_key(key)
        scaler = view.get(HorizontalPodAutoscaler, name, namespace)
        if scaler is None:
            self._memory.pop(key, None)
            return Plan()
        memory = self._memory.setdefault(key, _Memory([], [], []))
        draft = _Draft(view, scaler, memory, self._metrics, now)
        return draft.plan()


class _Draft:
    """One decision in the making."""

    def __init__(
        self, view: View, scaler: HorizontalPodAutoscaler, memory: _Memory, metrics: Metrics, now: float
    ) -> None:
        self._view = view
        self._scaler = scaler
        self._memory = memory
        self._metrics = metrics
        self._now = now
        self._namespace = scaler.metadata.namespace
        self._least = 1 if scaler.spec.min_replicas is None else scaler.spec.min_replicas
        self._most = scaler.spec.max_replicas
        self._status = replace(scaler.status, observed_generation=scaler.metadata.generation)
        self._reports: list[Report] = []
        self._writes: list[Write] = []

    def plan(self) -> Plan:
        ref = self._scaler.spec.scale_target_ref
        type_ = TARGETS.get((ref.api_version.rpartition("/")[0], ref.kind))
        target: Any = self._view.get(type_, ref.name, self._namespace) if type_ else None
        if target is None:
            why = f'{ref.kind.lower()}s "{ref.name}" not found'
            text = f"the HPA controller was unable to get the target's current scale: {why}"
            self._set("AbleToScale", "False", "FailedGetScale", text)
            self._say("Warning", "FailedGetScale", why)
        else:
            text = "the HPA controller was able to get the target's current scale"
            self._set("AbleToScale", "True", "SucceededGetScale", text)
            self._scale(target)
        if self._status != self._scaler.status:
            self._writes.append(Update(replace(self._scaler, status=self._status), subresource="status"))
        return Plan(writes=tuple(self._writes), reports=tuple(self._reports), requeue_after_s=SYNC_S)

    def _scale(self, target: Any) -> None:
        current = 1 if target.spec.replicas is None else target.spec.replicas
        self._status = replace(self._status, current_replicas=current)
        if not current and self._least:
            text = "scaling is disabled since the replica count of the target is zero"
            self._set("ScalingActive", "False", "ScalingDisabled", text)
            self._status = replace(self._status, desired_replicas=0)
            return
        if current > self._most:
            wanted, reason = self._most, "Current number of replicas above Spec.MaxReplicas"
        elif current < self._least:
            wanted, reason = self._least, "Current number of replicas below Spec.MinReplicas"
        else:
            try:
                wanted, name = self._measure(target, current)
            except _Unmeasured as error:
                self._say("Warning", "FailedComputeMetricsReplicas", str(error))
                self._status = replace(self._status, desired_replicas=current)
                return
            reason = f"{name} above target" if wanted > current else "All metrics below target"
            wanted = self._allowed(current, wanted)
        self._status = replace(self._status, desired_replicas=wanted)
        if wanted != current:
            self._rescale(target, current, wanted, reason)

    def _allowed(self, current: int, wanted: int) -> int:
        memory, now = self._memory, self._now
        up, down = rules(self._scaler.spec.behavior)
        keep = max(up.stabilization_window_seconds or 0, down.stabilization_window_seconds or 0)
        if not memory.recommended:
            memory.recommended.append(Change(now, current))  # so that a restart does not begin with a fall
        memory.recommended = [entry for entry in memory.recommended if entry.at > now - keep]
        calm, able = stabilized(current, wanted, memory.recommended, up, down, now)
        memory.recommended.append(Change(now, wanted))
        self._set("AbleToScale", "True", *able)
        rate = up if calm > current else down
        done = (memory.added, memory.removed)
        replicas, why, is_limited = limited(current, calm, (self._least, self._most), rate, done, now)
        self._set("ScalingLimited", "True" if is_limited else "False", *why)
        return replicas

    def _rescale(self, target: Any, current: int, wanted: int, reason: str) -> None:
        meta = target.metadata
        guard = {"resourceVersion": meta.resource_version}
        patch = {"metadata": guard, "spec": {"replicas": wanted}}
        self._writes.append(Patch(type=type(target), name=meta.name, namespace=meta.namespace, patch=patch))
        self._set(
            "AbleToScale",
            "True",
            "SucceededRescale",
            f"the HPA controller was able to update the target scale to {wanted}",
        )
        self._say("Normal", "SuccessfulRescale", f"New size: {wanted}; reason: {reason}")
        self._status = replace(self._status, last_scale_time=rfc3339(self._now))
        changes = self._memory.added if wanted > current else self._memory.removed
        longest = max(policy.period_seconds for rate in rules(self._scaler.spec.behavior) for policy in rate.policies)
        changes[:] = [entry for entry in changes if entry.at > self._now - longest]
        changes.append(Change(self._now, abs(wanted - current)))

    # Metrics

    def _measure(self, target: Any, current: int) -> tuple[int, str]:
        """(replicas, the name of the metric that asks for most). Raises: _Unmeasured."""
        selector = selector_of(target)
        pods = [pod for pod in self._view.list(Pod, self._namespace) if matches(selector, pod.metadata.labels)]
        measured: list[_Measured] = []
        failures: list[_Unmeasured] = []
        specs = self._scaler.spec.metrics
        for spec in specs:
            try:
                measured.append(self._one(spec, current, pods))
            except MetricsUnavailable as error:
                failures.append(_failure(spec, str(error)))
        self._status = replace(self._status, current_metrics=tuple(entry.status for entry in measured))
        best = max(measured, key=lambda entry: entry.answer.replicas, default=None)
        if best is None or (failures and best.answer.replicas < current):
            first = failures[0]
            self._say("Warning", first.reason, str(first))
            self._set(
                "ScalingActive", "False", first.reason, f"the HPA was unable to compute the replica count: {first}"
            )
            count = f"invalid metrics ({len(failures)} invalid out of {len(specs)})"
            raise _Unmeasured(first.reason, f"{count}, first error is: {first}")
        text = f"the HPA was able to successfully calculate a replica count from {best.name}"
        self._set("ScalingActive", "True", "ValidMetricFound", text)
        return best.answer.replicas, best.name

    def _one(self, spec: MetricSpec, current: int, pods: list[Pod]) -> _Measured:
        """Raises: MetricsUnavailable."""
        metrics, namespace, now = self._metrics, self._namespace, self._now
        if (source := spec.resource or spec.container_resource) is not None:
            container = spec.container_resource.container if spec.container_resource else ""
            found = metrics.resource(source.name, namespace, pods, container=container)
            if source.target.average_utilization is not None:
                percent = source.target.average_utilization
                answer = by_utilization(source.name, percent, current, pods, found, container=container, now=now)
            else:
                aim = _milli(source.target)
                answer = by_average(aim, current, pods, found, is_cpu=source.name == "cpu", now=now)
            kind = "container resource" if container else "resource"
            share = " utilization (percentage of request)" if answer.percent is not None else ""
            return _Measured(f"{source.name} {kind}{share}", answer, _resource_status(spec, answer))
        if spec.pods is not None:
            metric = spec.pods.metric
            found = metrics.pods(metric.name, namespace, pods, metric.selector)
            answer = by_average(_milli(spec.pods.target), current, pods, found, is_cpu=False, now=now)
            value = MetricValueStatus(average_value=_quantity(answer.average))
            status = MetricStatus(type="Pods", pods=PodsMetricStatus(metric=metric, current=value))
            return _Measured(f"pods metric {metric.name}", answer, status)
        if spec.object is not None:
            metric, about = spec.object.metric, spec.object.described_object
            usage = metrics.object(metric.name, namespace, about, metric.selector)
            answer, value = _shared(usage, spec.object.target, current, pods)
            shown = ObjectMetricStatus(metric=metric, described_object=about, current=value)
            return _Measured(f"{about.kind} metric {metric.name}", answer, MetricStatus(type="Object", object=shown))
        if spec.external is not None:
            metric = spec.external.metric
            usage = sum(metrics.external(metric.name, namespace, metric.selector))
            answer, value = _shared(usage, spec.external.target, current, pods)
            status = MetricStatus(type="External", external=ExternalMetricStatus(metric=metric, current=value))
            return _Measured(f"external metric {metric.name}", answer, status)
        raise MetricsUnavailable(f'unknown metric source type "{spec.type}"')

    # Words

    def _set(self, type_: str, status: str, reason: str, message: str) -> None:
        old = next((entry for entry in self._status.conditions if entry.type == type_), None)
        since = old.last_transition_time if old and old.status == status else rfc3339(self._now)
        new = HorizontalPodAutoscalerCondition(
            type=type_, status=status, reason=reason, message=message, last_transition_time=since
        )
        kept = self._status.conditions
        conditions = tuple(new if entry is old else entry for entry in kept) if old else (*kept, new)
        self._status = replace(self._status, conditions=conditions)

    def _say(self, type_: Any, reason: str, message: str) -> None:
        self._reports.append(Report(regarding=self._scaler, type=type_, reason=reason, message=message))


def _milli(target: MetricTarget) -> int:
    amount = target.average_value if target.average_value is not None else target.value
    return milli_value(amount if amount is not None else "0") or 1


def _quantity(milli: int) -> str:
    return str(Amount(milli * 10**6))


def _shared(usage: int, target: MetricTarget, current: int, pods: list[Pod]) -> tuple[Answer, MetricValueStatus]:
    """For one number about all pods: as a whole, or divided by them."""
    if target.average_value is not None:
        answer = by_value_per_pod(usage, _milli(target), current)
        return answer, MetricValueStatus(average_value=_quantity(answer.average))
    return by_value(usage, _milli(target), current, pods), MetricValueStatus(value=_quantity(usage))


def _resource_status(spec: MetricSpec, answer: Answer) -> MetricStatus:
    value = MetricValueStatus(average_value=_quantity(answer.average), average_utilization=answer.percent)
    if spec.container_resource is not None:
        source = spec.container_resource
        shown = ContainerResourceMetricStatus(name=source.name, container=source.container, current=value)
        return MetricStatus(type="ContainerResource", container_resource=shown)
    assert spec.resource is not None
    return MetricStatus(type="Resource", resource=ResourceMetricStatus(name=spec.resource.name, current=value))


def _failure(spec: MetricSpec, why: str) -> _Unmeasured:
    if spec.resource is not None:
        name = spec.resource.name
        what = f"{name} utilization" if spec.resource.target.average_utilization is not None else f"{name} usage"
        message = f"failed to get {name} resource metric value: failed to get {what}: {why}"
    elif spec.container_resource is not None:
        message = f"failed to get {spec.container_resource.name} container metric value: {why}"
    else:
        message = f"failed to get {spec.type.lower()} metric value: {why}"
    return _Unmeasured(f"FailedGet{spec.type}Metric", message)
