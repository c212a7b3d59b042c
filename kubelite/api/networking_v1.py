"""The typed objects of networking.k8s.io/v1: every field of Kubernetes v1.33, as frozen values.

A table of types: no behaviour lives here; `api.meta` says how fields are declared and encoded.
Source: k8s.io/api v0.33 networking/v1/types.go
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import field

from kubelite.api.core_v1 import TypedLocalObjectReference
from kubelite.api.meta import Condition, IntOrString, LabelSelector, Object, Value, merge


class NetworkPolicySpec(Value):
    pod_selector: LabelSelector = field(default_factory=LabelSelector)
    ingress: Annotated[tuple[NetworkPolicyIngressRule, ...], merge(list_type="atomic")] = ()
    egress: Annotated[tuple[NetworkPolicyEgressRule, ...], merge(list_type="atomic")] = ()
    policy_types: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()


class NetworkPolicy(Object):
    api_version: ClassVar[str] = "networking.k8s.io/v1"
    kind: ClassVar[str] = "NetworkPolicy"
    spec: NetworkPolicySpec = field(default_factory=NetworkPolicySpec)


class NetworkPolicyIngressRule(Value):
    ports: Annotated[tuple[NetworkPolicyPort, ...], merge(list_type="atomic")] = ()
    from_: Annotated[tuple[NetworkPolicyPeer, ...], merge(list_type="atomic")] = ()


class NetworkPolicyEgressRule(Value):
    ports: Annotated[tuple[NetworkPolicyPort, ...], merge(list_type="atomic")] = ()
    to: Annotated[tuple[NetworkPolicyPeer, ...], merge(list_type="atomic")] = ()


class NetworkPolicyPort(Value):
    protocol: str | None = None
    port: IntOrString | None = None
    end_port: int | None = None


class IPBlock(Value):
    cidr: str = field(default_factory=str)
    except_: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()


class NetworkPolicyPeer(Value):
    pod_selector: LabelSelector | None = None
    namespace_selector: LabelSelector | None = None
    ip_block: IPBlock | None = None


class IngressSpec(Value):
    ingress_class_name: str | None = None
    default_backend: IngressBackend | None = None
    tls: Annotated[tuple[IngressTLS, ...], merge(list_type="atomic")] = ()
    rules: Annotated[tuple[IngressRule, ...], merge(list_type="atomic")] = ()


class IngressLoadBalancerStatus(Value):
    ingress: Annotated[tuple[IngressLoadBalancerIngress, ...], merge(list_type="atomic")] = ()


class IngressStatus(Value):
    load_balancer: IngressLoadBalancerStatus = field(default_factory=IngressLoadBalancerStatus)


class Ingress(Object):
    api_version: ClassVar[str] = "networking.k8s.io/v1"
    kind: ClassVar[str] = "Ingress"
    spec: IngressSpec = field(default_factory=IngressSpec)
    status: IngressStatus = field(default_factory=IngressStatus)


class IngressTLS(Value):
    hosts: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    secret_name: str = ""


class IngressLoadBalancerIngress(Value):
    ip: str = ""
    hostname: str = ""
    ports: Annotated[tuple[IngressPortStatus, ...], merge(list_type="atomic")] = ()


class IngressPortStatus(Value):
    port: int = field(default_factory=int)
    protocol: str = field(default_factory=str)
    error: str | None = None


class IngressRuleValue(Value):
    http: HTTPIngressRuleValue | None = None


class IngressRule(IngressRuleValue):
    host: str = ""


class HTTPIngressRuleValue(Value):
    paths: Annotated[tuple[HTTPIngressPath, ...], merge(list_type="atomic")] = ()


class IngressBackend(Value):
    service: IngressServiceBackend | None = None
    resource: TypedLocalObjectReference | None = None


class HTTPIngressPath(Value):
    path: str = ""
    path_type: str | None = None
    backend: IngressBackend = field(default_factory=IngressBackend)


class ServiceBackendPort(Value):
    name: str = ""
    number: int = 0


class IngressServiceBackend(Value):
    name: str = field(default_factory=str)
    port: ServiceBackendPort = field(default_factory=ServiceBackendPort)


class IngressClassSpec(Value):
    controller: str = ""
    parameters: IngressClassParametersReference | None = None


class IngressClass(Object):
    api_version: ClassVar[str] = "networking.k8s.io/v1"
    kind: ClassVar[str] = "IngressClass"
    spec: IngressClassSpec = field(default_factory=IngressClassSpec)


class IngressClassParametersReference(Value):
    api_group: str | None = None
    kind: str = field(default_factory=str)
    name: str = field(default_factory=str)
    scope: str | None = None
    namespace: str | None = None


class IPAddressSpec(Value):
    parent_ref: ParentReference | None = None


class IPAddress(Object):
    api_version: ClassVar[str] = "networking.k8s.io/v1"
    kind: ClassVar[str] = "IPAddress"
    spec: IPAddressSpec = field(default_factory=IPAddressSpec)


class ParentReference(Value):
    group: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""


class ServiceCIDRSpec(Value):
    cidrs: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()


class ServiceCIDRStatus(Value):
    conditions: Annotated[
        tuple[Condition, ...], merge(patch="merge", merge_key="type", list_type="map", keys=("type",))
    ] = ()


class ServiceCIDR(Object):
    api_version: ClassVar[str] = "networking.k8s.io/v1"
    kind: ClassVar[str] = "ServiceCIDR"
    spec: ServiceCIDRSpec = field(default_factory=ServiceCIDRSpec)
    status: ServiceCIDRStatus = field(default_factory=ServiceCIDRStatus)
