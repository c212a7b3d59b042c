"""Watches over WebSockets: a text message for each event, from the present state on."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import anyio

from tests.apiserver.registries import config
from tests.apiserver.serving import ADMIN, Served, served

HEADERS = {"Authorization": f"Bearer {ADMIN}"}
MAPS = "/api/v1/namespaces/default/configmaps?watch=1"


async def read(socket: aiohttp.ClientWebSocketResponse[Any]) -> tuple[str, str]:
    event = json.loads(await socket.receive_str())
    return event["type"], event["object"]["metadata"]["name"]


def connect(s: Served, query: str = "") -> aiohttp.client._WSRequestContextManager:
    return s.session.ws_connect(s.url(MAPS + query), headers=HEADERS)


async def test_each_event_is_a_message() -> None:
    async with served() as s:
        await s.cluster.client.create(config("a"))
        with anyio.fail_after(20):
            async with connect(s) as socket:
                assert await read(socket) == ("ADDED", "a")
                for name in ("b", "c"):
                    await s.cluster.client.create(config(name))
                await s.cluster.client.delete(type(config()), "a", "default")
                assert [await read(socket) for _ in range(3)] == [("ADDED", "b"), ("ADDED", "c"), ("DELETED", "a")]
                await socket.ping(b"still there")


async def test_the_watch_ends_with_its_time() -> None:
    async with served() as s:
        with anyio.fail_after(20):
            async with connect(s, "&timeoutSeconds=1") as socket:
                assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE


async def test_many_events_reach_a_client_that_reads_late() -> None:
    async with served() as s:
        with anyio.fail_after(60):
            async with connect(s) as socket:
                for number in range(300):
                    await s.cluster.client.create(config(f"m{number}", text="x" * 10_000))
                names = [(await read(socket))[1] for _ in range(300)]
        assert names == [f"m{number}" for number in range(300)]


async def test_a_bad_watch_is_refused_before_the_upgrade() -> None:
    upgrade = {**HEADERS, "Upgrade": "websocket", "Connection": "Upgrade"}
    async with served() as s:
        code, told = await s.ask("GET", MAPS + "&resourceVersion=x", headers=upgrade)
        assert (code, told["kind"]) == (400, "Status")
        code, told = await s.ask("GET", MAPS, headers=upgrade)  # without a key
        assert (code, told["message"]) == (400, "Upgrade request required")
