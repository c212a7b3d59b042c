"""PodDisruptionBudgets: how many of the selected pods may be evicted now.

Called by `client/host` per budget; evictions themselves are granted by the API server, which reads and counts down the status.
Source: k8s.io/kubernetes pkg/controller/disruption
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from kubelite.api.apps_v1 import Deployment, ReplicaSet, StatefulSet
from kubelite.api.core_v1 import Pod, ReplicationController
from kubelite.api.intstr import scaled_value
from kubelite.api.meta import Condition, Object, controller_of
from kubelite.api.policy_v1 import PodDisruptionBudget
from kubelite.api.selectors import matches
from kubelite.api.timestamp import rfc3339
from kubelite.client.plan import Plan, Update
from kubelite.client.view import Key, View, Watch, key_of, self_key, split_key
from kubelite.controllers.pods import is_active, is_ready, readiness_changed, seconds
from kubelite.controllers.selection import pods_with_labels

EVICTION_S = 120.0  #: how long a granted eviction counts before its pod is gone


def _pod_keys(view: View, old: Pod | None, new: Pod | None) -> Iterable[Key]:
    pod = new or old
    if pod is None:
        return
    if old is not None and new is not None and not readiness_changed(old, new):
        same = old.metadata.labels == new.metadata.labels
        if same and old.metadata.deletion_timestamp == new.metadata.deletion_timestamp:
            return
    for budget in view.list(PodDisruptionBudget, pod.metadata.namespace):
        if any(matches(budget.spec.selector, each.metadata.labels) for each in (old, new) if each is not None):
            yield key_of(budget)


class DisruptionController:
    name = "disruption-controller"
    watches = (Watch(PodDisruptionBudget, self_key), Watch(Pod, _pod_keys))
    reads: tuple[type[Object], ...] = (ReplicaSet, Deployment, StatefulSet, ReplicationController)

    def decide(self, view: View, key: Key, now: float) -> Plan:
        namespace, name = split_key(key)
        budget = view.get(PodDisruptionBudget, name, namespace)
        if budget is None:
            return Plan()
        pods = [pod for pod in _selected(view, budget) if is_active(pod)]
        expected, desired = compute_need(view, budget, pods)
        present = {pod.metadata.name for pod in pods}
        disrupted = {
            pod: at
            for pod, at in budget.status.disrupted_pods.items()
            if pod in present and seconds(at) + EVICTION_S > now
        }
        healthy = sum(is_ready(pod) and pod.metadata.name not in disrupted for pod in pods)
        allowed = max(0, healthy - desired) if expected > 0 else 0
        status = replace(
            budget.status,
            observed_generation=budget.metadata.generation,
            disrupted_pods=disrupted,
            disruptions_allowed=allowed,
            current_healthy=healthy,
            desired_healthy=desired,
            expected_pods=expected,
            conditions=_conditions(budget, allowed > 0, now),
        )
        due = min((seconds(at) + EVICTION_S - now for at in disrupted.values()), default=None)
        if status == budget.status:
            return Plan(requeue_after_s=due)
        return Plan(writes=(Update(replace(budget, status=status), subresource="status"),), requeue_after_s=due)


def _selected(view: View, budget: PodDisruptionBudget) -> Sequence[Pod]:
    selector, namespace = budget.spec.selector, budget.metadata.namespace
    if selector is None:
        return ()
    if selector.match_labels:
        found: Sequence[Pod] = pods_with_labels(view, namespace, selector.match_labels)
    else:
        found = view.list(Pod, namespace)
    return [pod for pod in found if matches(selector, pod.metadata.labels)]


def compute_need(view: View, budget: PodDisruptionBudget, pods: Sequence[Pod]) -> tuple[int, int]:
    """(pods that should be there, pods that must stay healthy)."""
    spec = budget.spec
    if spec.max_unavailable is not None:
        expected = _scale(view, pods)
        return expected, max(0, expected - scaled_value(spec.max_unavailable, expected, round_up=True))
    if isinstance(spec.min_available, int):
        return len(pods), spec.min_available
    if spec.min_available is not None:
        expected = _scale(view, pods)
        return expected, scaled_value(spec.min_available, expected, round_up=True)
    return len(pods), 0


def _scale(view: View, pods: Sequence[Pod]) -> int:
    """The replicas that the pods' workloads want, each workload once."""
    wanted: dict[str, int] = {}
    for pod in pods:
        owner = controller_of(pod.metadata)
        namespace = pod.metadata.namespace
        if owner is None or owner.uid in wanted:
            continue
        found: ReplicaSet | StatefulSet | ReplicationController | Deployment | None = None
        if owner.kind == "ReplicaSet":
            found = view.get(ReplicaSet, owner.name, namespace)
            above = controller_of(found.metadata) if found else None
            if above is not None and above.kind == "Deployment":
                found = view.get(Deployment, above.name, namespace) or found
        elif owner.kind == "StatefulSet":
            found = view.get(StatefulSet, owner.name, namespace)
        elif owner.kind == "ReplicationController":
            found = view.get(ReplicationController, owner.name, namespace)
        if found is not None:
            wanted[found.metadata.uid] = 1 if found.spec.replicas is None else found.spec.replicas
    return sum(wanted.values())


def _conditions(budget: PodDisruptionBudget, allowed: bool, now: float) -> tuple[Condition, ...]:
    status, reason = ("True", "SufficientPods") if allowed else ("False", "InsufficientPods")
    old = next((entry for entry in budget.status.conditions if entry.type == "DisruptionAllowed"), None)
    since = old.last_transition_time if old and old.status == status else rfc3339(now)
    condition = Condition(
        type="DisruptionAllowed",
        status=status,
        reason=reason,
        observed_generation=budget.metadata.generation,
        last_transition_time=since,
    )
    others = tuple(entry for entry in budget.status.conditions if entry.type != "DisruptionAllowed")
    return (*others, condition)
