"""The typed objects of discovery.k8s.io/v1: every field of Kubernetes v1.33, as frozen values.

A table of types: no behaviour lives here; `api.meta` says how fields are declared and encoded.
Source: k8s.io/api v0.33 discovery/v1/types.go
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from msgspec import field

from kubelite.api.core_v1 import ObjectReference
from kubelite.api.meta import Object, Value, merge


class EndpointSlice(Object):
    api_version: ClassVar[str] = "discovery.k8s.io/v1"
    kind: ClassVar[str] = "EndpointSlice"
    address_type: str = field(default_factory=str)
    endpoints: Annotated[tuple[Endpoint, ...], merge(list_type="atomic")] = ()
    ports: Annotated[tuple[EndpointPort, ...], merge(list_type="atomic")] = ()


class EndpointConditions(Value):
    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class Endpoint(Value):
    addresses: Annotated[tuple[str, ...], merge(list_type="set")] = ()
    conditions: EndpointConditions = field(default_factory=EndpointConditions)
    hostname: str | None = None
    target_ref: ObjectReference | None = None
    deprecated_topology: Mapping[str, str] = field(default_factory=dict)
    node_name: str | None = None
    zone: str | None = None
    hints: EndpointHints | None = None


class EndpointHints(Value):
    for_zones: Annotated[tuple[ForZone, ...], merge(list_type="atomic")] = ()
    for_nodes: Annotated[tuple[ForNode, ...], merge(list_type="atomic")] = ()


class ForZone(Value):
    name: str = field(default_factory=str)


class ForNode(Value):
    name: str = field(default_factory=str)


class EndpointPort(Value):
    name: str | None = None
    protocol: str | None = None
    port: int | None = None
    app_protocol: str | None = None
