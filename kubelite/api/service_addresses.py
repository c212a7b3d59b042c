"""Service addresses: the IPAddress object that stands for each, and the ServiceCIDRs that they come from. Pure.

Used by the API server, which gives addresses out, and by the controllers that watch over them.
Source: k8s.io/kubernetes pkg/api/servicecidr, pkg/registry/core/service/ipallocator, KEP-1880
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network

from kubelite.api.core_v1 import Service
from kubelite.api.meta import ObjectMeta
from kubelite.api.networking_v1 import IPAddress, IPAddressSpec, ParentReference, ServiceCIDR

DEFAULT_CIDR = "kubernetes"  #: the ServiceCIDR of the server's own setting
FAMILY_LABEL = "ipaddress.kubernetes.io/ip-family"
MANAGED_BY_LABEL = "ipaddress.kubernetes.io/managed-by"
ALLOCATOR = "ipallocator.k8s.io"

Network = IPv4Network | IPv6Network


def family_of(address: str) -> str:
    return "IPv6" if ":" in address else "IPv4"


def canonical(address: str) -> str:
    """
    >>> canonical("FD00:0::1")
    'fd00::1'
    """
    return str(ipaddress.ip_address(address))


def addresses_of(service: Service) -> Iterator[str]:
    """The addresses that a Service has, as their IPAddress objects are called."""
    for address in service.spec.cluster_ips or (service.spec.cluster_ip,):
        if address not in ("", "None"):
            yield canonical(address)


def address_object(address: str, service: Service) -> IPAddress:
    """What says that `address` is the Service's."""
    labels = {FAMILY_LABEL: family_of(address), MANAGED_BY_LABEL: ALLOCATOR}
    meta = service.metadata
    parent = ParentReference(resource="services", namespace=meta.namespace, name=meta.name)
    return IPAddress(metadata=ObjectMeta(name=address, labels=labels), spec=IPAddressSpec(parent_ref=parent))


def is_managed(obj: IPAddress) -> bool:
    """Whether the allocator made it."""
    return obj.metadata.labels.get(MANAGED_BY_LABEL) == ALLOCATOR


def networks_of(cidr: ServiceCIDR) -> list[Network]:
    return [ipaddress.ip_network(text) for text in cidr.spec.cidrs]


def has_host(network: Network, address: str) -> bool:
    """Whether a Service may have the address: it is in the network and not the network's own, nor IPv4's broadcast.

    >>> [has_host(IPv4Network("10.0.0.0/30"), f"10.0.0.{number}") for number in range(5)]
    [False, True, True, False, False]
    """
    parsed = ipaddress.ip_address(address)
    if parsed.version != network.version or parsed not in network or parsed == network.network_address:
        return False
    return network.version == 6 or parsed != network.broadcast_address


def contains(cidr: ServiceCIDR, address: str) -> bool:
    return any(has_host(network, address) for network in networks_of(cidr))


def is_ready(cidr: ServiceCIDR) -> bool:
    """Whether addresses are drawn from it. It counts as ready until somebody says otherwise: its controller may not run."""
    if cidr.metadata.deletion_timestamp:
        return False
    return all(condition.status == "True" for condition in cidr.status.conditions if condition.type == "Ready")
