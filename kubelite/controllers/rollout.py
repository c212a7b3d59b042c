"""The arithmetic of a rollout: how many replicas each ReplicaSet of a Deployment should have.

Pure numbers over Deployments and ReplicaSets; `deployment` decides when each rule applies and what to say about it.
Source: k8s.io/kubernetes pkg/controller/deployment/{rolling,sync}.go and util/deployment_util.go
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from kubelite.api.apps_v1 import Deployment, ReplicaSet
from kubelite.api.intstr import scaled_value

REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"

Sizes = dict[str, int]  #: ReplicaSet name to its number of replicas


def replicas_of(obj: Deployment | ReplicaSet) -> int:
    return 1 if obj.spec.replicas is None else obj.spec.replicas


def total(sets: Iterable[ReplicaSet]) -> int:
    return sum(replicas_of(rs) for rs in sets)


def is_rolling(deployment: Deployment) -> bool:
    return deployment.spec.strategy.type != "Recreate"


def bounds(deployment: Deployment) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) in pods; at least one of them lets the rollout move."""
    rolling = deployment.spec.strategy.rolling_update
    wanted = replicas_of(deployment)
    if not is_rolling(deployment):
        return 0, 0
    given_surge = rolling.max_surge if rolling and rolling.max_surge is not None else "25%"
    given_unavailable = rolling.max_unavailable if rolling and rolling.max_unavailable is not None else "25%"
    surge = scaled_value(given_surge, wanted, round_up=True)
    unavailable = scaled_value(given_unavailable, wanted, round_up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return surge, min(unavailable, wanted)


def revision_of(rs: ReplicaSet) -> int:
    try:
        return int(rs.metadata.annotations.get(REVISION, "0"))
    except ValueError:
        return 0


def by_age(sets: Iterable[ReplicaSet]) -> list[ReplicaSet]:
    return sorted(sets, key=lambda rs: (rs.metadata.creation_timestamp or "", rs.metadata.name))


def new_size(deployment: Deployment, new: ReplicaSet | None, old: Sequence[ReplicaSet]) -> int:
    """How far the new ReplicaSet may grow (or must shrink) now."""
    wanted = replicas_of(deployment)
    current = replicas_of(new) if new else 0
    if current >= wanted or not is_rolling(deployment):
        return wanted
    room = wanted + bounds(deployment)[0] - total(old) - current
    return current + min(max(room, 0), wanted - current)


def old_sizes(deployment: Deployment, new: ReplicaSet, old: Sequence[ReplicaSet]) -> Sizes:
    """How far the old ReplicaSets may shrink now: unhealthy replicas first, then as availability allows."""
    active = by_age(rs for rs in old if replicas_of(rs))
    sizes = {rs.metadata.name: replicas_of(rs) for rs in active}
    needed = replicas_of(deployment) - bounds(deployment)[1]
    serving = min(new.status.available_replicas, replicas_of(new))  # what is beyond its size is about to go
    limit = total(active) + serving - needed
    if not active or limit <= 0:
        return {}
    left = limit
    for rs in active:
        unhealthy = sizes[rs.metadata.name] - rs.status.available_replicas
        if unhealthy < 0:
            return {}  # its status is behind its spec: the next one tells
        down = min(left, unhealthy)
        sizes[rs.metadata.name] -= down
        left -= down
    spare = serving + sum(rs.status.available_replicas for rs in active) - needed
    for rs in active:
        down = max(0, min(sizes[rs.metadata.name], spare))
        sizes[rs.metadata.name] -= down
        spare -= down
    return sizes


def is_saturated(deployment: Deployment, rs: ReplicaSet | None) -> bool:
    wanted = replicas_of(deployment)
    return (
        rs is not None
        and annotation_number(rs.metadata.annotations, DESIRED_REPLICAS) == wanted
        and replicas_of(rs) == wanted
        and rs.status.available_replicas == wanted
    )


def annotation_number(annotations: Mapping[str, str], key: str) -> int | None:
    try:
        return int(annotations[key])
    except (KeyError, ValueError):
        return None


def scaling_sizes(deployment: Deployment, new: ReplicaSet | None, old: Sequence[ReplicaSet]) -> Sizes:
    """The sizes after the Deployment itself was scaled: in proportion, so that scaling does not hasten a rollout.

    10 replicas, halfway (5 old, 8 new with maxSurge 3), scaled to 20: 23 in all, so 9 old and 14 new.
    """
    everyone = [*by_age(old), *([new] if new else [])]
    active = [rs for rs in everyone if replicas_of(rs)]
    wanted = replicas_of(deployment)
    if len(active) <= 1:
        sole = active[0] if active else new or (everyone[-1] if everyone else None)
        return {sole.metadata.name: wanted} if sole else {}
    if is_saturated(deployment, new):
        return {rs.metadata.name: 0 for rs in active if rs is not new}
    if not is_rolling(deployment):
        return {}
    allowed = wanted + bounds(deployment)[0] if wanted else 0
    to_add = allowed - total(active)
    age = {rs.metadata.name: index for index, rs in enumerate(by_age(active))}
    newer_first = -1 if to_add > 0 else 1
    active.sort(key=lambda rs: (-replicas_of(rs), newer_first * age[rs.metadata.name]))
    sizes: Sizes = {}
    added = 0
    for rs in active:
        share = _proportion(deployment, rs, to_add=to_add, added=added)
        sizes[rs.metadata.name] = replicas_of(rs) + share
        added += share
    largest = active[0].metadata.name
    sizes[largest] = max(0, sizes[largest] + to_add - added)
    return sizes


def _proportion(deployment: Deployment, rs: ReplicaSet, *, to_add: int, added: int) -> int:
    current = replicas_of(rs)
    allowed = to_add - added
    if current == 0 or to_add == 0 or allowed == 0:
        return 0
    wanted = replicas_of(deployment)
    if wanted == 0:
        share = -current
    else:
        before = annotation_number(rs.metadata.annotations, MAX_REPLICAS) or deployment.status.replicas
        exact = current * (wanted + bounds(deployment)[0]) / before if before else current
        share = math.floor(exact + 0.5) - current
    return min(share, allowed) if to_add > 0 else max(share, allowed)
