"""EndpointSlices: where a Service's pods can be reached, in slices of at most a hundred.

Called by `client/host` per Service. An endpoint stays in the slice it is in, so a change of one pod rewrites one slice.
Slices of Services without a selector, and of other managers, are not its own.
Source: KEP-752, KEP-1672; k8s.io/kubernetes staging/src/k8s.io/endpointslice
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from kubelite.api.core_v1 import Node, ObjectReference, Pod, Service
from kubelite.api.discovery_v1 import (
    Endpoint,
    EndpointConditions,
    EndpointHints,
    EndpointPort,
    EndpointSlice,
    ForZone,
)
from kubelite.api.meta import Object, ObjectMeta, controlled_by
from kubelite.client.plan import Create, Delete, Plan, Update, Write
from kubelite.client.view import Key, View, Watch, self_key, split_key
from kubelite.controllers.pods import is_ready
from kubelite.controllers.services import (
    HEADLESS,
    SERVICE_NAME,
    find_port,
    has_endpoints,
    hostname_in,
    is_headless,
    selected_pods,
    service_keys,
)
from kubelite.controllers.template_hash import safe_hash

MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
SLICE_SIZE = 100
ZONE = "topology.kubernetes.io/zone"

Ports = tuple[EndpointPort, ...]


def slice_service(slice_: EndpointSlice) -> Iterable[str]:
    """Index "service": slices by the `namespace/name` of their Service."""
    service = slice_.metadata.labels.get(SERVICE_NAME)
    return (f"{slice_.metadata.namespace}/{service}",) if service else ()


def slice_keys(view: View, old: EndpointSlice | None, new: EndpointSlice | None) -> Iterable[Key]:
    for slice_ in (old, new):
        if slice_ is not None:
            yield from slice_service(slice_)


class EndpointSliceController:
    name = "endpoint-slice-controller"
    watches = (Watch(Service, self_key), Watch(Pod, service_keys), Watch(EndpointSlice, slice_keys))
    reads: tuple[type[Object], ...] = (Node,)

    def decide(self, view: View, key: Key, now: float) -> Plan:
        namespace, name = split_key(key)
        service = view.get(Service, name, namespace)
        if service is None or service.metadata.deletion_timestamp or not has_endpoints(service):
            return Plan()
        mine = [
            slice_
            for slice_ in view.indexed(EndpointSlice, "service", key)
            if slice_.metadata.labels.get(MANAGED_BY) == MANAGER and not slice_.metadata.deletion_timestamp
        ]
        pods = selected_pods(view, service)
        families = service.spec.ip_families or ("IPv4",)
        writes: list[Write] = []
        for family in families:
            of_family = [slice_ for slice_ in mine if slice_.address_type == family]
            writes += _of_family(service, family, compute_endpoints(view, service, pods, family), of_family)
        writes += [_delete(slice_) for slice_ in mine if slice_.address_type not in families]
        return Plan(writes=tuple(writes))


def compute_endpoints(view: View, service: Service, pods: Sequence[Pod], family: str) -> dict[Ports, list[Endpoint]]:
    """The endpoints of one address family, by the ports that their pods give the Service."""
    groups: dict[Ports, list[Endpoint]] = {}
    for pod in pods:
        ips = [entry.ip for entry in pod.status.pod_ips] or [pod.status.pod_ip]
        addresses = tuple(ip for ip in ips if (":" in ip) == (family == "IPv6"))
        if addresses:
            groups.setdefault(_ports(service, pod), []).append(_endpoint(view, service, pod, addresses))
    return groups


def _ports(service: Service, pod: Pod) -> Ports:
    return tuple(
        EndpointPort(name=port.name, port=number, protocol=port.protocol or "TCP", app_protocol=port.app_protocol)
        for port in service.spec.ports
        if (number := find_port(pod, port)) is not None
    )


def _endpoint(view: View, service: Service, pod: Pod, addresses: tuple[str, ...]) -> Endpoint:
    serving = is_ready(pod)
    terminating = pod.metadata.deletion_timestamp is not None
    node = view.get(Node, pod.spec.node_name) if pod.spec.node_name else None
    zone = (node.metadata.labels.get(ZONE) if node else None) or None
    close = service.spec.traffic_distribution == "PreferClose"
    return Endpoint(
        addresses=addresses,
        conditions=EndpointConditions(
            ready=service.spec.publish_not_ready_addresses or (serving and not terminating),
            serving=serving,
            terminating=terminating,
        ),
        hostname=hostname_in(service, pod) or None,
        target_ref=ObjectReference(
            kind="Pod", namespace=pod.metadata.namespace, name=pod.metadata.name, uid=pod.metadata.uid
        ),
        node_name=pod.spec.node_name or None,
        zone=zone,
        hints=EndpointHints(for_zones=(ForZone(name=zone),)) if close and zone else None,
    )


def _of_family(
    service: Service, family: str, wanted: dict[Ports, list[Endpoint]], slices: Sequence[EndpointSlice]
) -> list[Write]:
    """The writes that bring the slices of one address family to `wanted`, with an empty slice when there is nothing."""
    writes: list[Write] = []
    names = {slice_.metadata.name for slice_ in slices}
    left: list[EndpointSlice] = []
    for ports in dict.fromkeys([*(slice_.ports for slice_ in slices), *wanted]):
        same = [slice_ for slice_ in slices if slice_.ports == ports]
        filled, fresh = _distribute(wanted.get(ports, []), [slice_.endpoints for slice_ in same])
        for slice_, endpoints in zip(same, filled, strict=True):
            if not endpoints:
                left.append(slice_)
            elif (changed := _edited(service, slice_, endpoints, ports)) != slice_:
                writes.append(Update(changed))
        writes += [_create(service, family, ports, endpoints, names) for endpoints in fresh]
    if not wanted:
        if not left:
            return [_create(service, family, (), (), names)]
        empty = left.pop(0)
        if (changed := _edited(service, empty, (), ())) != empty:
            writes.append(Update(changed))
    return [*writes, *(_delete(slice_) for slice_ in left)]


def _identity(endpoint: Endpoint) -> object:
    return (endpoint.target_ref.uid if endpoint.target_ref else "", endpoint.addresses)


def _distribute(
    wanted: Sequence[Endpoint], present: Sequence[tuple[Endpoint, ...]]
) -> tuple[list[tuple[Endpoint, ...]], list[tuple[Endpoint, ...]]]:
    """(the present slices refilled, further ones): who is there stays there, new ones go where the most are."""
    missing = {_identity(endpoint): endpoint for endpoint in wanted}
    filled = [[missing.pop(_identity(old)) for old in slice_ if _identity(old) in missing] for slice_ in present]
    rest = list(missing.values())
    for endpoints in sorted(filled, key=len, reverse=True):
        room = SLICE_SIZE - len(endpoints)
        if endpoints or room >= len(rest):
            endpoints.extend(rest[:room])
            rest = rest[room:]
    fresh = [tuple(rest[start : start + SLICE_SIZE]) for start in range(0, len(rest), SLICE_SIZE)]
    return [tuple(endpoints) for endpoints in filled], fresh


def _labels(service: Service) -> dict[str, str]:
    labels = {key: value for key, value in service.metadata.labels.items() if key != HEADLESS}
    if is_headless(service):
        labels[HEADLESS] = ""
    return {**labels, SERVICE_NAME: service.metadata.name, MANAGED_BY: MANAGER}


def _edited(service: Service, slice_: EndpointSlice, endpoints: Sequence[Endpoint], ports: Ports) -> EndpointSlice:
    metadata = replace(slice_.metadata, labels=_labels(service), owner_references=(controlled_by(service),))
    return replace(slice_, metadata=metadata, endpoints=tuple(endpoints), ports=ports)


def _create(service: Service, family: str, ports: Ports, endpoints: Sequence[Endpoint], names: set[str]) -> Create:
    """A slice under a name that the same situation gives again."""
    meta = service.metadata
    salt = 0
    while (name := f"{meta.name}-{safe_hash((meta.uid, family, ports), salt)[:5]}") in names:
        salt += 1
    names.add(name)
    metadata = ObjectMeta(
        name=name,
        generate_name=f"{meta.name}-",
        namespace=meta.namespace,
        labels=_labels(service),
        owner_references=(controlled_by(service),),
    )
    return Create(EndpointSlice(metadata=metadata, address_type=family, endpoints=tuple(endpoints), ports=ports))


def _delete(slice_: EndpointSlice) -> Delete:
    meta = slice_.metadata
    return Delete(type=EndpointSlice, name=meta.name, namespace=meta.namespace, uid=meta.uid)
