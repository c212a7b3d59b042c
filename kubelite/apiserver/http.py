"""The HTTP server: the one file that knows aiohttp's server side.

It binds the socket, turns what the library parsed into `answers.Request`, asks `handlers` and carries out the answer. Watch
frames go straight to the transport, already chunked; exec, attach and port-forward take the whole connection over, including
bytes that arrived in the same segment as the request. It stops within half a second: open watches end cleanly first.
Source: figures and pitfalls that decided this are in DESIGN.md §5.
"""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from hashlib import sha256
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import anyio
from aiohttp import HttpVersion11, web
from anyio.abc import TaskStatus

from kubelite.actor.clock import Clock
from kubelite.actor.log import get_logger
from kubelite.api.errors import RequestEntityTooLarge, StatusError, Timeout
from kubelite.api.query import parse_query
from kubelite.apiserver.aggregation import Aggregation
from kubelite.apiserver.answers import (
    Answer,
    Flowing,
    Outcome,
    Peer,
    Relayed,
    Request,
    Watching,
    answer_error,
)
from kubelite.apiserver.authn import Authenticator
from kubelite.apiserver.authz import Authorizer
from kubelite.apiserver.frames import Feed
from kubelite.apiserver.handlers import Handlers, Streams
from kubelite.apiserver.interface import Registry
from kubelite.client.connection import Connection, RawWire
from kubelite.client.streams import Upgraded

if TYPE_CHECKING:
    from kubelite.apiserver.audit import AuditLog

#: Source: k8s.io/apiserver server.Config.MaxRequestBodyBytes
MAX_BODY_BYTES = 3 * 1024 * 1024
#: Answers below this are not worth compressing. Source: k8s.io/apiserver handlers/responsewriters
GZIP_FROM_BYTES = 128 * 1024
#: The part of a certificate's subject that is the user's uid. Source: k8s.io/apiserver pkg/authentication/request/x509/x509.go
_UID = "1.3.6.1.4.1.57683.2"
#: How long a request's body may take to arrive. Source: k8s.io/apiserver server.Config.RequestTimeout
_BODY_S = 60.0
#: How long open requests may take to end when the server stops.
_STOP_S = 0.3
#: How long a client that lost its place may take to read that it did.
_LAST_WORDS_S = 5.0

_log = get_logger(__name__)


