"""Topology spread constraints: pods of a kind evenly over zones, hosts or any other label.

Pure over `Nodes`; built once per decision, then asked per node. Pods without constraints get upstream's defaults for scoring
when a Service or workload selects them.
Source: KEP-895; k8s.io/kubernetes pkg/scheduler/framework/plugins/podtopologyspread
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from kubelite.api.core_v1 import TopologySpreadConstraint
from kubelite.api.meta import LabelSelector, LabelSelectorRequirement
from kubelite.api.placement import required_nodes, selects_node, untolerated
from kubelite.api.selectors import matches
from kubelite.scheduler.filters import Rejection
from kubelite.scheduler.node_info import Counts, NodeInfo, Nodes
from kubelite.scheduler.pod_info import PodInfo

HOSTNAME = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"

_SKEW = Rejection("PodTopologySpread", ("node(s) didn't match pod topology spread constraints",))
_LABEL = Rejection(
    "PodTopologySpread",
    ("node(s) didn't match pod topology spread constraints (missing required label)",),
    final=True,
)


def default_constraints(selector: LabelSelector) -> tuple[TopologySpreadConstraint, ...]:
    """What applies to a pod of a workload that states nothing itself."""
    return tuple(
        TopologySpreadConstraint(
            max_skew=skew, topology_key=key, when_unsatisfiable="ScheduleAnyway", label_selector=selector
        )
        for key, skew in ((HOSTNAME, 3), (ZONE, 5))
    )


class _Constraint:
    """One constraint with the matching pods of every eligible node."""

    def __init__(self, given: TopologySpreadConstraint, pod: PodInfo, nodes: Nodes) -> None:
        self.given = given
        self.key = given.topology_key
        self.selector = _narrowed(given, pod.labels)
        self.matches_self = matches(self.selector, pod.labels)
        self.by_node: Counts = {}
        for same in nodes.classes((pod.namespace,)):
            if not same.terminating and matches(self.selector, same.labels):
                for name, count in same.counts.items():
                    self.by_node[name] = self.by_node.get(name, 0) + count
        self.by_value: dict[str, int] = {}

    def admitted(self, pod: PodInfo, nodes: Sequence[NodeInfo]) -> Sequence[NodeInfo]:
        """Those of `nodes` that count for this constraint."""
        spec = pod.pod.spec
        is_free = not spec.node_selector and required_nodes(spec) is None
        if self.given.node_taints_policy != "Honor" and (is_free or self.given.node_affinity_policy == "Ignore"):
            return nodes
        return [node for node in nodes if self.admits(pod, node)]

    def admits(self, pod: PodInfo, node: NodeInfo) -> bool:
        """Whether the node counts for this constraint."""
        spec = pod.pod.spec
        if self.given.node_affinity_policy != "Ignore" and not selects_node(spec, node.name, node.labels):
            return False
        if self.given.node_taints_policy != "Honor":
            return True
        return untolerated(spec.tolerations, node.hard_taints) is None

    def count(self, nodes: Iterable[NodeInfo]) -> None:
        """Sums up by the topology's values over the eligible nodes."""
        key, by_value, by_node = self.key, self.by_value, self.by_node
        for node in nodes:
            value = node.labels[key]
            by_value[value] = by_value.get(value, 0) + by_node.get(node.name, 0)

    def least(self) -> int:
        if len(self.by_value) < (self.given.min_domains or 1):
            return 0
        return min(self.by_value.values(), default=0)


def _narrowed(given: TopologySpreadConstraint, labels: Mapping[str, str]) -> LabelSelector | None:
    """The selector together with matchLabelKeys."""
    keys = [key for key in given.match_label_keys if key in labels]
    if not keys or given.label_selector is None:
        return given.label_selector
    more = tuple(LabelSelectorRequirement(key=key, operator="In", values=(labels[key],)) for key in keys)
    old = given.label_selector
    return LabelSelector(match_labels=old.match_labels, match_expressions=(*old.match_expressions, *more))


class TopologySpread:
    """The state of one decision. `blocks` filters a node, `scores` rates those that are left."""

    def __init__(self, nodes: Nodes, pod: PodInfo, default: LabelSelector | None) -> None:
        self._nodes = nodes
        self._pod = pod
        given = pod.pod.spec.topology_spread_constraints
        soft = tuple(entry for entry in given if entry.when_unsatisfiable == "ScheduleAnyway")
        self._defaulted = not given and default is not None
        if not given and default is not None:
            soft = default_constraints(default)
        self._soft = soft
        self._hard = [_Constraint(entry, pod, nodes) for entry in given if entry.when_unsatisfiable == "DoNotSchedule"]
        if self._hard:
            able: Sequence[NodeInfo] = nodes.listed
            for key in {constraint.key: None for constraint in self._hard}:
                able = [node for node in able if key in node.labels]
            for constraint in self._hard:
                constraint.count(constraint.admitted(pod, able))
        self._least = [constraint.least() for constraint in self._hard]
        self.matters = bool(self._hard)

    def blocks(self, node: NodeInfo) -> Rejection | None:
        for constraint, least in zip(self._hard, self._least, strict=True):
            value = node.labels.get(constraint.key)
            if value is None:
                return _LABEL
            skew = constraint.by_value.get(value, 0) + constraint.matches_self - least
            if skew > constraint.given.max_skew:
                return _SKEW
        return None

    def scores(self, candidates: Sequence[NodeInfo]) -> list[int] | None:
        """0 to 100 per candidate; None when nothing is to be spread."""
        if not self._soft:
            return None
        keys = [entry.topology_key for entry in self._soft]
        constraints = [_Constraint(entry, self._pod, self._nodes) for entry in self._soft]
        ignored = [not self._defaulted and not all(key in node.labels for key in keys) for node in candidates]
        rated = [node for node, out in zip(candidates, ignored, strict=True) if not out]
        raw = [0.0] * len(candidates)
        for constraint in constraints:
            self._rate(constraint, rated, candidates, raw, ignored)
        sums = [0 if out else round(value) for value, out in zip(raw, ignored, strict=True)]
        counted = [value for value, out in zip(sums, ignored, strict=True) if not out]
        low, high = min(counted, default=0), max(counted, default=0)
        return [
            0 if out else 100 * (high + low - value) // high if high else 100
            for value, out in zip(sums, ignored, strict=True)
        ]

    def _rate(
        self,
        constraint: _Constraint,
        rated: Sequence[NodeInfo],
        candidates: Sequence[NodeInfo],
        raw: list[float],
        ignored: Sequence[bool],
    ) -> None:
        key, host = constraint.key, constraint.key == HOSTNAME
        if host:
            size = len(rated)
            by_value = constraint.by_node
        else:
            values = {node.labels[key] for node in rated if key in node.labels}
            size = len(values)
            by_value = dict.fromkeys(values, 0)
            for name, count in constraint.by_node.items():
                node = self._nodes[name]
                value = node.labels.get(key)
                if value in by_value and constraint.admits(self._pod, node):
                    by_value[value] += count
        weight = math.log(size + 2)
        skew = constraint.given.max_skew - 1
        for index, node in enumerate(candidates):
            value = node.labels.get(key)
            if not ignored[index] and value is not None:
                count = by_value.get(node.name if host else value, 0)
                raw[index] += count * weight + skew
