"""What an autoscaler may be told by, and how fast it may act. Pure.

Source: kubernetes pkg/apis/autoscaling/validation/validation.go
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kubelite.api import autoscaling_v2 as autoscaling
from kubelite.api.meta import Quantity
from kubelite.api.quantity import parse
from kubelite.api.validation_field import Errors, forbidden, formatted, invalid, one_of, path_segment, required

_SOURCES = {
    "ContainerResource": ("containerResource", "container_resource"),
    "External": ("external", "external"),
    "Object": ("object", "object"),
    "Pods": ("pods", "pods"),
    "Resource": ("resource", "resource"),
}
_MAX_WINDOW_S, _MAX_PERIOD_S = 3600, 1800
_EITHER = "must set either a target value for metric or a per-pod target"


def validate_metrics(metrics: Iterable[autoscaling.MetricSpec], path: str = "spec.metrics") -> Errors:
    found: Errors = []
    for at, metric in enumerate(metrics):
        found += _metric(metric, f"{path}[{at}]")
    return found


def validate_behavior(behavior: autoscaling.HorizontalPodAutoscalerBehavior | None) -> Errors:
    if behavior is None:
        return []
    found: Errors = []
    for name, rules in (("scaleUp", behavior.scale_up), ("scaleDown", behavior.scale_down)):
        if rules is not None:
            found += _rules(rules, f"spec.behavior.{name}")
    return found


def _metric(metric: autoscaling.MetricSpec, path: str) -> Errors:
    if not metric.type:
        return [required(f"{path}.type", "must specify a metric source type")]
    found = one_of(f"{path}.type", metric.type, tuple(sorted(_SOURCES)))
    present = {name: source for name, field in _SOURCES.values() if (source := getattr(metric, field)) is not None}
    expected = _SOURCES.get(metric.type, ("", ""))[0]
    if expected and expected not in present:
        found.append(required(f"{path}.{expected}", "must populate information for the given metric source"))
    if len(present) != 1:
        only = "must populate the given metric source only"
        found += [forbidden(f"{path}.{name}", only) for name in present if name != expected]
    for name, source in present.items():
        found += _source(name, source, f"{path}.{name}")
    return found


def _source(name: str, source: Any, path: str) -> Errors:
    found: Errors = []
    target = source.target
    if name == "object":
        found += _reference(source.described_object, f"{path}.describedObject")
    if name in ("object", "pods", "external"):
        found += _named(source.metric.name, f"{path}.metric.name", "must specify a metric name")
    else:
        found += [] if source.name else [required(f"{path}.name", "must specify a resource name")]
    if name == "containerResource" and not source.container:
        found.append(required(f"{path}.container", "must specify a container"))
    found += _target(target, f"{path}.target")
    match name:
        case "object" | "external":
            if target.value is None and target.average_value is None:
                found.append(required(f"{path}.target.averageValue", _EITHER))
            if name == "external" and target.value is not None and target.average_value is not None:
                both = "may not set both a target value for metric and a per-pod target"
                found.append(forbidden(f"{path}.target.value", both))
        case "pods":
            if target.average_value is None or not _is_positive(target.average_value):
                found.append(required(f"{path}.target.averageValue", "must specify a positive target averageValue"))
        case _:
            if target.average_utilization is None and target.average_value is None:
                either = "must set either a target raw value or a target utilization"
                found.append(required(f"{path}.target.averageUtilization", either))
            if target.average_utilization is not None and target.average_value is not None:
                both = "may not set both a target raw value and a target utilization"
                found.append(forbidden(f"{path}.target.averageValue", both))
    return found


def _target(target: autoscaling.MetricTarget, path: str) -> Errors:
    found: Errors = []
    if not target.type:
        found.append(required(f"{path}.type", "must specify a metric target type"))
    if target.type not in ("Utilization", "Value", "AverageValue"):
        found.append(invalid(f"{path}.type", target.type, "must be either Utilization, Value, or AverageValue"))
    for name, value in (("value", target.value), ("averageValue", target.average_value)):
        if value is not None and not _is_positive(value):
            found.append(invalid(f"{path}.{name}", str(value), "must be positive"))
    if target.average_utilization is not None and target.average_utilization < 1:
        found.append(invalid(f"{path}.averageUtilization", target.average_utilization, "must be greater than 0"))
    return found


def _is_positive(value: Quantity) -> bool:
    return parse(value).nanos > 0


def _reference(reference: autoscaling.CrossVersionObjectReference, path: str) -> Errors:
    found = _named(reference.kind, f"{path}.kind", "")
    return found + _named(reference.name, f"{path}.name", "")


def _named(name: str, path: str, missing: str) -> Errors:
    return formatted(path, name, path_segment) if name else [required(path, missing)]


def _rules(rules: autoscaling.HPAScalingRules, path: str) -> Errors:
    found: Errors = []
    window = rules.stabilization_window_seconds
    if window is not None and window < 0:
        found.append(invalid(f"{path}.stabilizationWindowSeconds", window, "must be greater than or equal to zero"))
    if window is not None and window > _MAX_WINDOW_S:
        why = f"must be less than or equal to {_MAX_WINDOW_S}"
        found.append(invalid(f"{path}.stabilizationWindowSeconds", window, why))
    if rules.select_policy is not None:
        found += one_of(f"{path}.selectPolicy", rules.select_policy, ("Disabled", "Max", "Min"))
    if not rules.policies:
        found.append(required(f"{path}.policies", "must specify at least one Policy"))
    for at, policy in enumerate(rules.policies):
        here = f"{path}.policies[{at}]"
        found += one_of(f"{here}.type", policy.type, ("Percent", "Pods"))
        if policy.value <= 0:
            found.append(invalid(f"{here}.value", policy.value, "must be greater than zero"))
        if policy.period_seconds <= 0:
            found.append(invalid(f"{here}.periodSeconds", policy.period_seconds, "must be greater than zero"))
        if policy.period_seconds > _MAX_PERIOD_S:
            why = f"must be less than or equal to {_MAX_PERIOD_S}"
            found.append(invalid(f"{here}.periodSeconds", policy.period_seconds, why))
    return found
