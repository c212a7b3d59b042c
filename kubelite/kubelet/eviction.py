"""Which pod has to leave its node, and what it is told. Pure.

Two causes: a pod uses more local storage than it may, or the node runs short of something; then one pod at a time goes: first
those that use more than they requested, then by priority, then by how much more.
Source: https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/, pkg/kubelet/eviction/helpers.go,
eviction_manager.go
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from kubelite.api.core_v1 import Pod
from kubelite.api.quantity import value
from kubelite.kubelet.failure import Failure
from kubelite.kubelet.node_status import Health, binary_quantity
from kubelite.kubelet.qos import qos_class, requests_of

#: What an evicted pod gets to end. Source: pkg/kubelet/eviction/eviction_manager.go
GRACE_S = 1.0
_CRITICAL_PRIORITY = 2_000_000_000
_STORAGE = "ephemeral-storage"


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that a pod uses, by container and by emptyDir volume, and its processes

    and files (those of its emptyDirs: nobody keeps account of the others)."""

    memory: Mapping[str, int] = msgspec.field(default_factory=dict)
    writable: Mapping[str, int] = msgspec.field(default_factory=dict)
    volumes: Mapping[str, int] = msgspec.field(default_factory=dict)
    processes: int = 0
    inodes: int = 0

    @property
    def disk(self) -> int:
        return sum(self.writable.values()) + sum(self.volumes.values())


def evicted(message: str, *, grace_s: float = GRACE_S) -> Failure:
    return Failure("Evicted", message, grace_s=grace_s, disruption=True)


def limits_storage(pod: Pod) -> bool:
    """Whether anything of the pod's local storage is limited."""
    volumes = (each.empty_dir for each in pod.spec.volumes)
    return any(each is not None and each.size_limit is not None for each in volumes) or any(
        _STORAGE in each.resources.limits for each in pod.spec.containers
    )


def compute_overuse(pod: Pod, usage: Usage) -> Failure | None:
    """A volume, the pod or a container beyond its limit of local storage."""
    for volume in pod.spec.volumes:
        source = volume.empty_dir
        limit = value(source.size_limit) if source is not None and source.size_limit is not None else 0
        if source is not None and limit and usage.volumes.get(volume.name, 0) > limit:
            return evicted(f'Usage of EmptyDir volume "{volume.name}" exceeds the limit "{source.size_limit}". ')
    limits = {each.name: each.resources.limits.get(_STORAGE) for each in pod.spec.containers}
    total = sum(value(each) for each in limits.values() if each is not None)
    if total and all(each is not None for each in limits.values()) and usage.disk > total:
        return evicted(
            f"Pod ephemeral local storage usage exceeds the total limit of containers {binary_quantity(total)}. "
        )
    for name, quantity in limits.items():
        if quantity is not None and usage.writable.get(name, 0) > value(quantity):
            return evicted(f'Container {name} exceeded its local ephemeral storage limit "{quantity}". ')
    return None


def compute_eviction(
    health: Health, pods: Iterable[tuple[Pod, Usage]], *, max_grace_s: float = 0.0
) -> tuple[Pod, Failure] | None:
    """The pod that goes, because the node is short of memory, disk or process ids.

    It ends within `max_grace_s` if only a soft threshold was crossed, else at once.
    """
    shortage = next((each for each in health.shortages), None)
    candidates = [each for each in pods if (each[0].spec.priority or 0) < _CRITICAL_PRIORITY]
    if shortage is None or not candidates:
        return None
    resource = shortage.resource

    def rank(candidate: tuple[Pod, Usage]) -> tuple[bool, int, int, int]:
        pod, usage = candidate
        excess = _used(usage, resource) - _requested(pod, resource)
        return (excess <= 0, pod.spec.priority or 0, -excess, -usage.disk)

    pod, usage = min(candidates, key=rank)
    message = f"The node was low on resource: {resource}. "
    message += f"Threshold quantity: {shortage.threshold}, available: {shortage.available}. "
    measured: Mapping[str, int] = {"memory": usage.memory, _STORAGE: usage.writable}.get(resource, {})
    for each in pod.spec.containers:
        used = measured.get(each.name, 0)
        request = value(requests_of(each.resources).get(resource, 0))
        if used > request:
            message += (
                f"Container {each.name} was using {binary_quantity(used)}, request is {binary_quantity(request)}, "
                f"has larger consumption of {resource}. "
            )
    return pod, evicted(message, grace_s=max(max_grace_s, GRACE_S) if shortage.is_soft else GRACE_S)


def compute_refusal(pod: Pod, health: Health) -> Failure | None:
    """Under pressure a node takes no new pods; for want of memory alone only those that request some."""
    names = [name for name, holds in health.pressures if holds]
    if not names or (pod.spec.priority or 0) >= _CRITICAL_PRIORITY:
        return None
    tolerated = {each.key for each in pod.spec.tolerations}
    if names == ["MemoryPressure"] and (
        qos_class(pod) != "BestEffort" or "node.kubernetes.io/memory-pressure" in tolerated
    ):
        return None
    return Failure("Evicted", f"The node had condition: [{' '.join(names)}]. ")


def _used(usage: Usage, resource: str) -> int:
    match resource:
        case "memory":
            return sum(usage.memory.values())
        case "pids":
            return usage.processes
        case "inodes":
            return usage.inodes
    return usage.disk


def _requested(pod: Pod, resource: str) -> int:
    return sum(value(requests_of(each.resources).get(resource, 0)) for each in pod.spec.containers)
