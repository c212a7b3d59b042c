"""Admission webhooks against a real HTTPS server with a certificate of its own authority."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from msgspec.structs import replace

from kubelite.actor.clock import SystemClock
from kubelite.api import admissionregistration_v1 as registration, autoscaling_v1, core_v1 as core
from kubelite.api.errors import BadRequest, Forbidden, InternalError, Invalid, Unknown
from kubelite.api.meta import LabelSelector, ObjectMeta
from kubelite.apiserver.certs import Pki
from kubelite.apiserver.interface import Context
from tests.apiserver.registries import ADMIN, Cluster, cluster, config

Answer = Callable[[dict[str, Any]], dict[str, Any]]


class Hook:
    """A webhook's server; `seen` are the requests that it got."""

    def __init__(self, url: str, ca: bytes) -> None:
        self.url = url
        self.ca = ca
        self.seen: list[dict[str, Any]] = []

    def client(self) -> registration.WebhookClientConfig:
        return registration.WebhookClientConfig(url=self.url, ca_bundle=self.ca)


@asynccontextmanager
async def hook_server(path: Path, answer: Answer) -> AsyncIterator[Hook]:
    pki = Pki(path)
    pki.ensure((), SystemClock().now())
    hook = Hook("", pki.authority.read_bytes())

    async def serve(request: web.BaseRequest) -> web.Response:
        review = await request.json()
        hook.seen.append(review["request"])
        response = {"uid": review["request"]["uid"], **answer(review["request"])}
        body = {"kind": "AdmissionReview", "apiVersion": review["apiVersion"], "response": response}
        return web.json_response(body)

    runner = web.ServerRunner(web.Server(serve))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=pki.server_context())
    await site.start()
    hook.url = f"https://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield hook
    finally:
        await runner.cleanup()


CONFIGS = registration.RuleWithOperations(
    operations=("CREATE", "UPDATE"), api_groups=("",), api_versions=("v1",), resources=("configmaps",)
)


async def validate_by(c: Cluster, client: registration.WebhookClientConfig, **settings: Any) -> None:
    hook = registration.ValidatingWebhook(
        name="judge.example.com",
        client_config=client,
        rules=(CONFIGS,),
        admission_review_versions=("v1",),
        **{"side_effects": "None", **settings},
    )
    await c.client.create(
        registration.ValidatingWebhookConfiguration(metadata=ObjectMeta(name="judge"), webhooks=(hook,))
    )


async def mutate_by(c: Cluster, client: registration.WebhookClientConfig, *names: str, **settings: Any) -> None:
    hooks = tuple(
        registration.MutatingWebhook(
            name=f"{name}.example.com",
            client_config=client,
            rules=(CONFIGS,),
            admission_review_versions=("v1",),
            side_effects="None",
            **settings,
        )
        for name in names
    )
    await c.client.create(registration.MutatingWebhookConfiguration(metadata=ObjectMeta(name="change"), webhooks=hooks))


def patch(*operations: dict[str, Any]) -> dict[str, Any]:
    encoded = base64.b64encode(msgspec.json.encode(operations)).decode()
    return {"allowed": True, "patchType": "JSONPatch", "patch": encoded}


async def test_a_mutating_webhook_changes_what_is_stored(tmp_path: Path) -> None:
    change = patch({"op": "add", "path": "/data", "value": {"added": "by-hook"}})
    async with cluster() as c, hook_server(tmp_path, lambda _: change) as hook:
        await mutate_by(c, hook.client(), "one")
        made = await c.client.create(config())
        assert made.data == {"added": "by-hook"}
        asked = hook.seen[0]
        assert asked["kind"] == {"group": "", "version": "v1", "kind": "ConfigMap"}
        assert (asked["operation"], asked["name"], asked["namespace"]) == ("CREATE", "settings", "default")
        assert asked["userInfo"]["username"] == "system:apiserver"
        assert asked["object"]["metadata"]["name"] == "settings"
        assert asked["oldObject"] is None


