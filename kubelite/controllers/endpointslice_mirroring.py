"""EndpointSlices of Endpoints that a user wrote for a Service without a selector.

Called by `client/host` per Endpoints. One slice per subset, address family and hundred addresses.
Source: KEP-752; k8s.io/kubernetes pkg/controller/endpointslicemirroring
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from kubelite.api.core_v1 import EndpointAddress, Endpoints, EndpointSubset, Service
from kubelite.api.discovery_v1 import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from kubelite.api.meta import Object, ObjectMeta, controlled_by
from kubelite.client.plan import Create, Delete, Plan, Update, Write
from kubelite.client.view import Key, View, Watch, key_of, self_key, split_key
from kubelite.controllers.endpointslice import MANAGED_BY, SLICE_SIZE, slice_keys
from kubelite.controllers.services import SERVICE_NAME
from kubelite.controllers.template_hash import safe_hash

MANAGER = "endpointslicemirroring-controller.k8s.io"
SKIP = "endpointslice.kubernetes.io/skip-mirror"
LEADER = "control-plane.alpha.kubernetes.io/leader"
MAX_ADDRESSES = 1000  #: of a subset
_UNCOPIED = ("endpoints.kubernetes.io/last-change-trigger-time", "kubectl.kubernetes.io/last-applied-configuration")


def _service_keys(view: View, old: Service | None, new: Service | None) -> Iterable[Key]:
    """The Endpoints of the same name, when that they are mirrored may have changed."""
    obj = new or old
    if obj is not None and (old is None or new is None or old.spec.selector != new.spec.selector):
        yield key_of(obj)


class EndpointSliceMirroring:
    name = "endpointslice-mirroring-controller"
    watches = (Watch(Endpoints, self_key), Watch(Service, _service_keys), Watch(EndpointSlice, slice_keys))
    reads: tuple[type[Object], ...] = ()

    def decide(self, view: View, key: Key, now: float) -> Plan:
        namespace, name = split_key(key)
        endpoints, service = view.get(Endpoints, name, namespace), view.get(Service, name, namespace)
        mine = {
            slice_.metadata.name: slice_
            for slice_ in view.indexed(EndpointSlice, "service", key)
            if slice_.metadata.labels.get(MANAGED_BY) == MANAGER
        }
        wanted: dict[str, EndpointSlice] = {}
        if endpoints is not None and service is not None and not service.spec.selector and _is_mirrored(endpoints):
            wanted = {slice_.metadata.name: slice_ for slice_ in compute_slices(endpoints)}
        writes: list[Write] = []
        for name_, slice_ in wanted.items():
            old = mine.pop(name_, None)
            if old is None:
                writes.append(Create(slice_))
                continue
            metadata = replace(
                old.metadata,
                labels=slice_.metadata.labels,
                annotations=slice_.metadata.annotations,
                owner_references=slice_.metadata.owner_references,
            )
            changed = replace(old, metadata=metadata, endpoints=slice_.endpoints, ports=slice_.ports)
            if changed != old:
                writes.append(Update(changed))
        for slice_ in mine.values():
            meta = slice_.metadata
            writes.append(Delete(type=EndpointSlice, name=meta.name, namespace=meta.namespace, uid=meta.uid))
        return Plan(writes=tuple(writes))


def _is_mirrored(endpoints: Endpoints) -> bool:
    meta = endpoints.metadata
    skipped = meta.labels.get(SKIP) == "true" or LEADER in meta.annotations
    return not skipped and not meta.deletion_timestamp


def compute_slices(endpoints: Endpoints) -> Iterator[EndpointSlice]:
    """The slices, under names that the same subset gives again."""
    meta = endpoints.metadata
    labels = {key: text for key, text in meta.labels.items() if key != "endpoints.kubernetes.io/managed-by"}
    annotations = {key: text for key, text in meta.annotations.items() if key not in _UNCOPIED}
    for number, subset in enumerate(endpoints.subsets):
        ports = tuple(
            EndpointPort(name=port.name, port=port.port, protocol=port.protocol, app_protocol=port.app_protocol)
            for port in subset.ports
        )
        for family in ("IPv4", "IPv6"):
            found = [entry for entry in _endpoints(subset) if (":" in entry.addresses[0]) == (family == "IPv6")]
            for start in range(0, len(found), SLICE_SIZE):
                name = f"{meta.name}-{safe_hash((meta.uid, family, number, start), 0)[:5]}"
                metadata = ObjectMeta(
                    name=name,
                    generate_name=f"{meta.name}-",
                    namespace=meta.namespace,
                    labels={**labels, SERVICE_NAME: meta.name, MANAGED_BY: MANAGER},
                    annotations=annotations,
                    owner_references=(controlled_by(endpoints),),
                )
                chunk = tuple(found[start : start + SLICE_SIZE])
                yield EndpointSlice(metadata=metadata, address_type=family, endpoints=chunk, ports=ports)


def _endpoints(subset: EndpointSubset) -> list[Endpoint]:
    ready = [_endpoint(address, ready=True) for address in subset.addresses]
    return (ready + [_endpoint(address, ready=False) for address in subset.not_ready_addresses])[:MAX_ADDRESSES]


def _endpoint(address: EndpointAddress, *, ready: bool) -> Endpoint:
    return Endpoint(
        addresses=(address.ip,),
        conditions=EndpointConditions(ready=ready),
        hostname=address.hostname or None,
        node_name=address.node_name,
        target_ref=address.target_ref,
    )
