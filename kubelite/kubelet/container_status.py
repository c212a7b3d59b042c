"""The status of each container of a pod, from what the runtime says, what is in the way, and what was reported before. Pure.

Source: pkg/kubelet/kubelet_pods.go (convertToAPIContainerStatuses), pkg/kubelet/prober/prober_manager.go (UpdatePodStatus)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec.structs import replace

from kubelite.api.core_v1 import (
    Container as ContainerSpec,
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    Pod,
    PodCondition,
    VolumeMount,
    VolumeMountStatus,
)
from kubelite.api.timestamp import rfc3339
from kubelite.kubelet.observed import ObservedPod, Spec, is_sidecar, main_container_created, should_restart
from kubelite.kubelet.pod_actions import Kind, Results
from kubelite.kubelet.runtime import Container, State


class Waiting(msgspec.Struct, frozen=True):
    """Why a container could not be started, e.g. ("ImagePullBackOff", "Back-off pulling image ...")."""

    reason: str
    message: str = ""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What container statuses are computed from, beside the pod's spec."""

    observed: ObservedPod
    results: Results
    waiting: Mapping[str, Waiting]  #: by container name
    resize: PodCondition | None = None  #: why a resize waits or goes on
    runtime: str  #: the scheme of container ids, e.g. docker


def container_statuses(
    pod: Pod, specs: Iterable[Spec], kind: Kind, previous: tuple[ContainerStatus, ...], facts: Facts
) -> tuple[ContainerStatus, ...]:
    """One status per spec: in the spec's order for init containers, else by name."""
    known = {status.name: status for status in previous}
    found = [_one(pod, spec, kind, known.get(spec.name), facts) for spec in specs]
    return tuple(found if kind == "init" else sorted(found, key=lambda status: status.name))


def _one(pod: Pod, spec: Spec, kind: Kind, old: ContainerStatus | None, facts: Facts) -> ContainerStatus:
    attempts = facts.observed.attempts(spec.name)
    if attempts:
        status = _seen(spec, attempts[0], old, facts)
        if len(attempts) > 1:
            status = replace(status, last_state=_state(attempts[1], facts.runtime))
        elif old is not None and old.container_id != status.container_id:
            # The runtime forgot the attempt before this one; what was reported of it still holds.
            status = replace(status, last_state=old.state if old.state.terminated else old.last_state)
        elif old is not None:
            status = replace(status, last_state=old.last_state)
    else:
        status = _unseen(pod, spec, old)
    status = _held_back(pod, spec, kind, status, facts)
    return _probed(spec, kind, status, facts.results, attempts[0].id if attempts else "")


def _seen(spec: Spec, container: Container, old: ContainerStatus | None, facts: Facts) -> ContainerStatus:
    return ContainerStatus(
        name=spec.name,
        state=_state(container, facts.runtime),
        restart_count=container.attempt,
        image=container.image,
        image_id=container.image_ref,
        container_id=f"{facts.runtime}://{container.id}",
        resources=spec.resources,
        allocated_resources=spec.resources.requests,
        volume_mounts=old.volume_mounts if old else _volume_mounts(spec.volume_mounts),
    )


def _state(container: Container, runtime: str) -> ContainerState:
    if container.state is State.RUNNING:
        return ContainerState(running=ContainerStateRunning(started_at=rfc3339(container.started_at)))
    if container.state is State.CREATED:
        return ContainerState(waiting=ContainerStateWaiting())
    return ContainerState(
        terminated=ContainerStateTerminated(
            exit_code=container.exit_code,
            signal=container.signal,
            reason=container.reason,
            message=container.message,
            started_at=rfc3339(container.started_at) if container.started_at else None,
            finished_at=rfc3339(container.finished_at) if container.finished_at else None,
            container_id=f"{runtime}://{container.id}",
        )
    )


def _unseen(pod: Pod, spec: Spec, old: ContainerStatus | None) -> ContainerStatus:
    """The status of a container that the runtime does not have: not made yet, or gone."""
    if old is not None and old.state.terminated is not None:
        return old
    status = ContainerStatus(
        name=spec.name,
        image=spec.image,
        state=ContainerState(
            waiting=ContainerStateWaiting(reason="PodInitializing" if pod.spec.init_containers else "ContainerCreating")
        ),
        volume_mounts=_volume_mounts(spec.volume_mounts),
    )
    if old is None:
        return status
    status = replace(status, restart_count=old.restart_count, last_state=old.last_state)
    if old.state.running is None or old.last_state.terminated is not None:
        return status
    lost = ContainerStateTerminated(
        reason="ContainerStatusUnknown",
        message="The container could not be located when the pod was deleted.  The container used to be Running",
        exit_code=137,
    )
    restarted = pod.metadata.deletion_timestamp is None
    return replace(
        status,
        last_state=ContainerState(terminated=lost),
        restart_count=old.restart_count + 1 if restarted else old.restart_count,
    )


def _held_back(pod: Pod, spec: Spec, kind: Kind, status: ContainerStatus, facts: Facts) -> ContainerStatus:
    """A container that should run but could not be started waits, with the reason."""
    newest = facts.observed.newest(spec.name)
    if kind == "init" and isinstance(spec, ContainerSpec):
        if newest is not None and newest.state is State.EXITED and newest.exit_code == 0 and not is_sidecar(spec):
            return status
        forgotten = newest is None and status.state.waiting is not None and not is_sidecar(spec)
        if forgotten and main_container_created(pod, facts.observed):
            done = ContainerStateTerminated(
                exit_code=0,
                reason="Completed",
                message="Unable to get init container status from container runtime and pod has been initialized, "
                "treat it as exited normally",
            )
            return replace(status, state=ContainerState(terminated=done))
    reason = facts.waiting.get(spec.name)
    wanted = isinstance(spec, ContainerSpec) and should_restart(spec, pod, facts.observed)
    if reason is None or not (wanted or (kind == "ephemeral" and newest is None)):
        return status
    last = status.state if status.state.terminated else status.last_state
    waiting = ContainerStateWaiting(reason=reason.reason, message=reason.message)
    return replace(status, state=ContainerState(waiting=waiting), last_state=last)


def _probed(spec: Spec, kind: Kind, status: ContainerStatus, results: Results, container_id: str) -> ContainerStatus:
    """`started` and `ready`, from the probes; a container without a probe passes it."""
    if kind == "ephemeral":
        return status
    running = status.state.running is not None
    started = running and results.get((container_id, "startup"), spec.startup_probe is None)
    status = replace(status, started=started, ready=False)
    if kind == "init" and not (isinstance(spec, ContainerSpec) and is_sidecar(spec)):
        ended = status.state.terminated
        return replace(status, ready=ended is not None and ended.exit_code == 0)
    ready = started and results.get((container_id, "readiness"), spec.readiness_probe is None)
    return replace(status, ready=ready)


def _volume_mounts(mounts: tuple[VolumeMount, ...]) -> tuple[VolumeMountStatus, ...]:
    return tuple(
        VolumeMountStatus(
            name=mount.name,
            mount_path=mount.mount_path,
            read_only=mount.read_only,
            recursive_read_only="Disabled" if mount.read_only else None,
        )
        for mount in mounts
    )
