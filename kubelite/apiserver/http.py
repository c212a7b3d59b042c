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
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anyio
from aiohttp import web
from anyio.abc import TaskStatus

from kubelite.actor.clock import Clock
from kubelite.actor.log import get_logger
from kubelite.api.errors import RequestEntityTooLarge, StatusError
from kubelite.apiserver.answers import Answer, Flowing, Outcome, Peer, Request, Upgraded, Watching, answer_error
from kubelite.apiserver.authn import Authenticator
from kubelite.apiserver.authz import Authorizer
from kubelite.apiserver.connection import Connection, RawWire
from kubelite.apiserver.frames import Feed
from kubelite.apiserver.handlers import Handlers, Streams
from kubelite.apiserver.interface import Registry
from kubelite.apiserver.request import parse_query

#: Source: k8s.io/apiserver server.Config.MaxRequestBodyBytes
MAX_BODY_BYTES = 3 * 1024 * 1024
#: Answers below this are not worth compressing. Source: k8s.io/apiserver handlers/responsewriters
GZIP_FROM_BYTES = 128 * 1024
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
    ) -> None:
        handlers = Handlers(registry, authenticator, authorizer, streams, clock)
        self.bind_address = bind_address
        self.port = port
        self.health = handlers.health
        self._handle = handlers.handle
        self._clock = clock
        self._ssl = ssl_context
        self._open: set[Feed | anyio.CancelScope] = set()

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
        audit_id = self._clock.uid()

        async def carry_out(outcome: Outcome) -> web.StreamResponse:
            match outcome:
                case Answer():
                    return _response(outcome, request, audit_id)
                case Watching():
                    return await self._watch(outcome, request, audit_id)
                case Flowing():
                    return await self._flow(outcome, request, audit_id)
                case Upgraded():
                    return await self._upgrade(outcome, request, audit_id)

        return await self._handle(
            Request(
                method=request.method,
                path=request.rel_url.raw_path,
                query=parse_query(request.rel_url.raw_query_string),
                headers=request.headers,
                peer=_peer_of(request),
                read=lambda: _read(request),
            ),
            carry_out,
        )

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

    @contextmanager
    def _open_scope(self) -> Iterator[None]:
        """A stream that the server's end cancels."""
        with anyio.CancelScope() as scope:
            self._open.add(scope)
            try:
                yield
            finally:
                self._open.discard(scope)


_HEADERS = {"Cache-Control": "no-cache, private"}


def _connection_of(request: web.BaseRequest) -> Connection:
    connection = request.protocol
    assert isinstance(connection, Connection)
    return connection


def _response(answer: Answer, request: web.BaseRequest, audit_id: str) -> web.Response:
    headers = [*_HEADERS.items(), ("Content-Type", answer.type), ("Audit-Id", audit_id), *answer.headers.items()]
    for text in answer.warnings:
        quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
        headers.append(("Warning", f'299 - "{quoted}"'))
    body = answer.body
    if len(body) >= GZIP_FROM_BYTES and "gzip" in request.headers.get("Accept-Encoding", ""):
        body = gzip.compress(body, compresslevel=1, mtime=0)
        headers += [("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")]
    return web.Response(status=answer.code, body=body, headers=headers)


async def _read(request: web.BaseRequest) -> bytes:
    """The whole body. Raises: RequestEntityTooLarge."""
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise _too_large()
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise _too_large()
    return bytes(body)


def _too_large() -> RequestEntityTooLarge:
    return RequestEntityTooLarge(f"Request entity too large: limit is {MAX_BODY_BYTES}")


def _peer_of(request: web.BaseRequest) -> Peer | None:
    transport = request.transport
    certificate = transport.get_extra_info("peercert") if transport else None
    if not certificate:
        return None
    names: dict[str, list[str]] = {}
    for relative in certificate["subject"]:
        for key, value in relative:
            names.setdefault(key, []).append(value)
    return Peer(names.get("commonName", [""])[0], tuple(names.get("organizationName", ())))
