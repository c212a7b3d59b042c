"""The counters of this machine: its root control group, those of pods, its networks and file systems."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import msgspec

from kubelite.kubelet.runtime import GroupUsage
from kubelite.kubelet.stats_cgroups import Interface, parse_interfaces, read_usage, same_path

CGROUPS = Path("/sys/fs/cgroup")
_PROC = Path("/proc")


class FileSystem(msgspec.Struct, frozen=True, kw_only=True):
    """Zero inodes: the file system does not count them."""

    capacity_bytes: int
    available_bytes: int
    inodes: int = 0
    inodes_free: int = 0

    @property
    def used_bytes(self) -> int:
        return self.capacity_bytes - self.available_bytes


class HostMeter:
    """Implements `stats_collector.Meter`."""

    def __init__(self, root: Path, cgroups: Path = CGROUPS, proc: Path = _PROC) -> None:
        """`root`: where pods have their directories."""
        self._root = root
        self._cgroups = cgroups
        self._proc = proc

    def node(self) -> GroupUsage:
        """Raises: OSError."""
        return read_usage(self._cgroups, same_path("/"))

    def pod(self, pid: int, uid: str) -> GroupUsage | None:
        try:
            groups = pod_groups(parse_groups((self._proc / str(pid) / "cgroup").read_text()), uid)
            return read_usage(self._cgroups, groups) if groups else None
        except (OSError, KeyError):  # gone meanwhile
            return None

    def working_set(self, group: str) -> int:
        """Bytes that a group and all below it use; 0 if there is no such group."""
        try:
            return read_usage(self._cgroups, same_path(group)).memory_working_set_bytes
        except (OSError, KeyError):
            return 0

    def interfaces(self, pid: int = 0) -> tuple[Interface, ...]:
        try:
            return parse_interfaces((self._proc / (str(pid) if pid else "self") / "net" / "dev").read_text())
        except OSError:
            return ()

    def file_system(self) -> FileSystem:
        return file_system(self._root)

    def processes(self) -> tuple[int, int]:
        running = (self._proc / "loadavg").read_text().split()[3].partition("/")[2]
        return int(running), int((self._proc / "sys/kernel/pid_max").read_text())


def file_system(path: Path) -> FileSystem:
    """The one that holds `path`. Raises: OSError."""
    found = os.statvfs(path)
    return FileSystem(
        capacity_bytes=found.f_blocks * found.f_frsize,
        available_bytes=found.f_bavail * found.f_frsize,
        inodes=found.f_files,
        inodes_free=found.f_ffree,
    )


def parse_groups(text: str) -> dict[str, str]:
    """/proc/PID/cgroup: path by controller, version 2's is empty.

    >>> parse_groups("4:cpu,cpuacct:/a\\n0::/b\\n")
    {'cpu': '/a', 'cpuacct': '/a', '': '/b'}
    """
    lines = (line.split(":", 2) for line in text.splitlines())
    return {name: path for _, names, path in lines for name in names.split(",")}


def pod_groups(groups: Mapping[str, str], uid: str) -> dict[str, str]:
    """The groups above a process's that are the pod's, under either driver's name of it.

    >>> pod_groups({"cpu": "/k/besteffort/pod1-2/abc", "": "/"}, "1-2")
    {'cpu': '/k/besteffort/pod1-2'}
    """
    names = (f"pod{uid}", f"pod{uid.replace('-', '_')}.slice")
    above = {name: PurePosixPath(path).parent for name, path in groups.items()}
    return {name: str(path) for name, path in above.items() if path.name.endswith(names)}
