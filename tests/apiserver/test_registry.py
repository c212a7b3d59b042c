"""Reads and writes through the registry: what clients may rely on, over a real store."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import msgspec
import pytest
from msgspec.structs import replace

from kubelite.api import apps_v1 as apps, coordination_v1 as coordination, core_v1 as core, errors
from kubelite.api.meta import DeleteOptions, LabelSelector, ObjectMeta, Preconditions, Status
from kubelite.apiserver.interface import ListParams, PatchRequest
from tests.apiserver.registries import ADMIN, Cluster, Sink, cluster, config, pod


def deployment(replicas: int = 1) -> apps.Deployment:
    template = core.PodTemplateSpec(
        metadata=ObjectMeta(labels={"app": "a"}),
        spec=core.PodSpec(containers=(core.Container(name="c", image="app:1"),)),
    )
    spec = apps.DeploymentSpec(replicas=replicas, selector=LabelSelector(match_labels={"app": "a"}), template=template)
    return apps.Deployment(metadata=ObjectMeta(name="d", namespace="default"), spec=spec)


async def test_created_object_has_identity_time_and_the_revision_of_its_write() -> None:
    async with cluster() as c:
        made = await c.client.create(config(a="1"))
        assert made.metadata.uid
        assert made.metadata.creation_timestamp
        assert made.metadata.resource_version == str(c.store.revision)
        assert await c.client.get(core.ConfigMap, "settings", "default") == made


async def test_second_create_of_a_name_is_refused() -> None:
    async with cluster() as c:
        await c.client.create(config())
        with pytest.raises(errors.AlreadyExists, match='configmaps "settings" already exists'):
            await c.client.create(config())


async def test_generated_name_extends_the_prefix() -> None:
    async with cluster() as c:
        made = await c.client.create(core.ConfigMap(metadata=ObjectMeta(generate_name="x-", namespace="default")))
        assert made.metadata.name.startswith("x-")
        assert len(made.metadata.name) == 7


async def test_body_with_a_resource_version_cannot_be_created() -> None:
    async with cluster() as c:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "resourceVersion": "7"}}
        with pytest.raises(errors.StatusError, match="resourceVersion should not be set on objects to be created"):
            await c.registry.create(c.scheme.of(core.ConfigMap), "default", body, ADMIN)


async def test_update_with_an_old_version_conflicts_and_without_one_wins() -> None:
    async with cluster() as c:
        first = await c.client.create(config(a="1"))
        await c.client.update(replace(first, data={"a": "2"}))
        with pytest.raises(errors.Conflict, match="the object has been modified"):
            await c.client.update(replace(first, data={"a": "3"}))
        unversioned = replace(first, metadata=replace(first.metadata, resource_version=""), data={"a": "4"})
        assert (await c.client.update(unversioned)).data == {"a": "4"}


async def test_update_that_changes_nothing_writes_nothing() -> None:
    async with cluster() as c:
        made = await c.client.create(config(a="1"))
        before = c.store.revision
        again = await c.client.update(made)
        assert again.metadata.resource_version == made.metadata.resource_version
        assert c.store.revision == before


async def test_lease_must_be_updated_with_its_version() -> None:
    async with cluster() as c:
        lease = coordination.Lease(metadata=ObjectMeta(name="l", namespace="default"))
        await c.client.create(lease)
        with pytest.raises(errors.Invalid, match="must be specified for an update"):
            await c.client.update(lease)


async def test_concurrent_patches_all_take_effect() -> None:
    async with cluster() as c:
        await c.client.create(config())

        async def add(key: str) -> None:
            await c.client.patch(core.ConfigMap, "settings", "default", patch={"data": {key: "1"}})

        async with anyio.create_task_group() as group:
            for number in range(10):
                group.start_soon(add, f"k{number}")
        assert len((await c.client.get(core.ConfigMap, "settings", "default")).data) == 10


async def test_patch_that_names_another_state_conflicts() -> None:
    async with cluster() as c:
        made = await c.client.create(config())
        await c.client.patch(core.ConfigMap, "settings", "default", patch={"data": {"a": "1"}})
        stale = {"metadata": {"resourceVersion": made.metadata.resource_version}, "data": {"a": "2"}}
        with pytest.raises(errors.Conflict):
            await c.client.patch(core.ConfigMap, "settings", "default", patch=stale)


async def test_patch_to_a_wrong_type_is_invalid_with_the_decoders_words() -> None:
    async with cluster() as c:
        await c.client.create(config())
        with pytest.raises(errors.Invalid, match=r'^ "" is invalid: patch: Invalid value: .*cannot unmarshal number'):
            await c.client.patch(core.ConfigMap, "settings", "default", patch={"data": {"a": 5}})


async def test_every_write_carries_who_and_why() -> None:
    async with cluster() as c:
        await c.client.because("deployment/web").create(config())
        found = await c.store.range("/registry/configmaps/default/settings")
        cause = msgspec.json.decode(found.records[0].cause)
        assert (cause["user"], cause["cause"]) == ("system:apiserver", "deployment/web")
        assert cause["at"] > 0


async def test_spec_and_status_are_written_apart() -> None:
    async with cluster() as c:
        made = await c.client.create(replace(deployment(), status=apps.DeploymentStatus(replicas=9)))
        assert made.status.replicas == 0
        both = replace(made, spec=replace(made.spec, replicas=5), status=apps.DeploymentStatus(replicas=2))
        shown = await c.client.update(both, subresource="status")
        assert (shown.spec.replicas, shown.status.replicas) == (1, 2)
        shown = await c.client.update(replace(both, metadata=shown.metadata))
        assert (shown.spec.replicas, shown.status.replicas) == (5, 2)


async def test_generation_counts_changes_of_the_spec_only() -> None:
    async with cluster() as c:
        made = await c.client.create(deployment())
        assert made.metadata.generation == 1
        patched = await c.client.patch(apps.Deployment, "d", "default", patch={"metadata": {"labels": {"a": "b"}}})
        assert patched.metadata.generation == 1
        patched = await c.client.patch(apps.Deployment, "d", "default", patch={"spec": {"paused": True}})
        assert patched.metadata.generation == 2


async def test_dry_run_answers_as_a_write_and_writes_nothing() -> None:
    async with cluster() as c:
        before = c.store.revision
        made = await c.client.create(config(a="1"), dry_run=True)
        assert made.metadata.uid
        assert not made.metadata.resource_version
        assert c.store.revision == before
        with pytest.raises(errors.NotFound):
            await c.client.get(core.ConfigMap, "settings", "default")


async def test_scale_reads_and_sets_replicas() -> None:
    async with cluster() as c:
        await c.client.create(deployment(3))
        resource = c.scheme.of(apps.Deployment)
        scale = await c.registry.subresource_get(resource, "d", "default", "scale")
        assert msgspec.to_builtins(scale)["spec"] == {"replicas": 3}
        patch = PatchRequest("merge", {"spec": {"replicas": 1}})
        entry, _ = await c.registry.patch(resource, "d", "default", patch, ADMIN, subresource="scale")
        assert entry.wire().startswith(b'{"kind":"Scale","apiVersion":"autoscaling/v1"')
        assert (await c.client.get(apps.Deployment, "d", "default")).spec.replicas == 1


async def test_finalizer_holds_a_deleted_object_until_it_is_removed() -> None:
    async with cluster() as c:
        made = await c.client.create(
            core.ConfigMap(metadata=ObjectMeta(name="f", namespace="default", finalizers=("example.com/f",)))
        )
        await c.client.delete(core.ConfigMap, "f", "default")
        held = await c.client.get(core.ConfigMap, "f", "default")
        assert held.metadata.deletion_timestamp
        assert held.metadata.uid == made.metadata.uid
        await c.client.patch(core.ConfigMap, "f", "default", patch={"metadata": {"finalizers": None}})
        with pytest.raises(errors.NotFound):
            await c.client.get(core.ConfigMap, "f", "default")


async def test_delete_answers_with_what_was_deleted() -> None:
    async with cluster() as c:
        made = await c.client.create(config())
        resource = c.scheme.of(core.ConfigMap)
        answer = await c.registry.delete(resource, "settings", "default", DeleteOptions(), ADMIN)
        assert isinstance(answer, Status)
        assert answer.status == "Success"
        assert answer.details is not None
        assert answer.details.uid == made.metadata.uid


async def test_delete_refuses_another_object_of_the_name() -> None:
    async with cluster() as c:
        await c.client.create(config())
        options = DeleteOptions(preconditions=Preconditions(uid="other"))
        with pytest.raises(errors.Conflict, match="the UID in the precondition"):
            await c.client.delete(core.ConfigMap, "settings", "default", options=options)


async def test_running_pod_is_deleted_when_its_kubelet_confirms() -> None:
    async with cluster() as c:
        made = await c.client.create(pod(node="n1"))
        await c.client.delete(core.Pod, "web", "default")
        going = await c.client.get(core.Pod, "web", "default")
        assert going.metadata.deletion_grace_period_seconds == 30
        confirm = DeleteOptions(grace_period_seconds=0, preconditions=Preconditions(uid=made.metadata.uid))
        await c.client.delete(core.Pod, "web", "default", options=confirm)
        with pytest.raises(errors.NotFound):
            await c.client.get(core.Pod, "web", "default")


async def test_unscheduled_pod_is_deleted_at_once() -> None:
    async with cluster() as c:
        await c.client.create(pod())
        await c.client.delete(core.Pod, "web", "default")
        with pytest.raises(errors.NotFound):
            await c.client.get(core.Pod, "web", "default")


async def test_namespace_goes_after_its_content_is_finalized() -> None:
    async with cluster() as c:
        await c.client.create(core.Namespace(metadata=ObjectMeta(name="x")))
        await c.client.delete(core.Namespace, "x")
        going = await c.client.get(core.Namespace, "x")
        assert going.status.phase == "Terminating"
        await c.client.update(replace(going, spec=core.NamespaceSpec()), subresource="finalize")
        with pytest.raises(errors.NotFound):
            await c.client.get(core.Namespace, "x")


async def test_binding_gives_a_pod_its_node_once() -> None:
    async with cluster() as c:
        await c.client.create(pod())

        async def bind(node: str) -> None:
            target = core.ObjectReference(kind="Node", name=node)
            binding = core.Binding(metadata=ObjectMeta(name="web", namespace="default"), target=target)
            await c.client.create_subresource(binding, "web", "default", plural="pods", subresource="binding")

        await bind("n1")
        bound = await c.client.get(core.Pod, "web", "default")
        assert bound.spec.node_name == "n1"
        assert bound.metadata.generation == 1
        assert [(item.type, item.status) for item in bound.status.conditions] == [("PodScheduled", "True")]
        with pytest.raises(errors.Conflict, match='pod web is already assigned to node "n1"'):
            await bind("n2")


async def _three(c: Cluster) -> None:
    for name in ("a", "b", "c"):
        await c.client.create(config(name))


async def test_pages_show_one_state() -> None:
    async with cluster() as c:
        await _three(c)
        resource = c.scheme.of(core.ConfigMap)
        first = await c.registry.list(resource, "default", ListParams(limit=2))
        assert (len(first.entries), first.remaining) == (2, 1)
        await c.client.delete(core.ConfigMap, "c", "default")
        rest = await c.registry.list(resource, "default", ListParams(limit=2, continue_=first.continue_))
        assert [entry.object.metadata.name for entry in rest.entries] == ["c"]
        assert (rest.revision, rest.continue_) == (first.revision, "")


async def test_page_of_a_forgotten_state_is_expired_and_says_how_to_go_on() -> None:
    async with cluster() as c:
        await _three(c)
        resource = c.scheme.of(core.ConfigMap)
        first = await c.registry.list(resource, "default", ListParams(limit=2))
        await c.client.create(config("d"))
        await c.store.compact(c.store.revision)
        with pytest.raises(errors.Expired) as caught:
            await c.registry.list(resource, "default", ListParams(limit=2, continue_=first.continue_))
        token = caught.value.status().metadata.continue_
        rest = await c.registry.list(resource, "default", ListParams(continue_=token))
        assert [entry.object.metadata.name for entry in rest.entries] == ["c", "d"]


@pytest.mark.parametrize(
    ("params", "names"),
    [
        (ListParams(label_selector="tier=web"), ["a", "b"]),
        (ListParams(field_selector="spec.nodeName=n1"), ["a"]),
        (ListParams(field_selector="metadata.name=c"), ["c"]),
        (ListParams(label_selector="tier=web", field_selector="spec.nodeName!=n1"), ["b"]),
        (ListParams(label_selector="tier=web", limit=1), ["a"]),
    ],
)
async def test_selectors_choose(params: ListParams, names: list[str]) -> None:
    async with cluster() as c:
        await c.client.create(pod("a", node="n1", tier="web"))
        await c.client.create(pod("b", tier="web"))
        await c.client.create(pod("c"))
        page = await c.registry.list(c.scheme.of(core.Pod), "default", params)
        assert [entry.object.metadata.name for entry in page.entries] == names


async def test_unknown_field_cannot_be_selected_by() -> None:
    async with cluster() as c:
        with pytest.raises(errors.BadRequest, match=r"field label not supported: spec\.hostname"):
            await c.client.list(core.Pod, field_selector="spec.hostname=a")


async def test_list_of_a_version_to_come_times_out() -> None:
    async with cluster() as c:
        params = ListParams(resource_version="999999", resource_version_match="NotOlderThan")
        with pytest.raises(errors.Timeout, match="Too large resource version: 999999"):
            await c.registry.list(c.scheme.of(core.Pod), "", params)


async def _settle() -> None:
    for _ in range(4):
        await anyio.lowlevel.checkpoint()


async def test_watch_shows_an_object_that_stops_matching_as_deleted() -> None:
    async with cluster() as c:
        sink = Sink()
        params = ListParams(label_selector="a=b", resource_version=str(c.store.revision))
        handle = c.registry.watch(c.scheme.of(core.Pod), "default", params, sink)
        await c.client.create(pod("x", a="b"))
        await c.client.create(pod("y"))
        await c.client.patch(core.Pod, "x", "default", patch={"metadata": {"labels": {"a": "c"}}})
        await c.client.patch(core.Pod, "y", "default", patch={"metadata": {"labels": {"a": "b"}}})
        await c.client.delete(core.Pod, "y", "default")
        await _settle()
        assert sink.seen == [("ADDED", "x"), ("DELETED", "x"), ("ADDED", "y"), ("DELETED", "y")]
        gone = [change for batch in sink.deliveries for change in batch][1].entry
        assert gone.object.metadata.labels == {"a": "b"}
        assert gone.object.metadata.resource_version == str(gone.revision)
        handle.close()


async def test_watch_without_a_version_starts_with_what_is_there() -> None:
    async with cluster() as c:
        await _three(c)
        sink = Sink()
        handle = c.registry.watch(c.scheme.of(core.ConfigMap), "default", ListParams(), sink)
        assert sink.deliveries == []
        await c.client.create(config("d"))
        await _settle()
        assert sink.seen == [("ADDED", name) for name in ("a", "b", "c", "d")]
        handle.close()


async def test_watch_from_a_forgotten_revision_is_expired() -> None:
    async with cluster() as c:
        await _three(c)
        await c.store.compact(c.store.revision)
        with pytest.raises(errors.Expired, match=r"too old resource version: 1 \(\d+\)"):
            c.registry.watch(c.scheme.of(core.ConfigMap), "", ListParams(resource_version="1"), Sink())


async def test_past_state_can_be_read_until_it_is_forgotten() -> None:
    async with cluster() as c:
        first = await c.client.create(config(a="1"))
        await c.client.patch(core.ConfigMap, "settings", "default", patch={"data": {"a": "2"}})
        resource, revision = c.scheme.of(core.ConfigMap), int(first.metadata.resource_version)
        assert (await c.registry.get(resource, "settings", "default", revision=revision)).object.data == {"a": "1"}
        await c.store.compact(c.store.revision)
        with pytest.raises(errors.Expired):
            await c.registry.get(resource, "settings", "default", revision=revision)


async def test_server_side_apply_creates_merges_and_reports_conflicts() -> None:
    async with cluster() as c:

        async def apply(manager: str, **data: str) -> core.ConfigMap:
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data}
            return await c.client.patch(
                core.ConfigMap, "a", "default", patch=body, patch_type="apply", field_manager=manager
            )

        assert (await apply("one", x="1")).data == {"x": "1"}
        assert (await apply("two", y="2")).data == {"x": "1", "y": "2"}
        with pytest.raises(errors.Conflict, match=r'conflict with "one": \.data\.x'):
            await apply("two", x="9", y="2")
        assert (await apply("one")).data == {"y": "2"}


async def test_strict_request_names_every_unknown_field() -> None:
    async with cluster() as c:
        body = {"metadata": {"name": "a"}, "data": {}, "bogus": 1}
        resource = c.scheme.of(core.ConfigMap)
        with pytest.raises(errors.BadRequest, match=r'strict decoding error: unknown field "bogus"'):
            await c.registry.create(resource, "default", body, replace(ADMIN, field_validation="Strict"))
        warned = replace(ADMIN, field_validation="Warn", warnings=[])
        await c.registry.create(resource, "default", body, warned)
        assert warned.warnings == ['unknown field "bogus"']
