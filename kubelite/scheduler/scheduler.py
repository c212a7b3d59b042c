"""The scheduler: a turn per key, and each turn goes to the most important pod that waits.

Run by `client/host` like a controller. It keeps what events told it of nodes and pods, and what it decided but has not seen yet
(assumed pods). A pod that fits nowhere waits until something happens that lets it fit, and only then gets another turn.
Source: k8s.io/kubernetes pkg/scheduler/{schedule_one.go,internal/queue,internal/cache}
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec.structs import replace

from kubelite.api.apps_v1 import ReplicaSet, StatefulSet
from kubelite.api.core_v1 import (
    Binding,
    Namespace,
    Node,
    ObjectReference,
    Pod,
    PodCondition,
    ReplicationController,
    Service,
)
from kubelite.api.meta import LabelSelector, Object, ObjectMeta, controller_of
from kubelite.api.selectors import matches
from kubelite.api.timestamp import parse_rfc3339, rfc3339
from kubelite.client.plan import Bind, Plan, Report, Update
from kubelite.client.view import Key, View, Watch, key_of, split_key
from kubelite.scheduler.decision import Decision, compute_decision
from kubelite.scheduler.filters import filters_for, rejected_by
from kubelite.scheduler.node_info import NodeInfo, Nodes
from kubelite.scheduler.pod_info import PodInfo

KEPT_DECISIONS = 2048
_FAR_REACHING = {"InterPodAffinity", "PodTopologySpread"}  #: what depends on pods of other nodes


class _Waiting(msgspec.Struct, frozen=True):
    """A pod that fitted nowhere, with what stood in its way."""

    info: PodInfo
    plugins: set[str]
    message: str


class Scheduler:
    """Schedules the pods whose schedulerName is `name`."""

    def __init__(self, name: str = "default-scheduler") -> None:
        self.name = name
        self.decisions: OrderedDict[Key, Decision] = OrderedDict()  #: the last of each pod, to explain it
        self._nodes = Nodes()
        self._active: dict[Key, int] = {}  # pods to decide, with their place in the queue
        self._queue: list[tuple[int, float, int, Key]] = []
        self._places = 0
        self._waiting: dict[Key, _Waiting] = {}
        self._assumed: set[Key] = set()
        self._turns: dict[Key, Key] = {}  # a turn's pod, until its outcome is seen
        self._turn_of: dict[Key, Key] = {}  # and the other way round
        self._start = 0

    @property
    def watches(self) -> tuple[Watch, ...]:
        return (Watch(Node, self._node_changed), Watch(Pod, self._pod_changed))

    @property
    def reads(self) -> tuple[type[Object], ...]:
        return (Service, ReplicaSet, StatefulSet, ReplicationController, Namespace)

    # Events

    def _node_changed(self, view: View, old: Node | None, new: Node | None) -> Iterable[Key]:
        if new is None:
            if old is not None:
                self._nodes.remove_node(old.metadata.name)
            return ()
        if old is not None and _same_node(old, new):
            return ()
        return self._wake(self._nodes.put_node(new))

    def _pod_changed(self, view: View, old: Pod | None, new: Pod | None) -> Iterable[Key]:
        pod = new or old
        if pod is None:
            return ()
        key = key_of(pod)
        if new is None or new.status.phase in ("Succeeded", "Failed"):
            return self._gone(key)
        if new.spec.node_name:
            return self._assigned(key, new)
        return self._pending(key, new)

    def _gone(self, key: Key) -> Iterable[Key]:
        self._drop(key)
        info = self._nodes.remove_pod(key)
        node = self._nodes.get(info.node) if info else None
        return self._wake(node) if node else ()

    def _assigned(self, key: Key, pod: Pod) -> Iterable[Key]:
        self._drop(key)
        known = self._nodes.pods.get(key)
        if known and known.node == pod.spec.node_name and _same_pod(known.pod, pod):
            return ()
        before = known.node if known else ""
        self._nodes.put_pod(PodInfo(pod))
        left = self._nodes.get(before) if before != pod.spec.node_name else None
        return [*(self._wake(left) if left else ()), *self._wake_far()]

    def _pending(self, key: Key, pod: Pod) -> Iterable[Key]:
        if key in self._assumed:
            return ()
        if not self._is_mine(pod):
            self._drop(key)
            return ()
        waiting = self._waiting.get(key)
        if key in self._active or (waiting and _same_pod(waiting.info.pod, pod)):
            return ()
        return (self._activate(key, pod),)

    def _is_mine(self, pod: Pod) -> bool:
        named = (pod.spec.scheduler_name or "default-scheduler") == self.name
        return named and not pod.spec.scheduling_gates and not pod.metadata.deletion_timestamp

    def _drop(self, key: Key) -> None:
        """Forgets that the pod has to be scheduled."""
        self._active.pop(key, None)
        self._waiting.pop(key, None)
        self._assumed.discard(key)
        turn = self._turn_of.pop(key, None)
        if turn is not None and self._turns.get(turn) == key:
            del self._turns[turn]

    def _activate(self, key: Key, pod: Pod) -> Key:
        self._waiting.pop(key, None)
        self._places += 1
        self._active[key] = self._places
        created = pod.metadata.creation_timestamp
        born = parse_rfc3339(created) if created else 0.0
        heapq.heappush(self._queue, (-(pod.spec.priority or 0), born, self._places, key))
        return key

    def _wake(self, node: NodeInfo) -> list[Key]:
        """Those that a change of `node` may help."""
        chosen = [
            key
            for key, waiting in self._waiting.items()
            if not waiting.plugins
            or waiting.plugins & _FAR_REACHING
            or rejected_by(filters_for(waiting.info), waiting.info, node) is None
        ]
        return [self._activate(key, self._waiting[key].info.pod) for key in chosen]

    def _wake_far(self) -> list[Key]:
        """Those that a pod somewhere may help."""
        chosen = [key for key, waiting in self._waiting.items() if waiting.plugins & _FAR_REACHING]
        return [self._activate(key, self._waiting[key].info.pod) for key in chosen]

    # Decisions

    def decide(self, view: View, key: Key, now: float) -> Plan:
        self._retry(view, key)
        for pod in self._next(view):
            info = PodInfo(pod)
            decision = compute_decision(
                self._nodes,
                info,
                default_selector=_default_selector(view, pod),
                select=lambda selector: _namespaces(view, selector),
                start=self._start,
            )
            self._start = decision.start
            self._remember(decision)
            self._turns[key], self._turn_of[info.key] = info.key, key
            return self._bind(info, decision) if decision.node else self._wait(info, decision, now)
        return Plan()

    def _next(self, view: View) -> Iterator[Pod]:
        """The pods that are to be decided, the most important first."""
        while self._queue:
            _, _, place, key = heapq.heappop(self._queue)
            if self._active.get(key) != place:
                continue
            del self._active[key]
            namespace, name = split_key(key)
            pod = view.get(Pod, name, namespace)
            if pod is not None and not pod.spec.node_name:
                yield pod

    def _retry(self, view: View, turn: Key) -> None:
        """A turn that comes again before its outcome was seen has failed: its pod is decided again."""
        key = self._turns.pop(turn, None)
        if key is None:
            return
        namespace, name = split_key(key)
        pod = view.get(Pod, name, namespace)
        if pod is None or pod.spec.node_name:
            return
        if not self._is_mine(pod):
            self._nodes.remove_pod(key)
            self._drop(key)
            return
        waiting = self._waiting.get(key)
        if key in self._assumed:
            self._assumed.discard(key)
            self._nodes.remove_pod(key)
            self._activate(key, pod)
        elif waiting and not _says(pod, waiting.message):
            self._activate(key, pod)

    def _remember(self, decision: Decision) -> None:
        self.decisions[decision.pod] = decision
        self.decisions.move_to_end(decision.pod)
        if len(self.decisions) > KEPT_DECISIONS:
            self.decisions.popitem(last=False)

    def _bind(self, info: PodInfo, decision: Decision) -> Plan:
        info.node = decision.node
        self._nodes.put_pod(info)
        self._assumed.add(info.key)
        meta = info.pod.metadata
        binding = Binding(
            metadata=ObjectMeta(name=meta.name, namespace=meta.namespace, uid=meta.uid),
            target=ObjectReference(kind="Node", name=decision.node),
        )
        message = f"Successfully assigned {info.key} to {decision.node}"
        report = Report(regarding=info.pod, reason="Scheduled", message=message, action="Binding")
        return Plan(writes=(Bind(binding),), reports=(report,))

    def _wait(self, info: PodInfo, decision: Decision, now: float) -> Plan:
        pod = info.pod
        self._waiting[info.key] = _Waiting(info, decision.plugins, decision.message)
        report = Report(
            regarding=pod, type="Warning", reason="FailedScheduling", message=decision.message, action="Scheduling"
        )
        if _says(pod, decision.message):
            return Plan(reports=(report,))
        old = next((entry for entry in pod.status.conditions if entry.type == "PodScheduled"), None)
        condition = PodCondition(
            type="PodScheduled",
            status="False",
            reason="Unschedulable",
            message=decision.message,
            observed_generation=old.observed_generation if old else 0,
            last_transition_time=old.last_transition_time if old and old.status == "False" else rfc3339(now),
        )
        others = tuple(entry for entry in pod.status.conditions if entry.type != "PodScheduled")
        changed = replace(pod, status=replace(pod.status, conditions=(*others, condition)))
        return Plan(writes=(Update(changed, subresource="status"),), reports=(report,))


def _says(pod: Pod, message: str) -> bool:
    """Whether the pod's condition already says so."""
    return any(
        entry.type == "PodScheduled" and entry.reason == "Unschedulable" and entry.message == message
        for entry in pod.status.conditions
    )


