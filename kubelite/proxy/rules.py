"""Services as elements of the maps of one nftables table. Pure; knows the maps' names and keys, not the text around them.

`Elements` maps (map, key) to a value, "" in sets. Every Service owns the elements that `compute_elements` gives for its ports;
`RuleSet` joins the owners and remembers what changed since the last transaction. Where two owners claim a key (an external IP
of two Services) the first by name has it, so the whole depends on the present state only, never on the order of changes.

Counted slots: a Service with k endpoints is one verdict "goto n<k>" and k slots, from which chain n<k> draws at random:

>>> port = ServicePort(owner="default/web", port=80, cluster_ips=("10.96.0.7",))
>>> for (name, key), value in compute_elements(port, [Endpoint(ip="10.244.0.5", port=8080)], "node").items():
...     print(f"{name}: {key} -> {value or 'member'}")
cluster_ips: 10.96.0.7 -> member
services: tcp . 10.96.0.7 . 80 -> goto n1
endpoints: tcp . 10.96.0.7 . 80 . 0 -> 10.244.0.5 . 8080
hairpin: 10.244.0.5 . 10.244.0.5 -> member

Source: pkg/proxy/nftables (which traffic is masqueraded, rejected, dropped; what is short-cut past policy Local)
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from kubelite.api import core_v1, discovery_v1
from kubelite.proxy.services import (
    Choice,
    Endpoint,
    Removal,
    ServicePort,
    choose,
    owner_of,
    parse_endpoints,
    parse_service,
)

ElementKey: TypeAlias = tuple[str, str]  #: (map, key)
Elements: TypeAlias = dict[ElementKey, str]
#: A Service that does not come from the API, such as the node's own DNS server behind the kube-dns address.
StaticService: TypeAlias = tuple[ServicePort, Sequence[Endpoint]]

REJECT, DROP = "goto refuse", "drop"


def compute_services(
    services: Iterable[core_v1.Service],
    slices: Iterable[discovery_v1.EndpointSlice],
    node_name: str,
    *,
    static: Iterable[StaticService] = (),
) -> RuleSet:
    """The whole rule set of a cluster as `node_name` sees it."""
    of: dict[str, list[discovery_v1.EndpointSlice]] = {}
    for slice_ in slices:
        of.setdefault(owner_of(slice_), []).append(slice_)
    rules = RuleSet()
    for port, endpoints in static:
        rules.replace(f"static/{port.name}", compute_elements(port, endpoints, node_name))
    for service in services:
        owner = f"{service.metadata.namespace}/{service.metadata.name}"
        rules.replace(owner, compute_service(service, of.get(owner, ()), node_name, {}))
    return rules


def compute_service(
    service: core_v1.Service,
    slices: Iterable[discovery_v1.EndpointSlice],
    node_name: str,
    removals: Mapping[str, Removal],
) -> Elements:
    """All elements of one Service; `slices` are its EndpointSlices."""
    slices = tuple(slices)
    elements: Elements = {}
    for port in parse_service(service):
        elements |= compute_elements(port, parse_endpoints(slices, port, removals), node_name)
    return elements


def compute_elements(port: ServicePort, endpoints: Iterable[Endpoint], node_name: str) -> Elements:
    """The elements of one port of a Service with these endpoints."""
    choice = choose(endpoints, node_name)
    elements: Elements = {("cluster_ips", ip): "" for ip in port.cluster_ips}
    internal = choice.local if port.internal_local else choice.cluster
    for ip in port.cluster_ips:
        key = f"{port.protocol} . {ip} . {port.port}"
        _forward(elements, port, ("services", "endpoints"), key, "n", internal)
        if not internal:
            elements["blocked", key] = DROP if choice.any else REJECT
    externals = {f"{port.protocol} . {ip} . {port.port}": "" for ip in (*port.external_ips, *port.load_balancer_ips)}
    for key in externals:
        _expose(elements, port, key, choice, node_port=False)
    if port.node_port:
        _expose(elements, port, f"{port.protocol} . {port.node_port}", choice, node_port=True)
    used = {e.ip for e in (*choice.cluster, *choice.local)} if elements else set()
    return elements | {("hairpin", f"{ip} . {ip}"): "" for ip in sorted(used)}


def _expose(elements: Elements, port: ServicePort, key: str, choice: Choice, *, node_port: bool) -> None:
    """Traffic from outside: by policy Cluster masqueraded to any endpoint; by Local to local ones, as it came.

    What comes from this node or its pods is not outside: it may always use any endpoint.
    """
    inner, slots = ("nodeports", "nodeport_endpoints") if node_port else ("services", "endpoints")
    plain, masqueraded, local = ("p", "q", "r") if node_port else ("n", "m", "l")
    _forward(elements, port, (inner, slots), key, plain if port.external_local else masqueraded, choice.cluster)
    if port.external_local:
        # Untranslated, what is not served here meets `blocked` below instead of the endpoints of others.
        elements[f"external_{inner}", key] = "accept"
        _forward(elements, port, (f"external_{inner}", f"external_{slots}"), key, local, choice.local)
    if not (choice.local if port.external_local else choice.cluster):
        elements["blocked_nodeports" if node_port else "blocked", key] = DROP if choice.any else REJECT


def _forward(
    elements: Elements, port: ServicePort, maps: tuple[str, str], key: str, chain: str, to: Sequence[Endpoint]
) -> None:
    """Sends `key` to the endpoints `to`: through counted slots, or with affinity through chains of its own."""
    verdicts, slots = maps
    if not to:
        return
    if port.affinity_s:
        elements[verdicts, key] = f"goto {_affinity(elements, port, to, masquerade=chain in {'m', 'q'})}"
        return
    elements[verdicts, key] = f"goto {chain}{len(to)}"
    for slot, endpoint in enumerate(to):
        elements[slots, f"{key} . {slot}"] = f"{endpoint.ip} . {endpoint.port}"


def _affinity(elements: Elements, port: ServicePort, to: Sequence[Endpoint], *, masquerade: bool) -> str:
    """Chains that remember clients: one per endpoint with the set of its clients, and one that looks through them.

    Names derive from what the chain is for, so an unchanged endpoint keeps its set, and thereby its clients, over updates.
    """
    identity = f"{port.owner}:{port.name}:{port.protocol}:{port.affinity_s}"
    base = hashlib.sha256(identity.encode()).hexdigest()[:12]
    known, draws = [], []
    for number, endpoint in enumerate(to):
        name = f"{base}_{endpoint.ip.replace('.', '_')}_{endpoint.port}"
        elements["set", f"c_{name}"] = f"type ipv4_addr; flags dynamic,timeout; timeout {port.affinity_s}s;"
        elements["chain", f"e_{name}"] = (
            f"update @c_{name} {{ ip saddr }} meta l4proto {port.protocol} dnat to {endpoint.ip}:{endpoint.port}"
        )
        known.append(f"ip saddr @c_{name} goto e_{name}")
        draws.append(f"{number} : goto e_{name}")
    scope = hashlib.sha256("\n".join(known).encode()).hexdigest()[:8] + ("m" if masquerade else "")
    mark = ["meta mark set meta mark or 0x10000"] if masquerade else []
    draw = f"numgen random mod {len(to)} vmap {{ {', '.join(draws)} }}"
    elements["chain", f"a_{base}_{scope}"] = "\n".join([*mark, *known, draw])
    return f"a_{base}_{scope}"


class RuleSet:
    """The elements of all owners, and what they were before the changes since `take_changes`."""

    def __init__(self) -> None:
        self._owned: dict[str, Elements] = {}
        self._claims: dict[ElementKey, dict[str, str]] = {}
        self._before: dict[ElementKey, str | None] = {}

    def replace(self, owner: str, elements: Elements) -> None:
        """What `owner` has from now on; empty: it is gone."""
        old = self._owned.get(owner, {})
        for key in old.keys() | elements.keys():
            value = elements.get(key)
            if old.get(key) == value:
                continue
            self._before.setdefault(key, self._value(key))
            claims = self._claims.setdefault(key, {})
            claims.pop(owner, None)
            if value is not None:
                claims[owner] = value
            if not claims:
                del self._claims[key]
        if elements:
            self._owned[owner] = elements
        else:
            self._owned.pop(owner, None)

    def elements(self) -> Elements:
        return {key: claims[min(claims)] for key, claims in self._claims.items()}

    def take_changes(self) -> tuple[Elements, Elements]:
        """(old, new) of exactly the elements that changed since the last call."""
        changed = {key: (value, self._value(key)) for key, value in self._before.items()}
        self._before = {}
        old = {key: was for key, (was, now) in changed.items() if was is not None and was != now}
        new = {key: now for key, (was, now) in changed.items() if now is not None and was != now}
        return old, new

    def _value(self, key: ElementKey) -> str | None:
        claims = self._claims.get(key)
        return claims[min(claims)] if claims else None
