"""What a decision does to the cluster: a binding, volumes for it, a pod that is told why not, victims that go. Pure.

Source: k8s.io/kubernetes pkg/scheduler/{schedule_one.go,framework/preemption/preemption.go}
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from kubelite.api.core_v1 import Binding, ObjectReference, Pod, PodCondition
from kubelite.api.meta import ObjectMeta
from kubelite.api.timestamp import rfc3339
from kubelite.client.plan import Bind, Delete, Plan, Report, Update, Write
from kubelite.scheduler.pod_info import PodInfo

if TYPE_CHECKING:
    from kubelite.scheduler.decision import Decision
    from kubelite.scheduler.preemption import Preemption


def bound(info: PodInfo, node: str, scheduler: str) -> Plan:
    meta = info.pod.metadata
    binding = Binding(
        metadata=ObjectMeta(name=meta.name, namespace=meta.namespace, uid=meta.uid),
        target=ObjectReference(kind="Node", name=node),
    )
    message = f"Successfully assigned {info.key} to {node}"
    report = Report(regarding=info.pod, reason="Scheduled", message=message, action="Binding", reporter=scheduler)
    return Plan(writes=(Bind(binding),), reports=(report,))


def unschedulable(info: PodInfo, decision: Decision, scheduler: str, now: float) -> Plan:
    """The pod's condition and event; its victims go first, so that a nomination is never without them."""
    pod, preemption = info.pod, decision.preemption
    report = Report(
        regarding=pod,
        type="Warning",
        reason="FailedScheduling",
        message=decision.message,
        action="Scheduling",
        reporter=scheduler,
    )
    writes: list[Write] = []
    reports = [report]
    for victim in preemption.victims:
        if not victim.terminating:
            writes += _preempted(victim.pod, scheduler, now)
            message = f"Preempted by pod {pod.metadata.uid} on node {preemption.node}"
            reports.append(
                Report(
                    regarding=victim.pod, reason="Preempted", message=message, action="Preempting", reporter=scheduler
                )
            )
    nominated = nominated_node(pod, preemption)
    if not is_told(pod, decision.message, nominated):
        writes.append(Update(_told(pod, decision.message, nominated, now), subresource="status"))
    return Plan(writes=tuple(writes), reports=tuple(reports))


def nominated_node(pod: Pod, preemption: Preemption) -> str:
    """Where the pod waits for room after this decision."""
    return pod.status.nominated_node_name if preemption.keep else preemption.node


def is_told(pod: Pod, message: str, nominated: str) -> bool:
    """Whether the pod's status already says so."""
    return pod.status.nominated_node_name == nominated and any(
        entry.type == "PodScheduled" and entry.reason == "Unschedulable" and entry.message == message
        for entry in pod.status.conditions
    )


def _told(pod: Pod, message: str, nominated: str, now: float) -> Pod:
    old = next((entry for entry in pod.status.conditions if entry.type == "PodScheduled"), None)
    condition = PodCondition(
        type="PodScheduled",
        status="False",
        reason="Unschedulable",
        message=message,
        observed_generation=old.observed_generation if old else 0,
        last_transition_time=old.last_transition_time if old and old.status == "False" else rfc3339(now),
    )
    return replace(pod, status=replace(_with(pod, condition).status, nominated_node_name=nominated))


def _preempted(pod: Pod, scheduler: str, now: float) -> list[Write]:
    condition = PodCondition(
        type="DisruptionTarget",
        status="True",
        reason="PreemptionByScheduler",
        message=f"{scheduler}: preempting to accommodate a higher priority pod",
        last_transition_time=rfc3339(now),
    )
    meta = pod.metadata
    delete = Delete(type=Pod, name=meta.name, namespace=meta.namespace, uid=meta.uid)
    return [Update(_with(pod, condition), subresource="status"), delete]


def _with(pod: Pod, condition: PodCondition) -> Pod:
    others = tuple(entry for entry in pod.status.conditions if entry.type != condition.type)
    return replace(pod, status=replace(pod.status, conditions=(*others, condition)))
