"""The conditions of a pod that the kubelet owns. Pure.

Source: pkg/kubelet/status/generate.go, pkg/kubelet/types/pod_status.go, status_manager.go (updateLastTransitionTime)
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from kubelite.api.core_v1 import ContainerStatus, Pod, PodCondition
from kubelite.api.timestamp import rfc3339
from kubelite.kubelet.observed import ObservedPod, is_sidecar, sandbox_changed
from kubelite.kubelet.pod_resize import IN_PROGRESS, PENDING

#: Written by the kubelet and nobody else.
OWNED = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled", PENDING, IN_PROGRESS)

#: The kubelet's only if it says so.
DISRUPTED = "DisruptionTarget"

Statuses = dict[str, ContainerStatus]


def compute_conditions(
    pod: Pod,
    observed: ObservedPod,
    *,
    phase: str,
    statuses: Statuses,
    old: tuple[PodCondition, ...],
    resize: PodCondition | None = None,
    disruption: str = "",
    now: float,
) -> tuple[PodCondition, ...]:
    """All conditions: those of others unchanged, then the kubelet's; `old` keeps times of what did not change.

    `disruption`: why the kubelet had to end the pod.
    """
    others = tuple(each for each in pod.status.conditions if each.type not in OWNED)
    if disruption:
        others = tuple(each for each in others if each.type != DISRUPTED)
    containers_ready = _containers_ready(pod, phase, statuses)
    own = (
        *((resize,) if resize is not None else ()),
        *((_condition(DISRUPTED, ok=True, reason="TerminationByKubelet", message=disruption),) if disruption else ()),
        _condition("PodReadyToStartContainers", ok=not sandbox_changed(pod, observed)),
        _initialized(pod, phase, statuses),
        _ready(pod, containers_ready, others),
        containers_ready,
        _condition("PodScheduled", ok=True),
    )
    known = {each.type: each for each in old}
    return others + tuple(_timed(each, known.get(each.type), now) for each in own)


def _condition(type_: str, *, ok: bool, reason: str = "", message: str = "") -> PodCondition:
    return PodCondition(type=type_, status="True" if ok else "False", reason=reason, message=message)


def _timed(condition: PodCondition, old: PodCondition | None, now: float) -> PodCondition:
    same = old is not None and old.status == condition.status and old.last_transition_time
    return replace(condition, last_transition_time=old.last_transition_time if old and same else rfc3339(now))


def _names(names: list[str]) -> str:
    return f"[{' '.join(names)}]"


def _message(unknown: list[str], lacking: list[str], what: str) -> str:
    parts = []
    if unknown:
        parts.append(f"containers with unknown status: {_names(unknown)}")
    if lacking:
        parts.append(f"containers with {what} status: {_names(lacking)}")
    return ", ".join(parts)


def _containers_ready(pod: Pod, phase: str, statuses: Statuses) -> PodCondition:
    specs = [*(each for each in pod.spec.init_containers if is_sidecar(each)), *pod.spec.containers]
    unknown = [spec.name for spec in specs if spec.name not in statuses]
    unready = [spec.name for spec in specs if spec.name in statuses and not statuses[spec.name].ready]
    if phase == "Succeeded" and not unknown:
        return _condition("ContainersReady", ok=False, reason="PodCompleted")
    if phase == "Failed":
        return _condition("ContainersReady", ok=False, reason="PodFailed")
    if message := _message(unknown, unready, "unready"):
        return _condition("ContainersReady", ok=False, reason="ContainersNotReady", message=message)
    return _condition("ContainersReady", ok=True)


def _ready(pod: Pod, containers_ready: PodCondition, others: Iterable[PodCondition]) -> PodCondition:
    if containers_ready.status != "True":
        return replace(containers_ready, type="Ready")
    given = {each.type: each.status for each in others}
    lacking = []
    for gate in pod.spec.readiness_gates:
        status = given.get(gate.condition_type)
        if status is None:
            lacking.append(f'corresponding condition of pod readiness gate "{gate.condition_type}" does not exist.')
        elif status != "True":
            lacking.append(f'the status of pod readiness gate "{gate.condition_type}" is not "True", but {status}')
    if lacking:
        return _condition("Ready", ok=False, reason="ReadinessGatesNotReady", message=", ".join(lacking))
    return _condition("Ready", ok=True)


def _initialized(pod: Pod, phase: str, statuses: Statuses) -> PodCondition:
    specs = pod.spec.init_containers
    unknown = [spec.name for spec in specs if spec.name not in statuses]
    incomplete = []
    for spec in specs:
        if (status := statuses.get(spec.name)) is not None:
            done = status.started if is_sidecar(spec) else status.ready
            if not done:
                incomplete.append(spec.name)
    if phase == "Succeeded" and not unknown:
        return _condition("Initialized", ok=True, reason="PodCompleted")
    if any(_has_started(statuses.get(spec.name)) for spec in pod.spec.containers):
        return _condition("Initialized", ok=True)
    if message := _message(unknown, incomplete, "incomplete"):
        return _condition("Initialized", ok=False, reason="ContainersNotInitialized", message=message)
    return _condition("Initialized", ok=True)


def _has_started(status: ContainerStatus | None) -> bool:
    """Whether a main container ever ran: then the pod was initialized, even if a sidecar starts again."""
    if status is None:
        return False
    return status.state.running is not None or bool(status.state.terminated or status.last_state.terminated)
