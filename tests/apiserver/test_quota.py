from __future__ import annotations

import pytest
from msgspec.structs import replace

from kubelite.api import core_v1 as core
from kubelite.api.errors import Forbidden
from kubelite.api.meta import ObjectMeta
from tests.apiserver.registries import ADMIN, Cluster, cluster, config, pod, service


async def limit(c: Cluster, used: dict[str, str] | None = None, /, **spec: str) -> None:
    """A quota whose controller has already counted nothing."""
    hard = {name.replace("__", "."): amount for name, amount in spec.items()}
    quota = core.ResourceQuota(
        metadata=ObjectMeta(name="q", namespace="default"), spec=core.ResourceQuotaSpec(hard=dict(hard))
    )
    made = await c.client.create(quota)
    counted = core.ResourceQuotaStatus(hard=dict(hard), used=used or dict.fromkeys(hard, "0"))
    await c.client.update(replace(made, status=counted), subresource="status")


async def used(c: Cluster) -> dict[str, object]:
    return dict((await c.client.get(core.ResourceQuota, "q", "default")).status.used)


def asking(name: str, cpu: str) -> core.Pod:
    wanted = core.ResourceRequirements(requests={"cpu": cpu})
    container = core.Container(name="app", image="app:1", resources=wanted)
    return replace(pod(name), spec=core.PodSpec(containers=(container,)))


async def test_what_is_created_is_charged_until_the_quota_is_full() -> None:
    async with cluster() as c:
        await limit(c, configmaps="1")
        await c.client.create(config("one"))
        assert await used(c) == {"configmaps": "1"}
        full = "exceeded quota: q, requested: configmaps=1, used: configmaps=1, limited: configmaps=1"
        with pytest.raises(Forbidden, match=full):
            await c.client.create(config("two"))


async def test_pods_are_charged_what_their_containers_request() -> None:
    async with cluster() as c:
        await limit(c, pods="5", requests__cpu="1")
        await c.client.create(asking("one", "700m"))
        assert await used(c) == {"pods": "1", "requests.cpu": "700m"}
        with pytest.raises(
            Forbidden, match=r"requested: requests\.cpu=700m, used: requests\.cpu=700m, limited: requests\.cpu=1"
        ):
            await c.client.create(asking("two", "700m"))
        with pytest.raises(Forbidden, match=r"must specify requests\.cpu for: app"):
            await c.client.create(pod("three"))


async def test_a_dry_run_is_refused_alike_and_charged_nothing() -> None:
    async with cluster() as c:
        await limit(c, configmaps="1")
        await c.client.create(config("one"), dry_run=True)
        assert await used(c) == {"configmaps": "0"}


async def test_a_service_that_becomes_a_node_port_is_charged_for_it() -> None:
    async with cluster() as c:
        await limit(c, services__nodeports="0")
        made = await c.client.create(service())
        with pytest.raises(Forbidden, match=r"services\.nodeports=1"):
            await c.client.update(replace(made, spec=replace(made.spec, type="NodePort")))


async def test_a_quota_that_nobody_has_counted_yet_says_so() -> None:
    async with cluster() as c:
        await limit(c, {"pods": "0"}, configmaps="1")
        with pytest.raises(Forbidden, match="status unknown for quota: q, resources: configmaps"):
            await c.client.create(config("one"))


async def test_limit_ranges_fill_in_and_bound_what_containers_ask_for() -> None:
    async with cluster() as c:
        item = core.LimitRangeItem(
            type="Container", default={"cpu": "500m"}, default_request={"cpu": "100m"}, max={"cpu": "1"}
        )
        limits = core.LimitRange(
            metadata=ObjectMeta(name="l", namespace="default"), spec=core.LimitRangeSpec(limits=(item,))
        )
        await c.client.create(limits)
        made = await c.client.create(pod())
        resources = made.spec.containers[0].resources
        assert (resources.requests, resources.limits) == ({"cpu": "100m"}, {"cpu": "500m"})
        note = made.metadata.annotations["kubernetes.io/limit-ranger"]
        assert note == "LimitRanger plugin set: cpu request for container app; cpu limit for container app"
        with pytest.raises(Forbidden, match="maximum cpu usage per Container is 1, but limit is 2"):
            big = asking("big", "2")
            container = replace(
                big.spec.containers[0], resources=core.ResourceRequirements(requests={"cpu": "2"}, limits={"cpu": "2"})
            )
            await c.registry.create(
                c.scheme.of(core.Pod), "default", replace(big, spec=core.PodSpec(containers=(container,))), ADMIN
            )
