"""What must hold of roles, Ingresses, network policies and disruption budgets. Pure.

Source: k8s.io/kubernetes pkg/apis/{rbac,networking,policy}/validation/validation.go
"""

from __future__ import annotations

import ipaddress
from typing import Any

from kubelite.api import networking_v1 as networking, policy_v1 as policy, rbac_v1 as rbac
from kubelite.api.validation_field import (
    PROTOCOLS,
    Errors,
    dns1035_label,
    dns_subdomain,
    forbidden,
    formatted,
    invalid,
    not_supported,
    one_of,
    path_segment,
    port_name,
    port_number,
    required,
)
from kubelite.api.validation_meta import validate_selector
from kubelite.api.validation_probe import validate_port
from kubelite.api.validation_workloads import int_or_percent

_RBAC = "rbac.authorization.k8s.io"


def _rules(rules: tuple[rbac.PolicyRule, ...], *, namespaced: bool) -> Errors:
    found: Errors = []
    for index, rule in enumerate(rules):
        at = f"rules[{index}]"
        if not rule.verbs:
            found.append(required(f"{at}.verbs", "verbs must contain at least one value"))
        if rule.non_resource_urls:
            if namespaced:
                why = "namespaced rules cannot apply to non-resource URLs"
                found.append(invalid(f"{at}.nonResourceURLs", rule.non_resource_urls, why))
            if rule.api_groups or rule.resources or rule.resource_names:
                why = "rules cannot apply to both regular resources and non-resource URLs"
                found.append(invalid(f"{at}.nonResourceURLs", rule.non_resource_urls, why))
            continue
        if not rule.api_groups:
            why = "resource rules must supply at least one api group"
            found.append(required(f"{at}.apiGroups", why))
        if not rule.resources:
            why = "resource rules must supply at least one resource"
            found.append(required(f"{at}.resources", why))
    return found


def validate_role(role: rbac.Role) -> Errors:
    return _rules(role.rules, namespaced=True)


def validate_cluster_role(role: rbac.ClusterRole) -> Errors:
    return _rules(role.rules, namespaced=False)


def validate_role_binding(binding: Any) -> Errors:
    """A RoleBinding or a ClusterRoleBinding."""
    role = binding.role_ref
    namespaced = isinstance(binding, rbac.RoleBinding)
    found = [] if role.api_group == _RBAC else [not_supported("roleRef.apiGroup", role.api_group, (_RBAC,))]
    kinds = ("ClusterRole", "Role") if namespaced else ("ClusterRole",)
    found += one_of("roleRef.kind", role.kind, kinds)
    if not role.name:
        found.append(required("roleRef.name"))
    else:
        found += formatted("roleRef.name", role.name, path_segment)
    for index, subject in enumerate(binding.subjects):
        found += _subject(subject, f"subjects[{index}]", namespaced=namespaced)
    return found


def _subject(subject: rbac.Subject, path: str, *, namespaced: bool) -> Errors:
    found: Errors = []
    if not subject.name:
        found.append(required(f"{path}.name"))
    match subject.kind:
        case "ServiceAccount":
            if subject.name:
                found += formatted(f"{path}.name", subject.name, dns_subdomain)
            if subject.api_group:
                found.append(not_supported(f"{path}.apiGroup", subject.api_group, ("",)))
            if not namespaced and not subject.namespace:
                found.append(required(f"{path}.namespace"))
        case "User" | "Group":
            if subject.api_group != _RBAC:
                found.append(not_supported(f"{path}.apiGroup", subject.api_group, (_RBAC,)))
        case _:
            found.append(not_supported(f"{path}.kind", subject.kind, ("ServiceAccount", "User", "Group")))
    return found


def validate_role_binding_update(new: Any, old: Any) -> Errors:
    found = validate_role_binding(new)
    if new.role_ref != old.role_ref:
        found.append(invalid("roleRef", new.role_ref, "cannot change roleRef"))
    return found


def validate_ingress(ingress: networking.Ingress) -> Errors:
    spec = ingress.spec
    found: Errors = []
    if not spec.rules and spec.default_backend is None:
        found.append(invalid("spec", spec.rules, "either `defaultBackend` or `rules` must be specified"))
    if spec.default_backend is not None:
        found += _backend(spec.default_backend, "spec.defaultBackend")
    for index, rule in enumerate(spec.rules):
        at = f"spec.rules[{index}]"
        if rule.host:
            found += _host(rule.host, f"{at}.host")
        if rule.http is None:
            continue
        if not rule.http.paths:
            found.append(required(f"{at}.http.paths"))
        for number, path in enumerate(rule.http.paths):
            found += _ingress_path(path, f"{at}.http.paths[{number}]")
    if spec.ingress_class_name:
        found += formatted("spec.ingressClassName", spec.ingress_class_name, dns_subdomain)
    return found


def _host(host: str, path: str) -> Errors:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        plain = host.removeprefix("*.")
        return formatted(path, host, dns_subdomain) if plain == host else formatted(path, plain, dns_subdomain)
    return [invalid(path, host, "must be a DNS name, not an IP address")]


