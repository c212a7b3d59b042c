"""Custom kinds in two versions, of which a webhook makes one of the other."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from aiohttp import web
from msgspec.structs import replace

from kubelite.actor.clock import SystemClock
from kubelite.api import admissionregistration_v1 as registration, errors
from kubelite.api.apiextensions_v1 import CustomResourceDefinition as Crd
from kubelite.api.custom import CustomObject, holds
from kubelite.api.meta import ObjectMeta
from kubelite.apiserver.certs import Pki
from kubelite.apiserver.custom import CustomResources
from kubelite.apiserver.interface import ListParams
from tests.api.custom_kinds import plain_definition
from tests.apiserver.registries import ADMIN, Cluster, Sink, cluster

DEADLINE_S = 10.0
OLD = {"type": "object", "properties": {"hostPort": {"type": "string"}}}
NEW = {
    "type": "object",
    "properties": {
        "host": {"type": "string"},
        "port": {"type": "string"},
        "scheme": {"type": "string", "default": "http"},
    },
}


def version(name: str, spec: dict[str, Any], *, storage: bool) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"spec": spec}}
    return {"name": name, "served": True, "storage": storage, "schema": {"openAPIV3Schema": schema}}


def convert(plain: dict[str, Any], desired: str) -> dict[str, Any]:
    spec = plain.get("spec", {})
    if desired.endswith("/v1"):
        host, _, port = spec.get("hostPort", ":").partition(":")
        return {**plain, "apiVersion": desired, "spec": {"host": host, "port": port}}
    return {**plain, "apiVersion": desired, "spec": {"hostPort": f"{spec.get('host')}:{spec.get('port')}"}}


def answer(review: dict[str, Any]) -> dict[str, Any]:
    request = review["request"]
    objects = [convert(each, request["desiredAPIVersion"]) for each in request["objects"]]
    return {"uid": request["uid"], "result": {"status": "Success"}, "convertedObjects": objects}


class Hook:
    def __init__(self, url: str, ca: bytes) -> None:
        self.url = url
        self.ca = ca
        self.seen: list[tuple[str, int]] = []  # (desired version, number of objects)
        self.answer: Callable[[dict[str, Any]], dict[str, Any]] = answer


@asynccontextmanager
async def hook_server(path: Path) -> AsyncIterator[Hook]:
    pki = Pki(path)
    pki.ensure((), SystemClock().now())
    hook = Hook("", pki.authority.read_bytes())

    async def serve(request: web.BaseRequest) -> web.Response:
        review = await request.json()
        asked = review["request"]
        hook.seen.append((asked["desiredAPIVersion"].rpartition("/")[2], len(asked["objects"])))
        body = {"kind": "ConversionReview", "apiVersion": review["apiVersion"], "response": hook.answer(review)}
        return web.json_response(body)

    runner = web.ServerRunner(web.Server(serve))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=pki.server_context())
    await site.start()
    hook.url = f"https://127.0.0.1:{runner.addresses[0][1]}/convert"
    try:
        yield hook
    finally:
        await runner.cleanup()


@asynccontextmanager
async def serving(path: Path, *, stored: str = "v1") -> AsyncIterator[tuple[Cluster, Hook]]:
    """A registry that serves widgets in v1 and v1beta1."""
    async with cluster() as behind, hook_server(path) as hook, anyio.create_task_group() as tasks:
        await tasks.start(CustomResources(behind.registry, behind.registry.clock).run)
        plain = plain_definition(
            version("v1", NEW, storage=stored == "v1"), version("v1beta1", OLD, storage=stored == "v1beta1")
        )
        client = {"url": hook.url, "caBundle": base64.b64encode(hook.ca).decode()}
        webhook = {"clientConfig": client, "conversionReviewVersions": ["v1"]}
        plain["spec"]["conversion"] = {"strategy": "Webhook", "webhook": webhook}
        resource = behind.registry.scheme.of(Crd)
        created = (await behind.registry.create(resource, "", plain, ADMIN)).object
        await established(behind, created)
        yield behind, hook
        tasks.cancel_scope.cancel()


async def established(behind: Cluster, crd: Crd) -> None:
    with anyio.fail_after(DEADLINE_S):
        since = crd.metadata.resource_version
        async with behind.client.watch(Crd, resource_version=since) as batches:
            async for batch in batches:
                if any(holds(event.object, "Established") for event in batch):
                    return


def kind(behind: Cluster, version_: str) -> type[CustomObject]:
    found = behind.registry.scheme.kind("example.com", version_, "Widget").type
    assert issubclass(found, CustomObject)
    return found


def old(behind: Cluster, name: str = "w", where: str = "a:1") -> CustomObject:
    meta = ObjectMeta(name=name, namespace="default", labels={"a": "b"})
    return kind(behind, "v1beta1")(metadata=meta, content={"spec": {"hostPort": where}})


async def test_what_is_written_in_one_version_is_read_in_the_other(tmp_path: Path) -> None:
    async with serving(tmp_path) as (behind, hook):
        created = await behind.client.create(old(behind))
        assert created.spec == {"hostPort": "a:1"}
        found = await behind.client.get(kind(behind, "v1"), "w", "default")
        assert found.spec == {"host": "a", "port": "1", "scheme": "http"}
        assert found.metadata.labels == {"a": "b"}
        assert found.metadata.uid == created.metadata.uid
        assert hook.seen == [("v1", 1), ("v1beta1", 1)]


async def test_the_stored_version_is_read_without_asking(tmp_path: Path) -> None:
    async with serving(tmp_path) as (behind, hook):
        meta = ObjectMeta(name="w", namespace="default")
        await behind.client.create(kind(behind, "v1")(metadata=meta, content={"spec": {"host": "a", "port": "1"}}))
        await behind.client.get(kind(behind, "v1"), "w", "default")
        assert hook.seen == []


async def test_a_list_is_converted_in_one_call(tmp_path: Path) -> None:
    async with serving(tmp_path) as (behind, hook):
        for name in ("x", "y", "z"):
            meta = ObjectMeta(name=name, namespace="default")
            await behind.client.create(kind(behind, "v1")(metadata=meta, content={"spec": {"host": name, "port": "1"}}))
        found = await behind.client.list(kind(behind, "v1beta1"), "default")
        assert [item.spec["hostPort"] for item in found.items] == ["x:1", "y:1", "z:1"]
        assert hook.seen == [("v1beta1", 3)]


async def test_a_patch_of_the_other_version_changes_what_is_stored(tmp_path: Path) -> None:
    async with serving(tmp_path) as (behind, _):
        await behind.client.create(old(behind))
        change = {"spec": {"hostPort": "b:2"}}
        patched = await behind.client.patch(kind(behind, "v1beta1"), "w", "default", patch=change)
        assert (patched.spec, patched.metadata.generation) == ({"hostPort": "b:2"}, 2)
        found = await behind.client.get(kind(behind, "v1"), "w", "default")
        assert found.spec == {"host": "b", "port": "2", "scheme": "http"}
        await behind.client.delete(kind(behind, "v1beta1"), "w", "default")


async def test_watchers_of_either_version_see_theirs_in_order(tmp_path: Path) -> None:
    async with serving(tmp_path) as (behind, _):
        await behind.client.create(old(behind))
        resource = behind.registry.scheme.of(kind(behind, "v1beta1"))
        sink = _Waiting(4)
        handle = behind.registry.watch(resource, "default", ListParams(), sink)
        await behind.client.patch(kind(behind, "v1"), "w", "default", patch={"spec": {"port": "2"}})
        await behind.client.patch(kind(behind, "v1"), "w", "default", patch={"spec": {"port": "3"}})
        await behind.client.delete(kind(behind, "v1"), "w", "default")
        with anyio.fail_after(DEADLINE_S):
            await sink.full.wait()
        handle.close()
        changes = [change for batch in sink.deliveries for change in batch]
        assert [(change.type, change.entry.object.spec["hostPort"]) for change in changes] == [
            ("ADDED", "a:1"),
            ("MODIFIED", "a:2"),
            ("MODIFIED", "a:3"),
            ("DELETED", "a:3"),
        ]


class _Waiting(Sink):
    """Tells when so many changes were delivered, or the watch is lost."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.full = anyio.Event()
        self._count = count

    def deliver(self, changes: Any, revision: int) -> None:
        super().deliver(changes, revision)
        if len(self.seen) >= self._count:
            self.full.set()

    def lost(self, error: Exception) -> None:
        super().lost(error)
        self.full.set()


