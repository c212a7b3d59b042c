"""Every kubectl of this machine: the one on PATH and its siblings of other versions (`kubectl.1.29`)."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path

import msgspec

from tests.packages import program


class Kubectl(msgspec.Struct, frozen=True, order=True):
    """One kubectl, ordered by version."""

    version: tuple[int, int]
    path: Path

    def __str__(self) -> str:
        return f"kubectl-{self.version[0]}.{self.version[1]}"


@cache
def find() -> tuple[Kubectl, ...]:
    """One kubectl per minor version, oldest first; installs Debian's if there is none."""
    real = Path(program("kubectl")).resolve()
    by_version: dict[tuple[int, int], Kubectl] = {}
    for path in sorted(real.parent.glob("kubectl*")):
        said = subprocess.run(
            [path, "version", "--client", "-o", "json"], check=False, capture_output=True, text=True
        ).stdout
        try:
            version = json.loads(said)["clientVersion"]
        except (ValueError, KeyError):
            continue  # a plugin or a script of that name
        minor = (int(version["major"]), int(version["minor"].rstrip("+")))
        by_version[minor] = Kubectl(minor, path)
    assert by_version, f"no kubectl beside {real}"
    return tuple(sorted(by_version.values()))
