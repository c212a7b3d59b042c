"""A client that keeps connections busy and counts every failure."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable
from types import TracebackType

import dnslib

TIMEOUT_S = 10.0


def resolve(name: str, server: str) -> str:
    """The address of `name`, asked of a DNS server."""
    question = dnslib.DNSRecord.question(name)
    answer = dnslib.DNSRecord.parse(question.send(server, 53, timeout=5))
    return str(answer.rr[0].rdata)


def request(address: str, port: int, path: str) -> str:
    """One HTTP request on a connection of its own; returns the body. Raises: OSError, ValueError."""
    with socket.create_connection((address, port), TIMEOUT_S) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: test\r\n\r\n".encode())
        data = b""
        while chunk := connection.recv(65536):
            data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.startswith((b"HTTP/1.0 200", b"HTTP/1.1 200")):
        raise ValueError(f"bad answer: {data[:80]!r}")
    return body.decode()


class Load:
    """`connections` threads, each with one request after another, to the addresses that `target` gives."""

    def __init__(self, connections: int, targets: list[Callable[[], str]], path: str) -> None:
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []
        self._path = path
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._progress = threading.Condition(self._lock)
        self._threads = [
            threading.Thread(target=self._work, args=(targets[number % len(targets)],)) for number in range(connections)
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def requests(self) -> int:
        return self.answers.total() + len(self.failures)

    def until(self, requests: int, timeout_s: float) -> None:
        """Waits until that many requests were made in all."""
        with self._progress:
            assert self._progress.wait_for(lambda: self.requests >= requests, timeout_s), (
                f"only {self.requests} requests"
            )

    def _work(self, target: Callable[[], str]) -> None:
        while not self._stop.is_set():
            answer, failure = "", ""
            try:
                answer = request(target(), 80, self._path)
            except (OSError, ValueError, dnslib.DNSError) as error:
                failure = repr(error)
            with self._progress:
                if failure:
                    self.failures.append(failure)
                else:
                    self.answers[answer.strip()] += 1
                self._progress.notify_all()
