"""The typed objects of rbac.authorization.k8s.io/v1: every field of Kubernetes v1.33, as frozen values.

A table of types: no behaviour lives here; `api.meta` says how fields are declared and encoded.
Source: k8s.io/api v0.33 rbac/v1/types.go
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import field

from kubelite.api.meta import LabelSelector, Object, Value, merge


class PolicyRule(Value):
    verbs: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    api_groups: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    resources: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    resource_names: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    non_resource_urls: Annotated[tuple[str, ...], merge(list_type="atomic")] = field(default=(), name="nonResourceURLs")


class Subject(Value):
    kind: str = field(default_factory=str)
    api_group: str = ""
    name: str = field(default_factory=str)
    namespace: str = ""


class RoleRef(Value):
    api_group: str = field(default_factory=str)
    kind: str = field(default_factory=str)
    name: str = field(default_factory=str)


class Role(Object):
    api_version: ClassVar[str] = "rbac.authorization.k8s.io/v1"
    kind: ClassVar[str] = "Role"
    rules: Annotated[tuple[PolicyRule, ...], merge(list_type="atomic")] = ()


class RoleBinding(Object):
    api_version: ClassVar[str] = "rbac.authorization.k8s.io/v1"
    kind: ClassVar[str] = "RoleBinding"
    subjects: Annotated[tuple[Subject, ...], merge(list_type="atomic")] = ()
    role_ref: RoleRef = field(default_factory=RoleRef)


class ClusterRole(Object):
    api_version: ClassVar[str] = "rbac.authorization.k8s.io/v1"
    kind: ClassVar[str] = "ClusterRole"
    rules: Annotated[tuple[PolicyRule, ...], merge(list_type="atomic")] = ()
    aggregation_rule: AggregationRule | None = None


class AggregationRule(Value):
    cluster_role_selectors: Annotated[tuple[LabelSelector, ...], merge(list_type="atomic")] = ()


class ClusterRoleBinding(Object):
    api_version: ClassVar[str] = "rbac.authorization.k8s.io/v1"
    kind: ClassVar[str] = "ClusterRoleBinding"
    subjects: Annotated[tuple[Subject, ...], merge(list_type="atomic")] = ()
    role_ref: RoleRef = field(default_factory=RoleRef)
