"""The scheduler: a turn per key, and each turn goes to the most important pod that waits.

Run by `client/host` like a controller. It keeps what events told it of nodes and pods, and what it decided but has not seen yet
(assumed pods). A pod that fits nowhere waits until something happens that lets it fit, and only then gets another turn. A pod
whose volumes have to be bound or provisioned keeps its place on the node until they are, and is bound then.
Source: k8s.io/kubernetes pkg/scheduler/{schedule_one.go,internal/queue,internal/cache}
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from kubelite.api.core_v1 import Node, PersistentVolume, PersistentVolumeClaim, Pod
from kubelite.api.meta import Object
from kubelite.api.policy_v1 import PodDisruptionBudget
from kubelite.api.storage_v1 import CSIDriver, CSINode, CSIStorageCapacity, StorageClass
from kubelite.api.timestamp import parse_rfc3339
from kubelite.api.volume_matching import SELECTED_NODE, claim_names, is_bound_to, is_fully_bound
from kubelite.client.plan import Plan
from kubelite.client.view import Key, View, Watch, key_of, split_key
from kubelite.scheduler import outcomes
from kubelite.scheduler.filters import filters_for, rejected_by
from kubelite.scheduler.node_info import NodeInfo, Nodes
from kubelite.scheduler.pod_info import PodInfo
from kubelite.scheduler.profile import DEFAULT_NAME, Profile
from kubelite.scheduler.siblings import READS, default_selector, selected_namespaces

if TYPE_CHECKING:  # what only a decision needs is loaded with the first pod
    from kubelite.scheduler.attempt import Question
    from kubelite.scheduler.decision import Decision
    from kubelite.scheduler.volumes import Binding

KEPT_DECISIONS = 2048
BIND_TIMEOUT_S = 600.0  #: how long a pod waits for its volumes
_FAR_REACHING = {"InterPodAffinity", "PodTopologySpread"}  #: what depends on pods of other nodes
_STORAGE = {"VolumeBinding", "VolumeZone", "NodeVolumeLimits", "VolumeRestrictions"}


class _Waiting(msgspec.Struct, frozen=True):
    """A pod that fitted nowhere, with what stood in its way."""

    info: PodInfo
    plugins: set[str]
    message: str
    nominated: str


class _Held(msgspec.Struct, frozen=True):
    """A pod that is bound as soon as its volumes are."""

    info: PodInfo
    binding: Binding
    until: float


class Scheduler:
    """Schedules the pods whose schedulerName is that of a profile."""

    name = DEFAULT_NAME

    def __init__(self, profiles: Sequence[Profile] = (Profile(),)) -> None:
        self.decisions: OrderedDict[Key, Decision] = OrderedDict()  #: the last of each pod, to explain it
        self._profiles = {profile.scheduler_name: profile for profile in profiles}
        self._nodes = Nodes()
        self._active: dict[Key, int] = {}  # pods to decide, with their place in the queue
        self._queue: list[tuple[int, float, int, Key]] = []
        self._places = 0
        self._waiting: dict[Key, _Waiting] = {}
        self._assumed: set[Key] = set()
        self._held: dict[Key, _Held] = {}
        self._turns: dict[Key, Key] = {}  # a turn's pod, until its outcome is seen
        self._turn_of: dict[Key, Key] = {}  # and the other way round
        self._start = 0

    @property
    def watches(self) -> tuple[Watch, ...]:
        storage = (PersistentVolumeClaim, PersistentVolume, StorageClass, CSINode, CSIDriver, CSIStorageCapacity)
        return (
            Watch(Node, self._node_changed),
            Watch(Pod, self._pod_changed),
            *(Watch(type_, self._storage_changed) for type_ in storage),
        )

    @property
    def reads(self) -> tuple[type[Object], ...]:
        return (*READS, PodDisruptionBudget)

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

    def _storage_changed(self, view: View, old: Object | None, new: Object | None) -> Iterable[Key]:
        if isinstance(new, PersistentVolumeClaim):
            yield from (
                key
                for key, held in self._held.items()
                if held.info.namespace == new.metadata.namespace and new.metadata.name in claim_names(held.info.pod)
            )
        yield from self._wake_by(_STORAGE)

    def _gone(self, key: Key) -> Iterable[Key]:
        room = self._nodes.get(self._drop(key))
        info = self._nodes.remove_pod(key)
        node = self._nodes.get(info.node) if info else room
        return self._wake(node) if node else ()

    def _assigned(self, key: Key, pod: Pod) -> Iterable[Key]:
        is_news = key in self._assumed
        self._drop(key)
        known = self._nodes.pods.get(key)
        if known and known.node == pod.spec.node_name and _same_pod(known.pod, pod):
            return self._wake_drawn() if is_news else ()
        info = PodInfo(pod)
        self._nodes.put_pod(info)
        shrank = known is not None and any(
            amount > info.requests.get(name, 0) for name, amount in known.requests.items()
        )
        left = self._nodes.get(known.node) if known and (known.node != info.node or shrank) else None
        return [*(self._wake(left) if left else ()), *self._wake_by(_FAR_REACHING)]

    def _pending(self, key: Key, pod: Pod) -> Iterable[Key]:
        if key in self._assumed:
            return ()
        if not self._is_mine(pod):
            self._drop(key)
            return ()
        known = self._nodes.nomination(key)
        if pod.status.nominated_node_name != (known.node if known else ""):
            self._nodes.nominate(PodInfo(pod), pod.status.nominated_node_name)
        waiting = self._waiting.get(key)
        if key in self._active or (waiting and _same_pod(waiting.info.pod, pod)):
            return ()
        return (self._activate(key, pod),)

    def _is_mine(self, pod: Pod) -> bool:
        named = (pod.spec.scheduler_name or DEFAULT_NAME) in self._profiles
        return named and not pod.spec.scheduling_gates and not pod.metadata.deletion_timestamp

    def _drop(self, key: Key) -> str:
        """Forgets that the pod has to be scheduled; returns the node that was kept for it."""
        self._active.pop(key, None)
        self._waiting.pop(key, None)
        self._held.pop(key, None)
        self._assumed.discard(key)
        turn = self._turn_of.pop(key, None)
        if turn is not None and self._turns.get(turn) == key:
            del self._turns[turn]
        kept = self._nodes.nomination(key)
        if kept is None:
            return ""
        node = kept.node
        self._nodes.nominate(kept, "")
        return node

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

    def _wake_drawn(self) -> list[Key]:
        """Those that another pod's place may help: they want to be near others, or spread evenly."""
        chosen = [
            key
            for key, waiting in self._waiting.items()
            if "PodTopologySpread" in waiting.plugins
            or ("InterPodAffinity" in waiting.plugins and waiting.info.affinity)
        ]
        return [self._activate(key, self._waiting[key].info.pod) for key in chosen]

    def _wake_by(self, plugins: set[str]) -> list[Key]:
        """Those that one of `plugins` objected to."""
        chosen = [key for key, waiting in self._waiting.items() if waiting.plugins & plugins]
        return [self._activate(key, self._waiting[key].info.pod) for key in chosen]

    # Decisions

    def decide(self, view: View, key: Key, now: float) -> Plan:
        held = self._held.get(key) or self._held.get(self._turns.get(key, ""))
        if held is not None and (plan := self._continue(view, key, held, now)) is not None:
            return plan
        self._retry(view, key)
        for pod in self._next(view):
            from kubelite.scheduler.decision import compute_decision, explained

            info = PodInfo(pod)
            decision = compute_decision(
                self._nodes, self._question(view, info), budgets=view.list(PodDisruptionBudget), start=self._start
            )
            self._start = decision.start
            self._remember(decision)
            self._turns[key], self._turn_of[info.key] = info.key, key
            plan = self._assume(view, info, decision, now) if decision.node else self._wait(info, decision, now)
            return replace(plan, why=explained(decision))
        return Plan()

    def _question(self, view: View, info: PodInfo) -> Question:
        from kubelite.scheduler.attempt import Question
        from kubelite.scheduler.volumes import PodVolumes

        pod = info.pod
        taken = {
            volume.metadata.name: key_of(claim)
            for held in self._held.values()
            for claim, volume in held.binding.matched
        }
        return Question(
            pod=info,
            default_selector=default_selector(view, pod),
            select=lambda selector: selected_namespaces(view, selector),
            volumes=PodVolumes(view, self._nodes, info, taken) if pod.spec.volumes else None,
            profile=self._profiles[pod.spec.scheduler_name or DEFAULT_NAME],
        )

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
        if key is None or key in self._held:
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
            self._forget(key)
            self._activate(key, pod)
        elif waiting and not outcomes.is_told(pod, waiting.message, waiting.nominated):
            self._activate(key, pod)

    def _forget(self, key: Key) -> None:
        """Takes back an assumed pod."""
        self._assumed.discard(key)
        self._held.pop(key, None)
        self._nodes.remove_pod(key)

    def _remember(self, decision: Decision) -> None:
        self.decisions[decision.pod] = decision
        self.decisions.move_to_end(decision.pod)
        if len(self.decisions) > KEPT_DECISIONS:
            self.decisions.popitem(last=False)

    def _assume(self, view: View, info: PodInfo, decision: Decision, now: float) -> Plan:
        self._nodes.nominate(info, "")
        volumes = self._question(view, info).volumes
        binding = volumes.choose(self._nodes[decision.node]) if volumes else None
        info.node = decision.node
        self._nodes.put_pod(info)
        self._assumed.add(info.key)
        if binding is None or not (binding.matched or binding.provisioned):
            return outcomes.bound(info, decision.node, info.pod.spec.scheduler_name or self.name)
        self._held[info.key] = _Held(info, binding, now + BIND_TIMEOUT_S)
        return Plan(writes=binding.writes(decision.node), requeue_after_s=BIND_TIMEOUT_S)

    def _continue(self, view: View, turn: Key, held: _Held, now: float) -> Plan | None:
        """Binds a pod whose volumes are bound; None if they never will be, so that it is decided again."""
        info = held.info
        state = _progress(view, held)
        more = 0.0 if self._active else None  # the turn may have been somebody else's
        if state == "bound":
            del self._held[info.key]
            self._turns[turn], self._turn_of[info.key] = info.key, turn
            plan = outcomes.bound(info, info.node, info.pod.spec.scheduler_name or self.name)
            from kubelite.scheduler.decision import explained

            decided = self.decisions.get(info.key)
            why = f"volumes are bound; {explained(decided)}" if decided else ""
            return replace(plan, requeue_after_s=more, why=why)
        if state == "waiting" and now < held.until:
            # nothing to do for it, so the turn goes to whoever else waits
            return None if self._active else Plan(requeue_after_s=held.until - now)
        self._turns.pop(turn, None)
        self._forget(info.key)
        self._activate(info.key, info.pod)
        return None

    def _wait(self, info: PodInfo, decision: Decision, now: float) -> Plan:
        nominated = outcomes.nominated_node(info.pod, decision.preemption)
        self._waiting[info.key] = _Waiting(info, decision.plugins, decision.message, nominated)
        self._nodes.nominate(PodInfo(info.pod), nominated)
        return outcomes.unschedulable(info, decision, info.pod.spec.scheduler_name or self.name, now)


def _progress(view: View, held: _Held) -> str:
    """Whether the pod's volumes are "bound", "waiting" to be, or have "failed" to be."""
    waiting = False
    for claim, volume in held.binding.matched:
        now, there = _current(view, claim), view.get(PersistentVolume, volume.metadata.name)
        if now is None or there is None or not is_bound_to(there, now) or there.spec.claim_ref is None:
            return "failed"
        waiting = waiting or not is_fully_bound(now)
    for claim in held.binding.provisioned:
        now = _current(view, claim)
        if now is None:
            return "failed"
        if not is_fully_bound(now):
            if now.metadata.annotations.get(SELECTED_NODE) != held.info.node:
                return "failed"
            waiting = True
    return "waiting" if waiting else "bound"


def _current(view: View, claim: PersistentVolumeClaim) -> PersistentVolumeClaim | None:
    found = view.get(PersistentVolumeClaim, claim.metadata.name, claim.metadata.namespace)
    return found if found is not None and found.metadata.uid == claim.metadata.uid else None


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
