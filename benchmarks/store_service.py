"""A store behind a socket, as small as can be: what durable puts cost without HTTP, JSON or admission.

    python -m benchmarks.store_service DIRECTORY

Prints the port. A request is a 4-byte length, a 2-byte length of the key, the key and the value; the answer is 8 bytes, the
revision, in the order of the requests. The client of the same protocol is `ServiceConnection`.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.abc
import anyio.to_thread

from kubelite.actor.clock import SystemClock
from kubelite.store.sqlite import SqliteStore
from kubelite.store.store import Put, Txn


class ServiceConnection(asyncio.Protocol):
    """Puts over one connection; those of one turn of the loop leave in one piece."""

    def __init__(self) -> None:
        self._done: deque[Callable[[bytes], None]] = deque()
        self._out: list[bytes] = []
        self._buffer = bytearray()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def call(self, message: bytes, done: Callable[[bytes], None]) -> None:
        self._done.append(done)
        if not self._out:
            asyncio.get_running_loop().call_soon(self._flush)
        self._out.append(message)

    def _flush(self) -> None:
        self._transport.writelines(self._out)
        self._out.clear()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        whole = len(self._buffer) // 8 * 8
        answers = bytes(self._buffer[:whole])
        del self._buffer[:whole]
        for at in range(0, whole, 8):
            self._done.popleft()(answers[at : at + 8])


def put_message(key: str, value: bytes) -> bytes:
    name = key.encode()
    return (len(name) + len(value) + 2).to_bytes(4, "big") + len(name).to_bytes(2, "big") + name + value


class Service(asyncio.Protocol):
    """One client's connection. A put is the work of one of as many tasks as there ever were puts at a time."""

    def __init__(self, store: SqliteStore, tasks: anyio.abc.TaskGroup) -> None:
        self._store, self._tasks = store, tasks
        self._buffer = bytearray()
        self._out: list[bytes] = []
        self._idle: deque[asyncio.Future[bytes]] = deque()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        buffer, at = self._buffer, 0
        buffer += data
        while len(buffer) - at >= 4:
            size = int.from_bytes(buffer[at : at + 4], "big")
            if len(buffer) - at - 4 < size:
                break
            request = bytes(buffer[at + 4 : at + 4 + size])
            at += 4 + size
            if self._idle:
                self._idle.popleft().set_result(request)
            else:
                self._tasks.start_soon(self._work, request)
        del buffer[:at]

    async def _work(self, request: bytes) -> None:
        loop = asyncio.get_running_loop()
        while True:
            end = 2 + int.from_bytes(request[:2], "big")
            result = await self._store.txn(Txn(success=(Put(request[2:end].decode(), request[end:]),)))
            if not self._out:
                loop.call_soon(self._flush)
            self._out.append(result.revision.to_bytes(8, "big"))
            next_request: asyncio.Future[bytes] = loop.create_future()
            self._idle.append(next_request)
            request = await next_request

    def _flush(self) -> None:
        self._transport.write(b"".join(self._out))
        self._out.clear()


@asynccontextmanager
async def service(directory: Path) -> AsyncIterator[int]:
    """The service in a process of its own; yields its port."""
    command = [sys.executable, "-m", "benchmarks.store_service", str(directory)]
    async with await anyio.open_process(command, stdin=subprocess.PIPE, stderr=None) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield int(await process.stdout.receive())
        await process.stdin.aclose()
        await process.wait()


async def main(directory: Path) -> None:
    async with SqliteStore(directory / "store.db", SystemClock()) as store, anyio.create_task_group() as tasks:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Service(store, tasks), "127.0.0.1", 0)
        async with server:
            print(server.sockets[0].getsockname()[1], flush=True)
            await anyio.to_thread.run_sync(sys.stdin.read)
        tasks.cancel_scope.cancel()


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]))
