"""Cluster IPs and node ports of Services: which to give, and what the transaction that writes the Service holds on to.

Nothing is kept here: what is taken is what the store has. An address is taken while its IPAddress object exists, a port while
its key does; `commits` writes and deletes them together with their Service, on the condition that nobody else has them. So
servers on one store never give the same one twice; who loses that race asks again. Addresses come from the ServiceCIDRs that
are ready, at random.
Source: k8s.io/kubernetes pkg/registry/core/service/storage/alloc.go, pkg/registry/core/service/ipallocator/cidrallocator.go,
KEP-1880 (IPAddress, ServiceCIDR), KEP-3070 and KEP-3668 (the lower part of a range is for what users choose)
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec
from msgspec.structs import replace

from kubelite.actor.clock import Clock
from kubelite.api import codec, core_v1 as core, networking_v1 as networking, service_addresses as addresses
from kubelite.api.errors import FieldError, InternalError, invalid
from kubelite.api.scheme import BUILT_IN
from kubelite.api.timestamp import rfc3339
from kubelite.api.validation_field import invalid as invalid_field
from kubelite.apiserver.admission import Finder
from kubelite.apiserver.number_range import NumberRange, address_range, port_range
from kubelite.store.store import Compare, Delete, Op, Put, Store, Txn, prefix_end

#: Where a taken node port has its key; the value is the Service, as namespace/name. No part of the API.
NODE_PORTS = "/registry/ranges/servicenodeports/"
IP_ADDRESSES = next(resource for resource in BUILT_IN if resource.type is networking.IPAddress)
_SERVICES = next(resource for resource in BUILT_IN if resource.type is core.Service)
#: How often a number is drawn blindly before all that are taken are looked at.
_TRIES = 4
#: The widest IPv6 network that addresses are drawn from. Source: ipallocator.go NewIPAllocator
_WIDEST_V6 = 64


class Holding(msgspec.Struct, frozen=True):
    """What must hold for a Service's transaction to succeed, and what is written and deleted along with it."""

    compare: tuple[Compare, ...] = ()
    ops: tuple[Op, ...] = ()


NOTHING = Holding()


