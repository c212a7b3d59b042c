"""Defaults of the core group's kinds beside pods. Pure. Source: k8s.io/kubernetes pkg/apis/core/v1/defaults.go"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from kubelite.api import core_v1 as core, discovery_v1 as discovery
from kubelite.api.defaults_pod import default_claim_spec, default_quantities, default_template
from kubelite.api.meta import Quantity

_CLIENT_IP_S = 10800


def default_service(service: core.Service) -> core.Service:
    spec = service.spec
    type_ = spec.type or "ClusterIP"
    changes: dict[str, Any] = {"type": type_, "session_affinity": spec.session_affinity or "None"}
    if changes["session_affinity"] == "None":
        changes["session_affinity_config"] = None
    elif changes["session_affinity"] == "ClientIP":
        config = spec.session_affinity_config
        if config is None or config.client_ip is None or config.client_ip.timeout_seconds is None:
            timeout = core.ClientIPConfig(timeout_seconds=_CLIENT_IP_S)
            changes["session_affinity_config"] = core.SessionAffinityConfig(client_ip=timeout)
    changes["ports"] = tuple(
        replace(port, protocol=port.protocol or "TCP", target_port=port.target_port or port.port) for port in spec.ports
    )
    external = type_ in ("NodePort", "LoadBalancer") or (type_ == "ClusterIP" and spec.external_ips)
    if external and not spec.external_traffic_policy:
        changes["external_traffic_policy"] = "Cluster"
    if spec.internal_traffic_policy is None and type_ in ("NodePort", "LoadBalancer", "ClusterIP"):
        changes["internal_traffic_policy"] = "Cluster"
    if type_ == "LoadBalancer" and spec.allocate_load_balancer_node_ports is None:
        changes["allocate_load_balancer_node_ports"] = True
    if spec.cluster_ip and not spec.cluster_ips and type_ != "ExternalName":
        changes["cluster_ips"] = (spec.cluster_ip,)
    elif spec.cluster_ips and not spec.cluster_ip:
        changes["cluster_ip"] = spec.cluster_ips[0]
    return replace(service, spec=replace(spec, **changes))


def default_secret(secret: core.Secret) -> core.Secret:
    return secret if secret.type else replace(secret, type="Opaque")


def default_namespace(namespace: core.Namespace) -> core.Namespace:
    name = namespace.metadata.name
    if not name or namespace.metadata.labels.get("kubernetes.io/metadata.name") == name:
        return namespace
    labels = {**namespace.metadata.labels, "kubernetes.io/metadata.name": name}
    return replace(namespace, metadata=replace(namespace.metadata, labels=labels))


def default_node(node: core.Node) -> core.Node:
    capacity = default_quantities(node.status.capacity)
    allocatable = default_quantities(node.status.allocatable) or capacity
    if capacity is node.status.capacity and allocatable is node.status.allocatable:
        return node
    return replace(node, status=replace(node.status, capacity=capacity, allocatable=allocatable))


def default_endpoints(endpoints: core.Endpoints) -> core.Endpoints:
    return replace(
        endpoints,
        subsets=tuple(
            replace(subset, ports=tuple(replace(port, protocol=port.protocol or "TCP") for port in subset.ports))
            for subset in endpoints.subsets
        ),
    )


def default_endpoint_slice(endpoint_slice: discovery.EndpointSlice) -> discovery.EndpointSlice:
    """Source: k8s.io/kubernetes pkg/apis/discovery/v1/defaults.go"""
    ports = tuple(
        replace(
            port,
            name="" if port.name is None else port.name,
            protocol="TCP" if port.protocol is None else port.protocol,
        )
        for port in endpoint_slice.ports
    )
    return endpoint_slice if ports == endpoint_slice.ports else replace(endpoint_slice, ports=ports)


def default_volume(volume: core.PersistentVolume) -> core.PersistentVolume:
    spec = volume.spec
    host_path = spec.host_path
    if host_path is not None and host_path.type is None:
        host_path = replace(host_path, type="")
    return replace(
        volume,
        spec=replace(
            spec,
            capacity=default_quantities(spec.capacity),
            host_path=host_path,
            persistent_volume_reclaim_policy=spec.persistent_volume_reclaim_policy or "Retain",
            volume_mode=spec.volume_mode or "Filesystem",
        ),
        status=replace(volume.status, phase=volume.status.phase or "Pending"),
    )


def default_claim(claim: core.PersistentVolumeClaim) -> core.PersistentVolumeClaim:
    status = claim.status
    return replace(
        claim,
        spec=default_claim_spec(claim.spec),
        status=replace(status, phase=status.phase or "Pending", capacity=default_quantities(status.capacity)),
    )


def default_pod_template(template: core.PodTemplate) -> core.PodTemplate:
    return replace(template, template=default_template(template.template))


def default_replication_controller(controller: core.ReplicationController) -> core.ReplicationController:
    spec = controller.spec
    labels = spec.template.metadata.labels if spec.template else {}
    metadata = controller.metadata
    if labels and not metadata.labels:
        metadata = replace(metadata, labels=labels)
    spec = replace(
        spec,
        replicas=1 if spec.replicas is None else spec.replicas,
        selector=spec.selector or labels,
        template=default_template(spec.template) if spec.template else None,
    )
    return replace(controller, metadata=metadata, spec=spec)


def default_limit_range(limits: core.LimitRange) -> core.LimitRange:
    return replace(limits, spec=replace(limits.spec, limits=tuple(_limit(item) for item in limits.spec.limits)))


def _limit(item: core.LimitRangeItem) -> core.LimitRangeItem:
    low, high = default_quantities(item.min), default_quantities(item.max)
    usual, request = default_quantities(item.default), default_quantities(item.default_request)
    if item.type == "Container":
        usual = _merged(high, usual)
        request = _merged(_merged(low, usual), request)
    ratio = default_quantities(item.max_limit_request_ratio)
    return replace(item, min=low, max=high, default=usual, default_request=request, max_limit_request_ratio=ratio)


def _merged(base: Any, over: Any) -> dict[str, Quantity]:
    return {**base, **over}


def default_quota(quota: core.ResourceQuota) -> core.ResourceQuota:
    status = quota.status
    return replace(
        quota,
        spec=replace(quota.spec, hard=default_quantities(quota.spec.hard)),
        status=replace(status, hard=default_quantities(status.hard), used=default_quantities(status.used)),
    )
