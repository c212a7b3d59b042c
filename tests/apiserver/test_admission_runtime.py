"""What a pod's runtime class adds to it, and what the pod may not say otherwise; growing claims; default classes."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kubelite.api import core_v1 as core, errors, networking_v1 as networking, node_v1 as node, storage_v1 as storage
from kubelite.api.meta import ObjectMeta
from kubelite.apiserver.admission_runtime import merge_tolerations
from tests.apiserver.registries import cluster, pod


def of_class(**spec: object) -> core.Pod:
    return replace(pod(), spec=replace(pod().spec, runtime_class_name="heavy", **spec))


HEAVY = node.RuntimeClass(
    metadata=ObjectMeta(name="heavy"),
    handler="heavy",
    overhead=node.Overhead(pod_fixed={"cpu": "250m"}),
    scheduling=node.Scheduling(
        node_selector={"vm": "yes"}, tolerations=(core.Toleration(key="vm", operator="Exists", effect="NoSchedule"),)
    ),
)


async def test_a_pod_gets_its_classs_overhead_and_place() -> None:
    async with cluster() as c:
        await c.client.create(HEAVY)
        made = await c.client.create(of_class(node_selector={"disk": "ssd"}))
        assert made.spec.overhead == {"cpu": "250m"}
        assert made.spec.node_selector == {"disk": "ssd", "vm": "yes"}
        assert "vm" in [item.key for item in made.spec.tolerations]


async def test_a_pod_may_not_say_otherwise() -> None:
    async with cluster() as c:
        with pytest.raises(errors.Forbidden, match='pod rejected: RuntimeClass "heavy" not found'):
            await c.client.create(of_class())
        await c.client.create(HEAVY)
        with pytest.raises(errors.Forbidden, match="Pod's Overhead doesn't match RuntimeClass's defined Overhead"):
            await c.client.create(of_class(overhead={"cpu": "1"}))
        conflict = r"conflict: runtimeClass.scheduling.nodeSelector\[vm\] = yes; pod.spec.nodeSelector\[vm\] = no"
        with pytest.raises(errors.Forbidden, match=conflict):
            await c.client.create(of_class(node_selector={"vm": "no"}))
        plain = replace(pod(), spec=replace(pod().spec, overhead={"cpu": "1"}))
        with pytest.raises(errors.Forbidden, match="Pod Overhead set without corresponding RuntimeClass defined"):
            await c.client.create(plain)


def test_a_toleration_that_another_covers_is_left_out() -> None:
    anything = core.Toleration(operator="Exists")
    key = core.Toleration(key="a", operator="Exists")
    value = core.Toleration(key="a", operator="Equal", value="b", effect="NoSchedule")
    other = core.Toleration(key="c", operator="Equal", value="b")
    assert merge_tolerations((value, other), (key,)) == (other, key)
    assert merge_tolerations((key,), (value,)) == (key,)
    assert merge_tolerations((value, key), (anything, other)) == (anything,)


async def test_only_a_bound_claim_of_a_growing_class_may_grow() -> None:
    async with cluster() as c:
        await c.client.create(storage.StorageClass(metadata=ObjectMeta(name="fixed"), provisioner="p"))

        def sized(claim: core.PersistentVolumeClaim, size: str) -> core.PersistentVolumeClaim:
            resources = core.VolumeResourceRequirements(requests={"storage": size})
            return replace(claim, spec=replace(claim.spec, resources=resources))

        for name, class_name, refused in (("a", "fixed", "must support resize"), ("b", "standard", "")):
            empty = core.PersistentVolumeClaim(
                metadata=ObjectMeta(name=name, namespace="default"),
                spec=core.PersistentVolumeClaimSpec(access_modes=("ReadWriteOnce",), storage_class_name=class_name),
            )
            made = await c.client.create(sized(empty, "1Gi"))
            with pytest.raises(errors.StatusError):  # not bound yet
                await c.client.update(sized(made, "2Gi"))
            status = replace(made.status, phase="Bound", capacity={"storage": "1Gi"})
            bound = await c.client.update(replace(made, status=status), subresource="status")
            if refused:
                with pytest.raises(errors.Forbidden, match=refused):
                    await c.client.update(sized(bound, "2Gi"))
            else:
                grown = await c.client.update(sized(bound, "2Gi"))
                assert grown.spec.resources.requests == {"storage": "2Gi"}


async def test_an_ingress_gets_the_newest_default_class() -> None:
    async with cluster() as c:
        default = {"ingressclass.kubernetes.io/is-default-class": "true"}
        for name in ("b", "a", "other"):
            meta = ObjectMeta(name=name, annotations=default if name != "other" else {})
            await c.client.create(
                networking.IngressClass(metadata=meta, spec=networking.IngressClassSpec(controller="x.example/y"))
            )
        backend = networking.IngressBackend(
            service=networking.IngressServiceBackend(name="s", port=networking.ServiceBackendPort(number=80))
        )
        made = await c.client.create(
            networking.Ingress(
                metadata=ObjectMeta(name="web", namespace="default"),
                spec=networking.IngressSpec(default_backend=backend),
            )
        )
        assert made.spec.ingress_class_name in ("a", "b")
