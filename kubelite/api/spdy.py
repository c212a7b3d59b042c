"""SPDY/3.1 as far as exec, attach and port-forward speak it: bytes in, events out. Pure.

Clients up to kubectl 1.29 stream over it, and port-forward still does, inside a WebSocket. Header blocks are compressed with
one zlib context per direction and a preset dictionary. The client library (spdystream) keeps no flow-control windows, so none
are enforced here: TCP's own pushes back.
Source: https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping

import msgspec

#: Larger frames are a broken or hostile peer's; spdystream sends at most 32 KiB.
MAX_FRAME_BYTES = 1024 * 1024
_MAX_HEADERS_BYTES = 64 * 1024
_FIN = 1
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING, _GOAWAY = 1, 2, 3, 6, 7

_WORDS = (
    "options|head|post|put|delete|trace|accept|accept-charset|accept-encoding|accept-language|accept-ranges|age|a"
    "llow|authorization|cache-control|connection|content-base|content-encoding|content-language|content-length|co"
    "ntent-location|content-md5|content-range|content-type|date|etag|expect|expires|from|host|if-match|if-modifie"
    "d-since|if-none-match|if-range|if-unmodified-since|last-modified|location|max-forwards|pragma|proxy-authenti"
    "cate|proxy-authorization|range|referer|retry-after|server|te|trailer|transfer-encoding|upgrade|user-agent|va"
    "ry|via|warning|www-authenticate|method|get|status|200 OK|version|HTTP/1.1|url|public|set-cookie|keep-alive|o"
    "rigin"
)
_TAIL = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritat"
    "ive Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found5"
    "00 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct N"
    "ov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,applic"
    "ation/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf"
    "-8charset=iso-8859-1,utf-,*,enq=0."
)
#: What both sides' compressors start with: length-prefixed words, then plain text. Source: section 2.6.10.1
DICTIONARY = b"".join(struct.pack(">I", len(word)) + word.encode() for word in _WORDS.split("|")) + _TAIL.encode()


class ProtocolError(Exception):
    """The peer broke the protocol; the connection is of no more use."""


class Opened(msgspec.Struct, frozen=True):
    """The peer opened a stream and waits for `encode_reply`. Header names are in lower case."""

    stream: int
    headers: Mapping[str, str]
    fin: bool = False


class Replied(msgspec.Struct, frozen=True):
    stream: int
    headers: Mapping[str, str]


class Received(msgspec.Struct, frozen=True):
    """`fin`: the peer sends no more on this stream."""

    stream: int
    data: bytes
    fin: bool = False


class Reset(msgspec.Struct, frozen=True):
    stream: int
    status: int


class Pinged(msgspec.Struct, frozen=True):
    """To be answered with `encode_ping` of the same number."""

    number: int


class GoneAway(msgspec.Struct, frozen=True):
    """The peer opens no more streams."""

    last_stream: int


Event = Opened | Replied | Received | Reset | Pinged | GoneAway


class Spdy:
    """One connection's codec.

    >>> client, server = Spdy(), Spdy()
    >>> list(server.receive(client.encode_open(1, {"streamtype": "stdin"})))
    [Opened(stream=1, headers={'streamtype': 'stdin'}, fin=False)]
    >>> list(client.receive(server.encode_data(1, b"hi", fin=True)))
    [Received(stream=1, data=b'hi', fin=True)]
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def receive(self, data: bytes) -> Iterator[Event]:
        """The events that `data` completes. Raises: ProtocolError."""
        buffer = self._buffer
        buffer += data
        while len(buffer) >= 8:
            length = int.from_bytes(buffer[5:8], "big")
            if length > MAX_FRAME_BYTES:
                raise ProtocolError(f"a frame of {length} bytes")
            if len(buffer) < 8 + length:
                return
            head, flags, body = bytes(buffer[:4]), buffer[4], bytes(buffer[8 : 8 + length])
            del buffer[: 8 + length]
            if head[0] & 0x80:
                yield from self._control(head, flags, body)
            else:
                yield Received(int.from_bytes(head, "big"), body, bool(flags & _FIN))

    def _control(self, head: bytes, flags: int, body: bytes) -> Iterator[Event]:
        """SETTINGS and WINDOW_UPDATE say nothing that matters here."""
        version, kind = struct.unpack(">HH", head)
        if version & 0x7FFF != 3:
            raise ProtocolError(f"SPDY version {version & 0x7FFF}")
        try:
            match kind:
                case 1:
                    (stream,) = struct.unpack_from(">I", body)
                    yield Opened(stream & 0x7FFFFFFF, self._headers(body[10:]), bool(flags & _FIN))
                case 2:
                    (stream,) = struct.unpack_from(">I", body)
                    yield Replied(stream & 0x7FFFFFFF, self._headers(body[4:]))
                case 3:
                    stream, status = struct.unpack_from(">II", body)
                    yield Reset(stream & 0x7FFFFFFF, status)
                case 6:
                    yield Pinged(struct.unpack_from(">I", body)[0])
                case 7:
                    yield GoneAway(struct.unpack_from(">I", body)[0] & 0x7FFFFFFF)
                case 8:
                    (stream,) = struct.unpack_from(">I", body)
                    self._headers(body[4:])  # keeps the compression context in step
                    yield Received(stream & 0x7FFFFFFF, b"", bool(flags & _FIN))
        except struct.error as error:
            raise ProtocolError(f"a short control frame of type {kind}") from error

    def _headers(self, block: bytes) -> dict[str, str]:
        try:
            data = self._inflate.decompress(block, _MAX_HEADERS_BYTES)
        except zlib.error as error:
            raise ProtocolError(f"a header block that cannot be decompressed: {error}") from error
        if self._inflate.unconsumed_tail:
            raise ProtocolError("a header block that is too large")
        (count,), at = struct.unpack_from(">I", data), 4
        headers: dict[str, str] = {}
        for _ in range(count):
            pair = []
            for _ in range(2):
                (size,) = struct.unpack_from(">I", data, at)
                pair.append(data[at + 4 : at + 4 + size].decode("utf-8", "replace"))
                at += 4 + size
            headers[pair[0].lower()] = pair[1].partition("\0")[0]
        return headers

    def _block(self, headers: Mapping[str, str]) -> bytes:
        parts = [struct.pack(">I", len(headers))]
        for text in (text for pair in headers.items() for text in pair):
            encoded = text.encode()
            parts += [struct.pack(">I", len(encoded)), encoded]
        return self._deflate.compress(b"".join(parts)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def encode_open(self, stream: int, headers: Mapping[str, str], *, fin: bool = False) -> bytes:
        return _frame(_SYN_STREAM, struct.pack(">IIH", stream, 0, 0) + self._block(headers), _FIN if fin else 0)

    def encode_reply(self, stream: int, headers: Mapping[str, str] | None = None) -> bytes:
        """Accepts a stream that the peer opened."""
        return _frame(_SYN_REPLY, struct.pack(">I", stream) + self._block(headers or {}))

    def encode_data(self, stream: int, data: bytes, *, fin: bool = False) -> bytes:
        return struct.pack(">II", stream, (_FIN if fin else 0) << 24 | len(data)) + data


def encode_reset(stream: int, status: int = 5) -> bytes:
    """Ends a stream at once; 5 is CANCEL."""
    return _frame(_RST_STREAM, struct.pack(">II", stream, status))


def encode_ping(number: int) -> bytes:
    return _frame(_PING, struct.pack(">I", number))


def encode_go_away(last_stream: int) -> bytes:
    return _frame(_GOAWAY, struct.pack(">II", last_stream, 0))


def _frame(kind: int, body: bytes, flags: int = 0) -> bytes:
    return struct.pack(">HHI", 0x8003, kind, flags << 24 | len(body)) + body
