"""One pod, all nodes: where it goes and why, or why nowhere.

Pure over `Nodes`. `scheduler` keeps the result, so that a decision can be explained afterwards.
Source: k8s.io/kubernetes pkg/scheduler/{schedule_one.go,framework/types.go}
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec

from kubelite.api.meta import LabelSelector
from kubelite.api.placement import named_nodes
from kubelite.scheduler import scores as rate
from kubelite.scheduler.filters import Rejection, filters_for, rejected_by
from kubelite.scheduler.node_info import NodeInfo, Nodes
from kubelite.scheduler.pod_affinity import Namespaces, PodAffinity
from kubelite.scheduler.pod_info import PodInfo
from kubelite.scheduler.topology_spread import TopologySpread

FEW_NODES = 100  #: as many that fit are always looked for
_NOT_NAMED = Rejection("NodeAffinity", ("node(s) didn't satisfy plugin(s) [NodeAffinity]",), final=True)


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """`node` is empty when none fits. `scores` holds each plugin's 0 to 100 in the order of `candidates`."""

    pod: str
    node: str = ""
    candidates: tuple[str, ...] = ()
    scores: Mapping[str, list[int]] = {}
    rejections: Mapping[str, Rejection] = {}  #: by node
    message: str = ""
    start: int = 0  #: where the next decision starts to look

    @property
    def plugins(self) -> set[str]:
        """Whose objections would have to fall away."""
        return {rejection.plugin for rejection in self.rejections.values()}


def wanted_nodes(count: int) -> int:
    """How many nodes that fit are enough: in large clusters a share of them.

    >>> wanted_nodes(50), wanted_nodes(1000), wanted_nodes(5000)
    (50, 420, 500)
    """
    if count < FEW_NODES:
        return count
    share = max(5, 50 - count // 125)
    return max(FEW_NODES, count * share // 100)


def compute_decision(
    nodes: Nodes, pod: PodInfo, *, default_selector: LabelSelector | None, select: Namespaces, start: int
) -> Decision:
    """Filters from node number `start` on, then rates those that fit; of equals the first wins."""
    listed = nodes.listed
    if not listed:
        return Decision(pod=pod.key, message="no nodes available to schedule pods")
    affinity = PodAffinity(nodes, pod, select)
    spread = TopologySpread(nodes, pod, default_selector)
    filters, named = filters_for(pod), named_nodes(pod.pod.spec)
    feasible: list[NodeInfo] = []
    rejections: dict[str, Rejection] = {}
    enough, count, looked = wanted_nodes(len(listed)), len(listed), 0
    for looked in range(1, count + 1):
        node = listed[(start + looked - 1) % count]
        rejection = _NOT_NAMED if named is not None and node.name not in named else rejected_by(filters, pod, node)
        if rejection is None and spread.matters:
            rejection = spread.blocks(node)
        if rejection is None and affinity.matters:
            rejection = affinity.blocks(node)
        if rejection is not None:
            rejections[node.name] = rejection
            continue
        feasible.append(node)
        if len(feasible) >= enough:
            break
    following = (start + looked) % count
    if not feasible:
        return Decision(
            pod=pod.key, rejections=rejections, message=unschedulable_message(pod, rejections), start=following
        )
    if len(feasible) == 1:
        return Decision(
            pod=pod.key, node=feasible[0].name, candidates=(feasible[0].name,), rejections=rejections, start=following
        )
    given = _scores(nodes, pod, feasible, affinity, spread)
    total = rate.weighted(given, len(feasible))
    return Decision(
        pod=pod.key,
        node=feasible[total.index(max(total))].name,
        candidates=tuple(node.name for node in feasible),
        scores=given,
        rejections=rejections,
        start=following,
    )


def _scores(
    nodes: Nodes, pod: PodInfo, feasible: list[NodeInfo], affinity: PodAffinity, spread: TopologySpread
) -> dict[str, list[int]]:
    """Only the plugins that tell nodes apart."""
    given = {
        "TaintToleration": rate.taint_toleration(pod, feasible),
        "NodeAffinity": rate.preferred_nodes(pod, feasible),
        "PodTopologySpread": spread.scores(feasible),
        "InterPodAffinity": affinity.scores(feasible),
        "NodeResourcesFit": rate.least_allocated(pod, feasible),
        "NodeResourcesBalancedAllocation": rate.balanced_allocation(pod, feasible),
        "ImageLocality": rate.image_locality(pod, feasible, nodes),
    }
    return {plugin: values for plugin, values in given.items() if values is not None}


def unschedulable_message(pod: PodInfo, rejections: Mapping[str, Rejection]) -> str:
    """What the pod's condition and the event say, e.g. "0/3 nodes are available: 3 Insufficient cpu. preemption: …"."""
    count = len(rejections)
    reasons = Counter(reason for rejection in rejections.values() for reason in rejection.reasons)
    if pod.pod.spec.preemption_policy == "Never":
        preemption = "not eligible due to preemptionPolicy=Never."
    else:
        hopeless = sum(rejection.final for rejection in rejections.values())
        helpless = {
            "No preemption victims found for incoming pod": count - hopeless,
            "Preemption is not helpful for scheduling": hopeless,
        }
        preemption = _available(count, Counter({reason: number for reason, number in helpless.items() if number}))
    return f"{_available(count, reasons)} preemption: {preemption}"


def _available(count: int, reasons: Counter[str]) -> str:
    listed = ", ".join(sorted(f"{number} {reason}" for reason, number in reasons.items()))
    return f"0/{count} nodes are available: {listed}."
