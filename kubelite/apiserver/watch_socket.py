"""A watch over a WebSocket: each event is a text message; what the client sends is not read, but for its end.

Source: k8s.io/apiserver pkg/endpoints/handlers/watch.go HandleWS
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from kubelite.api import channels
from kubelite.api.errors import BadRequest
from kubelite.apiserver.answers import Headers
from kubelite.apiserver.frames import Feed
from kubelite.client.streams import Upgraded, Wire

#: Bytes that wait for a slow client before the watch is paused.
_HIGH_WATER_BYTES = 256 * 1024


def wants_socket(headers: Headers) -> bool:
    return headers.get("Upgrade", "").lower() == "websocket" and "upgrade" in headers.get("Connection", "").lower()


def watch_over_socket(headers: Headers, feed: Feed, timeout_s: float) -> Upgraded:
    """Raises: BadRequest."""
    key = headers.get("Sec-WebSocket-Key", "")
    if not key or headers.get("Sec-WebSocket-Version", "") != "13":
        raise BadRequest("Upgrade request required")
    answer = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": channels.accept_key(key)}
    if protocols := headers.get("Sec-WebSocket-Protocol", ""):
        answer["Sec-WebSocket-Protocol"] = protocols.partition(",")[0].strip()

    async def run(wire: Wire, messages: _Messages) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_listen, wire, feed)
            tasks.start_soon(messages.send, wire, feed)
            feed.attach(messages)
            await feed.run(timeout_s)
            tasks.cancel_scope.cancel()
        await messages.flush(wire)
        await wire.send(channels.encode_close())

    return Upgraded(headers=answer, open=_opened(feed), run=run)


@asynccontextmanager
async def _opened(feed: Feed) -> AsyncIterator[_Messages]:
    try:
        yield _Messages()
    finally:
        feed.close()


class _Messages:
    """Implements `frames.Channel`."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._arrived = anyio.Event()

    def write(self, data: bytes) -> bool:
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        self._arrived.set()
        return self._waiting_bytes < _HIGH_WATER_BYTES

    async def send(self, wire: Wire, feed: Feed) -> None:
        while True:
            await self._arrived.wait()
            self._arrived = anyio.Event()
            await self.flush(wire)
            feed.resume()

    async def flush(self, wire: Wire) -> None:
        while self._waiting:
            data = self._waiting.popleft()
            self._waiting_bytes -= len(data)
            await wire.send(b"".join([channels.encode_text(line) for line in data.splitlines(keepends=True)]))


async def _listen(wire: Wire, feed: Feed) -> None:
    """Until the client closes, or leaves, or breaks the protocol."""
    socket = channels.WebSocket()
    try:
        while data := await wire.receive():
            for event in socket.receive(data):
                if isinstance(event, channels.Pinged):
                    await wire.send(channels.encode_pong(event.data))
                elif isinstance(event, channels.Closing):
                    return
    except channels.Broken:
        return
    finally:
        feed.end()
