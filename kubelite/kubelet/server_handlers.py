"""What the kubelet answers, path by path. Knows neither sockets nor HTTP libraries; figures are made in `server_figures`.

Source: pkg/kubelet/server/server.go, pkg/kubelet/server/stats/handler.go, staging/src/k8s.io/kubelet/pkg/cri/streaming
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from kubelite.api import codec
from kubelite.api.core_v1 import Container, Pod, PodSpec
from kubelite.api.errors import BadRequest, NotFound, StatusError
from kubelite.api.meta import ObjectMeta
from kubelite.api.query import Query, first, flag
from kubelite.client.stream_requests import Headers, exec_channels, exec_upgrade, forward_upgrade, parse_log_options
from kubelite.client.streams import Upgraded
from kubelite.kubelet.node_status import Machine
from kubelite.kubelet.observed import find_spec
from kubelite.kubelet.parts import Parts
from kubelite.kubelet.pod_manager import PodManager
from kubelite.kubelet.pod_worker import PodWorker
from kubelite.kubelet.server_routes import Route
from kubelite.kubelet.streams import KubeletStreams

if TYPE_CHECKING:
    from kubelite.kubelet.server_figures import NodeTold
    from kubelite.kubelet.stats_collector import StatsCollector

JSON, TEXT = "application/json", "text/plain; charset=utf-8"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    code: int = 200
    body: bytes = b""
    type: str = TEXT


class Flowing(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes as they come. A StatusError while entering is the answer instead."""

    chunks: AbstractAsyncContextManager[AsyncIterator[bytes]]


Outcome = Answer | Flowing | Upgraded


def answer_error(error: StatusError) -> Answer:
    """The kubelet tells its errors in plain words."""
    return Answer(code=error.status_code, body=error.message.encode())


class NodeHandlers:
    """`config` is what /configz tells; `requests` counts by path and method."""

    def __init__(
        self,
        node: str,
        machine: Machine,
        parts: Parts,
        *,
        pods: PodManager,
        streams: KubeletStreams,
        stats: Callable[[], StatsCollector],
        config: Mapping[str, Any],
    ) -> None:
        self._node = node
        self._machine = machine
        self._parts = parts
        self._pods = pods
        self._streams = streams
        self._stats = stats
        self._config = config
        self._started_at = parts.clock.now()
        self.requests: Counter[tuple[str, str]] = Counter()

    @cached_property
    def _figures(self) -> NodeTold:
        from kubelite.kubelet.server_figures import NodeTold  # most kubelets are never asked

        return NodeTold(
            self._node,
            self._machine,
            pods=self._pods,
            stats=self._stats(),
            requests=self.requests,
            started_at=self._started_at,
        )

    async def answer(self, route: Route, query: Query, headers: Headers) -> Outcome:
        """Raises: StatusError."""
        match route.what:
            case "healthz":
                return Answer(body=b"ok")
            case "pods":
                return _pod_list(replace(each.pod, status=each.writer.last) for each in self._pods.workers())
            case "runningpods":
                return _pod_list(_running_pods(self._pods.workers()))
            case "configz":
                return Answer(body=msgspec.json.encode({"kubeletconfig": self._config}), type=JSON)
            case "logs":
                return Answer(code=405, body=b"logs endpoint is disabled.\n")
            case "summary" | "metrics" | "resource" | "cadvisor" | "probes":
                body, type_ = await self._figures.answer(route.what, query)
                return Answer(body=body, type=type_)
            case "containerLogs":
                return self._logs(route, query)
            case "exec" | "attach":
                return self._exec(route, query, headers)
            case "portForward":
                worker = self._worker(route)
                meta = worker.pod.metadata

                def dial(port: int) -> Any:
                    return self._streams.dial(meta.namespace, meta.name, port)

                return forward_upgrade(headers, query, dial)
        return Answer(code=404, body=b"404 page not found\n")

    # -- streams -------------------------------------------------------------------------------------------------------

    def _worker(self, route: Route) -> PodWorker:
        """Raises: NotFound."""
        worker = self._pods.worker_of(route.namespace, route.pod)
        if worker is None or (route.uid and worker.pod.metadata.uid != route.uid):
            raise NotFound("pod does not exist")
        return worker

    def _logs(self, route: Route, query: Query) -> Outcome:
        worker = self._pods.worker_of(route.namespace, route.pod)
        if worker is None:
            raise NotFound(f'pod "{route.pod}" does not exist\n')
        if find_spec(worker.pod, route.container) is None:
            raise NotFound(f'container "{route.container}" not found in pod "{route.pod}"\n')
        options = parse_log_options(query, route.pod, self._parts.clock.now())
        previous = flag(query, "previous")
        return Flowing(
            chunks=self._streams.logs(route.namespace, route.pod, route.container, options, previous=previous)
        )

    def _exec(self, route: Route, query: Query, headers: Headers) -> Upgraded:
        meta = self._worker(route).pod.metadata
        stdin, tty = _asked(query, "input"), _asked(query, "tty")
        wanted = exec_channels(stdin=stdin, stdout=_asked(query, "output"), stderr=_asked(query, "error"), tty=tty)
        if route.what == "attach":
            opened = self._streams.attach(meta.namespace, meta.name, route.container, stdin=stdin, tty=tty)
            return exec_upgrade(headers, opened, wanted)
        command = tuple(query.get("command", ()))
        if not command:
            raise BadRequest("you must specify at least one command for the container")
        opened = self._streams.exec(meta.namespace, meta.name, route.container, command, stdin=stdin, tty=tty)
        return exec_upgrade(headers, opened, wanted)


def _asked(query: Query, name: str) -> bool:
    return first(query, name) in ("1", "true")


def _pod_list(pods: Iterator[Pod]) -> Answer:
    items = (codec.splice(codec.encode_stored(each), int(each.metadata.resource_version or 0)) for each in pods)
    body = b'{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[%b]}' % b",".join(items)
    return Answer(body=body, type=JSON)


def _running_pods(workers: list[PodWorker]) -> Iterator[Pod]:
    """What the runtime runs, as pods that say no more than it knows."""
    for worker in workers:
        if worker.observed.running:
            meta = worker.pod.metadata
            containers = tuple(Container(name=each.name, image=each.image) for each in worker.observed.running)
            named = ObjectMeta(name=meta.name, namespace=meta.namespace, uid=meta.uid)
            yield Pod(metadata=named, spec=PodSpec(containers=containers))
