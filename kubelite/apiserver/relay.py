"""One HTTP/1.1 exchange with a server behind this one: the request out, the answer back, bytes as they come.

It knows HTTP's framing and byte streams, not whose request it is. The request's body flows while the answer is read, and an
upgraded connection becomes two pipes. Redirects, cookies and compression are the client's business: nothing is followed or
unpacked. Source: RFC 9112, sections 6 and 7; RFC 9110, section 7.6.1 (hop-by-hop fields)
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import anyio
import msgspec
from anyio.abc import ByteStream

from kubelite.apiserver.answers import Exchange
from kubelite.client.streams import Wire

Fields = Sequence[tuple[str, str]]
Connect = Callable[[], AbstractAsyncContextManager[ByteStream]]

#: Source: k8s.io/apimachinery pkg/util/net SetTransportDefaults
_CONNECT_S = 30.0
_MAX_HEAD_BYTES = 64 * 1024
_READ_BYTES = 64 * 1024
#: Fields about one connection, which end with it. Source: net/http/httputil ReverseProxy
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class Unreachable(Exception):
    """The server behind could not be reached, or did not answer in HTTP. The text names it as upstream would."""


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """The request as it goes out. `body` is None where there is none; `length` is None while it is not known before."""

    method: str
    target: str
    headers: Fields
    body: Callable[[], AsyncIterator[bytes]] | None = None
    length: int | None = None
    upgrades: bool = False


class Answered(msgspec.Struct, frozen=True):
    """The head of an answer, and `raw`, its bytes."""

    code: int
    reason: str
    headers: Fields
    raw: bytes

    def get(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")


def connect_tcp(host: str, port: int, context: ssl.SSLContext | None = None, server_name: str = "") -> Connect:
    """Connects to an address, with TLS if there is a context."""

    @asynccontextmanager
    async def connect() -> AsyncIterator[ByteStream]:
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            with anyio.fail_after(_CONNECT_S):
                if context is None:
                    stream: ByteStream = await anyio.connect_tcp(host, port)
                else:
                    stream = await anyio.connect_tcp(
                        host,
                        port,
                        ssl_context=context,
                        tls_hostname=server_name or host,
                        tls_standard_compatible=False,
                    )
        except TimeoutError:
            raise Unreachable(f"dial tcp {where}: i/o timeout") from None
        except ssl.SSLError as error:
            raise Unreachable(f"tls: {error.reason or error}") from error
        except (OSError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
            cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
            why = (getattr(cause, "strerror", None) or str(cause) or "connection reset by peer").lower()
            if isinstance(cause, ConnectionRefusedError):
                why = "connection refused"
            raise Unreachable(f"dial tcp {where}: connect: {why}") from error
        try:
            yield stream
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(1):
                await stream.aclose()

    return connect


def encode_head(outgoing: Outgoing) -> bytes:
    """
    >>> encode_head(Outgoing(method="GET", target="/a?b", headers=[("Host", "x")]))
    b'GET /a?b HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'
    """
    headers = list(outgoing.headers)
    if outgoing.body is not None:
        headers.append(
            ("Transfer-Encoding", "chunked") if outgoing.length is None else ("Content-Length", str(outgoing.length))
        )
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    head = f"{outgoing.method} {outgoing.target} HTTP/1.1\r\n{lines}\r\n"
    return head.encode("utf-8", "surrogateescape")


def parse_head(raw: bytes) -> Answered:
    """Raises: Unreachable when it is no HTTP.

    >>> found = parse_head(b"HTTP/1.1 200 OK\\r\\nA: b\\r\\n\\r\\n")
    >>> found.code, found.reason, found.headers
    (200, 'OK', [('A', 'b')])
    """
    status, *lines = raw.decode("utf-8", "surrogateescape").split("\r\n")[:-2]
    version, _, rest = status.partition(" ")
    code, _, reason = rest.partition(" ")
    if not version.startswith("HTTP/1.") or not (code.isascii() and code.isdigit() and len(code) == 3):
        raise Unreachable(f"malformed HTTP response {status[:64]!r}")
    headers = [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines if line)]
    return Answered(int(code), reason, headers, raw)


class _Reader:
    """What the server sent, by head and by piece."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._held = b""

    async def some(self, most: int = _READ_BYTES) -> bytes:
        """Some bytes; b"" at the end."""
        if self._held:
            found, self._held = self._held[:most], self._held[most:]
            return found
        try:
            return await self._stream.receive(most)
        except anyio.EndOfStream:
            return b""
        except (anyio.BrokenResourceError, OSError) as error:
            raise Unreachable("read: connection reset by peer") from error

    async def until(self, mark: bytes) -> bytes:
        """Everything up to and with `mark`. Raises: Unreachable."""
        while (at := self._held.find(mark)) < 0:
            held, self._held = self._held, b""
            more = await self.some()
            self._held = held + more
            if not more or len(self._held) > _MAX_HEAD_BYTES:
                raise Unreachable("EOF" if not more else "net/http: server response headers exceeded its limit")
        found, self._held = self._held[: at + len(mark)], self._held[at + len(mark) :]
        return found

    async def head(self) -> Answered:
        while True:
            found = parse_head(await self.until(b"\r\n\r\n"))
            if found.code == 101 or found.code >= 200:
                return found

    async def exactly(self, length: int) -> AsyncIterator[bytes]:
        while length:
            piece = await self.some(min(length, _READ_BYTES))
            if not piece:
                raise Unreachable("unexpected EOF")
            length -= len(piece)
            yield piece

    async def chunks(self) -> AsyncIterator[bytes]:
        while True:
            line = (await self.until(b"\r\n")).partition(b";")[0].strip()
            try:
                size = int(line, 16)
            except ValueError:
                raise Unreachable("malformed chunked encoding") from None
            if not size:
                while await self.until(b"\r\n") != b"\r\n":
                    pass  # trailers
                return
            async for piece in self.exactly(size):
                yield piece
            await self.until(b"\r\n")

    async def rest(self) -> AsyncIterator[bytes]:
        while piece := await self.some():
            yield piece

    def body(self, method: str, answered: Answered) -> AsyncIterator[bytes]:
        if method == "HEAD" or answered.code in (204, 304):
            return self.exactly(0)
        if "chunked" in answered.get("transfer-encoding").lower():
            return self.chunks()
        if length := answered.get("content-length"):
            return self.exactly(int(length) if length.isascii() and length.isdigit() else 0)
        return self.rest()


