"""One pod, all nodes: where it goes and why, or why nowhere and who would have to go.

Pure over `Nodes`. `scheduler` keeps the result, so that a decision can be explained afterwards.
Source: k8s.io/kubernetes pkg/scheduler/{schedule_one.go,framework/types.go}
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from kubelite.api.policy_v1 import PodDisruptionBudget
from kubelite.scheduler import scores as rate
from kubelite.scheduler.attempt import Attempt, Question, available
from kubelite.scheduler.filters import Rejection
from kubelite.scheduler.node_info import NodeInfo, Nodes
from kubelite.scheduler.pod_info import PodInfo
from kubelite.scheduler.preemption import NOT_HELPFUL, Preemption, compute_preemption

FEW_NODES = 100  #: as many that fit are always looked for


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """`node` is empty when none fits; then `preemption` says who goes instead. `scores` holds each plugin's 0 to 100 in the

    order of `candidates`, `total` their weighted sum.
    """

    pod: str
    node: str = ""
    candidates: tuple[str, ...] = ()
    scores: Mapping[str, list[int]] = {}
    total: tuple[int, ...] = ()
    rejections: Mapping[str, Rejection] = {}  #: by node
    message: str = ""
    preemption: Preemption = Preemption()
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
    nodes: Nodes, question: Question, *, budgets: Sequence[PodDisruptionBudget] = (), start: int
) -> Decision:
    """Filters from node number `start` on, then rates those that fit; of equals the first wins."""
    listed, pod = nodes.listed, question.pod
    if not listed:
        return Decision(pod=pod.key, message="no nodes available to schedule pods")
    if question.volumes is not None and question.volumes.problem:
        return _hopeless(nodes, pod, question.volumes.problem, start)
    attempt = Attempt(nodes, question)
    nominated = nodes.get(pod.pod.status.nominated_node_name)
    if nominated is not None and attempt.rejects(nominated) is None:
        return _chosen(pod, nominated, {}, start)
    feasible: list[NodeInfo] = []
    rejections: dict[str, Rejection] = {}
    enough, count, looked = wanted_nodes(len(listed)), len(listed), 0
    for looked in range(1, count + 1):
        node = listed[(start + looked - 1) % count]
        if (rejection := attempt.rejects(node)) is not None:
            rejections[node.name] = rejection
            continue
        feasible.append(node)
        if len(feasible) >= enough:
            break
    following = (start + looked) % count
    if not feasible:
        preemption = compute_preemption(nodes, question, rejections, budgets, start=start)
        return Decision(
            pod=pod.key,
            rejections=rejections,
            message=unschedulable_message(rejections, preemption),
            preemption=preemption,
            start=following,
        )
    if len(feasible) == 1:
        return _chosen(pod, feasible[0], rejections, following)
    given = _scores(nodes, question, feasible, attempt)
    total = rate.weighted(given, len(feasible), question.profile.weights)
    return Decision(
        pod=pod.key,
        node=feasible[total.index(max(total))].name,
        candidates=tuple(node.name for node in feasible),
        scores=given,
        total=tuple(total),
        rejections=rejections,
        start=following,
    )


def _chosen(pod: PodInfo, node: NodeInfo, rejections: Mapping[str, Rejection], start: int) -> Decision:
    """The only node there is needs no scores."""
    return Decision(pod=pod.key, node=node.name, candidates=(node.name,), rejections=rejections, start=start)


def _hopeless(nodes: Nodes, pod: PodInfo, problem: str, start: int) -> Decision:
    """What no node can help."""
    count = len(nodes.listed)
    rejection = Rejection("VolumeBinding", (problem,), final=True)
    preemption = Preemption(message=available(count, Counter({NOT_HELPFUL: count})))
    return Decision(
        pod=pod.key,
        rejections={node.name: rejection for node in nodes.listed},
        message=f"0/{count} nodes are available: {problem}. preemption: {preemption.message}",
        preemption=preemption,
        start=start,
    )


def _scores(nodes: Nodes, question: Question, feasible: list[NodeInfo], attempt: Attempt) -> dict[str, list[int]]:
    """Only the plugins that tell nodes apart."""
    pod, profile = question.pod, question.profile
    given = {
        "TaintToleration": rate.taint_toleration(pod, feasible),
        "NodeAffinity": rate.preferred_nodes(pod, feasible),
        "PodTopologySpread": attempt.spread.scores(feasible),
        "InterPodAffinity": attempt.affinity.scores(feasible),
        "NodeResourcesFit": rate.resources_fit(profile.strategy, pod, feasible),
        "NodeResourcesBalancedAllocation": rate.balanced_allocation(pod, feasible),
        "ImageLocality": rate.image_locality(pod, feasible, nodes),
    }
    return {plugin: values for plugin, values in given.items() if values is not None and plugin in profile.weights}


def unschedulable_message(rejections: Mapping[str, Rejection], preemption: Preemption) -> str:
    """What the pod's condition and the event say, e.g. "0/3 nodes are available: 3 Insufficient cpu. preemption: …"."""
    reasons = Counter(reason for rejection in rejections.values() for reason in rejection.reasons)
    text = available(len(rejections), reasons)
    return f"{text} preemption: {preemption.message}" if preemption.message else text


SHOWN = 5  #: nodes that an explanation names


def explained(decision: Decision) -> str:
    """What was weighed, in one line for people.

    >>> explained(Decision(pod="default/p", node="a", candidates=("a", "b"), scores={"ImageLocality": [7, 0]}, total=(7, 0)))
    'a chosen of 2: a 7 (ImageLocality 7), b 0 (ImageLocality 0)'
    """
    if not decision.node:
        text = decision.message
        if decision.preemption.node:
            victims = ", ".join(victim.key for victim in decision.preemption.victims[:SHOWN])
            text += f" {decision.preemption.node} nominated, preempting {victims or 'nobody'}"
        return text
    text = f"{decision.node} chosen of {len(decision.candidates)}"
    if decision.total:
        best = heapq.nsmallest(SHOWN, range(len(decision.total)), key=lambda at: -decision.total[at])
        rated = [
            f"{decision.candidates[at]} {decision.total[at]}"
            f" ({', '.join(f'{plugin} {each[at]}' for plugin, each in decision.scores.items())})"
            for at in best
        ]
        text += f": {', '.join(rated)}"
    if decision.rejections:
        reasons = Counter(reason for rejection in decision.rejections.values() for reason in rejection.reasons)
        text += "; rejected: " + ", ".join(f"{number} {reason}" for reason, number in reasons.most_common(SHOWN))
    return text
