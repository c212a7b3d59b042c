"""Reads the profiles of upstream's KubeSchedulerConfiguration: which scores count how much, and what a full node is worth.

Pure; called by the composition root, only if there is a file. Filters cannot be switched off: what asks for it is refused, as
is everything else that this scheduler does not have.
Source: https://kubernetes.io/docs/reference/config-api/kube-scheduler-config.v1/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from kubelite.scheduler.profile import DEFAULT_NAME, WEIGHTS, Profile, Strategy


class _Plugin(msgspec.Struct, frozen=True):
    name: str
    weight: int = 0


class _Point(msgspec.Struct, frozen=True):
    enabled: tuple[_Plugin, ...] = ()
    disabled: tuple[_Plugin, ...] = ()


class _Plugins(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The points at which something can be set; at all others everybody has the same plugins."""

    multi_point: _Point = _Point()
    score: _Point = _Point()


class _Resource(msgspec.Struct, frozen=True):
    name: str
    weight: int = 1


class _ShapePoint(msgspec.Struct, frozen=True):
    utilization: int
    score: int


class _Ratio(msgspec.Struct, frozen=True):
    shape: tuple[_ShapePoint, ...]


class _ScoringStrategy(msgspec.Struct, frozen=True, rename="camel"):
    type: Literal["LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"] = "LeastAllocated"
    resources: tuple[_Resource, ...] = ()
    requested_to_capacity_ratio: _Ratio | None = None


class _FitArgs(msgspec.Struct, frozen=True, rename="camel"):
    scoring_strategy: _ScoringStrategy = _ScoringStrategy()


class _PluginConfig(msgspec.Struct, frozen=True):
    name: str
    args: dict[str, Any] = {}


class _GivenProfile(msgspec.Struct, frozen=True, rename="camel"):
    scheduler_name: str = DEFAULT_NAME
    plugins: _Plugins = _Plugins()
    plugin_config: tuple[_PluginConfig, ...] = ()


class _Configuration(msgspec.Struct, frozen=True):
    profiles: tuple[_GivenProfile, ...] = ()


def parse_profiles(configuration: Mapping[str, Any]) -> tuple[Profile, ...]:
    """The profiles of a KubeSchedulerConfiguration. Raises: ValueError for what this scheduler does not have.

    >>> [profile] = parse_profiles({"profiles": [{"schedulerName": "packer", "pluginConfig": [
    ...     {"name": "NodeResourcesFit", "args": {"scoringStrategy": {"type": "MostAllocated"}}}]}]})
    >>> profile.scheduler_name, profile.strategy.type
    ('packer', 'MostAllocated')
    """
    kind = configuration.get("kind", "KubeSchedulerConfiguration")
    if kind != "KubeSchedulerConfiguration":
        raise ValueError(f"{kind} is no KubeSchedulerConfiguration")
    try:
        given = msgspec.convert(configuration, _Configuration)
        profiles = tuple(map(_profile, given.profiles))
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
    names = [profile.scheduler_name for profile in profiles]
    if len(set(names)) < len(names):
        raise ValueError("two profiles have the same schedulerName")
    return profiles or (Profile(),)


def _profile(given: _GivenProfile) -> Profile:
    weights = dict(WEIGHTS)
    for point in (given.plugins.multi_point, given.plugins.score):
        for entry in point.disabled:
            weights = {} if entry.name == "*" else {k: v for k, v in weights.items() if k != entry.name}
        for entry in point.enabled:
            if entry.name not in WEIGHTS:
                raise ValueError(f"there is no score plugin {entry.name}")
            weights[entry.name] = entry.weight or 1
    strategy = Strategy()
    for config in given.plugin_config:
        if config.name != "NodeResourcesFit":
            raise ValueError(f"pluginConfig of {config.name} is not supported")
        strategy = _strategy(msgspec.convert(config.args, _FitArgs).scoring_strategy)
    return Profile(scheduler_name=given.scheduler_name, weights=weights, strategy=strategy)


def _strategy(given: _ScoringStrategy) -> Strategy:
    ratio = given.requested_to_capacity_ratio
    if given.type == "RequestedToCapacityRatio" and (ratio is None or not ratio.shape):
        raise ValueError("RequestedToCapacityRatio needs a shape")
    return Strategy(
        type=given.type,
        resources=tuple((entry.name, entry.weight) for entry in given.resources) or Strategy().resources,
        shape=tuple((point.utilization, point.score) for point in ratio.shape) if ratio else (),
    )
