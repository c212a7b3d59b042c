"""Custom kinds: what a CustomResourceDefinition makes of a name, as a class of objects like any other kind. Pure.

A class is made per served version and lives as long as its definition; a changed definition is put into the class it has, so
that caches, informers and programs keep their type. An object is its metadata and its content: everything beside kind,
apiVersion and metadata as plain data, not to be changed in place. What the content may be is in `custom_schema` (form) and
`custom_validation` (values, and the schema's rules by `custom_rules`).
Source: k8s.io/apiextensions-apiserver v0.33 pkg/apiserver/customresource_handler.go
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import msgspec
from msgspec import Struct, field

from kubelite.api import apiextensions_v1 as apiextensions
from kubelite.api.custom_shapes import fields_of_schema
from kubelite.api.errors import BadRequest, FieldError, invalid
from kubelite.api.meta import Merge, Object, ObjectMeta
from kubelite.api.shapes import Field, shape_of

Schema = Mapping[str, Any]
_METADATA = Field("metadata", shape_of(ObjectMeta), Merge(), is_pointer=False)


class Definition(Struct, frozen=True, kw_only=True):
    """One version of a custom kind. `schema` is plain OpenAPI; `etag` changes with whatever clients can see of the version."""

    group: str
    version: str
    kind: str
    list_kind: str
    schema: Schema
    preserve_unknown_fields: bool = False
    has_rules: bool = False  #: the schema has rules of its own (CEL)
    has_status: bool = False
    scale: apiextensions.CustomResourceSubresourceScale | None = None
    columns: tuple[apiextensions.CustomResourceColumnDefinition, ...] = ()
    selectable_fields: tuple[str, ...] = ()
    is_served: bool = True
    is_stored: bool = False  #: this version is what the store keeps
    stored_version: str = ""  #: the one that is
    first_version: str = ""  #: that of objects that do not say in which they were stored
    has_versions: bool = False  #: there are others, so that stored objects say it
    conversion: apiextensions.WebhookConversion | None = None  #: who makes one version of another
    is_terminating: bool = False
    warning: str = ""  #: told to whoever uses the version
    etag: str = ""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}"


class CustomObject(Object):
    """An object of a custom kind. `spec` and `status` are views of its content."""

    api_version: ClassVar[str] = ""
    kind: ClassVar[str] = ""
    definition: ClassVar[Definition]
    fields: ClassVar[Mapping[str, Field]]
    items_have_kind: ClassVar[bool] = True

    content: Mapping[str, Any] = field(default_factory=dict)

    @property
    def spec(self) -> Any:
        return self.content.get("spec", {})

    @property
    def status(self) -> Any:
        return self.content.get("status", {})

    @classmethod
    def declared_fields(cls) -> Mapping[str, Field]:
        """The fields by JSON name, as patches and managers see them."""
        return cls.fields


def make_type(definition: Definition) -> type[CustomObject]:
    """A class for objects of a version."""
    made: Any = msgspec.defstruct(
        definition.kind,
        [],
        bases=(CustomObject,),
        namespace={"api_version": definition.api_version, "kind": definition.kind},
        module=__name__,
        frozen=True,
        kw_only=True,
        omit_defaults=True,
        gc=False,
    )
    type_: type[CustomObject] = made
    define(type_, definition)
    return type_


def define(type_: type[CustomObject], definition: Definition) -> None:
    """Gives a class its present definition."""
    type_.definition = definition
    type_.fields = {**fields_of_schema(definition.schema), "metadata": _METADATA}


def definitions_of(crd: apiextensions.CustomResourceDefinition) -> Iterator[Definition]:
    """The versions of a definition by the names that were accepted."""
    spec, names = crd.spec, crd.status.accepted_names
    is_terminating = any(item.type == "Terminating" and item.status == "True" for item in crd.status.conditions)
    has_webhook = spec.conversion is not None and spec.conversion.strategy == "Webhook"
    stored = next((version.name for version in spec.versions if version.storage), "")
    import hashlib

    for version in spec.versions:
        schema: Any = plain_schema(version.schema.open_apiv3_schema if version.schema else None)
        subresources = version.subresources
        yield Definition(
            group=spec.group,
            version=version.name,
            kind=names.kind,
            list_kind=names.list_kind,
            schema=schema,
            has_rules=has_rules(schema),
            preserve_unknown_fields=spec.preserve_unknown_fields,
            has_status=subresources is not None and subresources.status is not None,
            scale=subresources.scale if subresources else None,
            columns=version.additional_printer_columns,
            selectable_fields=tuple(item.json_path for item in version.selectable_fields),
            is_served=version.served,
            is_stored=version.storage,
            stored_version=stored,
            first_version=next(iter(crd.status.stored_versions), stored),
            has_versions=len(spec.versions) > 1,
            conversion=spec.conversion.webhook if spec.conversion is not None and has_webhook else None,
            is_terminating=is_terminating,
            warning=_deprecation(version, spec),
            etag=hashlib.sha256(msgspec.json.encode(version)).hexdigest(),
        )


def holds(crd: apiextensions.CustomResourceDefinition, condition: str) -> bool:
    """Whether that condition of the definition is True."""
    return any(item.type == condition and item.status == "True" for item in crd.status.conditions)


def _deprecation(
    version: apiextensions.CustomResourceDefinitionVersion, spec: apiextensions.CustomResourceDefinitionSpec
) -> str:
    if not version.deprecated:
        return ""
    if version.deprecation_warning is not None:
        return version.deprecation_warning
    text = f"{spec.group}/{version.name} {spec.names.kind} is deprecated"
    rank = version_rank(version.name)
    newer = [
        item.name for item in spec.versions if item.served and not item.deprecated and version_rank(item.name) < rank
    ]
    return f"{text}; use {spec.group}/{min(newer, key=version_rank)} {spec.names.kind}" if newer else text


_VERSION = re.compile(r"v([0-9]+)(?:(alpha|beta)([0-9]+))?")


def version_rank(version: str) -> tuple[int, int, int, str]:
    """Sorts versions as clients prefer them: stable ones, beta, alpha, each with the newest first; other names last.

    >>> sorted(("v1", "v2beta1", "v10", "v1alpha1", "other"), key=version_rank)
    ['v10', 'v1', 'v2beta1', 'v1alpha1', 'other']

    Source: k8s.io/apimachinery pkg/version/helpers.go
    """
    if (match := _VERSION.fullmatch(version)) is None:
        return 3, 0, 0, version
    return {"": 0, "beta": 1, "alpha": 2}[match[2] or ""], -int(match[1]), -int(match[3] or 0), ""


def plain_schema(schema: apiextensions.JSONSchemaProps | None) -> dict[str, Any]:
    """A schema as plain data."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(schema)) if schema is not None else {}
    return plain


