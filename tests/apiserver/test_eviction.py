from __future__ import annotations

import pytest
from msgspec.structs import replace

from kubelite.api import core_v1 as core, policy_v1 as policy
from kubelite.api.errors import NotFound, TooManyRequests, Unknown
from kubelite.api.meta import LabelSelector, ObjectMeta
from tests.apiserver.registries import Cluster, cluster, pod


async def running(c: Cluster, name: str, *, ready: bool = True) -> None:
    made = await c.client.create(pod(name, app="web"))
    conditions = (core.PodCondition(type="Ready", status="True" if ready else "False"),)
    await c.client.update(
        replace(made, status=core.PodStatus(phase="Running", conditions=conditions)), subresource="status"
    )


async def budget(c: Cluster, name: str = "b", **status: int) -> None:
    wanted = policy.PodDisruptionBudget(
        metadata=ObjectMeta(name=name, namespace="default"),
        spec=policy.PodDisruptionBudgetSpec(min_available=1, selector=LabelSelector(match_labels={"app": "web"})),
    )
    made = await c.client.create(wanted)
    counted = policy.PodDisruptionBudgetStatus(**{"observed_generation": 1, **status})  # type: ignore[arg-type]
    await c.client.update(replace(made, status=counted), subresource="status")


async def evict(c: Cluster, name: str) -> None:
    eviction = policy.Eviction(metadata=ObjectMeta(name=name, namespace="default"))
    await c.client.create_subresource(eviction, name, "default", plural="pods", subresource="eviction")


async def test_an_eviction_spends_what_the_budget_can_spare() -> None:
    async with cluster() as c:
        await budget(c, disruptions_allowed=1, desired_healthy=1, current_healthy=2)
        for name in ("one", "two"):
            await running(c, name)
        await evict(c, "one")
        with pytest.raises(NotFound):
            await c.client.get(core.Pod, "one", "default")
        found = await c.client.get(policy.PodDisruptionBudget, "b", "default")
        assert found.status.disruptions_allowed == 0
        assert list(found.status.disrupted_pods) == ["one"]
        with pytest.raises(TooManyRequests, match="would violate the pod's disruption budget") as caught:
            await evict(c, "two")
        assert caught.value.details is not None
        assert caught.value.details.causes[0].message == (
            "The disruption budget b needs 1 healthy pods and has 2 currently"
        )


async def test_a_budget_that_its_controller_has_not_seen_asks_to_come_again() -> None:
    async with cluster() as c:
        await running(c, "one")
        await budget(c, observed_generation=0)
        with pytest.raises(TooManyRequests) as caught:
            await evict(c, "one")
        assert caught.value.details is not None
        assert caught.value.details.retry_after_seconds == 10


async def test_pods_that_have_ended_or_are_not_ready_while_enough_are_go_freely() -> None:
    async with cluster() as c:
        await budget(c, disruptions_allowed=0, desired_healthy=1, current_healthy=1)
        await c.client.create(pod("pending", app="web"))
        await evict(c, "pending")
        await running(c, "sick", ready=False)
        await evict(c, "sick")


async def test_two_budgets_over_one_pod_are_not_supported() -> None:
    async with cluster() as c:
        await running(c, "one")
        await budget(c, "a")
        await budget(c, "b")
        with pytest.raises(Unknown, match="more than one PodDisruptionBudget"):
            await evict(c, "one")
