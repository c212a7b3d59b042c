"""Makes and removes the cgroups of pods. The one writer of /sys/fs/cgroup above containers."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from kubelite.kubelet.cgroups import Limits, v1_files, v2_files

_ROOT = Path("/sys/fs/cgroup")
#: What a group of version 2 passes on to those below it.
_CONTROLLERS = ("cpu", "memory", "pids")


class Cgroups:
    """Of a host with cgroup version 1 or 2."""

    def __init__(self) -> None:
        self._unified = (_ROOT / "cgroup.controllers").exists()

    def make(self, group: str, limits: Limits) -> None:
        """Raises: OSError."""
        if self._unified:
            path = _ROOT
            for part in group.strip("/").split("/"):
                with suppress(OSError):  # the threaded or delegated tree may withhold a controller
                    (path / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in _CONTROLLERS))
                path /= part
                path.mkdir(exist_ok=True)
            for name, text in v2_files(limits).items():
                (path / name).write_text(text)
            return
        for controller, files in v1_files(limits).items():
            path = _ROOT / controller / group.strip("/")
            path.mkdir(parents=True, exist_ok=True)
            for name, text in files.items():
                (path / name).write_text(text)

    def remove(self, group: str) -> None:
        """What still has processes stays."""
        roots = (
            [_ROOT] if self._unified else [each for each in _ROOT.iterdir() if each.is_dir() and not each.is_symlink()]
        )
        for root in roots:
            for directory, _, _ in os.walk(root / group.strip("/"), topdown=False):
                with suppress(OSError):
                    Path(directory).rmdir()
