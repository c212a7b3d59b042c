"""StatefulSets: pods with names and claims that last, started, updated and ended one after the other.

Called by `client/host` per StatefulSet. With `podManagementPolicy: Parallel` nothing waits for its neighbour, except updates.
Source: k8s.io/kubernetes pkg/controller/statefulset/stateful_set_control.go
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec.structs import replace

from kubelite.api.apps_v1 import ControllerRevision, StatefulSet, StatefulSetStatus
from kubelite.api.core_v1 import PersistentVolumeClaim, Pod
from kubelite.api.intstr import scaled_value
from kubelite.api.meta import Object, controller_of
from kubelite.client.plan import Create, Delete, Plan, Report, Update, Write
from kubelite.client.view import Key, View, Watch, key_of, self_key, split_key
from kubelite.controllers import pods as podlib, stateful_pods as parts
from kubelite.controllers.history import HASH, History, compute_history, surplus, template_of
from kubelite.controllers.selection import claim, holder_keys


def _lost_claim_keys(view: View, old: PersistentVolumeClaim | None, new: PersistentVolumeClaim | None) -> Iterable[Key]:
    """The sets whose pods wait for a claim that is gone."""
    if old is not None and new is None:
        for pod in view.indexed(Pod, "claim", key_of(old)):
            owner = controller_of(pod.metadata)
            if owner is not None and owner.kind == "StatefulSet":
                yield f"{pod.metadata.namespace}/{owner.name}"


class StatefulSetController:
    name = "statefulset-controller"
    watches = (
        Watch(StatefulSet, self_key),
        Watch(Pod, holder_keys(StatefulSet, podlib.readiness_changed)),
        Watch(ControllerRevision, holder_keys(StatefulSet)),
        Watch(PersistentVolumeClaim, _lost_claim_keys),
    )
    reads: tuple[type[Object], ...] = ()

    def decide(self, view: View, key: Key, now: float) -> Plan:
        namespace, name = split_key(key)
        workload = view.get(StatefulSet, name, namespace)
        if workload is None:
            return Plan()
        spec, status = workload.spec, workload.status
        history = compute_history(view, workload, spec.selector, spec.template, status.collision_count)
        claimed = claim(view, workload, spec.selector, Pod)
        writes: list[Write] = [*history.writes, *claimed.writes]
        if writes:
            return Plan(writes=tuple(writes))
        pods = {ordinal: pod for pod in claimed.held if (ordinal := parts.ordinal_of(pod, workload)) is not None}
        draft = _Draft(view, workload, pods, history, now)
        if not workload.metadata.deletion_timestamp:
            draft.advance()
        return draft.plan()

    def failed(self, view: View, key: Key, now: float, write: Write, message: str) -> Plan:
        """What to tell the user when a write of the last plan failed."""
        namespace, name = split_key(key)
        workload = view.get(StatefulSet, name, namespace)
        if workload is None or not isinstance(write, Create | Delete):
            return Plan()
        create = isinstance(write, Create)
        target = write.obj.metadata.name if isinstance(write, Create) else write.name
        kind = write.obj.kind if isinstance(write, Create) else "Pod"
        subject = f"Claim {target} for Pod in" if kind == "PersistentVolumeClaim" else f"{kind} {target} in"
        text = f"{'create' if create else 'delete'} {subject} StatefulSet {name} failed error: {message}"
        reason = "FailedCreate" if create else "FailedDelete"
        return Plan(reports=(Report(regarding=workload, type="Warning", reason=reason, message=text),))


class _Draft:
    """One decision in the making."""

    def __init__(self, view: View, workload: StatefulSet, pods: dict[int, Pod], history: History, now: float) -> None:
        self._view = view
        self._workload = workload
        self._pods = pods
        self._history = history
        self._now = now
        self._update = history.update.metadata.name
        current = workload.status.current_revision
        self._current = current if history.named(current) is not None else self._update
        self._parallel = workload.spec.pod_management_policy == "Parallel"
        strategy = workload.spec.update_strategy
        self._rolls = strategy.type != "OnDelete"
        rolling = strategy.rolling_update
        self._partition = (rolling.partition or 0) if rolling else 0
        self._max_unavailable: int | None = None
        if rolling and rolling.max_unavailable is not None:
            total = len(parts.ordinals(workload))
            self._max_unavailable = max(1, scaled_value(rolling.max_unavailable, total, round_up=False))
        self._writes: list[Write] = []
        self._reports: list[Report] = []

    # Facts

    def _available(self, pod: Pod) -> bool:
        minimum_s = self._workload.spec.min_ready_seconds
        return pod.status.phase == "Running" and podlib.is_available(pod, minimum_s, self._now)

    def _revision_for(self, ordinal: int) -> str:
        """New pods below the partition have the present revision."""
        kept = self._rolls and ordinal < parts.ordinals(self._workload).start + self._partition
        return self._current if kept else self._update

    # Steps

    def advance(self) -> None:
        """Creates what is missing, ends what is too much, replaces what is old: the first of these that may be done."""
        if not self._replicate() or not self._condemn():
            return
        self._roll()

    def _replicate(self) -> bool:
        """From the lowest ordinal on; whether all may go on."""
        for ordinal in parts.ordinals(self._workload):
            pod = self._pods.get(ordinal)
            if pod is not None and podlib.is_terminal(pod):
                if not pod.metadata.deletion_timestamp:
                    self._recreate(pod)
                if not self._parallel:
                    return False
                continue
            if pod is None:
                self._create(ordinal)
                if not self._parallel:
                    return False
                continue
            if pod.status.phase == "Pending":
                self._create_claims(ordinal)
            self._keep_claims(pod, ordinal, condemned=False)
            if not self._parallel and (pod.metadata.deletion_timestamp or not self._available(pod)):
                return False
            self._keep_identity(pod, ordinal)
        return True

    def _recreate(self, pod: Pod) -> None:
        name = f"{pod.metadata.namespace}/{self._workload.metadata.name}"
        failed = pod.status.phase == "Failed"
        message = f"StatefulSet {name} is recreating {'failed' if failed else 'terminated'} Pod {pod.metadata.name}"
        reason = "RecreatingFailedPod" if failed else "RecreatingTerminatedPod"
        kind: Literal["Normal", "Warning"] = "Warning" if failed else "Normal"
        self._reports.append(Report(regarding=self._workload, type=kind, reason=reason, message=message))
        self._delete(pod)

    def _create_claims(self, ordinal: int) -> None:
        """The claims of an ordinal that are not there."""
        workload = self._workload
        for claim_ in parts.new_claims(workload, ordinal):
            name = claim_.metadata.name
            if self._view.get(PersistentVolumeClaim, name, workload.metadata.namespace) is None:
                pod_name = f"{workload.metadata.name}-{ordinal}"
                message = f"create Claim {name} Pod {pod_name} in StatefulSet {workload.metadata.name} success"
                report = Report(regarding=workload, reason="SuccessfulCreate", message=message)
                self._writes.append(Create(claim_, report))

    def _keep_identity(self, pod: Pod, ordinal: int) -> None:
        """An adopted pod learns its name and number."""
        labels = parts.identity(self._workload, ordinal)
        if not labels.items() <= pod.metadata.labels.items() and not pod.metadata.deletion_timestamp:
            meta = replace(pod.metadata, labels={**pod.metadata.labels, **labels})
            self._writes.append(Update(replace(pod, metadata=meta)))

    def _create(self, ordinal: int) -> None:
        workload = self._workload
        pod_name = f"{workload.metadata.name}-{ordinal}"
        self._create_claims(ordinal)
        revision = self._revision_for(ordinal)
        given = self._history.named(revision)
        template = template_of(given) if given and revision != self._update else workload.spec.template
        message = f"create Pod {pod_name} in StatefulSet {workload.metadata.name} successful"
        report = Report(regarding=workload, reason="SuccessfulCreate", message=message)
        self._writes.append(Create(parts.new_pod(workload, template, revision, ordinal), report))

    def _keep_claims(self, pod: Pod, ordinal: int, *, condemned: bool) -> None:
        """Whose the claims are follows the retention policy."""
        if self._workload.spec.persistent_volume_claim_retention_policy is None:
            return
        for template in self._workload.spec.volume_claim_templates:
            name = parts.claim_name(template, self._workload, ordinal)
            found = self._view.get(PersistentVolumeClaim, name, self._workload.metadata.namespace)
            if found is not None:
                owned = parts.owned_claim(found, self._workload, pod, condemned=condemned)
                if owned is not found:
                    self._writes.append(Update(owned))

    def _delete(self, pod: Pod) -> None:
        self._writes.append(podlib.delete_pod(pod))
        message = f"delete Pod {pod.metadata.name} in StatefulSet {self._workload.metadata.name} successful"
        self._reports.append(Report(regarding=self._workload, reason="SuccessfulDelete", message=message))

    def _condemn(self) -> bool:
        """Ends pods beyond the number, from the highest ordinal down; whether none are left."""
        wanted = parts.ordinals(self._workload)
        condemned = sorted((ordinal for ordinal in self._pods if ordinal not in wanted), reverse=True)
        unhealthy = [ordinal for ordinal in (*wanted, *reversed(condemned)) if not self._serves(ordinal)]
        for ordinal in condemned:
            pod = self._pods[ordinal]
            if pod.metadata.deletion_timestamp:
                if not self._parallel:
                    return False
                continue
            if not self._parallel and not self._available(pod) and unhealthy[0] != ordinal:
                return False
            self._keep_claims(pod, ordinal, condemned=True)
            self._delete(pod)
            if not self._parallel:
                return False
        return self._parallel or not condemned

    def _serves(self, ordinal: int) -> bool:
        pod = self._pods.get(ordinal)
        return pod is not None and not pod.metadata.deletion_timestamp and self._available(pod)

    def _roll(self) -> None:
        """Replaces pods of older revisions from the highest ordinal down to the partition.

        Without maxUnavailable, each waits until all above it serve again; what is below does not matter.
        """
        if not self._rolls:
            return
        wanted = parts.ordinals(self._workload)
        room: float = 1
        if self._max_unavailable is not None:
            room = self._max_unavailable - sum(not self._serves(ordinal) for ordinal in wanted)
        for ordinal in reversed(wanted[self._partition :]):
            serves, pod = self._serves(ordinal), self._pods.get(ordinal)
            is_old = pod is not None and pod.metadata.labels.get(HASH) != self._update
            if pod is not None and is_old and not pod.metadata.deletion_timestamp and (not serves or room > 0):
                self._delete(pod)
                room -= serves
            if self._max_unavailable is None and (is_old or not serves):
                return

    # The outcome

    def plan(self) -> Plan:
        status = self._status()
        if status != self._workload.status:
            self._writes.append(Update(replace(self._workload, status=status), subresource="status"))
        live = {status.current_revision, status.update_revision, self._update}
        live |= {pod.metadata.labels.get(HASH, "") for pod in self._pods.values()}
        self._writes += surplus(self._history.revisions, live, self._workload.spec.revision_history_limit)
        minimum_s = self._workload.spec.min_ready_seconds
        ready = (podlib.available_at(pod, minimum_s) for pod in self._pods.values()) if minimum_s else ()
        due = podlib.earliest(ready, self._now)
        return Plan(writes=tuple(self._writes), reports=tuple(self._reports), requeue_after_s=due)

    def _status(self) -> StatefulSetStatus:
        live = list(self._pods.values())
        ready = sum(pod.status.phase == "Running" and podlib.is_ready(pod) for pod in live)
        counted = [pod for pod in live if not pod.metadata.deletion_timestamp]
        current = sum(pod.metadata.labels.get(HASH) == self._current for pod in counted)
        updated = sum(pod.metadata.labels.get(HASH) == self._update for pod in counted)
        current_revision = self._current
        wanted = len(parts.ordinals(self._workload))
        if self._rolls and updated == len(live) == ready == wanted:
            current, current_revision = updated, self._update  # the rollout is complete
        return replace(
            self._workload.status,
            observed_generation=self._workload.metadata.generation,
            replicas=len(live),
            ready_replicas=ready,
            available_replicas=sum(map(self._available, live)),
            current_replicas=current,
            updated_replicas=updated,
            current_revision=current_revision,
            update_revision=self._update,
            collision_count=self._workload.status.collision_count or 0,
        )