class ServiceAllocator:
    """`cidr` is the network of Services where no ServiceCIDR says otherwise; its family is that of all Services."""

    def __init__(
        self, clock: Clock, *, cidr: str = "10.96.0.0/16", node_ports: tuple[int, int] = (30000, 32767)
    ) -> None:
        self._clock = clock
        self._network: addresses.Network = ipaddress.ip_network(cidr)
        self._node_ports = node_ports
        self._ports = port_range(*node_ports)

    @property
    def family(self) -> str:
        return f"IPv{self._network.version}"

    async def allocate(
        self, new: core.Service, old: core.Service | None, store: Store, finder: Finder
    ) -> tuple[core.Service, Holding]:
        """`new` with what it still needs. Raises: Invalid, InternalError, Unavailable."""
        before = old.spec if old else core.ServiceSpec()
        try:
            spec = await self._with_ip(new.spec, before, store, finder)
            spec = await self._with_ports(spec, before, store)
        except FieldsInvalid as error:
            raise invalid("", "Service", new.metadata.name, error.found) from error
        made = new if spec is new.spec else replace(new, spec=spec)
        return made, self._holding(made, old)

    def release(self, service: core.Service) -> tuple[Delete, ...]:
        """What goes with the Service."""
        return tuple(Delete(key) for key in _keys(service))

    async def repair(self, store: Store, finder: Finder) -> int:
        """Writes what Services of older versions lack, and frees ports that nobody has; how many keys that changed.

        To be called before Services are created. Raises: Unavailable.
        """
        prefixes = (IP_ADDRESSES.prefix, NODE_PORTS)
        ranges = [await store.range(prefix, prefix_end(prefix), keys_only=True) for prefix in prefixes]
        leaked = {record.key: record.mod_revision for found in ranges for record in found.records}
        txns: list[Txn] = []
        for service in await finder.find_all(core.Service):
            meta = service.metadata
            is_same = Compare(_SERVICES.key(meta.name, meta.namespace), "mod_revision", "=", int(meta.resource_version))
            for key, address in _keys(service).items():
                if leaked.pop(key, None) is None:
                    put = Put(key, self._value(service, address))
                    txns.append(Txn((is_same, Compare(key, "mod_revision", "=", 0)), (put,)))
        for key, revision in leaked.items():
            if key.startswith(NODE_PORTS):
                txns.append(Txn((Compare(key, "mod_revision", "=", revision),), (Delete(key),)))
        return sum([(await store.txn(txn)).succeeded for txn in txns])

    def _holding(self, new: core.Service, old: core.Service | None) -> Holding:
        had, has = _keys(old) if old else {}, _keys(new)
        gained, lost = [key for key in has if key not in had], [key for key in had if key not in has]
        if not gained and not lost:
            return NOTHING
        compare = tuple(Compare(key, "mod_revision", "=", 0) for key in gained)
        puts = tuple(Put(key, self._value(new, has[key])) for key in gained)
        return Holding(compare, (*puts, *(Delete(key) for key in lost)))

    def _value(self, service: core.Service, address: str) -> bytes:
        """What the store keeps of an address, or of a port (no address)."""
        if not address:
            return f"{service.metadata.namespace}/{service.metadata.name}".encode()
        obj = addresses.address_object(address, service)
        now = rfc3339(self._clock.now())
        obj = replace(obj, metadata=replace(obj.metadata, uid=self._clock.uid(), creation_timestamp=now))
        return codec.stored_form(obj, codec.encode_stored(obj))

    # -- addresses -----------------------------------------------------------------------------------------------------

    async def _with_ip(
        self, spec: core.ServiceSpec, old: core.ServiceSpec, store: Store, finder: Finder
    ) -> core.ServiceSpec:
        if spec.type == "ExternalName":
            return spec
        spec = self._with_families(spec)
        if spec.cluster_ip == "None" or (old.cluster_ip and spec.cluster_ip == old.cluster_ip):
            return spec
        networks = await self._networks(finder)
        taken = _Taken(store, IP_ADDRESSES.prefix, lambda number: str(ipaddress.ip_address(number)))
        if not spec.cluster_ip:
            what = "failed to allocate a serviceIP"
            number = await self._draw([address_range(network) for network in networks], taken, what)
            address = str(ipaddress.ip_address(number))
            return replace(spec, cluster_ip=address, cluster_ips=(address,))
        why = ""
        if not any(addresses.has_host(network, spec.cluster_ip) for network in networks):
            valid = ", ".join(map(str, networks))
            why = f"the provided IP ({spec.cluster_ip}) is not in the valid range. The range of valid IPs is {valid}"
        elif await taken.has(int(ipaddress.ip_address(spec.cluster_ip))):
            why = "provided IP is already allocated"
        if why:
            text = f"failed to allocate IP {spec.cluster_ip}: {why}"
            raise FieldsInvalid([invalid_field("spec.clusterIPs", (spec.cluster_ip,), text)])
        return replace(spec, cluster_ips=spec.cluster_ips or (spec.cluster_ip,))

    async def _networks(self, finder: Finder) -> list[addresses.Network]:
        """Where Services may have addresses just now."""
        cidrs: list[networking.ServiceCIDR] = await finder.find_all(networking.ServiceCIDR)
        if not cidrs:
            return [self._network]
        ready = [network for cidr in cidrs if addresses.is_ready(cidr) for network in addresses.networks_of(cidr)]
        usable = (network for network in ready if network.version == 4 or network.prefixlen >= _WIDEST_V6)
        return [network for network in dict.fromkeys(usable) if network.version == self._network.version]

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
        families = [addresses.family_of(address) for address in spec.cluster_ips if address != "None"]
        if len(set(families)) < len(families):
            why = "may specify no more than one IP for each IP family"
            found.append(invalid_field("spec.clusterIPs", spec.cluster_ips, why))
        found += [
            invalid_field(f"spec.clusterIPs[{index}]", spec.cluster_ips, f"{family} is not configured on this cluster")
            for index, family in enumerate(families)
            if family != self.family and index >= len(spec.ip_families)
        ]
        if found:
            raise FieldsInvalid(found)
        policy = spec.ip_family_policy or "SingleStack"
        cluster_ips = spec.cluster_ips or ((spec.cluster_ip,) if spec.cluster_ip else ())
        if spec.ip_families and spec.ip_family_policy and cluster_ips == spec.cluster_ips:
            return spec
        return replace(
            spec, ip_families=spec.ip_families or (self.family,), ip_family_policy=policy, cluster_ips=cluster_ips
        )

    # -- ports ---------------------------------------------------------------------------------------------------------

    async def _with_ports(self, spec: core.ServiceSpec, old: core.ServiceSpec, store: Store) -> core.ServiceSpec:
        held = set(_ports(old))
        taken = _Taken(store, NODE_PORTS, str, own={*held, *_ports(spec)})
        wants = spec.type == "NodePort" or (
            spec.type == "LoadBalancer" and spec.allocate_load_balancer_node_ports is not False
        )
        found: list[FieldError] = []
        chosen: dict[int, int] = {port.port: port.node_port for port in spec.ports if port.node_port}
        ports = list(spec.ports)
        for index, port in enumerate(spec.ports):
            if port.node_port:
                if port.node_port not in held and (why := await self._unusable(port.node_port, taken)):
                    found.append(invalid_field(f"spec.ports[{index}].nodePort", port.node_port, why))
            elif wants:  # one number serves the same port of several protocols
                if port.port not in chosen:
                    chosen[port.port] = await self._draw([self._ports], taken, "failed to allocate a nodePort")
                ports[index] = replace(port, node_port=chosen[port.port])
        check = spec.health_check_node_port
        if spec.type == "LoadBalancer" and spec.external_traffic_policy == "Local":
            if not check:
                check = await self._draw([self._ports], taken, "failed to allocate a HealthCheck NodePort 0")
            elif check not in held and (why := await self._unusable(check, taken)):
                found.append(invalid_field("spec.healthCheckNodePort", check, why))
        if found:
            raise FieldsInvalid(found)
        if tuple(ports) == spec.ports and check == spec.health_check_node_port:
            return spec
        return replace(spec, ports=tuple(ports), health_check_node_port=check)

    async def _unusable(self, port: int, taken: _Taken) -> str:
        """Why a Service cannot have the port; "" when it can."""
        if port not in self._ports:
            low, high = self._node_ports
            return f"provided port is not in the valid range. The range of valid ports is {low}-{high}"
        return "provided port is already allocated" if await taken.has(port) else ""

    async def _draw(self, ranges: Sequence[NumberRange], taken: _Taken, what: str) -> int:
        """A free number, which is the Service's own from now on. Raises: InternalError when there is none."""
        first = self._clock.randrange(len(ranges)) if ranges else 0
        for numbers in (*ranges[first:], *ranges[:first]):
            for _ in range(_TRIES if numbers.size else 0):
                number = numbers.draw(self._clock)
                if number not in taken.own and not await taken.has(number):
                    taken.own.add(number)
                    return number
            left = numbers.free(await taken.all(), self._clock)
            if left is not None:
                taken.own.add(left)
                return left
        raise InternalError(f"Internal error occurred: {what}: range is full")


