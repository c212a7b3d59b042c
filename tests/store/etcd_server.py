"""Debian's etcd on loopback, as one or several members."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.packages import program


class Member:
    """A member that can be killed and started again on its data."""

    def __init__(self, name: str, directory: Path, cluster: dict[str, tuple[int, int]], *tls: str) -> None:
        client, peer = cluster[name]
        self.endpoint = f"127.0.0.1:{client}"
        urls = f"http{'s' if tls else ''}://{self.endpoint}"
        self._command = [
            *(
                program("etcd"),
                "--name",
                name,
                "--data-dir",
                str(directory / name),
                "--log-level",
                "fatal",
                "--logger",
                "zap",
            ),
            *("--listen-client-urls", urls, "--advertise-client-urls", urls),
            *(
                "--listen-peer-urls",
                f"http://127.0.0.1:{peer}",
                "--initial-advertise-peer-urls",
                f"http://127.0.0.1:{peer}",
            ),
            "--initial-cluster",
            ",".join(f"{other}=http://127.0.0.1:{ports[1]}" for other, ports in cluster.items()),
            *tls,
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def etcd(directory: Path, members: int = 1, *tls: str) -> Iterator[list[Member]]:
    """`tls` are etcd's options for serving TLS."""
    ports = free_ports(2 * members)
    cluster = {f"m{i}": (ports[2 * i], ports[2 * i + 1]) for i in range(members)}
    started = [Member(name, directory, cluster, *tls) for name in cluster]
    try:
        for member in started:
            member.start()
        yield started
    finally:
        for member in started:
            member.kill()


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [found.getsockname()[1] for found in sockets]
    for found in sockets:
        found.close()
    return ports
