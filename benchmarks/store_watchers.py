"""The other process of watch_throughput: a reader of many watches that counts events without decoding them.

    python -m benchmarks.store_watchers ours|http|https|etcd PORT WATCHERS MARK [PATH TOKEN]

Every event's value begins with MARK and 8 bytes of time (nanoseconds of the monotonic clock, as 16 hex digits). The reader says
`ready` when all watches are open; at the end of its input it prints how many events it saw, when the first and the last came,
latencies of a sample, and the CPU seconds it used, as JSON. Counting costs about as much as copying the bytes, for both sides.
"""

from __future__ import annotations

import json
import selectors
import socket
import ssl
import sys
import time

from benchmarks.store_rig import PREFACE, SETTINGS, UPDATE, WINDOW, frame, grpc_headers
from kubelite.store import etcd_messages_pb2 as pb

#: etcd serves many watches on a connection; this many connections are its best.
ETCD_CONNECTIONS = 4
CREDIT = 1 << 28
WATCH_PATH = "/api/v1/namespaces/default/configmaps?watch=true"


class Counter:
    """Counts marks in the bytes of one connection, also where one is cut by a read."""

    def __init__(self, mark: bytes) -> None:
        self._mark = mark
        self._tail = b""
        self.count = 0

    def feed(self, data: bytes, latencies: list[float]) -> int:
        text = self._tail + data
        found = text.count(self._mark)
        if found:
            at = text.rfind(self._mark) + len(self._mark)
            if len(text) - at >= 16:
                latencies.append((time.monotonic_ns() - int(text[at : at + 16], 16)) / 1e9)
        keep = len(self._mark) - 1
        self._tail = text[-keep:]
        self.count += found
        return found


class EtcdCredit:
    """Takes the DATA out of HTTP/2 frames, and gives the server room for more."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = bytearray()
        self._used = 0

    def payload(self, data: bytes) -> bytes:
        self._buffer += data
        buffer, at, out = self._buffer, 0, []
        while len(buffer) - at >= 9:
            size = int.from_bytes(buffer[at : at + 3], "big")
            if len(buffer) - at - 9 < size:
                break
            kind, flags = buffer[at + 3], buffer[at + 4]
            body = bytes(buffer[at + 9 : at + 9 + size])
            at += 9 + size
            if kind == 0:
                out.append(body)
                self._used += size
            elif (kind == 6 or kind == SETTINGS) and not flags & 1:
                self._connection.sendall(frame(kind, 1, 0, body if kind == 6 else b""))
        del buffer[:at]
        if self._used >= CREDIT:
            room = self._used.to_bytes(4, "big")
            self._connection.sendall(frame(UPDATE, 0, 0, room) + frame(UPDATE, 0, 1, room))
            self._used = 0
        return b"".join(out)


def open_etcd(port: int, watchers: int) -> list[tuple[socket.socket, EtcdCredit | None]]:
    opened: list[tuple[socket.socket, EtcdCredit | None]] = []
    for number in range(min(ETCD_CONNECTIONS, watchers)):
        connection = socket.create_connection(("127.0.0.1", port))
        settings = frame(SETTINGS, 0, 0, (4).to_bytes(2, "big") + WINDOW.to_bytes(4, "big"))
        connection.sendall(PREFACE + settings + frame(UPDATE, 0, 0, (WINDOW - 65535).to_bytes(4, "big")))
        connection.sendall(frame(1, 4, 1, grpc_headers("Watch/Watch")))
        create = pb.WatchCreateRequest(key=b"/watched/", range_end=b"/watched0")
        message = pb.WatchRequest(create=create).SerializeToString()
        body = b"\0" + len(message).to_bytes(4, "big") + message
        for _ in range(number, watchers, min(ETCD_CONNECTIONS, watchers)):
            connection.sendall(frame(0, 0, 1, body))
            time.sleep(0.00005)  # the server's window for requests is small
        opened.append((connection, EtcdCredit(connection)))
    return opened


def open_http(
    port: int, watchers: int, path: str, token: str, *, tls: bool
) -> list[tuple[socket.socket, EtcdCredit | None]]:
    """Watches, each on a connection of its own; a watch is open when its first bytes have come."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    opened: list[tuple[socket.socket, EtcdCredit | None]] = []
    for _ in range(watchers):
        connection = socket.create_connection(("127.0.0.1", port))
        if tls:
            connection = context.wrap_socket(connection)
        connection.sendall(request)
        opened.append((connection, None))
    for connection, _ in opened:
        answer = connection.recv(1 << 16)
        assert answer.startswith(b"HTTP/1.1 200"), answer
    return opened


def receive(connection: socket.socket) -> bytes:
    """What there is; TLS may hold more than the kernel knows of. Raises: EOFError when the server has gone."""
    try:
        if not (data := connection.recv(1 << 20)):
            raise EOFError("the server ended a watch")
        while isinstance(connection, ssl.SSLSocket) and connection.pending():
            data += connection.recv(1 << 20)
    except (ssl.SSLWantReadError, BlockingIOError):
        return b""
    return data


def main() -> None:
    side, port, watchers, mark = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4].encode()
    path, token = sys.argv[5:7] or (WATCH_PATH, "t")
    if side == "etcd":
        connections = open_etcd(port, watchers)
    elif side in ("http", "https"):
        connections = open_http(port, watchers, path, token, tls=side == "https")
    else:
        connections = [(socket.create_connection(("127.0.0.1", port)), None) for _ in range(watchers)]
    selector = selectors.DefaultSelector()
    for connection, credit in connections:
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ, (Counter(mark), credit))
    selector.register(sys.stdin, selectors.EVENT_READ)
    time.sleep(0.2 + watchers / 20_000 if side == "etcd" else 0)  # until etcd has made its watches
    print("ready", flush=True)
    latencies: list[float] = []
    total, stop = 0, False
    began = ended = 0.0
    while True:
        ready = selector.select(0.7 if stop else None)
        if stop and not ready:
            break  # nothing more is on its way
        for key, _ in ready:
            if key.fileobj is sys.stdin:
                stop = True
                selector.unregister(sys.stdin)
                continue
            counter, credit = key.data
            assert isinstance(key.fileobj, socket.socket)
            data = receive(key.fileobj)
            found = counter.feed(credit.payload(data) if credit else data, latencies)
            if found:
                ended = time.perf_counter()
                began = began or ended
                total += found
    step = max(len(latencies) // 20_000, 1)
    cpu = time.process_time()
    print(json.dumps({"events": total, "seconds": ended - began, "latencies": latencies[::step], "cpu": cpu}))


if __name__ == "__main__":
    main()
