"""Services and EndpointSlices in few words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kubelite.api.core_v1 import ObjectReference, Service, ServicePort, ServiceSpec
from kubelite.api.discovery_v1 import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from kubelite.api.meta import ObjectMeta


def service(name: str = "web", *, cluster_ip: str = "10.96.0.7", namespace: str = "default", **spec: Any) -> Service:
    ports = spec.pop("ports", (ServicePort(name="http", port=80, protocol="TCP"),))
    ips = (cluster_ip,) if cluster_ip not in {"", "None"} else ()
    return Service(
        metadata=ObjectMeta(name=name, namespace=namespace),
        spec=ServiceSpec(cluster_ip=cluster_ip, cluster_ips=ips, ports=ports, **spec),
    )


def endpoint(
    ip: str,
    *,
    ready: bool | None = True,
    serving: bool | None = None,
    terminating: bool | None = None,
    hostname: str | None = None,
    uid: str = "",
    node: str | None = "here",
) -> Endpoint:
    return Endpoint(
        addresses=(ip,),
        conditions=EndpointConditions(ready=ready, serving=serving, terminating=terminating),
        hostname=hostname,
        target_ref=ObjectReference(kind="Pod", uid=uid or f"uid-{ip}"),
        node_name=node,
    )


def endpoint_slice(
    endpoints: Iterable[Endpoint], *, name: str = "web-1", of: str = "web", port_name: str = "http", port: int = 8080
) -> EndpointSlice:
    return EndpointSlice(
        metadata=ObjectMeta(name=name, namespace="default", labels={"kubernetes.io/service-name": of}),
        address_type="IPv4",
        endpoints=tuple(endpoints),
        ports=(EndpointPort(name=port_name, port=port, protocol="TCP"),),
    )
