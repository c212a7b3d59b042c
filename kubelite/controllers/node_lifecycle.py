"""Nodes that stop answering: Ready becomes Unknown, and the taints that keep or drive pods away follow the conditions.

Called by `client/host` per Node; the kubelet's heartbeat is its Lease. Driving pods away is for `taint_eviction`.
Source: k8s.io/kubernetes pkg/controller/nodelifecycle, KEP-589 (leases), KEP-382 (taints by condition)
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from kubelite.api.coordination_v1 import Lease
from kubelite.api.core_v1 import Node, NodeCondition, Pod, PodCondition, Taint
from kubelite.api.meta import Object
from kubelite.api.timestamp import rfc3339
from kubelite.client.plan import Patch, Plan, Report, Update, Write
from kubelite.client.view import Key, View, Watch
from kubelite.controllers.pods import condition_of, seconds

LEASE_NAMESPACE = "kube-node-lease"
GRACE_S = 50.0  #: without a heartbeat; --node-monitor-grace-period
STARTUP_GRACE_S = 60.0  #: for a node that never gave one; --node-startup-grace-period
NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
_KUBELETS = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")

#: (condition, status) to the NoSchedule taint of it.
_TAINTS = {
    ("Ready", "False"): NOT_READY,
    ("Ready", "Unknown"): UNREACHABLE,
    ("MemoryPressure", "True"): "node.kubernetes.io/memory-pressure",
    ("DiskPressure", "True"): "node.kubernetes.io/disk-pressure",
    ("PIDPressure", "True"): "node.kubernetes.io/pid-pressure",
    ("NetworkUnavailable", "True"): "node.kubernetes.io/network-unavailable",
}
_UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
_OWN = {*_TAINTS.values(), _UNSCHEDULABLE}


def _node_keys(view: View, old: Node | None, new: Node | None) -> Iterable[Key]:
    """Heartbeats in the status alone change nothing."""
    if new is None:
        return
    if old is None or old.spec != new.spec or _statuses(old) != _statuses(new):
        yield new.metadata.name


def _lease_keys(view: View, old: Lease | None, new: Lease | None) -> Iterable[Key]:
    """A renewal matters only if the node was given up; the deadline is looked at when it is due."""
    lease = new or old
    if lease is None or lease.metadata.namespace != LEASE_NAMESPACE:
        return
    node = view.get(Node, lease.metadata.name)
    if node is not None and (old is None or new is None or _statuses(node).get("Ready") != "True"):
        yield node.metadata.name


def _statuses(node: Node) -> dict[str, str]:
    return {condition.type: condition.status for condition in node.status.conditions}


class NodeLifecycleController:
    name = "node-controller"
    watches = (Watch(Node, _node_keys), Watch(Lease, _lease_keys))
    reads: tuple[type[Object], ...] = (Pod,)

    def decide(self, view: View, key: Key, now: float) -> Plan:
        node = view.get(Node, key)
        if node is None:
            return Plan()
        left = _deadline(view, node) - now
        conditions = node.status.conditions if left > 0 else silent_conditions(node, now)
        due = left if left > 0 else None
        if conditions != node.status.conditions:
            status = replace(node.status, conditions=conditions)
            write = Update(replace(node, status=status), subresource="status")
            message = f"Node {key} status is now: NodeNotReady"
            report = Report(regarding=node, reason="NodeNotReady", message=message)
            return Plan(writes=(write,), reports=(report,), requeue_after_s=due)
        writes: list[Write] = []
        reports: list[Report] = []
        taints = compute_taints(node, now)
        if taints != node.spec.taints:
            writes.append(_tainted(node, taints))
        if _statuses(node).get("Ready", "Unknown") != "True":
            self._mark_pods(view, node, now, writes, reports)
        return Plan(writes=tuple(writes), reports=tuple(reports), requeue_after_s=due)

    def _mark_pods(self, view: View, node: Node, now: float, writes: list[Write], reports: list[Report]) -> None:
        """The pods of a node that is not ready are not ready, whatever they last said."""
        for pod in view.indexed(Pod, "node", node.metadata.name):
            ready = condition_of(pod, "Ready")
            if ready is None or ready.status != "True":
                continue
            changed = replace(ready, status="False", last_transition_time=rfc3339(now))
            writes.append(Update(with_condition(pod, changed), subresource="status"))
            reports.append(Report(regarding=pod, type="Warning", reason="NodeNotReady", message="Node is not ready"))


def with_condition(pod: Pod, condition: PodCondition) -> Pod:
    """The pod with one of its conditions replaced or added."""
    others = [entry for entry in pod.status.conditions if entry.type != condition.type]
    return replace(pod, status=replace(pod.status, conditions=(*others, condition)))


def _deadline(view: View, node: Node) -> float:
    """When the node counts as silent."""
    lease = view.get(Lease, node.metadata.name, LEASE_NAMESPACE)
    renewed = seconds(lease.spec.renew_time) if lease else 0.0
    beats = (seconds(entry.last_heartbeat_time) for entry in node.status.conditions if entry.type == "Ready")
    last = max((renewed, *beats))
    return last + GRACE_S if last else seconds(node.metadata.creation_timestamp) + STARTUP_GRACE_S


def silent_conditions(node: Node, now: float) -> tuple[NodeCondition, ...]:
    """What a kubelet that says nothing said last is no longer known."""
    known = {condition.type: condition for condition in node.status.conditions}
    at = rfc3339(now)
    for type_ in _KUBELETS:
        old = known.get(type_)
        if old is None:
            known[type_] = NodeCondition(
                type=type_,
                status="Unknown",
                reason="NodeStatusNeverUpdated",
                message="Kubelet never posted node status.",
                last_heartbeat_time=node.metadata.creation_timestamp,
                last_transition_time=at,
            )
        elif old.status != "Unknown":
            known[type_] = replace(
                old,
                status="Unknown",
                reason="NodeStatusUnknown",
                message="Kubelet stopped posting node status.",
                last_transition_time=at,
            )
    return tuple(known.values())


def compute_taints(node: Node, now: float) -> tuple[Taint, ...]:
    """Other taints stay; these follow the conditions and the cordon."""
    wanted = [
        Taint(key=key, effect="NoSchedule")
        for condition in node.status.conditions
        if (key := _TAINTS.get((condition.type, condition.status)))
    ]
    if node.spec.unschedulable:
        wanted.append(Taint(key=_UNSCHEDULABLE, effect="NoSchedule"))
    wanted += [Taint(key=taint.key, effect="NoExecute") for taint in wanted if taint.key in (NOT_READY, UNREACHABLE)]
    present = {(taint.key, taint.effect) for taint in node.spec.taints}
    needed = {(taint.key, taint.effect) for taint in wanted}
    kept = [
        taint
        for taint in node.spec.taints
        if taint.key not in _OWN or (taint.key, taint.effect) in needed or taint.effect == "PreferNoSchedule"
    ]
    fresh = [replace(taint, time_added=rfc3339(now)) for taint in wanted if (taint.key, taint.effect) not in present]
    return (*kept, *fresh)


def _tainted(node: Node, taints: tuple[Taint, ...]) -> Patch:
    guard = {"uid": node.metadata.uid, "resourceVersion": node.metadata.resource_version}
    patch = {"metadata": guard, "spec": {"taints": msgspec.to_builtins(taints) or None}}
    return Patch(type=Node, name=node.metadata.name, patch=patch)
