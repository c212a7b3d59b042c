"""Ends containers of a pod: preStop, then the stop signal, then SIGKILL, sidecars after what they serve.

Source: pkg/kubelet/kuberuntime/kuberuntime_container.go (killContainer), kuberuntime_termination_order.go,
https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination
"""

from __future__ import annotations

from collections.abc import Sequence

import anyio

from kubelite.actor.log import get_logger
from kubelite.api.core_v1 import Container as ContainerSpec, EphemeralContainerCommon, Pod
from kubelite.kubelet.handlers import HookFailed, Target
from kubelite.kubelet.observed import ObservedPod, find_spec, is_sidecar
from kubelite.kubelet.parts import Parts
from kubelite.kubelet.pod_actions import Kill
from kubelite.kubelet.probes import probe_of
from kubelite.kubelet.runtime import Container, RuntimeFailed

#: What a container gets to react to its stop signal, however little grace is left.
MIN_GRACE_S = 2.0
DEFAULT_GRACE_S = 30.0

log = get_logger(__name__)


def grace_period_s(pod: Pod) -> float:
    """How long the pod may take to end."""
    deletion = pod.metadata.deletion_grace_period_seconds
    own = pod.spec.termination_grace_period_seconds
    chosen = deletion if deletion is not None else own
    return max(float(chosen), 1.0) if chosen is not None else DEFAULT_GRACE_S


async def kill_one(parts: Parts, pod: Pod, observed: ObservedPod, kill: Kill) -> None:
    """Ends a container that has to go while the pod stays. Raises: RuntimeFailed."""
    spec = find_spec(pod, kill.name)
    grace_s = grace_period_s(pod)
    kind = {"Liveness": "liveness", "Startup": "startup"}.get(kill.reason)
    if spec is not None and kind is not None:
        probe = probe_of(spec, "liveness" if kind == "liveness" else "startup")
        if probe is not None and probe.termination_grace_period_seconds is not None:
            grace_s = float(probe.termination_grace_period_seconds)
    await _end(parts, pod, observed, kill.container_id, spec, kill.name, kill.message, grace_s, ())


async def kill_all(parts: Parts, pod: Pod, observed: ObservedPod, *, grace_s: float) -> None:
    """Ends everything that runs, then the sandboxes. Raises: RuntimeFailed."""
    order = _sidecars_last_first(pod)
    ended = {container.id: anyio.Event() for container in observed.running}
    failures: list[RuntimeFailed] = []

    async def end(container: Container) -> None:
        spec = find_spec(pod, container.name)
        before = tuple(ended[each.id] for each in _served_by(container, observed.running, order))
        try:
            await _end(
                parts,
                pod,
                observed,
                container.id,
                spec,
                container.name,
                f"Stopping container {container.name}",
                grace_s,
                before,
            )
        except RuntimeFailed as error:
            failures.append(error)
        ended[container.id].set()

    async with anyio.create_task_group() as group:
        for container in observed.running:
            group.start_soon(end, container)
    if failures:
        raise failures[0]
    for sandbox in observed.sandboxes:
        if sandbox.ready or sandbox.pid:
            await parts.runtime.stop_pod_sandbox(sandbox.id)


def _sidecars_last_first(pod: Pod) -> dict[str, int]:
    """The turn of each sidecar: what is not one has turn 0."""
    names = [each.name for each in pod.spec.init_containers if is_sidecar(each)]
    return {name: turn for turn, name in enumerate(reversed(names), start=1)}


def _served_by(container: Container, running: Sequence[Container], order: dict[str, int]) -> list[Container]:
    turn = order.get(container.name, 0)
    return [each for each in running if order.get(each.name, 0) < turn]


async def _end(
    parts: Parts,
    pod: Pod,
    observed: ObservedPod,
    container_id: str,
    spec: ContainerSpec | EphemeralContainerCommon | None,
    name: str,
    message: str,
    grace_s: float,
    before: tuple[anyio.Event, ...],
) -> None:
    parts.report(pod, "Normal", "Killing", message, container=name)
    began = parts.clock.monotonic()
    hook = spec.lifecycle.pre_stop if spec is not None and spec.lifecycle is not None else None
    if spec is not None and hook is not None and grace_s > 0:
        target = Target(pod=pod, spec=spec, container_id=container_id, pod_ip=observed.ip)
        with anyio.move_on_after(grace_s):
            try:
                await parts.hooks.run(target, hook)
            except HookFailed as error:
                parts.report(pod, "Warning", "FailedPreStopHook", "PreStopHook failed", container=name)
                log.info("PreStop hook failed", pod=pod.metadata.name, container=name, error=str(error))
    with anyio.move_on_after(max(grace_s - (parts.clock.monotonic() - began), 0.0)):
        for event in before:
            await event.wait()
    left_s = grace_s - (parts.clock.monotonic() - began)
    await parts.runtime.stop_container(container_id, grace_s=max(left_s, MIN_GRACE_S))
