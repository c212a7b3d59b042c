"""What this host is: read from /proc, /sys and /etc when a kubelet starts, and its free memory and disk later."""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Callable
from pathlib import Path

from kubelite.kubelet.node_status import Health, Machine, Signal

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}


def read_machine(root_dir: Path, ip: str = "") -> Machine:
    """Raises: OSError."""
    stat = os.statvfs(root_dir)
    return Machine(
        ip=ip or host_address(),
        cpus=os.cpu_count() or 1,
        memory_bytes=_memory("MemTotal"),
        disk_bytes=stat.f_blocks * stat.f_frsize,
        huge_pages=_huge_pages(),
        machine_id=_text("/etc/machine-id"),
        system_uuid=_text("/sys/class/dmi/id/product_uuid") or _text("/etc/machine-id"),
        boot_id=_text("/proc/sys/kernel/random/boot_id"),
        kernel_version=platform.release(),
        os_image=_os_image(),
        architecture=_ARCHITECTURES.get(platform.machine(), platform.machine()),
    )


def read_health(root_dir: Path, image_root: Path | None = None, pods_used: Callable[[], int] = int) -> Health:
    """`image_root`: where images are, if not below `root_dir`; `pods_used`: bytes that all pods use. Raises: OSError."""
    disk = os.statvfs(root_dir)
    processes = int(_text("/proc/loadavg").split()[3].partition("/")[2])
    memory, most = _memory("MemTotal"), int(_text("/proc/sys/kernel/pid_max"))
    signals = {
        "memory.available": Signal(_memory("MemAvailable"), memory),
        "allocatableMemory.available": Signal(memory - pods_used(), memory),
        **_disk_signals("nodefs", disk),
        "pid.available": Signal(most - processes, most),
    }
    if image_root is not None:
        signals |= _disk_signals("imagefs", os.statvfs(image_root))
    return Health(
        signals=signals, disk_bytes=disk.f_blocks * disk.f_frsize, disk_free_bytes=disk.f_bavail * disk.f_frsize
    )


def _disk_signals(name: str, found: os.statvfs_result) -> dict[str, Signal]:
    """Some file systems do not count inodes."""
    inodes = {f"{name}.inodesFree": Signal(found.f_favail, found.f_files)} if found.f_files else {}
    return {f"{name}.available": Signal(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize), **inodes}


def host_address() -> str:
    """The address that this host uses towards the outside; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def _text(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _memory(field: str) -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name == field:
            return int(rest.split()[0]) * 1024
    return 0


def _huge_pages() -> dict[str, int]:
    found = {}
    root = Path("/sys/kernel/mm/hugepages")
    for directory in sorted(root.iterdir()) if root.is_dir() else ():
        kib = int(directory.name.removeprefix("hugepages-").removesuffix("kB"))
        size = f"{kib >> 20}Gi" if kib >= 1 << 20 else f"{kib >> 10}Mi"
        found[size] = int(_text(str(directory / "nr_hugepages")) or 0) * kib * 1024
    return found


def _os_image() -> str:
    for line in _text("/etc/os-release").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip('"')
    return "Linux"
