"""Requests for streams, as the API server and the kubelet both take them: which protocol, which streams, which log lines.

Source: k8s.io/apimachinery pkg/util/{httpstream,remotecommand}, kubernetes pkg/apis/core/validation ValidatePodLogOptions
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Protocol

from kubelite.api import channels
from kubelite.api.channels import ERROR, RESIZE, STDERR, STDIN, STDOUT
from kubelite.api.errors import BadRequest, FieldError, Forbidden, invalid
from kubelite.api.query import Query, first, flag, parse_integer
from kubelite.api.timestamp import parse_rfc3339
from kubelite.client.forwarding import Dial, SpdyForwarding, TunnelWire, forward_channels
from kubelite.client.streaming import Session, SpdySession, WebSocketSession, bridge_exec
from kubelite.client.streams import ExecStream, LogOptions, Upgraded, Wire

_SPDY = "SPDY/3.1"
_STREAM_VERSION = "X-Stream-Protocol-Version"
#: The SPDY forms of exec. The older ones tell an exit in plain text.
_SPDY_EXEC = ("v4.channel.k8s.io",)
_SPDY_FORWARD = ("portforward.k8s.io",)


class Headers(Protocol):
    """Header fields by name in any case."""

    def get(self, name: str, /, default: str) -> str: ...
    def getall(self, name: str, /, default: list[str]) -> list[str]: ...


def exec_channels(*, stdin: bool, stdout: bool, stderr: bool, tty: bool) -> set[int]:
    """The channels of an exec or attach. Raises: BadRequest when it has none."""
    wanted = {channel for channel, asked in ((STDIN, stdin), (STDOUT, stdout), (STDERR, stderr and not tty)) if asked}
    if not wanted:
        raise BadRequest("you must specify at least 1 of stdin, stdout, stderr")
    return wanted | {ERROR} | ({RESIZE} if tty else set())


def exec_upgrade(
    headers: Headers, opened: AbstractAsyncContextManager[ExecStream], wanted: Collection[int]
) -> Upgraded:
    """The way of an exec or attach over either protocol. Raises: BadRequest, Forbidden."""
    answer, websocket, protocol = _negotiate(headers, channels.EXEC_PROTOCOLS, _SPDY_EXEC)

    async def run(wire: Wire, stream: ExecStream) -> None:
        session: Session
        if websocket:
            session = WebSocketSession(wire, protocol)
            await session.send(STDOUT if STDOUT in wanted else ERROR, b"")  # tells the client that it is connected
        else:
            session = spdy = SpdySession(wire)
            await spdy.open(wanted)
        await bridge_exec(session, stream)

    return Upgraded(headers=answer, open=opened, run=run)


def forward_upgrade(headers: Headers, query: Query, dial: Dial) -> Upgraded:
    """The way of a port-forward over either protocol. Raises: BadRequest, Forbidden."""
    answer, websocket, protocol = _negotiate(headers, channels.PORT_PROTOCOLS, _SPDY_FORWARD)
    ports = _ports(query) if protocol == channels.V4 else []

    async def run(wire: Wire, _: None) -> None:
        if protocol == channels.V4:
            await forward_channels(wire, ports, dial)
        else:
            await SpdyForwarding(TunnelWire(wire) if websocket else wire, dial).run()

    return Upgraded(headers=answer, open=nullcontext(), run=run)


def _ports(query: Query) -> list[int]:
    """Raises: BadRequest."""
    found = [int(text) for value in query.get("ports", ()) for text in value.split(",") if text.isdigit()]
    if not found or any(not 0 < port < 65536 for port in found):
        raise BadRequest("you must specify at least 1 port, each between 1 and 65535")
    return found


def _negotiate(headers: Headers, websocket: tuple[str, ...], spdy: tuple[str, ...]) -> tuple[dict[str, str], bool, str]:
    """(headers of the 101, whether it is a WebSocket, protocol). Raises: BadRequest, Forbidden."""
    upgrade = headers.get("Upgrade", "").lower()
    if "upgrade" not in headers.get("Connection", "").lower() or upgrade not in ("websocket", _SPDY.lower()):
        raise BadRequest("Upgrade request required")
    name = "Sec-WebSocket-Protocol" if upgrade == "websocket" else _STREAM_VERSION
    offered = [part.strip() for value in headers.getall(name, []) for part in value.split(",")]
    served = websocket if upgrade == "websocket" else spdy
    if not (protocol := channels.choose(offered, served)):
        listed = " ".join(served)
        raise Forbidden(
            f"unable to upgrade: unable to negotiate protocol: client supports [{' '.join(offered)}],"
            f" server accepts [{listed}]"
        )
    if upgrade == "websocket":
        key = headers.get("Sec-WebSocket-Key", "")
        if not key or headers.get("Sec-WebSocket-Version", "") != "13":
            raise BadRequest("Upgrade request required")
        accept = channels.accept_key(key)
        return (
            {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": accept, name: protocol},
            True,
            protocol,
        )
    return {"Connection": "Upgrade", "Upgrade": _SPDY, name: protocol}, False, protocol


def parse_log_options(query: Query, pod: str, now: float) -> LogOptions:
    """Raises: Invalid, BadRequest."""
    tail, limit = parse_integer(query, "tailLines"), parse_integer(query, "limitBytes")
    since_s, since_time = parse_integer(query, "sinceSeconds"), first(query, "sinceTime")
    wrong = []
    if tail is not None and tail < 0:
        wrong.append(_wrong("tailLines", tail, "must be greater than or equal to 0"))
    if limit is not None and limit < 1:
        wrong.append(_wrong("limitBytes", limit, "must be greater than 0"))
    if since_s is not None and since_time:
        detail = "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"
        wrong.append(FieldError("FieldValueForbidden", "", detail))
    elif since_s is not None and since_s < 1:
        wrong.append(_wrong("sinceSeconds", since_s, "must be greater than 0"))
    if wrong:
        raise invalid("", "PodLogOptions", pod, wrong)
    since = now - since_s if since_s is not None else None
    if since_time:
        try:
            since = parse_rfc3339(since_time)
        except ValueError:
            raise BadRequest(f'parsing time "{since_time}": not an RFC 3339 time') from None
    return LogOptions(
        follow=flag(query, "follow"),
        timestamps=flag(query, "timestamps"),
        tail_lines=tail,
        since=since,
        limit_bytes=limit,
        stream=first(query, "stream") or "All",
    )


def _wrong(field: str, value: int, why: str) -> FieldError:
    return FieldError("FieldValueInvalid", field, f"Invalid value: {value}: {why}")
