"""PodDisruptionBudgets: how many of the selected pods may be evicted now; and pods that were to go and did not.

Called by `client/host` per budget; evictions themselves are granted by the API server, which reads and counts down the status.
`StaleDisruptionController` is called per pod: who announced its end two minutes ago and did not delete it has changed his mind.
Source: k8s.io/kubernetes pkg/controller/disruption
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from kubelite.api.apps_v1 import Deployment, ReplicaSet, StatefulSet
from kubelite.api.core_v1 import Pod, PodCondition, ReplicationController
from kubelite.api.intstr import scaled_value
from kubelite.api.meta import Condition, LabelSelector, Object, controller_of
from kubelite.api.policy_v1 import PodDisruptionBudget
from kubelite.api.selectors import matches
from kubelite.api.timestamp import rfc3339
from kubelite.client.plan import Plan, Report, Update
from kubelite.client.view import Key, View, Watch, key_of, self_key, split_key
from kubelite.controllers.node_lifecycle import with_condition
from kubelite.controllers.pods import condition_of, is_ready, readiness_changed, seconds
from kubelite.controllers.selection import pods_with_labels

STALE_S = 120.0  #: how long a pod is to go before that is taken back
EVICTION_S = 120.0  #: how long a granted eviction counts before its pod is gone


def _pod_keys(view: View, old: Pod | None, new: Pod | None) -> Iterable[Key]:
    pod = new or old
    if pod is None:
        return
    if old is not None and new is not None and not readiness_changed(old, new):
        same = old.metadata.labels == new.metadata.labels
        if same and old.metadata.deletion_timestamp == new.metadata.deletion_timestamp:
            return
    states = [each.metadata.labels for each in (old, new) if each is not None]
    if states[0] == states[-1]:
        states = states[:1]
    for budget in view.list(PodDisruptionBudget, pod.metadata.namespace):
        if any(matches(budget.spec.selector, labels) for labels in states):
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
        pods = _selected(view, budget)
        expected, desired = compute_need(view, budget, pods)
        reports = _reports(budget, pods)
        present = {pod.metadata.name for pod in pods if not pod.metadata.deletion_timestamp}
        disrupted = {
            pod: at
            for pod, at in budget.status.disrupted_pods.items()
            if pod in present and seconds(at) + EVICTION_S > now
        }
        healthy = sum(
            is_ready(pod) and not pod.metadata.deletion_timestamp and pod.metadata.name not in disrupted for pod in pods
        )
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
            return Plan(reports=reports, requeue_after_s=due)
        write = Update(replace(budget, status=status), subresource="status")
        return Plan(writes=(write,), reports=reports, requeue_after_s=due)


def _target(pod: Pod) -> PodCondition | None:
    """That it is to go, while it is still there and nobody has deleted it."""
    target = condition_of(pod, "DisruptionTarget")
    stays = pod.status.phase in ("Pending", "Running") and not pod.metadata.deletion_timestamp
    return target if target is not None and target.status == "True" and stays else None


def _target_keys(view: View, old: Pod | None, new: Pod | None) -> Iterable[Key]:
    if new is not None and _target(new) is not None and (old is None or _target(old) is None):
        yield key_of(new)


class StaleDisruptionController:
    name = "stale-pod-disruption-controller"
    watches = (Watch(Pod, _target_keys),)
    reads: tuple[type[Object], ...] = ()

    def decide(self, view: View, key: Key, now: float) -> Plan:
        namespace, name = split_key(key)
        pod = view.get(Pod, name, namespace)
        target = _target(pod) if pod is not None else None
        if pod is None or target is None:
            return Plan()
        left = seconds(target.last_transition_time) + STALE_S - now
        if left > 0:
            return Plan(requeue_after_s=left)
        over = replace(target, status="False", last_transition_time=rfc3339(now))
        return Plan(writes=(Update(with_condition(pod, over), subresource="status"),))


def _selected(view: View, budget: PodDisruptionBudget) -> Sequence[Pod]:
    selector, namespace = budget.spec.selector, budget.metadata.namespace
    if selector is None:
        return ()
    if selector.match_labels:
        found: Sequence[Pod] = pods_with_labels(view, namespace, selector.match_labels)
    else:
        found = view.list(Pod, namespace)
    return [pod for pod in found if matches(selector, pod.metadata.labels)]


def _reports(budget: PodDisruptionBudget, pods: Sequence[Pod]) -> tuple[Report, ...]:
    """What makes the budget less than it seems."""
    if not pods:
        return (Report(regarding=budget, reason="NoPods", message="No matching pods found"),)
    counts = isinstance(budget.spec.min_available, int) and budget.spec.max_unavailable is None
    alone = [pod.metadata.name for pod in pods if controller_of(pod.metadata) is None]
    if counts or not alone:
        return ()
    message = (
        f"Pods selected by this PodDisruptionBudget (selector: {_text(budget.spec.selector)}) were found to be unmanaged. "
        "As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. "
        'To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.'
    )
    return (Report(regarding=budget, type="Warning", reason="UnmanagedPods", message=message),)


def _text(selector: LabelSelector | None) -> str:
    """As Go prints it."""
    labels = "".join(f"{key}: {value}," for key, value in sorted(selector.match_labels.items())) if selector else ""
    expressions = "".join(
        f"LabelSelectorRequirement{{Key:{entry.key},Operator:{entry.operator},Values:[{' '.join(entry.values)}],}},"
        for entry in (selector.match_expressions if selector else ())
    )
    return (
        f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},"
        f"MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )


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