async def test_a_webhook_is_asked_again_after_a_later_one_has_changed_the_object(tmp_path: Path) -> None:
    def answer(request: dict[str, Any]) -> dict[str, Any]:
        if len(hook.seen) == 2:
            return patch({"op": "add", "path": "/data", "value": {"second": "yes"}})
        return {"allowed": True}

    async with cluster() as c, hook_server(tmp_path, answer) as hook:
        await mutate_by(c, hook.client(), "one", "two", reinvocation_policy="IfNeeded")
        await c.client.create(config())
        assert [request["object"].get("data") for request in hook.seen] == [None, None, {"second": "yes"}]


async def test_a_denial_reaches_the_client_in_the_webhooks_words(tmp_path: Path) -> None:
    denied = {"allowed": False, "status": {"message": "not today", "code": 409, "reason": "Conflict"}}
    async with cluster() as c, hook_server(tmp_path, lambda _: denied) as hook:
        await validate_by(c, hook.client())
        with pytest.raises(Unknown, match=r'webhook "judge\.example\.com" denied the request: not today') as caught:
            await c.client.create(config())
        assert (caught.value.status().code, caught.value.status().reason) == (409, "Conflict")
        assert "uid" in hook.seen[0]["object"]["metadata"]  # it judges the object as it would be written


async def test_warnings_of_a_webhook_reach_the_client(tmp_path: Path) -> None:
    async with cluster() as c, hook_server(tmp_path, lambda _: {"allowed": True, "warnings": ["careful"]}) as hook:
        await validate_by(c, hook.client())
        ctx = Context(user=ADMIN.user)
        await c.registry.create(c.scheme.of(core.ConfigMap), "default", config(), ctx)
        assert ctx.warnings == ["careful"]


async def test_the_failure_policy_decides_when_a_webhook_cannot_be_asked() -> None:
    nowhere = registration.WebhookClientConfig(url="https://127.0.0.1:1/")
    async with cluster() as c:
        await validate_by(c, nowhere, failure_policy="Ignore")
        await c.client.create(config("passes"))
        await c.client.delete(registration.ValidatingWebhookConfiguration, "judge")
        await validate_by(c, nowhere)
        with pytest.raises(
            InternalError, match=r'failed calling webhook "judge\.example\.com": failed to call webhook'
        ):
            await c.client.create(config("fails"))


async def test_a_certificate_of_another_authority_is_not_trusted(tmp_path: Path) -> None:
    async with cluster() as c, hook_server(tmp_path, lambda _: {"allowed": True}) as hook:
        await validate_by(c, registration.WebhookClientConfig(url=hook.url))
        with pytest.raises(InternalError, match="certificate"):
            await c.client.create(config())


async def test_selectors_keep_a_webhook_from_what_is_none_of_its_business(tmp_path: Path) -> None:
    async with cluster() as c, hook_server(tmp_path, lambda _: {"allowed": False}) as hook:
        await validate_by(c, hook.client(), object_selector=LabelSelector(match_labels={"judged": "yes"}))
        await c.client.create(config())
        assert hook.seen == []


async def test_a_dry_run_needs_a_webhook_without_side_effects(tmp_path: Path) -> None:
    async with cluster() as c, hook_server(tmp_path, lambda _: {"allowed": True}) as hook:
        await validate_by(c, hook.client(), side_effects="NoneOnDryRun")
        await c.client.create(config(), dry_run=True)
        assert hook.seen[0]["dryRun"] is True
    stored = registration.ValidatingWebhook(name="a.example.com", side_effects="Some", rules=(CONFIGS,))
    async with cluster() as c:
        await c.registry.modify(  # as an old version may have stored it
            c.scheme.of(registration.ValidatingWebhookConfiguration),
            (await _empty(c)).metadata.name,
            "",
            lambda found: msgspec.structs.replace(found, webhooks=(_selecting(stored),)),
            ADMIN,
        )
        with pytest.raises(BadRequest, match="does not support dry run"):
            await c.client.create(config(), dry_run=True)


def _selecting(hook: registration.ValidatingWebhook) -> registration.ValidatingWebhook:
    every = LabelSelector()
    return msgspec.structs.replace(hook, namespace_selector=every, object_selector=every)


