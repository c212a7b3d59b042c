"""StatefulSets: pods with names and claims that last, started, updated and ended one after the other.

Called by `client/host` per StatefulSet. With `podManagementPolicy: Parallel` nothing waits for its neighbour, except updates.
Source: k8s.io/kubernetes pkg/controller/statefulset/stateful_set_control.go
"""

from __future__ import annotations

from msgspec.structs import replace

from kubelite.api.apps_v1 import ControllerRevision, StatefulSet, StatefulSetStatus
from kubelite.api.core_v1 import PersistentVolumeClaim, Pod
from kubelite.api.intstr import scaled_value
from kubelite.api.meta import Object
from kubelite.client.plan import Create, Plan, Report, Update, Write
from kubelite.client.view import Key, View, Watch, self_key, split_key
from kubelite.controllers import pods as podlib, stateful_pods as parts
from kubelite.controllers.history import HASH, History, compute_history, surplus, template_of
from kubelite.controllers.selection import claim, holder_keys


class StatefulSetController:
    name = "statefulset-controller"
    watches = (
        Watch(StatefulSet, self_key),
        Watch(Pod, holder_keys(StatefulSet, podlib.readiness_changed)),
        Watch(ControllerRevision, holder_keys(StatefulSet)),
    )
    reads: tuple[type[Object], ...] = (PersistentVolumeClaim,)

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
        self._max_unavailable = 1
        if rolling and rolling.max_unavailable is not None:
            total = len(parts.ordinals(workload))
            self._max_unavailable = max(1, scaled_value(rolling.max_unavailable, total, round_up=True))
        self._writes: list[Write] = []
        self._reports: list[Report] = []

    # Facts

    def _available(self, pod: Pod) -> bool:
        minimum_s = self._workload.spec.min_ready_seconds
        return pod.status.phase == "Running" and podlib.is_available(pod, minimum_s, self._now)

    def _healthy(self, pod: Pod) -> bool:
        return not pod.metadata.deletion_timestamp and pod.status.phase == "Running" and podlib.is_ready(pod)

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
            self._keep_claims(pod, ordinal, condemned=False)
            if not self._parallel and (pod.metadata.deletion_timestamp or not self._healthy(pod)):
                return False
            if not self._parallel and not self._available(pod):
                return False
        return True

    def _recreate(self, pod: Pod) -> None:
        ended = "Failed" if pod.status.phase == "Failed" else "Succeeded"
        name = f"{pod.metadata.namespace}/{self._workload.metadata.name}"
        message = f"StatefulSet {name} is recreating {ended.lower()} Pod {pod.metadata.name}"
        self._reports.append(
            Report(regarding=self._workload, type="Warning", reason=f"Recreating{ended}Pod", message=message)
        )
        self._delete(pod)

    def _create(self, ordinal: int) -> None:
        workload = self._workload
        pod_name, namespace = f"{workload.metadata.name}-{ordinal}", workload.metadata.namespace
        for claim_ in parts.new_claims(workload, ordinal):
            name = claim_.metadata.name
            if self._view.get(PersistentVolumeClaim, name, namespace) is None:
                message = f"create Claim {name} Pod {pod_name} in StatefulSet {workload.metadata.name} success"
                report = Report(regarding=workload, reason="SuccessfulCreate", message=message)
                self._writes.append(Create(claim_, report))
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
        unhealthy = [ordinal for ordinal in (*wanted, *reversed(condemned)) if not self._is_healthy_at(ordinal)]
        for ordinal in condemned:
            pod = self._pods[ordinal]
            if pod.metadata.deletion_timestamp:
                if not self._parallel:
                    return False
                continue
            if not self._parallel and not self._healthy(pod) and unhealthy and unhealthy[0] != ordinal:
                return False
            self._keep_claims(pod, ordinal, condemned=True)
            self._delete(pod)
            if not self._parallel:
                return False
        return not condemned

    def _is_healthy_at(self, ordinal: int) -> bool:
        pod = self._pods.get(ordinal)
        return pod is not None and self._healthy(pod)

    def _roll(self) -> None:
        """Replaces pods of older revisions from the highest ordinal down to the partition."""
        if not self._rolls:
            return
        wanted = parts.ordinals(self._workload)
        unavailable = sum(
            pod is None or bool(pod.metadata.deletion_timestamp) or not self._available(pod)
            for pod in map(self._pods.get, wanted)
        )
        for ordinal in reversed(wanted):
            if ordinal < wanted.start + self._partition:
                return
            pod = self._pods.get(ordinal)
            if pod is None or pod.metadata.deletion_timestamp:
                if self._max_unavailable == 1:
                    return
                continue
            if pod.metadata.labels.get(HASH) != self._update:
                broken = not self._available(pod)
                if not broken and unavailable >= self._max_unavailable:
                    return
                self._delete(pod)
                unavailable += not broken
                if unavailable >= self._max_unavailable:
                    return
            elif not self._available(pod) and unavailable >= self._max_unavailable:
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
        live = [pod for pod in self._pods.values() if not podlib.is_terminal(pod)]
        ready = sum(pod.status.phase == "Running" and podlib.is_ready(pod) for pod in live)
        counted = [pod for pod in live if not pod.metadata.deletion_timestamp]
        current = sum(pod.metadata.labels.get(HASH) == self._current for pod in counted)
        updated = sum(pod.metadata.labels.get(HASH) == self._update for pod in counted)
        current_revision = self._current
        wanted = len(parts.ordinals(self._workload))
        if self._rolls and updated == len(live) == ready == wanted and self._partition == 0:
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
