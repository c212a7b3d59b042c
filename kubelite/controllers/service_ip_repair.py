"""One IPAddress for each address of a Service, and a Service for each that the allocator made: what broke that is mended.

Called by `client/host` per Service ("namespace/name") and per IPAddress (its name). Both are written in one transaction, but
arrive here apart: something is wrong only once it has been so for `SETTLE_S`.
Source: k8s.io/kubernetes pkg/registry/core/service/ipallocator/controller/repairip.go
"""

from __future__ import annotations

from collections.abc import Iterable

from kubelite.api.core_v1 import Service
from kubelite.api.meta import Object
from kubelite.api.networking_v1 import IPAddress, ParentReference, ServiceCIDR
from kubelite.api.service_addresses import (
    FAMILY_LABEL,
    address_object,
    addresses_of,
    contains,
    family_of,
    is_managed,
)
from kubelite.api.timestamp import parse_rfc3339
from kubelite.client.plan import Create, Delete, Plan, Report, Write
from kubelite.client.view import Key, View, Watch, key_of, split_key

SETTLE_S = 2.0
LEAK_S = 60.0  #: an address without its Service is left alone for as long as a request may take


def services_of_address(service: Service) -> Iterable[str]:
    """Index "address": Services by the addresses that they have."""
    return addresses_of(service)


def _service_keys(view: View, old: Service | None, new: Service | None) -> Iterable[Key]:
    had, has = (set(addresses_of(each)) if each else set() for each in (old, new))
    if had != has and new is not None:
        yield key_of(new)
    yield from had - has


def _address_keys(view: View, old: IPAddress | None, new: IPAddress | None) -> Iterable[Key]:
    obj = new or old
    assert obj is not None
    yield obj.metadata.name
    yield from map(key_of, view.indexed(Service, "address", obj.metadata.name))


class ServiceIPRepair:
    name = "ipallocator-repair-controller"
    watches = (Watch(Service, _service_keys), Watch(IPAddress, _address_keys))
    reads: tuple[type[Object], ...] = (ServiceCIDR,)

    def __init__(self) -> None:
        self._since: dict[Key, float] = {}  # when something about it was first found wrong

    def decide(self, view: View, key: Key, now: float) -> Plan:
        plan = _service_plan(view, key) if "/" in key else _address_plan(view, key, now)
        if not plan.writes and not plan.reports:
            self._since.pop(key, None)
            return plan
        if (left := self._since.setdefault(key, now) + SETTLE_S - now) > 0:
            return Plan(requeue_after_s=left)
        return plan


def _service_plan(view: View, key: Key) -> Plan:
    namespace, name = split_key(key)
    service = view.get(Service, name, namespace)
    cidrs = view.list(ServiceCIDR)
    writes: list[Write] = []
    reports: list[Report] = []
    for address in addresses_of(service) if service is not None and cidrs else ():
        assert service is not None
        shown = f"[{family_of(address)}]"
        if not any(contains(cidr, address) for cidr in cidrs):
            text = f"Cluster IP {shown}: {address} is not within any configured Service CIDR; please recreate service"
            reports.append(_report(service, "ClusterIPOutOfRange", text))
            continue
        obj = view.get(IPAddress, address)
        if obj is None:
            text = f"Cluster IP {shown}: {address} is not allocated; repairing"
            writes.append(Create(address_object(address, service), _report(service, "ClusterIPNotAllocated", text)))
            continue
        report: Report | None = None
        if not _is_of(view, obj.spec.parent_ref, service):
            text = f"the ClusterIP {shown}: {address} for Service {key} has a wrong reference; repairing"
            report = _report(service, "ClusterIPNotAllocated", text)
        elif _is_shared(view, obj, service):
            text = f"Cluster IP {shown}:{address} was assigned to multiple services; please recreate service"
            reports.append(_report(service, "ClusterIPAlreadyAllocated", text))
        if report is not None or not is_managed(obj) or obj.metadata.labels.get(FAMILY_LABEL) != family_of(address):
            writes.append(Delete(type=IPAddress, name=address, uid=obj.metadata.uid))
            writes.append(Create(address_object(address, service), report))
    return Plan(writes=tuple(writes), reports=tuple(reports))


def _is_of(view: View, ref: ParentReference | None, service: Service) -> bool:
    """Whether it refers to the Service, or to another that exists: that one's affair."""
    if ref is None or ref.group or ref.resource != "services":
        return False
    meta = service.metadata
    return (ref.namespace, ref.name) == (meta.namespace, meta.name) or view.get(
        Service, ref.name, ref.namespace
    ) is not None


def _is_shared(view: View, obj: IPAddress, service: Service) -> bool:
    """Whether another Service has the address, and it says so."""
    ref = obj.spec.parent_ref
    assert ref is not None
    other = view.get(Service, ref.name, ref.namespace)
    return other is not None and key_of(other) != key_of(service) and obj.metadata.name in addresses_of(other)


def _address_plan(view: View, key: Key, now: float) -> Plan:
    obj = view.get(IPAddress, key)
    if obj is None or not is_managed(obj):
        return Plan()
    ref = obj.spec.parent_ref
    if ref is None or ref.group or ref.resource != "services":
        shown = "nil"
        if ref is not None:
            parts = f"Group:{ref.group},Resource:{ref.resource},Namespace:{ref.namespace},Name:{ref.name},"
            shown = f"&ParentReference{{{parts}}}"
        text = f"IPAddress {key} appears to have been modified, not referencing a Service {shown}: cleaning up"
        return _cleaned(obj, "IPAddressNotAllocated", text)
    service = view.get(Service, ref.name, ref.namespace)
    about = f"IPAddress: {key} for Service {ref.namespace}/{ref.name}"
    if service is None:
        left = parse_rfc3339(obj.metadata.creation_timestamp or "") + LEAK_S - now
        if left > 0:
            return Plan(requeue_after_s=left)
        return _cleaned(obj, "IPAddressNotAllocated", f"{about} appears to have leaked: cleaning up")
    if key in addresses_of(service):
        return Plan()
    return _cleaned(obj, "IPAddressWrongReference", f"{about} has a wrong reference; cleaning up")


def _cleaned(obj: IPAddress, reason: str, message: str) -> Plan:
    delete = Delete(type=IPAddress, name=obj.metadata.name, uid=obj.metadata.uid)
    return Plan(writes=(delete,), reports=(_report(obj, reason, message),))


def _report(regarding: Object, reason: str, message: str) -> Report:
    action = "IPAddressAllocation" if isinstance(regarding, IPAddress) else "ClusterIPAllocation"
    return Report(regarding=regarding, type="Warning", reason=reason, message=message, action=action)
