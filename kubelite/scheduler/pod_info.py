"""What a pod asks of a node, computed once per pod: requests, ports, tolerations, affinity.

Pure facts; filters and scores read nothing of a pod but this.
Source: k8s.io/kubernetes staging/src/k8s.io/component-helpers/resource, pkg/scheduler/framework/types.go
"""

from __future__ import annotations

import math

import msgspec

from kubelite.api.core_v1 import (
    Affinity,
    Container,
    Pod,
    PodAffinityTerm,
    ResourceRequirements,
    WeightedPodAffinityTerm,
)
from kubelite.api.quantity import milli_value, value
from kubelite.api.timestamp import parse_rfc3339

#: What a container without requests counts as when nodes are scored: 100 millicores, 200 MiB.
DEFAULT_CPU_MILLIS = 100
DEFAULT_MEMORY_BYTES = 200 * 1024 * 1024

Requests = dict[str, int]  #: resource to millicores, bytes or a count
HostPort = tuple[str, str, int]  #: (host IP, protocol, port)

_NONE = Affinity()


class Term(msgspec.Struct, frozen=True):
    """A pod (anti-)affinity term of a pod in `namespace`. Pods with equal terms are counted together by `id`."""

    term: PodAffinityTerm
    namespace: str
    id: bytes
    weight: int = 0


class PodInfo:
    """A pod, seen by the scheduler."""

    __slots__ = (
        "affinity",
        "anti_affinity",
        "has_requests",
        "host_ports",
        "images",
        "key",
        "labels",
        "memory",
        "millis",
        "namespace",
        "node",
        "others",
        "pod",
        "preferred_affinity",
        "preferred_anti_affinity",
        "priority",
        "requests",
        "scored_memory",
        "scored_millis",
        "started",
        "terminating",
    )

    def __init__(self, pod: Pod, node: str = "") -> None:
        spec = pod.spec
        self.pod = pod
        self.node = node or spec.node_name
        self.namespace = pod.metadata.namespace
        self.key = f"{pod.metadata.namespace}/{pod.metadata.name}"
        self.labels = pod.metadata.labels
        self.terminating = pod.metadata.deletion_timestamp is not None
        self.priority = spec.priority or 0
        self.started = parse_rfc3339(pod.status.start_time) if pod.status.start_time else math.inf
        self.requests = compute_requests(pod)
        self.millis = self.requests.get("cpu", 0)
        self.memory = self.requests.get("memory", 0)
        self.others = {name: amount for name, amount in self.requests.items() if name not in ("cpu", "memory")}
        self.has_requests = any(self.requests.values())
        self.scored_millis, self.scored_memory = _scored(pod)
        self.host_ports = host_ports(pod)
        self.images = tuple(container.image for container in (*spec.init_containers, *spec.containers))
        affinity = spec.affinity or _NONE
        near, far = affinity.pod_affinity, affinity.pod_anti_affinity
        self.affinity = self._terms(near.required_during_scheduling_ignored_during_execution if near else ())
        self.anti_affinity = self._terms(far.required_during_scheduling_ignored_during_execution if far else ())
        self.preferred_affinity = self._weighted(
            near.preferred_during_scheduling_ignored_during_execution if near else ()
        )
        self.preferred_anti_affinity = self._weighted(
            far.preferred_during_scheduling_ignored_during_execution if far else ()
        )

    def _terms(self, terms: tuple[PodAffinityTerm, ...]) -> tuple[Term, ...]:
        return tuple(self._term(term) for term in terms)

    def _weighted(self, terms: tuple[WeightedPodAffinityTerm, ...]) -> tuple[Term, ...]:
        return tuple(self._term(entry.pod_affinity_term, entry.weight) for entry in terms)

    def _term(self, term: PodAffinityTerm, weight: int = 0) -> Term:
        identity = msgspec.json.encode((self.namespace, weight, term), order="sorted")
        return Term(term, self.namespace, identity, weight)


def _amounts(resources: ResourceRequirements) -> Requests:
    return {
        name: milli_value(amount) if name == "cpu" else value(amount) for name, amount in resources.requests.items()
    }


def _add(total: Requests, more: Requests) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, 0) + amount


def compute_requests(pod: Pod) -> Requests:
    """What the pod needs at its worst: all containers and sidecars, or one init container with the sidecars before it."""
    total: Requests = {}
    for container in pod.spec.containers:
        _add(total, _amounts(container.resources))
    sidecars: Requests = {}
    peak: Requests = {}
    for container in pod.spec.init_containers:
        own = _amounts(container.resources)
        if container.restart_policy == "Always":
            _add(sidecars, own)
            own = sidecars
        else:
            own = own.copy()
            _add(own, sidecars)
        for name, amount in own.items():
            peak[name] = max(peak.get(name, 0), amount)
    _add(total, sidecars)
    for name, amount in peak.items():
        total[name] = max(total.get(name, 0), amount)
    if pod.spec.overhead:
        _add(total, _amounts(ResourceRequirements(requests=pod.spec.overhead)))
    return total


def _scored(pod: Pod) -> tuple[int, int]:
    """(millicores, bytes) with the defaults for containers that ask for nothing."""
    millis = memory = 0
    running: tuple[Container, ...] = pod.spec.containers
    if pod.spec.init_containers:
        running = (*running, *(entry for entry in pod.spec.init_containers if entry.restart_policy == "Always"))
    for container in running:
        requests = container.resources.requests
        millis += milli_value(requests["cpu"]) if "cpu" in requests else DEFAULT_CPU_MILLIS
        memory += value(requests["memory"]) if "memory" in requests else DEFAULT_MEMORY_BYTES
    if "cpu" in pod.spec.overhead:
        millis += milli_value(pod.spec.overhead["cpu"])
    if "memory" in pod.spec.overhead:
        memory += value(pod.spec.overhead["memory"])
    return millis, memory


def host_ports(pod: Pod) -> tuple[HostPort, ...]:
    sidecars = tuple(entry for entry in pod.spec.init_containers if entry.restart_policy == "Always")
    return tuple(
        (port.host_ip or "0.0.0.0", port.protocol or "TCP", port.host_port)
        for container in (*pod.spec.containers, *sidecars)
        for port in container.ports
        if port.host_port > 0
    )
