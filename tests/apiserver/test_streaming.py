"""exec, attach and logs over both wires, byte by byte; and what is refused before a stream starts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import anyio
import msgspec
import pytest

from kubelite.api import channels, core_v1 as core, spdy
from kubelite.api.meta import ObjectMeta
from kubelite.client.streaming import encode_exit
from kubelite.client.streams import LogOptions
from tests.apiserver.registries import pod
from tests.apiserver.serving import ADMIN, Served, served

POD = "/api/v1/namespaces/default/pods/web"
BEARER = {"Authorization": f"Bearer {ADMIN}"}
EXIT_3 = {
    "metadata": {},
    "status": "Failure",
    "message": "command terminated with non-zero exit code: command terminated with exit code 3",
    "reason": "NonZeroExitCode",
    "details": {"causes": [{"reason": "ExitCode", "message": "3"}]},
}


@asynccontextmanager
async def with_pod(**options: Any) -> AsyncIterator[Served]:
    async with served(**options) as s:
        await s.cluster.client.create(pod(node="n1"))
        yield s


async def exec_ws(s: Served, query: str, sent: list[bytes], protocol: str = channels.V5) -> dict[int, bytes]:
    """What came on each channel until the server closed."""
    found: dict[int, bytes] = {}
    url = s.url(f"{POD}/exec?{query}")
    async with s.session.ws_connect(url, headers=BEARER, protocols=[protocol], max_msg_size=0) as socket:
        assert socket.protocol == protocol
        for data in sent:
            await socket.send_bytes(data)
        async for message in socket:
            found[message.data[0]] = found.get(message.data[0], b"") + message.data[1:]
        assert socket.close_code == 1000
    return found


@pytest.mark.parametrize("protocol", channels.EXEC_PROTOCOLS)
async def test_outputs_and_exit_code_arrive_on_their_channels(protocol: str) -> None:
    async with with_pod() as s:
        found = await exec_ws(s, "command=exit&command=3&stdout=1&stderr=1", [], protocol)
        assert (found[1], found[2]) == (b"out\n", b"err\n")
        assert msgspec.json.decode(found[3]) == EXIT_3


async def test_closing_the_input_channel_ends_the_input_not_the_stream() -> None:
    async with with_pod() as s:
        sent = [b"\x00hello ", b"\x00world", bytes([channels.CLOSE, 0])]
        found = await exec_ws(s, "command=cat&stdin=1&stdout=1", sent)
        assert found == {1: b"hello world", 3: encode_exit(0)}


async def test_long_output_arrives_whole() -> None:
    async with with_pod() as s:
        found = await exec_ws(s, f"command=big&command={64 * 65536}&stdout=1", [])
        assert found[1] == b"x" * 64 * 65536


async def test_sizes_reach_the_terminal() -> None:
    async with with_pod() as s:
        sent = [b'\x04{"Width":80,"Height":24}', b"\x04garbage", bytes([channels.CLOSE, 0])]
        await exec_ws(s, "command=cat&stdin=1&stdout=1&tty=1", sent)
        assert s.streams.sizes == [(80, 24)]


async def test_spdy_streams_even_when_the_first_bytes_come_with_the_request() -> None:
    async with with_pod() as s:
        client = spdy.Spdy()
        head = f"POST {POD}/exec?command=cat&stdin=1&stdout=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN}\r\n"
        head += "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n"
        opens = [
            client.encode_open(at, {"streamType": kind}) for at, kind in ((1, "error"), (3, "stdin"), (5, "stdout"))
        ]
        data = client.encode_data(3, b"early") + client.encode_data(3, b"", fin=True) + spdy.encode_ping(9)
        async with await anyio.connect_tcp("127.0.0.1", s.server.port) as stream:
            await stream.send(f"{head}Content-Length: 0\r\n\r\n".encode() + b"".join(opens) + data)
            received = b""
            async for part in stream:
                received += part
        answer, _, frames = received.partition(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 101 ")
        assert b"X-Stream-Protocol-Version: v4.channel.k8s.io" in answer
        events = list(client.receive(frames))
        got = {
            stream: b"".join(e.data for e in events if isinstance(e, spdy.Received) and e.stream == stream)
            for stream in (1, 5)
        }
        assert got == {1: encode_exit(0), 5: b"early"}
        assert [event.stream for event in events if isinstance(event, spdy.Replied)] == [1, 3, 5]


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ("command=gone&stdout=1", 404, "container not found"),
        ("command=x", 400, "at least 1 of stdin, stdout, stderr"),
        ("stdout=1", 400, "at least one command"),
        ("command=x&stdout=1&container=no", 400, "container no is not valid for pod web"),
    ],
)
async def test_what_cannot_start_is_refused_before_the_upgrade(query: str, code: int, message: str) -> None:
    async with with_pod() as s:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await exec_ws(s, query, [])
        assert caught.value.status == code
        headers = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1", "X-Stream-Protocol-Version": "v4.channel.k8s.io"}
        status, body = await s.ask("POST", f"{POD}/exec?{query}", headers=headers)
        assert (status, body["kind"]) == (code, "Status")
        assert message in body["message"]


async def test_plain_request_to_exec_and_unknown_protocol_are_refused() -> None:
    async with with_pod() as s:
        status, body = await s.ask("POST", f"{POD}/exec?command=x&stdout=1")
        assert (status, body["message"]) == (400, "Upgrade request required")
        headers = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1", "X-Stream-Protocol-Version": "v9"}
        status, body = await s.ask("POST", f"{POD}/exec?command=x&stdout=1", headers=headers)
        assert (status, "client supports [v9]" in body["message"]) == (403, True)
        assert (await s.ask("GET", "/healthz"))[1] == "ok"


async def test_log_options_reach_the_kubelet() -> None:
    async with with_pod() as s:
        status, text = await s.ask("GET", f"{POD}/log?tailLines=5&timestamps=true&limitBytes=9&previous=1")
        assert (status, text) == (200, "app line 0\napp line 1\napp line 2\n")
        wanted = LogOptions(tail_lines=5, timestamps=True, limit_bytes=9)
        assert s.streams.logged == [("app", wanted, True)]


async def test_followed_log_flows_until_the_client_leaves() -> None:
    async with with_pod() as s, s.session.get(s.url(f"{POD}/log?follow=1"), headers=BEARER) as answer:
        assert await answer.content.readline() == b"app line 0\n"


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ("tailLines=-1", 422, "tailLines: Invalid value: -1: must be greater than or equal to 0"),
        ("limitBytes=0", 422, "limitBytes: Invalid value: 0: must be greater than 0"),
        ("sinceSeconds=1&sinceTime=2020-01-01T00:00:00Z", 422, "at most one of `sinceTime` or `sinceSeconds`"),
        ("sinceTime=yesterday", 400, "yesterday"),
        ("container=no", 400, "container no is not valid for pod web"),
    ],
)
async def test_wrong_log_options_are_refused(query: str, code: int, message: str) -> None:
    async with with_pod() as s:
        status, body = await s.ask("GET", f"{POD}/log?{query}")
        assert (status, message in body["message"]) == (code, True), body


async def test_one_of_several_containers_must_be_named() -> None:
    spec = core.PodSpec(
        containers=(core.Container(name="a", image="x"), core.Container(name="b", image="x")),
        init_containers=(core.Container(name="i", image="x"),),
    )
    async with served() as s:
        await s.cluster.client.create(core.Pod(metadata=ObjectMeta(name="two", namespace="default"), spec=spec))
        _, body = await s.ask("GET", "/api/v1/namespaces/default/pods/two/log")
        expected = (
            "a container name must be specified for pod two, choose one of: [a b] or one of the init containers: [i]"
        )
        assert body["message"] == expected


async def test_stream_of_a_pod_without_a_node_or_on_a_lost_one_is_refused() -> None:
    async with served() as s:
        await s.cluster.client.create(pod("waiting"))
        await s.cluster.client.create(pod("lost", node="n2"))
        query = "exec?command=x&stdout=1"
        assert (await s.ask("GET", "/api/v1/namespaces/default/pods/waiting/log")) == (200, "")
        status, body = await s.ask("POST", f"/api/v1/namespaces/default/pods/waiting/{query}")
        assert (status, body["message"]) == (400, "pod waiting does not have a host assigned")
        assert (await s.ask("POST", f"/api/v1/namespaces/default/pods/lost/{query}"))[0] == 503
