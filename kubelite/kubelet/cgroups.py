"""Where a pod's cgroup is, and what is written into it. Pure; `cgroupfs` writes.

    <root>/kubepods/pod<uid>              Guaranteed
    <root>/kubepods/burstable/pod<uid>
    <root>/kubepods/besteffort/pod<uid>

Source: pkg/kubelet/cm/pod_container_manager_linux.go, helpers_linux.go (ResourceConfigForPod)
"""

from __future__ import annotations

import msgspec

from kubelite.api.core_v1 import Pod
from kubelite.kubelet.qos import MIN_SHARES, QUOTA_PERIOD_US, cpu_quota_us, cpu_shares, pod_amounts, qos_class


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Zero: not written."""

    cpu_shares: int = 0
    cpu_quota_us: int = 0
    memory_limit_bytes: int = 0


def qos_groups(root: str) -> tuple[str, ...]:
    """The groups that pods are directly below."""
    return tuple(f"{root}/kubepods{below}" for below in ("", "/burstable", "/besteffort"))


def pod_cgroup(pod: Pod, root: str) -> str:
    """`root` is the group above all pods of one kubelet, which keeps several on one machine apart."""
    qos = qos_class(pod)
    parent = f"{root}/kubepods" if qos == "Guaranteed" else f"{root}/kubepods/{qos.lower()}"
    return f"{parent}/pod{pod.metadata.uid}"


def pod_limits(pod: Pod) -> Limits:
    if qos_class(pod) == "BestEffort":
        return Limits(cpu_shares=MIN_SHARES)
    amounts = pod_amounts(pod)
    return Limits(
        cpu_shares=cpu_shares(amounts.cpu_request_millis),
        cpu_quota_us=cpu_quota_us(amounts.cpu_limit_millis),
        memory_limit_bytes=amounts.memory_limit_bytes,
    )


def v1_files(limits: Limits) -> dict[str, dict[str, str]]:
    """File contents by controller, in the order in which they are written."""
    cpu = {"cpu.shares": str(limits.cpu_shares)} if limits.cpu_shares else {}
    if limits.cpu_quota_us:
        cpu |= {"cpu.cfs_period_us": str(QUOTA_PERIOD_US), "cpu.cfs_quota_us": str(limits.cpu_quota_us)}
    memory = {"memory.limit_in_bytes": str(limits.memory_limit_bytes)} if limits.memory_limit_bytes else {}
    return {"cpu": cpu, "memory": memory}


def v2_files(limits: Limits) -> dict[str, str]:
    """
    >>> v2_files(Limits(cpu_shares=1024, cpu_quota_us=50000, memory_limit_bytes=1 << 20))
    {'cpu.weight': '39', 'cpu.max': '50000 100000', 'memory.max': '1048576'}
    """
    files = {"cpu.weight": str(cpu_weight(limits.cpu_shares))} if limits.cpu_shares else {}
    if limits.cpu_quota_us:
        files["cpu.max"] = f"{limits.cpu_quota_us} {QUOTA_PERIOD_US}"
    if limits.memory_limit_bytes:
        files["memory.max"] = str(limits.memory_limit_bytes)
    return files


def cpu_weight(shares: int) -> int:
    """cgroup v1's 2..262144 onto v2's 1..10000. Source: KEP-2254

    >>> cpu_weight(2), cpu_weight(1024), cpu_weight(262144)
    (1, 39, 10000)
    """
    return 1 + (shares - 2) * 9999 // 262_142
