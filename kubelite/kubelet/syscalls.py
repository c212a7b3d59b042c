"""Mounts and safe opening, which Python's standard library does not offer. The one door to libc for them.

Source: mount(2), umount2(2), openat2(2), inotify(7), Linux include/uapi/linux/openat2.h
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Sequence
from functools import cache
from pathlib import Path

_READ_ONLY, _REMOUNT, _BIND = 1, 32, 4096
_SHARED = 1 << 20
_DETACH = 2
_SYS_OPENAT2 = 437  # the same on every architecture
_NO_MAGIC_LINKS, _BENEATH = 0x02, 0x08


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _failed(path: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), path)


def mount_tmpfs(path: str, *, size_bytes: int = 0) -> None:
    """`size_bytes` 0: the kernel's default, half of the memory. Raises: OSError."""
    data = f"size={size_bytes}" if size_bytes else ""
    if _libc().mount(b"tmpfs", path.encode(), b"tmpfs", ctypes.c_ulong(0), data.encode()):
        raise _failed(path)


def bind_mount(source: str, target: str) -> None:
    """Raises: OSError."""
    if _libc().mount(source.encode(), target.encode(), None, ctypes.c_ulong(_BIND), None):
        raise _failed(target)


def mount_layers(layers: Sequence[str], target: str) -> None:
    """Mounts directories over each other, the topmost first, read-only. Raises: OSError."""
    if len(layers) == 1:  # which an overlay refuses
        bind_mount(layers[0], target)
        failed = _libc().mount(None, target.encode(), None, ctypes.c_ulong(_BIND | _REMOUNT | _READ_ONLY), None)
    else:
        data = f"lowerdir={':'.join(layers)}"
        failed = _libc().mount(b"overlay", target.encode(), b"overlay", ctypes.c_ulong(_READ_ONLY), data.encode())
    if failed:
        raise _failed(target)


def make_shared(path: str) -> None:
    """Makes `path` a mount that passes mounts on to containers that ask for it. Raises: OSError."""
    if not Path(path).is_mount():
        bind_mount(path, path)
    if _libc().mount(None, path.encode(), None, ctypes.c_ulong(_SHARED), None):
        raise _failed(path)


def unmount(path: str) -> None:
    """Lazily; what is no mount point is no error. Raises: OSError."""
    if _libc().umount2(path.encode(), _DETACH) and ctypes.get_errno() not in {errno.EINVAL, errno.ENOENT}:
        raise _failed(path)


def mounts_below(root: Path) -> list[str]:
    """The mount points below `root`, the deepest first."""
    prefix = f"{root}/"
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        path = line.split(" ", 5)[4].encode().decode("unicode_escape")
        if path.startswith(prefix):
            found.append(path)
    return sorted(found, key=len, reverse=True)


def open_beneath(root: str, path: str, *, flags: int = os.O_PATH) -> int:
    """A descriptor of `path` in `root`; no symbolic link leads out of it. Raises: OSError (EXDEV when one tries)."""
    directory = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        how = struct.pack("QQQ", flags | os.O_CLOEXEC, 0, _BENEATH | _NO_MAGIC_LINKS)
        found: int = _libc().syscall(_SYS_OPENAT2, directory, path.encode(), how, ctypes.c_size_t(len(how)))
        if found < 0:
            raise _failed(path)
        return found
    finally:
        os.close(directory)


def make_beneath(root: str, path: str, *, mode: int = 0o750) -> None:
    """Makes the directories of `path` in `root` that are missing, never through a link that leads out. Raises: OSError."""
    done = ""
    for part in path.split("/"):
        parent = open_beneath(root, done or ".", flags=os.O_PATH | os.O_DIRECTORY)
        try:
            os.mkdir(part, mode, dir_fd=parent)
        except FileExistsError:
            pass
        finally:
            os.close(parent)
        done = f"{done}/{part}" if done else part


_CHANGES = 0x2 | 0x8 | 0x40 | 0x80 | 0x100 | 0x200  # modified, written and closed, moved from and to, created, deleted


def watch_directory(path: str) -> int:
    """A descriptor that becomes readable when a file in the directory changes; the reader drains it. Raises: OSError."""
    descriptor: int = _libc().inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    if descriptor < 0:
        raise _failed(path)
    if _libc().inotify_add_watch(descriptor, path.encode(), _CHANGES) < 0:
        error = _failed(path)
        os.close(descriptor)
        raise error
    return descriptor
