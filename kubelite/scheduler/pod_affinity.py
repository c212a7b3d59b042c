"""Pod affinity and anti-affinity: which topologies the pods that are there attract or repel the new one to.

Pure over `Nodes`; built once per decision, then asked per node. Costs label classes and topologies, not pods.
Source: k8s.io/kubernetes pkg/scheduler/framework/plugins/interpodaffinity
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kubelite.api.meta import LabelSelector
from kubelite.api.selectors import matches
from kubelite.scheduler.filters import Rejection
from kubelite.scheduler.node_info import Counts, NodeInfo, Nodes
from kubelite.scheduler.pod_info import PodInfo, Term

HARD_AFFINITY_WEIGHT = 1  #: what an assigned pod's required affinity counts for when nodes are scored

#: The names of the namespaces that a selector selects.
Namespaces = Callable[[LabelSelector], set[str]]
Topology = dict[str, dict[str, int]]  #: topology key to its value to a number

_AFFINITY = Rejection("InterPodAffinity", ("node(s) didn't match pod affinity rules",), final=True)
_ANTI_AFFINITY = Rejection("InterPodAffinity", ("node(s) didn't match pod anti-affinity rules",))
_EXISTING = Rejection("InterPodAffinity", ("node(s) didn't satisfy existing pods anti-affinity rules",))


def _namespaces(term: Term, select: Namespaces) -> set[str] | None:
    """The namespaces that a term is about; None: all."""
    selector = term.term.namespace_selector
    if selector is None:
        return set(term.term.namespaces) or {term.namespace}
    if not selector.match_labels and not selector.match_expressions:
        return None
    return set(term.term.namespaces) | select(selector)


def _concerns(term: Term, pod: PodInfo, select: Namespaces) -> bool:
    if not matches(term.term.label_selector, pod.labels):
        return False
    namespaces = _namespaces(term, select)
    return namespaces is None or pod.namespace in namespaces


class PodAffinity:
    """The state of one decision. `blocks` filters a node, `score` rates it."""

    def __init__(self, nodes: Nodes, pod: PodInfo, select: Namespaces) -> None:
        self._nodes = nodes
        self._pod = pod
        self._select = select
        self._repelled: Topology = {}
        for term, counts in nodes.anti_affinity.values():
            if _concerns(term, pod, select):
                self._add(self._repelled, term.term.topology_key, counts, 1)
        self._anti = [(term.term.topology_key, self._of(term)) for term in pod.anti_affinity]
        self._near = self._of_all(pod.affinity)
        self._first = not any(self._near.values()) and all(_concerns(term, pod, select) for term in pod.affinity)
        self.matters = bool(self._repelled or pod.affinity or pod.anti_affinity)

    def _add(self, into: Topology, key: str, counts: Counts, weight: int) -> None:
        values = into.setdefault(key, {})
        for name, count in counts.items():
            value = self._nodes[name].labels.get(key)
            if value is not None:
                values[value] = values.get(value, 0) + weight * count

    def _of(self, term: Term) -> dict[str, int]:
        """Matching pods by the value of the term's topology."""
        into: Topology = {}
        for same in self._nodes.classes(_namespaces(term, self._select)):
            if matches(term.term.label_selector, same.labels):
                self._add(into, term.term.topology_key, same.counts, 1)
        return into.get(term.term.topology_key, {})

    def _of_all(self, terms: Sequence[Term]) -> Topology:
        """Pods that match all of the terms, by every term's topology."""
        into: Topology = {term.term.topology_key: {} for term in terms}
        scopes = [_namespaces(term, self._select) for term in terms]
        for same in self._nodes.classes(scopes[0] if terms else ()):
            if all(
                (scope is None or same.namespace in scope) and matches(term.term.label_selector, same.labels)
                for term, scope in zip(terms, scopes, strict=True)
            ):
                for key in into:
                    self._add(into, key, same.counts, 1)
        return into

    def blocks(self, node: NodeInfo) -> Rejection | None:
        for key, values in self._near.items():
            value = node.labels.get(key)
            if value is None or not (self._first or values.get(value)):
                return _AFFINITY
        for key, values in self._anti:
            if node.labels.get(key) in values:
                return _ANTI_AFFINITY
        for key, values in self._repelled.items():
            if node.labels.get(key) in values:
                return _EXISTING
        return None

    def scores(self, candidates: Sequence[NodeInfo]) -> list[int] | None:
        """0 to 100 per candidate; None when no preference concerns the pod."""
        pod = self._pod
        wishes: Topology = {}
        for sign, terms in ((1, pod.preferred_affinity), (-1, pod.preferred_anti_affinity)):
            for term in terms:
                for same in self._nodes.classes(_namespaces(term, self._select)):
                    if matches(term.term.label_selector, same.labels):
                        self._add(wishes, term.term.topology_key, same.counts, sign * term.weight)
        for term, counts, wish in self._nodes.preferences.values():
            if _concerns(term, pod, self._select):
                weight = wish * term.weight if wish else HARD_AFFINITY_WEIGHT
                self._add(wishes, term.term.topology_key, counts, weight)
        if not any(wishes.values()):
            return None
        sums = [
            sum(values.get(node.labels.get(key, ""), 0) for key, values in wishes.items() if key in node.labels)
            for node in candidates
        ]
        low, high = min(sums), max(sums)
        return [100 * (value - low) // (high - low) if high > low else 0 for value in sums]
