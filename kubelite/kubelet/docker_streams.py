"""Streams of containers: processes run by exec, attached consoles, logs, and connections into a pod's network.

`docker` opens them and knows what ends them. Source: https://docs.docker.com/reference/api/engine/ (the multiplexed stream
format of attach), setns(2)
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import anyio

from kubelite.client.streams import LogOptions
from kubelite.kubelet import netlink
from kubelite.kubelet.docker_client import REQUEST_DEADLINE_S, translated
from kubelite.kubelet.runtime import RuntimeFailed

if TYPE_CHECKING:
    from aiodocker.stream import Stream

#: How the engine reports on stdout that the process of an exec could not be started, with exit code 126 or 127.
_EXEC_FAILED = b"OCI runtime exec failed"


class ProcessStream:
    """ExecStream over one hijacked connection."""

    def __init__(
        self,
        stream: Stream,
        *,
        resize: Callable[[int, int], Awaitable[None]],
        exit_code: Callable[[], Awaitable[int]],
    ) -> None:
        self._stream = stream
        self._resize = resize
        self._exit_code = exit_code
        self._first = True
        self._held: tuple[int, bytes] | None = None

    async def read(self) -> tuple[int, bytes] | None:
        if self._held is not None:
            held, self._held = self._held, None
            return held
        chunk = await self._receive()
        if not self._first or chunk is None:
            return chunk
        self._first = False
        if not chunk[1].startswith(_EXEC_FAILED):
            return chunk
        # A program may print that too: it is the engine's report only if nothing follows and the exit code fits.
        self._held = await self._receive()
        if self._held is None and await self._exit_code() in (126, 127):
            raise RuntimeFailed("ExecError", chunk[1].decode(errors="replace").strip())
        return chunk

    async def write(self, data: bytes) -> None:
        with translated("ExecError"):
            await self._stream.write_in(data)

    async def close_stdin(self) -> None:
        # The library's own close would also close the output.
        response = self._stream._resp
        if response is not None and response.connection is not None:
            transport = response.connection.transport
            if transport is not None and not transport.is_closing():
                transport.write_eof()

    async def resize(self, *, width: int, height: int) -> None:
        await self._resize(width, height)

    async def exit_code(self) -> int:
        return await self._exit_code()

    async def _receive(self) -> tuple[int, bytes] | None:
        with translated("ExecError"):
            message = await self._stream.read_out()
        return None if message is None else (message.stream, message.data)


@asynccontextmanager
async def opened(stream: Stream) -> AsyncIterator[Stream]:
    with translated("ExecError"), anyio.fail_after(REQUEST_DEADLINE_S):
        await stream._init()
    try:
        yield stream
    finally:
        response, stream._closed = stream._resp, True
        if response is not None:
            response.close()


class SocketStream:
    """ByteStream over a connected socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, max_bytes: int = 65536) -> bytes:
        try:
            return await self._reader.read(max_bytes)
        except ConnectionError:
            return b""

    async def write(self, data: bytes) -> None:
        try:
            self._writer.write(data)
            await self._writer.drain()
        except ConnectionError as error:
            raise RuntimeFailed("PortForwardError", f"the connection to the pod was lost: {error}") from error

    async def close_write(self) -> None:
        if not self._writer.is_closing():
            self._writer.write_eof()


async def connect(pid: int, port: int) -> socket.socket:
    """A connection to 127.0.0.1:`port` in the network namespace of process `pid`.

    Raises: OSError (TimeoutError is one) when it is gone or nothing listens.
    """

    def make() -> socket.socket:
        return socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)

    sock = await anyio.to_thread.run_sync(netlink.run_in_netns, f"/proc/{pid}/ns/net", make)
    try:
        with anyio.fail_after(10):
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    except BaseException:
        sock.close()
        raise
    return sock


@asynccontextmanager
async def socket_stream(sock: socket.socket) -> AsyncIterator[SocketStream]:
    reader, writer = await asyncio.open_connection(sock=sock)
    try:
        yield SocketStream(reader, writer)
    finally:
        writer.close()
        with anyio.CancelScope(shield=True), anyio.move_on_after(1), suppress(OSError):
            await writer.wait_closed()


async def demultiplexed(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The payloads of frames, whichever of the two streams they belong to."""
    pending = bytearray()
    async for chunk in chunks:
        pending += chunk
        offset = 0
        while len(pending) - offset >= 8:
            (size,) = struct.unpack_from(">4xL", pending, offset)
            if len(pending) - offset < 8 + size:
                break
            yield bytes(pending[offset + 8 : offset + 8 + size])
            offset += 8 + size
        del pending[:offset]


async def limited(chunks: AsyncIterator[bytes], limit_bytes: int | None) -> AsyncIterator[bytes]:
    left = limit_bytes
    async for chunk in chunks:
        if left is None:
            yield chunk
            continue
        if left > 0:
            yield chunk[:left]
        left -= len(chunk)
        if left <= 0:
            return


def log_parameters(options: LogOptions) -> dict[str, str]:
    """The query of the engine's logs."""
    parameters = {
        "stdout": str(int(options.stream != "Stderr")),
        "stderr": str(int(options.stream != "Stdout")),
        "follow": str(int(options.follow)),
        "timestamps": str(int(options.timestamps)),
        "tail": "all" if options.tail_lines is None else str(options.tail_lines),
    }
    if options.since is not None:
        parameters["since"] = f"{options.since:.9f}"
    return parameters
