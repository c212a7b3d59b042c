"""What autoscalers read: the figures of the nodes on which their pods run. Part of the composition root.

An autoscaler decides at once, on what is known, so its question wakes this actor; when that has measured anew, the autoscalers
decide again. Nothing is measured while none asks. Source: k8s.io/kubernetes pkg/controller/podautoscaler/metrics/client.go
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskStatus

from kubelite.actor.clock import Clock
from kubelite.actor.log import get_logger
from kubelite.api.core_v1 import Pod
from kubelite.api.errors import StatusError

if TYPE_CHECKING:
    from kubelite.api.autoscaling_v2 import CrossVersionObjectReference
    from kubelite.api.meta import LabelSelector
    from kubelite.client.figures import NodeMeter, PodFigures, Use
    from kubelite.controllers.autoscaler_metrics import PodMetric

#: Who asks.
AUTOSCALER = "horizontal-pod-autoscaler-controller"
#: What was measured this lately is not measured again.
FRESH_S = 10.0
#: How long a node may take to tell.
DEADLINE_S = 10.0

log = get_logger(__name__)


class ResourceMetrics:
    """Implements `autoscaler_metrics.Metrics` for CPU and memory; an actor. `changed` hears when there are new figures."""

    name = "resource-metrics"

    def __init__(self, meters: Mapping[str, NodeMeter], clock: Clock, changed: Callable[[], None]) -> None:
        self._meters = meters
        self._clock = clock
        self._changed = changed
        self._figures: dict[str, dict[str, PodFigures]] = {}  # by node and the pod's uid
        self._read_at: dict[str, float] = {}  # by node, monotonic
        self._asked: set[str] = set()
        self._wake = anyio.Event()

    def resource(
        self, name: str, namespace: str, pods: Sequence[Pod], *, container: str = ""
    ) -> Mapping[str, PodMetric]:
        from kubelite.controllers.autoscaler_metrics import MetricsUnavailable, PodMetric

        stale = self._clock.monotonic() - FRESH_S
        nodes = {pod.spec.node_name for pod in pods} & self._meters.keys()
        self._asked |= {node for node in nodes if self._read_at.get(node, -FRESH_S - 1) < stale}
        if self._asked:
            self._wake.set()
        found = {}
        for pod in pods:
            figures = self._figures.get(pod.spec.node_name, {}).get(pod.metadata.uid)
            if figures is not None and (not container or container in figures.containers):
                uses = [figures.containers[container]] if container else list(figures.containers.values())
                milli = sum(_milli(name, use) for use in uses)
                found[pod.metadata.name] = PodMetric(milli, figures.at, figures.window_s)
        if not found:
            why = "no metrics returned from resource metrics API"
            raise MetricsUnavailable(f"unable to get metrics for resource {name}: {why}")
        return found

    def pods(
        self, name: str, namespace: str, pods: Sequence[Pod], selector: LabelSelector | None
    ) -> Mapping[str, PodMetric]:
        from kubelite.controllers.autoscaler_metrics import NoMetrics

        return NoMetrics().pods(name, namespace, pods, selector)

    def object(self, name: str, namespace: str, of: CrossVersionObjectReference, selector: LabelSelector | None) -> int:
        from kubelite.controllers.autoscaler_metrics import NoMetrics

        return NoMetrics().object(name, namespace, of, selector)

    def external(self, name: str, namespace: str, selector: LabelSelector | None) -> Sequence[int]:
        from kubelite.controllers.autoscaler_metrics import NoMetrics

        return NoMetrics().external(name, namespace, selector)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        while True:
            await self._wake.wait()
            self._wake = anyio.Event()
            asked, self._asked = self._asked, set()
            async with anyio.create_task_group() as tasks:
                for node in asked:
                    tasks.start_soon(self._measure, node)
            if asked:
                self._changed()

    async def _measure(self, node: str) -> None:
        self._read_at[node] = self._clock.monotonic()
        try:
            with anyio.fail_after(DEADLINE_S):
                figures = await self._meters[node].figures()
        except (StatusError, TimeoutError) as error:
            log.warning("Node was not measured", node=node, error=str(error))
            return
        self._figures[node] = {each.uid: each for each in figures.pods}


def _milli(name: str, use: Use) -> int:
    return -(-use.cpu_nanocores // 1_000_000) if name == "cpu" else use.memory_bytes * 1000
