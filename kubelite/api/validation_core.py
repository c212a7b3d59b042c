"""What must hold of the core group's kinds beside pods and Services, and of Leases and EndpointSlices. Pure.

Source: k8s.io/kubernetes pkg/apis/{core,discovery,coordination}/validation
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Any

from kubelite.api import coordination_v1 as coordination, core_v1 as core, discovery_v1 as discovery
from kubelite.api.validation_field import (
    PROTOCOLS,
    Errors,
    between,
    config_key,
    dns_label,
    dns_subdomain,
    duplicate,
    forbidden,
    formatted,
    immutable,
    invalid,
    one_of,
    port_number,
    qualified_name,
    required,
    too_long,
    too_many,
    validate_ip,
)
from kubelite.api.validation_placement import validate_taints

_LIMIT_BYTES = 1024 * 1024
_IMMUTABLE = "field is immutable when `immutable` is set"


def validate_config_map(config: core.ConfigMap) -> Errors:
    found: Errors = []
    size = 0
    for key, value in config.data.items():
        found += formatted(f"data[{key}]", key, config_key)
        if key in config.binary_data:
            found.append(invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
        size += len(value.encode())
    for key, content in config.binary_data.items():
        found += formatted(f"binaryData[{key}]", key, config_key)
        size += len(content)
    if size > _LIMIT_BYTES:
        found.append(too_long("", _LIMIT_BYTES))
    return found


def validate_config_map_update(new: core.ConfigMap, old: core.ConfigMap) -> Errors:
    found: Errors = []
    if old.immutable:
        if not new.immutable:
            found.append(forbidden("immutable", _IMMUTABLE))
        if new.data != old.data:
            found.append(forbidden("data", _IMMUTABLE))
        if new.binary_data != old.binary_data:
            found.append(forbidden("binaryData", _IMMUTABLE))
    return found + validate_config_map(new)


def validate_secret(secret: core.Secret) -> Errors:
    found: Errors = []
    for key in secret.data:
        found += formatted(f"data[{key}]", key, config_key)
    if sum(len(value) for value in secret.data.values()) > _LIMIT_BYTES:
        found.append(too_long("data", _LIMIT_BYTES))
    match secret.type:
        case "kubernetes.io/service-account-token":
            if not secret.metadata.annotations.get("kubernetes.io/service-account.name"):
                found.append(required("metadata.annotations[kubernetes.io/service-account.name]"))
        case "kubernetes.io/dockercfg":
            found += _json_data(secret, ".dockercfg")
        case "kubernetes.io/dockerconfigjson":
            found += _json_data(secret, ".dockerconfigjson")
        case "kubernetes.io/basic-auth":
            if "username" not in secret.data and "password" not in secret.data:
                found += [required("data[username]"), required("data[password]")]
        case "kubernetes.io/ssh-auth":
            if not secret.data.get("ssh-privatekey"):
                found.append(required("data[ssh-privatekey]"))
        case "kubernetes.io/tls":
            found += [required(f"data[{key}]") for key in ("tls.crt", "tls.key") if key not in secret.data]
    return found


def _json_data(secret: core.Secret, key: str) -> Errors:
    content = secret.data.get(key)
    if content is None:
        return [required(f"data[{key}]")]
    import json

    try:
        json.loads(content)
    except UnicodeDecodeError:
        why = "invalid character in string literal"
    except json.JSONDecodeError as error:
        at_end = error.pos >= len(error.doc.rstrip())
        what = "looking for beginning of value"
        why = "unexpected end of JSON input" if at_end else f"invalid character '{error.doc[error.pos]}' {what}"
    else:
        return []
    return [invalid(f"data[{key}]", "<secret contents redacted>", why)]


def validate_secret_update(new: core.Secret, old: core.Secret) -> Errors:
    found = immutable("type", new.type, old.type)
    if old.immutable:
        if not new.immutable:
            found.append(forbidden("immutable", _IMMUTABLE))
        if new.data != old.data:
            found.append(forbidden("data", _IMMUTABLE))
    return found + validate_secret(new)


def validate_node(node: core.Node) -> Errors:
    found = validate_taints(node.spec.taints, "spec.taints")
    for index, cidr in enumerate(node.spec.pod_cidrs):
        try:
            ipaddress.ip_network(cidr, strict=False)
        except ValueError:
            why = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
            found.append(invalid(f"spec.podCIDRs[{index}]", cidr, why))
    return found


def validate_node_update(new: core.Node, old: core.Node) -> Errors:
    found = validate_node(new)
    if old.spec.pod_cidrs and new.spec.pod_cidrs != old.spec.pod_cidrs:
        found.append(forbidden("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid'))
    if old.spec.provider_id and new.spec.provider_id != old.spec.provider_id:
        found.append(forbidden("spec.providerID", 'node updates may not change providerID except from "" to valid'))
    return found


def validate_namespace(namespace: core.Namespace) -> Errors:
    found: Errors = []
    for name in namespace.spec.finalizers:
        found += formatted("spec.finalizers", name, qualified_name)
        if "/" not in name and name != "kubernetes":
            why = "name is neither a standard finalizer name nor is it fully qualified"
            found.append(invalid("spec.finalizers", name, why))
    return found


def validate_lease(lease: coordination.Lease) -> Errors:
    found: Errors = []
    spec = lease.spec
    if spec.lease_duration_seconds is not None and spec.lease_duration_seconds <= 0:
        found.append(invalid("spec.leaseDurationSeconds", spec.lease_duration_seconds, "must be greater than 0"))
    if spec.lease_transitions is not None and spec.lease_transitions < 0:
        found.append(invalid("spec.leaseTransitions", spec.lease_transitions, "must be greater than or equal to 0"))
    return found


def validate_endpoints(endpoints: core.Endpoints) -> Errors:
    found: Errors = []
    for index, subset in enumerate(endpoints.subsets):
        at = f"subsets[{index}]"
        if not subset.addresses and not subset.not_ready_addresses:
            found.append(required(at, "must specify `addresses` or `notReadyAddresses`"))
        for name, addresses in (("addresses", subset.addresses), ("notReadyAddresses", subset.not_ready_addresses)):
            for number, address in enumerate(addresses):
                here = f"{at}.{name}[{number}]"
                found += validate_endpoint_ip(f"{here}.ip", address.ip)
                if address.hostname:
                    found += formatted(f"{here}.hostname", address.hostname, dns_label)
                if address.node_name is not None:
                    found += formatted(f"{here}.nodeName", address.node_name, dns_subdomain)
        for number, port in enumerate(subset.ports):
            here = f"{at}.ports[{number}]"
            if len(subset.ports) > 1 and not port.name:
                found.append(required(f"{here}.name"))
            elif port.name:
                found += formatted(f"{here}.name", port.name, dns_label)
            found += [invalid(f"{here}.port", port.port, text) for text in port_number(port.port)]
            found += one_of(f"{here}.protocol", port.protocol, PROTOCOLS)
    return found


def validate_endpoint_ip(path: str, address: str) -> Errors:
    """An address that traffic may be sent to."""
    return [] if _takes_traffic(address) else _endpoint_ip(path, address)


@lru_cache(maxsize=8192)  # each write of a slice brings all its addresses again
def _takes_traffic(address: str) -> bool:
    return not _endpoint_ip("", address)


def _endpoint_ip(path: str, address: str) -> Errors:
    if wrong := validate_ip(path, address):
        return wrong
    parsed = ipaddress.ip_address(address)
    for is_bad, why in (
        (parsed.is_unspecified, f"may not be unspecified ({address})"),
        (parsed.is_loopback, "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
        (parsed.is_link_local, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"),
        (parsed.is_multicast, "may not be in the multicast range (224.0.0.0/4, ff00::/10)"),
    ):
        if is_bad:
            return [invalid(path, address, why)]
    return []


def validate_endpoint_slice(item: discovery.EndpointSlice) -> Errors:
    found: Errors = []
    if not item.address_type:
        found.append(required("addressType"))
    else:
        found += one_of("addressType", item.address_type, ("FQDN", "IPv4", "IPv6"))
    if len(item.endpoints) > 1000:
        found.append(too_many("endpoints", len(item.endpoints), 1000))
    for index, endpoint in enumerate(item.endpoints):
        found += _endpoint(endpoint, item.address_type, f"endpoints[{index}]")
    names: set[str] = set()
    for index, port in enumerate(item.ports):
        at = f"ports[{index}]"
        name = port.name or ""
        if name:
            found += formatted(f"{at}.name", name, dns_label)
        if name in names:
            found.append(duplicate(f"{at}.name", name))
        names.add(name)
        if port.protocol is None:
            found.append(required(f"{at}.protocol"))
        else:
            found += one_of(f"{at}.protocol", port.protocol, PROTOCOLS)
        if port.port is not None and not 0 <= port.port <= 65535:
            found.append(invalid(f"{at}.port", port.port, between(1, 65535)))
        if port.app_protocol is not None:
            found += formatted(f"{at}.appProtocol", port.app_protocol, qualified_name)
    return found


def _endpoint(endpoint: discovery.Endpoint, address_type: str, path: str) -> Errors:
    found: Errors = []
    if not endpoint.addresses:
        found.append(required(f"{path}.addresses", "must contain at least 1 address"))
    elif len(endpoint.addresses) > 100:
        found.append(too_many(f"{path}.addresses", len(endpoint.addresses), 100))
    for index, address in enumerate(endpoint.addresses):
        at = f"{path}.addresses[{index}]"
        if address_type == "FQDN":
            found += formatted(at, address, dns_subdomain)
            continue
        if wrong := validate_ip(at, address):
            found += wrong
            continue
        if (ipaddress.ip_address(address).version == 4) != (address_type == "IPv4"):
            found.append(invalid(at, address, f"must be an {address_type} address"))
        found += validate_endpoint_ip(at, address)
    if endpoint.hostname is not None:
        found += formatted(f"{path}.hostname", endpoint.hostname, dns_label)
    if endpoint.node_name is not None:
        found += formatted(f"{path}.nodeName", endpoint.node_name, dns_subdomain)
    return found


def validate_endpoint_slice_update(new: discovery.EndpointSlice, old: discovery.EndpointSlice) -> Errors:
    return validate_endpoint_slice(new) + immutable("addressType", new.address_type, old.address_type)


def validate_priority_class(priority: Any) -> Errors:
    found: Errors = []
    name = priority.metadata.name
    if name.startswith("system-") and name not in ("system-node-critical", "system-cluster-critical"):
        why = "priority class names with 'system-' prefix are reserved for system use only. error: "
        why += f"{name} is not a known system priority class"
        found.append(forbidden("metadata.name", why))
    elif not name.startswith("system-") and priority.value > 1_000_000_000:
        why = f"maximum allowed value of a user defined priority is {1_000_000_000}"
        found.append(forbidden("value", why))
    if priority.preemption_policy is not None:
        supported = ("Never", "PreemptLowerPriority")
        found += one_of("preemptionPolicy", priority.preemption_policy, supported)
    return found


def validate_priority_class_update(new: Any, old: Any) -> Errors:
    found: Errors = []
    if new.value != old.value:
        found.append(forbidden("value", "may not be changed in an update."))
    return found + immutable("preemptionPolicy", new.preemption_policy, old.preemption_policy)