class ApiServer:
    """An actor that serves the API at `bind_address`:`port` (0: any free one; `port` tells which once it has started).

    `streams` gives the streams of a node's pods. `health` takes the components' checks.
    """

    name = "apiserver"

    def __init__(
        self,
        registry: Registry,
        authenticator: Authenticator,
        authorizer: Authorizer,
        streams: Streams,
        clock: Clock,
        *,
        ssl_context: ssl.SSLContext | None,
        bind_address: str = "127.0.0.1",
        port: int = 0,
        kubelet_context: Callable[[], ssl.SSLContext | None] = lambda: None,
        aggregation: Aggregation | None = None,
        audit: AuditLog | None = None,
    ) -> None:
        handlers = Handlers(
            registry,
            authenticator,
            authorizer,
            streams,
            clock,
            kubelet_context=kubelet_context,
            aggregation=aggregation,
            audit=audit,
        )
        self.bind_address = bind_address
        self.port = port
        self.health = handlers.health
        self._handle = handlers.handle
        self._clock = clock
        self._ssl = ssl_context
        self._open: set[Feed | anyio.CancelScope] = set()
        self._peers: WeakKeyDictionary[asyncio.BaseTransport, Peer | None] = WeakKeyDictionary()
        self._date = (0, "")  # the second for which the Date header was made

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Raises: OSError when the address cannot be bound."""
        loop = asyncio.get_running_loop()
        server = web.Server(self._serve, handler_cancellation=True)
        options: dict[str, Any] = {"access_log": None, "keepalive_timeout": 180.0, "auto_decompress": True}
        listener = await loop.create_server(
            lambda: Connection(server, loop=loop, **options),
            self.bind_address,
            self.port,
            ssl=self._ssl,
            ssl_handshake_timeout=10 if self._ssl else None,
            ssl_shutdown_timeout=1 if self._ssl else None,
            backlog=1024,
        )
        self.port = listener.sockets[0].getsockname()[1]
        task_status.started()
        try:
            await anyio.sleep_forever()
        finally:
            listener.close()
            with anyio.CancelScope(shield=True), anyio.move_on_after(_STOP_S):
                await self._stop(server)

    async def _stop(self, server: web.Server) -> None:
        for stream in list(self._open):
            if isinstance(stream, Feed):
                stream.end()
            else:
                stream.cancel()
        await anyio.lowlevel.checkpoint()
        await server.shutdown(timeout=_STOP_S / 3)

    # -- one request ---------------------------------------------------------------------------------------------------

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        given = request.headers.get("Audit-Id", "")
        audit_id = given if given and given.isascii() else self._clock.uid()

        async def carry_out(outcome: Outcome) -> web.StreamResponse:
            match outcome:
                case Answer():
                    return await self._answer(outcome, request, audit_id)
                case Watching():
                    return await self._watch(outcome, request, audit_id)
                case Flowing():
                    return await self._flow(outcome, request, audit_id)
                case Upgraded():
                    return await self._upgrade(outcome, request, audit_id)
                case Relayed():
                    return await self._relay(outcome, request, audit_id)

        return await self._handle(
            Request(
                method=request.method,
                path=request.rel_url.raw_path,
                query=parse_query(request.rel_url.raw_query_string),
                headers=request.headers,
                peer=self._peer(request.transport),
                read=lambda: _read(request),
                stream=lambda: _stream(request),
                raw_query=request.rel_url.raw_query_string,
                remote=request.remote or "",
                audit_id=audit_id,
                secure=self._ssl is not None,
            ),
            carry_out,
        )

    def _peer(self, transport: asyncio.BaseTransport | None) -> Peer | None:
        """Who is at the other end of the connection, by its certificate: looked at once."""
        if transport is None:
            return None
        if transport not in self._peers:
            self._peers[transport] = _peer_of(transport)
        return self._peers[transport]

    async def _answer(self, answer: Answer, request: web.BaseRequest, audit_id: str) -> web.StreamResponse:
        """Writes what nearly every client asks for in one piece; what is left of the library's response costs 15 µs each."""
        transport = request.transport
        is_usual = request.version == HttpVersion11 and request.keep_alive and request.method != "HEAD"
        if transport is None or not is_usual:
            return _response(answer, request, audit_id)
        second = int(self._clock.now())
        if self._date[0] != second:
            self._date = second, formatdate(second, usegmt=True)
        headers, body = _headers_and_body(answer, request, audit_id)
        lines = [f"{name}: {_one_line(value)}\r\n" for name, value in headers]
        head = f"HTTP/1.1 {answer.code} {_PHRASES.get(answer.code, '')}\r\nDate: {self._date[1]}\r\n{''.join(lines)}"
        start = b"%bContent-Length: %d\r\n\r\n" % (head.encode(), len(body))
        if len(body) < GZIP_FROM_BYTES:
            transport.write(start + body)
        else:  # copying it costs more than a second piece
            transport.write(start)
            transport.write(body)
        await _connection_of(request).drained()
        return _WRITTEN

    async def _watch(self, watching: Watching, request: web.BaseRequest, audit_id: str) -> web.StreamResponse:
        feed = watching.feed
        self._open.add(feed)
        connection = _connection_of(request)
        try:
            response = web.StreamResponse(headers={**_HEADERS, "Content-Type": watching.type, "Audit-Id": audit_id})
            response.enable_chunked_encoding()
            await response.prepare(request)
            await response.write(b"")  # the headers leave before the first frame
            connection.on_drained = feed.resume
            feed.attach(connection)
            await feed.run(watching.timeout_s)
            with anyio.move_on_after(_LAST_WORDS_S) as late:
                await response.write_eof()
            if late.cancelled_caught and connection.transport is not None:
                connection.transport.abort()
        finally:
            self._open.discard(feed)
            connection.on_drained = None
            feed.close()
        return response

    async def _flow(self, flowing: Flowing, request: web.BaseRequest, audit_id: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={**_HEADERS, "Content-Type": flowing.type, "Audit-Id": audit_id})
        with self._open_scope():
            try:
                async with flowing.chunks as chunks:
                    response.enable_chunked_encoding()
                    await response.prepare(request)
                    await response.write(b"")
                    async for chunk in chunks:
                        await response.write(chunk)
            except StatusError as error:
                if not response.prepared:
                    return _response(answer_error(error), request, audit_id)
        return response

    async def _upgrade(self, upgraded: Upgraded, request: web.BaseRequest, audit_id: str) -> web.StreamResponse:
        connection = _connection_of(request)
        head = "".join(f"{name}: {value}\r\n" for name, value in upgraded.headers.items())
        wire: RawWire | None = None
        with self._open_scope():
            try:
                async with upgraded.open as stream:
                    wire = connection.take_over(f"HTTP/1.1 101 Switching Protocols\r\n{head}\r\n".encode())
                    await upgraded.run(wire, stream)
            except StatusError as error:
                if wire is None:
                    return _response(answer_error(error), request, audit_id)
            except (ConnectionError, TimeoutError) as error:
                _log.debug("Stream ended early", path=request.path, error=str(error))
            finally:
                if wire is not None:
                    await wire.close()
        return web.Response()  # never written: the connection is closed

    async def _relay(self, relayed: Relayed, request: web.BaseRequest, audit_id: str) -> web.StreamResponse:
        connection = _connection_of(request)
        response: web.StreamResponse | None = None
        wire: RawWire | None = None
        with self._open_scope():
            try:
                async with relayed.open as found:
                    if found.head:
                        wire = connection.take_over(found.head)
                        await found.join(wire)
                    else:
                        headers = [*_HEADERS.items(), ("Audit-Id", audit_id), *found.headers]
                        response = web.StreamResponse(status=found.code, reason=found.reason or None, headers=headers)
                        await response.prepare(request)
                        async for chunk in found.chunks:
                            await response.write(chunk)
            except StatusError as error:
                if response is None and wire is None:
                    return _response(relayed.refuse(error), request, audit_id)
            except (ConnectionError, TimeoutError, anyio.BrokenResourceError) as error:
                _log.debug("Relayed answer ended early", path=request.path, error=str(error))
                if response is not None and connection.transport is not None:
                    connection.transport.abort()  # the client must not take half for the whole
            finally:
                if wire is not None:
                    await wire.close()
        return response or web.Response()  # never written: the connection is closed

    @contextmanager
    def _open_scope(self) -> Iterator[None]:
        """A stream that the server's end cancels."""
        with anyio.CancelScope() as scope:
            self._open.add(scope)
            try:
                yield
            finally:
                self._open.discard(scope)


