"""/stats/summary: a window of readings in the words of the Summary API. Pure.

Source: k8s.io/kubelet pkg/apis/stats/v1alpha1/types.go, https://kubernetes.io/docs/reference/instrumentation/node-metrics/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from kubelite.api.timestamp import rfc3339
from kubelite.kubelet.runtime import GroupUsage
from kubelite.kubelet.stats import ContainerReading, PodReading, Rates, Window, compute_rates, node_usage, pod_usage
from kubelite.kubelet.stats_cgroups import Interface
from kubelite.kubelet.stats_host import FileSystem
from kubelite.kubelet.storage import DiskUse


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """What is on the node's disk: bytes by container id, and by pod uid and volume."""

    node: FileSystem | None = None
    images_bytes: int = 0
    writable: Mapping[str, int] = msgspec.field(default_factory=dict)
    volumes: Mapping[str, Mapping[str, DiskUse]] = msgspec.field(default_factory=dict)


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What does not come from counters."""

    node: str
    started_at: float
    memory_bytes: int
    processes: int = 0
    max_processes: int = 0


def compute_summary(window: Window, facts: Facts, disk: Disk) -> dict[str, Any]:
    rates, newer = compute_rates(window), window.newer
    at, usage = rfc3339(newer.at), node_usage(newer)
    return {
        "node": {
            "nodeName": facts.node,
            "startTime": rfc3339(facts.started_at),
            "cpu": _cpu(usage, rates.node, at),
            "memory": _memory(usage, at, facts.memory_bytes),
            **_network(newer.interfaces, at),
            **({"fs": _fs(disk.node, at, disk.node.used_bytes)} if disk.node else {}),
            **({"runtime": {"imageFs": _fs(disk.node, at, disk.images_bytes)}} if disk.node else {}),
            **({"rlimit": _rlimit(facts, at)} if facts.max_processes else {}),
        },
        "pods": [_pod(each, rates, disk, at) for each in newer.pods if each.containers],
    }


def brief_summary(summary: dict[str, Any]) -> dict[str, Any]:
    """Only CPU and memory."""

    def brief(part: dict[str, Any]) -> dict[str, Any]:
        return {
            name: part[name] for name in ("nodeName", "podRef", "name", "startTime", "cpu", "memory") if name in part
        }

    pods = [{**brief(pod), "containers": [brief(each) for each in pod["containers"]]} for pod in summary["pods"]]
    return {"node": brief(summary["node"]), "pods": pods}


def _pod(pod: PodReading, rates: Rates, disk: Disk, at: str) -> dict[str, Any]:
    meta, usage = pod.pod.metadata, pod_usage(pod)
    volumes = disk.volumes.get(meta.uid, {})
    written = sum(disk.writable.get(each.usage.container_id, 0) for each in pod.containers) + sum(
        each.size_bytes for each in volumes.values()
    )
    return {
        "podRef": {"name": meta.name, "namespace": meta.namespace, "uid": meta.uid},
        "startTime": rfc3339(pod.started_at),
        "containers": [_container(each, rates, disk, at) for each in pod.containers],
        "cpu": _cpu(usage, rates.pods[meta.uid], at),
        "memory": _memory(usage, at, usage.memory_limit_bytes),
        **_network(pod.interfaces, at),
        **({"volume": [_volume(name, use, disk, at) for name, use in volumes.items()]} if volumes else {}),
        "ephemeral-storage": _fs(disk.node, at, written),
        "process_stats": {"process_count": usage.processes},
    }


def _container(each: ContainerReading, rates: Rates, disk: Disk, at: str) -> dict[str, Any]:
    usage = each.usage
    return {
        "name": each.name,
        "startTime": rfc3339(each.started_at),
        "cpu": _cpu(usage, rates.containers[usage.container_id], at),
        "memory": _memory(usage, at, usage.memory_limit_bytes),
        "rootfs": _fs(disk.node, at, disk.writable.get(usage.container_id, 0)),
    }


def _cpu(usage: GroupUsage, nanocores: int, at: str) -> dict[str, Any]:
    return {"time": at, "usageNanoCores": nanocores, "usageCoreNanoSeconds": usage.cpu_usage_ns}


def _memory(usage: GroupUsage, at: str, limit: int) -> dict[str, Any]:
    available = {"availableBytes": max(0, limit - usage.memory_working_set_bytes)} if limit else {}
    return {
        "time": at,
        **available,
        "usageBytes": usage.memory_usage_bytes,
        "workingSetBytes": usage.memory_working_set_bytes,
        "rssBytes": usage.memory_rss_bytes,
        "pageFaults": usage.page_faults,
        "majorPageFaults": usage.major_page_faults,
    }


def _network(interfaces: tuple[Interface, ...], at: str) -> dict[str, Any]:
    """The default interface is eth0, if there is one."""
    if not interfaces:
        return {}
    default = next((each for each in interfaces if each.name == "eth0"), interfaces[0])
    return {"network": {"time": at, **_interface(default), "interfaces": [_interface(each) for each in interfaces]}}


def _interface(each: Interface) -> dict[str, Any]:
    return {
        "name": each.name,
        "rxBytes": each.rx_bytes,
        "rxErrors": each.rx_errors,
        "txBytes": each.tx_bytes,
        "txErrors": each.tx_errors,
    }


def _volume(name: str, use: DiskUse, disk: Disk, at: str) -> dict[str, Any]:
    return {**_fs(disk.node, at, use.size_bytes), "inodesUsed": use.inodes, "name": name}


def _fs(system: FileSystem | None, at: str, used: int) -> dict[str, Any]:
    if system is None:
        return {"time": at, "usedBytes": used}
    return {
        "time": at,
        "availableBytes": system.available_bytes,
        "capacityBytes": system.capacity_bytes,
        "usedBytes": used,
        "inodesFree": system.inodes_free,
        "inodes": system.inodes,
        "inodesUsed": system.inodes - system.inodes_free,
    }


def _rlimit(facts: Facts, at: str) -> dict[str, Any]:
    return {"time": at, "maxpid": facts.max_processes, "curproc": facts.processes}
