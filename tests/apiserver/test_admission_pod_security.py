"""What namespaces' labels refuse, warn of and note; what they say of pods that are there."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kubelite.api import apps_v1 as apps, core_v1 as core, errors
from kubelite.api.meta import LabelSelector, ObjectMeta
from kubelite.apiserver.interface import Context, User
from tests.apiserver.registries import Cluster, cluster, pod

PREFIX = "pod-security.kubernetes.io/"
RESTRICTED = (
    'violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "app" must set'
    " securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container"
    ' "app" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "app" must set'
    ' securityContext.runAsNonRoot=true), seccompProfile (pod or container "app" must set'
    ' securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")'
)


def context() -> Context:
    return Context(user=User(name="admin", groups=("system:masters",)), annotations={})


async def label(c: Cluster, **labels: str) -> list[str]:
    """Labels the namespace `default`; returns the warnings."""
    namespace = await c.client.get(core.Namespace, "default")
    marked = {PREFIX + key.replace("_", "-"): value for key, value in labels.items()}
    new = replace(namespace, metadata=replace(namespace.metadata, labels={**namespace.metadata.labels, **marked}))
    ctx = context()
    await c.registry.update(c.scheme.of(core.Namespace), "default", "", new, ctx)
    return ctx.warnings


def deployment() -> apps.Deployment:
    template = core.PodTemplateSpec(metadata=ObjectMeta(labels={"a": "b"}), spec=pod().spec)
    return apps.Deployment(
        metadata=ObjectMeta(name="web", namespace="default"),
        spec=apps.DeploymentSpec(selector=LabelSelector(match_labels={"a": "b"}), template=template),
    )


async def test_a_pod_that_does_not_meet_what_is_enforced_is_refused() -> None:
    async with cluster() as c:
        await label(c, enforce="restricted")
        with pytest.raises(errors.Forbidden) as caught:
            await c.client.create(pod())
        expected = RESTRICTED.replace("violate", "violates", 1)
        assert caught.value.message == f'pods "web" is forbidden: {expected}'
        with pytest.raises(errors.Forbidden):
            await c.client.create(pod(), dry_run=True)


async def test_templates_are_warned_of_and_created() -> None:
    async with cluster() as c:
        await label(c, enforce="restricted")
        ctx = context()
        await c.registry.create(c.scheme.of(apps.Deployment), "default", deployment(), ctx)
        assert ctx.warnings == [f"would {RESTRICTED}"]


async def test_warnings_and_notes_refuse_nothing() -> None:
    async with cluster() as c:
        await label(c, warn="restricted", audit="baseline")
        host = replace(pod(), spec=replace(pod().spec, host_network=True))
        ctx = context()
        await c.registry.create(c.scheme.of(core.Pod), "default", host, ctx)
        assert [text.partition(":")[0] for text in ctx.warnings] == ['would violate PodSecurity "restricted']
        said = 'would violate PodSecurity "baseline:latest": host namespaces (hostNetwork=true)'
        assert ctx.annotations == {
            f"{PREFIX}enforce-policy": "privileged:latest",
            f"{PREFIX}audit-violations": said,
        }


async def test_updates_are_judged_when_they_bring_another_image() -> None:
    async with cluster() as c:
        made = await c.client.create(pod())
        await label(c, enforce="restricted")
        labelled = replace(made, metadata=replace(made.metadata, labels={"a": "b"}))
        made = await c.client.update(labelled)
        other = replace(made.spec.containers[0], image="app:2")
        with pytest.raises(errors.Forbidden, match="violates PodSecurity"):
            await c.client.update(replace(made, spec=replace(made.spec, containers=(other,))))
        running = replace(made, status=replace(made.status, phase="Running"))
        assert (await c.client.update(running, subresource="status")).status.phase == "Running"


async def test_a_stricter_label_tells_of_the_pods_that_are_there() -> None:
    async with cluster() as c:
        for name in ("b", "a", "c"):
            await c.client.create(pod(name))
        host = replace(pod("host"), spec=replace(pod().spec, host_pid=True))
        await c.client.create(host)
        reasons = "allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, seccompProfile"
        assert await label(c, enforce="restricted") == [
            'existing pods in namespace "default" violate the new PodSecurity enforce level "restricted:latest"',
            f"a (and 2 other pods): {reasons}",
            f"host: host namespaces, {reasons}",
        ]
        assert await label(c, enforce="baseline") == []  # more is allowed than before
        assert await label(c, enforce="baseline", enforce_version="v1.30") == [
            'existing pods in namespace "default" violate the new PodSecurity enforce level "baseline:v1.30"',
            "host: host namespaces",
        ]


async def test_labels_that_cannot_be_read_are_refused() -> None:
    async with cluster() as c:
        with pytest.raises(errors.Invalid) as caught:
            await label(c, enforce="high")
        where = f'metadata.labels[{PREFIX}enforce]: Invalid value: "high"'
        expected = f'Namespace "default" is invalid: {where}: must be one of privileged, baseline, restricted'
        assert caught.value.message == expected
