"""WebSocket framing, and the channel protocols that exec, attach and port-forward speak over it: bytes in, events out. Pure.

The server's side only. A channel message is one byte that names the channel, and its data; with v5 the message (255, channel)
says that the peer sends no more on that channel.
Source: RFC 6455; k8s.io/apimachinery pkg/util/{httpstream/wsstream,remotecommand}; KEP-4006
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Iterator, Sequence

import msgspec

V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"
#: Subprotocols of exec and attach, best first. The older ones differ in how an exit is told, or in base64.
EXEC_PROTOCOLS = (V5, V4)
#: Port-forward: SPDY inside the WebSocket's binary messages, or two channels per port.
TUNNEL = "SPDY/3.1+portforward.k8s.io"
PORT_PROTOCOLS = (TUNNEL, V4)

STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255

#: A message above this ends the connection with 1009. Clients send 32 KiB at a time.
MAX_MESSAGE_BYTES = 4 * 1024 * 1024
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _BINARY, _CLOSING, _PONG = 1, 2, 8, 10


class Broken(Exception):
    """The peer broke the protocol; `code` is the closing code to send."""

    def __init__(self, message: str, code: int = 1002) -> None:
        super().__init__(message)
        self.code = code


class Message(msgspec.Struct, frozen=True):
    data: bytes


class Pinged(msgspec.Struct, frozen=True):
    """To be answered with `encode_pong`."""

    data: bytes


class Closing(msgspec.Struct, frozen=True):
    code: int = 1005


Event = Message | Pinged | Closing


def accept_key(key: str) -> str:
    """The Sec-WebSocket-Accept of a Sec-WebSocket-Key.

    >>> accept_key("dGhlIHNhbXBsZSBub25jZQ==")
    's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
    """
    return base64.b64encode(hashlib.sha1((key + _GUID).encode(), usedforsecurity=False).digest()).decode()


def choose(offered: Sequence[str], served: Sequence[str]) -> str:
    """The first served protocol that the client offers, or an empty string."""
    return next((protocol for protocol in served if protocol in offered), "")


class WebSocket:
    """One connection's decoder.

    >>> masked = bytes([0x82, 0x83, 1, 2, 3, 4]) + bytes([0 ^ 1, ord("h") ^ 2, ord("i") ^ 3])
    >>> list(WebSocket().receive(masked))
    [Message(data=b'\\x00hi')]
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._parts: list[bytes] = []
        self._parts_bytes = 0

    def receive(self, data: bytes) -> Iterator[Event]:
        """The events that `data` completes. Raises: Broken."""
        self._buffer += data
        while (frame := self._next()) is not None:
            final, opcode, payload = frame
            match opcode:
                case 0 | 1 | 2:
                    self._parts.append(payload)
                    self._parts_bytes += len(payload)
                    if self._parts_bytes > MAX_MESSAGE_BYTES:
                        raise Broken("message too big", 1009)
                    if final:
                        whole, self._parts, self._parts_bytes = b"".join(self._parts), [], 0
                        yield Message(whole)
                case 8:
                    yield Closing(int.from_bytes(payload[:2], "big") if len(payload) >= 2 else 1005)
                case 9:
                    yield Pinged(payload)
                case 10:
                    pass
                case _:
                    raise Broken(f"unknown opcode {opcode}")

    def _next(self) -> tuple[bool, int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        first, second, at = buffer[0], buffer[1], 2
        if first & 0x70:
            raise Broken("reserved bits are set")
        if not second & 0x80:
            raise Broken("a client's frame is not masked")
        size = second & 0x7F
        if size >= 126:
            wide = 2 if size == 126 else 8
            if len(buffer) < at + wide:
                return None
            size = int.from_bytes(buffer[at : at + wide], "big")
            at += wide
        if size > MAX_MESSAGE_BYTES:
            raise Broken("message too big", 1009)
        if len(buffer) < at + 4 + size:
            return None
        payload = unmask(bytes(buffer[at + 4 : at + 4 + size]), bytes(buffer[at : at + 4]))
        del buffer[: at + 4 + size]
        return bool(first & 0x80), first & 0x0F, payload


def unmask(data: bytes, key: bytes) -> bytes:
    """XOR with the repeated key, as one big number: C speed without a dependency."""
    size = len(data)
    keys = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "little") ^ int.from_bytes(keys, "little")).to_bytes(size, "little")


def _frame(opcode: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        head = struct.pack(">BB", 0x80 | opcode, size)
    elif size < 65536:
        head = struct.pack(">BBH", 0x80 | opcode, 126, size)
    else:
        head = struct.pack(">BBQ", 0x80 | opcode, 127, size)
    return head + payload


def encode_message(data: bytes) -> bytes:
    return _frame(_BINARY, data)


def encode_text(data: bytes) -> bytes:
    return _frame(_TEXT, data)


def encode_pong(data: bytes) -> bytes:
    return _frame(_PONG, data)


def encode_close(code: int = 1000) -> bytes:
    return _frame(_CLOSING, struct.pack(">H", code))


def encode_channel(channel: int, data: bytes) -> bytes:
    """
    >>> encode_channel(STDOUT, b"hi")
    b'\\x82\\x03\\x01hi'
    """
    return _frame(_BINARY, bytes([channel]) + data)
