"""Bridges between a client's upgraded connection and a pod's streams: exec and attach, with backpressure both ways.

A session turns one wire protocol (WebSocket channels, SPDY streams) into (channel, data) pairs; `bridge_exec` connects a
session to an `ExecStream`. Port-forward is in `forwarding`. Nothing is buffered beyond what the wire holds.
Source: k8s.io/apimachinery pkg/util/remotecommand, kubernetes pkg/kubelet/cri/streaming/remotecommand
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from typing import Protocol

import anyio
import msgspec

from kubelite.api import channels, spdy
from kubelite.api.channels import ERROR, RESIZE, STDERR, STDIN, STDOUT
from kubelite.api.errors import StatusError
from kubelite.api.meta import Status, StatusCause, StatusDetails
from kubelite.client.streams import ExecStream, Wire

#: How long a client may take to open its SPDY streams. Source: kubelet's stream-creation-timeout
_CREATION_S = 30.0
#: How long the client may take to hang up after the end, so that what was sent is not lost to a reset.
_LINGER_S = 0.5
_STREAM_TYPES = {"stdin": STDIN, "stdout": STDOUT, "stderr": STDERR, "error": ERROR, "resize": RESIZE}


class Session(Protocol):
    """The client's side of an exec."""

    def incoming(self) -> AsyncIterator[tuple[int, bytes | None]]:
        """(channel, data); None: the client sends no more on this channel. Ends when the client is gone."""

    async def send(self, channel: int, data: bytes) -> None: ...
    async def finish(self, status: bytes) -> None:
        """Sends the result on the error channel and ends every channel."""


class _Size(msgspec.Struct):
    Width: int = 0
    Height: int = 0


def encode_exit(code: int) -> bytes:
    """The result of a command as the error channel tells it.

    >>> encode_exit(0)
    b'{"metadata":{},"status":"Success"}'
    """
    if code == 0:
        return msgspec.json.encode(Status(status="Success"))
    causes = (StatusCause(reason="ExitCode", message=str(code)),)
    message = f"command terminated with non-zero exit code: command terminated with exit code {code}"
    status = Status(status="Failure", reason="NonZeroExitCode", message=message, details=StatusDetails(causes=causes))
    return msgspec.json.encode(status)


async def bridge_exec(session: Session, stream: ExecStream) -> None:
    """Runs until the process has ended and its output is sent, or the client is gone."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_feed, session, stream, tasks.cancel_scope)
        try:
            while (chunk := await stream.read()) is not None:
                await session.send(*chunk)
            result = encode_exit(await stream.exit_code())
        except StatusError as error:
            result = msgspec.json.encode(error.status())
        await session.finish(result)
        tasks.cancel_scope.cancel()


async def _feed(session: Session, stream: ExecStream, scope: anyio.CancelScope) -> None:
    """Input and resizes into the process; the client's leaving ends it all."""
    open_stdin = True
    async for channel, data in session.incoming():
        if channel == STDIN and open_stdin:
            try:
                if data is None:
                    open_stdin = False
                    await stream.close_stdin()
                elif data:
                    await stream.write(data)
            except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
                open_stdin = False  # the process closed its input; its output and exit code still count
        elif channel == RESIZE and data:
            for size in _sizes(data):
                await stream.resize(width=size.Width, height=size.Height)
    scope.cancel()


def _sizes(data: bytes) -> list[_Size]:
    """One or several JSON objects; what is none is left out."""
    found = []
    for line in data.replace(b"}{", b"}\n{").splitlines():
        try:
            found.append(msgspec.json.decode(line, type=_Size))
        except msgspec.DecodeError:
            continue
    return found


class WebSocketSession:
    """Channels over a WebSocket; with v5 single channels can be closed."""

    def __init__(self, wire: Wire, protocol: str) -> None:
        self._wire = wire
        self._decoder = channels.WebSocket()
        self._half_close = protocol == channels.V5

    async def incoming(self) -> AsyncIterator[tuple[int, bytes | None]]:
        async for data in messages(self._wire, self._decoder):
            if not data:
                continue
            if self._half_close and data[0] == channels.CLOSE:
                if len(data) > 1:
                    yield data[1], None
            else:
                yield data[0], data[1:]

    async def send(self, channel: int, data: bytes) -> None:
        await self._wire.send(channels.encode_channel(channel, data))

    async def finish(self, status: bytes) -> None:
        await self._wire.send(channels.encode_channel(ERROR, status) + channels.encode_close())
        await linger(self._wire)


async def messages(wire: Wire, decoder: channels.WebSocket) -> AsyncIterator[bytes]:
    """Whole messages until the client closes; pings are answered."""
    while data := await wire.receive():
        try:
            for event in decoder.receive(data):
                match event:
                    case channels.Message():
                        yield event.data
                    case channels.Pinged():
                        await wire.send(channels.encode_pong(event.data))
                    case channels.Closing():
                        await wire.send(channels.encode_close(1000))
                        return
        except channels.Broken as error:
            await wire.send(channels.encode_close(error.code))
            return


async def linger(wire: Wire) -> None:
    """Reads and forgets until the client hangs up, for a moment."""
    with anyio.move_on_after(_LINGER_S):
        while await wire.receive():
            pass


class SpdySession:
    """One SPDY stream per channel, opened by the client. Call `open` first."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._codec = spdy.Spdy()
        self._ids: dict[int, int] = {}
        self._channels: dict[int, int] = {}
        self._early: list[tuple[int, bytes | None]] = []

    async def open(self, wanted: Collection[int]) -> None:
        """Waits until the client has opened all `wanted` channels.

        Raises: TimeoutError; ConnectionError when the client leaves.
        """
        with anyio.fail_after(_CREATION_S):
            while not set(wanted) <= self._ids.keys():
                if not (data := await self._wire.receive()):
                    raise ConnectionResetError("the client left before it opened its streams")
                self._early += await self._handle(data)

    async def incoming(self) -> AsyncIterator[tuple[int, bytes | None]]:
        for early in self._early:
            yield early
        while data := await self._wire.receive():
            try:
                found = await self._handle(data)
            except spdy.ProtocolError:
                return
            for entry in found:
                yield entry

    async def _handle(self, data: bytes) -> list[tuple[int, bytes | None]]:
        found: list[tuple[int, bytes | None]] = []
        for event in self._codec.receive(data):
            match event:
                case spdy.Opened():
                    channel = _STREAM_TYPES.get(event.headers.get("streamtype", "").lower())
                    if channel is None:
                        await self._wire.send(spdy.encode_reset(event.stream, 3))
                    else:
                        self._ids[channel], self._channels[event.stream] = event.stream, channel
                        await self._wire.send(self._codec.encode_reply(event.stream))
                case spdy.Received() if event.stream in self._channels:
                    channel = self._channels[event.stream]
                    found.append((channel, event.data))
                    if event.fin:
                        found.append((channel, None))
                case spdy.Reset() if event.stream in self._channels:
                    found.append((self._channels[event.stream], None))
                case spdy.Pinged():
                    await self._wire.send(spdy.encode_ping(event.number))
        return found

    async def send(self, channel: int, data: bytes) -> None:
        if (stream := self._ids.get(channel)) is not None:
            await self._wire.send(self._codec.encode_data(stream, data))

    async def finish(self, status: bytes) -> None:
        ends = [(self._ids[channel], b"") for channel in (STDOUT, STDERR) if channel in self._ids]
        frames = [(self._ids[ERROR], status), *ends]
        await self._wire.send(b"".join(self._codec.encode_data(stream, data, fin=True) for stream, data in frames))
        await linger(self._wire)
