"""Makes and removes the cgroups of pods. The one writer of /sys/fs/cgroup above containers."""

from __future__ import annotations

import os
from collections.abc import Iterable
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

    def pods(self, groups: Iterable[str]) -> set[str]:
        """The uids of pods that have a group directly below one of `groups`."""
        found = set()
        for directory in self._directories(groups):
            if directory.is_dir():
                found |= {each.name.removeprefix("pod") for each in directory.iterdir() if each.name.startswith("pod")}
        return found

    def remove(self, groups: Iterable[str]) -> None:
        """What still has processes stays."""
        for top in self._directories(groups):
            for directory, _, _ in os.walk(top, topdown=False):
                with suppress(OSError):
                    Path(directory).rmdir()

    def _directories(self, groups: Iterable[str]) -> list[Path]:
        """The groups in every hierarchy."""
        if self._unified:
            return [_ROOT / group.strip("/") for group in groups]
        roots = [each for each in _ROOT.iterdir() if each.is_dir() and not each.is_symlink()]
        return [root / group.strip("/") for group in groups for root in roots]
