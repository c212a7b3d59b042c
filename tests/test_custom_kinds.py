"""Custom kinds in an embedded cluster: seen like built-in ones, and owners and content of namespaces like these."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from kubelite import Cluster
from kubelite.api.apiextensions_v1 import CustomResourceDefinition
from kubelite.api.core_v1 import ConfigMap, Namespace, ResourceQuota, ResourceQuotaSpec
from kubelite.api.errors import Forbidden, NotFound
from kubelite.api.meta import DeleteOptions, Object, ObjectMeta, controlled_by

CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget}
  versions:
  - {name: v1, served: true, storage: %s, schema: {openAPIV3Schema: {type: object, properties: {spec: &s {
      type: object, x-kubernetes-preserve-unknown-fields: true}}}}}
  - {name: v1beta1, served: true, storage: %s, schema: {openAPIV3Schema: {type: object, properties: {spec: *s}}}}
"""
STORED_V1 = CRD % ("true", "false")
STORED_V1BETA1 = CRD % ("false", "true")
DEADLINE_S = 10.0


def widgets(cluster: Cluster, version: str = "v1") -> Any:
    return cluster.scheme.kind("example.com", version, "Widget").type


async def create(cluster: Cluster, name: str, namespace: str = "default") -> Object:
    type_ = widgets(cluster)
    made: Object = await cluster.client.create(type_(metadata=ObjectMeta(name=name, namespace=namespace)))
    return made


async def own(cluster: Cluster, owner: Object, name: str) -> ConfigMap:
    namespace = owner.metadata.namespace
    meta = ObjectMeta(name=name, namespace=namespace, owner_references=(controlled_by(owner),))
    return await cluster.client.create(ConfigMap(metadata=meta))


async def gone(cluster: Cluster, type_: type[Object], name: str, namespace: str = "default") -> None:
    """Returns when the API has it no more."""
    start = await cluster.client.list(type_, namespace)
    if all(obj.metadata.name != name for obj in start.items):
        return
    with anyio.fail_after(DEADLINE_S):
        async with cluster.client.watch(type_, namespace, resource_version=start.resource_version) as batches:
            async for batch in batches:
                if any(event.type == "DELETED" and event.object.metadata.name == name for event in batch):
                    return


async def test_a_custom_object_is_waited_for_and_seen() -> None:
    async with Cluster() as cluster:
        await cluster.apply(STORED_V1)
        made = await create(cluster, "w")
        assert await cluster.wait_for(widgets(cluster), "w", timeout_s=DEADLINE_S) == made
        assert cluster.view.list(widgets(cluster)) == (made,)
        with pytest.raises(TimeoutError, match="Widget default/nobody is not there"):
            await cluster.wait_for(widgets(cluster), "nobody", timeout_s=0.05)


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
async def test_what_a_custom_object_owns_goes_with_it(policy: Any) -> None:
    async with Cluster() as cluster:
        await cluster.apply(STORED_V1)
        owner = await create(cluster, "w")
        await own(cluster, owner, "owned")
        await cluster.client.delete(type(owner), "w", "default", options=DeleteOptions(propagation_policy=policy))
        await gone(cluster, ConfigMap, "owned")
        await gone(cluster, type(owner), "w")


async def test_what_custom_objects_own_goes_when_their_definition_goes() -> None:
    async with Cluster() as cluster:
        await cluster.apply(STORED_V1)
        for number in range(20):
            await own(cluster, await create(cluster, f"w{number}"), f"owned{number}")
        await cluster.client.delete(CustomResourceDefinition, "widgets.example.com")
        for number in range(20):
            await gone(cluster, ConfigMap, f"owned{number}")
        await gone(cluster, CustomResourceDefinition, "widgets.example.com", "")
        await cluster.apply(STORED_V1)
        await create(cluster, "again")
        await cluster.wait_for(widgets(cluster), "again", timeout_s=DEADLINE_S)


async def test_another_stored_version_ends_nobody() -> None:
    async with Cluster() as cluster:
        await cluster.apply(STORED_V1)
        owner = await create(cluster, "w")
        await own(cluster, owner, "owned")
        await cluster.wait_for(widgets(cluster), "w", timeout_s=DEADLINE_S)
        await cluster.apply(STORED_V1BETA1)
        await cluster.wait_for(widgets(cluster, "v1beta1"), "w", timeout_s=DEADLINE_S)
        await cluster.wait_for(ConfigMap, "owned", lambda owned: not owned.metadata.deletion_timestamp)
        await cluster.client.delete(type(owner), "w", "default")
        await gone(cluster, ConfigMap, "owned")


async def test_a_namespace_ends_with_its_custom_objects() -> None:
    async with Cluster() as cluster:
        await cluster.apply(STORED_V1)
        await cluster.client.create(Namespace(metadata=ObjectMeta(name="full")))
        await create(cluster, "w", "full")
        await cluster.wait_for(widgets(cluster), "w", namespace="full", timeout_s=DEADLINE_S)
        await cluster.client.delete(Namespace, "full")
        await gone(cluster, Namespace, "full", "")
        with pytest.raises(NotFound):
            await cluster.client.get(widgets(cluster), "w", "full")


async def test_a_quota_counts_custom_objects() -> None:
    counted = "count/widgets.example.com"
    async with Cluster() as cluster:
        quota = ResourceQuota(
            metadata=ObjectMeta(name="q", namespace="default"), spec=ResourceQuotaSpec(hard={counted: "1"})
        )
        await cluster.client.create(quota)  # before there is such a kind
        await cluster.apply(STORED_V1)

        async def used(number: str) -> None:
            await cluster.wait_for(ResourceQuota, "q", lambda it: it.status.used.get(counted) == number, timeout_s=10)

        await used("0")
        await create(cluster, "one")
        with pytest.raises(Forbidden, match=r"exceeded quota: q, requested: count/widgets\.example\.com=1"):
            await create(cluster, "two")
        await used("1")
        await cluster.client.delete(widgets(cluster), "one", "default")
        await used("0")
        await create(cluster, "two")