async def test_a_webhook_that_fails_fails_the_request_and_ends_watches(tmp_path: Path) -> None:
    async with serving(tmp_path) as (behind, hook):
        await behind.client.create(old(behind))
        hook.answer = lambda review: {"uid": review["request"]["uid"], "result": {"status": "Failure", "message": "no"}}
        await behind.client.patch(kind(behind, "v1"), "w", "default", patch={"spec": {"port": "2"}})
        with pytest.raises(errors.Unknown) as error:
            await behind.client.get(kind(behind, "v1beta1"), "w", "default")
        assert error.value.message == "conversion webhook for example.com/v1, Kind=Widget failed: no"
        assert error.value.status_code == 500
        sink = _Waiting(1)
        behind.registry.watch(behind.registry.scheme.of(kind(behind, "v1beta1")), "default", ListParams(), sink)
        with anyio.fail_after(DEADLINE_S):
            await sink.full.wait()
        assert isinstance(sink.error, errors.Unknown)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"metadata": {"name": "other"}}, "must have the same name: w != other"),
        ({"apiVersion": "example.com/v2"}, "invalid groupVersion (expected example.com/v1, received example.com/v2)"),
        ({"kind": "Other"}, "invalid kind (expected Widget, received Other)"),
    ],
)
async def test_what_a_webhook_may_not_change_is_refused(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    def bad(review: dict[str, Any]) -> dict[str, Any]:
        made = answer(review)
        return {**made, "convertedObjects": [{**each, **change} for each in made["convertedObjects"]]}

    async with serving(tmp_path) as (behind, hook):
        hook.answer = bad
        with pytest.raises(errors.Unknown) as error:
            await behind.client.create(old(behind))
        assert error.value.message.endswith(f"returned invalid object at index 0: {said}")


async def test_objects_stored_in_an_earlier_version_are_converted_and_migrated(tmp_path: Path) -> None:
    async with serving(tmp_path, stored="v1beta1") as (behind, hook):
        await behind.client.create(old(behind))
        assert hook.seen == []
        crd = await behind.client.get(Crd, "widgets.example.com")
        versions = tuple(replace(each, storage=each.name == "v1") for each in crd.spec.versions)
        changed = await behind.client.update(replace(crd, spec=replace(crd.spec, versions=versions)))
        assert changed.status.stored_versions == ("v1beta1", "v1")
        await _until_stored(behind, "v1")
        found = await behind.client.get(kind(behind, "v1"), "w", "default")
        assert found.spec == {"host": "a", "port": "1", "scheme": "http"}
        hook.seen.clear()
        written = await behind.client.update(found)  # nothing changes but the version in the store
        assert written.metadata.resource_version != found.metadata.resource_version
        await behind.client.get(kind(behind, "v1"), "w", "default")
        assert hook.seen == []


async def _until_stored(behind: Cluster, version_: str) -> None:
    with anyio.fail_after(DEADLINE_S):
        while kind(behind, version_).definition.stored_version != version_:
            await anyio.wait_all_tasks_blocked()


async def test_a_policy_for_one_version_judges_the_others_too(tmp_path: Path) -> None:
    async with serving(tmp_path) as (behind, _):
        rule = registration.NamedRuleWithOperations(
            operations=("CREATE",), api_groups=("example.com",), api_versions=("v1",), resources=("widgets",)
        )
        spec = registration.ValidatingAdmissionPolicySpec(
            match_constraints=registration.MatchResources(resource_rules=(rule,)),
            validations=(registration.Validation(expression="object.spec.port != '2'"),),
        )
        bound = registration.ValidatingAdmissionPolicyBindingSpec(policy_name="p", validation_actions=("Deny",))
        meta = ObjectMeta(name="p")
        await behind.client.create(registration.ValidatingAdmissionPolicy(metadata=meta, spec=spec))
        await behind.client.create(registration.ValidatingAdmissionPolicyBinding(metadata=meta, spec=bound))
        await behind.client.create(old(behind, "good", "a:1"))
        with pytest.raises(errors.Unknown, match=r"denied request: failed expression: object\.spec\.port != '2'"):
            await behind.client.create(old(behind, "bad", "a:2"))
