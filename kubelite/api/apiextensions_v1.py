"""The typed objects of apiextensions.k8s.io/v1: every field of Kubernetes v1.33, as frozen values.

A table of types: no behaviour lives here; `api.meta` says how fields are declared and encoded.
Source: k8s.io/apiextensions-apiserver v0.33 pkg/apis/apiextensions/v1/types.go
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from msgspec import field

from kubelite.api.meta import Object, Time, Value, merge


class JSONSchemaProps(Value):
    id: str = ""
    schema_uri: str = field(default="", name="$schema")
    ref: str | None = field(default=None, name="$ref")
    description: str = ""
    type: str = ""
    format: str = ""
    title: str = ""
    default: Any = None
    maximum: int | float | None = None
    exclusive_maximum: bool = False
    minimum: int | float | None = None
    exclusive_minimum: bool = False
    max_length: int | None = None
    min_length: int | None = None
    pattern: str = ""
    max_items: int | None = None
    min_items: int | None = None
    unique_items: bool = False
    multiple_of: int | float | None = None
    enum: Annotated[tuple[Any, ...], merge(list_type="atomic")] = ()
    max_properties: int | None = None
    min_properties: int | None = None
    required: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    items: Any = None
    all_of: Annotated[tuple[JSONSchemaProps, ...], merge(list_type="atomic")] = ()
    one_of: Annotated[tuple[JSONSchemaProps, ...], merge(list_type="atomic")] = ()
    any_of: Annotated[tuple[JSONSchemaProps, ...], merge(list_type="atomic")] = ()
    not_: JSONSchemaProps | None = None
    properties: Mapping[str, JSONSchemaProps] = field(default_factory=dict)
    additional_properties: Any = None
    pattern_properties: Mapping[str, JSONSchemaProps] = field(default_factory=dict)
    dependencies: Mapping[str, Any] = field(default_factory=dict)
    additional_items: Any = None
    definitions: Mapping[str, JSONSchemaProps] = field(default_factory=dict)
    external_docs: ExternalDocumentation | None = None
    example: Any = None
    nullable: bool = False
    x_kubernetes_preserve_unknown_fields: bool | None = field(default=None, name="x-kubernetes-preserve-unknown-fields")
    x_kubernetes_embedded_resource: bool = field(default=False, name="x-kubernetes-embedded-resource")
    x_kubernetes_int_or_string: bool = field(default=False, name="x-kubernetes-int-or-string")
    x_kubernetes_list_map_keys: Annotated[tuple[str, ...], merge(list_type="atomic")] = field(
        default=(), name="x-kubernetes-list-map-keys"
    )
    x_kubernetes_list_type: str | None = field(default=None, name="x-kubernetes-list-type")
    x_kubernetes_map_type: str | None = field(default=None, name="x-kubernetes-map-type")
    x_kubernetes_validations: Annotated[
        tuple[ValidationRule, ...], merge(patch="merge", merge_key="rule", list_type="map", keys=("rule",))
    ] = field(default=(), name="x-kubernetes-validations")


class ValidationRule(Value):
    rule: str = field(default_factory=str)
    message: str = ""
    message_expression: str = ""
    reason: str | None = None
    field_path: str = ""
    optional_old_self: bool | None = None


class ExternalDocumentation(Value):
    description: str = ""
    url: str = ""


class CustomResourceDefinitionNames(Value):
    plural: str = field(default_factory=str)
    singular: str = ""
    short_names: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    kind: str = field(default_factory=str)
    list_kind: str = ""
    categories: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()


class CustomResourceDefinitionSpec(Value):
    group: str = field(default_factory=str)
    names: CustomResourceDefinitionNames = field(default_factory=CustomResourceDefinitionNames)
    scope: str = field(default_factory=str)
    versions: Annotated[tuple[CustomResourceDefinitionVersion, ...], merge(list_type="atomic")] = ()
    conversion: CustomResourceConversion | None = None
    preserve_unknown_fields: bool = False


class CustomResourceConversion(Value):
    strategy: str = field(default_factory=str)
    webhook: WebhookConversion | None = None


class WebhookConversion(Value):
    client_config: WebhookClientConfig | None = None
    conversion_review_versions: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()


class WebhookClientConfig(Value):
    url: str | None = None
    service: ServiceReference | None = None
    ca_bundle: bytes = b""


class ServiceReference(Value):
    namespace: str = field(default_factory=str)
    name: str = field(default_factory=str)
    path: str | None = None
    port: int | None = None


class CustomResourceDefinitionVersion(Value):
    name: str = field(default_factory=str)
    served: bool = field(default_factory=bool)
    storage: bool = field(default_factory=bool)
    deprecated: bool = False
    deprecation_warning: str | None = None
    schema: CustomResourceValidation | None = None
    subresources: CustomResourceSubresources | None = None
    additional_printer_columns: Annotated[tuple[CustomResourceColumnDefinition, ...], merge(list_type="atomic")] = ()
    selectable_fields: Annotated[tuple[SelectableField, ...], merge(list_type="atomic")] = ()


class SelectableField(Value):
    json_path: str = field(default_factory=str)


class CustomResourceColumnDefinition(Value):
    name: str = field(default_factory=str)
    type: str = field(default_factory=str)
    format: str = ""
    description: str = ""
    priority: int = 0
    json_path: str = field(default_factory=str)


class CustomResourceDefinitionCondition(Value):
    type: str = field(default_factory=str)
    status: str = field(default_factory=str)
    last_transition_time: Time | None = None
    reason: str = ""
    message: str = ""


class CustomResourceDefinitionStatus(Value):
    conditions: Annotated[tuple[CustomResourceDefinitionCondition, ...], merge(list_type="map", keys=("type",))] = ()
    accepted_names: CustomResourceDefinitionNames = field(default_factory=CustomResourceDefinitionNames)
    stored_versions: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()


class CustomResourceDefinition(Object):
    api_version: ClassVar[str] = "apiextensions.k8s.io/v1"
    kind: ClassVar[str] = "CustomResourceDefinition"
    spec: CustomResourceDefinitionSpec = field(default_factory=CustomResourceDefinitionSpec)
    status: CustomResourceDefinitionStatus = field(default_factory=CustomResourceDefinitionStatus)


class CustomResourceValidation(Value):
    open_apiv3_schema: JSONSchemaProps | None = field(default=None, name="openAPIV3Schema")


class CustomResourceSubresources(Value):
    status: Any = None
    scale: CustomResourceSubresourceScale | None = None


class CustomResourceSubresourceScale(Value):
    spec_replicas_path: str = field(default_factory=str)
    status_replicas_path: str = field(default_factory=str)
    label_selector_path: str | None = None
