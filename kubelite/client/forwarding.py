"""Port-forward: connections to ports of a pod over one client connection.

Over SPDY each connection is a pair of streams, error and data, that share a request id; newer clients speak the same SPDY
inside a WebSocket's messages. The older WebSocket form has two channels per port. A stream that its reader leaves full holds
up the connection, not memory.
Source: kubernetes pkg/kubelet/cri/streaming/portforward, staging/src/k8s.io/client-go/tools/portforward, KEP-4006
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from kubelite.actor.log import get_logger
from kubelite.api import channels, spdy
from kubelite.api.errors import StatusError
from kubelite.client.streaming import messages
from kubelite.client.streams import ByteStream, Wire

#: Connects to a port of the pod.
Dial = Callable[[int], AbstractAsyncContextManager[ByteStream]]
#: Data frames that wait for one connection to the pod before the client's whole connection waits.
_WAITING_FRAMES = 16
_log = get_logger(__name__)


class _Side(Protocol):
    """The client's end of one forwarded connection."""

    inbox: MemoryObjectReceiveStream[bytes]

    async def send(self, data: bytes) -> None: ...
    async def end(self) -> None: ...
    async def fail(self, message: str) -> None: ...


async def forward(side: _Side, dial: Dial, port: int) -> None:
    """One connection, until both directions have ended."""
    try:
        async with dial(port) as connection, anyio.create_task_group() as tasks:
            tasks.start_soon(_inward, side, connection)
            while data := await connection.read():
                await side.send(data)
            await side.end()
    except* (StatusError, OSError) as failures:
        found = failures.exceptions[0]
        while isinstance(found, BaseExceptionGroup):
            found = found.exceptions[0]
        if not isinstance(found, ConnectionError | BrokenPipeError) or not str(found).startswith("the client"):
            await side.fail(f"error forwarding port {port}: {found}")


async def _inward(side: _Side, connection: ByteStream) -> None:
    async for data in side.inbox:
        await connection.write(data)
    await connection.close_write()


class _SpdySide:
    def __init__(self, owner: SpdyForwarding, data: int, error: int) -> None:
        self._owner = owner
        self._data = data
        self._error = error
        self.inbox = owner.inboxes[data]

    async def send(self, data: bytes) -> None:
        await self._owner.wire.send(self._owner.codec.encode_data(self._data, data))

    async def end(self) -> None:
        codec = self._owner.codec
        ends = codec.encode_data(self._data, b"", fin=True) + codec.encode_data(self._error, b"", fin=True)
        await self._owner.wire.send(ends)

    async def fail(self, message: str) -> None:
        codec = self._owner.codec
        told = codec.encode_data(self._error, message.encode(), fin=True)
        await self._owner.wire.send(told + codec.encode_data(self._data, b"", fin=True))


class SpdyForwarding:
    """Serves port-forward over SPDY on a wire, raw or tunnelled."""

    def __init__(self, wire: Wire, dial: Dial) -> None:
        self.wire = wire
        self.codec = spdy.Spdy()
        self.inboxes: dict[int, MemoryObjectReceiveStream[bytes]] = {}
        self._dial = dial
        self._outboxes: dict[int, MemoryObjectSendStream[bytes]] = {}
        self._halves: dict[str, dict[str, int]] = {}

    async def run(self) -> None:
        """Until the client leaves."""
        async with anyio.create_task_group() as tasks:
            while data := await self.wire.receive():
                try:
                    for event in self.codec.receive(data):
                        await self._handle(event, tasks)
                except spdy.ProtocolError as error:
                    _log.debug("Port-forward client broke the protocol", error=str(error))
                    break
            tasks.cancel_scope.cancel()

    async def _handle(self, event: spdy.Event, tasks: TaskGroup) -> None:
        match event:
            case spdy.Opened():
                await self._open(event, tasks)
            case spdy.Received():
                if (outbox := self._outboxes.get(event.stream)) is not None:
                    if event.data:
                        await _offer(outbox, event.data)
                    if event.fin:
                        self._end(event.stream)
            case spdy.Reset():
                self._end(event.stream)
            case spdy.Pinged():
                await self.wire.send(spdy.encode_ping(event.number))

    def _end(self, stream: int) -> None:
        if (outbox := self._outboxes.pop(stream, None)) is not None:
            outbox.close()

    async def _open(self, event: spdy.Opened, tasks: TaskGroup) -> None:
        kind, port = event.headers.get("streamtype", ""), event.headers.get("port", "")
        if kind not in ("data", "error") or not port.isdigit() or not 0 < int(port) < 65536:
            await self.wire.send(spdy.encode_reset(event.stream, 3))
            return
        await self.wire.send(self.codec.encode_reply(event.stream))
        if kind == "data":
            self._outboxes[event.stream], self.inboxes[event.stream] = anyio.create_memory_object_stream[bytes](
                _WAITING_FRAMES
            )
        pair = self._halves.setdefault(event.headers.get("requestid", ""), {})
        pair[kind] = event.stream
        if len(pair) == 2:
            del self._halves[event.headers.get("requestid", "")]
            tasks.start_soon(self._forward, pair["data"], pair["error"], int(port))

    async def _forward(self, data: int, error: int, port: int) -> None:
        try:
            await forward(_SpdySide(self, data, error), self._dial, port)
        finally:
            self._end(data)
            self.inboxes.pop(data).close()


async def _offer(outbox: MemoryObjectSendStream[bytes], data: bytes) -> None:
    try:
        await outbox.send(data)
    except anyio.BrokenResourceError:
        _log.debug("Dropped data for a closed connection", size_bytes=len(data))


class TunnelWire:
    """The bytes inside a WebSocket's binary messages, as a wire."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._messages = messages(wire, channels.WebSocket())

    async def receive(self) -> bytes:
        async for data in self._messages:
            if data:
                return data
        return b""

    async def send(self, data: bytes) -> None:
        await self._wire.send(channels.encode_message(data))


class _ChannelSide:
    def __init__(self, wire: Wire, at: int, inbox: MemoryObjectReceiveStream[bytes]) -> None:
        self._wire = wire
        self._data = 2 * at
        self.inbox = inbox

    async def send(self, data: bytes) -> None:
        await self._wire.send(channels.encode_channel(self._data, data))

    async def end(self) -> None:
        """This protocol cannot say it."""

    async def fail(self, message: str) -> None:
        await self._wire.send(channels.encode_channel(self._data + 1, message.encode()))


async def forward_channels(wire: Wire, ports: Sequence[int], dial: Dial) -> None:
    """The older WebSocket form: one connection per port of the query, each announced on both of its channels."""
    outboxes: dict[int, MemoryObjectSendStream[bytes]] = {}
    async with anyio.create_task_group() as tasks:
        for at, port in enumerate(ports):
            told = struct.pack("<H", port)
            await wire.send(channels.encode_channel(2 * at, told) + channels.encode_channel(2 * at + 1, told))
            outboxes[2 * at], inbox = anyio.create_memory_object_stream[bytes](_WAITING_FRAMES)
            tasks.start_soon(_forward_channel, _ChannelSide(wire, at, inbox), dial, port)
        async for data in messages(wire, channels.WebSocket()):
            if data and (outbox := outboxes.get(data[0])) is not None:
                await _offer(outbox, data[1:])
        for outbox in outboxes.values():
            outbox.close()
        tasks.cancel_scope.cancel()


async def _forward_channel(side: _ChannelSide, dial: Dial, port: int) -> None:
    with side.inbox:
        await forward(side, dial, port)
