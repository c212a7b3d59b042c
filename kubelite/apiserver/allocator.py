"""Cluster IPs and node ports of Services: which are taken, and which to give to a new one.

What is taken is derived from the Services that exist when the first one is written, and then kept in step by the registry,
which reserves before it writes and releases when a write comes to nothing or a Service goes. One process allocates.
Source: k8s.io/kubernetes pkg/registry/core/service/storage/alloc.go, KEP-3070 and KEP-3668 (the lower part of a range is
for addresses and ports that users choose)
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator

from msgspec.structs import replace

from kubelite.actor.clock import Clock
from kubelite.api import core_v1 as core
from kubelite.api.errors import FieldError, InternalError, invalid
from kubelite.api.validation_field import invalid as invalid_field
from kubelite.apiserver.admission import Finder

Release = Callable[[], None]


class Full(Exception):
    """Nothing is left in the range."""


class Pool:
    """Numbers `first` to `first + size - 1`; those before `first + reserved` are given only on request."""

    def __init__(self, first: int, size: int, reserved: int, clock: Clock) -> None:
        self.first = first
        self.size = size
        self._reserved = reserved if reserved < size else 0
        self._clock = clock
        self._taken: set[int] = set()

    def __contains__(self, number: int) -> bool:
        return self.first <= number < self.first + self.size

    def take(self, number: int) -> bool:
        """False when it is taken."""
        if number in self._taken:
            return False
        self._taken.add(number)
        return True

    def draw(self) -> int:
        """A free number, at random from the upper part while there is one. Raises: Full."""
        for start, count in ((self._reserved, self.size - self._reserved), (0, self._reserved)):
            at = self._clock.randrange(count) if count else 0
            for step in range(count):
                number = self.first + start + (at + step) % count
                if number not in self._taken:
                    self._taken.add(number)
                    return number
        raise Full

    def give_back(self, number: int) -> None:
        self._taken.discard(number)


def _band(size: int) -> int:
    """How many numbers at the start of a range are left to users' choice."""
    return min(max(16, size // 16), 256)


def _node_port_band(size: int) -> int:
    return min(max(16, size // 32), 128) if size >= 32 else 0


class ServiceAllocator:
    def __init__(
        self, clock: Clock, *, cidr: str = "10.96.0.0/16", node_ports: tuple[int, int] = (30000, 32767)
    ) -> None:
        network = ipaddress.ip_network(cidr)
        self._cidr = network
        self._version = network.version
        hosts = network.num_addresses - (2 if network.version == 4 else 1)
        self._ips = Pool(int(network.network_address) + 1, hosts, _band(network.num_addresses), clock)
        low, high = node_ports
        self._node_ports = (low, high)
        self._ports = Pool(low, high - low + 1, _node_port_band(high - low + 1), clock)
        self._loaded = False

    @property
    def first_ip(self) -> str:
        """The address of the `kubernetes` Service."""
        return str(self._cidr.network_address + 1)

    @property
    def family(self) -> str:
        return "IPv4" if self._version == 4 else "IPv6"

    async def reserve(
        self, new: core.Service, old: core.Service | None, finder: Finder
    ) -> tuple[core.Service, Release | None]:
        """`new` with what it still needs, and how to undo the reservation. Raises: Invalid, InternalError."""
        await self._load(finder)
        undo: list[Release] = []
        try:
            spec = self._with_ip(new.spec, old.spec if old else None, undo)
            spec = self._with_ports(spec, old.spec if old else None, undo)
        except FieldsInvalid as error:
            _run(undo)
            raise invalid("", "Service", new.metadata.name, error.found) from error
        except Full as error:
            _run(undo)
            raise InternalError("Internal error occurred: failed to allocate a serviceIP: range is full") from error
        return (new if spec is new.spec else replace(new, spec=spec)), (lambda: _run(undo))

    def release(self, service: core.Service) -> None:
        """The Service is gone."""
        for number in _addresses(service.spec):
            self._ips.give_back(number)
        for port in _ports(service.spec):
            self._ports.give_back(port)

    def keep_only(self, old: core.Service, new: core.Service) -> None:
        """The Service was updated: what it no longer has is free."""
        for number in set(_addresses(old.spec)) - set(_addresses(new.spec)):
            self._ips.give_back(number)
        for port in set(_ports(old.spec)) - set(_ports(new.spec)):
            self._ports.give_back(port)

    async def _load(self, finder: Finder) -> None:
        if not self._loaded:
            self._adopt(await finder.find_all(core.Service))

    def _adopt(self, services: list[core.Service]) -> None:
        if self._loaded:  # somebody else was faster
            return
        self._loaded = True
        for service in services:
            for number in _addresses(service.spec):
                self._ips.take(number)
            for port in _ports(service.spec):
                self._ports.take(port)

    def _with_ip(self, spec: core.ServiceSpec, old: core.ServiceSpec | None, undo: list[Release]) -> core.ServiceSpec:
        if spec.type == "ExternalName":
            return spec
        spec = self._with_families(spec)
        if spec.cluster_ip == "None" or (old is not None and old.cluster_ip and spec.cluster_ip == old.cluster_ip):
            return spec
        if not spec.cluster_ip:
            number = self._ips.draw()
            undo.append(lambda: self._ips.give_back(number))
            address = str(ipaddress.ip_address(number))
            return replace(spec, cluster_ip=address, cluster_ips=(address,))
        number = int(ipaddress.ip_address(spec.cluster_ip))
        why = ""
        if number not in self._ips:
            why = (
                f"the provided IP ({spec.cluster_ip}) is not in the valid range. The range of valid IPs is {self._cidr}"
            )
        elif not self._ips.take(number):
            why = "provided IP is already allocated"
        if why:
            text = f"failed to allocate IP {spec.cluster_ip}: {why}"
            raise FieldsInvalid([invalid_field("spec.clusterIPs", (spec.cluster_ip,), text)])
        undo.append(lambda: self._ips.give_back(number))
        return replace(spec, cluster_ips=spec.cluster_ips or (spec.cluster_ip,))

    def _with_families(self, spec: core.ServiceSpec) -> core.ServiceSpec:
        found = [
            invalid_field(f"spec.ipFamilies[{index}]", family, "not configured on this cluster")
            for index, family in enumerate(spec.ip_families)
            if family != self.family
        ]
        unowned = spec.cluster_ip == "None" and not spec.selector
        if unowned:  # whoever writes the endpoints decides about their family
            other = "IPv6" if self.family == "IPv4" else "IPv4"
            policy = spec.ip_family_policy or "RequireDualStack"
            both = (self.family, other) if policy != "SingleStack" else (self.family,)
            return replace(spec, ip_family_policy=policy, ip_families=spec.ip_families or both, cluster_ips=("None",))
        if spec.ip_family_policy == "RequireDualStack":
            text = "this cluster is not configured for dual-stack services"
            found.append(invalid_field("spec.ipFamilyPolicy", spec.ip_family_policy, text))
        if found:
            raise FieldsInvalid(found)
        policy = spec.ip_family_policy or "SingleStack"
        cluster_ips = spec.cluster_ips or ((spec.cluster_ip,) if spec.cluster_ip else ())
        if spec.ip_families and spec.ip_family_policy and cluster_ips == spec.cluster_ips:
            return spec
        families = spec.ip_families or (self.family,)
        return replace(spec, ip_families=families, ip_family_policy=policy, cluster_ips=cluster_ips)

    def _with_ports(
        self, spec: core.ServiceSpec, old: core.ServiceSpec | None, undo: list[Release]
    ) -> core.ServiceSpec:
        held = set(_ports(old)) if old else set()
        wants = spec.type == "NodePort" or (
            spec.type == "LoadBalancer" and spec.allocate_load_balancer_node_ports is not False
        )
        found: list[FieldError] = []
        chosen: dict[int, int] = {port.port: port.node_port for port in spec.ports if port.node_port}
        ports = list(spec.ports)
        for index, port in enumerate(spec.ports):
            if port.node_port:
                if port.node_port not in held and (why := self._take_port(port.node_port, undo)):
                    found.append(invalid_field(f"spec.ports[{index}].nodePort", port.node_port, why))
                held.add(port.node_port)
            elif wants:  # one number serves the same port of several protocols
                if port.port not in chosen:
                    chosen[port.port] = self._draw_port(undo)
                    held.add(chosen[port.port])
                ports[index] = replace(port, node_port=chosen[port.port])
        check = spec.health_check_node_port
        if spec.type == "LoadBalancer" and spec.external_traffic_policy == "Local":
            if not check:
                check = self._draw_port(undo)
            elif check not in held and (why := self._take_port(check, undo)):
                found.append(invalid_field("spec.healthCheckNodePort", check, why))
        if found:
            raise FieldsInvalid(found)
        if tuple(ports) == spec.ports and check == spec.health_check_node_port:
            return spec
        return replace(spec, ports=tuple(ports), health_check_node_port=check)

    def _take_port(self, port: int, undo: list[Release]) -> str:
        """Why it cannot be had; "" when it is taken now."""
        if port not in self._ports:
            low, high = self._node_ports
            return f"provided port is not in the valid range. The range of valid ports is {low}-{high}"
        if not self._ports.take(port):
            return "provided port is already allocated"
        undo.append(lambda: self._ports.give_back(port))
        return ""

    def _draw_port(self, undo: list[Release]) -> int:
        port = self._ports.draw()
        undo.append(lambda: self._ports.give_back(port))
        return port


class FieldsInvalid(Exception):
    """The Service asks for what it cannot have."""

    def __init__(self, found: list[FieldError]) -> None:
        super().__init__(str(found))
        self.found = found


def _run(undo: list[Release]) -> None:
    for step in undo:
        step()


def _addresses(spec: core.ServiceSpec) -> Iterator[int]:
    for address in spec.cluster_ips or (spec.cluster_ip,):
        if address not in ("", "None"):
            yield int(ipaddress.ip_address(address))


def _ports(spec: core.ServiceSpec) -> Iterator[int]:
    for port in spec.ports:
        if port.node_port:
            yield port.node_port
    if spec.health_check_node_port:
        yield spec.health_check_node_port
