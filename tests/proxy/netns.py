"""A network namespace for a test: commands in it, sockets in it, pods beside it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

T = TypeVar("T")

#: setns by number: Python 3.11 has no os.setns.
_SETNS = 308 if os.uname().machine == "x86_64" else 268
_CLONE_NEWNET = 0x40000000


class Namespace:
    """Lives as long as its process, which sleeps in it."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(
            ["unshare", "-n", "sh", "-c", "ip link set lo up; echo up; exec sleep 3600"], stdout=subprocess.PIPE
        )
        assert self._holder.stdout
        self._holder.stdout.readline()
        self.pid = self._holder.pid

    def __enter__(self) -> Namespace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._holder.kill()
        self._holder.wait()
        assert self._holder.stdout
        self._holder.stdout.close()

    def run(self, command: str, *, given: str = "") -> str:
        done = subprocess.run(
            ["nsenter", "--net", "-t", str(self.pid), "sh", "-ec", command],
            input=given, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def nft(self, text: str) -> None:
        self.run("nft -f -", given=text)

    def listing(self, table: str) -> list[str]:
        """The table's lines, one per element, sorted."""
        text = self.run(f"nft list table ip {table}").replace("elements = {", "")
        return sorted(line.strip(" \t}") for line in re.split(r"[,\n]", text))

    def tables(self) -> list[str]:
        return [line.split()[2] for line in self.run("nft list tables").splitlines()]

    def call(self, function: Callable[[], T]) -> T:
        """Runs `function` in a thread that is inside; sockets it opens stay inside."""
        import ctypes

        results: list[T] = []
        errors: list[BaseException] = []

        def inside() -> None:
            libc = ctypes.CDLL(None, use_errno=True)
            fd = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY)
            try:
                if libc.syscall(_SETNS, fd, _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
                results.append(function())
            except BaseException as error:  # noqa: BLE001  raised again by the caller
                errors.append(error)
            finally:
                os.close(fd)

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return results[0]


def tcp_ask(address: tuple[str, int], *, source: str = "") -> str:
    """Connects, and returns what the other side says at once."""
    with socket.create_connection(address, timeout=2, source_address=(source, 0) if source else None) as client:
        return client.recv(100).decode()
