"""The end of a pod: out of its Services, containers ended, volumes gone, final status, and only then gone from the API.

A pod that is over (Succeeded, Failed) but not deleted keeps its dead containers, for their logs, until it is.
Source: pkg/kubelet/kubelet.go (syncTerminatingPod, syncTerminatedPod), pkg/kubelet/status/status_manager.go (TerminatePod)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import anyio
from msgspec.structs import replace

from kubelite.actor.backoff import Backoff
from kubelite.actor.log import get_logger
from kubelite.api.core_v1 import Pod
from kubelite.api.errors import Conflict, NotFound, StatusError
from kubelite.api.meta import DeleteOptions, Preconditions
from kubelite.api.timestamp import rfc3339
from kubelite.kubelet.failure import Failure
from kubelite.kubelet.pod_killer import grace_period_s, kill_all
from kubelite.kubelet.pod_status import finished
from kubelite.kubelet.qos import qos_class
from kubelite.kubelet.runtime import RuntimeFailed

if TYPE_CHECKING:
    from kubelite.kubelet.pod_worker import PodWorker

log = get_logger(__name__)


class PodEnding:
    """What a worker does once its pod is over, being deleted, or gone."""

    def __init__(self, worker: PodWorker) -> None:
        self._worker = worker
        self._parts = worker.parts
        self._backoff = Backoff(base_s=0.2, cap_s=30.0)

    async def run(self) -> None:
        """Returns when nothing is left."""
        worker = self._worker
        if worker.rejected and worker.failure is not None:
            self._reject(worker.failure)
        else:
            worker.prober.end_liveness()
            await self._until_done(self._kill)
            await self._until_done(self._clean)
            if not worker.removed:
                worker.writer.write(finished(worker.pod, worker.writer.last))
        worker.over.set()
        while not worker.removed and worker.pod.metadata.deletion_timestamp is None:
            worker.awake()
            if not worker.removed and worker.pod.metadata.deletion_timestamp is None:
                await worker.sleep_until(None)
        if not worker.removed:
            await worker.writer.drained()
        await self._until_done(self._remove_containers)
        if not worker.removed:
            await self._until_done(self._delete)

    def _reject(self, failure: Failure) -> None:
        """Nothing of it ever ran here."""
        worker = self._worker
        self._parts.report(worker.pod, "Warning", failure.reason, failure.message)
        worker.writer.write(
            replace(
                worker.writer.last,
                phase="Failed",
                reason=failure.reason,
                message=f"Pod was rejected: {failure.message}",
                qos_class=qos_class(worker.pod),
                start_time=worker.writer.last.start_time or rfc3339(self._parts.clock.now()),
            )
        )

    async def _until_done(self, step: Callable[[], Awaitable[None]]) -> None:
        """Repeats a step until the world lets it succeed."""
        while True:
            try:
                await step()
            except (RuntimeFailed, StatusError, OSError) as error:
                log.warning("Ending a pod failed, trying again", pod=self._worker.name, error=str(error))
                await self._parts.clock.sleep(self._backoff.next())
            else:
                return

    async def _kill(self) -> None:
        """Ends what runs; a shorter grace period that comes meanwhile counts from now on."""
        worker = self._worker
        observed = await worker.observe(fresh=True)
        ip = observed.ip or worker.ip
        await worker.gate.leave(worker.pod, ip)
        while await self._kill_once():
            pass
        await worker.gate.leave(worker.pod, ip, dead=True)
        await worker.observe(fresh=True)
        worker.report_status(over=True)

    async def _kill_once(self) -> bool:
        """Kills within the present grace period; True when a shorter one came before the end. Raises: RuntimeFailed."""
        worker, grace_s = self._worker, self._grace_s()
        done = anyio.Event()
        failures: list[RuntimeFailed] = []

        async def kill() -> None:
            try:
                await kill_all(self._parts, worker.pod, worker.observed, grace_s=grace_s)
            except RuntimeFailed as error:
                failures.append(error)
            done.set()
            worker.wake()

        async with anyio.create_task_group() as killing:
            killing.start_soon(kill)
            while not done.is_set() and self._grace_s() >= grace_s:
                worker.awake()
                try:
                    await worker.observe()
                except RuntimeFailed as error:
                    failures.append(error)
                    break
                worker.report_status()
                if not done.is_set():
                    await worker.sleep_until(None)
            killing.cancel_scope.cancel()
        if failures:
            raise failures[0]
        return not done.is_set()

    def _grace_s(self) -> float:
        own, failure = grace_period_s(self._worker.pod), self._worker.failure
        return min(own, failure.grace_s) if failure is not None and failure.grace_s is not None else own

    async def _clean(self) -> None:
        """Volumes, files, address."""
        worker, parts = self._worker, self._parts
        await parts.storage.remove(worker.pod.metadata.uid)
        worker.release_ip()
        parts.puller.forget(worker.pod.metadata.uid)

    async def _remove_containers(self) -> None:
        worker, parts = self._worker, self._parts
        observed = await worker.observe(fresh=True)
        for sandbox in observed.sandboxes:
            await parts.runtime.remove_pod_sandbox(sandbox.id)
        homes = {each.id for each in observed.sandboxes}
        for container in observed.containers:
            if container.sandbox_id not in homes:
                await parts.runtime.remove_container(container.id)
        await parts.storage.remove(worker.pod.metadata.uid)  # the cgroup, now that nothing is in it
        parts.pleg.forget(worker.pod.metadata.uid)

    async def _delete(self) -> None:
        meta = self._worker.pod.metadata
        options = DeleteOptions(grace_period_seconds=0, preconditions=Preconditions(uid=meta.uid))
        try:
            await self._parts.client.delete(Pod, meta.name, meta.namespace, options=options)
        except (NotFound, Conflict):
            return
