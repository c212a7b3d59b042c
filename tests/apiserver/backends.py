"""Servers behind the API server: one that tells what it was asked, on an address that pods may have."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from kubelite.kubelet.machine import host_address

ADDRESS = host_address()
is_local = ADDRESS.startswith("127.")


class Backend(msgspec.Struct):
    """`asked` are the requests, as (method, path with query, headers in lower case)."""

    port: int
    asked: list[tuple[str, str, dict[str, str]]]


async def _answer(backend: Backend, request: web.BaseRequest) -> web.StreamResponse:
    headers = {name.lower(): value for name, value in request.headers.items()}
    backend.asked.append((request.method, request.raw_path, headers))
    match request.path:
        case "/redirect":
            return web.Response(status=302, headers={"Location": "/elsewhere/?a=b"})
        case "/page":
            return web.Response(text='<a href="/next">x</a><a href="https://example.test/">', content_type="text/html")
        case "/slow":
            response = web.StreamResponse()
            response.enable_chunked_encoding()
            await response.prepare(request)
            async for chunk in request.content.iter_any():
                await response.write(chunk.upper())
            return response
        case "/socket":
            messages = web.WebSocketResponse()
            await messages.prepare(request)
            async for message in messages:
                if message.type is WSMsgType.TEXT:
                    await messages.send_str(message.data.upper())
            return messages
        case "/teapot":
            return web.Response(status=418, text="short", headers={"X-Own": "kept", "Connection": "close"})
        case _:
            body = await request.read()
            told = {"method": request.method, "path": request.raw_path, "size": len(body), "headers": headers}
            return web.json_response(told)


@asynccontextmanager
async def backend(handler: Any = _answer, context: ssl.SSLContext | None = None) -> AsyncIterator[Backend]:
    found = Backend(0, [])

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        answer: web.StreamResponse = await handler(found, request)
        return answer

    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    with socket.socket() as bound:
        bound.bind((ADDRESS, 0))
        found.port = bound.getsockname()[1]
        site = web.SockSite(runner, bound, ssl_context=context)
        await site.start()
        try:
            yield found
        finally:
            await runner.cleanup()
