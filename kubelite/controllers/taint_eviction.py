"""Pods on nodes with NoExecute taints: deleted at once, after their tolerationSeconds, or never.

Called by `client/host` per pod. When a pod's time began is remembered here, since a taint need not say when it was added.
Source: k8s.io/kubernetes pkg/controller/tainteviction
"""

from __future__ import annotations

from collections.abc import Iterable

from kubelite.api.core_v1 import Node, Pod, PodCondition, Taint
from kubelite.api.meta import Object
from kubelite.api.placement import tolerates
from kubelite.api.timestamp import rfc3339
from kubelite.client.plan import Delete, Plan, Report, Update
from kubelite.client.view import Key, View, Watch, key_of, split_key
from kubelite.controllers.node_lifecycle import with_condition
from kubelite.controllers.pods import seconds


def _taints(node: Node | None) -> tuple[Taint, ...]:
    return tuple(taint for taint in node.spec.taints if taint.effect == "NoExecute") if node else ()


def _node_keys(view: View, old: Node | None, new: Node | None) -> Iterable[Key]:
    if new is not None and _taints(old) != _taints(new):
        yield from (key_of(pod) for pod in view.indexed(Pod, "node", new.metadata.name))


def stay_s(pod: Pod, taints: tuple[Taint, ...]) -> float:
    """For how long the pod may stay with these taints: 0, seconds, or infinity."""
    longest = float("inf")
    for taint in taints:
        covering = [entry for entry in pod.spec.tolerations if tolerates(entry, taint)]
        if not covering:
            return 0.0
        limits = [entry.toleration_seconds for entry in covering if entry.toleration_seconds is not None]
        longest = min([longest, *(max(0, limit) for limit in limits)])
    return longest


class TaintEvictionController:
    name = "taint-eviction-controller"

    def __init__(self) -> None:
        self._since: dict[str, float] = {}  # pod uid to when it began to count

    @property
    def watches(self) -> tuple[Watch, ...]:
        return (Watch(Node, _node_keys), Watch(Pod, self._pod_keys))

    reads: tuple[type[Object], ...] = ()

    def _pod_keys(self, view: View, old: Pod | None, new: Pod | None) -> Iterable[Key]:
        if new is None:
            if old is not None:
                self._since.pop(old.metadata.uid, None)
            return
        moved = old is None or (old.spec.node_name, old.spec.tolerations) != (new.spec.node_name, new.spec.tolerations)
        if moved and _taints(view.get(Node, new.spec.node_name)):
            yield key_of(new)

    def decide(self, view: View, key: Key, now: float) -> Plan:
        namespace, name = split_key(key)
        pod = view.get(Pod, name, namespace)
        if pod is None or pod.metadata.deletion_timestamp:
            return Plan()
        uid = pod.metadata.uid
        taints = _taints(view.get(Node, pod.spec.node_name))
        limit_s = stay_s(pod, taints) if taints else float("inf")
        if limit_s == float("inf"):
            if self._since.pop(uid, None) is not None:
                message = f"Cancelling deletion of Pod {key}"
                return Plan(reports=(Report(regarding=pod, reason="TaintManagerEviction", message=message),))
            return Plan()
        left = self._since.setdefault(uid, self._began(taints, pod, now)) + limit_s - now
        if left > 0:
            return Plan(requeue_after_s=left)
        self._since.pop(uid, None)
        condition = PodCondition(
            type="DisruptionTarget",
            status="True",
            reason="DeletionByTaintManager",
            message="Taint manager: deleting due to NoExecute taint",
            last_transition_time=rfc3339(now),
        )
        report = Report(regarding=pod, reason="TaintManagerEviction", message=f"Marking for deletion Pod {key}")
        marked = Update(with_condition(pod, condition), subresource="status")
        delete = Delete(type=Pod, name=name, namespace=namespace, uid=uid)
        return Plan(writes=(marked, delete), reports=(report,))

    def _began(self, taints: tuple[Taint, ...], pod: Pod, now: float) -> float:
        """When all that counts was there: a restart must not begin anew."""
        added = [seconds(taint.time_added) for taint in taints]
        return max(*added, seconds(pod.status.start_time)) if all(added) else now
