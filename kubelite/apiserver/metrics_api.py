"""metrics.k8s.io/v1beta1, computed when somebody asks: what nodes and pods use, from the figures of their kubelets.

A pod or node has metrics if it exists and its kubelet has figures of it; labels are those of the pod or node, so selectors work
on them. Implements `interface.Computed`. Source: github.com/kubernetes-sigs/metrics-server pkg/api/{pod,node}.go
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import anyio

from kubelite.actor.log import get_logger
from kubelite.api import codec, core_v1 as core, errors
from kubelite.api.meta import Object, ObjectMeta, Quantity
from kubelite.api.metrics_v1beta1 import ContainerMetrics, NodeMetrics, PodMetrics
from kubelite.api.scheme import Resource
from kubelite.api.timestamp import rfc3339
from kubelite.apiserver.interface import Entry, ListParams, Page, Registry
from kubelite.client.figures import NodeFigures, NodeMeter, PodFigures, Use

_GROUP, _VERSION, _VERBS = "metrics.k8s.io", "v1beta1", ("get", "list")
NODES = Resource(
    type=NodeMetrics,
    group=_GROUP,
    version=_VERSION,
    kind="NodeMetrics",
    plural="nodes",
    singular="",
    namespaced=False,
    verbs=_VERBS,
)
PODS = Resource(
    type=PodMetrics, group=_GROUP, version=_VERSION, kind="PodMetrics", plural="pods", singular="", verbs=_VERBS
)

_log = get_logger(__name__)


class MetricsApi:
    """`meters` are those of the nodes, by name."""

    resources = (NODES, PODS)

    def __init__(self, registry: Registry, meters: Callable[[], Mapping[str, NodeMeter]]) -> None:
        self._registry = registry
        self._meters = meters

    async def get(self, resource: Resource, name: str, namespace: str) -> Entry:
        """Raises: NotFound."""
        params = ListParams(field_selector=f"metadata.name={name}")
        page = await self.list(resource, namespace, params)
        if not page.entries:
            shown = f"{namespace}/{name}" if namespace else name
            kind = "podmetrics" if resource is PODS else "nodemetrics"
            raise errors.not_found(_GROUP, kind, shown)
        return page.entries[0]

    async def list(self, resource: Resource, namespace: str, params: ListParams) -> Page:
        scheme = self._registry.scheme
        asked = ListParams(label_selector=params.label_selector, field_selector=params.field_selector)
        if resource is NODES:
            nodes = await self._objects(scheme.of(core.Node), "", asked)
            figures = await self._figures(node.metadata.name for node in nodes)
            found: list[Object] = [
                _node_metrics(node, figures[node.metadata.name]) for node in nodes if node.metadata.name in figures
            ]
        else:
            pods = await self._objects(scheme.of(core.Pod), namespace, asked)
            figures = await self._figures(pod.spec.node_name for pod in pods)
            by_uid = {each.uid: each for node in figures.values() for each in node.pods}
            found = [_pod_metrics(pod, by_uid[pod.metadata.uid]) for pod in pods if pod.metadata.uid in by_uid]
        return Page(tuple(Entry(resource, codec.encode_stored(obj), 0, obj) for obj in found), 0)

    async def _objects(self, resource: Resource, namespace: str, params: ListParams) -> Sequence[Any]:
        return [entry.object for entry in (await self._registry.list(resource, namespace, params)).entries]

    async def _figures(self, names: Iterable[str]) -> dict[str, NodeFigures]:
        """Of those nodes that tell."""
        found: dict[str, NodeFigures] = {}

        async def ask(name: str, meter: NodeMeter) -> None:
            try:
                found[name] = await meter.figures()
            except errors.StatusError as error:
                _log.warning("Node was not measured", node=name, error=error.message)

        meters = self._meters()
        async with anyio.create_task_group() as tasks:
            for name in set(names) & meters.keys():
                tasks.start_soon(ask, name, meters[name])
        return found


def _node_metrics(node: core.Node, figures: NodeFigures) -> NodeMetrics:
    return NodeMetrics(
        metadata=_metadata(node.metadata, figures.at),
        timestamp=rfc3339(figures.at),
        window=window_text(figures.window_s),
        usage=_usage(figures.use),
    )


def _pod_metrics(pod: core.Pod, figures: PodFigures) -> PodMetrics:
    containers = (ContainerMetrics(name=name, usage=_usage(use)) for name, use in figures.containers.items())
    return PodMetrics(
        metadata=_metadata(pod.metadata, figures.at),
        timestamp=rfc3339(figures.at),
        window=window_text(figures.window_s),
        containers=tuple(containers),
    )


def _metadata(meta: ObjectMeta, at: float) -> ObjectMeta:
    return ObjectMeta(name=meta.name, namespace=meta.namespace, labels=meta.labels, creation_timestamp=rfc3339(at))


def _usage(use: Use) -> dict[str, Quantity]:
    return {"cpu": f"{use.cpu_nanocores}n" if use.cpu_nanocores else "0", "memory": f"{use.memory_bytes // 1024}Ki"}


def window_text(seconds: float) -> str:
    """As Go prints a duration.

    >>> window_text(15.0), window_text(75.25), window_text(0.5)
    ('15s', '1m15.25s', '500ms')
    """
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    hours, rest = divmod(round(seconds, 3), 3600)
    minutes, left = divmod(rest, 60)
    text = f"{int(hours)}h" if hours else ""
    text += f"{int(minutes)}m" if hours or minutes else ""
    return f"{text}{round(left, 3):g}s"
