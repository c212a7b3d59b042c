"""Facts about pods that several controllers need, and how a pod is made from a template.

Pure. It knows nothing of who asks. Source: k8s.io/kubernetes pkg/api/v1/pod/util.go, pkg/controller/controller_utils.go
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from kubelite.api.core_v1 import ContainerStatus, Pod, PodCondition, PodTemplateSpec
from kubelite.api.meta import Object, ObjectMeta, controlled_by
from kubelite.api.timestamp import parse_rfc3339
from kubelite.client.plan import Create, Delete, Plan, Report, Write

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
PHASES = {"Pending": 0, "Unknown": 1, "": 0, "Running": 2}


def seconds(time: str | None) -> float:
    """Unix seconds of an API time; 0 without one."""
    return parse_rfc3339(time) if time else 0.0


def condition_of(pod: Pod, type_: str) -> PodCondition | None:
    for condition in pod.status.conditions:
        if condition.type == type_:
            return condition
    return None


def is_terminal(pod: Pod) -> bool:
    return pod.status.phase in ("Succeeded", "Failed")


def is_active(pod: Pod) -> bool:
    """Neither finished nor being deleted."""
    return not is_terminal(pod) and not pod.metadata.deletion_timestamp


def is_ready(pod: Pod) -> bool:
    ready = condition_of(pod, "Ready")
    return ready is not None and ready.status == "True"


def available_at(pod: Pod, min_ready_s: int) -> float:
    """When a ready pod is (or was) ready for `min_ready_s`; infinity for one that is not ready."""
    ready = condition_of(pod, "Ready")
    if ready is None or ready.status != "True":
        return math.inf
    return seconds(ready.last_transition_time) + min_ready_s if min_ready_s else 0.0


def is_available(pod: Pod, min_ready_s: int, now: float) -> bool:
    return available_at(pod, min_ready_s) <= now


def readiness_changed(old: Pod, new: Pod) -> bool:
    """Whether an update changes what an owner counts or ranks by."""
    return old.status.phase != new.status.phase or condition_of(old, "Ready") != condition_of(new, "Ready")


def earliest(times: Iterable[float], now: float) -> float | None:
    """Seconds until the first of `times` after `now`, for a plan's requeue; None without one."""
    return min((time - now for time in times if now < time < math.inf), default=None)


def from_template(owner: Object, template: PodTemplateSpec) -> Pod:
    """A pod that `owner` controls; the server completes its name."""
    given = template.metadata
    return Pod(
        metadata=ObjectMeta(
            generate_name=f"{owner.metadata.name}-",
            namespace=owner.metadata.namespace,
            labels=given.labels,
            annotations=given.annotations,
            finalizers=given.finalizers,
            owner_references=(controlled_by(owner),),
        ),
        spec=template.spec,
    )


def create_pod(owner: Object, pod: Pod) -> Create:
    """Creates a pod and says so on its owner."""
    return Create(pod, Report(regarding=owner, reason="SuccessfulCreate", message="Created pod: {name}"))


def delete_pod(pod: Pod) -> Delete:
    meta = pod.metadata
    return Delete(type=Pod, name=meta.name, namespace=meta.namespace, uid=meta.uid)


def deleted_report(owner: Object, pod: Pod) -> Report:
    return Report(regarding=owner, reason="SuccessfulDelete", message=f"Deleted pod: {pod.metadata.name}")


def failed_report(owner: Object, write: Write, message: str) -> Plan:
    """What a workload says when one of its pods could not be made or ended; nothing about other writes."""
    if (
        not isinstance(write, Create | Delete)
        or (write.type if isinstance(write, Delete) else type(write.obj)) is not Pod
    ):
        return Plan()
    verb = "creating" if isinstance(write, Create) else "deleting"
    reason = "FailedCreate" if isinstance(write, Create) else "FailedDelete"
    report = Report(regarding=owner, type="Warning", reason=reason, message=f"Error {verb}: {message}")
    return Plan(reports=(report,))


def _restarts(pod: Pod) -> int:
    return max((status.restart_count for status in pod.status.container_statuses), default=0)


def _sidecar_restarts(pod: Pod) -> int:
    sidecars = {container.name for container in pod.spec.init_containers if container.restart_policy == "Always"}
    statuses: Iterable[ContainerStatus] = pod.status.init_container_statuses
    return max((status.restart_count for status in statuses if status.name in sidecars), default=0)


def _deletion_cost(pod: Pod) -> int:
    try:
        return int(pod.metadata.annotations.get(DELETION_COST, "0"))
    except ValueError:
        return 0


def _age_rank(time: float, now: float) -> int:
    """Ages compare by powers of two, so that a little older is as old."""
    age_ns = int((now - time) * 1e9)
    return age_ns.bit_length() - 1 if age_ns > 0 else -1


def _by_time(a: float, b: float, *, uids: tuple[str, str], now: float) -> int:
    """The younger first; those of about the same age by uid."""
    ranks = _age_rank(a, now), _age_rank(b, now)
    return _order(ranks) or _order(uids)


def _order(pair: tuple[Any, Any]) -> int:
    return int(pair[0] > pair[1]) - int(pair[0] < pair[1])


def deletion_order(pods: Iterable[Pod], neighbours: Mapping[str, int], now: float) -> list[Pod]:
    """`pods`, the first to be given up first; `neighbours` counts related pods by node."""

    def compare(a: Pod, b: Pod) -> int:
        first = (
            _order((bool(a.spec.node_name), bool(b.spec.node_name)))
            or _order((PHASES.get(a.status.phase, 2), PHASES.get(b.status.phase, 2)))
            or _order((is_ready(a), is_ready(b)))
            or _order((_deletion_cost(a), _deletion_cost(b)))
            or _order((neighbours.get(b.spec.node_name, 0), neighbours.get(a.spec.node_name, 0)))
        )
        if first:
            return first
        uids = a.metadata.uid, b.metadata.uid
        if is_ready(a):
            ready = tuple(seconds(c.last_transition_time) if (c := condition_of(p, "Ready")) else 0.0 for p in (a, b))
            if ready[0] != ready[1]:
                return _by_time(ready[0], ready[1], uids=uids, now=now)
        restarts = _order((_restarts(b), _restarts(a))) or _order((_sidecar_restarts(b), _sidecar_restarts(a)))
        if restarts:
            return restarts
        born = seconds(a.metadata.creation_timestamp), seconds(b.metadata.creation_timestamp)
        return _by_time(*born, uids=uids, now=now) if born[0] != born[1] else _order(uids)

    return sorted(pods, key=functools.cmp_to_key(compare))


def with_labels(template: PodTemplateSpec, labels: Mapping[str, str]) -> PodTemplateSpec:
    """`template` with `labels` added."""
    meta = template.metadata
    return replace(template, metadata=replace(meta, labels={**meta.labels, **labels}))
