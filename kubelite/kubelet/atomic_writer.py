"""Writes a volume's files so that a reader sees all of the old or all of the new, never a mixture.

    volume/..2026_11_23_10_00_00.x1y2z/key   the files
    volume/..data -> ..2026_11_23_10_00_00.x1y2z   renamed over the old link: the switch
    volume/key -> ..data/key

Source: pkg/volume/util/atomic_writer.go
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import msgspec

_DATA = "..data"
_NEW_DATA = "..data_tmp"


class File(msgspec.Struct, frozen=True):
    content: bytes
    mode: int


class BadPath(ValueError):
    """A file of the volume would lie outside of it."""


def check_path(path: str) -> None:
    """Raises: BadPath."""
    parts = path.split("/")
    if not path or path.startswith(("/", "..")) or ".." in parts:
        raise BadPath(f"invalid path: {path}")


def write_atomically(root: Path, files: Mapping[str, File], *, stamp: str, gid: int | None = None) -> bool:
    """Makes the volume hold exactly `files`; False when it did already. `stamp` names the new directory.

    Raises: OSError, and then it still holds what it held, in no more space.
    """
    for path in files:
        check_path(path)
    data = root / _DATA
    old = root / data.readlink() if data.is_symlink() else None
    if old is not None and _read(old) == {path: (each.content, each.mode) for path, each in files.items()}:
        return False
    for entry in root.iterdir():
        if entry.name.startswith("..") and not entry.is_symlink() and entry != old:
            shutil.rmtree(entry)  # from a writer that died
    new = root / f"..{stamp}"
    try:
        _write(new, files, gid)
    except OSError:
        shutil.rmtree(new, ignore_errors=True)
        raise
    link = root / _NEW_DATA
    link.unlink(missing_ok=True)
    link.symlink_to(new.name)
    link.rename(data)
    tops = {path.split("/")[0] for path in files}
    for top in tops:
        if not (root / top).is_symlink():
            (root / top).symlink_to(f"{_DATA}/{top}")
    for entry in root.iterdir():
        if not entry.name.startswith("..") and entry.name not in tops:
            entry.unlink()
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)
    return True


def _write(directory: Path, files: Mapping[str, File], gid: int | None) -> None:
    directory.mkdir(mode=0o755)
    for path, each in files.items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(each.content)
        target.chmod(each.mode)
        if gid is not None:
            os.chown(target, -1, gid)


def _read(directory: Path) -> dict[str, tuple[bytes, int]]:
    if not directory.is_dir():
        return {}
    return {
        str(path.relative_to(directory)): (path.read_bytes(), path.stat().st_mode & 0o7777)
        for path in directory.rglob("*")
        if path.is_file()
    }
