"""Policies and rules as a client over HTTP meets them: in effect with the answer to their creation."""

from __future__ import annotations

from typing import Any

import anyio

from kubelite.apiserver.custom import CustomResources
from tests.api.custom_kinds import plain_definition, version
from tests.apiserver.serving import Served, served

POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
CONFIGS = "/api/v1/namespaces/default/configmaps"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WIDGETS = "/apis/example.com/v1/namespaces/default/widgets"
DEADLINE_S = 10.0
RULE = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}


def policy(expression: str) -> dict[str, Any]:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "p"},
        "spec": {"matchConstraints": {"resourceRules": [RULE]}, "validations": [{"expression": expression}]},
    }


def binding(name: str, action: str) -> dict[str, Any]:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": "p", "validationActions": [action]},
    }


def config(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}


async def test_a_policy_warns_and_denies_from_the_moment_it_is_bound() -> None:
    async with served() as s:
        assert (await s.ask("POST", POLICIES, json=policy("object.metadata.name != 'bad'")))[0] == 201
        assert (await s.ask("POST", CONFIGS, json=config("bad")))[0] == 201
        assert (await s.ask("DELETE", f"{CONFIGS}/bad"))[0] == 200
        assert (await s.ask("POST", BINDINGS, json=binding("warns", "Warn")))[0] == 201
        async with s.session.post(
            s.url(f"{CONFIGS}?dryRun=All"), json=config("bad"), headers={"Authorization": "Bearer admin-token"}
        ) as answer:
            assert answer.status == 201
            said = "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'warns': failed expression: "
            assert answer.headers["Warning"] == f"299 - \"{said}object.metadata.name != 'bad'\""
        assert (await s.ask("POST", BINDINGS, json=binding("denies", "Deny")))[0] == 201
        status, body = await s.ask("POST", CONFIGS, json=config("bad"))
        assert (status, body["reason"]) == (422, "Invalid")
        why = "ValidatingAdmissionPolicy 'p' with binding 'denies' denied request: failed expression: "
        assert body["message"] == f"configmaps \"bad\" is forbidden: {why}object.metadata.name != 'bad'"
        assert body["details"]["causes"] == [{"message": f"{why}object.metadata.name != 'bad'"}]


async def test_a_policy_that_does_not_compile_is_refused_with_the_place() -> None:
    async with served() as s:
        status, body = await s.ask("POST", POLICIES, json=policy("object.spec =="))
        assert (status, body["reason"]) == (422, "Invalid")
        (cause,) = body["details"]["causes"]
        assert cause["field"] == "spec.validations[0].expression"
        assert "compilation failed: ERROR: <input>:1:15: Syntax error: mismatched input '<EOF>'" in cause["message"]


async def test_policies_are_listed_as_upstream_shows_them() -> None:
    async with served() as s:
        await s.ask("POST", POLICIES, json=policy("true"))
        await s.ask("POST", BINDINGS, json=binding("b", "Deny"))
        table = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
        for path, cells in ((POLICIES, ["p", 1, "<unset>"]), (BINDINGS, ["b", "p", "<unset>"])):
            _, body = await s.ask("GET", path, headers=table)
            assert body["rows"][0]["cells"][:3] == cells


async def test_rules_hold_on_every_way_of_writing() -> None:
    async with served() as s, anyio.create_task_group() as tasks:
        await tasks.start(CustomResources(s.cluster.registry, s.cluster.registry.clock).run)
        await _define(
            s, {"rule": "self.size < 5 && (!has(self.colour) || self.colour == oldSelf.colour)", "message": "no"}
        )
        widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 1}}
        assert (await s.ask("POST", WIDGETS, json=widget))[0] == 201
        merge = {"Content-Type": "application/merge-patch+json"}
        for method, path, headers, sent in (
            ("PUT", f"{WIDGETS}/w", {}, {**widget, "spec": {"size": 9}}),
            ("PATCH", f"{WIDGETS}/w", merge, {"spec": {"size": 9}}),
            ("PATCH", f"{WIDGETS}/w", merge, {"spec": {"colour": "blue"}}),
            (
                "PATCH",
                f"{WIDGETS}/w?fieldManager=x&force=true",
                {"Content-Type": "application/apply-patch+yaml"},
                {**widget, "spec": {"size": 9}},
            ),
        ):
            if method == "PUT":
                _, now = await s.ask("GET", path)
            body = {**now, "spec": {**now["spec"], "size": 9}} if method == "PUT" else sent
            status, answer = await s.ask(method, path, headers=headers, json=body)
            assert (status, answer["details"]["causes"]) == (
                422,
                [{"reason": "FieldValueInvalid", "field": "spec", "message": 'Invalid value: "object": no'}],
            )
        tasks.cancel_scope.cancel()


async def _define(s: Served, rule: dict[str, Any]) -> None:
    spec = {
        "type": "object",
        "properties": {"size": {"type": "integer"}, "colour": {"type": "string", "default": "red"}},
        "x-kubernetes-validations": [rule],
    }
    plain = plain_definition(version(schema={"type": "object", "properties": {"spec": spec}}))
    assert (await s.ask("POST", CRDS, json=plain))[0] == 201
    registry = s.cluster.registry
    with anyio.fail_after(DEADLINE_S):
        while not any(resource.plural == "widgets" for resource in registry.scheme):
            await registry.scheme_changed()
