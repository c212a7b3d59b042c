"""The typed objects of autoscaling/v2: every field of Kubernetes v1.33, as frozen values.

A table of types: no behaviour lives here; `api.meta` says how fields are declared and encoded.
Source: k8s.io/api v0.33 autoscaling/v2/types.go
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import field

from kubelite.api.meta import LabelSelector, Object, Quantity, Time, Value, merge


class CrossVersionObjectReference(Value):
    kind: str = field(default_factory=str)
    name: str = field(default_factory=str)
    api_version: str = ""


class HorizontalPodAutoscalerSpec(Value):
    scale_target_ref: CrossVersionObjectReference = field(default_factory=CrossVersionObjectReference)
    min_replicas: int | None = None
    max_replicas: int = field(default_factory=int)
    metrics: Annotated[tuple[MetricSpec, ...], merge(list_type="atomic")] = ()
    behavior: HorizontalPodAutoscalerBehavior | None = None


class HorizontalPodAutoscalerStatus(Value):
    observed_generation: int | None = None
    last_scale_time: Time | None = None
    current_replicas: int = 0
    desired_replicas: int = field(default_factory=int)
    current_metrics: Annotated[tuple[MetricStatus, ...], merge(list_type="atomic")] = ()
    conditions: Annotated[
        tuple[HorizontalPodAutoscalerCondition, ...],
        merge(patch="merge", merge_key="type", list_type="map", keys=("type",)),
    ] = ()


class HorizontalPodAutoscaler(Object):
    api_version: ClassVar[str] = "autoscaling/v2"
    kind: ClassVar[str] = "HorizontalPodAutoscaler"
    spec: HorizontalPodAutoscalerSpec = field(default_factory=HorizontalPodAutoscalerSpec)
    status: HorizontalPodAutoscalerStatus = field(default_factory=HorizontalPodAutoscalerStatus)


class MetricSpec(Value):
    type: str = field(default_factory=str)
    object: ObjectMetricSource | None = None
    pods: PodsMetricSource | None = None
    resource: ResourceMetricSource | None = None
    container_resource: ContainerResourceMetricSource | None = None
    external: ExternalMetricSource | None = None


class HorizontalPodAutoscalerBehavior(Value):
    scale_up: HPAScalingRules | None = None
    scale_down: HPAScalingRules | None = None


class HPAScalingRules(Value):
    stabilization_window_seconds: int | None = None
    select_policy: str | None = None
    policies: Annotated[tuple[HPAScalingPolicy, ...], merge(list_type="atomic")] = ()
    tolerance: Quantity | None = None


class HPAScalingPolicy(Value):
    type: str = field(default_factory=str)
    value: int = field(default_factory=int)
    period_seconds: int = field(default_factory=int)


class MetricIdentifier(Value):
    name: str = field(default_factory=str)
    selector: LabelSelector | None = None


class MetricTarget(Value):
    type: str = field(default_factory=str)
    value: Quantity | None = None
    average_value: Quantity | None = None
    average_utilization: int | None = None


class ObjectMetricSource(Value):
    described_object: CrossVersionObjectReference = field(default_factory=CrossVersionObjectReference)
    target: MetricTarget = field(default_factory=MetricTarget)
    metric: MetricIdentifier = field(default_factory=MetricIdentifier)


class PodsMetricSource(Value):
    metric: MetricIdentifier = field(default_factory=MetricIdentifier)
    target: MetricTarget = field(default_factory=MetricTarget)


class ResourceMetricSource(Value):
    name: str = field(default_factory=str)
    target: MetricTarget = field(default_factory=MetricTarget)


class ContainerResourceMetricSource(Value):
    name: str = field(default_factory=str)
    target: MetricTarget = field(default_factory=MetricTarget)
    container: str = field(default_factory=str)


class ExternalMetricSource(Value):
    metric: MetricIdentifier = field(default_factory=MetricIdentifier)
    target: MetricTarget = field(default_factory=MetricTarget)


class HorizontalPodAutoscalerCondition(Value):
    type: str = field(default_factory=str)
    status: str = field(default_factory=str)
    last_transition_time: Time | None = None
    reason: str = ""
    message: str = ""


class MetricStatus(Value):
    type: str = field(default_factory=str)
    object: ObjectMetricStatus | None = None
    pods: PodsMetricStatus | None = None
    resource: ResourceMetricStatus | None = None
    container_resource: ContainerResourceMetricStatus | None = None
    external: ExternalMetricStatus | None = None


class MetricValueStatus(Value):
    value: Quantity | None = None
    average_value: Quantity | None = None
    average_utilization: int | None = None


class ObjectMetricStatus(Value):
    metric: MetricIdentifier = field(default_factory=MetricIdentifier)
    current: MetricValueStatus = field(default_factory=MetricValueStatus)
    described_object: CrossVersionObjectReference = field(default_factory=CrossVersionObjectReference)


class PodsMetricStatus(Value):
    metric: MetricIdentifier = field(default_factory=MetricIdentifier)
    current: MetricValueStatus = field(default_factory=MetricValueStatus)


class ResourceMetricStatus(Value):
    name: str = field(default_factory=str)
    current: MetricValueStatus = field(default_factory=MetricValueStatus)


class ContainerResourceMetricStatus(Value):
    name: str = field(default_factory=str)
    current: MetricValueStatus = field(default_factory=MetricValueStatus)
    container: str = field(default_factory=str)


class ExternalMetricStatus(Value):
    metric: MetricIdentifier = field(default_factory=MetricIdentifier)
    current: MetricValueStatus = field(default_factory=MetricValueStatus)
