"""ValidatingAdmissionPolicies: requests judged by expressions, as bindings say with which parameters and to what end.

Policies are read for each request, so that one is in effect with the write that creates it; what they compile to is kept.
Source: k8s.io/apiserver pkg/admission/plugin/policy/{validating,generic,matching}
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from kubelite.api import admissionregistration_v1 as registration, core_v1 as core
from kubelite.api.codec import to_builtins
from kubelite.api.errors import StatusError, Unknown, details
from kubelite.api.meta import Object, StatusCause
from kubelite.api.scheme import Resource
from kubelite.api.selectors import matches as selects
from kubelite.apiserver.admission import Attributes, Cluster
from kubelite.apiserver.interface import User
from kubelite.apiserver.rbac import Rules
from kubelite.apiserver.webhook_match import EXEMPT, Labels, is_matched
from kubelite.apiserver.webhooks import Seen, compute_request, in_version, namespace_labels, others_of

if TYPE_CHECKING:
    from kubelite.api.admission_expressions import Policy
    from kubelite.api.cel.library_authorizer import Question

Definition = registration.ValidatingAdmissionPolicy
Binding = registration.ValidatingAdmissionPolicyBinding
_CODES = {"Forbidden": 403, "Unauthorized": 401, "RequestEntityTooLarge": 413, "Invalid": 422}
_AUDIT = "validation.policy.admission.k8s.io/validation_failure"
_LONGEST_MESSAGE, _LONGEST_VALUE = 5 * 1024, 10 * 1024


class Misconfigured(Exception):
    """A policy or binding that cannot be applied."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A validation that does not hold, or cannot be evaluated and so counts as that."""

    message: str
    reason: str = ""
    index: int = 0
    always_denies: bool = False  #: whatever the binding's actions are


