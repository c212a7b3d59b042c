"""How the pods of one schedulerName are rated: the weight of each score, and what a full node is worth.

Pure; `configuration` reads them from a file. Filters are the same for everybody.
Source: https://kubernetes.io/docs/reference/scheduling/config/, pkg/scheduler/apis/config/v1/default_plugins.go
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

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
