"""What to do about a pod now: the spec against what runs. Pure.

Here alone is decided when a sandbox or container is made, killed, restarted or held back. Instants are data: `requeue_at` says
when to ask again even if nothing happens. Knows nothing of images, volumes, probes' schedules or the runtime's calls.
Source: pkg/kubelet/kuberuntime/kuberuntime_manager.go (computePodActions, doBackOff),
kuberuntime_container.go (computeInitContainerActions)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from kubelite.api.core_v1 import Container as ContainerSpec, Pod
from kubelite.kubelet import crash_backoff
from kubelite.kubelet.crash_backoff import Delay
from kubelite.kubelet.observed import (
    HASH_ANNOTATION,
    ObservedPod,
    is_sidecar,
    main_container_created,
    sandbox_changed,
    should_restart,
    spec_hash,
)
from kubelite.kubelet.pod_resize import compute_resize
from kubelite.kubelet.runtime import Container, Resources, State

Kind = Literal["init", "main", "ephemeral"]
ProbeKind = Literal["startup", "liveness", "readiness"]
#: The last result of each probe that has one, by container id.
Results = Mapping[tuple[str, ProbeKind], bool]


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """Start a container as its `attempt`th try; `delay` is what to remember for the next time (None: nothing)."""

    kind: Kind
    name: str
    attempt: int
    delay: Delay | None = None


class Kill(msgspec.Struct, frozen=True, kw_only=True):
    """`reason` is a probe's name if a probe failed; `message` is what the Event says."""

    container_id: str
    name: str
    message: str
    reason: Literal["", "Liveness", "Startup"] = ""


