"""Whether a pod fits one node by itself: name, cordon, taints, affinity to nodes, ports, resources.

Pure, in upstream's order; the first filter that objects gives the reasons. What depends on other nodes' pods is decided by
`pod_affinity` and `topology_spread`. Source: k8s.io/kubernetes pkg/scheduler/framework/plugins
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from kubelite.api.core_v1 import Taint
from kubelite.api.placement import required_nodes, selects_node, untolerated
from kubelite.scheduler.node_info import NodeInfo
from kubelite.scheduler.pod_info import PodInfo

_UNSCHEDULABLE_TAINT = Taint(key="node.kubernetes.io/unschedulable", effect="NoSchedule")
_ANY = "0.0.0.0"


class Rejection(msgspec.Struct, frozen=True, gc=False):
    """Why a node is out. `final`: evicting pods from it would not help."""

    plugin: str
    reasons: tuple[str, ...]
    final: bool = False


def unschedulable(pod: PodInfo, node: NodeInfo) -> Rejection | None:
    if node.node is None or not node.node.spec.unschedulable:
        return None
    if untolerated(pod.pod.spec.tolerations, (_UNSCHEDULABLE_TAINT,)) is None:
        return None
    return Rejection("NodeUnschedulable", ("node(s) were unschedulable",), final=True)


def taints(pod: PodInfo, node: NodeInfo) -> Rejection | None:
    if not node.hard_taints:
        return None
    taint = untolerated(pod.pod.spec.tolerations, node.hard_taints)
    if taint is None:
        return None
    reason = f"node(s) had untolerated taint {{{taint.key}: {taint.value}}}"
    return Rejection("TaintToleration", (reason,), final=True)


_AFFINITY = Rejection("NodeAffinity", ("node(s) didn't match Pod's node affinity/selector",), final=True)


def affinity(pod: PodInfo, node: NodeInfo) -> Rejection | None:
    return None if selects_node(pod.pod.spec, node.name, node.labels) else _AFFINITY


_PORTS = Rejection("NodePorts", ("node(s) didn't have free ports for the requested pod ports",))


def ports(pod: PodInfo, node: NodeInfo) -> Rejection | None:
    for ip, protocol, port in pod.host_ports:
        for used_ip, used_protocol, used_port in node.ports:
            if used_port == port and used_protocol == protocol and (ip == used_ip or _ANY in (ip, used_ip)):
                return _PORTS
    return None


def resources(pod: PodInfo, node: NodeInfo) -> Rejection | None:
    if (
        len(node.pods) < node.pod_limit
        and pod.millis <= node.millis - node.used_millis
        and pod.memory <= node.memory - node.used_memory
        and not pod.others
    ):
        return None  # the usual case; others are looked at below
    reasons = [] if len(node.pods) < node.pod_limit else ["Too many pods"]
    final = False
    used = {"cpu": node.used_millis, "memory": node.used_memory}
    for name, amount in pod.requests.items():
        offered = node.allocatable.get(name, 0)
        if amount and amount > offered - used.get(name, node.used.get(name, 0)):
            reasons.append(f"Insufficient {name}")
            final = final or amount > offered
    return Rejection("NodeResourcesFit", tuple(reasons), final=final) if reasons else None


Filter = Callable[[PodInfo, NodeInfo], Rejection | None]


def filters_for(pod: PodInfo) -> tuple[Filter, ...]:
    """The filters that can object to `pod`, in order."""
    spec = pod.pod.spec
    chosen: list[Filter] = [unschedulable, taints]
    if spec.node_selector or required_nodes(spec) is not None:
        chosen.append(affinity)
    if pod.host_ports:
        chosen.append(ports)
    return (*chosen, resources)


def rejected_by(filters: tuple[Filter, ...], pod: PodInfo, node: NodeInfo) -> Rejection | None:
    """The first objection."""
    for check in filters:
        if (rejection := check(pod, node)) is not None:
            return rejection
    return None
