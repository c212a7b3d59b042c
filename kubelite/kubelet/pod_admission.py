"""Whether this node takes a pod that was bound to it. Pure.

The scheduler has decided long before; this refuses what cannot work, as when a pod names its node itself.
Source: pkg/kubelet/lifecycle/predicate.go, pkg/kubelet/sysctl/allowlist.go, pkg/kubelet/kubelet.go (rejectPod)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kubelite.api.core_v1 import Pod
from kubelite.api.meta import Quantity
from kubelite.api.quantity import milli_value, value
from kubelite.kubelet.failure import Failure
from kubelite.kubelet.host_ports import host_ports
from kubelite.kubelet.qos import pod_amounts

#: Those that stay within the pod. Source: https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/
SAFE_SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_wmem",
    }
)


def compute_rejection(pod: Pod, others: Iterable[Pod], allocatable: Mapping[str, Quantity]) -> Failure | None:
    """Why the pod cannot run beside `others`, the pods of this node that are not over; the message is the Event's."""
    known = list(others)
    return _sysctls(pod) or _ports(pod, known) or _resources(pod, known, allocatable)


def lack(pod: Pod, others: Iterable[Pod], allocatable: Mapping[str, Quantity]) -> tuple[str, str] | None:
    """(resource, "cpu, requested: 3000, used: 1000, capacity: 2000") of the first resource that does not suffice."""
    wanted = pod_amounts(pod)
    used = [pod_amounts(each) for each in others] if wanted.cpu_request_millis or wanted.memory_request_bytes else []
    table = (
        (
            "cpu",
            wanted.cpu_request_millis,
            sum(each.cpu_request_millis for each in used),
            milli_value(allocatable["cpu"]),
        ),
        (
            "memory",
            wanted.memory_request_bytes,
            sum(each.memory_request_bytes for each in used),
            value(allocatable["memory"]),
        ),
    )
    for name, requested, taken, capacity in table:
        if requested and requested + taken > capacity:
            return name, f"{name}, requested: {requested}, used: {taken}, capacity: {capacity}"
    return None


def _resources(pod: Pod, others: list[Pod], allocatable: Mapping[str, Quantity]) -> Failure | None:
    prefix, pods = "Node didn't have enough resource: ", value(allocatable["pods"])
    if len(others) >= pods:
        return Failure("OutOfpods", f"{prefix}pods, requested: 1, used: {len(others)}, capacity: {pods}")
    found = lack(pod, others, allocatable)
    return Failure(f"OutOf{found[0]}", prefix + found[1]) if found else None


def _ports(pod: Pod, others: list[Pod]) -> Failure | None:
    mine = host_ports(pod)
    if mine and any(own.meets(taken) for other in others for taken in host_ports(other) for own in mine):
        text = "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"
        return Failure("NodePorts", text)
    return None


def _sysctls(pod: Pod) -> Failure | None:
    security = pod.spec.security_context
    for sysctl in security.sysctls if security is not None else ():
        name = sysctl.name.replace("/", ".")
        why = ""
        if name not in SAFE_SYSCTLS:
            why = "not allowlisted"
        elif pod.spec.host_network and name.startswith("net."):
            why = "not allowed with host net enabled"
        elif pod.spec.host_ipc and name.startswith("kernel."):
            why = "not allowed with host ipc enabled"
        if why:
            return Failure("SysctlForbidden", f'forbidden sysctl: "{sysctl.name}" {why}')
    return None
