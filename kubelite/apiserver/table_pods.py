"""The pod's row: its status in a word, its restarts, and where it runs. Pure.

Source: kubernetes pkg/printers/internalversion/printers.go printPod
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kubelite.api import core_v1 as core
from kubelite.apiserver.table_columns import NONE, Printer, age, columns, since

COLUMNS = columns(
    "Name",
    "Ready",
    "Status",
    "Restarts",
    "Age",
    wide=("IP", "Node", "Nominated Node", "Readiness Gates"),
)
#: The reason a pod has when its node does not report.
_NODE_LOST = "NodeLost"


def _restartable(container: core.Container) -> bool:
    return container.restart_policy == "Always"


def _init_reason(pod: core.Pod) -> str | None:
    """Why the pod is still initializing; None when it is not."""
    by_name = {container.name: container for container in pod.spec.init_containers}
    for at, status in enumerate(pod.status.init_container_statuses):
        state = status.state
        terminated, waiting = state.terminated, state.waiting
        sidecar = status.name in by_name and _restartable(by_name[status.name])
        if terminated is not None and terminated.exit_code == 0:
            continue
        if sidecar and status.started:
            continue
        if terminated is not None:
            if terminated.reason:
                return f"Init:{terminated.reason}"
            what = f"Signal:{terminated.signal}" if terminated.signal else f"ExitCode:{terminated.exit_code}"
            return f"Init:{what}"
        if waiting is not None and waiting.reason and waiting.reason != "PodInitializing":
            return f"Init:{waiting.reason}"
        return f"Init:{at}/{len(pod.spec.init_containers)}"
    return None


def _initialized(pod: core.Pod) -> bool:
    return any(entry.type == "Initialized" and entry.status == "True" for entry in pod.status.conditions)


def _main_reason(pod: core.Pod, reason: str) -> str:
    """What the containers' states add to `reason`; the first container has the last word."""
    running = False
    for status in reversed(pod.status.container_statuses):
        state = status.state
        if state.waiting is not None and state.waiting.reason:
            reason = state.waiting.reason
        elif state.terminated is not None:
            terminated = state.terminated
            signal = f"Signal:{terminated.signal}" if terminated.signal else f"ExitCode:{terminated.exit_code}"
            reason = terminated.reason or signal
        elif status.ready and state.running is not None:
            running = True
    if reason == "Completed" and running:
        ready = any(entry.type == "Ready" and entry.status == "True" for entry in pod.status.conditions)
        return "Running" if ready else "NotReady"
    return reason


def pod_reason(pod: core.Pod) -> str:
    """The Status column."""
    status = pod.status
    reason = status.reason or status.phase
    for condition in status.conditions:
        if condition.type == "PodScheduled" and condition.reason == "SchedulingGated":
            reason = "SchedulingGated"
    initializing = _init_reason(pod)
    if initializing is not None:
        reason = initializing
    if initializing is None or _initialized(pod):
        reason = _main_reason(pod, reason)
    if pod.metadata.deletion_timestamp is not None:
        if status.reason == _NODE_LOST:
            return "Unknown"
        if status.phase not in ("Failed", "Succeeded"):
            return "Terminating"
    return reason


def _restarts(pod: core.Pod, now: float) -> str:
    """How often the containers that matter now restarted, and how long ago the last time was."""
    by_name = {container.name: container for container in pod.spec.init_containers}
    inits = [status for status in pod.status.init_container_statuses if status.name in by_name]
    sidecars = [status for status in inits if _restartable(by_name[status.name])]
    initializing = _init_reason(pod) is not None and not _initialized(pod)
    counted = inits if initializing else [*sidecars, *pod.status.container_statuses]
    count = sum(status.restart_count for status in counted)
    ends = [s.last_state.terminated.finished_at for s in counted if s.last_state.terminated is not None]
    last = max((end for end in ends if end), default=None)
    return f"{count} ({since(last, now)} ago)" if count and last else str(count)


def _ready(pod: core.Pod) -> str:
    by_name = {container.name: container for container in pod.spec.init_containers}
    sidecars = [status for status in pod.status.init_container_statuses if status.name in by_name]
    ready = sum(1 for s in sidecars if _restartable(by_name[s.name]) and s.started and s.ready)
    ready += sum(1 for s in pod.status.container_statuses if s.ready and s.state.running is not None)
    total = len(pod.spec.containers) + sum(1 for container in pod.spec.init_containers if _restartable(container))
    return f"{ready}/{total}"


def _gates(pod: core.Pod) -> str:
    if not pod.spec.readiness_gates:
        return NONE
    true = {entry.type for entry in pod.status.conditions if entry.status == "True"}
    met = sum(1 for gate in pod.spec.readiness_gates if gate.condition_type in true)
    return f"{met}/{len(pod.spec.readiness_gates)}"


def pod_cells(pod: core.Pod, now: float) -> Sequence[Any]:
    return (
        pod.metadata.name,
        _ready(pod),
        pod_reason(pod),
        _restarts(pod, now),
        age(pod, now),
        pod.status.pod_ips[0].ip if pod.status.pod_ips else pod.status.pod_ip or NONE,
        pod.spec.node_name or NONE,
        pod.status.nominated_node_name or NONE,
        _gates(pod),
    )


_DONE = {"Succeeded": "The pod has completed successfully.", "Failed": "The pod failed."}


def _conditions(pod: core.Pod) -> Sequence[Mapping[str, str]]:
    if pod.status.phase not in _DONE:
        return ()
    phase = pod.status.phase
    return ({"type": "Completed", "status": "True", "reason": phase, "message": _DONE[phase]},)


POD = Printer(COLUMNS, pod_cells, _conditions)
