"""What the store's benchmarks share: etcd beside us, a client for it that is not the bottleneck, ratios of paired rounds.

The client speaks just enough HTTP/2 for gRPC calls with prepared messages, because Python's grpcio would measure itself: it
spends about 20 µs a call, so that etcd and not the client is what saturates. It decodes no answers.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
WINDOW = 2**31 - 1
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, UPDATE = 0, 1, 3, 4, 6, 7, 8


class GrpcConnection(asyncio.Protocol):
    """Prepared gRPC messages over one connection."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._send_window = 65535
        self._held: deque[tuple[bytes, bytes]] = deque()
        self._done: dict[int, Callable[[bytes], None]] = {}
        self._bodies: dict[int, bytearray] = {}
        self._next = 1
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        settings = frame(SETTINGS, 0, 0, (4).to_bytes(2, "big") + WINDOW.to_bytes(4, "big"))
        transport.write(PREFACE + settings + frame(UPDATE, 0, 0, (WINDOW - 65535).to_bytes(4, "big")))

    def call(self, headers: bytes, message: bytes, done: Callable[[bytes], None]) -> None:
        """`done` gets the answer's message, empty when there was an error."""
        stream, self._next = self._next, self._next + 2
        self._done[stream] = done
        body = b"\0" + len(message).to_bytes(4, "big") + message
        self._held.append((frame(HEADERS, 4, stream, headers), frame(DATA, 1, stream, body)))
        self._drain()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        buffer, at = self._buffer, 0
        while len(buffer) - at >= 9:
            size = int.from_bytes(buffer[at : at + 3], "big")
            if len(buffer) - at - 9 < size:
                break
            kind, flags = buffer[at + 3], buffer[at + 4]
            stream = int.from_bytes(buffer[at + 5 : at + 9], "big")
            payload = bytes(buffer[at + 9 : at + 9 + size])
            at += 9 + size
            self._frame(kind, flags, stream, payload)
        del buffer[:at]
        self._drain()

    def _frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == DATA:
            self._bodies.setdefault(stream, bytearray()).extend(payload)
        elif kind == UPDATE and not stream:
            self._send_window += int.from_bytes(payload, "big")
        elif kind == SETTINGS and not flags & 1:
            self._transport.write(frame(SETTINGS, 1, 0, b""))
        elif kind == PING and not flags & 1:
            self._transport.write(frame(PING, 1, 0, payload))
        elif kind == GOAWAY:
            raise ConnectionError(payload.decode(errors="replace"))
        if kind == RESET or (kind in (DATA, HEADERS) and flags & 1):
            self._done.pop(stream)(bytes(self._bodies.pop(stream, b"")[5:]))

    def _drain(self) -> None:
        out: list[bytes] = []
        while self._held and self._send_window >= len(self._held[0][1]):
            headers, body = self._held.popleft()
            self._send_window -= len(body) - 9
            out += (headers, body)
        if out:
            self._transport.writelines(out)


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def grpc_headers(method: str) -> bytes:
    """HPACK without tables or Huffman: every header a literal. Source: RFC 7541 §6.2.2."""
    fields = {
        ":method": "POST",
        ":scheme": "http",
        ":path": f"/etcdserverpb.{method}",
        ":authority": "etcd",
        "content-type": "application/grpc",
        "te": "trailers",
    }
    return b"".join(
        b"\0" + bytes((len(name),)) + name.encode() + bytes((len(value),)) + value.encode()
        for name, value in fields.items()
    )


@contextmanager
def etcd() -> Iterator[int]:
    """A fresh single-member etcd; yields its client port."""
    directory = tempfile.mkdtemp(prefix="bench-etcd-", dir=Path.cwd())
    client, peer = free_port(), free_port()
    urls = f"http://127.0.0.1:{client}"
    binary = shutil.which("etcd")
    assert binary is not None
    command = [
        binary,
        "--data-dir",
        directory,
        "--logger",
        "zap",
        "--log-level",
        "fatal",
        "--quota-backend-bytes",
        "8000000000",
    ]
    command += [
        "--listen-client-urls",
        urls,
        "--advertise-client-urls",
        urls,
        "--listen-peer-urls",
        f"http://127.0.0.1:{peer}",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield client
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(directory)


@contextmanager
def scratch() -> Iterator[Path]:
    """A directory on the same disk as etcd's."""
    with tempfile.TemporaryDirectory(prefix="bench-store-", dir=Path.cwd()) as name:
        yield Path(name)


async def connect(port: int) -> GrpcConnection:
    """Waits for etcd to listen."""
    loop = asyncio.get_running_loop()
    for _ in range(200):
        try:
            return (await loop.create_connection(GrpcConnection, "127.0.0.1", port))[1]
        except ConnectionRefusedError:
            await asyncio.sleep(0.05)
    raise TimeoutError("etcd does not listen")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)] if values else float("nan")


def ratios(ours: list[float], theirs: list[float]) -> list[float]:
    """Of paired rounds; infinite where the other side did nothing, as on a disk that stood still."""
    return [a / b if b else float("inf") for a, b in zip(ours, theirs, strict=True)]


def spread(values: list[float]) -> str:
    """`median [min–max]`."""
    return f"{statistics.median(values):.2f} [{min(values):.2f}–{max(values):.2f}]"


def progress(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()
