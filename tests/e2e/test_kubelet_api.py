"""Streams of real containers over the kubelet's own API, as a tool beside the API server uses it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import anyio

from tests.e2e.daemon import Daemon


@asynccontextmanager
async def kubelet(daemon: Daemon) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    """A session as the administrator, and the API's URL."""
    status = daemon.get("nodes")["items"][0]["status"]
    address = next(each["address"] for each in status["addresses"] if each["type"] == "InternalIP")
    pki = daemon.data_dir / "pki"
    context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
    context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session, f"https://{address}:{status['daemonEndpoints']['kubeletEndpoint']['Port']}"


async def test_a_port_and_the_log_of_a_pod_are_reached(daemon: Daemon, hello: str) -> None:
    pod = daemon.pods("app=hello", hello)[0]["metadata"]["name"]
    async with kubelet(daemon) as (session, base):
        url = f"{base}/portForward/{hello}/{pod}?ports=8080"
        async with session.ws_connect(url, protocols=["v4.channel.k8s.io"]) as socket:
            await socket.send_bytes(b"\x00GET / HTTP/1.0\r\n\r\n")
            answer = b""
            with anyio.fail_after(20):
                while b"200 OK" not in answer:
                    message = await socket.receive()
                    assert message.type is aiohttp.WSMsgType.BINARY
                    answer += message.data[1:] if message.data[0] == 0 else b""
        async with session.get(f"{base}/containerLogs/{hello}/{pod}/web?tailLines=1") as log:
            assert log.status == 200


async def test_a_terminal_in_a_container_tells_its_size_and_its_end(daemon: Daemon, hello: str) -> None:
    pod = daemon.pods("app=hello", hello)[0]["metadata"]["name"]
    async with kubelet(daemon) as (session, base):
        url = f"{base}/exec/{hello}/{pod}/web?command=sh&input=1&output=1&tty=1"
        async with session.ws_connect(url, protocols=["v5.channel.k8s.io"]) as socket:
            await socket.send_bytes(b'\x04{"Width":91,"Height":33}')
            await socket.send_bytes(b"\x00until [ \"$(stty size)\" = '33 91' ]; do :; done; echo wide$?; exit 4\n")
            with anyio.fail_after(20):
                frames = [message.data async for message in socket]
    assert b"wide0" in b"".join(frame[1:] for frame in frames if frame[0] == 1)
    (result,) = [frame for frame in frames if frame[0] == 3]
    assert b'"ExitCode","message":"4"' in result
