"""One pod against one node, with everything that was computed once for all nodes.

Pure over `Nodes`. Preemption makes a new one for each set of pods that it imagines gone.
Source: k8s.io/kubernetes pkg/scheduler/framework/runtime (RunFilterPluginsWithNominatedPods)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import msgspec

from kubelite.api.meta import LabelSelector
from kubelite.api.placement import named_nodes
from kubelite.scheduler.filters import Rejection, filters_for
from kubelite.scheduler.node_info import NodeInfo, Nodes
from kubelite.scheduler.pod_affinity import Namespaces, PodAffinity
from kubelite.scheduler.pod_info import PodInfo
from kubelite.scheduler.profile import Profile
from kubelite.scheduler.topology_spread import TopologySpread
from kubelite.scheduler.volumes import PodVolumes

_NOT_NAMED = Rejection("NodeAffinity", ("node(s) didn't satisfy plugin(s) [NodeAffinity]",), final=True)


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """The pod to be placed, and what the cluster says about it."""

    pod: PodInfo
    default_selector: LabelSelector | None
    select: Namespaces
    volumes: PodVolumes | None = None  #: None: it has none
    profile: Profile = Profile()


class Attempt:
    def __init__(self, nodes: Nodes, question: Question) -> None:
        pod = question.pod
        self._nodes = nodes
        self._question = question
        self.affinity = PodAffinity(nodes, pod, question.select)
        self.spread = TopologySpread(nodes, pod, question.default_selector)
        self._filters = filters_for(pod)
        volumes, spread, affinity = question.volumes, self.spread, self.affinity
        self._wider: tuple[Callable[[NodeInfo], Rejection | None], ...] = (
            *((volumes.blocks,) if volumes is not None else ()),
            *((spread.blocks,) if spread.matters else ()),
            *((affinity.blocks,) if affinity.matters else ()),
        )
        self._named = named_nodes(pod.pod.spec)

    def rejects(self, node: NodeInfo) -> Rejection | None:
        """The first objection, also with the pods that are about to come to the node."""
        rejection = self._alone(node)
        if rejection is not None or not self._nodes.nominated:
            return rejection
        if coming := self._nodes.nominated.get(node.name):
            pod = self._question.pod
            more = [each for each in coming.values() if each.key != pod.key and each.priority >= pod.priority]
            if more:
                return self._beside(node, more)
        return None

    def _alone(self, node: NodeInfo) -> Rejection | None:
        if self._named is not None and node.name not in self._named:
            return _NOT_NAMED
        pod = self._question.pod
        for check in self._filters:
            if (rejection := check(pod, node)) is not None:
                return rejection
        for blocks in self._wider:
            if (rejection := blocks(node)) is not None:
                return rejection
        return None

    def _beside(self, node: NodeInfo, coming: list[PodInfo]) -> Rejection | None:
        for info in coming:
            self._nodes.put_pod(info)
        try:
            return Attempt(self._nodes, self._question)._alone(node)
        finally:
            for info in coming:
                self._nodes.remove_pod(info.key)


def available(count: int, reasons: Counter[str]) -> str:
    """Upstream's sentence.

    >>> available(3, Counter({"Insufficient cpu": 2, "Too many pods": 1}))
    '0/3 nodes are available: 1 Too many pods, 2 Insufficient cpu.'
    """
    listed = ", ".join(sorted(f"{number} {reason}" for reason, number in reasons.items()))
    return f"0/{count} nodes are available: {listed}."
