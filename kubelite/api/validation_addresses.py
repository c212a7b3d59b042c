"""ServiceCIDRs and IPAddresses: canonical names and networks, which never change.

Source: k8s.io/kubernetes pkg/apis/networking/validation/validation.go, k8s.io/apimachinery v0.33 pkg/util/validation/ip.go
"""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv6Address

from kubelite.api import networking_v1 as networking
from kubelite.api.validation_field import (
    IMMUTABLE,
    Errors,
    dns_subdomain,
    formatted,
    invalid,
    path_segment,
    required,
    show,
)

_NO_IP = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
_NO_CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"


def strict_ip(text: str) -> list[str]:
    """An address in the one form in which it is written: the name of an IPAddress.

    >>> strict_ip("10.0.0.1"), strict_ip("010.0.0.1"), strict_ip("FD00::1")
    ([], ['must not have leading 0s'], ['must be in canonical form ("fd00::1")'])
    """
    address = _sloppy(text)
    if address is None:
        return [_NO_IP]
    if _has_leading_zeros(text):
        return ["must not have leading 0s"]
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return ["must not be an IPv4-mapped IPv6 address"]
    return [] if str(address) == text else [f"must be in canonical form ({show(str(address))})"]


def strict_cidr(text: str) -> list[str]:
    """A network, with no bits behind its prefix.

    >>> strict_cidr("10.0.0.0/24"), strict_cidr("10.0.0.1/24")
    ([], ['must not have bits set beyond the prefix length'])
    """
    host, slash, prefix = text.partition("/")
    address = _sloppy(host)
    if (
        address is None
        or not slash
        or not (prefix.isascii() and prefix.isdigit())
        or int(prefix) > address.max_prefixlen
    ):
        return [_NO_CIDR]
    if _has_leading_zeros(host) or str(int(prefix)) != prefix:
        return ["must not have leading 0s in IP or prefix length"]
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return ["must not have an IPv4-mapped IPv6 address"]
    network = ipaddress.ip_network((address, int(prefix)), strict=False)
    if network.network_address != address:
        return ["must not have bits set beyond the prefix length"]
    return [] if str(network) == text else [f"must be in canonical form ({show(str(network))})"]


def _sloppy(text: str) -> IPv4Address | IPv6Address | None:
    """The address, leading zeros or not."""
    if _has_leading_zeros(text):
        text = ".".join(str(int(part)) for part in text.split("."))
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return None if "%" in text else address


def _has_leading_zeros(text: str) -> bool:
    parts = text.split(".")
    are_numbers = len(parts) == 4 and all(part.isascii() and part.isdigit() for part in parts)
    return are_numbers and any(len(part) > 1 and part[0] == "0" for part in parts)


def validate_ip_address(obj: networking.IPAddress) -> Errors:
    ref = obj.spec.parent_ref
    if ref is None:
        return [required("spec.parentRef")]
    found: Errors = []
    if ref.group:
        found += formatted("spec.parentRef.group", ref.group, dns_subdomain)
    for name, value in (("resource", ref.resource), ("name", ref.name)):
        found += (
            formatted(f"spec.parentRef.{name}", value, path_segment) if value else [required(f"spec.parentRef.{name}")]
        )
    if ref.namespace:
        found += formatted("spec.parentRef.namespace", ref.namespace, path_segment)
    return found


def validate_ip_address_update(new: networking.IPAddress, old: networking.IPAddress) -> Errors:
    found = validate_ip_address(new)
    ref = new.spec.parent_ref
    if ref != old.spec.parent_ref:
        shown = ref and {"Group": ref.group, "Resource": ref.resource, "Namespace": ref.namespace, "Name": ref.name}
        found.append(invalid("spec.parentRef", shown, IMMUTABLE))
    return found


def validate_service_cidr(obj: networking.ServiceCIDR) -> Errors:
    cidrs = obj.spec.cidrs
    if not cidrs:
        return [required("spec.cidrs", "at least one CIDR required")]
    if len(cidrs) > 2:
        return [invalid("spec.cidrs", {"CIDRs": cidrs}, "may only hold up to 2 values")]
    found: Errors = []
    for index, cidr in enumerate(cidrs):
        found += formatted(f"spec.cidrs[{index}]", cidr, strict_cidr)
    if not found and len(cidrs) == 2 and (":" in cidrs[0]) == (":" in cidrs[1]):
        why = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
        found.append(invalid("spec.cidrs", cidrs, why))
    return found


def validate_service_cidr_update(new: networking.ServiceCIDR, old: networking.ServiceCIDR) -> Errors:
    """A second network may be added, of the other family; nothing else changes."""
    after, before = new.spec.cidrs, old.spec.cidrs
    becomes_dual = (len(before), len(after)) == (1, 2)
    if len(before) != len(after) and not becomes_dual:
        return [invalid("spec.cidrs", after, IMMUTABLE)]
    found = [
        invalid(f"spec.cidrs[{index}]", after[index], IMMUTABLE)
        for index, cidr in enumerate(before)
        if after[index] != cidr
    ]
    return found + validate_service_cidr(new) if becomes_dual else found
