"""What the pods of a node have on its disk, as the pod workers see it.

`pod_storage` keeps directories, volumes and cgroups on a real machine; `NoStorage` serves nodes that only exist in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from kubelite.api.core_v1 import Pod
from kubelite.kubelet.observed import Spec
from kubelite.kubelet.runtime import Container, Mount

if TYPE_CHECKING:
    from kubelite.kubelet.env import Addresses


class MountFailed(Exception):
    """A volume cannot be set up now; the message is the Event's."""


class DiskUse(msgspec.Struct, frozen=True):
    size_bytes: int = 0
    inodes: int = 0


class Storage(Protocol):
    async def prepare(self, pod: Pod, addresses: Addresses) -> float | None:
        """Sets up or refreshes all volumes; returns when to do so again (unix seconds). Raises: MountFailed, OSError."""

    async def mounts(
        self, pod: Pod, spec: Spec, *, attempt: int, env: dict[str, str], addresses: Addresses
    ) -> tuple[Mount, ...]:
        """The mounts of a container about to be created. Raises: ConfigFailed, OSError."""

    def mount_image(self, pod: Pod, volume: str, layers: tuple[str, ...]) -> None:
        """Shows an image's files in a volume that `prepare` has made; may be repeated. Raises: OSError."""

    def cgroup_parent(self, pod: Pod) -> str: ...
    def limit(self, pod: Pod) -> None:
        """Holds the pod's cgroup to what its containers may use. Raises: OSError."""

    async def volume_usage(self, pod: Pod) -> dict[str, DiskUse]:
        """What is in each of the pod's emptyDirs that are on the disk. Raises: OSError."""

    def termination_message(self, container: Container) -> str:
        """What an ended container left for its status, at most 4096 bytes."""

    def present(self) -> set[str]:
        """The uids of pods that have anything here."""

    async def remove(self, pod_uid: str) -> None:
        """Unmounts and removes everything of a pod; may be repeated. Raises: OSError."""


class NoStorage:
    """No files at all."""

    async def prepare(self, pod: Pod, addresses: Addresses) -> float | None:
        return None

    async def mounts(
        self, pod: Pod, spec: Spec, *, attempt: int, env: dict[str, str], addresses: Addresses
    ) -> tuple[Mount, ...]:
        return ()

    def mount_image(self, pod: Pod, volume: str, layers: tuple[str, ...]) -> None:
        return None

    def cgroup_parent(self, pod: Pod) -> str:
        return ""

    def limit(self, pod: Pod) -> None:
        return None

    async def volume_usage(self, pod: Pod) -> dict[str, DiskUse]:
        return {}

    def termination_message(self, container: Container) -> str:
        return ""

    def present(self) -> set[str]:
        return set()

    async def remove(self, pod_uid: str) -> None:
        return None
