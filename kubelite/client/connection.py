"""One client connection: aiohttp's protocol, plus knowing when the client is slow, and giving the connection away.

A request that asks for an upgrade is handed to the parser alone; what follows it in the same segment, or arrives until the
handler decides, is kept: for the stream if the connection is taken over, else for the parser.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, cast

import anyio
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from kubelite.actor.log import get_logger
from kubelite.api import codec
from kubelite.api.errors import InternalError

#: Reading from a connection that is, or may be, upgraded pauses above this many waiting bytes.
_HIGH_WATER_BYTES = 256 * 1024
#: Read at a time from a TLS connection: the largest record. Source: RFC 8446, section 5.1
_TLS_BUFFER_BYTES = 16 * 1024

#: How long a request's head may take to arrive. Source: k8s.io/apiserver pkg/server/secure_serving.go ReadHeaderTimeout
_HEAD_S = 32.0

_log = get_logger(__name__)


class Connection(RequestHandler):
    """See the module. `write` and `on_drained` are a `frames.Channel`."""

    __slots__ = ("_head_timer", "_held", "_slow", "_wire", "on_drained")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.on_drained: Callable[[], None] | None = None
        self._slow = False
        self._held: bytearray | None = None
        self._wire: RawWire | None = None
        self._head_timer: Any = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._expect_head()
        _shrink_read_buffer(transport)

    def write(self, data: bytes) -> bool:
        """One chunk of a chunked answer. False: the client is slow."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return True
        cast(Any, transport).write(b"%x\r\n%b\r\n" % (len(data), data))
        return not self._slow

    async def drained(self) -> None:
        """Returns when the client is not slow any more. Raises: ConnectionError when it has left meanwhile."""
        if self._slow:
            await self._drain_helper()

    def take_over(self, head: bytes) -> RawWire:
        """Ends HTTP on this connection: writes `head`, and everything else belongs to the caller."""
        transport = self.transport
        if transport is None:
            raise ConnectionResetError("the client left before the upgrade")
        held, self._held = self._held or bytearray(), None
        self._wire = wire = RawWire(cast(Any, transport), bytes(held))
        wire.slow(self._slow)
        cast(Any, transport).write(head)
        cast(Any, transport).resume_reading()
        return wire

    def data_received(self, data: bytes) -> None:
        if self._wire is not None:
            self._wire.feed(data)
        elif self._held is not None:
            self._held += data
            if len(self._held) > _HIGH_WATER_BYTES and self.transport is not None:
                cast(Any, self.transport).pause_reading()
        elif data[:4] in (b"GET ", b"POST") and (end := data.find(b"\r\n\r\n") + 4) > 3 and _upgrades(data[:end]):
            self._held = bytearray(data[end:])
            super().data_received(data[:end])
        else:
            super().data_received(data)
            self._expect_head()

    def _expect_head(self) -> None:
        """A client that never finishes the head of its request must not keep its connection for ever."""
        has_request = bool(self._messages) or self._current_request is not None
        if has_request and self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        elif not has_request and self._head_timer is None:
            self._head_timer = self._loop.call_later(_HEAD_S, self._give_up)

    def _give_up(self) -> None:
        self._head_timer = None
        if self.transport is not None and self._current_request is None:
            self.transport.close()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        finished = await super().finish_response(request, resp, start_time)
        if self._held is not None:  # the upgrade was refused
            held, self._held = bytes(self._held), None
            if self.transport is not None:
                cast(Any, self.transport).resume_reading()
            if held and self._parser is not None:
                self.data_received(held)
        return finished

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """What no handler foresaw: said to the client as a Status, and once in the log."""
        if exc is not None and status >= 500:
            _log.error("Request failed", method=request.method, path=request.path, exc_info=exc)
        text = "an error on the server has prevented the request from succeeding" if status >= 500 else str(message)
        told = InternalError(text, code=status, reason="InternalError" if status >= 500 else "BadRequest").status()
        response = web.Response(status=status, body=codec.encode(told), content_type="application/json")
        response.force_close()
        return response

    def pause_writing(self) -> None:
        super().pause_writing()
        self._slow = True
        if self._wire is not None:
            self._wire.slow(True)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._slow = False
        if self._wire is not None:
            self._wire.slow(False)
        if self.on_drained is not None:
            self.on_drained()

    def eof_received(self) -> None:
        if self._wire is not None:
            self._wire.feed_eof()

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
        if self._wire is not None:
            self._wire.lost()
        super().connection_lost(exc)


def _shrink_read_buffer(transport: Any) -> None:
    """asyncio keeps 256 KiB per TLS connection for reading, and thousands of watchers never send a second request.

    The attributes are asyncio's own; where they are not as known (another loop or version), all stays as it is.
    """
    protocol = getattr(transport, "_ssl_protocol", None)
    if isinstance(getattr(protocol, "_ssl_buffer", None), bytearray) and hasattr(protocol, "_ssl_buffer_view"):
        assert protocol is not None
        protocol.max_size = _TLS_BUFFER_BYTES
        protocol._ssl_buffer = bytearray(_TLS_BUFFER_BYTES)
        protocol._ssl_buffer_view = memoryview(protocol._ssl_buffer)


def _upgrades(head: bytes) -> bool:
    lowered = head.lower()
    return (b"\r\nupgrade:" in lowered and b"\r\ncontent-length: 0" in lowered) or (
        b"\r\nupgrade:" in lowered and b"content-length" not in lowered and b"transfer-encoding" not in lowered
    )


class RawWire:
    """Implements `streams.Wire` over a transport."""

    def __init__(self, transport: Any, first: bytes) -> None:
        self._transport = transport
        self._chunks: deque[bytes] = deque([first] if first else [])
        self._waiting_bytes = len(first)
        self._ended = self._gone = False
        self._readable = anyio.Event()
        self._writable = anyio.Event()
        self._writable.set()

    async def receive(self) -> bytes:
        while not self._chunks:
            if self._ended:
                return b""
            self._readable = anyio.Event()
            await self._readable.wait()
        data = b"".join(self._chunks)
        self._chunks.clear()
        if self._waiting_bytes > _HIGH_WATER_BYTES and not self._transport.is_closing():
            self._transport.resume_reading()
        self._waiting_bytes = 0
        return data

    async def send(self, data: bytes) -> None:
        await self._writable.wait()
        if self._gone or self._transport.is_closing():
            raise ConnectionResetError("the client left")
        self._transport.write(data)

    async def close(self) -> None:
        """What was sent still goes out."""
        self._transport.close()
        self.lost()

    def feed(self, data: bytes) -> None:
        self._chunks.append(data)
        before, self._waiting_bytes = self._waiting_bytes, self._waiting_bytes + len(data)
        if before <= _HIGH_WATER_BYTES < self._waiting_bytes:
            self._transport.pause_reading()
        self._readable.set()

    def feed_eof(self) -> None:
        self._ended = True
        self._readable.set()

    def lost(self) -> None:
        self._gone = True
        self._writable.set()
        self.feed_eof()

    def slow(self, slow: bool) -> None:
        if slow and not self._gone:
            self._writable = anyio.Event()
        else:
            self._writable.set()
