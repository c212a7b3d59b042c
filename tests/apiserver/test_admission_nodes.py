"""What nodes may write and read: theirs, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from kubelite.api import authentication_v1 as authentication, core_v1 as core, errors
from kubelite.api.meta import DeleteOptions, ObjectMeta, OwnerReference
from kubelite.apiserver.authz import Attributes, Decision
from kubelite.apiserver.interface import User
from kubelite.apiserver.local import LocalClient
from kubelite.apiserver.node_authorizer import NodeAuthorizer
from tests.apiserver.registries import Cluster, cluster, pod

NODE = User(name="system:node:n1", groups=("system:nodes", "system:authenticated"))


def as_node(c: Cluster) -> LocalClient:
    return LocalClient(c.registry, NODE)


def node(name: str = "n1", labels: dict[str, str] | None = None) -> core.Node:
    return core.Node(metadata=ObjectMeta(name=name, labels=labels or {}))


async def test_a_new_node_takes_no_pods_yet() -> None:
    async with cluster() as c:
        made = await c.client.create(node())
        assert made.spec.taints == (core.Taint(key="node.kubernetes.io/not-ready", effect="NoSchedule"),)


async def test_a_node_registers_itself_only_and_labels_itself_modestly() -> None:
    async with cluster() as c:
        client = as_node(c)
        with pytest.raises(errors.Forbidden, match='node "n1" is not allowed to modify node "n2"'):
            await client.create(node("n2"))
        wrong = node(labels={"node-restriction.kubernetes.io/x": "y", "kubernetes.io/z": "z", "a": "b"})
        listed = "kubernetes.io/z, node-restriction.kubernetes.io/x"
        with pytest.raises(errors.Forbidden, match=f"not allowed to set the following labels: {listed}"):
            await client.create(wrong)
        made = await client.create(node(labels={"kubernetes.io/os": "linux", "node.kubernetes.io/own": "x", "a": "b"}))
        with pytest.raises(errors.Forbidden, match="is not allowed to modify taints"):
            await client.update(replace(made, spec=replace(made.spec, taints=())))


async def test_a_node_creates_mirrors_of_its_own_static_pods_only() -> None:
    async with cluster() as c:
        made = await c.client.create(node())
        client = as_node(c)
        owner = OwnerReference(api_version="v1", kind="Node", name="n1", uid=made.metadata.uid, controller=True)
        static = pod(node="n1")
        mirror = replace(
            static,
            metadata=replace(
                static.metadata, annotations={"kubernetes.io/config.mirror": "x"}, owner_references=(owner,)
            ),
        )
        volume = core.Volume(name="v", secret=core.SecretVolumeSource(secret_name="s"))
        for wrong, said in (
            (static, "can only create mirror pods"),
            (replace(mirror, spec=replace(mirror.spec, node_name="n2")), "spec.nodeName set to itself"),
            (replace(mirror, metadata=replace(mirror.metadata, owner_references=())), "an owner reference set to"),
            (
                replace(mirror, spec=replace(mirror.spec, volumes=(volume,))),
                "can not create pods that reference secrets",
            ),
        ):
            with pytest.raises(errors.Forbidden, match=said):
                await client.create(wrong)
        await client.create(mirror)
        await client.delete(core.Pod, "web", "default", options=DeleteOptions(grace_period_seconds=0))


async def test_a_node_reports_and_evicts_its_own_pods_only() -> None:
    async with cluster() as c:
        client = as_node(c)
        for name, where in (("mine", "n1"), ("other", "n2")):
            made = await c.client.create(pod(name, node=where))
            running = replace(made, status=replace(made.status, phase="Running"))
            request = authentication.TokenRequest(
                spec=authentication.TokenRequestSpec(
                    bound_object_ref=authentication.BoundObjectReference(
                        kind="Pod", api_version="v1", name=name, uid=made.metadata.uid
                    )
                )
            )
            token = {"plural": "serviceaccounts", "subresource": "token"}
            if name == "mine":
                await client.update(running, subresource="status")
                await client.create_subresource(request, "default", "default", **token)
                continue
            with pytest.raises(errors.Forbidden, match="can only update pod status for pods"):
                await client.update(running, subresource="status")
            with pytest.raises(errors.Forbidden, match="can only delete pods with"):
                await client.delete(core.Pod, name, "default")
            with pytest.raises(errors.Forbidden, match="token bound to a pod scheduled on a different node"):
                await client.create_subresource(request, "default", "default", **token)


READS: list[tuple[dict[str, Any], bool, str]] = [
    ({"resource": "secrets", "verb": "get", "name": "used"}, True, ""),
    ({"resource": "secrets", "verb": "watch", "name": "used"}, True, ""),
    ({"resource": "secrets", "verb": "get", "name": "pulled"}, True, ""),
    ({"resource": "secrets", "verb": "get", "name": "of-volume"}, True, ""),
    ({"resource": "secrets", "verb": "get", "name": "elsewhere"}, False, "no relationship found between node 'n1'"),
    ({"resource": "secrets", "verb": "list"}, False, "No Object name found"),
    ({"resource": "secrets", "verb": "delete", "name": "used"}, False, "can only read resources of this type"),
    ({"resource": "configmaps", "verb": "get", "name": "settings"}, True, ""),
    ({"resource": "configmaps", "verb": "get", "name": "used"}, False, "no relationship"),
    ({"resource": "persistentvolumeclaims", "verb": "get", "name": "claim"}, True, ""),
    ({"resource": "persistentvolumes", "verb": "get", "name": "volume", "namespace": ""}, True, ""),
    ({"resource": "serviceaccounts", "verb": "create", "subresource": "token", "name": "default"}, True, ""),
    ({"resource": "serviceaccounts", "verb": "create", "subresource": "token", "name": "other"}, False, "no relation"),
    ({"resource": "pods", "verb": "get", "name": "web"}, True, ""),
    ({"resource": "pods", "verb": "get", "name": "far"}, False, "no relationship"),
    ({"resource": "pods", "verb": "list"}, False, "can only list/watch pods with spec.nodeName field selector"),
    ({"resource": "pods", "verb": "watch", "field_selector": "spec.nodeName=n1"}, True, ""),
    ({"resource": "nodes", "verb": "get", "name": "n1", "namespace": ""}, True, ""),
    ({"resource": "nodes", "verb": "list", "namespace": ""}, False, "cannot read all nodes, only its own Node object"),
    (
        {"group": "coordination.k8s.io", "resource": "leases", "verb": "get", "name": "n1"},
        False,
        'can only access leases in the "kube-node-lease" system namespace',
    ),
    ({"resource": "services", "verb": "list", "namespace": ""}, True, ""),
    ({"resource": "namespaces", "verb": "get", "name": "default"}, False, ""),
]


async def test_a_node_reads_what_its_pods_refer_to() -> None:
    async with cluster() as c:
        environment = core.EnvVarSource(secret_key_ref=core.SecretKeySelector(name="used", key="k"))
        container = core.Container(name="app", image="app:1", env=(core.EnvVar(name="A", value_from=environment),))
        volumes = (
            core.Volume(name="s", config_map=core.ConfigMapVolumeSource(name="settings")),
            core.Volume(name="c", persistent_volume_claim=core.PersistentVolumeClaimVolumeSource(claim_name="claim")),
        )
        pull = (core.LocalObjectReference(name="pulled"),)
        spec = core.PodSpec(containers=(container,), node_name="n1", volumes=volumes, image_pull_secrets=pull)
        await c.client.create(core.Pod(metadata=ObjectMeta(name="web", namespace="default"), spec=spec))
        await c.client.create(pod("far", node="n2"))
        driver = core.CSIPersistentVolumeSource(
            driver="d",
            volume_handle="h",
            node_stage_secret_ref=core.SecretReference(name="of-volume", namespace="default"),
        )
        await c.client.create(
            core.PersistentVolume(
                metadata=ObjectMeta(name="volume"),
                spec=core.PersistentVolumeSpec(
                    csi=driver,
                    capacity={"storage": "1Gi"},
                    access_modes=("ReadWriteOnce",),
                    claim_ref=core.ObjectReference(name="claim", namespace="default"),
                ),
            )
        )
        authorizer = NodeAuthorizer(c.registry)
        used = Attributes(user=NODE, verb="get", resource="secrets", name="used", namespace="default")
        for other in ("n2", "n1,spec.nodeName=n1", ""):
            assert not (await authorizer.authorize(other, used)).allowed
        for fields, allowed, reason in READS:
            asked = Attributes(user=NODE, **{"namespace": "default", **fields})
            decision = await authorizer.authorize("n1", asked)
            assert isinstance(decision, Decision)
            assert decision.allowed is allowed, fields
            assert reason in decision.reason, fields


async def test_a_node_without_a_name_is_none() -> None:
    async with cluster() as c:
        await c.client.create(pod())  # bound to no node
        nobody = User(name="system:node:", groups=("system:nodes",))
        asked = Attributes(user=nobody, verb="get", resource="pods", name="web", namespace="default")
        assert not (await NodeAuthorizer(c.registry).authorize("", asked)).allowed
        with pytest.raises(errors.Forbidden, match='could not determine node from user "system:node:"'):
            await LocalClient(c.registry, nobody).delete(core.Pod, "web", "default")


async def test_a_node_says_only_how_large_a_claim_is() -> None:
    async with cluster() as c:
        spec = core.PersistentVolumeClaimSpec(
            access_modes=("ReadWriteOnce",),
            resources=core.VolumeResourceRequirements(requests={"storage": "1Gi"}),
        )
        made = await c.client.create(
            core.PersistentVolumeClaim(metadata=ObjectMeta(name="a", namespace="default"), spec=spec)
        )
        client = as_node(c)
        grown = replace(made, status=replace(made.status, capacity={"storage": "2Gi"}))
        made = await client.update(grown, subresource="status")
        assert made.status.capacity == {"storage": "2Gi"}
        with pytest.raises(errors.Forbidden, match="not allowed to update fields other than"):
            await client.update(replace(made, status=replace(made.status, phase="Lost")), subresource="status")
        with pytest.raises(errors.Forbidden, match="may only update PVC status"):
            await client.delete(core.PersistentVolumeClaim, "a", "default")
