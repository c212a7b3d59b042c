"""What a Deployment says about itself: counts and the conditions Available, Progressing and ReplicaFailure.

Pure; called by `deployment` with the ReplicaSets as the decision leaves them. Conditions keep upstream's rule: one with the
same status and reason is left as it is, and the transition time moves with the status only.
Source: k8s.io/kubernetes pkg/controller/deployment/{progress,sync}.go
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from kubelite.api.apps_v1 import Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet
from kubelite.api.timestamp import rfc3339
from kubelite.controllers.pods import seconds
from kubelite.controllers.rollout import bounds, replicas_of, total

Conditions = tuple[DeploymentCondition, ...]
NO_DEADLINE = 2**31 - 1


def condition_of(conditions: Conditions, type_: str) -> DeploymentCondition | None:
    return next((condition for condition in conditions if condition.type == type_), None)


def without(conditions: Conditions, type_: str) -> Conditions:
    return tuple(condition for condition in conditions if condition.type != type_)


def with_condition(
    conditions: Conditions, now: float, *, type_: str, status: str, reason: str, message: str
) -> Conditions:
    current = condition_of(conditions, type_)
    if current and current.status == status and current.reason == reason:
        return conditions
    return with_news(conditions, now, type_=type_, status=status, reason=reason, message=message)


def with_news(conditions: Conditions, now: float, *, type_: str, status: str, reason: str, message: str) -> Conditions:
    """Like `with_condition`, but an equal reason is news, too: lastUpdateTime moves."""
    current = condition_of(conditions, type_)
    at = rfc3339(now)
    since = current.last_transition_time if current and current.status == status else at
    condition = DeploymentCondition(
        type=type_, status=status, reason=reason, message=message, last_update_time=at, last_transition_time=since
    )
    return (*without(conditions, type_), condition)


def progressing(conditions: Conditions, now: float, *, status: str, reason: str, message: str) -> Conditions:
    return with_condition(conditions, now, type_="Progressing", status=status, reason=reason, message=message)


def has_deadline(deployment: Deployment) -> bool:
    return deployment.spec.progress_deadline_seconds not in (None, NO_DEADLINE)


def compute_status(
    deployment: Deployment, new: ReplicaSet | None, every: Sequence[ReplicaSet], conditions: Conditions, now: float
) -> DeploymentStatus:
    """The counts over `every` ReplicaSet, and Available."""
    available = sum(rs.status.available_replicas for rs in every)
    enough = available >= replicas_of(deployment) - bounds(deployment)[1]
    conditions = with_condition(
        conditions,
        now,
        type_="Available",
        status="True" if enough else "False",
        reason="MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
        message=f"Deployment {'has' if enough else 'does not have'} minimum availability.",
    )
    return replace(
        deployment.status,
        observed_generation=deployment.metadata.generation,
        replicas=sum(rs.status.replicas for rs in every),
        updated_replicas=new.status.replicas if new else 0,
        ready_replicas=sum(rs.status.ready_replicas for rs in every),
        available_replicas=available,
        unavailable_replicas=max(0, total(every) - available),
        conditions=conditions,
    )


def is_complete(deployment: Deployment, status: DeploymentStatus) -> bool:
    """All replicas are new and available."""
    wanted = replicas_of(deployment)
    counts = (status.updated_replicas, status.replicas, status.available_replicas)
    return counts == (wanted,) * 3 and status.observed_generation >= deployment.metadata.generation


def with_progress(
    deployment: Deployment, new: ReplicaSet | None, every: Sequence[ReplicaSet], status: DeploymentStatus, now: float
) -> DeploymentStatus:
    """Progressing, and a ReplicaFailure of any ReplicaSet, added to `status`."""
    conditions = status.conditions
    current = condition_of(conditions, "Progressing")
    subject = f'ReplicaSet "{new.metadata.name}"' if new else f'Deployment "{deployment.metadata.name}"'
    settled = (
        status.replicas == status.updated_replicas
        and current is not None
        and current.reason == "NewReplicaSetAvailable"
    )
    if not has_deadline(deployment):
        conditions = without(conditions, "Progressing")
    elif not settled:
        if is_complete(deployment, status):
            message = f"{subject} has successfully progressed."
            conditions = progressing(conditions, now, status="True", reason="NewReplicaSetAvailable", message=message)
        elif _moved(deployment.status, status):
            message = f"{subject} is progressing."
            conditions = with_news(
                conditions, now, type_="Progressing", status="True", reason="ReplicaSetUpdated", message=message
            )
        elif _late(deployment, conditions, now):
            message = f"{subject} has timed out progressing."
            conditions = progressing(
                conditions, now, status="False", reason="ProgressDeadlineExceeded", message=message
            )
    failure = _replica_failure(new, every)
    if failure is None:
        conditions = without(conditions, "ReplicaFailure")
    else:
        known = condition_of(conditions, "ReplicaFailure")
        if known is None or (known.status, known.reason) != (failure.status, failure.reason):
            conditions = (*without(conditions, "ReplicaFailure"), failure)
    return replace(status, conditions=conditions)


def deadline_left_s(deployment: Deployment, status: DeploymentStatus, now: float) -> float | None:
    """When to look again whether the rollout is late; None when it cannot become late."""
    current = condition_of(status.conditions, "Progressing")
    deadline_s = deployment.spec.progress_deadline_seconds
    if current is None or deadline_s is None or not has_deadline(deployment):
        return None
    if is_complete(deployment, status) or current.reason in ("ProgressDeadlineExceeded", "NewReplicaSetAvailable"):
        return None
    return max(0.0, seconds(current.last_update_time) + deadline_s - now) + 1.0  # times have whole seconds


def _moved(old: DeploymentStatus, new: DeploymentStatus) -> bool:
    return (
        new.updated_replicas > old.updated_replicas
        or new.replicas - new.updated_replicas < old.replicas - old.updated_replicas
        or new.ready_replicas > old.ready_replicas
        or new.available_replicas > old.available_replicas
    )


def _late(deployment: Deployment, conditions: Conditions, now: float) -> bool:
    current = condition_of(conditions, "Progressing")
    if current is None or current.reason == "NewReplicaSetAvailable":
        return False
    if current.reason == "ProgressDeadlineExceeded":
        return True
    return seconds(current.last_update_time) + (deployment.spec.progress_deadline_seconds or 0) < now


def _replica_failure(new: ReplicaSet | None, every: Sequence[ReplicaSet]) -> DeploymentCondition | None:
    for rs in (*((new,) if new else ()), *every):
        for condition in rs.status.conditions:
            if condition.type == "ReplicaFailure":
                since = condition.last_transition_time
                return DeploymentCondition(
                    type=condition.type,
                    status=condition.status,
                    last_update_time=since,
                    last_transition_time=since,
                    reason=condition.reason,
                    message=condition.message,
                )
    return None