def _ingress_path(path: networking.HTTPIngressPath, at: str) -> Errors:
    found: Errors = []
    kinds = ("Exact", "ImplementationSpecific", "Prefix")
    if path.path_type is None:
        found.append(required(f"{at}.pathType", "pathType must be specified"))
    elif path.path_type not in kinds:
        found.append(not_supported(f"{at}.pathType", path.path_type, kinds))
    elif path.path_type != "ImplementationSpecific" or path.path:
        if not path.path.startswith("/"):
            found.append(invalid(f"{at}.path", path.path, "must be an absolute path"))
        else:
            for part in ("//", "/./", "/../", "%2f", "%2F"):
                if part in path.path and path.path_type != "ImplementationSpecific":
                    found.append(invalid(f"{at}.path", path.path, f"must not contain '{part}'"))
    return found + _backend(path.backend, f"{at}.backend")


def _backend(backend: networking.IngressBackend, path: str) -> Errors:
    if backend.resource is not None and backend.service is not None:
        return [invalid(path, "", "cannot set both resource and service backends")]
    if backend.resource is not None:
        return []
    if backend.service is None:
        return [required(f"{path}", "must specify a backend")]
    found: Errors = []
    service, at = backend.service, f"{path}.service"
    if not service.name:
        found.append(required(f"{at}.name"))
    else:
        found += formatted(f"{at}.name", service.name, dns1035_label)
    port = service.port
    if port.name and port.number:
        return [*found, invalid(path, "", "cannot set both port name & port number")]
    if port.name:
        return found + formatted(f"{at}.port.name", port.name, port_name)
    if not port.number:
        return [*found, required(f"{path}", "port name or number is required")]
    return found + [invalid(f"{at}.port.number", port.number, text) for text in port_number(port.number)]


def validate_network_policy(item: networking.NetworkPolicy) -> Errors:
    spec = item.spec
    found = validate_selector(spec.pod_selector, "spec.podSelector")
    for index, ingress in enumerate(spec.ingress):
        found += _rule(ingress.ports, ingress.from_, f"spec.ingress[{index}]", "from")
    for index, egress in enumerate(spec.egress):
        found += _rule(egress.ports, egress.to, f"spec.egress[{index}]", "to")
    if len(spec.policy_types) > 2:
        return [*found, invalid("spec.policyTypes", spec.policy_types, "may not specify more than two policyTypes")]
    for index, kind in enumerate(spec.policy_types):
        found += one_of(f"spec.policyTypes[{index}]", kind, ("Ingress", "Egress"))
    return found


def _rule(
    ports: tuple[networking.NetworkPolicyPort, ...],
    peers: tuple[networking.NetworkPolicyPeer, ...],
    path: str,
    direction: str,
) -> Errors:
    found: Errors = []
    for index, port in enumerate(ports):
        found += _policy_port(port, f"{path}.ports[{index}]")
    for index, peer in enumerate(peers):
        found += _peer(peer, f"{path}.{direction}[{index}]")
    return found


def _policy_port(port: networking.NetworkPolicyPort, path: str) -> Errors:
    found: Errors = []
    if port.protocol is not None:
        found += one_of(f"{path}.protocol", port.protocol, PROTOCOLS)
    if port.port is not None:
        found += validate_port(f"{path}.port", port.port)
    if port.end_port is not None:
        if not isinstance(port.port, int):
            found.append(required(f"{path}.port", "must be specified when `endPort` is specified"))
        elif port.end_port < port.port:
            found.append(invalid(f"{path}.endPort", port.end_port, "must be greater than or equal to `port`"))
    return found


def _peer(peer: networking.NetworkPolicyPeer, path: str) -> Errors:
    found = validate_selector(peer.pod_selector, f"{path}.podSelector")
    found += validate_selector(peer.namespace_selector, f"{path}.namespaceSelector")
    selectors = (peer.pod_selector is not None) + (peer.namespace_selector is not None)
    if peer.ip_block is None:
        return found if selectors else [*found, required(path, "must specify a peer")]
    if selectors:
        found.append(forbidden(path, "may not specify both ipBlock and another peer"))
    try:
        ipaddress.ip_network(peer.ip_block.cidr, strict=False)
    except ValueError:
        why = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
        found.append(invalid(f"{path}.ipBlock.cidr", peer.ip_block.cidr, why))
    return found


def validate_budget(budget: policy.PodDisruptionBudget) -> Errors:
    spec = budget.spec
    found: Errors = []
    if spec.min_available is not None and spec.max_unavailable is not None:
        found.append(invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set"))
    for name, value in (("minAvailable", spec.min_available), ("maxUnavailable", spec.max_unavailable)):
        found += int_or_percent(f"spec.{name}", value)
    if spec.unhealthy_pod_eviction_policy is not None:
        supported = ("AlwaysAllow", "IfHealthyBudget")
        found += one_of("spec.unhealthyPodEvictionPolicy", spec.unhealthy_pod_eviction_policy, supported)
    return found + validate_selector(spec.selector, "spec.selector")