class _Taken:
    """Which numbers are taken, looked up in the store; `own` are those that the Service itself has, wants or was given."""

    def __init__(self, store: Store, prefix: str, name: Callable[[int], str], own: Iterable[int] = ()) -> None:
        self._store = store
        self._prefix = prefix
        self._name = name
        self.own = set(own)

    async def has(self, number: int) -> bool:
        return bool((await self._store.range(self._prefix + self._name(number))).records)

    async def all(self) -> set[int]:
        found = await self._store.range(self._prefix, prefix_end(self._prefix), keys_only=True)
        names = (record.key.removeprefix(self._prefix) for record in found.records)
        return self.own | {int(name) if name.isdecimal() else int(ipaddress.ip_address(name)) for name in names}


class FieldsInvalid(Exception):
    """The Service asks for what it cannot have."""

    def __init__(self, found: list[FieldError]) -> None:
        super().__init__(str(found))
        self.found = found


def _keys(service: core.Service) -> dict[str, str]:
    """The keys of all that a Service has; those of addresses with the address."""
    keys = {IP_ADDRESSES.key(address): address for address in addresses.addresses_of(service)}
    return keys | {f"{NODE_PORTS}{port}": "" for port in _ports(service.spec)}


def _ports(spec: core.ServiceSpec) -> Iterator[int]:
    for port in spec.ports:
        if port.node_port:
            yield port.node_port
    if spec.health_check_node_port:
        yield spec.health_check_node_port
