"""A custom kind is served as soon as its definition is there, is like any other kind, and goes with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from msgspec.structs import replace

from kubelite.api import errors
from kubelite.api.apiextensions_v1 import CustomResourceDefinition as Crd
from kubelite.api.custom import CustomObject, holds
from kubelite.api.meta import ObjectMeta
from kubelite.apiserver.custom import CustomResources
from kubelite.apiserver.custom_status import compute_status
from kubelite.apiserver.interface import ListParams
from kubelite.client.interface import WatchEvent
from tests.api.custom_kinds import SCHEMA, definition, plain_definition, version
from tests.apiserver.registries import ADMIN, Cluster, Sink, cluster

DEADLINE_S = 10.0
NOW = "2026-01-02T03:04:05Z"


@asynccontextmanager
async def serving() -> AsyncIterator[Cluster]:
    """A registry whose custom kinds are served."""
    async with cluster() as behind, anyio.create_task_group() as tasks:
        await tasks.start(CustomResources(behind.registry, behind.registry.clock).run)
        yield behind
        tasks.cancel_scope.cancel()


async def define(behind: Cluster, *versions: dict[str, Any], **names: str) -> Crd:
    """Creates a definition and waits until it is decided about."""
    resource = behind.registry.scheme.of(Crd)
    plain = plain_definition(*versions, **names)
    created = (await behind.registry.create(resource, "", plain, ADMIN)).object
    return await until(behind, created.metadata.name, lambda crd: bool(crd.status.conditions), created)


async def until(behind: Cluster, name: str, reached: Any, since: Crd) -> Crd:
    """The definition once `reached` holds of it; after its deletion its last state."""
    selector, version_ = f"metadata.name={name}", since.metadata.resource_version
    with anyio.fail_after(DEADLINE_S):
        async with behind.client.watch(Crd, resource_version=version_, field_selector=selector) as batches:
            async for batch in batches:
                event: WatchEvent[Crd]
                for event in batch:
                    if event.type == "DELETED" or reached(event.object):
                        return event.object
    raise AssertionError("the watch ended")


def kind(behind: Cluster, version_: str = "v1") -> Any:
    return behind.registry.scheme.kind("example.com", version_, "Widget").type


def make(type_: type[CustomObject], name: str = "w", **spec: Any) -> CustomObject:
    return type_(metadata=ObjectMeta(name=name, namespace="default"), content={"spec": {"size": 1, **spec}})


async def test_a_definition_is_established_and_served() -> None:
    async with serving() as behind:
        crd = await define(behind)
        facts = [(item.type, item.status, item.reason) for item in crd.status.conditions]
        assert facts == [("NamesAccepted", "True", "NoConflicts"), ("Established", "True", "InitialNamesAccepted")]
        assert crd.status.accepted_names == crd.spec.names
        resource = behind.registry.scheme.resource("example.com", "v1", "widgets")
        assert (resource.kind, resource.list_kind, resource.subresources) == (
            "Widget",
            "WidgetList",
            ("status", "scale"),
        )


async def test_an_in_process_client_uses_the_class_of_the_scheme() -> None:
    async with serving() as behind:
        await define(behind)
        type_ = kind(behind)
        created = await behind.client.create(make(type_))
        assert created.spec == {"size": 1, "colour": "red", "nest": {"a": 7}}
        assert created.metadata.generation == 1
        patched = await behind.client.patch(
            type_, "w", "default", patch={"spec": {"size": 2}, "status": {"phase": "X"}}
        )
        assert (patched.spec["size"], patched.status, patched.metadata.generation) == (2, {}, 2)
        done = await behind.client.patch(type_, "w", "default", patch={"status": {"phase": "X"}}, subresource="status")
        assert (done.status, done.metadata.generation) == ({"phase": "X"}, 2)
        assert (await behind.client.list(type_, "default")).items == (done,)
        with pytest.raises(errors.Invalid, match="less than or equal to 10"):
            await behind.client.patch(type_, "w", "default", patch={"spec": {"size": 99}})
        with pytest.raises(errors.UnsupportedMediaType):
            await behind.client.patch(type_, "w", "default", patch={}, patch_type="strategic")


async def test_watchers_see_custom_objects() -> None:
    async with serving() as behind:
        await define(behind)
        type_, sink = kind(behind), Sink()
        resource = behind.registry.scheme.of(type_)
        handle = behind.registry.watch(resource, "default", ListParams(label_selector="a=b"), sink)
        await behind.client.create(make(type_))
        await behind.client.patch(type_, "w", "default", patch={"metadata": {"labels": {"a": "b"}}})
        await behind.client.delete(type_, "w", "default")
        await anyio.wait_all_tasks_blocked()
        assert sink.seen == [("ADDED", "w"), ("DELETED", "w")]
        handle.close()


async def test_all_versions_are_the_same_objects() -> None:
    async with serving() as behind:
        await define(behind, version(), version("v2", {**SCHEMA, "description": "Other."}, storage=False))
        one, two = kind(behind), kind(behind, "v2")
        await behind.client.create(make(one))
        found = await behind.client.get(two, "w", "default")
        assert (found.api_version, found.spec["size"]) == ("example.com/v2", 1)
        await behind.client.patch(two, "w", "default", patch={"spec": {"size": 5}})
        assert (await behind.client.get(one, "w", "default")).spec["size"] == 5


async def test_a_changed_schema_counts_for_what_is_there() -> None:
    async with serving() as behind:
        crd = await define(behind, version(schema={"type": "object", "x-kubernetes-preserve-unknown-fields": True}))
        type_ = kind(behind)
        await behind.client.create(make(type_))
        assert (await behind.client.get(type_, "w", "default")).spec == {"size": 1}
        changed = await behind.client.update(replace(crd, spec=definition(version()).spec))
        await anyio.wait_all_tasks_blocked()
        assert changed.metadata.generation == 2
        assert kind(behind) is type_
        assert (await behind.client.get(type_, "w", "default")).spec == {"size": 1, "colour": "red", "nest": {"a": 7}}


async def test_the_scale_is_at_the_paths_of_the_definition() -> None:
    async with serving() as behind:
        await define(behind)
        resource = behind.registry.scheme.of(kind(behind))
        await behind.client.create(make(kind(behind)))
        with pytest.raises(errors.InternalError, match=r'the spec replicas field "\.spec\.replicas" does not exist'):
            await behind.registry.subresource_get(resource, "w", "default", "scale")
        await behind.client.patch(kind(behind), "w", "default", patch={"spec": {"replicas": 2}})
        await behind.client.patch(kind(behind), "w", "default", patch={"spec": {"replicas": 5}}, subresource="scale")
        assert (await behind.client.get(kind(behind), "w", "default")).spec["replicas"] == 5


async def test_selectable_fields_select() -> None:
    async with serving() as behind:
        await define(behind, version(selectableFields=[{"jsonPath": ".spec.colour"}]))
        type_ = kind(behind)
        await behind.client.create(make(type_, "red"))
        await behind.client.create(make(type_, "blue", colour="blue"))
        found = await behind.client.list(type_, field_selector="spec.colour=blue")
        assert [obj.metadata.name for obj in found.items] == ["blue"]
        with pytest.raises(errors.BadRequest, match=r"field label not supported: spec\.size"):
            await behind.client.list(type_, field_selector="spec.size=1")


async def test_a_deleted_definition_takes_its_objects_with_it_and_waits_for_their_finalizers() -> None:
    async with serving() as behind:
        crd = await define(behind)
        type_ = kind(behind)
        held = make(type_, "held")
        held = replace(held, metadata=replace(held.metadata, finalizers=("example.com/hold",)))
        await behind.client.create(held)
        await behind.client.create(make(type_, "free"))
        await behind.client.delete(Crd, crd.metadata.name)
        going = await until(behind, crd.metadata.name, lambda item: _reason(item) == "InstanceDeletionInProgress", crd)
        assert holds(going, "Terminating")
        await anyio.wait_all_tasks_blocked()
        assert [obj.metadata.name for obj in (await behind.client.list(type_)).items] == ["held"]
        with pytest.raises(errors.MethodNotAllowed, match="definition is terminating"):
            await behind.client.create(make(type_, "late"))
        await behind.client.patch(type_, "held", "default", patch={"metadata": {"finalizers": None}})
        last = await until(behind, crd.metadata.name, lambda _: False, going)
        assert last.metadata.deletion_timestamp is not None
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(KeyError):
            kind(behind)


def _reason(crd: Crd) -> str:
    return next((item.reason for item in crd.status.conditions if item.type == "Terminating"), "")


async def test_a_name_in_use_is_refused_and_given_when_it_is_free() -> None:
    async with serving() as behind:
        first = await define(behind)
        second = await define(behind, plural="gadgets", kind="Widget")
        assert not holds(second, "NamesAccepted")
        assert {item.reason for item in second.status.conditions} >= {"NotAccepted"}
        await behind.client.delete(Crd, first.metadata.name)
        await until(behind, second.metadata.name, lambda item: holds(item, "Established"), second)


async def test_definitions_are_served_again_after_a_restart() -> None:
    async with serving() as behind:
        await define(behind)
        await behind.client.create(make(kind(behind)))
        behind.registry.serve_custom(())
        async with anyio.create_task_group() as tasks:
            await tasks.start(CustomResources(behind.registry, behind.registry.clock).run)
            assert (await behind.client.get(kind(behind), "w", "default")).spec["size"] == 1
            tasks.cancel_scope.cancel()


def test_a_conflict_of_kinds_is_told() -> None:
    taken = definition()
    taken = replace(taken, status=replace(taken.status, accepted_names=taken.spec.names))
    status = compute_status(definition(plural="gadgets", kind="Widget"), [taken], NOW)
    (names, established) = status.conditions
    assert (names.status, names.reason, names.message) == (
        "False",
        "ListKindConflict",
        '"WidgetList" is already in use',
    )
    assert (established.status, established.reason) == ("False", "NotAccepted")
    assert (status.accepted_names.plural, status.accepted_names.kind) == ("gadgets", "")