class Verdict(msgspec.Struct, frozen=True):
    findings: tuple[Finding, ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()


class ValidatingAdmissionPolicies:
    """Implements `admission.Validator`."""

    def __init__(self, rules: Rules | None = None) -> None:
        self._rules = rules or Rules()
        self._compiled: dict[str, tuple[Definition, Policy]] = {}  # by name

    async def validate(self, attributes: Attributes, obj: Any, old: Any, cluster: Cluster) -> None:
        definitions: list[Definition] = await cluster.find_all(Definition)
        if not definitions or attributes.resource.type in EXEMPT:
            self._compiled = {}
            return
        present = {definition.metadata.name for definition in definitions}
        self._compiled = {name: known for name, known in self._compiled.items() if name in present}
        bindings: list[Binding] = await cluster.find_all(Binding)
        labels = await namespace_labels(attributes, obj, old, cluster)
        denials: list[tuple[str, Finding]] = []
        for definition in definitions:
            wanted = definition.spec.match_constraints
            seen = await _seen(wanted, attributes, obj, old, labels, cluster) if wanted is not None else None
            if seen is None:
                continue
            bound = [item for item in bindings if item.spec.policy_name == definition.metadata.name]
            try:
                denials += await self._apply(definition, bound, attributes, seen, labels, cluster)
            except Misconfigured as error:
                if definition.spec.failure_policy != "Ignore":
                    message = f"failed to configure policy: {error}"
                    denials.append(
                        (f"ValidatingAdmissionPolicy '{definition.metadata.name}'", Finding(message=message))
                    )
        if denials:
            raise _denied(attributes, obj, *denials[0])

    async def _apply(
        self,
        definition: Definition,
        bound: list[Binding],
        attributes: Attributes,
        seen: Seen,
        labels: Labels,
        cluster: Cluster,
    ) -> list[tuple[str, Finding]]:
        """What is to be denied, and by whom. Raises: Misconfigured."""
        params = _param_resource(definition, cluster)
        denials: list[tuple[str, Finding]] = []
        published: dict[str, dict[str, None]] = {}
        for binding in bound:
            wanted = binding.spec.match_resources
            if wanted is not None and not is_matched(
                wanted, attributes, seen.obj, seen.old, labels, lambda: others_of(attributes.resource, cluster)
            ):
                continue
            who = f"'{definition.metadata.name}' with binding '{binding.metadata.name}'"
            try:
                found = await _find_params(params, binding.spec.param_ref, attributes.namespace, cluster)
            except Misconfigured as error:
                if definition.spec.failure_policy != "Ignore":
                    message = f"failed to configure binding: {error}"
                    denials.append((f"ValidatingAdmissionPolicy {who}", Finding(message=message)))
                continue
            values = await self._values(attributes, seen, cluster)
            for param in found:
                verdict = judge(definition, self._compile(definition), {**values, "params": param})
                denials += _carry_out(verdict, binding, who, attributes)
                for key, value in verdict.annotations:
                    published.setdefault(key, {})[value] = None
        for key, texts in published.items():
            attributes.annotate(f"{definition.metadata.name}/{key}", ", ".join(texts))
        return denials

    async def _values(self, attributes: Attributes, seen: Seen, cluster: Cluster) -> dict[str, Any]:
        values = values_of(attributes, seen, self._rules)
        if attributes.namespace and attributes.resource.type is not core.Namespace:
            values["namespaceObject"] = plain(await cluster.find(core.Namespace, attributes.namespace))
        return values

    def _compile(self, definition: Definition) -> Policy:
        from kubelite.api.admission_expressions import compile_policy

        name = definition.metadata.name
        known = self._compiled.get(name)
        if known is None or (known[0] is not definition and known[0].spec != definition.spec):
            known = self._compiled[name] = (definition, compile_policy(definition.spec))
        return known[1]


async def _seen(
    wanted: registration.MatchResources, attributes: Attributes, obj: Any, old: Any, labels: Labels, cluster: Cluster
) -> Seen | None:
    """The objects in the version that a policy is about; None if it is not about them."""
    resource = is_matched(wanted, attributes, obj, old, labels, lambda: others_of(attributes.resource, cluster))
    if resource is None:
        return None
    return Seen(resource, *await in_version(resource, attributes, (obj, old), cluster))


def plain(obj: Object | None) -> Any:
    """An object as expressions see it."""
    return to_builtins(obj) if obj is not None else None


def values_of(attributes: Attributes, seen: Seen, rules: Rules) -> dict[str, Any]:
    """What expressions of admission may refer to."""
    from kubelite.api.cel.library_authorizer import Authorizer, Question, ResourceCheck

    resource = attributes.resource

    def ask(question: Question) -> tuple[bool, str]:
        return _answer(question, attributes.user, rules)

    concerned = Question(
        group=resource.group,
        resource=resource.plural,
        subresource=attributes.subresource,
        namespace=attributes.namespace,
        name=attributes.name,
    )
    request = msgspec.json.decode(msgspec.json.encode(compute_request(attributes, Seen(seen.resource, None, None), "")))
    return {
        "object": plain(seen.obj),
        "oldObject": plain(seen.old),
        "request": {key: value for key, value in request.items() if value is not None},
        "namespaceObject": None,
        "params": None,
        "authorizer": Authorizer(ask),
        "authorizer.requestResource": ResourceCheck(ask, concerned),
    }


def _answer(question: Question, user: User, rules: Rules) -> tuple[bool, str]:
    from kubelite.apiserver.authz import MASTERS, Attributes as Asked

    if question.account is not None:
        namespace, name = question.account
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
        user = User(name=f"system:serviceaccount:{namespace}:{name}", groups=groups)
    if MASTERS in user.groups:
        return True, ""
    asked = Asked(
        user=user,
        verb=question.verb,
        group=question.group,
        resource=question.resource,
        subresource=question.subresource,
        namespace=question.namespace,
        name=question.name,
        path=question.path,
    )
    return rules.allow(asked)


# -- judging ---------------------------------------------------------------------------------------------------------------


def judge(definition: Definition, policy: Policy, values: dict[str, Any]) -> Verdict:
    """What a policy says of a request, with one set of parameters."""
    from kubelite.api.admission_expressions import MATCH_BUDGET, Evaluation, Spent, matches

    spec = definition.spec
    conditions = [compiled for _, compiled in policy.conditions]
    matching = Evaluation(values, budget=MATCH_BUDGET)
    is_match, problem = matches(conditions, matching, failure_policy=spec.failure_policy)
    if problem:
        return Verdict((Finding(message=problem),))
    if not is_match:
        return Verdict()
    evaluation = Evaluation(values, variables=policy.variables)
    findings: list[Finding] = []
    annotations: list[tuple[str, str]] = []
    try:
        for index, validation in enumerate(spec.validations):
            findings += _validate(index, validation, policy, evaluation, is_strict=spec.failure_policy != "Ignore")
        for key, compiled in policy.annotations:
            outcome = evaluation.run(compiled)
            text = outcome.value.strip() if isinstance(outcome.value, str) else ""
            if outcome.error and spec.failure_policy != "Ignore":
                findings.append(Finding(message=outcome.error, always_denies=True))
            elif text:
                annotations.append((key, text[:_LONGEST_VALUE]))
    except Spent as error:
        if spec.failure_policy != "Ignore":
            findings = [Finding(message=str(error))]
    return Verdict(tuple(findings), tuple(annotations))


def _validate(
    index: int, validation: registration.Validation, policy: Policy, evaluation: Any, *, is_strict: bool
) -> Iterator[Finding]:
    """Raises: Spent."""
    outcome = evaluation.run(policy.validations[index])
    if outcome.error:
        if is_strict:
            yield Finding(message=outcome.error, index=index)
        return
    if outcome.value is True:
        return
    message, text = "", policy.messages[index]
    if text is not None:
        said = evaluation.run(text).value
        message = said.strip() if isinstance(said, str) else ""
        message = "" if len(message.encode()) > _LONGEST_MESSAGE or "\n" in message else message
    message = message or validation.message.strip() or f"failed expression: {validation.expression.strip()}"
    yield Finding(message=message, reason=validation.reason or "Invalid", index=index)


def _carry_out(verdict: Verdict, binding: Binding, who: str, attributes: Attributes) -> Iterator[tuple[str, Finding]]:
    """Warns and annotates; yields what is to be denied."""
    for finding in verdict.findings:
        actions = ("Deny",) if finding.always_denies else binding.spec.validation_actions
        if "Warn" in actions:
            text = f"Validation failed for ValidatingAdmissionPolicy {who}: {finding.message}"
            attributes.warnings.append(text)
        if "Audit" in actions:
            failure = {
                "message": finding.message,
                "policy": binding.spec.policy_name,
                "binding": binding.metadata.name,
                "expressionIndex": finding.index,
                "validationActions": actions,
            }
            attributes.annotate(_AUDIT, msgspec.json.encode([failure]).decode())
        if "Deny" in actions:
            yield f"ValidatingAdmissionPolicy {who}", finding


def _denied(attributes: Attributes, obj: Any, who: str, finding: Finding) -> StatusError:
    name = attributes.name
    if not name and obj is not None:
        name = obj.metadata.name or obj.metadata.generate_name
    message = f"{who} denied request: {finding.message}"
    refusal = _named(attributes, name or "Unknown").refusal(message)
    reason = finding.reason or "Invalid"
    about = details(attributes.resource.group, attributes.resource.plural, name or "Unknown")
    cause = StatusCause(message=message)
    return Unknown(refusal.message, replace(about, causes=(cause,)), code=_CODES.get(reason, 422), reason=reason)


def _named(attributes: Attributes, name: str) -> Attributes:
    return attributes if attributes.name == name else replace(attributes, name=name)


# -- parameters ------------------------------------------------------------------------------------------------------------


def _param_resource(definition: Definition, cluster: Cluster) -> Resource | None:
    """None for a policy without parameters. Raises: Misconfigured."""
    kind = definition.spec.param_kind
    if kind is None:
        return None
    group, _, version = kind.api_version.rpartition("/")
    for resource in cluster.scheme:
        if (resource.group, resource.version, resource.kind) == (group, version, kind.kind):
            return resource
    shown = f"{kind.api_version}, Kind={kind.kind}" if group else f"/{version}, Kind={kind.kind}"
    raise Misconfigured(f"failed to find resource referenced by paramKind: '{shown}'")


async def _find_params(
    resource: Resource | None, ref: registration.ParamRef | None, namespace: str, cluster: Cluster
) -> list[Any]:
    """The parameters, each of which is applied; [None] where there are none to apply. Raises: Misconfigured."""
    if resource is None or ref is None:
        return [None]
    where = ""
    if resource.namespaced:
        where = ref.namespace or namespace
        if not where:
            raise Misconfigured(
                "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
            )
    elif ref.namespace:
        raise Misconfigured("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
    found: list[Any] = []
    if ref.name:
        param = await cluster.find(resource.type, ref.name, where)
        found = [param] if param is not None else []
    elif ref.selector is not None:
        every = await cluster.find_all(resource.type, where)
        found = [item for item in every if selects(ref.selector, item.metadata.labels)]
    if not found and ref.parameter_not_found_action == "Deny":
        raise Misconfigured("no params found for policy binding with `Deny` parameterNotFoundAction")
    return [plain(item) for item in found]
