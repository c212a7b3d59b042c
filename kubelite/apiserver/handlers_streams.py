"""pods/log, exec, attach and portforward: which container, which protocol, and the kubelet's stream for it.

Source: kubernetes pkg/registry/core/pod/{strategy.go,rest}, pkg/apis/core/validation ValidatePodLogOptions
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubelite.actor.clock import Clock
from kubelite.api import core_v1 as core
from kubelite.api.errors import BadRequest, ServiceUnavailable
from kubelite.api.query import first, flag
from kubelite.apiserver.answers import TEXT, Answer, Call, Flowing, Outcome
from kubelite.apiserver.interface import Registry
from kubelite.client.stream_requests import exec_channels, exec_upgrade, forward_upgrade, parse_log_options
from kubelite.client.streams import PodStreams


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
        wanted = exec_channels(stdin=stdin, stdout=flag(query, "stdout"), stderr=flag(query, "stderr"), tty=tty)
        container = choose_container(pod, first(query, "container"))
        if pod.status.phase in ("Succeeded", "Failed"):
            what = "attach to" if attach else "exec into"
            raise BadRequest(f"cannot {what} a container in a completed pod; current phase is {pod.status.phase}")
        streams = self._node(pod)
        if attach:
            opened = streams.attach(meta.namespace, meta.name, container, stdin=stdin, tty=tty)
        else:
            command = tuple(query.get("command", ()))
            if not command:
                raise BadRequest("you must specify at least one command for the container")
            opened = streams.exec(meta.namespace, meta.name, container, command, stdin=stdin, tty=tty)
        return exec_upgrade(call.request.headers, opened, wanted)

    # -- port-forward --------------------------------------------------------------------------------------------------

    def _forward(self, call: Call, pod: core.Pod) -> Outcome:
        streams, meta = self._node(pod), pod.metadata

        def dial(port: int) -> Any:
            return streams.dial(meta.namespace, meta.name, port)

        return forward_upgrade(call.request.headers, call.request.query, dial)


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
