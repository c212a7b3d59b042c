"""How good each node that fits is: every plugin's 0 to 100, upstream's weights, and their sum.

Pure. Source: k8s.io/kubernetes pkg/scheduler/framework/plugins/{noderesources,imagelocality,tainttoleration,nodeaffinity}
"""

from __future__ import annotations

from collections.abc import Sequence

from kubelite.api.placement import matches_term, tolerates
from kubelite.scheduler.node_info import NodeInfo, Nodes
from kubelite.scheduler.pod_info import PodInfo

#: Source: pkg/scheduler/apis/config/v1/default_plugins.go
WEIGHTS = {
    "TaintToleration": 3,
    "NodeAffinity": 2,
    "PodTopologySpread": 2,
    "InterPodAffinity": 2,
    "NodeResourcesFit": 1,
    "NodeResourcesBalancedAllocation": 1,
    "ImageLocality": 1,
}

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


def weighted(scores: dict[str, list[int]], size: int) -> list[int]:
    """The sum per candidate."""
    total = [0] * size
    for plugin, values in scores.items():
        weight = WEIGHTS[plugin]
        total = [have + weight * value for have, value in zip(total, values, strict=True)]
    return total
