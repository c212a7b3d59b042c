"""What must hold of a Service, and what an update of one may change. Pure.

Source: k8s.io/kubernetes pkg/apis/core/validation/validation.go
"""

from __future__ import annotations

import ipaddress
from typing import Any

from kubelite.api import core_v1 as core
from kubelite.api.validation_core import validate_endpoint_ip
from kubelite.api.validation_field import (
    PROTOCOLS,
    Errors,
    dns_label,
    dns_subdomain,
    duplicate,
    forbidden,
    formatted,
    invalid,
    one_of,
    port_number,
    qualified_name,
    required,
    validate_ip,
)
from kubelite.api.validation_meta import validate_labels
from kubelite.api.validation_probe import validate_port

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_WITH_IP = ("ClusterIP", "NodePort", "LoadBalancer")


def validate_service(service: core.Service) -> Errors:
    spec = service.spec
    headless = spec.cluster_ip == "None"
    found: Errors = []
    if not spec.ports and not headless and spec.type != "ExternalName":
        found.append(required("spec.ports"))
    match spec.type:
        case "LoadBalancer" | "NodePort":
            if headless:
                why = f"may not be set to 'None' for {spec.type} services"
                found.append(invalid("spec.clusterIPs[0]", "None", why))
        case "ExternalName":
            if spec.cluster_ip or spec.cluster_ips:
                found.append(forbidden("spec.clusterIPs", "may not be set for ExternalName services"))
            name = spec.external_name.removesuffix(".")
            found += formatted("spec.externalName", name, dns_subdomain) if name else [required("spec.externalName")]
    found += _ports(spec, headless=headless)
    if spec.selector:
        found += validate_labels(spec.selector, "spec.selector")
    found += _affinity(spec)
    if not spec.type:
        found.append(required("spec.type"))
    else:
        found += one_of("spec.type", spec.type, _TYPES)
    found += _addresses(spec)
    found += _policies(spec)
    return found


def _ports(spec: core.ServiceSpec, *, headless: bool) -> Errors:
    found: Errors = []
    names: set[str] = set()
    node_ports: set[tuple[str, int]] = set()
    served: set[tuple[str, int]] = set()
    for index, port in enumerate(spec.ports):
        at = f"spec.ports[{index}]"
        if spec.type == "LoadBalancer" and port.port == 10250:
            why = "may not expose port 10250 externally since it is used by kubelet"
            found.append(invalid(at, 10250, why))
        if not port.name:
            if len(spec.ports) > 1:
                found.append(required(f"{at}.name"))
        else:
            found += formatted(f"{at}.name", port.name, dns_label)
            if port.name in names:
                found.append(duplicate(f"{at}.name", port.name))
            names.add(port.name)
        found += [invalid(f"{at}.port", port.port, text) for text in port_number(port.port)]
        found += one_of(f"{at}.protocol", port.protocol, PROTOCOLS) if port.protocol else [required(f"{at}.protocol")]
        found += validate_port(f"{at}.targetPort", port.target_port)
        if port.app_protocol:
            found += formatted(f"{at}.appProtocol", port.app_protocol, qualified_name)
        if port.node_port and spec.type in ("ClusterIP", "ExternalName"):
            found.append(forbidden(f"{at}.nodePort", "may not be used when `type` is 'ClusterIP'"))
        if port.node_port and (port.protocol, port.node_port) in node_ports:
            found.append(duplicate(f"{at}.nodePort", port.node_port))
        node_ports.add((port.protocol, port.node_port))
        if (port.protocol, port.port) in served:
            found.append(duplicate(at, core.ServicePort(protocol=port.protocol, port=port.port)))
        served.add((port.protocol, port.port))
    return found


def _affinity(spec: core.ServiceSpec) -> Errors:
    if not spec.session_affinity:
        return [required("spec.sessionAffinity")]
    found = one_of("spec.sessionAffinity", spec.session_affinity, ("ClientIP", "None"))
    config = spec.session_affinity_config
    if spec.session_affinity == "None" and config is not None:
        why = 'must not be set when session affinity is "None"'
        found.append(forbidden("spec.sessionAffinityConfig", why))
    if spec.session_affinity == "ClientIP" and config is not None and config.client_ip is not None:
        seconds = config.client_ip.timeout_seconds
        if seconds is not None and not 0 < seconds <= 86400:
            at = "spec.sessionAffinityConfig.clientIP.timeoutSeconds"
            found.append(invalid(at, seconds, "must be greater than 0 and less than 86400"))
    return found


