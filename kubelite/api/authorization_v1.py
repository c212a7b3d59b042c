"""The typed objects of authorization.k8s.io/v1: every field of Kubernetes v1.33, as frozen values.

A table of types: no behaviour lives here; `api.meta` says how fields are declared and encoded.
Source: k8s.io/api v0.33 authorization/v1/types.go
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from msgspec import field

from kubelite.api.meta import FieldSelectorRequirement, LabelSelectorRequirement, Object, Value, merge


class SubjectAccessReviewSpec(Value):
    resource_attributes: ResourceAttributes | None = None
    non_resource_attributes: NonResourceAttributes | None = None
    user: str = ""
    groups: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    uid: str = ""


class SubjectAccessReviewStatus(Value):
    allowed: bool = field(default_factory=bool)
    denied: bool = False
    reason: str = ""
    evaluation_error: str = ""


class SubjectAccessReview(Object):
    api_version: ClassVar[str] = "authorization.k8s.io/v1"
    kind: ClassVar[str] = "SubjectAccessReview"
    spec: SubjectAccessReviewSpec = field(default_factory=SubjectAccessReviewSpec)
    status: SubjectAccessReviewStatus = field(default_factory=SubjectAccessReviewStatus)


class SelfSubjectAccessReviewSpec(Value):
    resource_attributes: ResourceAttributes | None = None
    non_resource_attributes: NonResourceAttributes | None = None


class SelfSubjectAccessReview(Object):
    api_version: ClassVar[str] = "authorization.k8s.io/v1"
    kind: ClassVar[str] = "SelfSubjectAccessReview"
    spec: SelfSubjectAccessReviewSpec = field(default_factory=SelfSubjectAccessReviewSpec)
    status: SubjectAccessReviewStatus = field(default_factory=SubjectAccessReviewStatus)


class LocalSubjectAccessReview(Object):
    api_version: ClassVar[str] = "authorization.k8s.io/v1"
    kind: ClassVar[str] = "LocalSubjectAccessReview"
    spec: SubjectAccessReviewSpec = field(default_factory=SubjectAccessReviewSpec)
    status: SubjectAccessReviewStatus = field(default_factory=SubjectAccessReviewStatus)


class ResourceAttributes(Value):
    namespace: str = ""
    verb: str = ""
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    field_selector: FieldSelectorAttributes | None = None
    label_selector: LabelSelectorAttributes | None = None


class LabelSelectorAttributes(Value):
    raw_selector: str = ""
    requirements: Annotated[tuple[LabelSelectorRequirement, ...], merge(list_type="atomic")] = ()


class FieldSelectorAttributes(Value):
    raw_selector: str = ""
    requirements: Annotated[tuple[FieldSelectorRequirement, ...], merge(list_type="atomic")] = ()


class NonResourceAttributes(Value):
    path: str = ""
    verb: str = ""


class SelfSubjectRulesReviewSpec(Value):
    namespace: str = ""


class SubjectRulesReviewStatus(Value):
    resource_rules: Annotated[tuple[ResourceRule, ...], merge(list_type="atomic")] = ()
    non_resource_rules: Annotated[tuple[NonResourceRule, ...], merge(list_type="atomic")] = ()
    incomplete: bool = field(default_factory=bool)
    evaluation_error: str = ""


class SelfSubjectRulesReview(Object):
    api_version: ClassVar[str] = "authorization.k8s.io/v1"
    kind: ClassVar[str] = "SelfSubjectRulesReview"
    spec: SelfSubjectRulesReviewSpec = field(default_factory=SelfSubjectRulesReviewSpec)
    status: SubjectRulesReviewStatus = field(default_factory=SubjectRulesReviewStatus)


class ResourceRule(Value):
    verbs: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    api_groups: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    resources: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    resource_names: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()


class NonResourceRule(Value):
    verbs: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    non_resource_urls: Annotated[tuple[str, ...], merge(list_type="atomic")] = field(default=(), name="nonResourceURLs")
