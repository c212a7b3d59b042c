"""ReplicaSets: as many pods as asked for, the least useful given up first.

Called by `client/host` per ReplicaSet. It creates and deletes pods, adopts and releases them, and counts them into the status;
it knows nothing of Deployments except that ReplicaSets with one owner are related. A ReplicationController is the same with an
older selector (`replication_controller`).
Source: k8s.io/kubernetes pkg/controller/replicaset
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from kubelite.api.apps_v1 import ReplicaSet, ReplicaSetCondition
from kubelite.api.core_v1 import Pod
from kubelite.api.meta import Object, controller_of
from kubelite.api.timestamp import rfc3339
from kubelite.client.plan import Create, Delete, Plan, Report, Update, Write
from kubelite.client.view import Key, View, Watch, self_key, split_key
from kubelite.controllers import pods as podlib
from kubelite.controllers.selection import claim, holder_keys, selector_of

BURST = 500  #: pods created or deleted per decision


class ReplicaSetController:
    name = "replicaset-controller"
    kind: type[Object] = ReplicaSet
    condition: type[Any] = ReplicaSetCondition
    reads: tuple[type[Object], ...] = ()

    @property
    def watches(self) -> tuple[Watch, ...]:
        pods = Watch(Pod, holder_keys(self.kind, podlib.readiness_changed))
        return (Watch(self.kind, self_key), pods)

    def decide(self, view: View, key: Key, now: float) -> Plan:
        namespace, name = split_key(key)
        rs: Any = view.get(self.kind, name, namespace)
        if rs is None:
            return Plan()
        claimed = claim(view, rs, selector_of(rs), Pod)
        active = [pod for pod in claimed.held if podlib.is_active(pod)]
        writes: list[Write] = list(claimed.writes)
        reports: list[Report] = []
        if not rs.metadata.deletion_timestamp:
            wanted = 1 if rs.spec.replicas is None else rs.spec.replicas
            if len(active) < wanted and rs.spec.template is not None:
                pod = podlib.from_template(rs, rs.spec.template)
                writes += [podlib.create_pod(rs, pod)] * min(wanted - len(active), BURST)
            elif len(active) > wanted:
                order = podlib.deletion_order(active, _neighbours(view, rs, active), now)
                for pod in order[: min(len(active) - wanted, BURST)]:
                    writes.append(podlib.delete_pod(pod))
                    reports.append(podlib.deleted_report(rs, pod))
        status = compute_status(rs, active, now)
        if status != rs.status:
            writes.append(Update(replace(rs, status=status), subresource="status"))
        min_ready_s = rs.spec.min_ready_seconds
        due = podlib.earliest((podlib.available_at(pod, min_ready_s) for pod in active), now) if min_ready_s else None
        return Plan(writes=tuple(writes), reports=tuple(reports), requeue_after_s=due)

    def failed(self, view: View, key: Key, now: float, write: Write, message: str) -> Plan:
        """What to tell the user when a write of the last plan failed."""
        namespace, name = split_key(key)
        rs: Any = view.get(self.kind, name, namespace)
        if rs is None or not isinstance(write, Create | Delete):
            return Plan()
        creating = isinstance(write, Create)
        reason = "FailedCreate" if creating else "FailedDelete"
        verb = "creating" if creating else "deleting"
        report = Report(regarding=rs, type="Warning", reason=reason, message=f"Error {verb}: {message}")
        if any(condition.type == "ReplicaFailure" for condition in rs.status.conditions):
            return Plan(reports=(report,))
        failure = self.condition(
            type="ReplicaFailure", status="True", last_transition_time=rfc3339(now), reason=reason, message=message
        )
        status = replace(
            rs.status, conditions=(*rs.status.conditions, failure), observed_generation=rs.metadata.generation
        )
        return Plan(writes=(Update(replace(rs, status=status), subresource="status"),), reports=(report,))


def compute_status(rs: Any, active: Sequence[Pod], now: float) -> Any:
    """The counts of the pods that were there when the decision was made; a failure is over once the number is right."""
    template = rs.spec.template.metadata.labels.items() if rs.spec.template else {}.items()
    wanted = 1 if rs.spec.replicas is None else rs.spec.replicas
    conditions = rs.status.conditions
    if len(active) == wanted:
        conditions = tuple(condition for condition in conditions if condition.type != "ReplicaFailure")
    return replace(
        rs.status,
        replicas=len(active),
        fully_labeled_replicas=sum(template <= pod.metadata.labels.items() for pod in active),
        ready_replicas=sum(podlib.is_ready(pod) for pod in active),
        available_replicas=sum(podlib.is_available(pod, rs.spec.min_ready_seconds, now) for pod in active),
        observed_generation=rs.metadata.generation,
        conditions=conditions,
    )


def _neighbours(view: View, rs: Object, active: Sequence[Pod]) -> Counter[str]:
    """How many active pods of the same owner's ReplicaSets each node has."""
    owner = controller_of(rs.metadata)
    related: list[Pod] = list(active)
    if owner is not None:
        for sibling in view.owned(type(rs), owner.uid):
            if sibling.metadata.uid != rs.metadata.uid:
                related += view.owned(Pod, sibling.metadata.uid)
    return Counter(pod.spec.node_name for pod in related if podlib.is_active(pod))
