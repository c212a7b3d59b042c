"""A connection on which the head of a request never ends is closed; one with a request is left alone."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
from aiohttp import web

from kubelite.client.connection import Connection
from kubelite.testing.virtual import run_virtually

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Transport(asyncio.Transport):
    """Remembers what was written, and whether it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        return

    def resume_reading(self) -> None:
        return


async def connected(answer_after_s: float = 0.0) -> tuple[Connection, Transport]:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        await anyio.sleep(answer_after_s)
        return web.Response(text="ok")

    transport = Transport()
    loop = asyncio.get_running_loop()
    connection = Connection(web.Server(handle), loop=loop, access_log=None, keepalive_timeout=180.0)
    connection.connection_made(transport)
    return connection, transport


def test_a_head_that_comes_byte_by_byte_is_not_waited_for() -> None:
    async def drip() -> float:
        connection, transport = await connected()
        for at in range(100):
            connection.data_received(GET[at % 16 : at % 16 + 1] if at < 16 else b"a")
            await anyio.sleep(1)
            if transport.closed:
                return at
        return 100

    assert 30 <= run_virtually(drip()) <= 33


def test_a_silent_connection_is_closed() -> None:
    async def wait() -> bool:
        _, transport = await connected()
        await anyio.sleep(40)
        return transport.closed

    assert run_virtually(wait())


def test_a_request_takes_as_long_as_it_takes_and_the_connection_stays() -> None:
    async def ask() -> tuple[bool, bool]:
        connection, transport = await connected(answer_after_s=100)
        connection.data_received(GET)
        await anyio.sleep(101)
        answered = b" 200 OK" in transport.written
        await anyio.sleep(60)  # idle between two requests
        return answered, transport.closed

    assert run_virtually(ask()) == (True, False)
