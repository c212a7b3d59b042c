"""Starts the writer process and speaks with it: frames over one socket pair, answers in the order of the requests.

What a frame is and what the operations do stands in sqlite_writer, the other end. Here a refusal becomes one of the store's
errors; when the process ends by itself, whatever was asked of it fails with Unavailable.
"""

from __future__ import annotations

import asyncio
import marshal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio

from kubelite.store.store import StoreError, Unavailable

#: A row's number in the file is its revision, and behind it the number within the revision. As in sqlite_writer.
SUB_BITS = 20
#: What the system may hold of the log that is being sent to us while we start.
SOCKET_BYTES = 4 << 20
#: What is received at once; a frame may be larger.
BUFFER_BYTES = 1 << 20
#: The process ends within milliseconds; a disk that does not answer must not keep us.
CLOSE_TIMEOUT_S = 1.5


class Locked(StoreError):
    """Another process has the file open."""

    def __init__(self, path: Path, holder: str) -> None:
        super().__init__(f"{path} is in use by another process (pid {holder})")
        self.path = path
        self.holder = holder


class Corrupt(StoreError):
    """The file is damaged; nothing in it was changed."""

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(f"{path} is damaged: {detail}")
        self.path = path


class WriterProcess:
    """The child and our end of its socket. Made before there is an event loop, so that it starts while others start."""

    def __init__(self, path: Path) -> None:
        self.path = path
        spec = find_spec("aiosqlite")
        assert spec is not None
        assert spec.origin is not None
        script = str(Path(__file__).with_name("sqlite_writer.py"))
        self.socket, theirs = socket.socketpair()
        for end in (self.socket, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BYTES)
        with theirs:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-I",
                    "-S",
                    script,
                    str(theirs.fileno()),
                    str(path),
                    str(Path(spec.origin).parents[1]),
                ],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # a Ctrl-C at the terminal is for the parent
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def end(self) -> None:
        """Ends a process that nobody has connected to, or that does not end by itself."""
        self.socket.close()
        self._process.kill()
        self._process.wait()

    def reap(self) -> None:
        """Takes leave of the process, which has closed its socket."""
        self._process.wait()


class Channel(asyncio.BufferedProtocol):
    """Requests to the writer and its answers."""

    def __init__(self, process: WriterProcess) -> None:
        self._process = process
        self._transport: asyncio.Transport
        self._buffer = bytearray(BUFFER_BYTES)
        self._filled = 0  # so much of it has been received and not been read
        self._waiting: deque[Callable[[str, Any], None]] = deque()
        self._closing = False
        self.ended = anyio.Event()  # the process has gone
        self.on_lost: Callable[[], None] = lambda: None  # called when it went without being told to

    async def connect(self, on_state: Callable[[str, Any], None]) -> dict[str, Any]:
        """Passes the compact revision and the rows of the log to `on_state`; returns the rest. Raises: Locked, Corrupt."""
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[dict[str, Any]] = loop.create_future()

        def load(word: str, value: Any) -> None:
            if word in ("compact", "rows"):
                self._waiting.appendleft(load)
                on_state(word, value)
            elif not ready.done():
                if word == "ready":
                    ready.set_result(value)
                else:
                    ready.set_exception(self._error(word, value))

        self._waiting.append(load)
        await loop.create_connection(lambda: self, sock=self._process.socket)
        return await ready

    def send(self, operation: str, argument: object, answer: Callable[[str, Any], None]) -> None:
        """Asks for `operation`; `answer` is called with the error ("" if none) and the value."""
        if self.ended.is_set() or self._closing:
            answer("unavailable", "the writer process has ended")
            return
        body = marshal.dumps((operation, argument))  # type: ignore[arg-type]  # whatever it holds is plain
        self._waiting.append(answer)
        self._transport.writelines((len(body).to_bytes(8, "little"), body))

    async def ask(self, operation: str, argument: object) -> Any:
        """The value of `operation`. Raises: Unavailable."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def answer(error: str, value: Any) -> None:
            if future.done():
                return
            if error:
                future.set_exception(self._error(error, value))
            else:
                future.set_result(value)

        self.send(operation, argument, answer)
        return await future

    async def close(self) -> None:
        """Lets the process finish what it has, and waits for its end."""
        self._closing = True
        with anyio.CancelScope(shield=True), anyio.move_on_after(CLOSE_TIMEOUT_S):
            if not self.ended.is_set():
                self._transport.write_eof()
            await self.ended.wait()
            self._process.reap()
            return
        self._transport.abort()
        self._process.end()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        return memoryview(self._buffer)[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        self._filled += nbytes
        buffer, end, at = self._buffer, self._filled, 0
        view = memoryview(buffer)
        while end - at >= 8:
            size = int.from_bytes(view[at : at + 8], "little")
            if end - at - 8 < size:
                if 8 + size > len(buffer):
                    self._buffer = bytearray(8 + size + BUFFER_BYTES)
                break
            error, value = marshal.loads(view[at + 8 : at + 8 + size])
            at += 8 + size
            self._waiting.popleft()(error, value)
        if at or buffer is not self._buffer:
            self._filled = end - at
            memoryview(self._buffer)[: self._filled] = view[at:end]

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set()
        waiting, self._waiting = self._waiting, deque()
        for answer in waiting:
            answer("unavailable", "the writer process has ended")
        if not self._closing:
            self.on_lost()

    def _error(self, word: str, detail: str) -> StoreError:
        path = self._process.path
        match word:
            case "locked":
                return Locked(path, detail)
            case "corrupt":
                return Corrupt(path, detail)
        return Unavailable(f"{path}: {detail}")
