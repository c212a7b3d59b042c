"""The rows of Services and what belongs to them. Pure.

Source: kubernetes pkg/printers/internalversion/printers.go
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kubelite.api import core_v1 as core, discovery_v1 as discovery, networking_v1 as networking
from kubelite.apiserver.table_columns import (
    NONE,
    UNSET,
    Printer,
    age,
    columns,
    joined,
    labels_text,
    selector_text,
)

#: How many endpoints a row names.
_SHOWN = 3


def _balancer(status: Any) -> str:
    return ",".join(entry.ip or entry.hostname for entry in status.load_balancer.ingress)


def _external_ip(service: core.Service) -> str:
    spec = service.spec
    match spec.type:
        case "ClusterIP" | "NodePort":
            return joined(spec.external_ips)
        case "LoadBalancer":
            found = [*filter(None, [_balancer(service.status)]), *spec.external_ips]
            return ",".join(found) or "<pending>"
        case "ExternalName":
            return spec.external_name
    return UNSET


def _ports(service: core.Service) -> str:
    return joined(
        f"{port.port}:{port.node_port}/{port.protocol}" if port.node_port else f"{port.port}/{port.protocol}"
        for port in service.spec.ports
    )


def _service(obj: core.Service, now: float) -> Sequence[Any]:
    ip = obj.spec.cluster_ips[0] if obj.spec.cluster_ips else obj.spec.cluster_ip or NONE
    selector = labels_text(obj.spec.selector)
    return obj.metadata.name, obj.spec.type, ip, _external_ip(obj), _ports(obj), age(obj, now), selector


SERVICE = Printer(columns("Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age", wide=("Selector",)), _service)


def _host_port(ip: str, port: int) -> str:
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def _endpoints(obj: core.Endpoints, now: float) -> Sequence[Any]:
    found = []
    for subset in obj.subsets:
        found += [_host_port(to.ip, port.port) for port in subset.ports for to in subset.addresses]
        if not subset.ports:
            found += [to.ip for to in subset.addresses]
    more = f" + {len(found) - _SHOWN} more..." if len(found) > _SHOWN else ""
    shown = ",".join(found[:_SHOWN]) + more if obj.subsets else NONE
    return obj.metadata.name, shown, age(obj, now)


ENDPOINTS = Printer(columns("Name", "Endpoints", "Age"), _endpoints)


def _cut(values: Sequence[str], empty: str) -> str:
    more = f" + {len(values) - _SHOWN} more..." if len(values) > _SHOWN else ""
    return ",".join(values[:_SHOWN]) + more if values else empty


def _slice(obj: discovery.EndpointSlice, now: float) -> Sequence[Any]:
    ports = [str(port.port) if port.port is not None else "*" for port in obj.ports]
    addresses = [address for endpoint in obj.endpoints for address in endpoint.addresses]
    return obj.metadata.name, obj.address_type, _cut(ports, UNSET), _cut(addresses, UNSET), age(obj, now)


SLICE = Printer(columns("Name", "AddressType", "Ports", "Endpoints", "Age"), _slice)


def _ingress(obj: networking.Ingress, now: float) -> Sequence[Any]:
    hosts = [rule.host or "*" for rule in obj.spec.rules]
    ports = "80, 443" if obj.spec.tls else "80"
    class_name = obj.spec.ingress_class_name or NONE
    return obj.metadata.name, class_name, _cut(hosts, "*"), _balancer(obj.status), ports, age(obj, now)


INGRESS = Printer(columns("Name", "Class", "Hosts", "Address", "Ports", "Age"), _ingress)


def _ingress_class(obj: networking.IngressClass, now: float) -> Sequence[Any]:
    ref = obj.spec.parameters
    shown = NONE
    if ref is not None:
        shown = f"{ref.kind}.{ref.api_group}/{ref.name}" if ref.api_group else f"{ref.kind}/{ref.name}"
    return obj.metadata.name, obj.spec.controller, shown, age(obj, now)


INGRESS_CLASS = Printer(columns("Name", "Controller", "Parameters", "Age"), _ingress_class)


def _policy(obj: networking.NetworkPolicy, now: float) -> Sequence[Any]:
    return obj.metadata.name, selector_text(obj.spec.pod_selector), age(obj, now)


NETWORK_POLICY = Printer(columns("Name", "Pod-Selector", "Age"), _policy)


def _ip_address(obj: networking.IPAddress, now: float) -> Sequence[Any]:
    ref = obj.spec.parent_ref
    shown = NONE
    if ref is not None:
        kind = f"{ref.resource}.{ref.group}" if ref.group else ref.resource
        shown = "/".join(filter(None, (kind.lower(), ref.namespace, ref.name)))
    return obj.metadata.name, shown


IP_ADDRESS = Printer(columns("Name", "ParentRef"), _ip_address)  # upstream gives no title to the age


def _service_cidr(obj: networking.ServiceCIDR, now: float) -> Sequence[Any]:
    return obj.metadata.name, ",".join(obj.spec.cidrs), age(obj, now)


SERVICE_CIDR = Printer(columns("Name", "CIDRs", "Age"), _service_cidr)
