"""ValidatingAdmissionPolicies, from their creation to what a client is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from kubelite.api import admissionregistration_v1 as registration, core_v1 as core
from kubelite.api.errors import Invalid, StatusError
from kubelite.api.meta import DeleteOptions, LabelSelector, ObjectMeta
from kubelite.apiserver.interface import Context, User
from tests.apiserver.registries import ADMIN, Cluster, cluster, config

CONFIGS = registration.NamedRuleWithOperations(
    operations=("*",), api_groups=("",), api_versions=("v1",), resources=("configmaps",)
)
MATCH = registration.MatchResources(resource_rules=(CONFIGS,))


def policy(*expressions: str | registration.Validation, **spec: Any) -> registration.ValidatingAdmissionPolicy:
    validations = tuple(
        item if isinstance(item, registration.Validation) else registration.Validation(expression=item)
        for item in expressions
    )
    return registration.ValidatingAdmissionPolicy(
        metadata=ObjectMeta(name="p"),
        spec=registration.ValidatingAdmissionPolicySpec(
            **{"match_constraints": MATCH, "validations": validations, **spec}
        ),
    )


def binding(*actions: str, **spec: Any) -> registration.ValidatingAdmissionPolicyBinding:
    return registration.ValidatingAdmissionPolicyBinding(
        metadata=ObjectMeta(name="b"),
        spec=registration.ValidatingAdmissionPolicyBindingSpec(
            policy_name="p", validation_actions=actions or ("Deny",), **spec
        ),
    )


async def judge_by(
    c: Cluster, made: registration.ValidatingAdmissionPolicy, bound: registration.ValidatingAdmissionPolicyBinding
) -> None:
    await c.client.create(made)
    await c.client.create(bound)


async def refused(c: Cluster, obj: core.ConfigMap, ctx: Context = ADMIN) -> StatusError | None:
    try:
        await c.registry.create(c.scheme.of(core.ConfigMap), "default", obj, ctx)
    except StatusError as error:
        return error
    return None


async def test_a_policy_denies_what_does_not_hold_and_says_so() -> None:
    async with cluster() as c:
        await judge_by(c, policy("has(object.data) && object.data.size() < 2"), binding())
        assert await refused(c, config("one", a="1")) is None
        error = await refused(c, config("two", a="1", b="2"))
        assert error is not None
        said = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: failed expression: "
        said += "has(object.data) && object.data.size() < 2"
        assert error.message == f'configmaps "two" is forbidden: {said}'
        assert (error.status_code, error.status_reason) == (422, "Invalid")
        assert [cause.message for cause in error.status().details.causes] == [said]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("validation", "code", "said"),
    [
        (registration.Validation(expression="false", message=" no ", reason="Forbidden"), 403, "no"),
        (registration.Validation(expression="false", reason="RequestEntityTooLarge"), 413, "failed expression: false"),
        (
            registration.Validation(
                expression="false", message="plain", message_expression="'not ' + object.metadata.name"
            ),
            422,
            "not settings",
        ),
        (
            registration.Validation(expression="false", message="plain", message_expression="string(object.no)"),
            422,
            "plain",
        ),
        (
            registration.Validation(expression="object.no == 1"),
            422,
            "expression 'object.no == 1' resulted in error: no such key: no",
        ),
    ],
)
async def test_the_reason_and_message_are_the_validations(
    validation: registration.Validation, code: int, said: str
) -> None:
    async with cluster() as c:
        await judge_by(c, policy(validation), binding())
        error = await refused(c, config())
        assert error is not None
        assert error.status_code == code
        assert error.message.endswith(f"denied request: {said}")


@pytest.mark.parametrize(
    "expression",
    [
        "object.metadata.name == 'settings' && oldObject == null",
        "request.operation == 'CREATE' && request.kind.kind == 'ConfigMap' && request.resource.resource == 'configmaps'",
        "request.namespace == 'default' && request.userInfo.username == 'admin' && !request.dryRun",
        "'system:masters' in request.userInfo.groups",
        "namespaceObject.metadata.name == 'default'",
        "params == null || true",
        "authorizer.group('').resource('pods').namespace('default').check('create').allowed()",
        "authorizer.path('/healthz').check('get').allowed() && authorizer.requestResource.check('get').allowed()",
        "!authorizer.serviceAccount('default', 'x').group('').resource('pods').check('get').allowed()",
    ],
)
async def test_expressions_see_the_request(expression: str) -> None:
    async with cluster() as c:
        kind = registration.ParamKind(api_version="v1", kind="ConfigMap")
        await judge_by(c, policy(expression, param_kind=kind), binding())
        assert await refused(c, config()) is None


async def test_updates_and_deletions_have_an_old_object() -> None:
    async with cluster() as c:
        await c.client.create(config(a="1"))
        rule = (
            "request.operation == 'DELETE' ? oldObject.data.a == '2' : object.data.a == '2' && oldObject.data.a == '1'"
        )
        await judge_by(c, policy(rule), binding())
        with pytest.raises(StatusError):
            await c.registry.delete(c.scheme.of(core.ConfigMap), "settings", "default", DeleteOptions(), ADMIN)
        found = await c.client.get(core.ConfigMap, "settings", "default")
        await c.client.update(replace(found, data={"a": "2"}))
        await c.registry.delete(c.scheme.of(core.ConfigMap), "settings", "default", DeleteOptions(), ADMIN)


async def test_variables_build_on_each_other() -> None:
    async with cluster() as c:
        variables = (
            registration.Variable(name="names", expression="object.data.map(k, k)"),
            registration.Variable(name="bad", expression="variables.names.filter(n, n.startsWith('x'))"),
        )
        message = registration.Validation(
            expression="variables.bad.size() == 0", message_expression="'bad: ' + variables.bad.join(',')"
        )
        await judge_by(c, policy(message, variables=variables), binding())
        assert await refused(c, config("one", a="1")) is None
        error = await refused(c, config("two", x1="1"))
        assert error is not None
        assert error.message.endswith("denied request: bad: x1")


async def test_match_conditions_say_which_requests_are_judged() -> None:
    async with cluster() as c:
        conditions = (registration.MatchCondition(name="named", expression="object.metadata.name == 'settings'"),)
        await judge_by(c, policy("false", match_conditions=conditions), binding())
        assert await refused(c, config("other")) is None
        assert await refused(c, config()) is not None


@pytest.mark.parametrize(("failure_policy", "is_refused"), [("Fail", True), ("Ignore", False)])
async def test_errors_count_as_the_failure_policy_says(failure_policy: str, *, is_refused: bool) -> None:
    async with cluster() as c:
        await judge_by(c, policy("object.no == 1", failure_policy=failure_policy), binding())
        assert (await refused(c, config()) is not None) is is_refused


async def test_a_binding_may_only_warn_or_note_for_the_audit() -> None:
    async with cluster() as c:
        await judge_by(c, policy("false"), binding("Warn", "Audit"))
        annotations: dict[str, str] = {}
        ctx = replace(ADMIN, warnings=[], annotations=annotations)
        assert await refused(c, config(), ctx) is None
        said = "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': failed expression: false"
        assert ctx.warnings == [said]
        assert "failed expression: false" in annotations["validation.policy.admission.k8s.io/validation_failure"]


async def test_audit_annotations_are_told_to_the_audit_log() -> None:
    async with cluster() as c:
        note = registration.AuditAnnotation(key="name", value_expression="'made ' + object.metadata.name")
        await judge_by(c, policy(audit_annotations=(note,)), binding())
        annotations: dict[str, str] = {}
        assert await refused(c, config(), replace(ADMIN, annotations=annotations)) is None
        assert annotations == {"p/name": "made settings"}


async def test_a_binding_narrows_what_is_judged() -> None:
    async with cluster() as c:
        selector = LabelSelector(match_labels={"strict": "yes"})
        matched = registration.MatchResources(object_selector=selector)
        await judge_by(c, policy("false"), binding(match_resources=matched))
        assert await refused(c, config("free")) is None
        strict = replace(config(), metadata=ObjectMeta(name="x", namespace="default", labels={"strict": "yes"}))
        assert await refused(c, strict) is not None


async def test_excluded_and_named_resources() -> None:
    async with cluster() as c:
        named = replace(CONFIGS, resource_names=("free",))
        match = registration.MatchResources(resource_rules=(CONFIGS,), exclude_resource_rules=(named,))
        await judge_by(c, policy("false", match_constraints=match), binding())
        assert await refused(c, config("free")) is None
        assert await refused(c, config("bound")) is not None


KIND = registration.ParamKind(api_version="v1", kind="ConfigMap")
SECRETS = replace(CONFIGS, resources=("secrets",))
SECRET_MATCH = registration.MatchResources(resource_rules=(SECRETS,))


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        ({"name": "limits"}, "failed expression: params == null"),
        ({"name": "limits", "namespace": "default"}, "failed expression: params == null"),
        ({"selector": LabelSelector(match_labels={"use": "yes"})}, "failed expression: params == null"),
        ({"name": "none"}, "failed to configure binding: no params found for policy binding with `Deny` "),
        ({"name": "none", "parameter_not_found_action": "Allow"}, ""),
    ],
)
async def test_parameters_are_named_or_selected(ref: dict[str, Any], said: str) -> None:
    async with cluster() as c:
        limits = replace(
            config(most="1"), metadata=ObjectMeta(name="limits", namespace="default", labels={"use": "yes"})
        )
        await c.client.create(limits)
        rule = "params == null || string(size(object.metadata.name)) == params.data.most"
        made = policy(rule, param_kind=KIND, match_constraints=SECRET_MATCH)
        param_ref = registration.ParamRef(**{"parameter_not_found_action": "Deny", **ref})
        await judge_by(c, made, binding(param_ref=param_ref))
        if "none" not in ref.values():
            await c.client.create(core.Secret(metadata=ObjectMeta(name="s", namespace="default")))
        message = ""
        try:
            await c.client.create(core.Secret(metadata=ObjectMeta(name="secret", namespace="default")))
        except StatusError as error:
            message = error.message
        assert said in message
        assert bool(said) == bool(message)


async def test_a_kind_of_parameters_that_is_not_there_denies() -> None:
    async with cluster() as c:
        kind = registration.ParamKind(api_version="rules.example.com/v1", kind="Limit")
        await judge_by(c, policy("true", param_kind=kind), binding(param_ref=_ref()))
        error = await refused(c, config())
        assert error is not None
        why = "failed to find resource referenced by paramKind: 'rules.example.com/v1, Kind=Limit'"
        assert error.message.endswith(
            f"ValidatingAdmissionPolicy 'p' denied request: failed to configure policy: {why}"
        )


def _ref() -> registration.ParamRef:
    return registration.ParamRef(name="x", parameter_not_found_action="Deny")


async def test_rights_are_those_of_whoever_asks() -> None:
    async with cluster() as c:
        await judge_by(c, policy("authorizer.requestResource.check('escalate').allowed()"), binding())
        assert await refused(c, config()) is None
        somebody = Context(user=User(name="jo"))
        assert isinstance(await refused(c, config("other"), somebody), StatusError)


async def test_no_policy_judges_policies() -> None:
    async with cluster() as c:
        every = registration.NamedRuleWithOperations(
            operations=("*",), api_groups=("*",), api_versions=("*",), resources=("*",)
        )
        await judge_by(
            c, policy("false", match_constraints=registration.MatchResources(resource_rules=(every,))), binding()
        )
        await c.registry.delete(c.scheme.of(registration.ValidatingAdmissionPolicy), "p", "", DeleteOptions(), ADMIN)
        await c.client.create(config())


async def test_a_changed_policy_is_in_effect_at_once() -> None:
    async with cluster() as c:
        await judge_by(c, policy("false"), binding())
        assert await refused(c, config()) is not None
        found = await c.client.get(registration.ValidatingAdmissionPolicy, "p")
        validations = (registration.Validation(expression="true"),)
        await c.client.update(replace(found, spec=replace(found.spec, validations=validations)))
        assert await refused(c, config()) is None


@pytest.mark.parametrize(
    ("made", "problems"),
    [
        (
            policy(),
            ["spec.validations: Required value: validations or auditAnnotations must contain at least one item"],
        ),
        (policy("true", match_constraints=None), ["spec.matchConstraints: Required value"]),
        (
            policy("true", match_constraints=registration.MatchResources()),
            ["spec.matchConstraints.resourceRules: Required value"],
        ),
        (policy("1"), ['spec.validations[0].expression: Invalid value: "1": must evaluate to bool but got int']),
        (policy("variables.x"), ["undeclared reference to 'variables'"]),
        (policy("params.x"), ["undeclared reference to 'params'"]),
        (policy("request.no == 1"), ["undefined field 'no'"]),
        (policy(" "), ["spec.validations[0].expression: Required value: expression is not specified"]),
        (
            policy(registration.Validation(expression="true", message_expression="1")),
            ['messageExpression: Invalid value: "1": must evaluate to string but got int'],
        ),
        (
            policy(registration.Validation(expression="true", reason="Odd")),
            ['reason: Unsupported value: "Odd": supported values: "Forbidden", "Invalid", "RequestEntityTooLarge"'],
        ),
        (
            policy("true", variables=(registration.Variable(name="1x", expression="true"),)),
            ['spec.variables[0].name: Invalid value: "1x": name is not a valid CEL identifier'],
        ),
        (
            policy("true", match_conditions=(registration.MatchCondition(name="", expression="1"),)),
            ["matchConditions[0].expression", "spec.matchConditions[0].name: Required value"],
        ),
        (policy("true", param_kind=registration.ParamKind(kind="X")), ["spec.paramKind.apiVersion: Required value"]),
        (binding(), []),
        (binding("Deny", "Warn"), ["spec.validationActions: Invalid value:"]),
        (binding(param_ref=registration.ParamRef(name="x")), ["spec.paramRef.parameterNotFoundAction: Required value"]),
        (
            binding(param_ref=registration.ParamRef(parameter_not_found_action="Deny")),
            ["spec.paramRef: Required value: one of name or selector must be specified"],
        ),
    ],
)
async def test_what_cannot_be_kept_is_refused(made: Any, problems: Sequence[str]) -> None:
    async with cluster() as c:
        if not problems:
            await c.client.create(made)
            return
        with pytest.raises(Invalid) as error:
            await c.client.create(made)
        for problem in problems:
            assert problem in error.value.message


async def test_defaults_are_filled_in() -> None:
    async with cluster() as c:
        made = await c.client.create(policy("true"))
        assert made.spec.failure_policy == "Fail"
        match = made.spec.match_constraints
        assert match is not None
        assert (match.match_policy, match.namespace_selector) == ("Equivalent", LabelSelector())
        assert match.resource_rules[0].scope == "*"
