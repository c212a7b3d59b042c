"""The end of provisioned volumes: a released one whose policy is Delete loses its directory, then its object.

A shell without decisions: `persistent_volume` releases, this removes. Nodes that only exist in memory have no directories.
Source: sigs.k8s.io/sig-storage-lib-external-provisioner/controller (shouldDelete, events)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import anyio
from anyio.abc import TaskStatus

from kubelite.actor.backoff import Backoff
from kubelite.actor.clock import Clock
from kubelite.actor.log import get_logger
from kubelite.api.core_v1 import PersistentVolume
from kubelite.api.errors import Conflict, NotFound, StatusError
from kubelite.api.meta import DeleteOptions, Preconditions
from kubelite.api.volume_matching import HOST_PATH, PROVISIONED_BY
from kubelite.client.informer import Informer
from kubelite.client.interface import Client
from kubelite.client.plan import Report
from kubelite.client.recorder import Recorder

Remove = Callable[[str], Awaitable[None]]  #: removes a directory; raises OSError

log = get_logger(__name__)


def remover(root: Path) -> Remove:
    """Removes directories directly below `root` and no others."""

    async def remove(path: str) -> None:
        import shutil

        if Path(path).parent == root:
            with suppress(FileNotFoundError):
                await anyio.to_thread.run_sync(shutil.rmtree, path)

    return remove


async def nothing(path: str) -> None:
    """Where volumes have no directories."""


class VolumeReclaimer:
    name = "volume-reclaimer"

    def __init__(self, volumes: Informer, client: Client, recorder: Recorder, clock: Clock, *, remove: Remove) -> None:
        self._volumes = volumes
        self._client = client.because(self.name)
        self._recorder = recorder
        self._clock = clock
        self._remove = remove
        self._waiting: dict[str, PersistentVolume] = {}
        self._arrived = anyio.Event()

    def _hear(self, old: PersistentVolume | None, new: PersistentVolume | None) -> None:
        if new is not None and _is_over(new):
            self._waiting[new.metadata.name] = new
            self._arrived.set()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        backoff = Backoff(base_s=1.0, cap_s=60.0)
        self._volumes.subscribe(self._hear)
        try:
            task_status.started()
            while True:
                await self._arrived.wait()
                self._arrived = anyio.Event()
                while self._waiting:
                    volume = self._waiting.pop(next(iter(self._waiting)))
                    try:
                        await self._end(volume)
                        backoff.forget()
                    except (StatusError, OSError) as error:
                        log.warning("Cannot delete volume", volume=volume.metadata.name, error=str(error))
                        report = Report(
                            regarding=volume, type="Warning", reason="VolumeFailedDelete", message=str(error)
                        )
                        self._recorder.report(self.name, report)
                        self._waiting.setdefault(volume.metadata.name, volume)
                        await self._clock.sleep(backoff.next())
        finally:
            self._volumes.unsubscribe(self._hear)

    async def _end(self, volume: PersistentVolume) -> None:
        if volume.spec.host_path is not None:
            await self._remove(volume.spec.host_path.path)
        guard = DeleteOptions(preconditions=Preconditions(uid=volume.metadata.uid))
        try:
            await self._client.delete(PersistentVolume, volume.metadata.name, options=guard)
        except (NotFound, Conflict):
            return  # somebody else was faster


def _is_over(volume: PersistentVolume) -> bool:
    mine = volume.metadata.annotations.get(PROVISIONED_BY) == HOST_PATH
    policy = volume.spec.persistent_volume_reclaim_policy
    going = volume.metadata.deletion_timestamp is not None
    return mine and policy == "Delete" and volume.status.phase == "Released" and not going
