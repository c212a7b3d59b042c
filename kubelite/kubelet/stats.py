"""Readings of counters, and the rates between two of them. Pure.

A container that started within the window is measured from its start, so its first figure needs no second reading.

>>> rate_nanocores(3_000_000_000, 1_000_000_000, 4.0)
500000000
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from kubelite.api.core_v1 import Pod
from kubelite.client.figures import NodeFigures, PodFigures, Use
from kubelite.kubelet.runtime import ContainerStats, GroupUsage
from kubelite.kubelet.stats_cgroups import Interface


class ContainerReading(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    image: str
    started_at: float
    usage: ContainerStats


class PodReading(msgspec.Struct, frozen=True, kw_only=True):
    """`group` is the pod's own control group, where it has one; `interfaces` are empty on the host's network."""

    pod: Pod
    started_at: float
    containers: tuple[ContainerReading, ...]
    group: GroupUsage | None = None
    interfaces: tuple[Interface, ...] = ()


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    at: float
    pods: tuple[PodReading, ...]
    node: GroupUsage | None = None
    interfaces: tuple[Interface, ...] = ()


class Window(msgspec.Struct, frozen=True):
    """What happened between two readings."""

    older: Reading
    newer: Reading

    @property
    def seconds(self) -> float:
        return self.newer.at - self.older.at


class Rates(msgspec.Struct, frozen=True):
    """Billionths of a core: of the node, of pods by uid, of containers by their runtime's id."""

    node: int
    pods: dict[str, int]
    containers: dict[str, int]


def rate_nanocores(newer_ns: int, older_ns: int, seconds: float) -> int:
    """Zero when the counter went back or no time passed."""
    return max(0, round((newer_ns - older_ns) / seconds)) if seconds > 0 else 0


def pod_usage(pod: PodReading) -> GroupUsage:
    """The pod's own group, or the sum of its containers."""
    return pod.group or total(each.usage for each in pod.containers)


def node_usage(reading: Reading) -> GroupUsage:
    """The machine's, or the sum of its pods."""
    return reading.node or total(pod_usage(each) for each in reading.pods)


def total(usages: Iterable[GroupUsage]) -> GroupUsage:
    amounts = dict.fromkeys(GroupUsage.__struct_fields__, 0)
    for usage in usages:
        for field in amounts:
            amounts[field] += getattr(usage, field)
    return GroupUsage(**amounts)


def compute_rates(window: Window) -> Rates:
    older, newer, span = window.older, window.newer, window.seconds
    known = {each.usage.container_id: each.usage for pod in older.pods for each in pod.containers}
    before = {each.pod.metadata.uid: each for each in older.pods}
    containers: dict[str, int] = {}
    pods: dict[str, int] = {}
    for pod in newer.pods:
        for each in pod.containers:
            had = known.get(each.usage.container_id)
            since = span if had is not None else newer.at - each.started_at
            used = had.cpu_usage_ns if had is not None else 0
            containers[each.usage.container_id] = rate_nanocores(each.usage.cpu_usage_ns, used, since)
        was = before.get(pod.pod.metadata.uid)
        if pod.group is not None and was is not None and was.group is not None:
            pods[pod.pod.metadata.uid] = rate_nanocores(pod.group.cpu_usage_ns, was.group.cpu_usage_ns, span)
        else:
            pods[pod.pod.metadata.uid] = sum(containers[each.usage.container_id] for each in pod.containers)
    if newer.node is not None and older.node is not None:
        node = rate_nanocores(newer.node.cpu_usage_ns, older.node.cpu_usage_ns, span)
    else:
        node = sum(pods.values())
    return Rates(node, pods, containers)


def compute_figures(window: Window) -> NodeFigures:
    """What the metrics API tells. A pod's window begins with its first container that still runs."""
    rates, newer = compute_rates(window), window.newer
    pods = []
    for pod in newer.pods:
        if not pod.containers:
            continue
        meta = pod.pod.metadata
        begun = max(window.older.at, min(each.started_at for each in pod.containers))
        uses = {
            each.name: Use(rates.containers[each.usage.container_id], each.usage.memory_working_set_bytes)
            for each in pod.containers
        }
        pods.append(
            PodFigures(
                namespace=meta.namespace,
                name=meta.name,
                uid=meta.uid,
                at=newer.at,
                window_s=newer.at - begun,
                containers=uses,
            )
        )
    use = Use(rates.node, node_usage(newer).memory_working_set_bytes)
    return NodeFigures(at=newer.at, window_s=window.seconds, use=use, pods=tuple(pods))
