"""How fast an autoscaler may act: stabilization windows and scaling policies. Pure.

Source: k8s.io/kubernetes pkg/controller/podautoscaler/horizontal.go, pkg/apis/autoscaling/v2/defaults.go
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from kubelite.api.autoscaling_v2 import HorizontalPodAutoscalerBehavior, HPAScalingPolicy, HPAScalingRules

UP = HPAScalingRules(
    stabilization_window_seconds=0,
    select_policy="Max",
    policies=(
        HPAScalingPolicy(type="Pods", value=4, period_seconds=15),
        HPAScalingPolicy(type="Percent", value=100, period_seconds=15),
    ),
)
DOWN = HPAScalingRules(
    stabilization_window_seconds=300,
    select_policy="Max",
    policies=(HPAScalingPolicy(type="Percent", value=100, period_seconds=15),),
)


class Change(msgspec.Struct, frozen=True):
    """Replicas that were recommended, or by which the target was scaled, at a time."""

    at: float
    replicas: int


class Limited(msgspec.Struct, frozen=True):
    """The replicas allowed; `able` and `limited` are (reason, message) of the conditions, `is_limited` the latter's status."""

    replicas: int
    able: tuple[str, str]
    limited: tuple[str, str]
    is_limited: bool


def rules(behavior: HorizontalPodAutoscalerBehavior | None) -> tuple[HPAScalingRules, HPAScalingRules]:
    """(scale up, scale down), completed by the defaults."""
    up = behavior.scale_up if behavior else None
    down = behavior.scale_down if behavior else None
    return _completed(up, UP), _completed(down, DOWN)


def _completed(given: HPAScalingRules | None, default: HPAScalingRules) -> HPAScalingRules:
    if given is None:
        return default
    window = given.stabilization_window_seconds
    return HPAScalingRules(
        stabilization_window_seconds=default.stabilization_window_seconds if window is None else window,
        select_policy=given.select_policy or default.select_policy,
        policies=given.policies or default.policies,
        tolerance=given.tolerance,
    )


def stabilized(
    current: int, wanted: int, past: Sequence[Change], up: HPAScalingRules, down: HPAScalingRules, now: float
) -> tuple[int, tuple[str, str]]:
    """(replicas, AbleToScale): the least of the recent recommendations upwards, the most downwards."""
    up_after, down_after = now - (up.stabilization_window_seconds or 0), now - (down.stabilization_window_seconds or 0)
    least = min([wanted, *(entry.replicas for entry in past if entry.at > up_after)])
    most = max([wanted, *(entry.replicas for entry in past if entry.at > down_after)])
    replicas = min(max(current, least), most)
    if replicas < wanted:
        text = "recent recommendations were lower than current one, applying the lowest recent recommendation"
        return replicas, ("ScaleUpStabilized", text)
    if replicas > wanted:
        text = "recent recommendations were higher than current one, applying the highest recent recommendation"
        return replicas, ("ScaleDownStabilized", text)
    return replicas, ("ReadyForNewScale", "recommended size matches current size")


def limited(
    current: int,
    wanted: int,
    bounds: tuple[int, int],
    rate: HPAScalingRules,
    done: tuple[Sequence[Change], Sequence[Change]],
    now: float,
) -> tuple[int, tuple[str, str], bool]:
    """(replicas, ScalingLimited, whether it is): `rate` holds for the direction, `done` what was (added, removed) lately."""
    least, most = bounds
    added, removed = done
    if wanted > current:
        limit = max(current, _limit(current, rate, added, removed, now, sign=1))
        if wanted > min(limit, most):
            if most <= limit:
                text = "the desired replica count is more than the maximum replica count"
                return most, ("TooManyReplicas", text), True
            text = "the desired replica count is increasing faster than the maximum scale rate"
            return limit, ("ScaleUpLimit", text), True
    elif wanted < current:
        limit = min(current, _limit(current, rate, removed, added, now, sign=-1))
        if wanted < max(limit, least):
            if least >= limit:
                text = "the desired replica count is less than the minimum replica count"
                return least, ("TooFewReplicas", text), True
            text = "the desired replica count is decreasing faster than the maximum scale rate"
            return limit, ("ScaleDownLimit", text), True
    return wanted, ("DesiredWithinRange", "the desired count is within the acceptable range"), False


def _limit(
    current: int, rate: HPAScalingRules, same: Sequence[Change], other: Sequence[Change], now: float, *, sign: int
) -> int:
    """The farthest that the policies allow; `same` are the changes in this direction."""
    if rate.select_policy == "Disabled":
        return current
    limits = []
    for policy in rate.policies:
        since = now - policy.period_seconds
        moved = sum(entry.replicas for entry in same if entry.at > since)
        back = sum(entry.replicas for entry in other if entry.at > since)
        start = current - sign * moved + sign * back
        if policy.type == "Pods":
            limits.append(start + sign * policy.value)
        else:
            share = start * (1 + sign * policy.value / 100)
            limits.append(math.ceil(round(share, 9)) if sign > 0 else int(share))
    farthest = (rate.select_policy == "Min") != (sign > 0)
    return max(limits) if farthest else min(limits)
