"""One call of gRPC's health service, over a plain connection: just enough HTTP/2 to ask and to read one message.

Source: RFC 9113 (frames), RFC 7541 §6.2.2 (literal header fields), https://github.com/grpc/grpc/blob/master/doc/health-checking.md
"""

from __future__ import annotations

import asyncio
import struct
from contextlib import suppress

from kubelite.kubelet.http_get import dial_error

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY = 0, 1, 3, 4, 6, 7
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
_PADDED = 8
_SERVING = 1


class GrpcFailed(Exception):
    """The service is not serving, or did not answer."""


async def check(host: str, port: int, service: str, *, timeout_s: float) -> None:
    """Returns when the service says SERVING. Raises: GrpcFailed."""
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                status = await _ask(reader, writer, f"{host}:{port}", service)
            finally:
                writer.transport.abort()
                with suppress(OSError):
                    await writer.wait_closed()
    except TimeoutError:
        raise GrpcFailed(
            f'timeout: failed to connect service "{host}:{port}" within {timeout_s:g}s: context deadline exceeded'
        ) from None
    except asyncio.IncompleteReadError:
        raise GrpcFailed("error: health rpc probe failed: connection closed") from None
    except OSError as error:
        raise GrpcFailed(
            f'error: failed to connect service at "{host}:{port}": {dial_error(host, port, error)}'
        ) from error
    if status != _SERVING:
        names = {0: "UNKNOWN", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
        raise GrpcFailed(f'service unhealthy (responded with "{names.get(status, status)}")')


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _header(name: str, value: str) -> bytes:
    """A literal field, not indexed, without Huffman coding; both shorter than 127 bytes."""
    return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, authority: str, service: str) -> int:
    fields = (
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/grpc.health.v1.Health/Check"),
        (":authority", authority),
        ("content-type", "application/grpc"),
        ("user-agent", "kube-probe/1.33"),
        ("te", "trailers"),
    )
    name = service.encode()[:127]
    message = b"\x0a" + bytes([len(name)]) + name if name else b""
    request = _PREFACE + _frame(_SETTINGS, 0, 0, b"")
    request += _frame(_HEADERS, _END_HEADERS, 1, b"".join(_header(*field) for field in fields))
    request += _frame(_DATA, _END_STREAM, 1, b"\0" + struct.pack(">I", len(message)) + message)
    writer.write(request)
    body = b""
    while True:
        head = await reader.readexactly(9)
        kind, flags = head[3], head[4]
        payload = await reader.readexactly(int.from_bytes(head[:3], "big"))
        match kind:
            case 0:
                body += payload[1 : len(payload) - payload[0]] if flags & _PADDED else payload
            case 3 | 7:
                raise GrpcFailed("error: health rpc probe failed: the server ended the stream")
            case 4 | 6 if not flags & _ACK:
                writer.write(_frame(kind, _ACK, 0, payload if kind == _PING else b""))
        if len(body) >= 5 and len(body) >= 5 + int.from_bytes(body[1:5], "big"):
            reply = body[5:]
            return reply[1] if reply[:1] == b"\x08" else 0
        if kind in {_DATA, _HEADERS} and flags & _END_STREAM:
            raise GrpcFailed("error: this server does not implement the grpc health protocol (grpc.health.v1.Health)")
