"""One pod's actor: it compares, acts, reports, and sleeps until something happens or a deadline comes.

Woken by: a change of the pod's spec or metadata, a runtime event, a probe's result, a change of a ConfigMap or Secret that
the pod uses, a deadline. One pass at a time; a deletion cuts a pass short, except while the runtime makes
something. The end of a pod is `pod_ending`'s. Decisions are in `pod_actions` and `pod_status`.
Source: pkg/kubelet/pod_workers.go, pkg/kubelet/kubelet.go (syncPod)
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import anyio
from anyio.abc import TaskGroup
from msgspec.structs import replace

from kubelite.actor.backoff import Backoff
from kubelite.actor.log import get_logger
from kubelite.api.core_v1 import ContainerStatus, Pod, PodCondition
from kubelite.api.errors import StatusError
from kubelite.api.timestamp import parse_rfc3339
from kubelite.kubelet.container_status import Facts
from kubelite.kubelet.env import Addresses
from kubelite.kubelet.failure import Failure
from kubelite.kubelet.last_words import last_words
from kubelite.kubelet.observed import ObservedPod, is_static, is_terminal
from kubelite.kubelet.parts import Parts
from kubelite.kubelet.pod_actions import Actions, Resize, compute_actions
from kubelite.kubelet.pod_ending import PodEnding
from kubelite.kubelet.pod_gate import PodGate, serves
from kubelite.kubelet.pod_killer import grace_period_s, kill_all, kill_one
from kubelite.kubelet.pod_resize import IN_PROGRESS, Grant
from kubelite.kubelet.pod_sandbox import make_sandbox
from kubelite.kubelet.pod_starter import RESYNC_S, PodStarter
from kubelite.kubelet.pod_status import compute_status
from kubelite.kubelet.prober import PodProber
from kubelite.kubelet.runtime import RuntimeEvent, RuntimeFailed, State
from kubelite.kubelet.status_writer import StatusWriter
from kubelite.kubelet.storage import MountFailed

log = get_logger(__name__)


class PodWorker:
    """Runs one pod until it is gone from the API and from the node."""

    def __init__(
        self, pod: Pod, parts: Parts, neighbours: Callable[[], list[Pod]], rejection: Failure | None = None
    ) -> None:
        self.name = f"pod/{pod.metadata.namespace}/{pod.metadata.name}"
        self.grant = Grant(pod)
        self.pod = self.grant.pod  #: with the resources that it was granted
        self._neighbours = neighbours
        self.parts = parts
        self.rejected = rejection is not None  #: this node does not take it
        self.removed = False  #: the API does not know the pod any more
        self.over = anyio.Event()  #: nothing of it runs, and its last status is written or waits
        self.observed = ObservedPod()
        self.starter = PodStarter(parts)
        mirror = partial(parts.mirror_of, pod) if is_static(pod) else None
        self.writer = StatusWriter(pod, parts.client, parts.clock, mirror)
        self.prober = PodProber(parts.probes, parts.clock, wake=self.wake, report=self._report_container)
        self.gate = PodGate(parts.services)
        self.failure = rejection
        self._wake = anyio.Event()
        self._pass: anyio.CancelScope | None = None
        self._group: TaskGroup | None = None
        self._prepared = False
        self._refresh_at: float | None = None
        self._backoff = Backoff(base_s=0.5, cap_s=120.0)
        self._messages = _reported_messages(pod)  #: termination messages, by container id
        self.ip = ""  #: the one that this pod holds
        self._killing = False
        self._resizing: PodCondition | None = None

    def wake(self) -> None:
        self._wake.set()

    def update(self, pod: Pod) -> None:
        """A newer state of the object."""
        old = self.grant.asked
        self.grant.ask(pod)
        if is_static(pod):
            self.writer.write_again()
        self.pod = self.grant.pod
        self.writer.rebase(pod)
        changed = pod.spec != old.spec or pod.metadata.generation != old.metadata.generation
        if changed:
            self.starter.retry_now()
        marks = (pod.metadata.labels, pod.metadata.annotations)
        if changed or marks != (old.metadata.labels, old.metadata.annotations):
            self._prepared = False
        elif _deletion(pod) == _deletion(old) and _foreign(pod) == _foreign(old):
            return  # the echo of our own status
        if pod.metadata.deletion_timestamp is not None:
            self._cut_short()
        self.wake()

    def evict(self, failure: Failure) -> None:
        """The kubelet ends the pod."""
        self.failure = failure
        if failure.has_event:
            self.parts.report(self.pod, "Warning", failure.reason, failure.message)
        self._cut_short()
        self.wake()

    def remove(self) -> None:
        """The object is gone from the API."""
        self.removed = True
        self._cut_short()
        self.wake()

    def config_changed(self) -> None:
        """A ConfigMap or Secret that the pod uses changed."""
        self._prepared = False
        self.starter.retry_now()
        self.wake()

    def hear(self, event: RuntimeEvent) -> None:
        """Something happened to the pod's containers: if one died by itself, the pod leaves its Services at once."""
        serving = {each.id for each in self.observed.running} | {
            each.id for each in self.observed.sandboxes if each.ready
        }
        unexpected = event.action == "die" and event.container_id in serving and not self._killing
        if unexpected and not self.is_ending() and self._group is not None:
            dead = next((each for each in self.observed.running if each.id == event.container_id), None)
            if serves(dead, self.pod):
                self.gate.note_death(event.container_id)
                self._group.start_soon(partial(self.gate.leave, self.pod, self.observed.ip, dead=True))
        elif event.action in {"start", "relist"}:
            self.gate.note_start(event.container_id)
        self.wake()

    async def run(self) -> None:
        """Returns when nothing of the pod is left, here and in the API."""
        async with anyio.create_task_group() as group:
            self._group = group
            group.start_soon(self.writer.run)
            await self._live()
            await PodEnding(self).run()
            group.cancel_scope.cancel()

    def is_ending(self) -> bool:
        pod = self.pod
        return self.removed or self.failure is not None or pod.metadata.deletion_timestamp is not None

    async def _live(self) -> None:
        while not self.is_ending() and not is_terminal(self.writer.last.phase):
            self._wake = anyio.Event()
            until: float | None = None
            with anyio.CancelScope() as self._pass:
                until = await self._safely()
            self._pass = None
            if self.is_ending() or is_terminal(self.writer.last.phase):
                break
            await self.sleep_until(until)

    async def sleep_until(self, until: float | None) -> None:
        """Until woken, or that time."""
        delay = None if until is None else max(until - self.parts.clock.now(), 0.0)
        with anyio.move_on_after(delay):
            await self._wake.wait()

    def awake(self) -> None:
        """From here on a wake counts as a new one."""
        self._wake = anyio.Event()

    async def _safely(self) -> float | None:
        """One pass; what fails outside is tried again later, with back-off."""
        try:
            until = await self._sync()
        except (RuntimeFailed, StatusError, OSError) as error:
            log.warning("Pod sync failed", pod=self.name, error=str(error))
            return self.parts.clock.now() + self._backoff.next()
        return until

    async def observe(self, *, fresh: bool = False) -> ObservedPod:
        """What runs now, with the termination messages of what ended; probes follow it."""
        seen = await self.parts.pleg.observe(self.pod.metadata.uid, fresh=fresh)
        ended = [each for each in seen.containers if each.state is State.EXITED]
        for each in ended:
            if each.id not in self._messages:
                self._messages[each.id] = each.message or await self._last_words(each.id, seen)
        if ended:
            known = self._messages
            filled = (replace(each, message=known.get(each.id, each.message)) for each in seen.containers)
            seen = replace(seen, containers=tuple(filled))
        self.observed = seen
        if not self.pod.spec.host_network:
            self.ip = seen.ip or self.ip
        if self._group is not None:
            self.prober.sync(self._group, self.pod, seen, self.writer.last)
        return seen

    async def _last_words(self, container_id: str, seen: ObservedPod) -> str:
        container = next(each for each in seen.containers if each.id == container_id)
        return await last_words(self.parts, container)

    def report_status(self, *, over: bool = False) -> None:
        """Computes the status and has it written."""
        facts = Facts(
            observed=self.observed,
            results=self.prober.results,
            waiting=self.starter.waiting,
            resize=self.grant.condition or self._resizing,
            runtime=self.parts.runtime_name,
        )
        status = compute_status(
            self.pod,
            facts,
            previous=self.writer.last,
            host_ip=self.parts.node.host_ip,
            now=self.parts.clock.now(),
            over=over,
            failure=self.failure,
        )
        if not self.is_ending():
            self.gate.enter(self.pod, self.observed, status)
        self.writer.write(status)

    async def _sync(self) -> float | None:
        """One pass. Returns when the next is due even if nothing happens."""
        now = self.parts.clock.now()
        observed = await self.observe()
        if self.grant.decide(self._neighbours, self.parts.node.allocatable):
            self.pod = self.grant.pod
        deadline = self._deadline()
        if deadline is not None and deadline <= now:
            text = "Pod was active on the node longer than the specified deadline"
            self.failure = Failure("DeadlineExceeded", text)
            self.parts.report(self.pod, "Normal", "DeadlineExceeded", text)
            return None
        self.report_status()
        if is_terminal(self.writer.last.phase):
            return None
        self.gate.map_ports(self.pod, observed.ip)
        if not await self._prepare():
            return _earliest(deadline, now + self._backoff.next())
        actions = compute_actions(
            self.pod,
            observed,
            results=self.prober.results,
            delays=self.starter.delays,
            counts=_counts((*self.writer.last.container_statuses, *self.writer.last.init_container_statuses)),
            now=self.parts.clock.now(),
        )
        retry_at = await self._carry_out(actions)
        for held in actions.held:
            self.starter.hold(self.pod, held)
            retry_at = _earliest(retry_at, self.parts.clock.now() + RESYNC_S)
        await self._prune()
        if await self.observe() is not observed or actions != Actions():
            self.report_status()
        if retry_at is None:
            self._backoff.forget()
        return _earliest(deadline, actions.requeue_at, retry_at, self._refresh_at)

    def _deadline(self) -> float | None:
        seconds, started = self.pod.spec.active_deadline_seconds, self.writer.last.start_time
        return parse_rfc3339(started) + seconds if seconds is not None and started else None

    async def _prepare(self) -> bool:
        """Volumes and files, once and when what they hold changed; False when that failed."""
        due = self._refresh_at is not None and self._refresh_at <= self.parts.clock.now()
        if self._prepared and not due:
            return True
        self._prepared = True
        addresses = Addresses(pod_ip=self.observed.ip, node=self.parts.node)
        try:
            self._refresh_at = await self.parts.storage.prepare(self.pod, addresses)
        except (MountFailed, OSError) as error:
            self._prepared = False
            self.parts.report(self.pod, "Warning", "FailedMount", str(error))
            return False
        return True

    async def _carry_out(self, actions: Actions) -> float | None:
        """Returns when to try again what failed."""
        if actions.kill_pod or actions.kill:
            self._killing = True
            try:
                await self._kill(actions)
            finally:
                self._killing = False
        if actions.resize:
            await self._resize(actions.resize)
        sandbox = self.observed.sandbox
        if actions.create_sandbox:
            sandbox = await make_sandbox(self, actions.sandbox_attempt)
            if sandbox is None:
                return self.parts.clock.now() + self._backoff.next()
        if sandbox is None or not actions.start:
            return None
        self.gate.map_ports(self.pod, sandbox.ip)
        return await self.starter.start_all(self.pod, sandbox, actions.start, self.observed.running)

    async def _kill(self, actions: Actions) -> None:
        pod, observed, parts = self.pod, self.observed, self.parts
        ip = observed.ip or self.ip
        await self.gate.leave(pod, ip)
        if actions.kill_pod:
            if actions.create_sandbox and observed.sandbox is not None:
                text = "Pod sandbox changed, it will be killed and re-created."
                parts.report(pod, "Normal", "SandboxChanged", text)
            await kill_all(parts, pod, observed, grace_s=grace_period_s(pod))
            await self.gate.leave(pod, ip, dead=True)
            self.release_ip()
            if actions.create_sandbox:
                for spec in pod.spec.init_containers:
                    for container in observed.attempts(spec.name):
                        await parts.runtime.remove_container(container.id)
        for kill in actions.kill:
            await kill_one(parts, pod, observed, kill)
        await self.observe(fresh=True)

    async def _resize(self, resizes: tuple[Resize, ...]) -> None:
        """The pod's own limit first, if it grows; last, if it shrinks below what its containers still have."""
        self._resizing = PodCondition(type=IN_PROGRESS, status="True")
        self.report_status()
        with suppress(OSError):
            self.parts.storage.limit(self.pod)
        try:
            for each in resizes:
                await self.parts.runtime.update_container(each.container_id, each.resources)
            self.parts.storage.limit(self.pod)
        except (RuntimeFailed, OSError) as error:
            self._resizing = PodCondition(type=IN_PROGRESS, status="True", reason="Error", message=str(error))
            self.report_status()
            raise
        self._resizing = None
        await self.observe(fresh=True)

    def release_ip(self) -> None:
        """Only what this pod holds: the address of an old sandbox may be another pod's by now."""
        self.gate.map_ports(self.pod, "")
        if self.ip:
            self.parts.addresses.release(self.ip)
        self.ip = ""

    async def _prune(self) -> None:
        """Keeps the last dead container of each name, for its logs and status, and no empty old sandbox."""
        observed, runtime = self.observed, self.parts.runtime
        kept: dict[str, int] = {}
        alive: set[str] = set()
        for container in observed.containers:
            if container.state is not State.RUNNING:
                kept[container.name] = kept.get(container.name, 0) + 1
                if kept[container.name] > 1:
                    await runtime.remove_container(container.id)
                    self._messages.pop(container.id, None)
                    continue
            alive.add(container.sandbox_id)
        for sandbox in observed.sandboxes[1:]:
            if not sandbox.ready and sandbox.id not in alive:
                await runtime.remove_pod_sandbox(sandbox.id)

    def _report_container(self, container: str, type_: str, reason: str, message: str) -> None:
        self.parts.report(self.pod, type_, reason, message, container=container)

    def _cut_short(self) -> None:
        if self._pass is not None:
            self._pass.cancel()


def _earliest(*times: float | None) -> float | None:
    return min((each for each in times if each is not None), default=None)


def _counts(statuses: tuple[ContainerStatus, ...]) -> dict[str, int]:
    """Restart counts of the containers that ran."""
    ran = (each for each in statuses if each.container_id or each.last_state.terminated)
    return {each.name: each.restart_count for each in ran}


def _reported_messages(pod: Pod) -> dict[str, str]:
    """What was read and reported before this kubelet started: the files may be gone."""
    status = pod.status
    everything = (*status.container_statuses, *status.init_container_statuses, *status.ephemeral_container_statuses)
    ended = (state.terminated for each in everything for state in (each.state, each.last_state))
    return {each.container_id.partition("://")[2]: each.message for each in ended if each and each.container_id}


def _deletion(pod: Pod) -> tuple[object, ...]:
    return (pod.metadata.deletion_timestamp, pod.metadata.deletion_grace_period_seconds)


def _foreign(pod: Pod) -> tuple[object, ...]:
    """What others write into the status and the kubelet reads: readiness gates."""
    gates = {gate.condition_type for gate in pod.spec.readiness_gates}
    return tuple((each.type, each.status) for each in pod.status.conditions if each.type in gates)
