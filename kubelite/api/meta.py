"""What all objects share: metadata, references, conditions, selectors, Status; every field of Kubernetes v1.33.

Objects are frozen values. A class knows its own `api_version` and `kind`; they are no fields, so that the stored encoding
starts with `{"metadata":{` and the codec splices kind, apiVersion and resourceVersion in front without decoding.
A field that Go omits when empty has its zero value as the default and is left out of the encoding; one that Go always writes
has a `default_factory`. Source: k8s.io/apimachinery v0.33 pkg/apis/meta/v1/types.go
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, dataclass_transform

import msgspec
from msgspec import Struct, field

#: RFC 3339, whole seconds, e.g. 2026-01-02T03:04:05Z
Time: TypeAlias = str
#: RFC 3339 with microseconds
MicroTime: TypeAlias = str
#: A resource quantity such as "100m" or "1Gi"; numbers are accepted and made canonical by `api.defaults`.
Quantity: TypeAlias = str | int | float
IntOrString: TypeAlias = int | str


class Merge(Struct, frozen=True, kw_only=True):
    """How patches merge a field. Source: the patchStrategy tags and list/map type markers of the Go types."""

    patch: str = ""
    merge_key: str = ""
    list_type: Literal["", "atomic", "set", "map"] = ""
    keys: tuple[str, ...] = ()
    map_type: Literal["", "atomic", "granular"] = ""


def merge(
    *,
    patch: str = "",
    merge_key: str = "",
    list_type: Literal["", "atomic", "set", "map"] = "",
    keys: tuple[str, ...] = (),
    map_type: Literal["", "atomic", "granular"] = "",
) -> msgspec.Meta:
    """A field annotation that carries `Merge`, read by `api.patch`."""
    rules = Merge(patch=patch, merge_key=merge_key, list_type=list_type, keys=keys, map_type=map_type)
    return msgspec.Meta(extra={"merge": rules})


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(field,))
class Value(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", gc=False):
    """Part of an object."""


class TypedValue(Value):
    """A value that a request or answer carries by itself."""

    api_version: ClassVar[str]
    kind: ClassVar[str]


class OwnerReference(Value):
    api_version: str = field(default_factory=str)
    kind: str = field(default_factory=str)
    name: str = field(default_factory=str)
    uid: str = field(default_factory=str)
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ManagedFieldsEntry(Value):
    manager: str = ""
    operation: str = ""
    api_version: str = ""
    time: Time | None = None
    fields_type: str = ""
    fields_v1: Any = None
    subresource: str = ""


class ObjectMeta(Value):
    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    self_link: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    deletion_grace_period_seconds: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    owner_references: Annotated[
        tuple[OwnerReference, ...], merge(patch="merge", merge_key="uid", list_type="map", keys=("uid",))
    ] = ()
    finalizers: Annotated[tuple[str, ...], merge(patch="merge", list_type="set")] = ()
    managed_fields: Annotated[tuple[ManagedFieldsEntry, ...], merge(list_type="atomic")] = ()


class Object(TypedValue):
    """Something stored under a name: every kind of the API is one."""

    items_have_kind: ClassVar[bool] = False  #: whether items of a list say their kind and apiVersion

    metadata: ObjectMeta = field(default_factory=ObjectMeta)


class LabelSelectorRequirement(Value):
    key: str = field(default_factory=str)
    operator: str = field(default_factory=str)
    values: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()


class LabelSelector(Value):
    match_labels: Mapping[str, str] = field(default_factory=dict)
    match_expressions: Annotated[tuple[LabelSelectorRequirement, ...], merge(list_type="atomic")] = ()


class FieldSelectorRequirement(Value):
    key: str = field(default_factory=str)
    operator: str = field(default_factory=str)
    values: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()


class Condition(Value):
    type: str = field(default_factory=str)
    status: str = field(default_factory=str)
    observed_generation: int = 0
    last_transition_time: Time | None = None
    reason: str = field(default_factory=str)
    message: str = field(default_factory=str)


class Preconditions(Value):
    uid: str | None = None
    resource_version: str | None = None


class DeleteOptions(TypedValue):
    api_version: ClassVar[str] = "v1"
    kind: ClassVar[str] = "DeleteOptions"
    grace_period_seconds: int | None = None
    preconditions: Preconditions | None = None
    orphan_dependents: bool | None = None
    propagation_policy: str | None = None
    dry_run: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    ignore_store_read_error_with_cluster_breaking_potential: bool | None = None


class StatusCause(Value):
    reason: str = ""
    message: str = ""
    field: str = ""  # last: from here on the name hides msgspec.field in this class


class StatusDetails(Value):
    name: str = ""
    group: str = ""
    kind: str = ""
    uid: str = ""
    causes: Annotated[tuple[StatusCause, ...], merge(list_type="atomic")] = ()
    retry_after_seconds: int = 0


class ListMeta(Value):
    self_link: str = ""
    resource_version: str = ""
    continue_: str = field(default="", name="continue")
    remaining_item_count: int | None = None


class Status(TypedValue):
    """The answer of a request that has no object to answer with."""

    api_version: ClassVar[str] = "v1"
    kind: ClassVar[str] = "Status"
    metadata: ListMeta = field(default_factory=ListMeta)
    status: str = ""
    message: str = ""
    reason: str = ""
    details: StatusDetails | None = None
    code: int = 0


def controller_of(metadata: ObjectMeta) -> OwnerReference | None:
    """The owner that manages the object, if any."""
    return next((owner for owner in metadata.owner_references if owner.controller), None)


def controlled_by(owner: Object) -> OwnerReference:
    """A reference that makes `owner` the managing controller of an object; its deletion waits for that of the object."""
    return OwnerReference(
        api_version=owner.api_version,
        kind=owner.kind,
        name=owner.metadata.name,
        uid=owner.metadata.uid,
        controller=True,
        block_owner_deletion=True,
    )
