"""Looks at what pods use whenever the node reports its health, and ends those that have to go. `eviction` decides.

Costs nothing on a node that is well and whose pods limit no local storage.
"""

from __future__ import annotations

import sys

from kubelite.actor.log import get_logger
from kubelite.api.core_v1 import Pod
from kubelite.kubelet.eviction import (
    Pressures,
    Usage,
    compute_eviction,
    compute_overuse,
    limits_storage,
    step,
)
from kubelite.kubelet.image_collector import ImageCollector
from kubelite.kubelet.node_status import Health
from kubelite.kubelet.observed import is_terminal
from kubelite.kubelet.parts import Parts
from kubelite.kubelet.pod_manager import PodManager
from kubelite.kubelet.pod_worker import PodWorker
from kubelite.kubelet.runtime import RuntimeFailed

log = get_logger(__name__)


class EvictionManager:
    def __init__(self, pods: PodManager, parts: Parts, images: ImageCollector) -> None:
        self._pods = pods
        self._parts = parts
        self._images = images
        self._pressures = Pressures()

    async def check(self, health: Health) -> Health:
        """To be called with every reading; returns what is to be reported."""
        now = self._parts.clock.now()
        self._pressures, reported = step(self._pressures, health, now)
        self._pods.health = reported
        alive = [
            each for each in self._pods.workers() if not each.is_ending() and not is_terminal(each.writer.last.phase)
        ]
        try:
            await self._images.check(health)
            for worker in alive:
                if limits_storage(worker.pod) and (failure := compute_overuse(worker.pod, await self._usage(worker))):
                    worker.evict(failure)
            if health.shortages:
                await self._relieve(health, [each for each in alive if not each.is_ending()])
        except (RuntimeFailed, OSError) as error:
            log.warning("Failed to measure pods", error=str(error))
        return reported

    async def _relieve(self, health: Health, workers: list[PodWorker]) -> None:
        if health.shortages[0].resource == "ephemeral-storage" and await self._images.collect(sys.maxsize):
            return  # perhaps that was enough
        measured = [(worker.pod, await self._usage(worker)) for worker in workers]
        found = compute_eviction(health, measured)
        if found is not None:
            pod, failure = found
            log.warning("Evicting a pod", pod=_name(pod), reason=failure.message)
            next(each for each in workers if each.pod is pod).evict(failure)

    async def _usage(self, worker: PodWorker) -> Usage:
        """Raises: RuntimeFailed, OSError."""
        parts, running = self._parts, worker.observed.running
        names = {each.id: each.name for each in running}
        stats = await parts.runtime.stats(tuple(names))
        return Usage(
            memory={names[each.container_id]: each.memory_working_set_bytes for each in stats},
            writable={each.name: await parts.runtime.writable_bytes(each.id) for each in running},
            volumes=await parts.storage.volume_usage(worker.pod),
        )


def _name(pod: Pod) -> str:
    return f"{pod.metadata.namespace}/{pod.metadata.name}"
