"""As many replicas as the metrics ask for, no faster than the behavior allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from kubelite.api.apps_v1 import Deployment
from kubelite.api.autoscaling_v2 import (
    CrossVersionObjectReference,
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerBehavior,
    HorizontalPodAutoscalerSpec,
    HPAScalingPolicy,
    HPAScalingRules,
    MetricSpec,
    MetricTarget,
    ResourceMetricSource,
)
from kubelite.api.core_v1 import Container, Pod, ResourceRequirements
from kubelite.api.meta import ObjectMeta
from kubelite.controllers.autoscaler import HorizontalPodAutoscalerController
from kubelite.controllers.autoscaler_metrics import MetricsUnavailable, NoMetrics, PodMetric
from kubelite.controllers.deployment import DeploymentController
from kubelite.controllers.replicaset import ReplicaSetController
from tests.controllers.cluster import Cluster
from tests.controllers.objects import deployment


class Load(NoMetrics):
    """Every pod uses the same."""

    def __init__(self) -> None:
        self.milli: int | None = 0
        self.now = 0.0

    def resource(
        self, name: str, namespace: str, pods: Sequence[Pod], *, container: str = ""
    ) -> Mapping[str, PodMetric]:
        if self.milli is None:
            raise MetricsUnavailable("nothing was measured")
        return {pod.metadata.name: PodMetric(self.milli, self.now) for pod in pods}


class Scaled:
    def __init__(self, *, replicas: int = 2, most: int = 10, behavior: Any = None) -> None:
        self.load = Load()
        self.cluster = Cluster(
            HorizontalPodAutoscalerController(self.load), DeploymentController(), ReplicaSetController()
        )
        wanted = deployment(replicas=replicas)
        container = Container(name="app", image="app:1", resources=ResourceRequirements(requests={"cpu": "100m"}))
        template = replace(wanted.spec.template, spec=replace(wanted.spec.template.spec, containers=(container,)))
        self.cluster.put(replace(wanted, spec=replace(wanted.spec, template=template)))
        self.cluster.converge()
        for pod in self.cluster.view.list(Pod):
            self.cluster.put(replace(pod, status=replace(pod.status, start_time="2023-11-14T20:00:00Z")))
        cpu = ResourceMetricSource(name="cpu", target=MetricTarget(type="Utilization", average_utilization=50))
        spec = HorizontalPodAutoscalerSpec(
            scale_target_ref=CrossVersionObjectReference(kind="Deployment", name="web", api_version="apps/v1"),
            min_replicas=1,
            max_replicas=most,
            metrics=(MetricSpec(type="Resource", resource=cpu),),
            behavior=behavior,
        )
        self.cluster.put(HorizontalPodAutoscaler(metadata=ObjectMeta(name="web", namespace="default"), spec=spec))

    def measure(self, milli: int | None, *, after_s: float = 15) -> int:
        """The replicas after the next look at this load."""
        self.load.milli = milli
        self.load.now = self.cluster.now + after_s
        self.cluster.advance(after_s)
        for pod in self.cluster.view.list(Pod):
            if pod.status.start_time is None:
                self.cluster.run_pod(replace(pod, status=replace(pod.status, start_time="2023-11-14T20:00:00Z")))
        self.cluster.converge()
        found = self.cluster.view.get(Deployment, "web", "default")
        assert found is not None
        return found.spec.replicas or 0

    def condition(self, type_: str) -> tuple[str, str]:
        found = self.cluster.view.get(HorizontalPodAutoscaler, "web", "default")
        assert found is not None
        (entry,) = [each for each in found.status.conditions if each.type == type_]
        return entry.status, entry.reason


@pytest.mark.parametrize(("milli", "replicas"), [(50, 2), (54, 2), (75, 3), (100, 4), (45, 2)])
def test_replicas_follow_the_use_within_the_tolerance(milli: int, replicas: int) -> None:
    made = Scaled()
    made.cluster.settle()
    assert made.measure(milli) == replicas
    assert made.condition("ScalingActive") == ("True", "ValidMetricFound")


def test_growth_is_told_and_bounded() -> None:
    made = Scaled(most=5)
    made.cluster.settle()
    assert made.measure(400) == 5
    assert made.condition("ScalingLimited") == ("True", "TooManyReplicas")
    reason = "cpu resource utilization (percentage of request) above target"
    assert ("SuccessfulRescale", f"New size: 5; reason: {reason}") in made.cluster.events


def test_shrinking_waits_for_the_stabilization_window() -> None:
    made = Scaled(replicas=4)
    made.load.milli = 50
    made.cluster.settle()
    assert made.measure(10) == 4
    assert made.condition("AbleToScale") == ("True", "ScaleDownStabilized")
    for _ in range(20):
        replicas = made.measure(10)
    assert replicas == 1
    assert ("SuccessfulRescale", "New size: 1; reason: All metrics below target") in made.cluster.events


def test_policies_bound_the_speed() -> None:
    slow = HPAScalingRules(policies=(HPAScalingPolicy(type="Pods", value=1, period_seconds=60),))
    made = Scaled(behavior=HorizontalPodAutoscalerBehavior(scale_up=slow))
    made.cluster.settle()
    assert made.measure(400) == 3
    assert made.condition("ScalingLimited") == ("True", "ScaleUpLimit")
    assert made.measure(400) == 3
    assert made.measure(400, after_s=60) == 4


def test_without_metrics_nothing_changes_and_the_reason_is_told() -> None:
    made = Scaled()
    made.cluster.settle()
    assert made.measure(None) == 2
    assert made.condition("ScalingActive") == ("False", "FailedGetResourceMetric")
    first = "failed to get cpu resource metric value: failed to get cpu utilization: nothing was measured"
    message = f"invalid metrics (1 invalid out of 1), first error is: {first}"
    assert ("FailedComputeMetricsReplicas", message) in made.cluster.events


def test_a_missing_target_is_a_condition() -> None:
    made = Scaled()
    found = made.cluster.view.get(Deployment, "web", "default")
    assert found is not None
    made.cluster.remove(found)
    made.cluster.settle()
    assert made.condition("AbleToScale") == ("False", "FailedGetScale")
