"""Making room: which less important pods go so that a pod that fits nowhere can run.

Pure over `Nodes`, which is changed and put back while victims are tried.
Source: k8s.io/kubernetes pkg/scheduler/framework/preemption, plugins/defaultpreemption
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from kubelite.api.policy_v1 import PodDisruptionBudget
from kubelite.api.selectors import matches
from kubelite.scheduler.attempt import Attempt, Question, available
from kubelite.scheduler.filters import Rejection
from kubelite.scheduler.node_info import NodeInfo, Nodes
from kubelite.scheduler.pod_info import PodInfo

LEAST_CANDIDATES, CANDIDATE_PERCENT = 100, 10  #: as many nodes are compared
NOT_HELPFUL = "Preemption is not helpful for scheduling"
NO_VICTIMS = "No preemption victims found for incoming pod"
_PRIORITY_OFFSET = 2**31  # so that more victims always weigh more


class Preemption(msgspec.Struct, frozen=True, kw_only=True):
    """`message` says why there is no `node`. With `keep`, an earlier nomination stands."""

    node: str = ""
    victims: tuple[PodInfo, ...] = ()
    message: str = ""
    keep: bool = False


class _Candidate(msgspec.Struct, frozen=True):
    node: NodeInfo
    victims: tuple[PodInfo, ...]  # the most important first
    violations: int


def compute_preemption(
    nodes: Nodes,
    question: Question,
    rejections: Mapping[str, Rejection],
    budgets: Sequence[PodDisruptionBudget],
    *,
    start: int,
) -> Preemption:
    pod = question.pod
    if pod.pod.spec.preemption_policy == "Never":
        return Preemption(message="not eligible due to preemptionPolicy=Never.", keep=True)
    nominated = pod.pod.status.nominated_node_name
    if nominated and not _is_final(rejections.get(nominated)):
        there = nodes.get(nominated)
        if there and any(other.terminating and other.priority < pod.priority for other in there.pods.values()):
            return Preemption(message="not eligible due to a terminating pod on the nominated node.", keep=True)
    count = len(nodes.listed)
    enough = max(LEAST_CANDIDATES, count * CANDIDATE_PERCENT // 100)
    candidates: list[_Candidate] = []
    reasons: Counter[str] = Counter()
    for offset in range(count):
        node = nodes.listed[(start + offset) % count]
        if _is_final(rejections.get(node.name)):
            reasons[NOT_HELPFUL] += 1
            continue
        found = _candidate(nodes, question, node, budgets)
        if isinstance(found, _Candidate):
            candidates.append(found)
            if len(candidates) >= enough:
                break
        else:
            reasons.update(found)
    if not candidates:
        return Preemption(message=available(count, reasons))
    best = min(candidates, key=_cost)
    return Preemption(node=best.node.name, victims=best.victims)


def _is_final(rejection: Rejection | None) -> bool:
    return rejection is not None and rejection.final


def _candidate(
    nodes: Nodes, question: Question, node: NodeInfo, budgets: Sequence[PodDisruptionBudget]
) -> _Candidate | tuple[str, ...]:
    """The fewest victims on `node`, or why nobody's going would help."""
    lower = [other for other in node.pods.values() if other.priority < question.pod.priority]
    if not lower:
        return (NO_VICTIMS,)
    lower.sort(key=_importance)
    for other in lower:
        nodes.remove_pod(other.key)
    gone = {other.key: other for other in lower}
    try:
        rejection = Attempt(nodes, question).rejects(node)
        if rejection is not None:
            return rejection.reasons
        violating = _violating(lower, budgets)
        violations = 0
        for other in sorted(lower, key=lambda entry: entry.key not in violating):
            nodes.put_pod(gone.pop(other.key))
            if Attempt(nodes, question).rejects(node) is not None:
                nodes.remove_pod(other.key)
                gone[other.key] = other
                violations += other.key in violating
        return _Candidate(node, tuple(sorted(gone.values(), key=_importance)), violations)
    finally:
        for other in gone.values():
            nodes.put_pod(other)


def _importance(pod: PodInfo) -> tuple[int, str, str]:
    """The more important first: of equal priority, those that have run longer."""
    return (-pod.priority, pod.pod.status.start_time or "~", pod.key)


def _violating(pods: Sequence[PodInfo], budgets: Sequence[PodDisruptionBudget]) -> set[str]:
    """Those whose budget is spent on more important ones."""
    left = {budget.metadata.uid: budget.status.disruptions_allowed for budget in budgets}
    found: set[str] = set()
    for pod in pods:
        for budget in budgets:
            selector = budget.spec.selector
            if budget.metadata.namespace != pod.namespace or not pod.labels or selector is None:
                continue
            if not (selector.match_labels or selector.match_expressions) or not matches(selector, pod.labels):
                continue
            if pod.pod.metadata.name in budget.status.disrupted_pods:
                continue
            left[budget.metadata.uid] -= 1
            if left[budget.metadata.uid] < 0:
                found.add(pod.key)
    return found


def _cost(candidate: _Candidate) -> tuple[int, int, int, int, float]:
    """Fewest broken budgets, least important victims, fewest of them, of equals the youngest."""
    victims = candidate.victims
    if not victims:
        return (candidate.violations, -_PRIORITY_OFFSET, 0, 0, 0.0)
    highest = victims[0].priority
    first = min(victim.started for victim in victims if victim.priority == highest)
    total = sum(victim.priority + _PRIORITY_OFFSET for victim in victims)
    return (candidate.violations, highest, total, len(victims), -first)