class _Written(web.Response):
    """What the library gets to see of an answer that is on its way already."""

    @property
    def keep_alive(self) -> bool:
        return True

    async def prepare(self, request: web.BaseRequest) -> None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None


_WRITTEN = _Written()
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_HEADERS = {"Cache-Control": "no-cache, private"}


def _connection_of(request: web.BaseRequest) -> Connection:
    connection = request.protocol
    assert isinstance(connection, Connection)
    return connection


def _response(answer: Answer, request: web.BaseRequest, audit_id: str) -> web.Response:
    headers, body = _headers_and_body(answer, request, audit_id)
    return web.Response(status=answer.code, body=body, headers=headers)


def _one_line(text: str) -> str:
    return text if text.isprintable() else text.replace("\r", " ").replace("\n", " ")


def _headers_and_body(answer: Answer, request: web.BaseRequest, audit_id: str) -> tuple[list[tuple[str, str]], bytes]:
    headers = [*_HEADERS.items(), ("Content-Type", answer.type), ("Audit-Id", audit_id), *answer.headers.items()]
    for text in answer.warnings:
        quoted = _one_line(text.replace("\\", "\\\\").replace('"', '\\"'))
        headers.append(("Warning", f'299 - "{quoted}"'))
    body = answer.body
    if len(body) >= GZIP_FROM_BYTES and "gzip" in request.headers.get("Accept-Encoding", ""):
        body = gzip.compress(body, compresslevel=1, mtime=0)
        headers += [("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")]
    return headers, body


async def _stream(request: web.BaseRequest) -> AsyncIterator[bytes]:
    async for chunk in request.content.iter_any():
        yield chunk


async def _read(request: web.BaseRequest) -> bytes:
    """The whole body. Raises: RequestEntityTooLarge, Timeout."""
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise _too_large()
    content = request.content
    if content.is_eof():  # all of it has come: nearly always
        if len(whole := content.read_nowait()) > MAX_BODY_BYTES:
            raise _too_large()
        return whole
    body = bytearray()
    try:
        with anyio.fail_after(_BODY_S):
            async for chunk in content.iter_any():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise _too_large()
    except TimeoutError:
        raise Timeout("request did not complete within the allotted timeout") from None
    return bytes(body)


def _too_large() -> RequestEntityTooLarge:
    return RequestEntityTooLarge(f"Request entity too large: limit is {MAX_BODY_BYTES}")


def _peer_of(transport: asyncio.BaseTransport) -> Peer | None:
    certificate = transport.get_extra_info("peercert")
    if not certificate:
        return None
    names: dict[str, list[str]] = {}
    for relative in certificate["subject"]:
        for key, value in relative:
            names.setdefault(key, []).append(value)
    return Peer(
        common_name=names.get("commonName", [""])[0],
        organizations=tuple(names.get("organizationName", ())),
        uid=names.get(_UID, [""])[0],
        issuer=certificate["issuer"],
        fingerprint=sha256(transport.get_extra_info("ssl_object").getpeercert(binary_form=True)).hexdigest(),
    )