def _same_node(old: Node, new: Node) -> bool:
    """Whether nothing changed that matters here; heartbeats do not."""
    return (
        old.spec == new.spec
        and old.metadata.labels == new.metadata.labels
        and old.status.allocatable == new.status.allocatable
        and old.status.images == new.status.images
    )


def _same_pod(old: Pod, new: Pod) -> bool:
    before, after = old.metadata, new.metadata
    return (
        before.uid == after.uid
        and before.labels == after.labels
        and before.deletion_timestamp == after.deletion_timestamp
        and replace(old.spec, node_name="") == replace(new.spec, node_name="")
    )


def _default_selector(view: View, pod: Pod) -> LabelSelector | None:
    """What selects the pod and its siblings: its Services' selectors and its workload's, together."""
    labels: dict[str, str] = {}
    for service in view.list(Service, pod.metadata.namespace):
        selector = service.spec.selector
        if selector and selector.items() <= pod.metadata.labels.items():
            labels.update(selector)
    expressions: tuple[Any, ...] = ()
    owner = controller_of(pod.metadata)
    if owner is not None:
        found = _workload_selector(view, owner.kind, owner.name, pod.metadata.namespace)
        if found is not None and matches(found, pod.metadata.labels):
            labels.update(found.match_labels)
            expressions = found.match_expressions
    return LabelSelector(match_labels=labels, match_expressions=expressions) if labels or expressions else None


def _workload_selector(view: View, kind: str, name: str, namespace: str) -> LabelSelector | None:
    if kind == "ReplicationController":
        controller = view.get(ReplicationController, name, namespace)
        return LabelSelector(match_labels=controller.spec.selector) if controller else None
    if kind == "ReplicaSet":
        replica_set = view.get(ReplicaSet, name, namespace)
        return replica_set.spec.selector if replica_set else None
    if kind == "StatefulSet":
        stateful_set = view.get(StatefulSet, name, namespace)
        return stateful_set.spec.selector if stateful_set else None
    return None


def _namespaces(view: View, selector: LabelSelector) -> set[str]:
    return {ns.metadata.name for ns in view.list(Namespace) if matches(selector, ns.metadata.labels)}
