"""A unix socket in front of another one, which delays what passes, cuts connections, or lets nobody in."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from pathlib import Path
from types import TracebackType


class SocketProxy:
    """Runs in threads while it is entered. `delay_s` is added to every chunk of an answer."""

    def __init__(self, path: Path, target: str) -> None:
        self.path = path
        self.delay_s = 0.0
        self.closed = False  #: new connections are cut at once
        self._target = target
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> SocketProxy:
        self._listener.bind(str(self.path))
        self._listener.listen(256)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Ends every connection, in the middle of whatever it carries."""
        with self._lock:
            for each in self._open:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

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

    def _copy(self, source: socket.socket, target: socket.socket, done: threading.Barrier, slow: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                if slow and self.delay_s:
                    time.sleep(self.delay_s)
                target.sendall(chunk)
            target.shutdown(socket.SHUT_WR)
        done.wait()
        with self._lock:
            self._open.discard(source)
        source.close()
