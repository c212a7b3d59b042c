"""The status of a pod: phase, conditions, addresses and containers. Pure.

Computed from the spec, what the runtime shows, what probes said and what was reported last; never from a clock. A terminal
phase is never left again.
Source: pkg/kubelet/kubelet_pods.go (generateAPIPodStatus, getPhase), https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

from __future__ import annotations

from msgspec.structs import replace

from kubelite.api.core_v1 import (
    ContainerState,
    ContainerStateTerminated,
    ContainerStatus,
    HostIP,
    Pod,
    PodIP,
    PodStatus,
)
from kubelite.api.timestamp import rfc3339
from kubelite.kubelet.container_status import Facts, container_statuses
from kubelite.kubelet.failure import Failure
from kubelite.kubelet.observed import is_sidecar, is_terminal
from kubelite.kubelet.pod_conditions import compute_conditions
from kubelite.kubelet.qos import qos_class
from kubelite.kubelet.runtime import State


def compute_status(
    pod: Pod,
    facts: Facts,
    *,
    previous: PodStatus,
    host_ip: str,
    now: float,
    over: bool = False,
    failure: Failure | None = None,
) -> PodStatus:
    """`previous` is what was reported last; `over`: no container will be started again; `failure` fails the pod."""
    spec = pod.spec
    main = container_statuses(pod, spec.containers, "main", previous.container_statuses, facts)
    init = container_statuses(pod, spec.init_containers, "init", previous.init_container_statuses, facts)
    ephemeral = container_statuses(
        pod, spec.ephemeral_containers, "ephemeral", previous.ephemeral_container_statuses, facts
    )
    statuses = {status.name: status for status in (*init, *main)}
    phase = "Failed" if failure else _phase(pod, statuses, over=over, initialized=_any_main_active(pod, facts))
    if is_terminal(previous.phase):
        phase = previous.phase
    reason, message = (failure.reason, failure.message) if failure else ("", "")
    if phase == previous.phase and not reason:
        reason, message = previous.reason, previous.message
    ip = facts.observed.ip or (host_ip if spec.host_network else "")
    if not ip and (over or is_terminal(phase)):
        ip = previous.pod_ip
    return replace(
        previous,
        phase=phase,
        reason=reason,
        message=message,
        conditions=compute_conditions(
            pod,
            facts.observed,
            phase=phase,
            statuses=statuses,
            old=previous.conditions,
            resize=facts.resize,
            disruption=failure.message if failure is not None and failure.disruption else "",
            now=now,
        ),
        host_ip=host_ip,
        host_ips=(HostIP(ip=host_ip),) if host_ip else (),
        pod_ip=ip,
        pod_ips=(PodIP(ip=ip),) if ip else (),
        start_time=previous.start_time or rfc3339(now),
        init_container_statuses=init,
        container_statuses=main,
        ephemeral_container_statuses=ephemeral,
        qos_class=qos_class(pod),
    )


def _any_main_active(pod: Pod, facts: Facts) -> bool:
    """Whether a main container was started in the present sandbox: then the pod stays initialized while sidecars restart."""
    sandbox = facts.observed.sandbox
    newest = [facts.observed.newest(container.name) for container in pod.spec.containers]
    active = (each for each in newest if each and sandbox and each.sandbox_id == sandbox.id)
    return any(each.state is not State.CREATED for each in active)


def _phase(pod: Pod, statuses: dict[str, ContainerStatus], *, over: bool, initialized: bool) -> str:
    pending_init = failed_init = pending_sidecars = 0
    running = waiting = stopped = succeeded = 0
    for spec in pod.spec.init_containers:
        status = statuses[spec.name]
        state, last = status.state, status.last_state.terminated
        if is_sidecar(spec):
            if state.running is not None:
                running += 1
                pending_sidecars += not status.started
            elif state.terminated is None and last is None:
                pending_sidecars += 1
                waiting += 1
        elif state.terminated is not None:
            failed_init += state.terminated.exit_code != 0
        elif state.waiting is not None and last is not None:
            failed_init += last.exit_code != 0
        else:
            pending_init += 1
    for spec in pod.spec.containers:
        status = statuses[spec.name]
        if status.state.running is not None:
            running += 1
        elif status.state.terminated is not None:
            stopped += 1
            succeeded += status.state.terminated.exit_code == 0
        elif status.last_state.terminated is not None:
            stopped += 1
        else:
            waiting += 1
    policy = pod.spec.restart_policy
    if failed_init and policy == "Never":
        return "Failed"
    if pending_init or (pending_sidecars and not initialized) or waiting:
        return "Pending"
    if running:
        return "Running"
    if not stopped:
        return "Pending"
    if over:
        return "Succeeded" if stopped == succeeded else "Failed"
    if policy == "Always":
        return "Running"
    if stopped == succeeded:
        return "Succeeded"
    return "Failed" if policy == "Never" else "Running"


def finished(pod: Pod, status: PodStatus) -> PodStatus:
    """The last status of a pod: what never ended visibly is said to be lost, and the phase is terminal.

    Source: pkg/kubelet/status/status_manager.go (TerminatePod)
    """
    initialized = any(
        each.state.running or each.state.terminated or each.last_state.terminated for each in status.container_statuses
    )
    main = tuple(_ended(each) for each in status.container_statuses)
    init = tuple(_ended(each) if initialized or each.state.running else each for each in status.init_container_statuses)
    phase = status.phase if is_terminal(status.phase) else "Failed"
    return replace(status, container_statuses=main, init_container_statuses=init, phase=phase)


def _ended(status: ContainerStatus) -> ContainerStatus:
    if status.state.terminated is not None:
        return status
    if status.last_state.terminated is not None and status.state.waiting is not None:
        return replace(status, state=status.last_state, last_state=ContainerState())
    lost = ContainerStateTerminated(
        reason="ContainerStatusUnknown",
        message="The container could not be located when the pod was terminated",
        exit_code=137,
    )
    return replace(status, state=ContainerState(terminated=lost), ready=False, started=False)
