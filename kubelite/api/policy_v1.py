"""The typed objects of policy/v1: every field of Kubernetes v1.33, as frozen values.

A table of types: no behaviour lives here; `api.meta` says how fields are declared and encoded.
Source: k8s.io/api v0.33 policy/v1/types.go
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from msgspec import field

from kubelite.api.meta import Condition, DeleteOptions, IntOrString, LabelSelector, Object, Time, Value, merge


class PodDisruptionBudgetSpec(Value):
    min_available: IntOrString | None = None
    selector: Annotated[LabelSelector | None, merge(patch="replace")] = None
    max_unavailable: IntOrString | None = None
    unhealthy_pod_eviction_policy: str | None = None


class PodDisruptionBudgetStatus(Value):
    observed_generation: int = 0
    disrupted_pods: Mapping[str, Time] = field(default_factory=dict)
    disruptions_allowed: int = field(default_factory=int)
    current_healthy: int = field(default_factory=int)
    desired_healthy: int = field(default_factory=int)
    expected_pods: int = field(default_factory=int)
    conditions: Annotated[
        tuple[Condition, ...], merge(patch="merge", merge_key="type", list_type="map", keys=("type",))
    ] = ()


class PodDisruptionBudget(Object):
    api_version: ClassVar[str] = "policy/v1"
    kind: ClassVar[str] = "PodDisruptionBudget"
    spec: PodDisruptionBudgetSpec = field(default_factory=PodDisruptionBudgetSpec)
    status: PodDisruptionBudgetStatus = field(default_factory=PodDisruptionBudgetStatus)


class Eviction(Object):
    api_version: ClassVar[str] = "policy/v1"
    kind: ClassVar[str] = "Eviction"
    delete_options: DeleteOptions | None = None
