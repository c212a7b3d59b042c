"""How the pods of one schedulerName are rated: the weight of each score, and what a full node is worth.

Pure; `parse_profiles` reads upstream's KubeSchedulerConfiguration. Filters are the same for everybody.
Source: https://kubernetes.io/docs/reference/scheduling/config/, pkg/scheduler/apis/config/v1/default_plugins.go
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

DEFAULT_NAME = "default-scheduler"
WEIGHTS: Mapping[str, int] = {
    "TaintToleration": 3,
    "NodeAffinity": 2,
    "PodTopologySpread": 2,
    "InterPodAffinity": 2,
    "NodeResourcesFit": 1,
    "NodeResourcesBalancedAllocation": 1,
    "ImageLocality": 1,
}


class Strategy(msgspec.Struct, frozen=True, kw_only=True):
    """How NodeResourcesFit rates. `shape` holds (utilization in percent, score 0 to 10) for RequestedToCapacityRatio."""

    type: Literal["LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"] = "LeastAllocated"
    resources: tuple[tuple[str, int], ...] = (("cpu", 1), ("memory", 1))
    shape: tuple[tuple[int, int], ...] = ()


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    scheduler_name: str = DEFAULT_NAME
    weights: Mapping[str, int] = msgspec.field(
        default_factory=lambda: WEIGHTS
    )  #: scores that are not named do not count
    strategy: Strategy = Strategy()


def parse_profiles(configuration: Mapping[str, Any]) -> tuple[Profile, ...]:
    """The profiles of a KubeSchedulerConfiguration. Raises: ValueError for what this scheduler does not have.

    >>> [profile] = parse_profiles({"profiles": [{"schedulerName": "packer", "pluginConfig": [
    ...     {"name": "NodeResourcesFit", "args": {"scoringStrategy": {"type": "MostAllocated"}}}]}]})
    >>> profile.scheduler_name, profile.strategy.type
    ('packer', 'MostAllocated')
    """
    return tuple(_profile(entry) for entry in configuration.get("profiles", ())) or (Profile(),)


def _profile(given: Mapping[str, Any]) -> Profile:
    weights = dict(WEIGHTS)
    for point in ("multiPoint", "score"):
        plugins = given.get("plugins", {}).get(point, {})
        for entry in plugins.get("disabled", ()):
            weights = {} if entry["name"] == "*" else {k: v for k, v in weights.items() if k != entry["name"]}
        for entry in plugins.get("enabled", ()):
            if entry["name"] not in WEIGHTS:
                raise ValueError(f"there is no score plugin {entry['name']}")
            weights[entry["name"]] = entry.get("weight") or 1
    strategy = Strategy()
    for entry in given.get("pluginConfig", ()):
        if entry["name"] == "NodeResourcesFit":
            strategy = _strategy(entry.get("args", {}).get("scoringStrategy", {}))
    return Profile(scheduler_name=given.get("schedulerName", DEFAULT_NAME), weights=weights, strategy=strategy)


def _strategy(given: Mapping[str, Any]) -> Strategy:
    resources = tuple((entry["name"], entry.get("weight", 1)) for entry in given.get("resources", ()))
    shape = given.get("requestedToCapacityRatio", {}).get("shape", ())
    kind = given.get("type", "LeastAllocated")
    if kind not in ("LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"):
        raise ValueError(f"there is no scoring strategy {kind}")
    return Strategy(
        type=kind,
        resources=resources or Strategy().resources,
        shape=tuple((point["utilization"], point["score"]) for point in shape),
    )
