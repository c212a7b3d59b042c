"""A kubelite daemon as a user runs it: a process, a kubeconfig, and kubectl."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

START_TIMEOUT_S = 60.0


class DaemonFailed(Exception):
    """The daemon did not come up; the message holds what it wrote."""


class Daemon:
    """`python -m kubelite` on a data directory of its own. `settings` are command-line words."""

    def __init__(self, data_dir: Path, kubectl: Path, *settings: str) -> None:
        self.data_dir = data_dir
        self._kubectl = kubectl
        self._settings = settings
        self._log = data_dir.parent / f"{data_dir.name}.log"
        self._process: subprocess.Popen[str] | None = None
        self.ready_line = ""

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "kubelite", *words]

    def start(self) -> float:
        """Starts the daemon; returns the seconds until it said that it is ready."""
        begun = time.monotonic()
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                self.command(
                    "--data-dir", str(self.data_dir), "--secure-port", "0", "--kubelet-port", "0", *self._settings
                ),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(START_TIMEOUT_S):
                self.stop(signal.SIGKILL)
                raise DaemonFailed(f"no ready line within {START_TIMEOUT_S:g} s\n{self.log()}")
        self.ready_line = self._process.stdout.readline()
        if not self.ready_line:
            raise DaemonFailed(f"exited with {self._process.wait()}\n{self.log()}")
        return time.monotonic() - begun

    def stop(self, how: signal.Signals = signal.SIGTERM) -> float:
        """Sends a signal and waits for the end; returns the seconds it took."""
        if self._process is None:
            return 0.0
        begun = time.monotonic()
        self._process.send_signal(how)
        self.exit_code = self._process.wait(30)
        if self._process.stdout:
            self._process.stdout.close()
        self._process = None
        return time.monotonic() - begun

    def cleanup(self) -> None:
        """Removes everything that the daemon left on the host."""
        done = subprocess.run(
            self.command("cleanup", "--data-dir", str(self.data_dir), "--all"),
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr

    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    @property
    def kubeconfig(self) -> Path:
        return self.data_dir / "admin.kubeconfig"

    def environment(self) -> dict[str, str]:
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig), "HOME": str(self.data_dir.parent)}

    def kubectl_command(self, *words: str, version: Path | None = None) -> list[str]:
        return [str(version or self._kubectl), *words]

    def run(
        self, *words: str, stdin: str | None = None, version: Path | None = None, timeout_s: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Runs kubectl, whatever its exit code."""
        return subprocess.run(
            self.kubectl_command(*words, version=version),
            check=False,
            capture_output=True,
            text=True,
            input=stdin,
            timeout=timeout_s,
            env=self.environment(),
        )

    def kubectl(self, *words: str, stdin: str | None = None, version: Path | None = None, timeout_s: float = 60) -> str:
        """Runs kubectl, which must succeed; returns what it printed."""
        done = self.run(*words, stdin=stdin, version=version, timeout_s=timeout_s)
        assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr or done.stdout}"
        return done.stdout

    def get(self, *words: str) -> Any:
        """`kubectl get ... -o json`, decoded."""
        return json.loads(self.kubectl("get", *words, "-o", "json"))

    def pods(self, selector: str, namespace: str = "default") -> list[Any]:
        """The pods that match and are not being deleted."""
        items = self.get("pods", "-n", namespace, "-l", selector)["items"]
        return [pod for pod in items if "deletionTimestamp" not in pod["metadata"]]

    def wait(self, condition: str, *what: str, timeout_s: float = 60) -> None:
        self.kubectl("wait", f"--for={condition}", *what, f"--timeout={timeout_s:g}s", timeout_s=timeout_s + 10)
