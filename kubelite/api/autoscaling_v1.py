"""The typed objects of autoscaling/v1: every field of Kubernetes v1.33, as frozen values.

A table of types: no behaviour lives here; `api.meta` says how fields are declared and encoded.
Source: k8s.io/api v0.33 autoscaling/v1/types.go
"""

from __future__ import annotations

from typing import ClassVar

from msgspec import field

from kubelite.api.meta import LabelSelector, Object, Quantity, Time, Value


class CrossVersionObjectReference(Value):
    kind: str = field(default_factory=str)
    name: str = field(default_factory=str)
    api_version: str = ""


class HorizontalPodAutoscalerSpec(Value):
    scale_target_ref: CrossVersionObjectReference = field(default_factory=CrossVersionObjectReference)
    min_replicas: int | None = None
    max_replicas: int = field(default_factory=int)
    target_cpu_utilization_percentage: int | None = field(default=None, name="targetCPUUtilizationPercentage")


class HorizontalPodAutoscalerStatus(Value):
    observed_generation: int | None = None
    last_scale_time: Time | None = None
    current_replicas: int = field(default_factory=int)
    desired_replicas: int = field(default_factory=int)
    current_cpu_utilization_percentage: int | None = field(default=None, name="currentCPUUtilizationPercentage")


class HorizontalPodAutoscaler(Object):
    api_version: ClassVar[str] = "autoscaling/v1"
    kind: ClassVar[str] = "HorizontalPodAutoscaler"
    spec: HorizontalPodAutoscalerSpec = field(default_factory=HorizontalPodAutoscalerSpec)
    status: HorizontalPodAutoscalerStatus = field(default_factory=HorizontalPodAutoscalerStatus)


class ScaleSpec(Value):
    replicas: int = 0


class ScaleStatus(Value):
    replicas: int = field(default_factory=int)
    selector: str = ""


class Scale(Object):
    api_version: ClassVar[str] = "autoscaling/v1"
    kind: ClassVar[str] = "Scale"
    spec: ScaleSpec = field(default_factory=ScaleSpec)
    status: ScaleStatus = field(default_factory=ScaleStatus)


class MetricSpec(Value):
    type: str = field(default_factory=str)
    object: ObjectMetricSource | None = None
    pods: PodsMetricSource | None = None
    resource: ResourceMetricSource | None = None
    container_resource: ContainerResourceMetricSource | None = None
    external: ExternalMetricSource | None = None


class ObjectMetricSource(Value):
    target: CrossVersionObjectReference = field(default_factory=CrossVersionObjectReference)
    metric_name: str = field(default_factory=str)
    target_value: Quantity = "0"
    selector: LabelSelector | None = None
    average_value: Quantity | None = None


class PodsMetricSource(Value):
    metric_name: str = field(default_factory=str)
    target_average_value: Quantity = "0"
    selector: LabelSelector | None = None


class ResourceMetricSource(Value):
    name: str = field(default_factory=str)
    target_average_utilization: int | None = None
    target_average_value: Quantity | None = None


class ContainerResourceMetricSource(Value):
    name: str = field(default_factory=str)
    target_average_utilization: int | None = None
    target_average_value: Quantity | None = None
    container: str = field(default_factory=str)


class ExternalMetricSource(Value):
    metric_name: str = field(default_factory=str)
    metric_selector: LabelSelector | None = None
    target_value: Quantity | None = None
    target_average_value: Quantity | None = None


class MetricStatus(Value):
    type: str = field(default_factory=str)
    object: ObjectMetricStatus | None = None
    pods: PodsMetricStatus | None = None
    resource: ResourceMetricStatus | None = None
    container_resource: ContainerResourceMetricStatus | None = None
    external: ExternalMetricStatus | None = None


class HorizontalPodAutoscalerCondition(Value):
    type: str = field(default_factory=str)
    status: str = field(default_factory=str)
    last_transition_time: Time | None = None
    reason: str = ""
    message: str = ""


class ObjectMetricStatus(Value):
    target: CrossVersionObjectReference = field(default_factory=CrossVersionObjectReference)
    metric_name: str = field(default_factory=str)
    current_value: Quantity = "0"
    selector: LabelSelector | None = None
    average_value: Quantity | None = None


class PodsMetricStatus(Value):
    metric_name: str = field(default_factory=str)
    current_average_value: Quantity = "0"
    selector: LabelSelector | None = None


class ResourceMetricStatus(Value):
    name: str = field(default_factory=str)
    current_average_utilization: int | None = None
    current_average_value: Quantity = "0"


class ContainerResourceMetricStatus(Value):
    name: str = field(default_factory=str)
    current_average_utilization: int | None = None
    current_average_value: Quantity = "0"
    container: str = field(default_factory=str)


class ExternalMetricStatus(Value):
    metric_name: str = field(default_factory=str)
    metric_selector: LabelSelector | None = None
    current_value: Quantity = "0"
    current_average_value: Quantity | None = None
