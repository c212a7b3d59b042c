"""Runs the probes of one pod's containers, each in a task of the pod's worker; `probes` says what the answers mean.

A probe belongs to one run of a container: the next run starts with new ones. A container that was running before this kubelet
started keeps the results that were reported of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import anyio
from anyio.abc import TaskGroup

from kubelite.actor.clock import Clock
from kubelite.api.core_v1 import Container as ContainerSpec, Pod, PodStatus, Probe
from kubelite.kubelet import probes
from kubelite.kubelet.handlers import ProbeRunner, Target
from kubelite.kubelet.observed import ObservedPod, is_sidecar
from kubelite.kubelet.pod_actions import ProbeKind
from kubelite.kubelet.runtime import Container, State

Key = tuple[str, ProbeKind]
#: An Event about a container: (container name, type, reason, message).
Report = Callable[[str, str, str, str], None]

#: How often a probe that could not be asked is asked again at once. Source: pkg/kubelet/prober/prober.go (maxProbeRetries)
MAX_TRIES = 3


class PodProber:
    """The results of one pod's probes; `wake` is called when one changes."""

    def __init__(self, runner: ProbeRunner, clock: Clock, *, wake: Callable[[], None], report: Report) -> None:
        self._runner = runner
        self._clock = clock
        self._wake = wake
        self._report = report
        self.results: dict[Key, bool] = {}
        self.counts: Counter[tuple[str, ProbeKind, str]] = Counter()  #: by container, kind and result
        self._scopes: dict[Key, anyio.CancelScope] = {}
        self._started: dict[str, anyio.Event] = {}

    def sync(self, group: TaskGroup, pod: Pod, observed: ObservedPod, reported: PodStatus) -> None:
        """Probes exactly what runs now."""
        specs = [*pod.spec.containers, *(each for each in pod.spec.init_containers if is_sidecar(each))]
        wanted: dict[Key, tuple[ContainerSpec, Container, Probe]] = {}
        for spec in specs:
            newest = observed.newest(spec.name)
            if newest is None or newest.state is not State.RUNNING:
                continue
            for kind in probes.KINDS:
                if (probe := probes.probe_of(spec, kind)) is not None:
                    wanted[newest.id, kind] = (spec, newest, probe)
        for key in [key for key in self._scopes if key not in wanted]:
            self._scopes.pop(key).cancel()
        for key in [key for key in self.results if key not in wanted]:
            del self.results[key]
        for container_id in [each for each in self._started if not any(key[0] == each for key in wanted)]:
            del self._started[container_id]
        for key, (spec, container, probe) in wanted.items():
            if key not in self._scopes:
                self._begin(group, pod, spec, container, probe, key[1], reported, observed.ip)

    def end_liveness(self) -> None:
        """A pod that is being deleted is not killed again by its probes; its readiness still counts."""
        for key in list(self._scopes):
            if key[1] != "readiness":
                self._scopes[key].cancel()
                self.results[key] = True

    def _begin(
        self,
        group: TaskGroup,
        pod: Pod,
        spec: ContainerSpec,
        container: Container,
        probe: Probe,
        kind: ProbeKind,
        reported: PodStatus,
        pod_ip: str,
    ) -> None:
        key = (container.id, kind)
        initial = probes.initial_result(kind)
        for status in (*reported.container_statuses, *reported.init_container_statuses):
            if status.container_id.endswith(container.id) and kind != "liveness":
                known = status.ready if kind == "readiness" else bool(status.started)
                initial = known or initial
        if initial is not None:
            self.results[key] = initial
        started = self._started.setdefault(container.id, anyio.Event())
        if spec.startup_probe is None or self.results.get((container.id, "startup")):
            started.set()
        scope = self._scopes[key] = anyio.CancelScope()
        if probes.is_over(kind, self.results.get(key)):
            return
        target = Target(pod=pod, spec=spec, container_id=container.id, pod_ip=pod_ip)
        initial_s = float(probe.initial_delay_seconds)  # and no more, should the clock have been set back meanwhile
        delay = min(container.started_at + initial_s - self._clock.now(), initial_s)
        group.start_soon(self._probe, scope, target, kind, probe, max(delay, 0.0), started)

    async def _probe(
        self,
        scope: anyio.CancelScope,
        target: Target,
        kind: ProbeKind,
        probe: Probe,
        delay_s: float,
        started: anyio.Event,
    ) -> None:
        with scope:
            if kind != "startup":
                await started.wait()
            if delay_s:
                await self._clock.sleep(delay_s)
            streak = probes.Streak()
            while True:
                ok = await self._ask(target, kind, probe)
                if ok is not None:
                    streak, result = probes.step(streak, probe, ok=ok)
                    if result is not None:
                        self._set((target.container_id, kind), result, started)
                    if probes.is_over(kind, result):
                        return
                await self._clock.sleep(probes.period_s(probe))

    async def _ask(self, target: Target, kind: ProbeKind, probe: Probe) -> bool | None:
        timeout_s = probes.timeout_s(probe)
        outcome = await self._runner.probe(target, kind, probe, timeout_s=timeout_s)
        for _ in range(MAX_TRIES - 1):
            if not outcome.unknown:
                break
            outcome = await self._runner.probe(target, kind, probe, timeout_s=timeout_s)
        name = kind.capitalize()
        result = "unknown" if outcome.unknown else "successful" if outcome.ok else "failed"
        self.counts[target.spec.name, kind, result] += 1
        if outcome.unknown:
            text = f"{name} probe errored and resulted in unknown state: {outcome.output}"
            self._report(target.spec.name, "Warning", "Unhealthy", text)
            return None
        if not outcome.ok:
            self._report(target.spec.name, "Warning", "Unhealthy", f"{name} probe failed: {outcome.output}")
        return outcome.ok

    def _set(self, key: Key, result: bool, started: anyio.Event) -> None:
        if key[1] == "startup" and result:
            started.set()
        if self.results.get(key) is not result:
            self.results[key] = result
            self._wake()
