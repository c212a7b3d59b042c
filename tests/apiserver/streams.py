"""Streams of pods that are only in memory: a few commands, an echo on every port, and logs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from kubelite.api.errors import NotFound
from kubelite.client.streams import LogOptions


class FakeProcess:
    """`cat` echoes, `exit N` writes on both outputs and ends so, `big N` writes N bytes, anything else is printed."""

    def __init__(self, command: tuple[str, ...], streams: FakeStreams) -> None:
        self._streams = streams
        self._out, self._in = anyio.create_memory_object_stream[tuple[int, bytes]](1000)
        self._code = 0
        match command:
            case ["cat"]:
                return
            case ["exit", code]:
                self._code = int(code)
                self._out.send_nowait((1, b"out\n"))
                self._out.send_nowait((2, b"err\n"))
            case ["big", size]:
                for _ in range(int(size) // 65536):
                    self._out.send_nowait((1, b"x" * 65536))
            case _:
                self._out.send_nowait((1, f"{' '.join(command)}\n".encode()))
        self._out.close()

    async def read(self) -> tuple[int, bytes] | None:
        try:
            return await self._in.receive()
        except anyio.EndOfStream:
            return None

    async def write(self, data: bytes) -> None:
        await self._out.send((1, data))

    async def close_stdin(self) -> None:
        self._out.close()

    async def resize(self, *, width: int, height: int) -> None:
        self._streams.sizes.append((width, height))

    async def exit_code(self) -> int:
        return self._code

    def close(self) -> None:
        self._out.close()
        self._in.close()


class FakeConnection:
    """Echoes; port 1 refuses."""

    def __init__(self) -> None:
        self._out, self._in = anyio.create_memory_object_stream[bytes](1000)

    async def read(self, max_bytes: int = 65536) -> bytes:
        try:
            return await self._in.receive()
        except anyio.EndOfStream:
            return b""

    async def write(self, data: bytes) -> None:
        await self._out.send(data)

    async def close_write(self) -> None:
        self._out.close()

    def close(self) -> None:
        self._out.close()
        self._in.close()


class FakeStreams:
    """Implements `PodStreams`; remembers what was asked."""

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []
        self.logged: list[tuple[str, LogOptions, bool]] = []

    @asynccontextmanager
    async def exec(
        self, namespace: str, pod: str, container: str, command: tuple[str, ...], *, stdin: bool, tty: bool
    ) -> AsyncIterator[FakeProcess]:
        if command == ("gone",):
            raise NotFound(f'container not found ("{container}")')
        process = FakeProcess(command, self)
        try:
            yield process
        finally:
            process.close()

    @asynccontextmanager
    async def attach(
        self, namespace: str, pod: str, container: str, *, stdin: bool, tty: bool
    ) -> AsyncIterator[FakeProcess]:
        async with self.exec(
            namespace, pod, container, ("cat",) if stdin else ("attached",), stdin=stdin, tty=tty
        ) as p:
            yield p

    @asynccontextmanager
    async def dial(self, namespace: str, pod: str, port: int) -> AsyncIterator[FakeConnection]:
        if port == 1:
            raise ConnectionRefusedError("connection refused")
        connection = FakeConnection()
        try:
            yield connection
        finally:
            connection.close()

    @asynccontextmanager
    async def logs(
        self, namespace: str, pod: str, container: str, options: LogOptions, *, previous: bool = False
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        self.logged.append((container, options, previous))

        async def lines() -> AsyncIterator[bytes]:
            for number in range(3):
                yield f"{container} line {number}\n".encode()
            if options.follow:
                await anyio.sleep_forever()

        yield lines()
