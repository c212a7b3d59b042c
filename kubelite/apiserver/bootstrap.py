"""What a cluster has before anybody asks: namespaces, priority classes, the network and the Service called `kubernetes`.

`bootstrap` runs before the API is served and again after every start; it creates what is missing and corrects the Service's
endpoint, and changes nothing else.
Source: k8s.io/kubernetes pkg/controlplane/controller/{systemnamespaces,kubernetesservice,defaultservicecidr},
pkg/registry/scheduling/rest
"""

from __future__ import annotations

import ipaddress
from typing import Any

from msgspec.structs import replace

from kubelite.api import (
    core_v1 as core,
    discovery_v1 as discovery,
    networking_v1 as networking,
    scheduling_v1 as scheduling,
    storage_v1 as storage,
)
from kubelite.api.errors import AlreadyExists, NotFound
from kubelite.api.meta import Object, ObjectMeta
from kubelite.api.service_addresses import DEFAULT_CIDR
from kubelite.api.volume_matching import DELAYED, HOST_PATH
from kubelite.apiserver.interface import Context, Registry, User

NAMESPACES = ("kube-system", "kube-public", "kube-node-lease", "default")
_USER = User(name="system:apiserver", groups=("system:masters",))
_CONTEXT = Context(user=_USER, cause="bootstrap")
_SERVICE_LABELS = {"component": "apiserver", "provider": "kubernetes"}
_SLICE_LABELS = {"kubernetes.io/service-name": "kubernetes"}
_DNS_LABELS = {"k8s-app": "kube-dns", "kubernetes.io/name": "CoreDNS"}
_MIRROR_LABELS = {"endpointslice.kubernetes.io/skip-mirror": "true"}

PRIORITY_CLASSES = (
    scheduling.PriorityClass(
        metadata=ObjectMeta(name="system-node-critical"),
        value=2_000_001_000,
        description="Used for system critical pods that must not be moved from their current node.",
    ),
    scheduling.PriorityClass(
        metadata=ObjectMeta(name="system-cluster-critical"),
        value=2_000_000_000,
        description="Used for system critical pods that must run in the cluster, but can be moved to another node "
        "if necessary.",
    ),
)

#: Directories on the nodes; what a claim without a class gets.
STORAGE_CLASS = storage.StorageClass(
    metadata=ObjectMeta(name="standard", annotations={"storageclass.kubernetes.io/is-default-class": "true"}),
    provisioner=HOST_PATH,
    reclaim_policy="Delete",
    allow_volume_expansion=True,
    volume_binding_mode=DELAYED,
)


async def bootstrap(registry: Registry, *, service_cidr: str, address: str, port: int) -> None:
    """`service_cidr` is the network of Services; `address` and `port` are where the API server listens."""
    for name in NAMESPACES:
        await _ensure(registry, core.Namespace(metadata=ObjectMeta(name=name)))
    for priority in PRIORITY_CLASSES:
        await _ensure(registry, priority)
    await _ensure(registry, STORAGE_CLASS)
    await _ensure(registry, _network(service_cidr))
    await _ensure(registry, _service(str(ipaddress.ip_network(service_cidr).network_address + 1)))
    for wanted in (_endpoints(address, port), _slice(address, port)):
        found = await _ensure(registry, wanted)
        await _correct(registry, found, wanted)


async def bootstrap_dns(registry: Registry, *, service_ip: str, address: str, port: int) -> None:
    """The Service of the cluster's DNS server, which listens on `address`; upstream's name, for those who look for it."""
    ports = [("dns", "UDP"), ("dns-tcp", "TCP")]
    service = core.Service(
        metadata=ObjectMeta(name="kube-dns", namespace="kube-system", labels=_DNS_LABELS),
        spec=core.ServiceSpec(
            cluster_ip=service_ip,
            ports=tuple(core.ServicePort(name=name, protocol=protocol, port=53) for name, protocol in ports),
            type="ClusterIP",
        ),
    )
    await _ensure(registry, service)
    wanted = discovery.EndpointSlice(
        metadata=ObjectMeta(
            name="kube-dns", namespace="kube-system", labels={**_DNS_LABELS, "kubernetes.io/service-name": "kube-dns"}
        ),
        address_type="IPv4",
        endpoints=(discovery.Endpoint(addresses=(address,), conditions=discovery.EndpointConditions(ready=True)),),
        ports=tuple(discovery.EndpointPort(name=name, protocol=protocol, port=port) for name, protocol in ports),
    )
    await _correct(registry, await _ensure(registry, wanted), wanted)


async def _ensure(registry: Registry, wanted: Object) -> Any:
    """The object as it is; created if it is missing."""
    resource = registry.scheme.of(type(wanted))
    meta = wanted.metadata
    try:
        return (await registry.get(resource, meta.name, meta.namespace)).object
    except NotFound:
        try:
            return (await registry.create(resource, meta.namespace, wanted, _CONTEXT)).object
        except AlreadyExists:
            return (await registry.get(resource, meta.name, meta.namespace)).object


async def _correct(registry: Registry, found: Any, wanted: Any) -> None:
    """Puts the server's present address into `found`."""
    resource = registry.scheme.of(type(found))
    content = {name: getattr(wanted, name) for name in wanted.__struct_fields__ if name != "metadata"}
    metadata = replace(found.metadata, labels={**found.metadata.labels, **wanted.metadata.labels}, resource_version="")
    new = replace(found, metadata=metadata, **content)
    await registry.update(resource, metadata.name, metadata.namespace, new, _CONTEXT)


def _network(cidr: str) -> networking.ServiceCIDR:
    return networking.ServiceCIDR(
        metadata=ObjectMeta(name=DEFAULT_CIDR), spec=networking.ServiceCIDRSpec(cidrs=(cidr,))
    )


def _service(service_ip: str) -> core.Service:
    return core.Service(
        metadata=ObjectMeta(name="kubernetes", namespace="default", labels=_SERVICE_LABELS),
        spec=core.ServiceSpec(
            cluster_ip=service_ip,
            ports=(core.ServicePort(name="https", protocol="TCP", port=443, target_port=6443),),
            type="ClusterIP",
        ),
    )


def _endpoints(address: str, port: int) -> core.Endpoints:
    subset = core.EndpointSubset(
        addresses=(core.EndpointAddress(ip=address),),
        ports=(core.EndpointPort(name="https", port=port, protocol="TCP"),),
    )
    metadata = ObjectMeta(name="kubernetes", namespace="default", labels=_MIRROR_LABELS)
    return core.Endpoints(metadata=metadata, subsets=(subset,))


def _slice(address: str, port: int) -> discovery.EndpointSlice:
    family = "IPv4" if ipaddress.ip_address(address).version == 4 else "IPv6"
    ready = discovery.EndpointConditions(ready=True)
    return discovery.EndpointSlice(
        metadata=ObjectMeta(name="kubernetes", namespace="default", labels=_SLICE_LABELS),
        address_type=family,
        endpoints=(discovery.Endpoint(addresses=(address,), conditions=ready),),
        ports=(discovery.EndpointPort(name="https", protocol="TCP", port=port),),
    )