def has_rules(schema: Any) -> bool:
    """Whether a rule stands anywhere in the schema."""
    if isinstance(schema, dict):
        return bool(schema.get("x-kubernetes-validations")) or any(map(has_rules, schema.values()))
    return isinstance(schema, list) and any(map(has_rules, schema))


def check_head(type_: type[CustomObject], plain: Mapping[str, Any]) -> None:
    """What custom objects say of themselves is required, and refused in other words than that of built-in kinds.

    Raises: BadRequest, Invalid.
    """
    kind, api_version = plain.get("kind") or "", plain.get("apiVersion") or ""
    for name, value in (("Kind", kind), ("apiVersion", api_version)):
        if not value:
            shown = msgspec.json.encode(plain).decode()
            what = f'{type_.kind} in version "{type_.definition.version}" cannot be handled as a {type_.kind}'
            raise BadRequest(f"{what}: Object '{name}' is missing in '{shown}'")
    if api_version != type_.api_version:
        expected = f"does not match the expected API version ({type_.api_version})"
        raise BadRequest(f"the API version in the data ({api_version}) {expected}")
    if kind != type_.kind:
        metadata = plain.get("metadata")
        name = str(metadata.get("name") or "") if isinstance(metadata, dict) else ""
        problem = FieldError("FieldValueInvalid", "kind", f'Invalid value: "{kind}": must be {type_.kind}')
        raise invalid(type_.definition.group, str(kind), name, (problem,))


def at_path(content: Any, path: str) -> Any:
    """The value at a simple JSON path such as `.spec.replicas`; None if there is none.

    >>> at_path({"spec": {"size": 3}}, ".spec.size")
    3
    """
    for key in path.removeprefix(".").split("."):
        content = content.get(key) if isinstance(content, dict) else None
    return content
