"""Deployments: a ReplicaSet per template, and the way from the old ones to the new one.

Called by `client/host` per Deployment. How many replicas each may have is for `rollout`, what the status says for
`deployment_status`; here it is decided what happens: find or create the new ReplicaSet, number it, scale, clean up history.
Rolling back is no case of its own: the template of an old ReplicaSet makes that one the newest again.
Source: k8s.io/kubernetes pkg/controller/deployment
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from kubelite.api.apps_v1 import Deployment, ReplicaSet, ReplicaSetSpec
from kubelite.api.core_v1 import Pod, PodTemplateSpec
from kubelite.api.meta import LabelSelector, Object, ObjectMeta, controlled_by, controller_of
from kubelite.client.plan import Create, Delete, Plan, Report, Update, Write
from kubelite.client.view import Key, View, Watch, self_key, split_key
from kubelite.controllers import deployment_status as state
from kubelite.controllers.pods import is_terminal, with_labels
from kubelite.controllers.rollout import (
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    REVISION,
    REVISION_HISTORY,
    Sizes,
    annotation_number,
    bounds,
    by_age,
    is_rolling,
    new_size,
    old_sizes,
    replicas_of,
    revision_of,
    scaling_sizes,
)
from kubelite.controllers.selection import claim, holder_keys
from kubelite.controllers.template_hash import safe_hash

TEMPLATE_HASH = "pod-template-hash"
HISTORY_LENGTH = 2000  #: characters of the revision history annotation
_NOT_COPIED = {
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    "deprecated.deployment.rollback.to",
}


def recreating_keys(view: View, old: Pod | None, new: Pod | None) -> Iterable[Key]:
    """The Deployment that waits for its old pods to be gone."""
    if old is None or (new is not None and old.status.phase == new.status.phase):
        return
    owner = controller_of(old.metadata)
    namespace = old.metadata.namespace
    rs = view.get(ReplicaSet, owner.name, namespace) if owner and owner.kind == "ReplicaSet" else None
    above = controller_of(rs.metadata) if rs else None
    deployment = view.get(Deployment, above.name, namespace) if above and above.kind == "Deployment" else None
    if deployment is not None and not is_rolling(deployment):
        yield f"{namespace}/{deployment.metadata.name}"


class DeploymentController:
    name = "deployment-controller"
    watches = (
        Watch(Deployment, self_key),
        Watch(ReplicaSet, holder_keys(Deployment)),
        Watch(Pod, recreating_keys),
    )
    reads: tuple[type[Object], ...] = ()

    def decide(self, view: View, key: Key, now: float) -> Plan:
        namespace, name = split_key(key)
        deployment = view.get(Deployment, name, namespace)
        if deployment is None:
            return Plan()
        claimed = claim(view, deployment, deployment.spec.selector, ReplicaSet)
        if claimed.writes:
            return Plan(writes=claimed.writes)
        draft = _Draft(view, deployment, claimed.held, now)
        if deployment.metadata.deletion_timestamp:
            draft.number_new()
            return draft.plan(progress=False)
        if deployment.spec.paused or draft.was_scaled():
            draft.number_new()
            draft.resize(scaling_sizes(deployment, draft.new, draft.old))
            if deployment.spec.paused:
                draft.clean_up()
            return draft.plan(progress=False)
        draft.number_new()
        if not is_rolling(deployment) and draft.empty_old():
            return draft.plan(progress=True)
        if draft.new is None and draft.collides():
            return draft.salted()
        draft.find_or_create_new()
        draft.roll()
        return draft.plan(progress=True)

    def failed(self, view: View, key: Key, now: float, write: Write, message: str) -> Plan:
        """What to tell the user when a write of the last plan failed: only a ReplicaSet that could not be created matters."""
        namespace, name = split_key(key)
        deployment = view.get(Deployment, name, namespace)
        if deployment is None or not isinstance(write, Create):
            return Plan()
        text = f'Failed to create new replica set "{write.obj.metadata.name}": {message}'
        report = Report(regarding=deployment, type="Warning", reason="ReplicaSetCreateError", message=text)
        if not state.has_deadline(deployment):
            return Plan(reports=(report,))
        conditions = state.progressing(
            deployment.status.conditions, now, status="False", reason="ReplicaSetCreateError", message=text
        )
        if conditions == deployment.status.conditions:
            return Plan(reports=(report,))
        changed = replace(deployment, status=replace(deployment.status, conditions=conditions))
        return Plan(writes=(Update(changed, subresource="status"),), reports=(report,))


def same_template(a: PodTemplateSpec, b: PodTemplateSpec) -> bool:
    """Equal but for the hash label, which only ReplicaSets carry."""
    if a.spec != b.spec:
        return False
    plain = []
    for meta in (a.metadata, b.metadata):
        labels = {key: value for key, value in meta.labels.items() if key != TEMPLATE_HASH}
        plain.append(replace(meta, labels=labels))
    return plain[0] == plain[1]


class _Draft:
    """One decision in the making: the ReplicaSets as they will be, and what is said about it."""

    def __init__(self, view: View, deployment: Deployment, sets: list[ReplicaSet], now: float) -> None:
        self._view = view
        self._now = now
        self.deployment = deployment
        template = deployment.spec.template
        self.new = next((rs for rs in by_age(sets) if same_template(rs.spec.template, template)), None)
        self.old = [rs for rs in sets if rs is not self.new]
        self._before = {rs.metadata.name: rs for rs in sets}
        self._deletes: list[Delete] = []
        self._reports: list[Report] = []
        self._conditions = self._paused_conditions()
        self._revision = deployment.metadata.annotations.get(REVISION, "")

    def _paused_conditions(self) -> state.Conditions:
        conditions = self.deployment.status.conditions
        current = state.condition_of(conditions, "Progressing")
        reason = current.reason if current else ""
        if not state.has_deadline(self.deployment) or reason == "ProgressDeadlineExceeded":
            return conditions
        if self.deployment.spec.paused and reason != "DeploymentPaused":
            return state.progressing(
                conditions, self._now, status="Unknown", reason="DeploymentPaused", message="Deployment is paused"
            )
        if not self.deployment.spec.paused and reason == "DeploymentPaused":
            return state.progressing(
                conditions, self._now, status="Unknown", reason="DeploymentResumed", message="Deployment is resumed"
            )
        return conditions

    def was_scaled(self) -> bool:
        """Whether an active ReplicaSet was last sized for another number of replicas."""
        wanted = replicas_of(self.deployment)
        return any(
            annotation_number(rs.metadata.annotations, DESIRED_REPLICAS) not in (None, wanted)
            for rs in self._before.values()
            if replicas_of(rs)
        )

    # The new ReplicaSet

    def number_new(self) -> None:
        """Gives the existing new ReplicaSet the newest revision and the Deployment's annotations."""
        if self.new is None:
            return
        rs = self.new
        annotations = {**rs.metadata.annotations, **_copied(self.deployment)}
        newest = max((revision_of(old) for old in self.old), default=0) + 1
        if revision_of(rs) < newest:
            if before := rs.metadata.annotations.get(REVISION):
                annotations[REVISION_HISTORY] = _history(annotations.get(REVISION_HISTORY, ""), before)
            annotations[REVISION] = str(newest)
        min_ready_s = self.deployment.spec.min_ready_seconds
        if annotations != rs.metadata.annotations or rs.spec.min_ready_seconds != min_ready_s:
            metadata = replace(rs.metadata, annotations=annotations)
            self.new = replace(rs, metadata=metadata, spec=replace(rs.spec, min_ready_seconds=min_ready_s))
        self._revision = annotations.get(REVISION, "")
        if state.has_deadline(self.deployment) and not state.condition_of(self._conditions, "Progressing"):
            message = f'Found new replica set "{rs.metadata.name}"'
            self._progressing("FoundNewReplicaSet", message)

    def _hash(self) -> str:
        return safe_hash(self.deployment.spec.template, self.deployment.status.collision_count)

    def _new_name(self) -> str:
        return f"{self.deployment.metadata.name}-{self._hash()}"

    def collides(self) -> bool:
        """Whether the name of the new ReplicaSet is another template's or another owner's."""
        return self._view.get(ReplicaSet, self._new_name(), self.deployment.metadata.namespace) is not None

    def salted(self) -> Plan:
        """The next decision tries another hash."""
        count = (self.deployment.status.collision_count or 0) + 1
        status = replace(self.deployment.status, collision_count=count)
        return Plan(writes=(Update(replace(self.deployment, status=status), subresource="status"),))

    def find_or_create_new(self) -> None:
        if self.new is not None:
            self.number_new()
            return
        spec, meta = self.deployment.spec, self.deployment.metadata
        label = {TEMPLATE_HASH: self._hash()}
        template = with_labels(spec.template, label)
        selector = spec.selector or LabelSelector()
        size = new_size(self.deployment, None, self.old)
        revision = str(max((revision_of(old) for old in self.old), default=0) + 1)
        self.new = ReplicaSet(
            metadata=ObjectMeta(
                name=self._new_name(),
                namespace=meta.namespace,
                labels=template.metadata.labels,
                annotations={**_copied(self.deployment), **_size_notes(self.deployment), REVISION: revision},
                owner_references=(controlled_by(self.deployment),),
            ),
            spec=ReplicaSetSpec(
                replicas=size,
                min_ready_seconds=spec.min_ready_seconds,
                selector=replace(selector, match_labels={**selector.match_labels, **label}),
                template=template,
            ),
        )
        self._revision = revision
        if size:
            self._say_scaled(self.new, 0, size)
        if state.has_deadline(self.deployment):
            self._progressing("NewReplicaSetCreated", f'Created new replica set "{self._new_name()}"')

    def _progressing(self, reason: str, message: str) -> None:
        self._conditions = state.progressing(self._conditions, self._now, status="True", reason=reason, message=message)

    # Sizes

    def resize(self, sizes: Sizes) -> bool:
        """Gives the named ReplicaSets their sizes; whether any changed."""
        changed = False
        for rs in (*by_age(self.old), *((self.new,) if self.new else ())):
            size, current = sizes.get(rs.metadata.name), replicas_of(rs)
            if size is None:
                continue
            notes = _size_notes(self.deployment)
            if size != current or not notes.items() <= rs.metadata.annotations.items():
                metadata = replace(rs.metadata, annotations={**rs.metadata.annotations, **notes})
                edited = replace(rs, metadata=metadata, spec=replace(rs.spec, replicas=size))
                if rs is self.new:
                    self.new = edited
                else:
                    self.old[self.old.index(rs)] = edited
            if size != current:
                self._say_scaled(rs, current, size)
                changed = True
        return changed

    def _say_scaled(self, rs: ReplicaSet, before: int, after: int) -> None:
        way = "up" if after > before else "down"
        message = f"Scaled {way} replica set {rs.metadata.name} from {before} to {after}"
        self._reports.append(Report(regarding=self.deployment, reason="ScalingReplicaSet", message=message))

    def roll(self) -> None:
        """One step of the rollout: the new one up, else the old ones down, else the history trimmed."""
        if self.new is None:
            return
        size = new_size(self.deployment, self.new, self.old)
        if size != replicas_of(self.new) and self.resize({self.new.metadata.name: size}):
            return
        if is_rolling(self.deployment):
            sizes = old_sizes(self.deployment, self.new, self.old)
            if self.resize({name: size for name, size in sizes.items() if size != replicas_of(self._before[name])}):
                return
        if state.is_complete(self.deployment, self.deployment.status):
            self.clean_up()

    def empty_old(self) -> bool:
        """Recreate: scales all old ones down; whether any of their pods are still there."""
        busy = self.resize({rs.metadata.name: 0 for rs in self.old if replicas_of(rs)})
        if busy or any(rs.status.replicas for rs in self.old):
            return True
        return any(not is_terminal(pod) for rs in self.old for pod in self._view.owned(Pod, rs.metadata.uid))

    def clean_up(self) -> None:
        """Deletes the oldest empty ReplicaSets beyond the history limit."""
        limit = self.deployment.spec.revision_history_limit
        candidates = sorted(
            (rs for rs in self.old if not rs.metadata.deletion_timestamp),
            key=lambda rs: (revision_of(rs), rs.metadata.creation_timestamp or "", rs.metadata.name),
        )
        if limit is None or limit == state.NO_DEADLINE:
            return
        for rs in candidates[: max(0, len(candidates) - limit)]:
            seen = rs.metadata.generation <= rs.status.observed_generation
            if rs.status.replicas == 0 and replicas_of(rs) == 0 and seen:
                meta = rs.metadata
                self._deletes.append(Delete(type=ReplicaSet, name=meta.name, namespace=meta.namespace, uid=meta.uid))

    # The outcome

    def plan(self, *, progress: bool) -> Plan:
        every = [*self.old, *((self.new,) if self.new else ())]
        gone = {delete.name for delete in self._deletes}
        writes: list[Write] = []
        for rs in every:
            before = self._before.get(rs.metadata.name)
            if before is None:
                writes.append(Create(rs))
            elif rs is not before and rs.metadata.name not in gone:
                writes.append(Update(rs))
        status = state.compute_status(self.deployment, self.new, every, self._conditions, self._now)
        if progress:
            status = state.with_progress(self.deployment, self.new, every, status, self._now)
        annotations: Mapping[str, str] = self.deployment.metadata.annotations
        if self._revision != annotations.get(REVISION, ""):
            annotations = {**annotations, REVISION: self._revision}
        metadata = replace(self.deployment.metadata, annotations=annotations)
        changed = replace(self.deployment, metadata=metadata, status=status)
        if changed != self.deployment:
            writes.append(Update(changed, subresource="status"))
        due = state.deadline_left_s(self.deployment, status, self._now) if progress else None
        return Plan(writes=(*writes, *self._deletes), reports=tuple(self._reports), requeue_after_s=due)


def _copied(deployment: Deployment) -> dict[str, str]:
    return {key: value for key, value in deployment.metadata.annotations.items() if key not in _NOT_COPIED}


def _size_notes(deployment: Deployment) -> dict[str, str]:
    wanted = replicas_of(deployment)
    return {DESIRED_REPLICAS: str(wanted), MAX_REPLICAS: str(wanted + bounds(deployment)[0])}


def _history(history: str, before: str) -> str:
    revisions = [*(history.split(",") if history else ()), before]
    while len(text := ",".join(revisions)) > HISTORY_LENGTH:
        revisions.pop(0)
    return text