async def _empty(c: Cluster) -> registration.ValidatingWebhookConfiguration:
    return await c.client.create(registration.ValidatingWebhookConfiguration(metadata=ObjectMeta(name="old")))


@pytest.mark.parametrize(
    ("expression", "is_asked"),
    [
        ("object.metadata.name == 'settings'", True),
        ("object.metadata.name == 'other'", False),
        ("request.userInfo.username == 'system:apiserver' && oldObject == null", True),
        ("!authorizer.group('').resource('configmaps').namespace('default').check('breakglass').allowed()", False),
    ],
)
async def test_match_conditions_say_whether_a_webhook_is_asked(
    tmp_path: Path, expression: str, *, is_asked: bool
) -> None:
    async with cluster() as c, hook_server(tmp_path, lambda _: {"allowed": True}) as hook:
        conditions = (registration.MatchCondition(name="c", expression=expression),)
        await validate_by(c, hook.client(), match_conditions=conditions)
        await mutate_by(c, hook.client(), "one", match_conditions=conditions)
        await c.client.create(config())
        assert len(hook.seen) == (2 if is_asked else 0)


@pytest.mark.parametrize(("failure_policy", "is_refused"), [("Fail", True), ("Ignore", False)])
async def test_a_match_condition_that_fails_counts_as_the_failure_policy_says(
    tmp_path: Path, failure_policy: str, *, is_refused: bool
) -> None:
    async with cluster() as c, hook_server(tmp_path, lambda _: {"allowed": False}) as hook:
        conditions = (registration.MatchCondition(name="c", expression="object.no == 1"),)
        await validate_by(c, hook.client(), match_conditions=conditions, failure_policy=failure_policy)
        if is_refused:
            with pytest.raises(Forbidden) as error:
                await c.client.create(config())
            why = "expression 'object.no == 1' resulted in error: no such key: no"
            assert error.value.message == f'configmaps "settings" is forbidden: {why}'
        else:
            await c.client.create(config())
        assert hook.seen == []


async def test_a_match_condition_that_is_no_expression_is_refused() -> None:
    async with cluster() as c:
        conditions = (registration.MatchCondition(name="c", expression="object."),)
        client = registration.WebhookClientConfig(url="https://example.com/")
        with pytest.raises(Invalid) as error:
            await validate_by(c, client, match_conditions=conditions)
        assert 'webhooks[0].matchConditions[0].expression: Invalid value: "object.": compilation failed: ERROR: ' in (
            error.value.message
        )


@pytest.mark.parametrize(("match_policy", "most"), [("Equivalent", 7), ("Exact", 3)])
async def test_a_webhook_may_see_and_change_another_version_of_the_object(
    tmp_path: Path, match_policy: str, most: int
) -> None:
    change = patch({"op": "replace", "path": "/spec/maxReplicas", "value": 7})
    async with cluster() as c, hook_server(tmp_path, lambda _: change) as hook:
        rule = replace(
            CONFIGS, api_groups=("autoscaling",), api_versions=("v2",), resources=("horizontalpodautoscalers",)
        )
        made = registration.MutatingWebhook(
            name="scaler.example.com",
            client_config=hook.client(),
            rules=(rule,),
            match_policy=match_policy,
            admission_review_versions=("v1",),
            side_effects="None",
        )
        await c.client.create(
            registration.MutatingWebhookConfiguration(metadata=ObjectMeta(name="change"), webhooks=(made,))
        )
        target = autoscaling_v1.CrossVersionObjectReference(kind="Deployment", name="web", api_version="apps/v1")
        spec = autoscaling_v1.HorizontalPodAutoscalerSpec(max_replicas=3, scale_target_ref=target)
        metadata = ObjectMeta(name="web", namespace="default")
        created = await c.client.create(autoscaling_v1.HorizontalPodAutoscaler(metadata=metadata, spec=spec))
        assert created.spec.max_replicas == most
        for asked in hook.seen:
            assert asked["object"]["apiVersion"] == "autoscaling/v2"
            assert (asked["kind"]["version"], asked["requestKind"]["version"]) == ("v2", "v1")
