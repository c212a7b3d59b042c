"""DaemonSets: a pod on every node that the template allows, replaced a few at a time when the template changes.

Called by `client/host` per DaemonSet. The scheduler binds the pods; each names its node by affinity.
Source: k8s.io/kubernetes pkg/controller/daemon
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from kubelite.api.apps_v1 import ControllerRevision, DaemonSet, DaemonSetStatus
from kubelite.api.core_v1 import (
    Affinity,
    Node,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    Pod,
    Toleration,
)
from kubelite.api.intstr import scaled_value
from kubelite.api.meta import Object
from kubelite.api.placement import named_nodes, selects_node, untolerated
from kubelite.client.plan import Plan, Report, Update, Write
from kubelite.client.view import Key, View, Watch, key_of, self_key, split_key
from kubelite.controllers import pods as podlib
from kubelite.controllers.history import HASH, compute_history, surplus
from kubelite.controllers.selection import claim, holder_keys

BURST = 250
BACKOFF_S = 1.0  #: before a failed pod of a node is replaced; doubles with every failure
MAX_BACKOFF_S = 900.0

_ENDURED = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)


def _node_keys(view: View, old: Node | None, new: Node | None) -> Iterable[Key]:
    """All DaemonSets, when nodes come, go or change what they allow."""
    kept = old is not None and new is not None and old.metadata.labels == new.metadata.labels
    if not (kept and old is not None and new is not None and old.spec.taints == new.spec.taints):
        yield from map(key_of, view.list(DaemonSet))


def _pod_changed(old: Pod, new: Pod) -> bool:
    return podlib.readiness_changed(old, new) or old.spec.node_name != new.spec.node_name


def node_of(pod: Pod) -> str:
    """Where it runs or is meant to run."""
    if pod.spec.node_name:
        return pod.spec.node_name
    named = named_nodes(pod.spec) or set()
    return min(named, default="")


def allowed(daemon: DaemonSet, node: Node) -> tuple[bool, bool]:
    """(a pod should be there, one that is there may stay)."""
    spec = daemon.spec.template.spec
    name = node.metadata.name
    if spec.node_name not in ("", name) or not selects_node(spec, name, node.metadata.labels):
        return False, False
    tolerations = _tolerations(daemon)
    hard = tuple(taint for taint in node.spec.taints if taint.effect in ("NoSchedule", "NoExecute"))
    if untolerated(tolerations, hard) is None:
        return True, True
    return False, untolerated(tolerations, tuple(taint for taint in hard if taint.effect == "NoExecute")) is None


def _tolerations(daemon: DaemonSet) -> tuple[Toleration, ...]:
    spec = daemon.spec.template.spec
    added = [Toleration(key=key, operator="Exists", effect=effect) for key, effect in _ENDURED]
    if spec.host_network:
        added.append(Toleration(key="node.kubernetes.io/network-unavailable", operator="Exists", effect="NoSchedule"))
    return (*spec.tolerations, *(entry for entry in added if entry not in spec.tolerations))


def new_pod(daemon: DaemonSet, node: str, hash_: str) -> Pod:
    """A pod that can only run on `node`."""
    pod = podlib.from_template(daemon, podlib.with_labels(daemon.spec.template, {HASH: hash_}))
    field = NodeSelectorRequirement(key="metadata.name", operator="In", values=(node,))
    selector = NodeSelector(node_selector_terms=(NodeSelectorTerm(match_fields=(field,)),))
    affinity = pod.spec.affinity or Affinity()
    nodes = replace(
        affinity.node_affinity or NodeAffinity(), required_during_scheduling_ignored_during_execution=selector
    )
    spec = replace(pod.spec, affinity=replace(affinity, node_affinity=nodes), tolerations=_tolerations(daemon))
    return replace(pod, spec=spec)


def _seniority(pod: Pod) -> tuple[bool, str, str]:
    """The one that counts first: bound, then old."""
    return (not pod.spec.node_name, pod.metadata.creation_timestamp or "", pod.metadata.name)


class _Failures(msgspec.Struct):
    count: int = 0
    last: float = 0.0


class DaemonSetController:
    name = "daemonset-controller"
    watches = (
        Watch(DaemonSet, self_key),
        Watch(Pod, holder_keys(DaemonSet, _pod_changed)),
        Watch(Node, _node_keys),
        Watch(ControllerRevision, holder_keys(DaemonSet)),
    )
    reads: tuple[type[Object], ...] = ()

    def __init__(self) -> None:
        self._failures: dict[tuple[str, str], _Failures] = {}  # (DaemonSet's uid, node)

    def decide(self, view: View, key: Key, now: float) -> Plan:
        namespace, name = split_key(key)
        daemon = view.get(DaemonSet, name, namespace)
        if daemon is None:
            return Plan()
        history = compute_history(
            view, daemon, daemon.spec.selector, daemon.spec.template, daemon.status.collision_count
        )
        claimed = claim(view, daemon, daemon.spec.selector, Pod)
        writes: list[Write] = [*history.writes, *claimed.writes]
        if writes:
            return Plan(writes=tuple(writes))
        hash_ = history.update.metadata.labels.get(HASH, "")
        draft = _Draft(view, daemon, claimed.held, hash_, now)
        if not daemon.metadata.deletion_timestamp:
            draft.place(self._failures)
            if not draft.writes:
                draft.roll()
            live = {history.update.metadata.name} | {
                f"{name}-{pod.metadata.labels.get(HASH, '')}" for pod in claimed.held
            }
            draft.writes += surplus(history.revisions, live, daemon.spec.revision_history_limit)
        return draft.plan()

    def failed(self, view: View, key: Key, now: float, write: Write, message: str) -> Plan:
        """What to tell the user when a write of the last plan failed."""
        namespace, name = split_key(key)
        owner = view.get(DaemonSet, name, namespace)
        return podlib.failed_report(owner, write, message) if owner is not None else Plan()


class _Draft:
    """One decision in the making."""

    def __init__(self, view: View, daemon: DaemonSet, pods: list[Pod], hash_: str, now: float) -> None:
        self._daemon = daemon
        self._hash = hash_
        self._now = now
        self._nodes = sorted(view.list(Node), key=lambda node: node.metadata.name)
        self._by_node: dict[str, list[Pod]] = {}
        for pod in pods:
            self._by_node.setdefault(node_of(pod), []).append(pod)
        self._allowed = {node.metadata.name: allowed(daemon, node) for node in self._nodes}
        self._due: list[float] = []
        self.writes: list[Write] = []
        self._reports: list[Report] = []
        rolling = daemon.spec.update_strategy.rolling_update
        wanted = sum(run for run, _ in self._allowed.values())
        rolls = daemon.spec.update_strategy.type != "OnDelete"
        self._surge = scaled_value((rolling.max_surge or 0) if rolling and rolls else 0, wanted, round_up=True)
        given = rolling.max_unavailable if rolling and rolling.max_unavailable is not None else 1
        self._max_unavailable = scaled_value(given, wanted, round_up=True)
        if not self._max_unavailable and not self._surge:
            self._max_unavailable = 1

    def _delete(self, pod: Pod) -> None:
        if not pod.metadata.deletion_timestamp:
            self.writes.append(podlib.delete_pod(pod))
            self._reports.append(podlib.deleted_report(self._daemon, pod))

    def _create(self, node: str) -> None:
        self.writes.append(podlib.create_pod(self._daemon, new_pod(self._daemon, node, self._hash)))

    def _is_new(self, pod: Pod) -> bool:
        return pod.metadata.labels.get(HASH) == self._hash

    def _available(self, pod: Pod) -> bool:
        return podlib.is_available(pod, self._daemon.spec.min_ready_seconds, self._now)

    def place(self, failures: dict[tuple[str, str], _Failures]) -> None:
        """Pods where there should be some, and none where there must not be."""
        for node, (run, stay) in self._allowed.items():
            if len(self.writes) >= BURST:
                return
            pods = self._by_node.get(node, [])
            ended = [pod for pod in pods if podlib.is_terminal(pod) and not pod.metadata.deletion_timestamp]
            if not stay:
                for pod in pods:
                    self._delete(pod)
            elif ended:
                for pod in ended:
                    self._replace(pod, node, failures)
            elif not pods:
                if run:
                    self._create(node)
            else:
                self._keep_one(pods)
        for node, pods in self._by_node.items():
            if node not in self._allowed:
                for pod in pods:
                    if not pod.spec.node_name:
                        self._delete(pod)  # bound ones are ended by pod_gc

    def _replace(self, pod: Pod, node: str, failures: dict[tuple[str, str], _Failures]) -> None:
        """An ended pod makes room for the next, later each time if it failed."""
        where = f"daemon pod {self._daemon.metadata.namespace}/{pod.metadata.name} on node {node}"
        if pod.status.phase == "Succeeded":
            self._say("Normal", "SucceededDaemonPod", f"Found succeeded {where}, will try to delete it")
            self._delete(pod)
            return
        known = failures.setdefault((self._daemon.metadata.uid, node), _Failures())
        delay_s = min(BACKOFF_S * (1 << min(known.count, 20)), MAX_BACKOFF_S) if known.count else 0.0
        if known.last + 2 * MAX_BACKOFF_S < self._now:
            known.count = 0
        if known.last + delay_s > self._now:
            self._due.append(known.last + delay_s)
            return
        known.count, known.last = known.count + 1, self._now
        self._say("Warning", "FailedDaemonPod", f"Found failed {where}, will try to kill it")
        self._delete(pod)

    def _say(self, type_: str, reason: str, message: str) -> None:
        warning = type_ == "Warning"
        self._reports.append(
            Report(regarding=self._daemon, type="Warning" if warning else "Normal", reason=reason, message=message)
        )

    def _keep_one(self, pods: list[Pod]) -> None:
        """One pod per node, the oldest; during a surge a ready old one beside a new one that is not yet available."""
        live = [pod for pod in sorted(pods, key=_seniority) if not pod.metadata.deletion_timestamp]
        kept = live[:1]
        if self._surge:
            new = [pod for pod in live if self._is_new(pod)][:1]
            old = [pod for pod in live if not self._is_new(pod)][:1]
            helps = not new or (podlib.is_ready(old[0]) and not self._available(new[0])) if old else False
            kept = [*new, *(old if helps else ())]
        for pod in live:
            if pod not in kept:
                self._delete(pod)

    def roll(self) -> None:
        """Replaces pods of older templates, as many at a time as the strategy allows."""
        if self._daemon.spec.update_strategy.type == "OnDelete":
            return
        unavailable = surging = 0
        broken: list[tuple[str, Pod]] = []
        candidates: list[tuple[str, Pod]] = []
        for node, (run, _) in self._allowed.items():
            live = [pod for pod in self._by_node.get(node, []) if not pod.metadata.deletion_timestamp]
            new = next((pod for pod in live if self._is_new(pod)), None)
            old = next((pod for pod in live if not self._is_new(pod)), None)
            if not run:
                continue
            if self._surge:
                surging += new is not None and old is not None
                if old is not None and new is None:
                    (candidates if self._available(old) else broken).append((node, old))
                continue
            if not any(map(self._available, live)):
                unavailable += 1
            if old is not None and new is None:
                (candidates if self._available(old) else broken).append((node, old))
        if self._surge:
            for node, _ in [*broken, *candidates[: max(0, self._surge - surging - len(broken))]]:
                self._create(node)
            return
        for _, pod in [*broken, *candidates[: max(0, self._max_unavailable - unavailable)]]:
            self._delete(pod)

    def plan(self) -> Plan:
        status = self._status()
        update: tuple[Write, ...] = ()
        if status != self._daemon.status:
            update = (Update(replace(self._daemon, status=status), subresource="status"),)
        min_ready_s = self._daemon.spec.min_ready_seconds
        if min_ready_s:
            self._due += [podlib.available_at(pod, min_ready_s) for pods in self._by_node.values() for pod in pods]
        due = podlib.earliest(self._due, self._now)
        return Plan(writes=(*self.writes, *update), reports=tuple(self._reports), requeue_after_s=due)

    def _status(self) -> DaemonSetStatus:
        desired = current = misplaced = ready = updated = available = 0
        for node, (run, _) in self._allowed.items():
            pods = self._by_node.get(node, [])
            if not run:
                misplaced += bool(pods)
                continue
            desired += 1
            if not pods:
                continue
            current += 1
            first = min(pods, key=_seniority)
            ready += podlib.is_ready(first)
            available += self._available(first)
            updated += self._is_new(first)
        return replace(
            self._daemon.status,
            desired_number_scheduled=desired,
            current_number_scheduled=current,
            number_misscheduled=misplaced,
            number_ready=ready,
            updated_number_scheduled=updated,
            number_available=available,
            number_unavailable=desired - available,
            observed_generation=self._daemon.metadata.generation,
        )
