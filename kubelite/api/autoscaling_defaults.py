"""What an autoscaler's behavior says that leaves something out: as soon as there is any, all of it is filled in. Pure.

Source: kubernetes pkg/apis/autoscaling/v2/defaults.go
"""

from __future__ import annotations

from msgspec.structs import replace

from kubelite.api.autoscaling_v2 import HorizontalPodAutoscalerBehavior, HPAScalingPolicy, HPAScalingRules

_DOUBLE = HPAScalingPolicy(type="Percent", value=100, period_seconds=15)
_UP = HPAScalingRules(
    stabilization_window_seconds=0,
    select_policy="Max",
    policies=(HPAScalingPolicy(type="Pods", value=4, period_seconds=15), _DOUBLE),
)
_DOWN = HPAScalingRules(select_policy="Max", policies=(_DOUBLE,))


def default_behavior(behavior: HorizontalPodAutoscalerBehavior) -> HorizontalPodAutoscalerBehavior:
    """
    >>> default_behavior(HorizontalPodAutoscalerBehavior()).scale_up.select_policy
    'Max'
    """
    return replace(behavior, scale_up=_filled(behavior.scale_up, _UP), scale_down=_filled(behavior.scale_down, _DOWN))


def _filled(rules: HPAScalingRules | None, default: HPAScalingRules) -> HPAScalingRules:
    if rules is None:
        return default
    window = rules.stabilization_window_seconds
    return replace(
        rules,
        stabilization_window_seconds=default.stabilization_window_seconds if window is None else window,
        select_policy=rules.select_policy or default.select_policy,
        policies=rules.policies or default.policies,
    )
