"""A pod's eviction: its deletion, if the disruption budget over it has one to spare.

What is spared is taken from the budget's status before the pod goes, so that two evictions never spend the same one.
Source: kubernetes pkg/registry/core/pod/storage/eviction.go, KEP-3017
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from msgspec.structs import replace

from kubelite.actor.clock import Clock
from kubelite.api import core_v1 as core, policy_v1 as policy
from kubelite.api.errors import StatusError, TooManyRequests, Unknown, forbidden
from kubelite.api.meta import DeleteOptions, Object, Preconditions, Status, StatusCause, StatusDetails
from kubelite.api.scheme import Resource, Scheme
from kubelite.api.selectors import matches
from kubelite.api.timestamp import rfc3339
from kubelite.apiserver.interface import Context, Entry

_VIOLATES = "Cannot evict pod as it would violate the pod's disruption budget."
_SEVERAL = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
#: How many evicted pods a budget remembers until its controller has seen them go.
_MOST_DISRUPTED = 2000
_STILL_PROCESSED_S = 10


class Pods(Protocol):
    """What this file needs of the registry."""

    clock: Clock

    @property
    def scheme(self) -> Scheme: ...
    async def get(self, resource: Resource, name: str, namespace: str = "", *, revision: int = 0) -> Entry: ...
    async def find_all(self, type_: type[Object], namespace: str = "") -> list[Any]: ...
    async def modify(
        self, resource: Resource, name: str, namespace: str, change: Callable[[Any], Any], ctx: Context
    ) -> Entry: ...
    async def delete(
        self, resource: Resource, name: str, namespace: str, options: DeleteOptions, ctx: Context
    ) -> Entry | Status: ...


async def evict_pod(
    registry: Pods, resource: Resource, name: str, namespace: str, eviction: policy.Eviction, ctx: Context
) -> Status:
    """Raises: TooManyRequests when the budget has none to spare; NotFound, Conflict."""
    options = eviction.delete_options or DeleteOptions()
    if "All" in options.dry_run:
        ctx = replace(ctx, dry_run=True)
    pod = (await registry.get(resource, name, namespace)).object
    if not _is_free(pod):
        budgets = [
            budget
            for budget in await registry.find_all(policy.PodDisruptionBudget, namespace)
            if matches(budget.spec.selector, pod.metadata.labels)
        ]
        if len(budgets) > 1:
            raise Unknown(_SEVERAL)
        if budgets and _is_spared(pod, budgets[0]):
            # as long as it stays as it was looked at
            wanted = options.preconditions or Preconditions()
            version = wanted.resource_version or pod.metadata.resource_version
            options = replace(options, preconditions=replace(wanted, resource_version=version))
        elif budgets:
            await _spend(registry, budgets[0], name, ctx)
    await registry.delete(resource, name, namespace, options, ctx)
    return Status(status="Success", code=201)


def _is_free(pod: core.Pod) -> bool:
    """Whether no budget counts the pod: it has ended, has not begun, or goes already."""
    return pod.status.phase in ("Succeeded", "Failed", "Pending") or pod.metadata.deletion_timestamp is not None


def _is_spared(pod: core.Pod, budget: policy.PodDisruptionBudget) -> bool:
    """Whether a pod that is not ready may go without being counted."""
    if any(condition.type == "Ready" and condition.status == "True" for condition in pod.status.conditions):
        return False
    if budget.spec.unhealthy_pod_eviction_policy == "AlwaysAllow":
        return True
    return 0 < budget.status.desired_healthy <= budget.status.current_healthy


async def _spend(registry: Pods, budget: policy.PodDisruptionBudget, pod: str, ctx: Context) -> None:
    now = rfc3339(registry.clock.now())

    def spend(budget: policy.PodDisruptionBudget) -> policy.PodDisruptionBudget:
        status = budget.status
        _check(budget)
        disrupted = {**status.disrupted_pods, pod: now}
        left = status.disruptions_allowed - 1
        return replace(budget, status=replace(status, disruptions_allowed=left, disrupted_pods=disrupted))

    meta = budget.metadata
    await registry.modify(registry.scheme.of(policy.PodDisruptionBudget), meta.name, meta.namespace, spend, ctx)


def _check(budget: policy.PodDisruptionBudget) -> None:
    """Raises: TooManyRequests, Forbidden."""
    status, name = budget.status, budget.metadata.name
    if status.observed_generation < budget.metadata.generation:
        why = f"The disruption budget {name} is still being processed by the server."
        raise _too_many(why, retry_after_s=_STILL_PROCESSED_S)
    if status.disruptions_allowed < 0:
        raise forbidden("policy", "poddisruptionbudget", name, "pdb disruptions allowed is negative")
    if len(status.disrupted_pods) > _MOST_DISRUPTED:
        why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        raise forbidden("policy", "poddisruptionbudget", name, why)
    if status.disruptions_allowed == 0:
        has = f"needs {status.desired_healthy} healthy pods and has {status.current_healthy} currently"
        raise _too_many(f"The disruption budget {name} {has}")


def _too_many(why: str, *, retry_after_s: int = 0) -> StatusError:
    cause = StatusCause(reason="DisruptionBudget", message=why)
    return TooManyRequests(_VIOLATES, StatusDetails(causes=(cause,), retry_after_seconds=retry_after_s))
