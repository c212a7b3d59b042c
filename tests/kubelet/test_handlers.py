"""Probes against real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from kubelite.actor.clock import SystemClock
from kubelite.api.core_v1 import Container, GRPCAction, HTTPGetAction, Pod, ProbeHandler, TCPSocketAction
from kubelite.kubelet.handlers import Outcome, RuntimeProbes, Target
from kubelite.kubelet.simulated import SimulatedRuntime

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(serve: Serve) -> AsyncIterator[int]:
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        yield listening.sockets[0].getsockname()[1]


def answering(text: str, seen: list[bytes] | None = None) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if seen is not None:
            seen.append(head)
        writer.write(text.encode())
        writer.close()

    return serve


async def ask(handler: ProbeHandler, timeout_s: float = 2.0) -> Outcome:
    target = Target(pod=Pod(), spec=Container(name="c"), container_id="x", pod_ip="127.0.0.1")
    runtime = SimulatedRuntime(clock=SystemClock())
    return await RuntimeProbes(runtime).probe(target, "readiness", handler, timeout_s=timeout_s)


def get(port: int, **more: Any) -> ProbeHandler:
    return ProbeHandler(http_get=HTTPGetAction(port=port, path="/p", **more))


@pytest.mark.parametrize(
    ("status", "ok"), [("200 OK", True), ("399 X", True), ("404 Not Found", False), ("500 X", False)]
)
async def test_an_http_probe_goes_by_the_status(status: str, ok: bool) -> None:
    seen: list[bytes] = []
    async with server(answering(f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nhi", seen)) as port:
        outcome = await ask(get(port))
    assert outcome.ok is ok
    if not ok:
        assert outcome.output == f"HTTP probe failed with statuscode: {status[:3]}"
    assert seen[0].startswith(b"GET /p HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"User-Agent: kube-probe/1.33\r\n" in seen[0]
    assert b"Connection: close\r\n" in seen[0]


async def test_redirects_are_followed_on_the_same_host_only() -> None:
    async with (
        server(answering("HTTP/1.1 500 X\r\n\r\n")) as bad,
        server(answering(f"HTTP/1.1 302 F\r\nLocation: http://127.0.0.1:{bad}/\r\n\r\n")) as port,
    ):
        assert not (await ask(get(port))).ok
    async with server(answering("HTTP/1.1 302 F\r\nLocation: http://elsewhere.invalid/\r\n\r\n")) as port:
        assert (await ask(get(port))).ok
    async with server(answering("HTTP/1.1 302 F\r\nLocation: /again\r\n\r\n")) as port:
        assert "stopped after 10 redirects" in (await ask(get(port))).output


async def test_who_does_not_answer_in_time_fails() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with server(silent) as port:
        outcome = await ask(get(port), timeout_s=0.05)
    assert "context deadline exceeded (Client.Timeout exceeded while awaiting headers)" in outcome.output


async def test_a_closed_port_refuses() -> None:
    async with server(answering("")) as port:
        pass
    assert (await ask(get(port))).output == (
        f'Get "http://127.0.0.1:{port}/p": dial tcp 127.0.0.1:{port}: connect: connection refused'
    )
    tcp = ProbeHandler(tcp_socket=TCPSocketAction(port=port))
    assert (await ask(tcp)).output == f"dial tcp 127.0.0.1:{port}: connect: connection refused"


async def test_a_tcp_probe_needs_nothing_but_a_listener() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with server(serve) as port:
        assert (await ask(ProbeHandler(tcp_socket=TCPSocketAction(port=port)))).ok


async def test_a_port_that_has_no_such_name_is_an_unknown_state() -> None:
    outcome = await ask(ProbeHandler(http_get=HTTPGetAction(port="none")))
    assert outcome.unknown


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


@pytest.mark.parametrize(("serving", "ok"), [(1, True), (2, False)])
async def test_a_grpc_probe_asks_for_its_service(serving: int, ok: bool) -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(24) == b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        writer.write(frame(4, 0, 0, b"") + frame(6, 0, 0, b"pingpong"))
        kinds = []
        while not (asked and 6 in kinds):
            head = await reader.readexactly(9)
            payload = await reader.readexactly(int.from_bytes(head[:3], "big"))
            kinds.append(head[3])
            if head[3] == 0:
                asked.append(payload)
        reply = bytes([8, serving])
        message = b"\0" + len(reply).to_bytes(4, "big") + reply
        writer.write(frame(1, 4, 1, b"\x88") + frame(0, 0, 1, message) + frame(1, 5, 1, b""))
        await reader.read()
        writer.close()

    async with server(serve) as port:
        outcome = await ask(ProbeHandler(grpc=GRPCAction(port=port, service="svc")))
    assert outcome.ok is ok
    assert asked == [b"\0\0\0\0\x05\x0a\x03svc"]
    assert ok or outcome.output == 'service unhealthy (responded with "NOT_SERVING")'
