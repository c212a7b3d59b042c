"""Looks at what pods use whenever the node reports its health, and ends those that have to go. `eviction` decides.

Costs nothing on a node that is well and whose pods limit no local storage.
"""

from __future__ import annotations

import sys
from collections.abc import Set
from typing import TYPE_CHECKING

from kubelite.actor.log import get_logger
from kubelite.api.core_v1 import Pod
from kubelite.kubelet.eviction import Usage, compute_eviction, compute_overuse, limits_storage
from kubelite.kubelet.image_collector import ImageCollector
from kubelite.kubelet.node_status import Health
from kubelite.kubelet.observed import is_terminal
from kubelite.kubelet.parts import Parts
from kubelite.kubelet.pod_manager import PodManager
from kubelite.kubelet.runtime import RuntimeFailed

if TYPE_CHECKING:
    from kubelite.kubelet.eviction_thresholds import Policy, State
    from kubelite.kubelet.pod_worker import PodWorker

log = get_logger(__name__)


class EvictionManager:
    def __init__(self, pods: PodManager, parts: Parts, images: ImageCollector, policy: Policy | None) -> None:
        """`policy`: None is the default one."""
        self._pods = pods
        self._parts = parts
        self._images = images
        self._policy = policy
        self._state: State | None = None

    async def check(self, health: Health) -> Health:
        """To be called with every reading; returns what is to be reported."""
        now = self._parts.clock.now()
        reported = self._step(health, now)
        self._pods.health = reported
        alive = [
            each for each in self._pods.workers() if not each.is_ending() and not is_terminal(each.writer.last.phase)
        ]
        try:
            await self._images.check(health, self._mounted)
            for worker in alive:
                if limits_storage(worker.pod) and (failure := compute_overuse(worker.pod, await self._usage(worker))):
                    worker.evict(failure)
            if reported.shortages:
                await self._relieve(reported, [each for each in alive if not each.is_ending()])
        except (RuntimeFailed, OSError) as error:
            log.warning("Failed to measure pods", error=str(error))
        return reported

    def _mounted(self) -> Set[str]:
        """The images that volumes show, which no container is made of."""
        volumes = (volume for pod in self._pods.pods() for volume in pod.spec.volumes)
        return {volume.image.reference for volume in volumes if volume.image is not None}

    def _step(self, health: Health, now: float) -> Health:
        if not health.signals:  # a node that is no machine
            return health
        from kubelite.kubelet.eviction_thresholds import State, parse_policy, step

        self._policy = self._policy or parse_policy()
        self._state, reported = step(self._state or State(), health, self._policy, now)
        return reported

    async def _relieve(self, health: Health, workers: list[PodWorker]) -> None:
        if health.shortages[0].resource in {"ephemeral-storage", "inodes"} and await self._images.collect(
            sys.maxsize, self._mounted
        ):
            return  # perhaps that was enough
        measured = [(worker.pod, await self._usage(worker)) for worker in workers]
        found = compute_eviction(health, measured, max_grace_s=self._policy.max_grace_s if self._policy else 0.0)
        if found is not None:
            pod, failure = found
            log.warning("Evicting a pod", pod=_name(pod), reason=failure.message)
            next(each for each in workers if each.pod is pod).evict(failure)

    async def _usage(self, worker: PodWorker) -> Usage:
        """Raises: RuntimeFailed, OSError."""
        parts, running = self._parts, worker.observed.running
        names = {each.id: each.name for each in running}
        stats = await parts.runtime.stats(tuple(names))
        volumes = await parts.storage.volume_usage(worker.pod)
        return Usage(
            memory={names[each.container_id]: each.memory_working_set_bytes for each in stats},
            writable={each.name: await parts.runtime.writable_bytes(each.id) for each in running},
            volumes={name: use.size_bytes for name, use in volumes.items()},
            inodes=sum(use.inodes for use in volumes.values()),
            processes=sum(each.processes for each in stats),
        )


def _name(pod: Pod) -> str:
    return f"{pod.metadata.namespace}/{pod.metadata.name}"
