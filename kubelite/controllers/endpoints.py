"""Endpoints: the older form of EndpointSlices, one object per Service, at most a thousand addresses.

Called by `client/host` per Service. Source: k8s.io/kubernetes pkg/controller/endpoint, pkg/api/v1/endpoints/util.go
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from kubelite.api.core_v1 import (
    EndpointAddress,
    EndpointPort,
    Endpoints,
    EndpointSubset,
    ObjectReference,
    Pod,
    Service,
)
from kubelite.api.meta import Object, ObjectMeta
from kubelite.client.plan import Create, Delete, Plan, Update
from kubelite.client.view import Key, View, Watch, self_key, split_key
from kubelite.controllers.pods import is_ready
from kubelite.controllers.services import (
    HEADLESS,
    find_port,
    has_endpoints,
    hostname_in,
    is_headless,
    selected_pods,
    service_keys,
)

MANAGED_BY = "endpoints.kubernetes.io/managed-by"
MANAGER = "endpoint-controller"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
MAX_ADDRESSES = 1000

#: An address with whether it is ready, by the ports that it serves.
_Ports = tuple[EndpointPort, ...]


class EndpointsController:
    name = "endpoint-controller"
    watches = (Watch(Service, self_key), Watch(Pod, service_keys), Watch(Endpoints, self_key))
    reads: tuple[type[Object], ...] = ()

    def decide(self, view: View, key: Key, now: float) -> Plan:
        namespace, name = split_key(key)
        service = view.get(Service, name, namespace)
        current = view.get(Endpoints, name, namespace)
        if service is None:
            if current is None or current.metadata.labels.get(MANAGED_BY) != MANAGER:
                return Plan()
            delete = Delete(type=Endpoints, name=name, namespace=namespace, uid=current.metadata.uid)
            return Plan(writes=(delete,))
        if not has_endpoints(service) or service.metadata.deletion_timestamp:
            return Plan()
        subsets, truncated = compute_subsets(service, selected_pods(view, service))
        labels = {**service.metadata.labels, MANAGED_BY: MANAGER}
        labels.pop(HEADLESS, None)
        if is_headless(service):
            labels[HEADLESS] = ""
        if current is None:
            annotations = {OVER_CAPACITY: "truncated"} if truncated else {}
            meta = ObjectMeta(name=name, namespace=namespace, labels=labels, annotations=annotations)
            return Plan(writes=(Create(Endpoints(metadata=meta, subsets=subsets)),))
        annotations = {key: value for key, value in current.metadata.annotations.items() if key != OVER_CAPACITY}
        if truncated:
            annotations[OVER_CAPACITY] = "truncated"
        metadata = replace(current.metadata, labels=labels, annotations=annotations)
        changed = replace(current, metadata=metadata, subsets=subsets)
        return Plan(writes=(Update(changed),)) if changed != current else Plan()


def compute_subsets(service: Service, pods: Sequence[Pod]) -> tuple[tuple[EndpointSubset, ...], bool]:
    """(addresses grouped by the ports they serve, whether some were left out); ready ones are kept first."""
    everywhere = service.spec.publish_not_ready_addresses
    able = [pod for pod in pods if everywhere or not pod.metadata.deletion_timestamp]
    kept = sorted(able, key=lambda pod: not (everywhere or is_ready(pod)))[:MAX_ADDRESSES]
    ready: dict[_Ports, list[EndpointAddress]] = {}
    waiting: dict[_Ports, list[EndpointAddress]] = {}
    for pod in sorted(kept, key=lambda pod: pod.status.pod_ip):
        ports = tuple(
            EndpointPort(name=port.name, port=number, protocol=port.protocol or "TCP", app_protocol=port.app_protocol)
            for port in sorted(service.spec.ports, key=lambda port: port.name)
            if (number := find_port(pod, port)) is not None
        )
        if ports or not service.spec.ports:
            group = ready if everywhere or is_ready(pod) else waiting
            group.setdefault(ports, []).append(_address(service, pod))
    subsets = tuple(
        EndpointSubset(
            addresses=tuple(ready.get(ports, ())), not_ready_addresses=tuple(waiting.get(ports, ())), ports=ports
        )
        for ports in dict.fromkeys((*ready, *waiting))
    )
    return subsets, len(able) > MAX_ADDRESSES


def _address(service: Service, pod: Pod) -> EndpointAddress:
    return EndpointAddress(
        ip=pod.status.pod_ip,
        hostname=hostname_in(service, pod),
        node_name=pod.spec.node_name or None,
        target_ref=ObjectReference(
            kind="Pod", namespace=pod.metadata.namespace, name=pod.metadata.name, uid=pod.metadata.uid
        ),
    )
