"""The kubelet's own HTTPS API: health, pods, figures, logs and streams. The one file here that binds a socket.

Every request is authenticated and authorized first (`server_auth`), then answered (`server_handlers`).
Source: pkg/kubelet/server/server.go
"""

from __future__ import annotations

import asyncio
import errno
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import anyio
import msgspec
from aiohttp import web
from anyio.abc import TaskStatus

from kubelite.actor.log import get_logger
from kubelite.api.authentication_v1 import UserInfo
from kubelite.api.errors import StatusError, Unauthorized
from kubelite.api.query import parse_query
from kubelite.client.connection import Connection, RawWire
from kubelite.client.streams import Upgraded
from kubelite.kubelet.server_auth import NodeAuth
from kubelite.kubelet.server_handlers import Answer, Flowing, NodeHandlers, answer_error
from kubelite.kubelet.server_routes import parse_route

#: Gives way to any other when it is taken.
USUAL_PORT = 10250
#: How long open requests may take to end when the server stops.
_STOP_S = 0.3

_log = get_logger(__name__)


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where it listens (port 0: any that is free), with which certificate, and what /configz tells."""

    address: str
    port: int
    context: Callable[[], ssl.SSLContext]
    config: Mapping[str, Any] = msgspec.field(default_factory=dict)


class KubeletServer:
    """An actor; `port` is known once it has started."""

    name = "server"

    def __init__(self, settings: ServerSettings, auth: NodeAuth, handlers: NodeHandlers) -> None:
        self.port = settings.port
        self._settings = settings
        self._auth = auth
        self._handlers = handlers
        self._open: set[anyio.CancelScope] = set()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Raises: OSError when the address cannot be bound."""
        loop = asyncio.get_running_loop()
        server = web.Server(self._serve, handler_cancellation=True)
        bind = partial(
            loop.create_server,
            lambda: Connection(server, loop=loop, access_log=None, keepalive_timeout=180.0),
            self._settings.address,
            ssl=self._settings.context(),
            ssl_handshake_timeout=10,
            ssl_shutdown_timeout=1,
        )
        try:
            listener = await bind(self._settings.port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or self._settings.port != USUAL_PORT:
                raise
            listener = await bind(0)  # another kubelet of this host has it; the node tells where this one is
        self.port = listener.sockets[0].getsockname()[1]
        task_status.started()
        try:
            await anyio.sleep_forever()
        finally:
            listener.close()
            with anyio.CancelScope(shield=True), anyio.move_on_after(_STOP_S):
                for scope in list(self._open):
                    scope.cancel()
                await anyio.lowlevel.checkpoint()
                await server.shutdown(timeout=_STOP_S / 3)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.rel_url.raw_path
        route = parse_route(path)
        self._handlers.requests[route.what or "other", request.method] += 1
        try:
            user = await self._auth.authenticate(request.headers.get("Authorization", ""), _peer_of(request))
            await self._auth.authorize(user, request.method, path)
            if route.what and request.method not in route.methods:
                return _response(Answer(code=405, body=b"405: Method Not Allowed"))
            query = parse_query(request.rel_url.raw_query_string)
            outcome = await self._handlers.answer(route, query, request.headers)
        except Unauthorized:
            return _response(Answer(code=401, body=b"Unauthorized"))
        except StatusError as error:
            return _response(answer_error(error))
        match outcome:
            case Answer():
                return _response(outcome)
            case Flowing():
                return await self._flow(outcome, request)
            case Upgraded():
                return await self._upgrade(outcome, request)

    async def _flow(self, flowing: Flowing, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        with self._scope():
            try:
                async with flowing.chunks as chunks:
                    response.enable_chunked_encoding()
                    await response.prepare(request)
                    await response.write(b"")
                    async for chunk in chunks:
                        await response.write(chunk)
            except StatusError as error:
                if not response.prepared:
                    return _response(answer_error(error))
        return response

    async def _upgrade(self, upgraded: Upgraded, request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        assert isinstance(connection, Connection)
        head = "".join(f"{name}: {value}\r\n" for name, value in upgraded.headers.items())
        wire: RawWire | None = None
        with self._scope():
            try:
                async with upgraded.open as stream:
                    wire = connection.take_over(f"HTTP/1.1 101 Switching Protocols\r\n{head}\r\n".encode())
                    await upgraded.run(wire, stream)
            except StatusError as error:
                if wire is None:
                    return _response(answer_error(error))
            except (ConnectionError, TimeoutError) as error:
                _log.debug("Stream ended early", path=request.path, error=str(error))
            finally:
                if wire is not None:
                    await wire.close()
        return web.Response()  # never written: the connection is closed

    @contextmanager
    def _scope(self) -> Iterator[None]:
        """A stream that the server's end cancels."""
        with anyio.CancelScope() as scope:
            self._open.add(scope)
            try:
                yield
            finally:
                self._open.discard(scope)


def _response(answer: Answer) -> web.Response:
    return web.Response(status=answer.code, body=answer.body, headers={"Content-Type": answer.type})


def _peer_of(request: web.BaseRequest) -> UserInfo | None:
    """Whom a verified client certificate names."""
    transport = request.transport
    certificate = transport.get_extra_info("peercert") if transport else None
    names: dict[str, list[str]] = {}
    for relative in certificate["subject"] if certificate else ():
        for key, value in relative:
            names.setdefault(key, []).append(value)
    if not names.get("commonName"):
        return None
    return UserInfo(username=names["commonName"][0], groups=tuple(names.get("organizationName", ())))
