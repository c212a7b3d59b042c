"""pods/log, exec, attach and portforward: which container, which protocol, and the kubelet's stream for it.

Source: kubernetes pkg/registry/core/pod/{strategy.go,rest}, pkg/apis/core/validation ValidatePodLogOptions
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from kubelite.actor.clock import Clock
from kubelite.api import channels, core_v1 as core
from kubelite.api.channels import ERROR, RESIZE, STDERR, STDIN, STDOUT
from kubelite.api.errors import BadRequest, FieldError, Forbidden, ServiceUnavailable, invalid
from kubelite.api.timestamp import parse_rfc3339
from kubelite.apiserver.answers import TEXT, Answer, Call, Flowing, Headers, Outcome, Upgraded, Wire
from kubelite.apiserver.forwarding import SpdyForwarding, TunnelWire, forward_channels
from kubelite.apiserver.interface import Registry
from kubelite.apiserver.request import Query, first, flag, parse_integer
from kubelite.apiserver.streaming import Session, SpdySession, WebSocketSession, bridge_exec
from kubelite.client.streams import ExecStream, LogOptions, PodStreams

_SPDY = "SPDY/3.1"
_STREAM_VERSION = "X-Stream-Protocol-Version"
#: The SPDY forms of exec. The older ones tell an exit in plain text.
_SPDY_EXEC = ("v4.channel.k8s.io",)
_SPDY_FORWARD = ("portforward.k8s.io",)


class StreamHandlers:
    """`streams` gives the streams of a node's pods, or None while that node has no kubelet here."""

    def __init__(self, registry: Registry, streams: Callable[[str], PodStreams | None], clock: Clock) -> None:
        self._registry = registry
        self._streams = streams
        self._clock = clock

    async def answer(self, call: Call) -> Outcome:
        info = call.info
        resource = self._registry.scheme.of(core.Pod)
        pod: core.Pod = (await self._registry.get(resource, info.name, info.namespace)).object
        match info.subresource:
            case "log":
                return self._log(call, pod)
            case "portforward":
                return self._forward(call, pod)
            case _:
                return self._exec(call, pod)

    def _node(self, pod: core.Pod) -> PodStreams:
        """Raises: BadRequest, ServiceUnavailable."""
        if not pod.spec.node_name:
            raise BadRequest(f"pod {pod.metadata.name} does not have a host assigned")
        found = self._streams(pod.spec.node_name)
        if found is None:
            raise ServiceUnavailable(f"error dialing backend: node {pod.spec.node_name} is not connected")
        return found

    # -- logs ----------------------------------------------------------------------------------------------------------

    def _log(self, call: Call, pod: core.Pod) -> Outcome:
        query = call.request.query
        options = parse_log_options(query, pod.metadata.name, self._clock.now())
        container = choose_container(pod, first(query, "container"))
        if not pod.spec.node_name:
            return Answer(type=TEXT)
        meta = pod.metadata
        streams = self._node(pod)
        chunks = streams.logs(meta.namespace, meta.name, container, options, previous=flag(query, "previous"))
        return Flowing(chunks=chunks)

    # -- exec and attach -----------------------------------------------------------------------------------------------

    def _exec(self, call: Call, pod: core.Pod) -> Outcome:
        query, meta = call.request.query, pod.metadata
        attach = call.info.subresource == "attach"
        stdin, tty = flag(query, "stdin"), flag(query, "tty")
        wanted = {ERROR}
        wanted |= {channel for channel, name in ((STDIN, "stdin"), (STDOUT, "stdout")) if flag(query, name)}
        if flag(query, "stderr") and not tty:
            wanted.add(STDERR)
        if tty:
            wanted.add(RESIZE)
        if not wanted & {STDIN, STDOUT, STDERR}:
            raise BadRequest("you must specify at least 1 of stdin, stdout, stderr")
        container = choose_container(pod, first(query, "container"))
        if pod.status.phase in ("Succeeded", "Failed"):
            what = "attach to" if attach else "exec into"
            raise BadRequest(f"cannot {what} a container in a completed pod; current phase is {pod.status.phase}")
        streams = self._node(pod)
        headers, websocket, protocol = _negotiate(call.request.headers, channels.EXEC_PROTOCOLS, _SPDY_EXEC)
        if attach:
            opened = streams.attach(meta.namespace, meta.name, container, stdin=stdin, tty=tty)
        else:
            command = tuple(query.get("command", ()))
            if not command:
                raise BadRequest("you must specify at least one command for the container")
            opened = streams.exec(meta.namespace, meta.name, container, command, stdin=stdin, tty=tty)

        async def run(wire: Wire, stream: ExecStream) -> None:
            session: Session
            if websocket:
                session = WebSocketSession(wire, protocol)
                await session.send(STDOUT if STDOUT in wanted else ERROR, b"")  # tells the client that it is connected
            else:
                session = spdy = SpdySession(wire)
                await spdy.open(wanted)
            await bridge_exec(session, stream)

        return Upgraded(headers=headers, open=opened, run=run)

    # -- port-forward --------------------------------------------------------------------------------------------------

    def _forward(self, call: Call, pod: core.Pod) -> Outcome:
        streams, meta = self._node(pod), pod.metadata
        headers, websocket, protocol = _negotiate(call.request.headers, channels.PORT_PROTOCOLS, _SPDY_FORWARD)

        def dial(port: int) -> Any:
            return streams.dial(meta.namespace, meta.name, port)

        ports: list[int] = []
        if protocol == channels.V4:
            ports = _ports(call.request.query)

        async def run(wire: Wire, _: None) -> None:
            if protocol == channels.V4:
                await forward_channels(wire, ports, dial)
            else:
                await SpdyForwarding(TunnelWire(wire) if websocket else wire, dial).run()

        return Upgraded(headers=headers, open=nullcontext(), run=run)


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


def choose_container(pod: core.Pod, name: str) -> str:
    """The container meant by `name`, or the only one. Raises: BadRequest."""
    main = [container.name for container in pod.spec.containers]
    init = [container.name for container in pod.spec.init_containers]
    ephemeral = [container.name for container in pod.spec.ephemeral_containers]
    if name:
        if name not in (*main, *init, *ephemeral):
            raise BadRequest(f"container {name} is not valid for pod {pod.metadata.name}")
        return name
    if len(main) == 1:
        return main[0]
    message = f"a container name must be specified for pod {pod.metadata.name}, choose one of: [{' '.join(main)}]"
    if init:
        message += f" or one of the init containers: [{' '.join(init)}]"
    raise BadRequest(message)


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
