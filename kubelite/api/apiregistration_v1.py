"""The typed objects of apiregistration.k8s.io/v1: every field of Kubernetes v1.33, as frozen values.

A table of types: no behaviour lives here; `api.meta` says how fields are declared and encoded.
Source: k8s.io/kube-aggregator v0.33 pkg/apis/apiregistration/v1/types.go
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import field

from kubelite.api.meta import Object, Time, Value, merge


class ServiceReference(Value):
    namespace: str = ""
    name: str = ""
    port: int | None = None


class APIServiceSpec(Value):
    service: ServiceReference | None = None
    group: str = ""
    version: str = ""
    insecure_skip_tls_verify: bool = field(default=False, name="insecureSkipTLSVerify")
    ca_bundle: Annotated[bytes, merge(list_type="atomic")] = b""
    group_priority_minimum: int = field(default_factory=int)
    version_priority: int = field(default_factory=int)


class APIServiceCondition(Value):
    type: str = field(default_factory=str)
    status: str = field(default_factory=str)
    last_transition_time: Time | None = None
    reason: str = ""
    message: str = ""


class APIServiceStatus(Value):
    conditions: Annotated[
        tuple[APIServiceCondition, ...], merge(patch="merge", merge_key="type", list_type="map", keys=("type",))
    ] = ()


class APIService(Object):
    api_version: ClassVar[str] = "apiregistration.k8s.io/v1"
    kind: ClassVar[str] = "APIService"
    spec: APIServiceSpec = field(default_factory=APIServiceSpec)
    status: APIServiceStatus = field(default_factory=APIServiceStatus)
