"""ServiceCIDRs: ready as soon as they exist, and not gone before no Service's address needs them.

Called by `client/host` per ServiceCIDR. One that is contained in another is not needed; otherwise every address that the
allocator has given from it must be gone, and then it stays a while longer, so that no server gives from it any more. The one
called `kubernetes` is the setting of the server: it comes back, and is never changed.
Source: k8s.io/kubernetes pkg/controller/servicecidrs, pkg/controlplane/controller/defaultservicecidr, KEP-1880
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from kubelite.api.meta import Condition, Object, ObjectMeta
from kubelite.api.networking_v1 import IPAddress, ServiceCIDR, ServiceCIDRSpec
from kubelite.api.service_addresses import DEFAULT_CIDR, Network, contains, is_managed, networks_of
from kubelite.api.timestamp import parse_rfc3339, rfc3339
from kubelite.client.plan import Create, Patch, Plan, Report, Update, Write
from kubelite.client.view import Key, View, Watch

FINALIZER = "networking.k8s.io/service-cidr-finalizer"
DELETION_GRACE_S = 10.0
_READY = "Kubernetes Service CIDR is ready"
_IN_USE = "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR"
_DEFAULT_REPORTER = "kubernetes-service-cidr-controller"


def _keys(view: View, old: ServiceCIDR | None, new: ServiceCIDR | None) -> Iterable[Key]:
    """Itself, and when it is new those that may go for it."""
    cidr = new or old
    assert cidr is not None
    yield cidr.metadata.name
    if old is None:
        yield from _going(view)


def _address_keys(view: View, old: IPAddress | None, new: IPAddress | None) -> Iterable[Key]:
    if old is None or new is None:
        yield from _going(view)


def _going(view: View) -> Iterable[Key]:
    return (cidr.metadata.name for cidr in view.list(ServiceCIDR) if cidr.metadata.deletion_timestamp)


class ServiceCIDRController:
    """`default` is the network that the server was configured with; empty where somebody else sees to it."""

    name = "service-cidr-controller"
    watches = (Watch(ServiceCIDR, _keys), Watch(IPAddress, _address_keys))
    reads: tuple[type[Object], ...] = ()

    def __init__(self, default: str = "") -> None:
        self._default = default
        self._has_told = False  # that the default is another one than configured

    def decide(self, view: View, key: Key, now: float) -> Plan:
        cidr = view.get(ServiceCIDR, key)
        if cidr is None:
            return self._restored() if key == DEFAULT_CIDR and self._default else Plan()
        if cidr.metadata.deletion_timestamp:
            return _ended(view, cidr, parse_rfc3339(cidr.metadata.deletion_timestamp), now)
        if FINALIZER not in cidr.metadata.finalizers:
            return Plan(writes=(_finalizers(cidr, [*cidr.metadata.finalizers, FINALIZER]),))
        writes = _condition(cidr, now, status="True", reason="", message=_READY)
        return Plan(writes=writes, reports=self._mismatch(cidr))

    def _restored(self) -> Plan:
        spec = ServiceCIDRSpec(cidrs=(self._default,))
        return Plan(writes=(Create(ServiceCIDR(metadata=ObjectMeta(name=DEFAULT_CIDR), spec=spec)),))

    def _mismatch(self, cidr: ServiceCIDR) -> tuple[Report, ...]:
        wrong = self._default not in ("", *cidr.spec.cidrs) and cidr.metadata.name == DEFAULT_CIDR
        if not wrong or self._has_told:
            return ()
        self._has_told = True
        message = (
            f"The default ServiceCIDR [{' '.join(cidr.spec.cidrs)}] does not match the controller flag configurations "
            f"[{self._default}]"
        )
        reason = "KubernetesDefaultServiceCIDRInconsistent"
        return (Report(regarding=cidr, type="Warning", reason=reason, message=message, reporter=_DEFAULT_REPORTER),)


def _ended(view: View, cidr: ServiceCIDR, since: float, now: float) -> Plan:
    """It waits for its addresses, and then for servers that have not heard of its end."""
    if FINALIZER not in cidr.metadata.finalizers:
        return Plan()
    if _is_needed(view, cidr):
        return Plan(writes=_condition(cidr, now, status="False", reason="Terminating", message=_IN_USE))
    if (left := since + DELETION_GRACE_S - now) > 0:
        return Plan(requeue_after_s=left)
    return Plan(writes=(_finalizers(cidr, [name for name in cidr.metadata.finalizers if name != FINALIZER]),))


def _is_needed(view: View, cidr: ServiceCIDR) -> bool:
    """Whether an address would be in no network without it."""
    others = [other for other in view.list(ServiceCIDR) if other.metadata.name != cidr.metadata.name]
    if all(any(_includes(other, network) for other in others) for network in networks_of(cidr)):
        return False
    given = (obj.metadata.name for obj in view.list(IPAddress) if is_managed(obj))
    return any(contains(cidr, name) and not any(contains(other, name) for other in others) for name in given)


def _includes(cidr: ServiceCIDR, network: Network) -> bool:
    """Whether one of its networks has all of `network`."""
    return any(
        wide.version == network.version and wide.prefixlen <= network.prefixlen and network.network_address in wide
        for wide in networks_of(cidr)
    )


def _finalizers(cidr: ServiceCIDR, names: list[str]) -> Patch:
    meta = cidr.metadata
    patch = {"metadata": {"finalizers": names, "uid": meta.uid, "resourceVersion": meta.resource_version}}
    return Patch(type=ServiceCIDR, name=meta.name, patch=patch)


def _condition(cidr: ServiceCIDR, now: float, *, status: str, reason: str, message: str) -> tuple[Write, ...]:
    """Writes the condition Ready unless it is as it should be."""
    found = next((each for each in cidr.status.conditions if each.type == "Ready"), None)
    if found is not None and (found.status, found.reason, found.message) == (status, reason, message):
        return ()
    ready = Condition(type="Ready", status=status, reason=reason, message=message, last_transition_time=rfc3339(now))
    if found is not None and found.status == status:
        ready = replace(ready, last_transition_time=found.last_transition_time)
    others = tuple(each for each in cidr.status.conditions if each.type != "Ready")
    return (Update(replace(cidr, status=replace(cidr.status, conditions=(*others, ready))), subresource="status"),)
