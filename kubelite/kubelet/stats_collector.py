"""Reads the counters of a node's pods when somebody asks, and keeps one window: two readings, the newer of them recent.

Nothing is read while nobody asks. Who asks after a long silence waits for a short window, since an average over hours says
nothing about now. Implements `client.figures.NodeMeter`.
"""

from __future__ import annotations

from typing import Protocol

import anyio

from kubelite.api.errors import ServiceUnavailable
from kubelite.api.timestamp import parse_rfc3339
from kubelite.client.figures import NodeFigures
from kubelite.kubelet.observed import all_specs
from kubelite.kubelet.parts import Parts
from kubelite.kubelet.pod_manager import PodManager
from kubelite.kubelet.pod_worker import PodWorker
from kubelite.kubelet.runtime import ContainerStats, GroupUsage, RuntimeFailed
from kubelite.kubelet.stats import ContainerReading, PodReading, Reading, Window, compute_figures
from kubelite.kubelet.stats_cgroups import Interface
from kubelite.kubelet.stats_host import FileSystem
from kubelite.kubelet.stats_summary import Disk

#: A reading this young answers everybody, unless a container started after it.
FRESH_S = 2.0
#: The shortest window, and the longest; metrics-server scrapes every 15 s.
SHORT_S, LONG_S = 0.5, 60.0


class Meter(Protocol):
    """The machine's own counters."""

    def node(self) -> GroupUsage: ...
    def pod(self, pid: int, uid: str) -> GroupUsage | None:
        """The group of the pod that process `pid` is in; None when the pod has none of its own."""

    def interfaces(self, pid: int = 0) -> tuple[Interface, ...]:
        """Those that process `pid` sees; of the machine itself without one."""

    def file_system(self) -> FileSystem:
        """Where pods have their directories."""

    def processes(self) -> tuple[int, int]:
        """(running now, at most)."""


class StatsCollector:
    """`meter`: None for a node that is no machine."""

    def __init__(self, pods: PodManager, parts: Parts, meter: Meter | None) -> None:
        self._pods = pods
        self._parts = parts
        self._meter = meter
        self._window: Window | None = None
        self._read_at = 0.0  # monotonic
        self._lock, self._disk_lock = anyio.Lock(), anyio.Lock()
        self._disk: Disk | None = None
        self._disk_at = 0.0

    async def figures(self) -> NodeFigures:
        try:
            return compute_figures(await self.window())
        except (RuntimeFailed, OSError) as error:
            raise ServiceUnavailable(f"the node cannot be measured: {error}") from error

    async def window(self) -> Window:
        """Raises: RuntimeFailed, OSError."""
        clock = self._parts.clock
        async with self._lock:
            known, age = self._window, clock.monotonic() - self._read_at
            if known is not None and age < FRESH_S and self._covers(known.newer):
                return known
            if known is not None and age < LONG_S:
                older = known.newer
            else:
                older = await self._read()
                await clock.sleep(SHORT_S)
            self._window = Window(older, await self._read())
            self._read_at = clock.monotonic()
            return self._window

    def _covers(self, reading: Reading) -> bool:
        """Whether nothing has started since."""
        read = {each.usage.container_id for pod in reading.pods for each in pod.containers}
        return all(each.id in read for worker in self._pods.workers() for each in worker.observed.running)

    def processes(self) -> tuple[int, int]:
        return self._meter.processes() if self._meter is not None else (0, 0)

    async def disk(self) -> Disk:
        """Read at most once a minute, since directories have to be walked. Raises: RuntimeFailed, OSError."""
        clock, runtime = self._parts.clock, self._parts.runtime
        async with self._disk_lock:
            if self._disk is None or clock.monotonic() - self._disk_at >= LONG_S:
                workers = self._pods.workers()
                running = [each.id for worker in workers for each in worker.observed.running]
                self._disk = Disk(
                    node=self._meter.file_system() if self._meter is not None else None,
                    images_bytes=sum(each.size_bytes for each in await runtime.list_images()),
                    writable={each: await runtime.writable_bytes(each) for each in running},
                    volumes={
                        each.pod.metadata.uid: await self._parts.storage.volume_usage(each.pod) for each in workers
                    },
                )
                self._disk_at = clock.monotonic()
            return self._disk

    async def _read(self) -> Reading:
        workers = self._pods.workers()
        ids = tuple(each.id for worker in workers for each in worker.observed.running)
        stats = {each.container_id: each for each in await self._parts.runtime.stats(ids)}
        return Reading(
            at=self._parts.clock.now(),
            pods=tuple(self._pod(worker, stats) for worker in workers),
            node=self._meter.node() if self._meter is not None else None,
            interfaces=self._meter.interfaces() if self._meter is not None else (),
        )

    def _pod(self, worker: PodWorker, stats: dict[str, ContainerStats]) -> PodReading:
        observed, pod = worker.observed, worker.pod
        order = {spec.name: at for at, spec in enumerate(all_specs(pod))}
        containers = tuple(
            ContainerReading(name=each.name, image=each.image, started_at=each.started_at, usage=stats[each.id])
            for each in sorted(observed.running, key=lambda each: order.get(each.name, 0))
            if each.id in stats
        )
        started = worker.writer.last.start_time
        box = observed.sandbox
        pid = box.pid if box is not None and box.ready else 0
        meter = self._meter if pid else None
        return PodReading(
            pod=pod,
            started_at=parse_rfc3339(started) if started else self._parts.clock.now(),
            containers=containers,
            group=meter.pod(pid, pod.metadata.uid) if meter is not None else None,
            interfaces=meter.interfaces(pid) if meter is not None and not pod.spec.host_network else (),
        )
