"""What must hold of ValidatingAdmissionPolicies, their bindings, and match conditions. Pure.

Source: k8s.io/kubernetes pkg/apis/admissionregistration/validation/validation.go
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kubelite.api import admissionregistration_v1 as registration
from kubelite.api.validation_field import (
    Errors,
    dns1035_label,
    dns_subdomain,
    duplicate,
    duplicates,
    forbidden,
    formatted,
    invalid,
    not_supported,
    one_of,
    path_segment,
    qualified_name,
    required,
    too_many,
)
from kubelite.api.validation_meta import validate_selector

if TYPE_CHECKING:
    from kubelite.api.admission_expressions import Compiled

_MOST_CONDITIONS, _MOST_ANNOTATIONS, _LONGEST_VALUE = 64, 20, 5 * 1024
_ACTIONS = ("Audit", "Deny", "Warn")
_REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized")
_IDENTIFIER = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_NEITHER = "validations or auditAnnotations must contain at least one item"


def validate_conditions(
    conditions: Sequence[registration.MatchCondition], path: str, *, has_params: bool = False
) -> Errors:
    if not conditions:
        return []
    from kubelite.api.admission_expressions import compile_condition

    found: Errors = []
    if len(conditions) > _MOST_CONDITIONS:
        found.append(too_many(path, len(conditions), _MOST_CONDITIONS))
    for at, condition in enumerate(conditions):
        expression = condition.expression.strip()
        if not expression:
            found.append(required(f"{path}[{at}].expression"))
        else:
            found += _compiled(compile_condition(expression, has_params=has_params), f"{path}[{at}].expression")
        if not condition.name:
            found.append(required(f"{path}[{at}].name"))
        else:
            found += formatted(f"{path}[{at}].name", condition.name, qualified_name)
    return found + duplicates((f"{path}[{at}].name", item.name) for at, item in enumerate(conditions) if item.name)


def _compiled(compiled: Compiled, path: str) -> Errors:
    return [invalid(path, compiled.source, compiled.error)] if compiled.error else []


def validate_policy(policy: registration.ValidatingAdmissionPolicy) -> Errors:
    spec = policy.spec
    found = one_of("spec.failurePolicy", spec.failure_policy or "", ("Fail", "Ignore"))
    if spec.param_kind is not None:
        found += _param_kind(spec.param_kind, "spec.paramKind")
    if spec.match_constraints is None:
        found.append(required("spec.matchConstraints"))
    else:
        found += _match_resources(spec.match_constraints, "spec.matchConstraints")
        if not spec.match_constraints.resource_rules:
            found.append(required("spec.matchConstraints.resourceRules"))
    found += validate_conditions(spec.match_conditions, "spec.matchConditions", has_params=spec.param_kind is not None)
    if not spec.validations and not spec.audit_annotations:
        found += [required("spec.validations", _NEITHER), required("spec.auditAnnotations", _NEITHER)]
    return found + _expressions(policy)


def _expressions(policy: registration.ValidatingAdmissionPolicy) -> Errors:
    from kubelite.api.admission_expressions import compile_policy

    spec, compiled = policy.spec, compile_policy(policy.spec)
    found: Errors = []
    for at, variable in enumerate(spec.variables):
        path = f"spec.variables[{at}]"
        if not variable.name.strip():
            found.append(required(f"{path}.name", "name is not specified"))
        elif _IDENTIFIER.fullmatch(variable.name) is None:
            found.append(invalid(f"{path}.name", variable.name, "name is not a valid CEL identifier"))
        if not variable.expression.strip():
            found.append(required(f"{path}.expression", "expression is not specified"))
        else:
            found += _compiled(compiled.variables[at][1], f"{path}.expression")
    for at, validation in enumerate(spec.validations):
        found += _validation(validation, compiled.validations[at], compiled.messages[at], f"spec.validations[{at}]")
    if len(spec.audit_annotations) > _MOST_ANNOTATIONS:
        why = f"must not have more than {_MOST_ANNOTATIONS} auditAnnotations"
        found.append(invalid("spec.auditAnnotations", spec.audit_annotations, why))
    for at, annotation in enumerate(spec.audit_annotations):
        path = f"spec.auditAnnotations[{at}]"
        found += formatted(f"{path}.key", f"{policy.metadata.name}/{annotation.key}", qualified_name)
        expression = annotation.value_expression.strip()
        if not expression:
            found.append(required(f"{path}.valueExpression", "valueExpression is not specified"))
        elif len(expression.encode()) > _LONGEST_VALUE:
            why = f"must not exceed {_LONGEST_VALUE} bytes in length"
            found.append(required(f"{path}.valueExpression", why))
        else:
            found += _compiled(compiled.annotations[at][1], f"{path}.valueExpression")
    keys = (item.key for item in spec.audit_annotations)
    return found + duplicates((f"spec.auditAnnotations[{at}].key", key) for at, key in enumerate(keys))


def _validation(
    validation: registration.Validation, expression: Compiled, message: Compiled | None, path: str
) -> Errors:
    found: Errors = []
    if not validation.expression.strip():
        found.append(required(f"{path}.expression", "expression is not specified"))
    else:
        found += _compiled(expression, f"{path}.expression")
    if validation.message_expression and not validation.message_expression.strip():
        why = "must be non-empty if specified"
        found.append(invalid(f"{path}.messageExpression", validation.message_expression, why))
    elif message is not None:
        found += _compiled(message, f"{path}.messageExpression")
    text = validation.message.strip()
    if validation.message and not text:
        found.append(invalid(f"{path}.message", validation.message, "message must be non-empty if specified"))
    elif "\n" in text or "\r" in text:
        found.append(invalid(f"{path}.message", validation.message, "message must not contain line breaks"))
    if validation.reason is not None and validation.reason not in _REASONS:
        found.append(not_supported(f"{path}.reason", validation.reason, _REASONS))
    return found


def _param_kind(kind: registration.ParamKind, path: str) -> Errors:
    found: Errors = []
    group, slash, version = kind.api_version.rpartition("/")
    if not kind.api_version:
        found.append(required(f"{path}.apiVersion"))
    elif "/" in group:
        why = f"unexpected GroupVersion string: {kind.api_version}"
        found.append(invalid(f"{path}.apiVersion", kind.api_version, why))
    else:
        found += formatted(f"{path}.apiVersion", group, dns_subdomain) if group else []
        if slash and not version:
            found.append(invalid(f"{path}.apiVersion", kind.api_version, "version must be specified"))
        else:
            found += formatted(f"{path}.apiVersion", version, dns1035_label)
    if not kind.kind:
        found.append(required(f"{path}.kind"))
    elif problems := dns1035_label(kind.kind.lower()):
        why = "may have mixed case, but should otherwise match: " + ", ".join(problems)
        found.append(invalid(f"{path}.kind", kind.kind, why))
    return found


def _match_resources(resources: registration.MatchResources, path: str) -> Errors:
    from kubelite.api.validation_registration import validate_rule

    found = one_of(f"{path}.matchPolicy", resources.match_policy or "", ("Equivalent", "Exact"))
    found += validate_selector(resources.namespace_selector, f"{path}.namespaceSelector")
    found += validate_selector(resources.object_selector, f"{path}.objectSelector")
    for name, rules in (
        ("resourceRules", resources.resource_rules),
        ("excludeResourceRules", resources.exclude_resource_rules),
    ):
        for at, rule in enumerate(rules):
            where = f"{path}.{name}[{at}]"
            for index, wanted in enumerate(rule.resource_names):
                found += [invalid(f"{where}.resourceNames[{index}]", wanted, why) for why in path_segment(wanted)]
            names = enumerate(rule.resource_names)
            found += duplicates((f"{where}.resourceNames[{index}]", wanted) for index, wanted in names)
            found += validate_rule(rule, where)
    return found


def validate_binding(binding: registration.ValidatingAdmissionPolicyBinding) -> Errors:
    spec = binding.spec
    found: Errors = []
    if not spec.policy_name:
        found.append(required("spec.policyName"))
    else:
        found += [invalid("spec.policyName", spec.policy_name, why) for why in dns_subdomain(spec.policy_name)]
    if spec.param_ref is not None:
        found += _param_ref(spec.param_ref, "spec.paramRef")
    if spec.match_resources is not None:
        found += _match_resources(spec.match_resources, "spec.matchResouces")  # upstream's spelling
    return found + _actions(spec.validation_actions, "spec.validationActions")


def _param_ref(ref: registration.ParamRef, path: str) -> Errors:
    found: Errors = []
    both = "name and selector are mutually exclusive"
    if ref.name:
        found += [invalid(f"{path}.name", ref.name, why) for why in path_segment(ref.name)]
        found += [forbidden(f"{path}.name", both)] if ref.selector is not None else []
    if ref.selector is not None:
        found += validate_selector(ref.selector, f"{path}.selector")
        found += [forbidden(f"{path}.selector", both)] if ref.name else []
    if not ref.name and ref.selector is None:
        found.append(required(path, "one of name or selector must be specified"))
    if not ref.parameter_not_found_action:
        found.append(required(f"{path}.parameterNotFoundAction"))
    else:
        found += one_of(f"{path}.parameterNotFoundAction", ref.parameter_not_found_action, ("Deny", "Allow"))
    return found


def _actions(actions: tuple[str, ...], path: str) -> Errors:
    found: Errors = []
    for at, action in enumerate(actions):
        if action not in _ACTIONS:
            found.append(not_supported(f"{path}[{at}]", action, _ACTIONS))
        if action in actions[:at]:
            found.append(duplicate(f"{path}[{at}]", action))
    if {"Deny", "Warn"} <= set(actions):
        why = "must not contain both Deny and Warn (repeating the same validation failure information in the API response "
        found.append(invalid(path, actions, f"{why}and headers serves no purpose)"))
    return found or ([] if actions else [required(path, "at least one validation action is required")])