@asynccontextmanager
async def exchange(connect: Connect, outgoing: Outgoing) -> AsyncIterator[Exchange]:
    """Sends the request, and gives the answer once its head is here. Raises: Unreachable."""
    try:
        async with connect() as stream, anyio.create_task_group() as tasks:
            tasks.start_soon(_send, stream, outgoing)
            reader = _Reader(stream)
            answered = await reader.head()
            upgraded = answered.code == 101 and outgoing.upgrades

            async def join(wire: Wire) -> None:
                await _join(wire, stream, reader)

            yield Exchange(
                code=answered.code,
                reason=answered.reason,
                headers=end_to_end(answered.headers),
                chunks=reader.body(outgoing.method, answered),
                head=answered.raw if upgraded else b"",
                join=join,
            )
            tasks.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        raise _first(group) from None


def end_to_end(fields: Fields) -> list[tuple[str, str]]:
    """The fields that are not about one connection."""
    named = {part.strip().lower() for key, value in fields if key.lower() == "connection" for part in value.split(",")}
    return [(key, value) for key, value in fields if key.lower() not in HOP_BY_HOP and key.lower() not in named]


async def _send(stream: ByteStream, outgoing: Outgoing) -> None:
    """A server that stops listening may still have answered: what it says decides."""
    try:
        await stream.send(encode_head(outgoing))
        if outgoing.body is None:
            return
        async for piece in outgoing.body():
            if piece:
                await stream.send(piece if outgoing.length is not None else b"%x\r\n%b\r\n" % (len(piece), piece))
        if outgoing.length is None:
            await stream.send(b"0\r\n\r\n")
    except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
        return


async def _join(wire: Wire, stream: ByteStream, reader: _Reader) -> None:
    """Both directions until one of them ends."""
    async with anyio.create_task_group() as tasks:

        async def upwards() -> None:
            while data := await wire.receive():
                await stream.send(data)
            tasks.cancel_scope.cancel()

        tasks.start_soon(upwards)
        while data := await reader.some():
            await wire.send(data)
        tasks.cancel_scope.cancel()


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
