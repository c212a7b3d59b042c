"""A unix socket in front of another one, which delays what passes, cuts connections, lets nobody in, or counts requests."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

_REQUEST = re.compile(rb"(GET|POST|DELETE|PUT|HEAD) (\S+) HTTP/1")


class SocketProxy:
    """Runs in threads while it is entered. `delay_s` is added to every chunk of an answer.

    `on_request` hears every request before it passes, as "POST /path"; it is called in the connection's thread.
    """

    def __init__(self, path: Path, target: str) -> None:
        self.path = path
        self.delay_s = 0.0
        self.closed = False  #: new connections are cut at once
        self.on_request: Callable[[str], None] = lambda request: None
        self._target = target
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._requests = threading.Semaphore(0)
        self._left = threading.Event()

    def __enter__(self) -> SocketProxy:
        self._listener.bind(str(self.path))
        self._listener.listen(256)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Ends every connection, in the middle of whatever it carries."""
        with self._lock:
            for each in self._open:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def until_requests(self, count: int, timeout_s: float = 30) -> None:
        """Returns when so many more requests have come in."""
        for _ in range(count):
            assert self._requests.acquire(timeout=timeout_s), "no request came in"

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.closed:
                client.close()
                continue
            engine = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            engine.connect(self._target)
            with self._lock:
                self._open |= {client, engine}
            done = threading.Barrier(2)
            threading.Thread(target=self._copy, args=(client, engine, done, False), daemon=True).start()
            threading.Thread(target=self._copy, args=(engine, client, done, True), daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket, done: threading.Barrier, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                if answers and self.delay_s:
                    self._left.wait(self.delay_s)
                if not answers and (request := _REQUEST.match(chunk)):
                    self._requests.release()
                    self.on_request(f"{request[1].decode()} {request[2].decode()}")
                target.sendall(chunk)
            target.shutdown(socket.SHUT_WR)
        done.wait()
        with self._lock:
            self._open.discard(source)
        source.close()
