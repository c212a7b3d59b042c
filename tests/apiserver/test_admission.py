"""What admission completes and refuses."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest
from msgspec.structs import replace

from kubelite.api import core_v1 as core, errors, scheduling_v1 as scheduling
from kubelite.api.meta import ObjectMeta
from kubelite.apiserver.admission import with_token
from tests.apiserver.registries import cluster, config, pod


async def test_nothing_is_created_in_a_missing_namespace() -> None:
    async with cluster() as c:
        lost = replace(config(), metadata=ObjectMeta(name="a", namespace="nowhere"))
        with pytest.raises(errors.NotFound, match='namespaces "nowhere" not found'):
            await c.client.create(lost)


async def test_nothing_is_created_in_a_namespace_that_is_going() -> None:
    async with cluster() as c:
        await c.client.create(core.Namespace(metadata=ObjectMeta(name="x")))
        await c.client.delete(core.Namespace, "x")
        with pytest.raises(errors.Forbidden, match="because it is being terminated") as caught:
            await c.client.create(replace(config(), metadata=ObjectMeta(name="a", namespace="x")))
        assert caught.value.details is not None
        assert caught.value.details.causes[0].reason == "NamespaceTerminating"


async def test_default_namespace_cannot_be_deleted() -> None:
    async with cluster() as c:
        with pytest.raises(
            errors.Forbidden, match='namespaces "default" is forbidden: this namespace may not be deleted'
        ):
            await c.client.delete(core.Namespace, "default")


async def test_pod_runs_as_the_default_account_with_default_tolerations_and_priority() -> None:
    async with cluster() as c:
        made = await c.client.create(pod())
        assert made.spec.service_account_name == "default"
        assert made.spec.priority == 0
        assert made.spec.preemption_policy == "PreemptLowerPriority"
        assert [item.key for item in made.spec.tolerations] == [
            "node.kubernetes.io/not-ready",
            "node.kubernetes.io/unreachable",
        ]


async def test_pod_of_a_missing_account_is_refused() -> None:
    async with cluster() as c:
        wanted = replace(pod(), spec=replace(pod().spec, service_account_name="absent"))
        with pytest.raises(errors.Forbidden, match="error looking up service account default/absent"):
            await c.client.create(wanted)


async def test_priority_is_that_of_the_class() -> None:
    async with cluster() as c:
        wanted = replace(pod(), spec=replace(pod().spec, priority_class_name="system-node-critical"))
        assert (await c.client.create(wanted)).spec.priority == 2_000_001_000
        unknown = replace(pod("b"), spec=replace(pod().spec, priority_class_name="none"))
        with pytest.raises(errors.Forbidden, match="no PriorityClass with name none was found"):
            await c.client.create(unknown)


async def test_only_one_priority_class_is_the_default() -> None:
    async with cluster() as c:
        await c.client.create(scheduling.PriorityClass(metadata=ObjectMeta(name="a"), value=5, global_default=True))
        assert (await c.client.create(pod())).spec.priority == 5
        second = scheduling.PriorityClass(metadata=ObjectMeta(name="b"), value=6, global_default=True)
        with pytest.raises(errors.Forbidden, match="Only one default can exist"):
            await c.client.create(second)


def test_token_is_mounted_where_nothing_else_is() -> None:
    path = "/var/run/secrets/kubernetes.io/serviceaccount"
    own = core.VolumeMount(name="own", mount_path=path)
    containers = (core.Container(name="a"), core.Container(name="b", volume_mounts=(own,)))
    spec = with_token(core.PodSpec(containers=containers), "kube-api-access-x")
    assert [[mount.name for mount in item.volume_mounts] for item in spec.containers] == [
        ["kube-api-access-x"],
        ["own"],
    ]
    [volume] = spec.volumes
    assert volume.projected is not None
    assert volume.projected.sources[0].service_account_token == core.ServiceAccountTokenProjection(
        path="token", expiration_seconds=3607
    )
    assert with_token(spec, "kube-api-access-y") == spec


async def test_a_pod_waits_for_the_account_that_its_new_namespace_is_about_to_get() -> None:
    async with cluster() as c:
        await c.client.create(core.Namespace(metadata=ObjectMeta(name="new")))
        wanted = replace(pod(), metadata=ObjectMeta(name="web", namespace="new"))
        made: list[core.Pod] = []

        async def create() -> None:
            made.append(await c.client.create(wanted))

        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(create)
                await anyio.lowlevel.checkpoint()
                await c.client.create(core.ServiceAccount(metadata=ObjectMeta(name="default", namespace="new")))
        assert made[0].spec.service_account_name == "default"
