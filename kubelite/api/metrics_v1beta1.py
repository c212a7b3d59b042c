"""The typed objects of metrics.k8s.io/v1beta1: every field, as frozen values.

A table of types: no behaviour lives here; `api.meta` says how fields are declared and encoded.
Source: k8s.io/metrics v0.33 pkg/apis/metrics/v1beta1/types.go
"""

from __future__ import annotations

from typing import ClassVar

from msgspec import field

from kubelite.api.meta import Object, Quantity, Time, Value

GROUP_VERSION = "metrics.k8s.io/v1beta1"


class ContainerMetrics(Value):
    name: str = ""
    usage: dict[str, Quantity] = field(default_factory=dict)


class NodeMetrics(Object):
    api_version: ClassVar[str] = GROUP_VERSION
    kind: ClassVar[str] = "NodeMetrics"
    timestamp: Time = ""
    window: str = ""
    usage: dict[str, Quantity] = field(default_factory=dict)


class PodMetrics(Object):
    api_version: ClassVar[str] = GROUP_VERSION
    kind: ClassVar[str] = "PodMetrics"
    timestamp: Time = ""
    window: str = ""
    containers: tuple[ContainerMetrics, ...] = ()
