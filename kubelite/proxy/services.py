"""What a Service and its EndpointSlices say to a proxy: ports, addresses, and which endpoints get traffic. Pure.

Knows API objects and nothing of nftables or DNS. Source: https://kubernetes.io/docs/reference/networking/virtual-ips/,
KEP-1669 (terminating endpoints), pkg/proxy/topology.go
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address

import msgspec

from kubelite.api import core_v1, discovery_v1

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
PROXY_NAME_LABEL = "service.kubernetes.io/service-proxy-name"
DEFAULT_AFFINITY_S = 10_800
_PROTOCOLS = {"", "TCP", "UDP", "SCTP"}


class ServicePort(msgspec.Struct, frozen=True, kw_only=True):
    """One port of one Service. `owner` is "namespace/name"; `affinity_s` 0 means no session affinity."""

    owner: str
    name: str = ""
    protocol: str = "tcp"  #: tcp | udp | sctp
    port: int
    cluster_ips: tuple[str, ...] = ()
    external_ips: tuple[str, ...] = ()
    load_balancer_ips: tuple[str, ...] = ()
    node_port: int = 0
    affinity_s: int = 0
    internal_local: bool = False
    external_local: bool = False


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, order=True):
    ip: str
    port: int
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    node: str = ""


class Removal(msgspec.Struct, frozen=True):
    """What the kubelet knows of an address before the API does: no new connections, or (`dead`) nobody there at all."""

    pod_uid: str
    dead: bool


class Choice(msgspec.Struct, frozen=True):
    """Where traffic goes: to `cluster` by policy Cluster, to `local` by policy Local; `any` endpoint at all is usable."""

    cluster: tuple[Endpoint, ...]
    local: tuple[Endpoint, ...]
    any: bool


def owner_of(slice_: discovery_v1.EndpointSlice) -> str:
    """ "namespace/name" of the Service that the slice belongs to."""
    return f"{slice_.metadata.namespace}/{slice_.metadata.labels.get(SERVICE_NAME_LABEL, '')}"


def parse_service(service: core_v1.Service) -> tuple[ServicePort, ...]:
    """The ports that this proxy serves: none of a headless or ExternalName Service, or of another proxy's."""
    spec = service.spec
    if spec.type == "ExternalName" or spec.cluster_ip in {"", "None"} or PROXY_NAME_LABEL in service.metadata.labels:
        return ()
    affinity_s = 0
    if spec.session_affinity == "ClientIP":
        client_ip = spec.session_affinity_config and spec.session_affinity_config.client_ip
        affinity_s = (client_ip and client_ip.timeout_seconds) or DEFAULT_AFFINITY_S
    ingress = (i.ip for i in service.status.load_balancer.ingress if i.ip_mode != "Proxy")
    return tuple(
        ServicePort(
            owner=f"{service.metadata.namespace}/{service.metadata.name}",
            name=port.name,
            protocol=(port.protocol or "TCP").lower(),
            port=port.port,
            cluster_ips=ipv4(spec.cluster_ips or (spec.cluster_ip,)),
            external_ips=ipv4(spec.external_ips),
            load_balancer_ips=ipv4(ingress),
            node_port=port.node_port,
            affinity_s=affinity_s,
            internal_local=spec.internal_traffic_policy == "Local",
            external_local=spec.external_traffic_policy == "Local",
        )
        for port in spec.ports
        if port.protocol in _PROTOCOLS
    )


def parse_endpoints(
    slices: Iterable[discovery_v1.EndpointSlice], port: ServicePort, removals: Mapping[str, Removal]
) -> list[Endpoint]:
    """The endpoints behind `port`, in order of address; one that several slices hold counts once, ready if any says so."""
    found: dict[tuple[str, int], Endpoint] = {}
    for slice_ in slices:
        if slice_.address_type != "IPv4":
            continue
        numbers = [
            p.port
            for p in slice_.ports
            if p.port and (p.name or "") == port.name and (p.protocol or "TCP").lower() == port.protocol
        ]
        for number in numbers:
            for item in slice_.endpoints:
                if not ipv4(item.addresses[:1]):
                    continue
                endpoint = _endpoint(item, number, removals.get(item.addresses[0]))
                other = found.get((endpoint.ip, endpoint.port))
                if other is None or (endpoint.ready, endpoint.serving) > (other.ready, other.serving):
                    found[endpoint.ip, endpoint.port] = endpoint
    return sorted(found.values())


def choose(endpoints: Iterable[Endpoint], node_name: str) -> Choice:
    """The ready ones; where there is none, those that still serve while terminating; else none."""
    everywhere = tuple(endpoints)
    cluster = _usable(everywhere)
    return Choice(cluster=cluster, local=_usable(e for e in everywhere if e.node == node_name), any=bool(cluster))


def agrees(item: discovery_v1.Endpoint, removal: Removal) -> bool:
    """Whether the API has come to know what `removal` knew, or has moved on to another pod of that address."""
    conditions = item.conditions
    uid = item.target_ref.uid if item.target_ref else ""
    alive = conditions.serving is not False if removal.dead else False
    return uid != removal.pod_uid or not (conditions.ready is not False or alive)


def _usable(endpoints: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    candidates = tuple(endpoints)
    ready = tuple(e for e in candidates if e.ready)
    return ready or tuple(e for e in candidates if e.serving and e.terminating)


def _endpoint(item: discovery_v1.Endpoint, port: int, removal: Removal | None) -> Endpoint:
    # What a producer leaves unsaid counts as ready and serving.
    conditions = item.conditions
    return Endpoint(
        ip=item.addresses[0],
        port=port,
        ready=conditions.ready is not False and removal is None,
        serving=conditions.serving is not False and not (removal and removal.dead),
        terminating=bool(conditions.terminating) or removal is not None,
        node=item.node_name or "",
    )


def ipv4(addresses: Iterable[str]) -> tuple[str, ...]:
    """Those that are IPv4 addresses in canonical form. Others never reach the kernel's rules, whoever wrote them."""
    return tuple(a for a in addresses if _is_ipv4(a))


def _is_ipv4(address: str) -> bool:
    try:
        return str(IPv4Address(address)) == address
    except ValueError:
        return False
