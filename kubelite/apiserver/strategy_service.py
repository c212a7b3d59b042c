"""How an update of a Service is completed from its old state. Pure.

A client that leaves out what the server has allocated keeps it; what the new type has no use for is dropped unless the client
has just set it. Source: k8s.io/kubernetes pkg/registry/core/service/{strategy,storage/storage}.go
"""

from __future__ import annotations

from msgspec.structs import replace

from kubelite.api import core_v1 as core


def update_service(new: core.Service, old: core.Service) -> core.Service:
    spec = _keep_allocated(new.spec, old.spec)
    spec = _drop_unused(spec, old.spec)
    return new if spec is new.spec else replace(new, spec=spec)


def _needs_ip(spec: core.ServiceSpec) -> bool:
    return spec.type in ("ClusterIP", "NodePort", "LoadBalancer")


def _needs_ports(spec: core.ServiceSpec) -> bool:
    return spec.type == "NodePort" or (
        spec.type == "LoadBalancer" and spec.allocate_load_balancer_node_ports is not False
    )


def _checked(spec: core.ServiceSpec) -> bool:
    return spec.type == "LoadBalancer" and spec.external_traffic_policy == "Local"


def _keep_allocated(new: core.ServiceSpec, old: core.ServiceSpec) -> core.ServiceSpec:
    if _needs_ip(new) and _needs_ip(old):
        if not new.cluster_ip and not new.cluster_ips:
            new = replace(new, cluster_ip=old.cluster_ip, cluster_ips=old.cluster_ips)
        elif new.cluster_ip == old.cluster_ip and not new.cluster_ips:
            new = replace(new, cluster_ips=old.cluster_ips)
        elif not new.cluster_ip and new.cluster_ips == old.cluster_ips:
            new = replace(new, cluster_ips=())
        elif new.cluster_ip != old.cluster_ip and new.cluster_ips == old.cluster_ips:
            new = replace(new, cluster_ips=(new.cluster_ip,))
        new = replace(
            new,
            ip_families=new.ip_families or old.ip_families,
            ip_family_policy=new.ip_family_policy or old.ip_family_policy,
        )
    if _needs_ports(new) and _needs_ports(old):
        held = {(port.protocol, port.port): port.node_port for port in old.ports}
        asked = {port.node_port for port in new.ports}
        ports = tuple(
            replace(port, node_port=held[port.protocol, port.port])
            if not port.node_port and (port.protocol, port.port) in held and held[port.protocol, port.port] not in asked
            else port
            for port in new.ports
        )
        new = replace(new, ports=ports)
    if _checked(new) and _checked(old) and not new.health_check_node_port:
        new = replace(new, health_check_node_port=old.health_check_node_port)
    return new


def _drop_unused(new: core.ServiceSpec, old: core.ServiceSpec) -> core.ServiceSpec:
    if _needs_ip(old) and not _needs_ip(new) and new.cluster_ip == old.cluster_ip:
        new = replace(new, cluster_ip="", cluster_ips=(), ip_families=(), ip_family_policy=None)
    if (
        _needs_ports(old)
        and not _needs_ports(new)
        and [p.node_port for p in new.ports] == [p.node_port for p in old.ports]
    ):
        new = replace(new, ports=tuple(replace(port, node_port=0) for port in new.ports))
    if _checked(old) and not _checked(new) and new.health_check_node_port == old.health_check_node_port:
        new = replace(new, health_check_node_port=0)
    if new.type not in ("NodePort", "LoadBalancer") and new.external_traffic_policy == old.external_traffic_policy:
        new = replace(new, external_traffic_policy="" if not new.external_ips else new.external_traffic_policy)
    if old.type == "LoadBalancer" and new.type != "LoadBalancer":
        if new.allocate_load_balancer_node_ports == old.allocate_load_balancer_node_ports:
            new = replace(new, allocate_load_balancer_node_ports=None)
        if new.load_balancer_class == old.load_balancer_class:
            new = replace(new, load_balancer_class=None)
    return new
