"""Removes what one kubelite has put on the machine: containers, links, routes, filter rules, mounts and control groups.

For `python -m kubelite cleanup`, with no kubelite running on the data directory. The proxy removes its own table; files in the
data directory stay. Everything is found by the instance's id, so a half-finished or repeated cleanup is fine.
Source: umount(2), proc_pid_mountinfo(5)
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import anyio
import msgspec

from kubelite.actor.clock import SystemClock
from kubelite.kubelet import docker_cgroups as cgroups, docker_state, network
from kubelite.kubelet.docker_client import EngineClient
from kubelite.kubelet.docker_containers import EngineContainers, for_each
from kubelite.kubelet.instance import cgroup_root

_MNT_DETACH = 2


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """How much was there."""

    containers: int
    interfaces: int
    mounts: int


async def cleanup(*, instance: str, socket: str, data_dir: Path) -> Removed:
    """Containers first: they hold the rest. Raises: RuntimeFailed, OSError when something cannot be removed."""
    client = EngineClient(socket)
    try:
        containers = EngineContainers(client, instance, SystemClock())
        ids = await containers.ids(label=docker_state.INSTANCE)
        await for_each(ids, containers.remove)
        info = await client.request("GET", "info", reason="CleanupError", answer=docker_state.Info)
    finally:
        await client.close()
    interfaces = await network.teardown(instance)
    mounts = await anyio.to_thread.run_sync(_unmount_below, data_dir)
    cgroups.remove_tree(cgroups.cgroup_path(cgroups.cgroup_parent(info.cgroup_driver, cgroup_root(instance))))
    return Removed(containers=len(ids), interfaces=interfaces, mounts=mounts)


def _unmount_below(directory: Path) -> int:
    """Innermost first; a mount that is still used goes away with its last user."""
    below = mount_points(Path("/proc/self/mountinfo").read_text(), directory)
    libc = ctypes.CDLL(None, use_errno=True)
    for point in reversed(below):
        if libc.umount2(os.fsencode(point), _MNT_DETACH):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), point)
    return len(below)


def mount_points(mountinfo: str, directory: Path) -> list[str]:
    """The mount points in and below `directory`, in the order in which they were mounted.

    >>> mount_points("36 35 98:0 / /d/a\\\\040b rw - tmpfs none rw", Path("/d"))
    ['/d/a b']
    """
    root = str(directory.absolute())
    points = [line.split()[4].encode().decode("unicode_escape") for line in mountinfo.splitlines()]
    return [point for point in points if point == root or point.startswith(root.rstrip("/") + "/")]
