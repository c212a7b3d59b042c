"""Autoscalers read what nodes measured last; a question makes them measure again, and the answer makes autoscalers decide."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from kubelite import Cluster
from kubelite.actor.clock import SeededClock, SystemClock
from kubelite.api.apps_v1 import Deployment
from kubelite.api.core_v1 import Pod, PodSpec
from kubelite.api.errors import ServiceUnavailable
from kubelite.api.meta import ObjectMeta
from kubelite.client.figures import NodeFigures, PodFigures, Use
from kubelite.controllers.autoscaler_metrics import MetricsUnavailable
from kubelite.node_metrics import FRESH_S, ResourceMetrics
from kubelite.testing.virtual import run_virtually

WEB = Pod(metadata=ObjectMeta(name="web", namespace="default", uid="u-1"), spec=PodSpec(node_name="node-1"))


class Clock(SystemClock):
    """Runs ahead when told to."""

    later_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.later_s


class Meter:
    def __init__(self) -> None:
        self.measured = 0
        self.broken = False

    async def figures(self) -> NodeFigures:
        self.measured += 1
        if self.broken:
            raise ServiceUnavailable("no answer")
        uses = {"app": Use(250_500_000, 1 << 20), "sidecar": Use(100_000_000, 1 << 20)}
        pod = PodFigures(namespace="default", name="web", uid="u-1", at=100.0, window_s=15.0, containers=uses)
        return NodeFigures(at=100.0, window_s=15.0, use=Use(0, 0), pods=(pod,))


class Bench:
    def __init__(self) -> None:
        self.clock = Clock()
        self.meter = Meter()
        self.news = anyio.Event()
        self.metrics = ResourceMetrics({"node-1": self.meter}, self.clock, self._hear)

    def _hear(self) -> None:
        self.news.set()

    async def measured(self) -> None:
        with anyio.fail_after(10):
            await self.news.wait()
        self.news = anyio.Event()


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    async with anyio.create_task_group() as group:
        await group.start(made.metrics.run)
        yield made
        group.cancel_scope.cancel()


async def test_the_first_question_has_no_answer_yet_and_the_next_one_has() -> None:
    async with bench() as node:
        with pytest.raises(MetricsUnavailable, match="no metrics returned from resource metrics API"):
            node.metrics.resource("cpu", "default", [WEB])
        await node.measured()
        found = node.metrics.resource("cpu", "default", [WEB])["web"]
        assert (found.milli, found.at, found.window_s) == (351, 100.0, 15.0)
        assert node.metrics.resource("cpu", "default", [WEB], container="app")["web"].milli == 251
        assert node.metrics.resource("memory", "default", [WEB])["web"].milli == (2 << 20) * 1000
        with pytest.raises(MetricsUnavailable):
            node.metrics.resource("cpu", "default", [WEB], container="none")


async def test_what_was_measured_just_now_is_not_measured_again() -> None:
    async with bench() as node:
        for expected in (1, 2):
            try:
                node.metrics.resource("cpu", "default", [WEB])
            except MetricsUnavailable:
                assert expected == 1
            await node.measured()
            node.metrics.resource("cpu", "default", [WEB])
            await anyio.wait_all_tasks_blocked()
            assert node.meter.measured == expected
            node.clock.later_s += FRESH_S + 1


async def test_a_node_that_does_not_answer_keeps_its_last_figures() -> None:
    async with bench() as node:
        with pytest.raises(MetricsUnavailable):
            node.metrics.resource("cpu", "default", [WEB])
        await node.measured()
        node.meter.broken = True
        node.clock.later_s += FRESH_S + 1
        node.metrics.resource("cpu", "default", [WEB])
        await node.measured()
        assert node.metrics.resource("cpu", "default", [WEB])["web"].milli == 351


async def test_custom_metrics_are_told_to_be_none() -> None:
    async with bench() as node:
        with pytest.raises(MetricsUnavailable, match="no custom metrics API is registered"):
            node.metrics.pods("rps", "default", [WEB], None)
        with pytest.raises(MetricsUnavailable, match="no external metrics API is registered"):
            node.metrics.external("rps", "default", None)


SCALED = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}, annotations: {simulated.kubelite.io/cpu-millis: "200"}}
    spec: {containers: [{name: app, image: busybox, resources: {requests: {cpu: 100m}}}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  maxReplicas: 3
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]
"""


def test_simulated_pods_are_scaled_by_what_they_are_said_to_use() -> None:
    async def scale() -> float:
        clock = SeededClock(3)
        async with Cluster(clock=clock) as cluster:
            await cluster.apply(SCALED)
            begun = clock.now()
            await cluster.wait_for(Deployment, "web", lambda web: web.spec.replicas == 3)
            return clock.now() - begun

    assert run_virtually(scale()) <= 30
