"""The typed objects of node.k8s.io/v1: every field of Kubernetes v1.33, as frozen values.

A table of types: no behaviour lives here; `api.meta` says how fields are declared and encoded.
Source: k8s.io/api v0.33 node/v1/types.go
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from msgspec import field

from kubelite.api.core_v1 import Toleration
from kubelite.api.meta import Object, Quantity, Value, merge


class RuntimeClass(Object):
    api_version: ClassVar[str] = "node.k8s.io/v1"
    kind: ClassVar[str] = "RuntimeClass"
    handler: str = field(default_factory=str)
    overhead: Overhead | None = None
    scheduling: Scheduling | None = None


class Overhead(Value):
    pod_fixed: Mapping[str, Quantity] = field(default_factory=dict)


class Scheduling(Value):
    node_selector: Annotated[Mapping[str, str], merge(map_type="atomic")] = field(default_factory=dict)
    tolerations: Annotated[tuple[Toleration, ...], merge(list_type="atomic")] = ()
