"""How good each node that fits is: every plugin's 0 to 100, and their weighted sum.

Pure. Source: k8s.io/kubernetes pkg/scheduler/framework/plugins/{noderesources,imagelocality,tainttoleration,nodeaffinity}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kubelite.api.placement import matches_term, tolerates
from kubelite.scheduler.node_info import NodeInfo, Nodes
from kubelite.scheduler.pod_info import PodInfo
from kubelite.scheduler.profile import Strategy

_MIB = 1024 * 1024
IMAGE_LOW = 23 * _MIB  #: smaller images do not count
IMAGE_HIGH = 1000 * _MIB  #: per container; larger ones count no more


def least_allocated(pod: PodInfo, candidates: Sequence[NodeInfo]) -> list[int]:
    """The free share of cpu and memory after the pod."""
    millis, memory = pod.scored_millis, pod.scored_memory
    result = []
    for node in candidates:
        total = kinds = 0
        if node.millis:
            kinds += 1
            total += max(0, (node.millis - node.scored_millis - millis) * 100 // node.millis)
        if node.memory:
            kinds += 1
            total += max(0, (node.memory - node.scored_memory - memory) * 100 // node.memory)
        result.append(total // kinds if kinds else 0)
    return result


def resources_fit(strategy: Strategy, pod: PodInfo, candidates: Sequence[NodeInfo]) -> list[int]:
    """What the strategy gives each node for its use after the pod, by resource and their weights."""
    if strategy == Strategy():
        return least_allocated(pod, candidates)
    result = []
    for node in candidates:
        total = weights = 0
        for name, weight in strategy.resources:
            offered = node.allocatable.get(name, 0)
            if offered:
                total += weight * _rated(strategy, _used(name, pod, node), offered)
                weights += weight
        result.append(total // weights if weights else 0)
    return result


def _used(name: str, pod: PodInfo, node: NodeInfo) -> int:
    if name == "cpu":
        return node.scored_millis + pod.scored_millis
    if name == "memory":
        return node.scored_memory + pod.scored_memory
    return node.used.get(name, 0) + pod.requests.get(name, 0)


def _rated(strategy: Strategy, used: int, offered: int) -> int:
    if strategy.type == "MostAllocated":
        return min(used, offered) * 100 // offered
    if strategy.type == "LeastAllocated":
        return max(0, offered - used) * 100 // offered
    return _on_shape(strategy.shape, min(100, used * 100 // offered))


def _on_shape(shape: Sequence[tuple[int, int]], utilization: int) -> int:
    """The line through the points (utilization, score 0 to 10), as 0 to 100."""
    before = shape[0]
    for point in shape:
        if utilization <= point[0]:
            width = point[0] - before[0]
            if not width:
                return point[1] * 10
            return 10 * before[1] + 10 * (point[1] - before[1]) * (utilization - before[0]) // width
        before = point
    return before[1] * 10


def balanced_allocation(pod: PodInfo, candidates: Sequence[NodeInfo]) -> list[int] | None:
    """How close the used shares of cpu and memory are after the pod."""
    if not pod.has_requests:
        return None
    result = []
    for node in candidates:
        if node.millis and node.memory:
            cpu = min(1.0, (node.used_millis + pod.millis) / node.millis)
            memory = min(1.0, (node.used_memory + pod.memory) / node.memory)
            result.append(int((1 - abs(cpu - memory) / 2) * 100))
        else:
            result.append(100 if node.millis or node.memory else 0)
    return result


def taint_toleration(pod: PodInfo, candidates: Sequence[NodeInfo]) -> list[int] | None:
    """Fewer PreferNoSchedule taints that the pod does not tolerate."""
    if not any(node.soft_taints for node in candidates):
        return None
    soft = tuple(entry for entry in pod.pod.spec.tolerations if entry.effect in ("", "PreferNoSchedule"))
    counts = [
        sum(not any(tolerates(entry, taint) for entry in soft) for taint in node.soft_taints) for node in candidates
    ]
    most = max(counts)
    return [100 - 100 * count // most if most else 100 for count in counts]


def preferred_nodes(pod: PodInfo, candidates: Sequence[NodeInfo]) -> list[int] | None:
    affinity = pod.pod.spec.affinity.node_affinity if pod.pod.spec.affinity else None
    terms = affinity.preferred_during_scheduling_ignored_during_execution if affinity else ()
    sums = [
        sum(entry.weight for entry in terms if matches_term(entry.preference, node.name, node.labels))
        for node in candidates
    ]
    most = max(sums, default=0)
    return [100 * value // most for value in sums] if most else None


def image_locality(pod: PodInfo, candidates: Sequence[NodeInfo], nodes: Nodes) -> list[int] | None:
    """Images that are there already, those that many nodes have counting more."""
    images = [image if ":" in image.rpartition("/")[2] else f"{image}:latest" for image in pod.images]
    spread = {image: nodes.image_nodes.get(image, 0) / len(nodes.listed) for image in images}
    if not any(spread.values()):
        return None
    high = IMAGE_HIGH * len(pod.images)
    result = []
    for node in candidates:
        size = sum(int(node.images[image] * spread[image]) for image in images if image in node.images)
        result.append(100 * (min(max(size, IMAGE_LOW), high) - IMAGE_LOW) // (high - IMAGE_LOW))
    return result


def weighted(scores: dict[str, list[int]], size: int, weights: Mapping[str, int]) -> list[int]:
    """The sum per candidate."""
    total = [0] * size
    for plugin, values in scores.items():
        weight = weights[plugin]
        total = [have + weight * value for have, value in zip(total, values, strict=True)]
    return total
