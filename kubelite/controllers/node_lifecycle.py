"""Nodes that stop answering: Ready becomes Unknown, and the taints that keep or drive pods away follow the conditions.

Called by `client/host` per Node; the kubelet's heartbeat is its Lease. Driving pods away is for `taint_eviction`, which follows
the NoExecute taints set here: one node per zone and ten seconds, none at all while no node is ready (then it is rather us who
are cut off), and none or few in a zone of which most nodes are gone. Silence from before this controller began does not count.
Source: k8s.io/kubernetes pkg/controller/nodelifecycle, KEP-589 (leases), KEP-382 (taints by condition)
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from kubelite.api.coordination_v1 import Lease
from kubelite.api.core_v1 import Node, NodeCondition, Pod, PodCondition, Taint
from kubelite.api.meta import Object, ObjectMeta
from kubelite.api.timestamp import rfc3339
from kubelite.client.plan import Plan, Report, Update, Write
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
LOST = "lost"  #: the index of nodes that are known not to be ready
ZONE, REGION = "topology.kubernetes.io/zone", "topology.kubernetes.io/region"
EVICTION_S = 10.0  #: between two nodes of a zone; --node-eviction-rate
SLOW_EVICTION_S = 100.0  #: when most nodes of a large zone are gone; --secondary-node-eviction-rate
LARGE_ZONE = 50  #: --large-cluster-size-threshold
UNHEALTHY_SHARE = 0.55  #: --unhealthy-zone-threshold
_UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
_LOST = (NOT_READY, UNREACHABLE)
_OWN = {*_TAINTS.values(), _UNSCHEDULABLE}


def _node_keys(view: View, old: Node | None, new: Node | None) -> Iterable[Key]:
    """Heartbeats in the status alone change nothing; whether a node is ready concerns all that were lost."""
    node = new or old
    if node is None:
        return
    if old is None or new is None or old.spec != new.spec or _statuses(old) != _statuses(new):
        yield node.metadata.name
    if new is None or (old is not None and _is_ready(old)) != _is_ready(new):
        yield from (other.metadata.name for other in view.indexed(Node, LOST, LOST))


def _lease_keys(view: View, old: Lease | None, new: Lease | None) -> Iterable[Key]:
    """A renewal matters only if the node was given up; the deadline is looked at when it is due."""
    lease = new or old
    if lease is None or lease.metadata.namespace != LEASE_NAMESPACE:
        return
    node = view.get(Node, lease.metadata.name)
    if node is not None and (old is None or new is None or _statuses(node).get("Ready") != "True"):
        yield node.metadata.name


def lost_nodes(node: Node) -> tuple[str, ...]:
    """The index function of `LOST`: nodes that said once that they were ready, or were expected to, and are not."""
    return (LOST,) if _statuses(node).get("Ready", "True") != "True" else ()


def _is_ready(node: Node) -> bool:
    return _statuses(node).get("Ready") == "True"


def _zone(node: Node) -> tuple[str, str]:
    return node.metadata.labels.get(REGION, ""), node.metadata.labels.get(ZONE, "")


def _statuses(node: Node) -> dict[str, str]:
    return {condition.type: condition.status for condition in node.status.conditions}


class NodeLifecycleController:
    name = "node-controller"
    watches = (Watch(Node, _node_keys), Watch(Lease, _lease_keys))
    reads: tuple[type[Object], ...] = (Pod,)

    def __init__(self) -> None:
        self._since: dict[str, float] = {}  # node to when it was first looked at
        self._registered: set[str] = set()  # nodes that were told of
        self._all_gone = False  # no node is ready
        self._last: dict[tuple[str, str], tuple[str, float]] = {}  # zone to the node that was given up last, and when

    def decide(self, view: View, key: Key, now: float) -> Plan:
        node = view.get(Node, key)
        if node is None:
            self._since.pop(key, None)
            known = key in self._registered
            self._registered.discard(key)
            return Plan(reports=(_told(key, "RemovingNode", "Removing Node {} from Controller"),) if known else ())
        self._since.setdefault(key, now)
        plan = self._look_at(view, node, now)
        if key in self._registered or plan.writes:
            return plan  # a write may fail, and brings another decision
        self._registered.add(key)
        first = _told(key, "RegisteredNode", "Registered Node {} in Controller", node)
        return replace(plan, reports=(first, *plan.reports))

    def _look_at(self, view: View, node: Node, now: float) -> Plan:
        key = node.metadata.name
        left = _deadline(view, node, self._since[key]) - now
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
        evict, later_s = self._evicts(view, node, now)
        taints = compute_taints(node, now, evict=evict)
        if later_s is not None:
            due = later_s if due is None else min(due, later_s)
        if taints != node.spec.taints:
            writes.append(_tainted(node, taints))
        if _statuses(node).get("Ready", "Unknown") != "True":
            self._mark_pods(view, node, now, writes, reports)
        return Plan(writes=tuple(writes), reports=tuple(reports), requeue_after_s=due)

    def _evicts(self, view: View, node: Node, now: float) -> tuple[bool, float | None]:
        """(whether a node that is not ready gives up its pods now, after how many seconds to ask again)."""
        if not lost_nodes(node) and not _is_ready(node):
            return False, None  # it has said nothing so far
        nodes = view.list(Node) if not _is_ready(node) else (node,)
        all_gone, self._all_gone = self._all_gone, not any(map(_is_ready, nodes))
        if self._all_gone:
            return False, None
        if all_gone:
            self._since = dict.fromkeys(self._since, now)  # the others get the time to answer, too
        if _is_ready(node) or any(taint.effect == "NoExecute" and taint.key in _LOST for taint in node.spec.taints):
            return True, None
        zone = _zone(node)
        ready = [_is_ready(other) for other in nodes if _zone(other) == zone]
        gone, interval_s = ready.count(False), EVICTION_S
        if gone > 2 and gone < len(ready) and gone / len(ready) >= UNHEALTHY_SHARE:
            if len(ready) <= LARGE_ZONE:
                return False, None
            interval_s = SLOW_EVICTION_S
        last, at = self._last.get(zone, ("", 0.0))
        if last != node.metadata.name and now < at + interval_s:
            return False, at + interval_s - now
        self._last[zone] = node.metadata.name, now
        return True, None

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


def _told(name: str, reason: str, message: str, node: Node | None = None) -> Report:
    about = node or Node(metadata=ObjectMeta(name=name))
    return Report(regarding=about, reason=reason, message=f"Node {name} event: {message.format(name)}")


def _deadline(view: View, node: Node, since: float) -> float:
    """When the node counts as silent, if it is watched from `since` on."""
    lease = view.get(Lease, node.metadata.name, LEASE_NAMESPACE)
    renewed = seconds(lease.spec.renew_time) if lease else 0.0
    beats = (seconds(entry.last_heartbeat_time) for entry in node.status.conditions if entry.type == "Ready")
    last = max((renewed, *beats))
    return max(last, since) + GRACE_S if last else seconds(node.metadata.creation_timestamp) + STARTUP_GRACE_S


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


def compute_taints(node: Node, now: float, *, evict: bool) -> tuple[Taint, ...]:
    """Other taints stay; these follow the conditions and the cordon. With `evict`, pods are driven away."""
    wanted = [
        Taint(key=key, effect="NoSchedule")
        for condition in node.status.conditions
        if (key := _TAINTS.get((condition.type, condition.status)))
    ]
    if node.spec.unschedulable:
        wanted.append(Taint(key=_UNSCHEDULABLE, effect="NoSchedule"))
    if evict:
        wanted += [Taint(key=taint.key, effect="NoExecute") for taint in wanted if taint.key in _LOST]
    present = {(taint.key, taint.effect) for taint in node.spec.taints}
    needed = {(taint.key, taint.effect) for taint in wanted}
    kept = [
        taint
        for taint in node.spec.taints
        if taint.key not in _OWN or (taint.key, taint.effect) in needed or taint.effect == "PreferNoSchedule"
    ]
    fresh = [replace(taint, time_added=rfc3339(now)) for taint in wanted if (taint.key, taint.effect) not in present]
    return (*kept, *fresh)


def _tainted(node: Node, taints: tuple[Taint, ...]) -> Update:
    return Update(replace(node, spec=replace(node.spec, taints=taints)))
