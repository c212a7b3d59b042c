"""Port-forward over SPDY, over SPDY in a WebSocket, and over WebSocket channels."""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable

import anyio
import pytest

from kubelite.api import channels, spdy
from tests.apiserver.serving import ADMIN, Served
from tests.apiserver.test_streaming import BEARER, POD, with_pod

Send = Callable[[bytes], Awaitable[object]]
Receive = Callable[[], Awaitable[bytes]]


async def converse(send: Send, receive: Receive, port: int, *, data: bytes = b"") -> dict[int, bytes]:
    """Opens two forwarded connections at once, sends `data` on both, and returns what came by stream."""
    client, found, open_streams = spdy.Spdy(), {1: b"", 3: b"", 5: b"", 7: b""}, {1, 3, 5, 7}
    for request, (error, stream) in enumerate(((1, 3), (5, 7))):
        headers = {"port": str(port), "requestID": str(request)}
        await send(client.encode_open(error, {**headers, "streamType": "error"}, fin=True))
        await send(client.encode_open(stream, {**headers, "streamType": "data"}))
    for stream in (3, 7):
        await send(client.encode_data(stream, data) + client.encode_data(stream, b"", fin=True))
    with anyio.fail_after(5):
        while open_streams:
            for event in client.receive(await receive()):
                if isinstance(event, spdy.Received):
                    found[event.stream] += event.data
                    if event.fin:
                        open_streams.discard(event.stream)
    return found


async def over_spdy(s: Served, port: int, data: bytes) -> dict[int, bytes]:
    head = f"POST {POD}/portforward HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN}\r\nConnection: Upgrade\r\n"
    head += "Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: portforward.k8s.io\r\n\r\n"
    async with await anyio.connect_tcp("127.0.0.1", s.server.port) as stream:
        await stream.send(head.encode())
        answer = await stream.receive()
        assert answer.startswith(b"HTTP/1.1 101 ")
        assert answer.endswith(b"\r\n\r\n")
        return await converse(stream.send, stream.receive, port, data=data)


async def over_tunnel(s: Served, port: int, data: bytes) -> dict[int, bytes]:
    url = s.url(f"{POD}/portforward")
    async with s.session.ws_connect(url, headers=BEARER, protocols=[channels.TUNNEL]) as socket:
        assert socket.protocol == channels.TUNNEL
        return await converse(socket.send_bytes, socket.receive_bytes, port, data=data)


@pytest.mark.parametrize("way", [over_spdy, over_tunnel])
async def test_connections_share_the_wire_and_keep_their_bytes(
    way: Callable[[Served, int, bytes], Awaitable[dict[int, bytes]]],
) -> None:
    async with with_pod() as s:
        data = bytes(range(256)) * 100
        assert await way(s, 80, data) == {1: b"", 3: data, 5: b"", 7: data}


@pytest.mark.parametrize("way", [over_spdy, over_tunnel])
async def test_refused_connection_is_told_on_its_error_stream(
    way: Callable[[Served, int, bytes], Awaitable[dict[int, bytes]]],
) -> None:
    async with with_pod() as s:
        found = await way(s, 1, b"")
        assert found[1] == found[5] == b"error forwarding port 1: connection refused"
        assert found[3] == found[7] == b""


async def test_channels_announce_their_ports_and_carry_data() -> None:
    async with with_pod() as s:
        url = s.url(f"{POD}/portforward?ports=80&ports=81")
        async with s.session.ws_connect(url, headers=BEARER, protocols=[channels.V4]) as socket:
            told = [await socket.receive_bytes() for _ in range(4)]
            assert told == [bytes([at]) + struct.pack("<H", 80 + at // 2) for at in range(4)]
            await socket.send_bytes(b"\x02hello")
            assert await socket.receive_bytes() == b"\x02hello"


async def test_channels_need_ports() -> None:
    async with with_pod() as s:
        headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Protocol": channels.V4}
        headers |= {"Sec-WebSocket-Key": "eA==", "Sec-WebSocket-Version": "13"}
        status, body = await s.ask("GET", f"{POD}/portforward", headers=headers)
        assert (status, "at least 1 port" in body["message"]) == (400, True)