def _addresses(spec: core.ServiceSpec) -> Errors:
    found: Errors = []
    if spec.type != "ExternalName":
        if spec.cluster_ips and spec.cluster_ips[0] != spec.cluster_ip:
            found.append(invalid("spec.clusterIPs", spec.cluster_ips, "first value must match `clusterIP`"))
        for index, address in enumerate(spec.cluster_ips):
            at = f"spec.clusterIPs[{index}]"
            if address == "None":
                if index:
                    found.append(invalid(at, address, 'may not be set to "None" except as the only value'))
            else:
                found += validate_ip(at, address)
    for index, address in enumerate(spec.external_ips):
        at = f"spec.externalIPs[{index}]"
        found += validate_endpoint_ip(at, address)
    for index, cidr in enumerate(spec.load_balancer_source_ranges):
        if not _is_cidr(cidr):
            why = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
            found.append(invalid(f"spec.loadBalancerSourceRanges[{index}]", cidr, why))
    for index, family in enumerate(spec.ip_families):
        found += one_of(f"spec.ipFamilies[{index}]", family, ("IPv4", "IPv6"))
        if family in spec.ip_families[:index]:
            found.append(duplicate(f"spec.ipFamilies[{index}]", family))
    if spec.ip_family_policy is not None:
        supported = ("PreferDualStack", "RequireDualStack", "SingleStack")
        found += one_of("spec.ipFamilyPolicy", spec.ip_family_policy, supported)
    return found


def _is_cidr(text: str) -> bool:
    try:
        ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return False
    return "/" in text


def _policies(spec: core.ServiceSpec) -> Errors:
    found: Errors = []
    external = spec.external_traffic_policy
    reachable = spec.type in ("NodePort", "LoadBalancer") or (spec.type == "ClusterIP" and bool(spec.external_ips))
    if external and not reachable:
        why = "may only be set for externally-accessible services"
        found.append(invalid("spec.externalTrafficPolicy", external, why))
    elif external:
        found += one_of("spec.externalTrafficPolicy", external, ("Cluster", "Local"))
    internal: Any = spec.internal_traffic_policy
    if internal is not None:
        found += one_of("spec.internalTrafficPolicy", internal, ("Cluster", "Local"))
    elif spec.type in _WITH_IP:
        found.append(required("spec.internalTrafficPolicy"))
    if spec.health_check_node_port < 0:
        at = "spec.healthCheckNodePort"
        found += [invalid(at, spec.health_check_node_port, text) for text in port_number(spec.health_check_node_port)]
    if spec.health_check_node_port and not (spec.type == "LoadBalancer" and external == "Local"):
        why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        found.append(invalid("spec.healthCheckNodePort", spec.health_check_node_port, why))
    if spec.load_balancer_class is not None and spec.type != "LoadBalancer":
        found.append(forbidden("spec.loadBalancerClass", "may only be used when `type` is 'LoadBalancer'"))
    if spec.allocate_load_balancer_node_ports is not None and spec.type != "LoadBalancer":
        why = "may only be used when `type` is 'LoadBalancer'"
        found.append(forbidden("spec.allocateLoadBalancerNodePorts", why))
    if spec.traffic_distribution is not None:
        supported = ("PreferClose", "PreferSameZone", "PreferSameNode")
        found += one_of("spec.trafficDistribution", spec.traffic_distribution, supported)
    return found


def validate_service_update(new: core.Service, old: core.Service) -> Errors:
    found: Errors = []
    both = new.spec.type in _WITH_IP and old.spec.type in _WITH_IP
    if both and old.spec.cluster_ip and new.spec.cluster_ip != old.spec.cluster_ip:
        if not new.spec.cluster_ip:
            found.append(invalid("spec.clusterIPs[0]", new.spec.cluster_ips, "primary clusterIP can not be unset"))
        else:
            found.append(invalid("spec.clusterIPs[0]", new.spec.cluster_ips, "may not change once set"))
    return found + validate_service(new)
