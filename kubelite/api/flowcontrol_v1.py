"""The typed objects of flowcontrol.apiserver.k8s.io/v1: every field of Kubernetes v1.33, as frozen values.

A table of types: no behaviour lives here; `api.meta` says how fields are declared and encoded.
Source: k8s.io/api v0.33 flowcontrol/v1/types.go
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import field

from kubelite.api.meta import Object, Time, Value, merge


class PriorityLevelConfigurationReference(Value):
    name: str = field(default_factory=str)


class FlowSchemaSpec(Value):
    priority_level_configuration: PriorityLevelConfigurationReference = field(
        default_factory=PriorityLevelConfigurationReference
    )
    matching_precedence: int = field(default_factory=int)
    distinguisher_method: FlowDistinguisherMethod | None = None
    rules: Annotated[tuple[PolicyRulesWithSubjects, ...], merge(list_type="atomic")] = ()


class FlowSchemaStatus(Value):
    conditions: Annotated[
        tuple[FlowSchemaCondition, ...], merge(patch="merge", merge_key="type", list_type="map", keys=("type",))
    ] = ()


class FlowSchema(Object):
    api_version: ClassVar[str] = "flowcontrol.apiserver.k8s.io/v1"
    kind: ClassVar[str] = "FlowSchema"
    spec: FlowSchemaSpec = field(default_factory=FlowSchemaSpec)
    status: FlowSchemaStatus = field(default_factory=FlowSchemaStatus)


class FlowDistinguisherMethod(Value):
    type: str = field(default_factory=str)


class PolicyRulesWithSubjects(Value):
    subjects: Annotated[tuple[Subject, ...], merge(list_type="atomic")] = ()
    resource_rules: Annotated[tuple[ResourcePolicyRule, ...], merge(list_type="atomic")] = ()
    non_resource_rules: Annotated[tuple[NonResourcePolicyRule, ...], merge(list_type="atomic")] = ()


class Subject(Value):
    kind: str = field(default_factory=str)
    user: UserSubject | None = None
    group: GroupSubject | None = None
    service_account: ServiceAccountSubject | None = None


class UserSubject(Value):
    name: str = field(default_factory=str)


class GroupSubject(Value):
    name: str = field(default_factory=str)


class ServiceAccountSubject(Value):
    namespace: str = field(default_factory=str)
    name: str = field(default_factory=str)


class ResourcePolicyRule(Value):
    verbs: Annotated[tuple[str, ...], merge(list_type="set")] = ()
    api_groups: Annotated[tuple[str, ...], merge(list_type="set")] = ()
    resources: Annotated[tuple[str, ...], merge(list_type="set")] = ()
    cluster_scope: bool = False
    namespaces: Annotated[tuple[str, ...], merge(list_type="set")] = ()


class NonResourcePolicyRule(Value):
    verbs: Annotated[tuple[str, ...], merge(list_type="set")] = ()
    non_resource_urls: Annotated[tuple[str, ...], merge(list_type="set")] = field(default=(), name="nonResourceURLs")


class FlowSchemaCondition(Value):
    type: str = ""
    status: str = ""
    last_transition_time: Time | None = None
    reason: str = ""
    message: str = ""


class PriorityLevelConfigurationSpec(Value):
    type: str = field(default_factory=str)
    limited: LimitedPriorityLevelConfiguration | None = None
    exempt: ExemptPriorityLevelConfiguration | None = None


class PriorityLevelConfigurationStatus(Value):
    conditions: Annotated[
        tuple[PriorityLevelConfigurationCondition, ...],
        merge(patch="merge", merge_key="type", list_type="map", keys=("type",)),
    ] = ()


class PriorityLevelConfiguration(Object):
    api_version: ClassVar[str] = "flowcontrol.apiserver.k8s.io/v1"
    kind: ClassVar[str] = "PriorityLevelConfiguration"
    spec: PriorityLevelConfigurationSpec = field(default_factory=PriorityLevelConfigurationSpec)
    status: PriorityLevelConfigurationStatus = field(default_factory=PriorityLevelConfigurationStatus)


class LimitResponse(Value):
    type: str = field(default_factory=str)
    queuing: QueuingConfiguration | None = None


class LimitedPriorityLevelConfiguration(Value):
    nominal_concurrency_shares: int | None = None
    limit_response: LimitResponse = field(default_factory=LimitResponse)
    lendable_percent: int | None = None
    borrowing_limit_percent: int | None = None


class ExemptPriorityLevelConfiguration(Value):
    nominal_concurrency_shares: int | None = None
    lendable_percent: int | None = None


class QueuingConfiguration(Value):
    queues: int = field(default_factory=int)
    hand_size: int = field(default_factory=int)
    queue_length_limit: int = field(default_factory=int)


class PriorityLevelConfigurationCondition(Value):
    type: str = ""
    status: str = ""
    last_transition_time: Time | None = None
    reason: str = ""
    message: str = ""
