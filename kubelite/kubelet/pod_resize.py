"""Resources of running containers that change in place: what the node grants, and what has to be done for it. Pure.

A pod keeps what it was granted until the node has room for what it asks for now; everything else of the kubelet sees the pod as
granted. Source: https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/, KEP-1287,
pkg/kubelet/allocation/allocation_manager.go, pkg/kubelet/kuberuntime/kuberuntime_manager.go (computePodResizeAction)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from msgspec.structs import replace

from kubelite.api.core_v1 import Container as ContainerSpec, Pod, PodCondition
from kubelite.api.meta import Quantity
from kubelite.api.quantity import milli_value, value
from kubelite.kubelet.pod_admission import lack
from kubelite.kubelet.qos import container_resources, pod_amounts
from kubelite.kubelet.runtime import Resources

PENDING, IN_PROGRESS = "PodResizePending", "PodResizeInProgress"


class Grant:
    """What one pod was granted, beside what it asks for. A pod that waited when an earlier kubelet ended still waits."""

    def __init__(self, pod: Pod) -> None:
        self._wanted = pod
        self.condition: PodCondition | None = None  #: why a resize waits
        waits = any(each.type == PENDING and each.status == "True" for each in pod.status.conditions)
        reported = {each.name: each.resources for each in pod.status.container_statuses} if waits else {}
        self._granted = {each.name: reported.get(each.name) or each.resources for each in pod.spec.containers}

    @property
    def pod(self) -> Pod:
        """The pod as granted."""
        specs, granted = self._wanted.spec.containers, self._granted
        if all(granted.get(each.name, each.resources) == each.resources for each in specs):
            return self._wanted
        containers = tuple(replace(each, resources=granted.get(each.name, each.resources)) for each in specs)
        return replace(self._wanted, spec=replace(self._wanted.spec, containers=containers))

    @property
    def asked(self) -> Pod:
        return self._wanted

    def ask(self, pod: Pod) -> None:
        """A newer state of the object."""
        self._wanted = pod

    def decide(self, neighbours: Callable[[], list[Pod]], allocatable: Mapping[str, Quantity]) -> bool:
        """Grants what is asked for if the node has it beside its other pods; True when that changed what is granted."""
        if self.pod is self._wanted:
            self.condition = None
            return False
        self.condition = _obstacle(self._wanted, neighbours(), allocatable)
        if self.condition is not None:
            return False
        self._granted = {each.name: each.resources for each in self._wanted.spec.containers}
        return True


def _obstacle(pod: Pod, neighbours: Iterable[Pod], allocatable: Mapping[str, Quantity]) -> PodCondition | None:
    amounts = pod_amounts(pod)
    table = (
        ("memory", amounts.memory_request_bytes, value(allocatable["memory"])),
        ("cpu", amounts.cpu_request_millis, milli_value(allocatable["cpu"])),
    )
    for name, requested, capacity in table:
        if requested > capacity:
            text = f"Node didn't have enough capacity: {name}, requested: {requested}, capacity: {capacity}"
            return PodCondition(type=PENDING, status="True", reason="Infeasible", message=text)
    if found := lack(pod, neighbours, allocatable):
        text = f"Node didn't have enough resource: {found[1]}"
        return PodCondition(type=PENDING, status="True", reason="Deferred", message=text)
    return None


def compute_resize(pod: Pod, spec: ContainerSpec, present: Resources | None) -> tuple[Resources | None, bool]:
    """(what a running container has to be given, None: nothing; whether it has to be restarted for that)."""
    wanted = container_resources(pod, spec, node_memory_bytes=1)
    if present is None:
        return None, False
    cpu = (wanted.cpu_shares, wanted.cpu_quota_us) != (present.cpu_shares, present.cpu_quota_us)
    memory = wanted.memory_limit_bytes != present.memory_limit_bytes
    if not (cpu or memory):
        return None, False
    policies = {each.resource_name: each.restart_policy for each in spec.resize_policy}
    changed = [name for name, differs in (("cpu", cpu), ("memory", memory)) if differs]
    return wanted, any(policies.get(name) == "RestartContainer" for name in changed)
