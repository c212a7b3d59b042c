"""The typed objects of admissionregistration.k8s.io/v1: every field of Kubernetes v1.33, as frozen values.

A table of types: no behaviour lives here; `api.meta` says how fields are declared and encoded.
Source: k8s.io/api v0.33 admissionregistration/v1/types.go
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import field

from kubelite.api.meta import Condition, LabelSelector, Object, Value, merge


class Rule(Value):
    api_groups: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    api_versions: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    resources: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    scope: str | None = None


class ValidatingAdmissionPolicyStatus(Value):
    observed_generation: int = 0
    type_checking: TypeChecking | None = None
    conditions: Annotated[tuple[Condition, ...], merge(list_type="map", keys=("type",))] = ()


class ValidatingAdmissionPolicySpec(Value):
    param_kind: ParamKind | None = None
    match_constraints: MatchResources | None = None
    validations: Annotated[tuple[Validation, ...], merge(list_type="atomic")] = ()
    failure_policy: str | None = None
    audit_annotations: Annotated[tuple[AuditAnnotation, ...], merge(list_type="atomic")] = ()
    match_conditions: Annotated[
        tuple[MatchCondition, ...], merge(patch="merge", merge_key="name", list_type="map", keys=("name",))
    ] = ()
    variables: Annotated[
        tuple[Variable, ...], merge(patch="merge", merge_key="name", list_type="map", keys=("name",))
    ] = ()


class ValidatingAdmissionPolicy(Object):
    api_version: ClassVar[str] = "admissionregistration.k8s.io/v1"
    kind: ClassVar[str] = "ValidatingAdmissionPolicy"
    spec: ValidatingAdmissionPolicySpec = field(default_factory=ValidatingAdmissionPolicySpec)
    status: ValidatingAdmissionPolicyStatus = field(default_factory=ValidatingAdmissionPolicyStatus)


class TypeChecking(Value):
    expression_warnings: Annotated[tuple[ExpressionWarning, ...], merge(list_type="atomic")] = ()


class ExpressionWarning(Value):
    field_ref: str = field(default_factory=str)
    warning: str = field(default_factory=str)


class ParamKind(Value):
    api_version: str = ""
    kind: str = ""


class Validation(Value):
    expression: str = field(default_factory=str)
    message: str = ""
    reason: str | None = None
    message_expression: str = ""


class Variable(Value):
    name: str = field(default_factory=str)
    expression: str = field(default_factory=str)


class AuditAnnotation(Value):
    key: str = field(default_factory=str)
    value_expression: str = field(default_factory=str)


class ValidatingAdmissionPolicyBindingSpec(Value):
    policy_name: str = ""
    param_ref: ParamRef | None = None
    match_resources: MatchResources | None = None
    validation_actions: Annotated[tuple[str, ...], merge(list_type="set")] = ()


class ValidatingAdmissionPolicyBinding(Object):
    api_version: ClassVar[str] = "admissionregistration.k8s.io/v1"
    kind: ClassVar[str] = "ValidatingAdmissionPolicyBinding"
    spec: ValidatingAdmissionPolicyBindingSpec = field(default_factory=ValidatingAdmissionPolicyBindingSpec)


class ParamRef(Value):
    name: str = ""
    namespace: str = ""
    selector: LabelSelector | None = None
    parameter_not_found_action: str | None = None


class MatchResources(Value):
    namespace_selector: LabelSelector | None = None
    object_selector: LabelSelector | None = None
    resource_rules: Annotated[tuple[NamedRuleWithOperations, ...], merge(list_type="atomic")] = ()
    exclude_resource_rules: Annotated[tuple[NamedRuleWithOperations, ...], merge(list_type="atomic")] = ()
    match_policy: str | None = None


class RuleWithOperations(Rule):
    operations: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()


class NamedRuleWithOperations(RuleWithOperations):
    resource_names: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()


class ValidatingWebhookConfiguration(Object):
    api_version: ClassVar[str] = "admissionregistration.k8s.io/v1"
    kind: ClassVar[str] = "ValidatingWebhookConfiguration"
    webhooks: Annotated[
        tuple[ValidatingWebhook, ...], merge(patch="merge", merge_key="name", list_type="map", keys=("name",))
    ] = ()


class MutatingWebhookConfiguration(Object):
    api_version: ClassVar[str] = "admissionregistration.k8s.io/v1"
    kind: ClassVar[str] = "MutatingWebhookConfiguration"
    webhooks: Annotated[
        tuple[MutatingWebhook, ...], merge(patch="merge", merge_key="name", list_type="map", keys=("name",))
    ] = ()


class WebhookClientConfig(Value):
    url: str | None = None
    service: ServiceReference | None = None
    ca_bundle: bytes = b""


class ValidatingWebhook(Value):
    name: str = field(default_factory=str)
    client_config: WebhookClientConfig = field(default_factory=WebhookClientConfig)
    rules: Annotated[tuple[RuleWithOperations, ...], merge(list_type="atomic")] = ()
    failure_policy: str | None = None
    match_policy: str | None = None
    namespace_selector: LabelSelector | None = None
    object_selector: LabelSelector | None = None
    side_effects: str | None = None
    timeout_seconds: int | None = None
    admission_review_versions: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    match_conditions: Annotated[
        tuple[MatchCondition, ...], merge(patch="merge", merge_key="name", list_type="map", keys=("name",))
    ] = ()


class MutatingWebhook(Value):
    name: str = field(default_factory=str)
    client_config: WebhookClientConfig = field(default_factory=WebhookClientConfig)
    rules: Annotated[tuple[RuleWithOperations, ...], merge(list_type="atomic")] = ()
    failure_policy: str | None = None
    match_policy: str | None = None
    namespace_selector: LabelSelector | None = None
    object_selector: LabelSelector | None = None
    side_effects: str | None = None
    timeout_seconds: int | None = None
    admission_review_versions: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    reinvocation_policy: str | None = None
    match_conditions: Annotated[
        tuple[MatchCondition, ...], merge(patch="merge", merge_key="name", list_type="map", keys=("name",))
    ] = ()


class ServiceReference(Value):
    namespace: str = field(default_factory=str)
    name: str = field(default_factory=str)
    path: str | None = None
    port: int | None = None


class MatchCondition(Value):
    name: str = field(default_factory=str)
    expression: str = field(default_factory=str)
