"""HorizontalPodAutoscalers between autoscaling/v2, in which they are stored, and autoscaling/v1, which knows less. Pure.

What v1 has no field for travels in annotations, so that a client of v1 that writes back what it read loses nothing.
Source: kubernetes pkg/apis/autoscaling/{annotations.go,v1/conversion.go}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from kubelite.api import autoscaling_v1 as v1, autoscaling_v2 as v2
from kubelite.api.meta import LabelSelector, Quantity

_ROOT = "autoscaling.alpha.kubernetes.io/"
METRICS, CURRENT, CONDITIONS, BEHAVIOR = (
    f"{_ROOT}{name}" for name in ("metrics", "current-metrics", "conditions", "behavior")
)
_OURS = frozenset({METRICS, CURRENT, CONDITIONS, BEHAVIOR})
_DEFAULT_PERCENTAGE = 80


def to_v1(scaler: v2.HorizontalPodAutoscaler) -> v1.HorizontalPodAutoscaler:
    spec, status = scaler.spec, scaler.status
    notes: dict[str, Any] = {}
    if others := [_metric_v1(metric) for metric in spec.metrics if _percentage(metric) is None]:
        notes[METRICS] = others
    if status.current_metrics:
        notes[CURRENT] = [_status_v1(metric) for metric in status.current_metrics]
    if spec.behavior is not None:
        notes[BEHAVIOR] = _behavior_out(spec.behavior)
    if status.conditions:
        notes[CONDITIONS] = [_condition(v1.HorizontalPodAutoscalerCondition, each) for each in status.conditions]
    annotations = {**_others(scaler.metadata.annotations), **{key: _text(value) for key, value in notes.items()}}
    target = spec.scale_target_ref
    cpu = (each.resource for each in status.current_metrics if _is_cpu(each))
    current = (each.current.average_utilization for each in cpu if each is not None)
    return v1.HorizontalPodAutoscaler(
        metadata=replace(scaler.metadata, annotations=annotations),
        spec=v1.HorizontalPodAutoscalerSpec(
            scale_target_ref=_reference(v1.CrossVersionObjectReference, target),
            min_replicas=spec.min_replicas,
            max_replicas=spec.max_replicas,
            target_cpu_utilization_percentage=next(
                (value for metric in spec.metrics if (value := _percentage(metric)) is not None), None
            ),
        ),
        status=v1.HorizontalPodAutoscalerStatus(
            observed_generation=status.observed_generation,
            last_scale_time=status.last_scale_time,
            current_replicas=status.current_replicas,
            desired_replicas=status.desired_replicas,
            current_cpu_utilization_percentage=next((value for value in current if value is not None), None),
        ),
    )


def from_v1(scaler: v1.HorizontalPodAutoscaler) -> v2.HorizontalPodAutoscaler:
    spec, status, notes = scaler.spec, scaler.status, scaler.metadata.annotations
    metrics: tuple[v2.MetricSpec, ...] = ()
    if (percentage := spec.target_cpu_utilization_percentage) is not None:
        metrics = (_cpu(percentage),)
    metrics += tuple(_metric_v2(metric) for metric in _read(notes.get(METRICS), list[v1.MetricSpec]) or ())
    conditions = _read(notes.get(CONDITIONS), list[v1.HorizontalPodAutoscalerCondition]) or ()
    return v2.HorizontalPodAutoscaler(
        metadata=replace(scaler.metadata, annotations=_others(notes)),
        spec=v2.HorizontalPodAutoscalerSpec(
            scale_target_ref=_reference(v2.CrossVersionObjectReference, spec.scale_target_ref),
            min_replicas=spec.min_replicas,
            max_replicas=spec.max_replicas,
            metrics=metrics or (_cpu(_DEFAULT_PERCENTAGE),),
            behavior=_behavior_in(_read(notes.get(BEHAVIOR), dict[str, Any])),
        ),
        status=v2.HorizontalPodAutoscalerStatus(
            observed_generation=status.observed_generation,
            last_scale_time=status.last_scale_time,
            current_replicas=status.current_replicas,
            desired_replicas=status.desired_replicas,
            current_metrics=tuple(map(_status_v2, _read(notes.get(CURRENT), list[v1.MetricStatus]) or ())),
            conditions=tuple(_condition(v2.HorizontalPodAutoscalerCondition, each) for each in conditions),
        ),
    )


def _others(annotations: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in annotations.items() if key not in _OURS}


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _read(text: str | None, type_: Any) -> Any:
    """What an annotation says; nothing if that cannot be read, as upstream has it."""
    try:
        return msgspec.json.decode(text, type=type_) if text else None
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None


def _cpu(percentage: int) -> v2.MetricSpec:
    target = v2.MetricTarget(type="Utilization", average_utilization=percentage)
    return v2.MetricSpec(type="Resource", resource=v2.ResourceMetricSource(name="cpu", target=target))


def _is_cpu(metric: Any) -> bool:
    return metric.type == "Resource" and metric.resource is not None and metric.resource.name == "cpu"


def _percentage(metric: v2.MetricSpec) -> int | None:
    """The one thing about metrics that v1 has a field for."""
    return metric.resource.target.average_utilization if _is_cpu(metric) and metric.resource is not None else None


def _reference(type_: Any, other: Any) -> Any:
    return type_(kind=other.kind, name=other.name, api_version=other.api_version)


def _condition(type_: Any, other: Any) -> Any:
    return type_(**{name: getattr(other, name) for name in type_.__struct_fields__})


# -- metrics -----------------------------------------------------------------------------------------------------------


def _metric_v1(metric: v2.MetricSpec) -> v1.MetricSpec:
    found: dict[str, Any] = {}
    if (obj := metric.object) is not None:
        found["object"] = v1.ObjectMetricSource(
            target=_reference(v1.CrossVersionObjectReference, obj.described_object),
            metric_name=obj.metric.name,
            target_value=_or_zero(obj.target.value),
            selector=obj.metric.selector,
            average_value=obj.target.average_value,
        )
    if (pods := metric.pods) is not None:
        found["pods"] = v1.PodsMetricSource(
            metric_name=pods.metric.name,
            target_average_value=_or_zero(pods.target.average_value),
            selector=pods.metric.selector,
        )
    if (resource := metric.resource) is not None:
        found["resource"] = v1.ResourceMetricSource(name=resource.name, **_averages(resource.target))
    if (container := metric.container_resource) is not None:
        found["container_resource"] = v1.ContainerResourceMetricSource(
            name=container.name, container=container.container, **_averages(container.target)
        )
    if (external := metric.external) is not None:
        found["external"] = v1.ExternalMetricSource(
            metric_name=external.metric.name,
            metric_selector=external.metric.selector,
            target_value=external.target.value,
            target_average_value=external.target.average_value,
        )
    return v1.MetricSpec(type=metric.type, **found)


def _metric_v2(metric: v1.MetricSpec) -> v2.MetricSpec:
    found: dict[str, Any] = {}
    if (obj := metric.object) is not None:
        value = None if obj.average_value is not None and obj.target_value == "0" else obj.target_value
        found["object"] = v2.ObjectMetricSource(
            described_object=_reference(v2.CrossVersionObjectReference, obj.target),
            metric=_named(obj.metric_name, obj.selector),
            target=_target(value=value, average=obj.average_value),
        )
    if (pods := metric.pods) is not None:
        found["pods"] = v2.PodsMetricSource(
            metric=_named(pods.metric_name, pods.selector), target=_target(average=pods.target_average_value)
        )
    if (resource := metric.resource) is not None:
        target = _target(average=resource.target_average_value, utilization=resource.target_average_utilization)
        found["resource"] = v2.ResourceMetricSource(name=resource.name, target=target)
    if (container := metric.container_resource) is not None:
        target = _target(average=container.target_average_value, utilization=container.target_average_utilization)
        found["container_resource"] = v2.ContainerResourceMetricSource(
            name=container.name, container=container.container, target=target
        )
    if (external := metric.external) is not None:
        found["external"] = v2.ExternalMetricSource(
            metric=_named(external.metric_name, external.metric_selector),
            target=_target(value=external.target_value, average=external.target_average_value),
        )
    return v2.MetricSpec(type=metric.type, **found)


def _or_zero(value: Quantity | None) -> Quantity:
    return "0" if value is None else value


def _averages(target: v2.MetricTarget) -> dict[str, Any]:
    return {
        "target_average_utilization": target.average_utilization,
        "target_average_value": target.average_value,
    }


def _named(name: str, selector: LabelSelector | None) -> v2.MetricIdentifier:
    return v2.MetricIdentifier(name=name, selector=selector)


def _target(
    *, value: Quantity | None = None, average: Quantity | None = None, utilization: int | None = None
) -> v2.MetricTarget:
    type_ = "Utilization" if utilization is not None else "AverageValue" if average is not None else "Value"
    return v2.MetricTarget(type=type_, value=value, average_value=average, average_utilization=utilization)


# -- what they are now -------------------------------------------------------------------------------------------------


def _status_v1(metric: v2.MetricStatus) -> v1.MetricStatus:
    found: dict[str, Any] = {}
    if (obj := metric.object) is not None:
        found["object"] = v1.ObjectMetricStatus(
            target=_reference(v1.CrossVersionObjectReference, obj.described_object),
            metric_name=obj.metric.name,
            current_value=_or_zero(obj.current.value),
            selector=obj.metric.selector,
            average_value=obj.current.average_value,
        )
    if (pods := metric.pods) is not None:
        found["pods"] = v1.PodsMetricStatus(
            metric_name=pods.metric.name,
            current_average_value=_or_zero(pods.current.average_value),
            selector=pods.metric.selector,
        )
    if (resource := metric.resource) is not None:
        found["resource"] = v1.ResourceMetricStatus(name=resource.name, **_currents(resource.current))
    if (container := metric.container_resource) is not None:
        found["container_resource"] = v1.ContainerResourceMetricStatus(
            name=container.name, container=container.container, **_currents(container.current)
        )
    if (external := metric.external) is not None:
        found["external"] = v1.ExternalMetricStatus(
            metric_name=external.metric.name,
            metric_selector=external.metric.selector,
            current_value=_or_zero(external.current.value),
            current_average_value=external.current.average_value,
        )
    return v1.MetricStatus(type=metric.type, **found)


def _status_v2(metric: v1.MetricStatus) -> v2.MetricStatus:
    found: dict[str, Any] = {}
    if (obj := metric.object) is not None:
        found["object"] = v2.ObjectMetricStatus(
            described_object=_reference(v2.CrossVersionObjectReference, obj.target),
            metric=_named(obj.metric_name, obj.selector),
            current=v2.MetricValueStatus(value=obj.current_value, average_value=obj.average_value),
        )
    if (pods := metric.pods) is not None:
        found["pods"] = v2.PodsMetricStatus(
            metric=_named(pods.metric_name, pods.selector),
            current=v2.MetricValueStatus(average_value=pods.current_average_value),
        )
    if (resource := metric.resource) is not None:
        found["resource"] = v2.ResourceMetricStatus(name=resource.name, current=_current(resource))
    if (container := metric.container_resource) is not None:
        found["container_resource"] = v2.ContainerResourceMetricStatus(
            name=container.name, container=container.container, current=_current(container)
        )
    if (external := metric.external) is not None:
        found["external"] = v2.ExternalMetricStatus(
            metric=_named(external.metric_name, external.metric_selector),
            current=v2.MetricValueStatus(value=external.current_value, average_value=external.current_average_value),
        )
    return v2.MetricStatus(type=metric.type, **found)


def _currents(current: v2.MetricValueStatus) -> dict[str, Any]:
    return {
        "current_average_utilization": current.average_utilization,
        "current_average_value": _or_zero(current.average_value),
    }


def _current(metric: v1.ResourceMetricStatus | v1.ContainerResourceMetricStatus) -> v2.MetricValueStatus:
    return v2.MetricValueStatus(
        average_value=metric.current_average_value, average_utilization=metric.current_average_utilization
    )


# -- behaviour ---------------------------------------------------------------------------------------------------------
# Upstream writes it with the names of its own fields.


def _behavior_out(behavior: v2.HorizontalPodAutoscalerBehavior) -> dict[str, Any]:
    return {"ScaleUp": _rules_out(behavior.scale_up), "ScaleDown": _rules_out(behavior.scale_down)}


def _rules_out(rules: v2.HPAScalingRules | None) -> dict[str, Any] | None:
    if rules is None:
        return None
    policies = [
        {"Type": each.type, "Value": each.value, "PeriodSeconds": each.period_seconds} for each in rules.policies
    ]
    return {
        "StabilizationWindowSeconds": rules.stabilization_window_seconds,
        "SelectPolicy": rules.select_policy,
        "Policies": policies,
        "Tolerance": rules.tolerance,
    }


def _behavior_in(told: dict[str, Any] | None) -> v2.HorizontalPodAutoscalerBehavior | None:
    if told is None:
        return None
    try:
        return v2.HorizontalPodAutoscalerBehavior(
            scale_up=_rules_in(told.get("ScaleUp")), scale_down=_rules_in(told.get("ScaleDown"))
        )
    except (msgspec.ValidationError, AttributeError, TypeError):
        return None


def _rules_in(told: Any) -> v2.HPAScalingRules | None:
    if told is None:
        return None
    return msgspec.convert(
        {
            "stabilizationWindowSeconds": told.get("StabilizationWindowSeconds"),
            "selectPolicy": told.get("SelectPolicy"),
            "policies": [_lowered(each) for each in told.get("Policies") or ()],
            "tolerance": told.get("Tolerance"),
        },
        v2.HPAScalingRules,
    )


def _lowered(policy: Iterable[Any]) -> dict[str, Any]:
    return {f"{name[0].lower()}{name[1:]}": value for name, value in dict(policy).items()}