class Resize(msgspec.Struct, frozen=True, kw_only=True):
    """A running container gets other resources."""

    container_id: str
    name: str
    resources: Resources


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A container that waits for its back-off."""

    kind: Kind
    name: str
    delay_s: float
    until: float


class Actions(msgspec.Struct, frozen=True, kw_only=True):
    """Carried out in this order: kill the pod or some containers, resize, make the sandbox, start containers."""

    kill_pod: bool = False  #: everything that runs, and the sandbox
    create_sandbox: bool = False
    sandbox_attempt: int = 0
    kill: tuple[Kill, ...] = ()
    resize: tuple[Resize, ...] = ()
    start: tuple[Start, ...] = ()
    held: tuple[Held, ...] = ()
    requeue_at: float | None = None


class _Plan:
    """The names to start and containers to kill, while they are being decided."""

    def __init__(self) -> None:
        self.kill_pod = False
        self.kill: list[Kill] = []
        self.resize: list[Resize] = []
        self.init: list[str] = []
        self.main: list[str] = []
        self.ephemeral: list[str] = []


def compute_actions(
    pod: Pod,
    observed: ObservedPod,
    *,
    results: Results,
    delays: Mapping[str, Delay],
    counts: Mapping[str, int],
    now: float,
) -> Actions:
    """`delays` by container name; `counts` are the restart counts last reported, for containers that the runtime forgot."""
    plan = _Plan()
    newest = observed.sandbox
    create = sandbox_changed(pod, observed)
    if create:
        plan.kill_pod = bool(observed.sandboxes or observed.containers)
        attempt = newest.attempt + 1 if newest else 0
        names = _names_for_new_sandbox(pod, observed, attempt)
        if names is None:
            return Actions(kill_pod=True)
        if pod.spec.init_containers:
            plan.init = [pod.spec.init_containers[0].name]
        else:
            plan.main = names
    else:
        attempt = newest.attempt if newest else 0
        _compare(pod, observed, results, plan)
    starts, held = _starts(plan, observed, delays, counts, now)
    return Actions(
        kill_pod=plan.kill_pod,
        create_sandbox=create,
        sandbox_attempt=attempt,
        kill=() if plan.kill_pod else tuple(plan.kill),
        resize=() if plan.kill_pod else tuple(plan.resize),
        start=starts,
        held=held,
        requeue_at=min((each.until for each in held), default=None),
    )


def _names_for_new_sandbox(pod: Pod, observed: ObservedPod, attempt: int) -> list[str] | None:
    """The main containers to start in a new sandbox; None when the pod is done and needs none."""
    if pod.metadata.deletion_timestamp is not None:
        return None
    if pod.spec.restart_policy == "Never" and attempt != 0 and observed.containers:
        return None
    names = []
    for container in pod.spec.containers:
        last = observed.newest(container.name)
        succeeded = last is not None and last.state is State.EXITED and last.exit_code == 0
        if not (pod.spec.restart_policy == "OnFailure" and succeeded):
            names.append(container.name)
    if not names and main_container_created(pod, observed):
        return None
    return names


def _compare(pod: Pod, observed: ObservedPod, results: Results, plan: _Plan) -> None:
    if pod.metadata.deletion_timestamp is None:
        plan.ephemeral = [each.name for each in pod.spec.ephemeral_containers if observed.newest(each.name) is None]
    initialized = _compare_init(pod, observed, results, plan)
    if plan.kill_pod or not initialized:
        return
    kept = 0
    for container in pod.spec.containers:
        newest = observed.newest(container.name)
        if newest is None or newest.state is not State.RUNNING:
            if should_restart(container, pod, observed):
                plan.main.append(container.name)
            continue
        kill, restart = _verdict("Container", container, newest, results)
        if kill is None:
            resources, anew = compute_resize(pod, container, newest.resources)
            if resources is not None and anew and pod.spec.restart_policy != "Never":
                text = f"Container {container.name} resize requires restart"
                kill, restart = Kill(container_id=newest.id, name=container.name, message=text), True
            elif resources is not None:
                plan.resize.append(Resize(container_id=newest.id, name=container.name, resources=resources))
        if kill is None:
            kept += 1
            continue
        if restart or pod.spec.restart_policy != "Never":
            kill = msgspec.structs.replace(kill, message=f"{kill.message}, will be restarted")
            plan.main.append(container.name)
        plan.kill.append(kill)
    if kept == 0 and not plan.main:
        plan.kill_pod = True
        plan.init = []


def _verdict(label: str, spec: ContainerSpec, running: Container, results: Results) -> tuple[Kill | None, bool]:
    """Why a running container must go, and whether it comes back whatever the restart policy says."""

    def kill(why: str, reason: Literal["", "Liveness", "Startup"]) -> Kill:
        message = f"{label} {spec.name} {why}"
        return Kill(container_id=running.id, name=spec.name, message=message, reason=reason)

    if running.annotations.get(HASH_ANNOTATION, spec_hash(spec)) != spec_hash(spec):
        return kill("definition changed", ""), True
    if results.get((running.id, "liveness")) is False:
        return kill("failed liveness probe", "Liveness"), False
    if results.get((running.id, "startup")) is False:
        return kill("failed startup probe", "Startup"), False
    return None, False


def _compare_init(pod: Pod, observed: ObservedPod, results: Results, plan: _Plan) -> bool:
    """Plans the init containers; True when the main containers may start.

    From the last to the first: the newest that has a state tells how far the pod came; those before it must have finished,
    and only sidecars among them have to be running still.
    """
    specs = pod.spec.init_containers
    if not specs:
        return True
    states = [observed.newest(container.name) for container in pod.spec.containers]
    initialized = any(each is not None and each.state is not State.EXITED for each in states)
    reached = initialized
    for index in range(len(specs) - 1, -1, -1):
        spec = specs[index]
        newest = observed.newest(spec.name)
        if newest is None:
            if reached and is_sidecar(spec):
                plan.init.append(spec.name)
            continue
        if reached and not is_sidecar(spec):
            continue
        done = False
        if is_sidecar(spec):
            done = _compare_sidecar(spec, newest, results, plan)
        elif newest.state is State.CREATED:
            plan.init.append(spec.name)
        elif newest.state is State.EXITED and newest.exit_code != 0:
            if pod.spec.restart_policy == "Never":
                plan.kill_pod, plan.init = True, []
                return False
            plan.init.append(spec.name)
        else:
            done = newest.state is State.EXITED
        if done and index == len(specs) - 1:
            initialized = True
        elif done and not reached:
            plan.init.append(specs[index + 1].name)
        reached = True
    if not reached:
        plan.init.append(specs[0].name)
    plan.init.reverse()
    return initialized


def _compare_sidecar(spec: ContainerSpec, newest: Container, results: Results, plan: _Plan) -> bool:
    """Plans one sidecar; True when it has started, so that the next may."""
    if newest.state is not State.RUNNING:
        plan.init.append(spec.name)
        return False
    kill, _ = _verdict("Init container", spec, newest, results)
    if kill is not None:
        plan.kill.append(kill)
        plan.init.append(spec.name)
    return spec.startup_probe is None or results.get((newest.id, "startup")) is True


def _starts(
    plan: _Plan, observed: ObservedPod, delays: Mapping[str, Delay], counts: Mapping[str, int], now: float
) -> tuple[tuple[Start, ...], tuple[Held, ...]]:
    starts: list[Start] = []
    held: list[Held] = []
    kinds: tuple[tuple[Kind, list[str]], ...] = (
        ("ephemeral", plan.ephemeral),
        ("init", plan.init),
        ("main", plan.main),
    )
    for kind, names in kinds:
        for name in dict.fromkeys(names):
            last = observed.newest(name)
            ended = next((each for each in observed.attempts(name) if each.state is State.EXITED), None)
            known = delays.get(name)
            if ended is not None and (until := crash_backoff.held_until(known, ended.finished_at, now)):
                held.append(Held(kind=kind, name=name, delay_s=known.delay_s if known else 0.0, until=until))
                continue
            attempt = _attempt(last, counts.get(name))
            delay = crash_backoff.next_delay(known, ended.finished_at, now) if ended else None
            starts.append(Start(kind=kind, name=name, attempt=attempt, delay=delay))
    return tuple(starts), tuple(held)


def _attempt(last: Container | None, reported: int | None) -> int:
    """One that was made but never started, since a kubelet died in between, was no attempt: the runtime replaces it."""
    if last is not None:
        return last.attempt + (last.state is not State.CREATED)
    return 0 if reported is None else reported + 1
