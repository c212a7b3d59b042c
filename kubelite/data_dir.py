"""The data directory: made private, held by one kubelite at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self


class HostProblem(Exception):
    """What the host lacks or does not allow: one line for a person, raised before anything was changed."""


class DataDir:
    """The directory `path` while it is held. Entering raises HostProblem when it is held already or cannot be made."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = -1

    @property
    def store(self) -> Path:
        return self.path / "store.db"

    @property
    def control(self) -> Path:
        """The socket where the store of a running daemon is looked after."""
        return self.path / "store.sock"

    @property
    def static_pods(self) -> Path:
        """The manifests of pods that the node runs by itself."""
        return self.path / "manifests"

    @property
    def pki(self) -> Path:
        return self.path / "pki"

    @property
    def has_node(self) -> bool:
        """Whether this host was a node for it, and may still hold containers, interfaces and mounts."""
        return (self.path / "pods").is_dir()

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise HostProblem(f"cannot use the data directory {self.path}: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._lock, 32, 0).decode().strip()
            os.close(self._lock)
            raise HostProblem(f"another kubelite (process {holder}) uses the data directory {self.path}") from error
        os.truncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._lock)

    def remove(self) -> None:
        """Removes everything in it and itself."""
        import shutil

        shutil.rmtree(self.path)
