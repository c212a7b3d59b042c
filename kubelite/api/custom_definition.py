"""What a CustomResourceDefinition says by default, and whether it may be stored. Pure.

Its schemas are judged by `custom_structural`.
What all versions say alike is reported where upstream's internal form keeps it: under spec, not under each version.
Source: k8s.io/apiextensions-apiserver v0.33 pkg/apis/apiextensions/{v1/defaults.go,v1/conversion.go,validation/validation.go}
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from kubelite.api import apiextensions_v1 as apiextensions
from kubelite.api.custom import holds, plain_schema
from kubelite.api.custom_structural import at_field, check_schema, has_defaults
from kubelite.api.errors import BadRequest, FieldError
from kubelite.api.validation_field import (
    Errors,
    Format,
    dns1035_label,
    dns_subdomain,
    duplicate,
    forbidden,
    immutable,
    invalid,
    not_supported,
    required,
)

Crd = apiextensions.CustomResourceDefinition
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_REVIEWS = ("v1", "v1beta1")
_MAX_SELECTABLE = 8
_APPROVED = "api-approved.kubernetes.io"
_PROTECTED = re.compile(r"(.*\.)?(k8s|kubernetes)\.io")
_BYPASS = "unapproved"


def default_definition(crd: Crd) -> Crd:
    """Raises: BadRequest for a schema that is none, where its type leaves open what it is."""
    spec = crd.spec
    for version in spec.versions:
        if version.schema is not None and version.schema.open_apiv3_schema is not None:
            _check_parts(version.schema.open_apiv3_schema)
    names = replace(
        spec.names,
        singular=spec.names.singular or spec.names.kind.lower(),
        list_kind=spec.names.list_kind or (f"{spec.names.kind}List" if spec.names.kind else ""),
    )
    conversion = spec.conversion or apiextensions.CustomResourceConversion(strategy="None")
    webhook = conversion.webhook
    if webhook and webhook.client_config and (service := webhook.client_config.service) and service.port is None:
        client = replace(webhook.client_config, service=replace(service, port=443))
        conversion = replace(conversion, webhook=replace(webhook, client_config=client))
    status = crd.status
    if not status.stored_versions:
        status = replace(status, stored_versions=tuple(item.name for item in spec.versions if item.storage)[:1])
    return replace(crd, spec=replace(spec, names=names, conversion=conversion), status=status)


def _check_parts(schema: apiextensions.JSONSchemaProps) -> None:
    parts = [*schema.properties.values(), *schema.all_of, *schema.any_of, *schema.one_of]
    if schema.not_ is not None:
        parts.append(schema.not_)
    loose = [item for item in (schema.items, schema.additional_properties) if not isinstance(item, bool | None)]
    for item in loose:
        try:
            parts += msgspec.convert(item if isinstance(item, list) else [item], list[apiextensions.JSONSchemaProps])
        except msgspec.ValidationError as error:
            what = 'CustomResourceDefinition in version "v1" cannot be handled as a CustomResourceDefinition'
            raise BadRequest(f"{what}: {error}") from None
    for part in parts:
        _check_parts(part)


def validate_definition(crd: Crd) -> Errors:
    names = crd.spec.names
    found: Errors = []
    if crd.metadata.name != f"{names.plural}.{crd.spec.group}":
        found.append(invalid("metadata.name", crd.metadata.name, 'must be spec.names.plural+"."+spec.group'))
    return (
        found + _spec(crd) + _stored(crd) + _names(crd.status.accepted_names, "status.acceptedNames") + _approval(crd)
    )


def validate_definition_update(new: Crd, old: Crd) -> Errors:
    found = _spec(new)
    if holds(old, "Established"):
        found += immutable("spec.scope", new.spec.scope, old.spec.scope)
        found += immutable("spec.names.kind", new.spec.names.kind, old.spec.names.kind)
    found += immutable("spec.group", new.spec.group, old.spec.group)
    found += immutable("spec.names.plural", new.spec.names.plural, old.spec.names.plural)
    found += _names(new.status.accepted_names, "status.acceptedNames") + _stored(new)
    is_same = new.metadata.annotations.get(_APPROVED) == old.metadata.annotations.get(_APPROVED)
    return found if is_same else found + _approval(new)


def validate_definition_status(new: Crd, old: Crd) -> Errors:
    return _names(new.status.accepted_names, "status.acceptedNames")


def _spec(crd: Crd) -> Errors:
    spec = crd.spec
    found: Errors = []
    if not spec.group:
        found.append(required("spec.group"))
    elif problems := dns_subdomain(spec.group):
        found.append(invalid("spec.group", spec.group, ",".join(problems)))
    elif "." not in spec.group:
        found.append(invalid("spec.group", spec.group, "should be a domain with at least one dot"))
    if not spec.scope:
        found.append(required("spec.scope"))
    elif spec.scope not in ("Cluster", "Namespaced"):
        found.append(not_supported("spec.scope", spec.scope, ("Cluster", "Namespaced")))
    found += _versions(crd)
    for name in ("plural", "singular", "kind", "list_kind"):
        if not getattr(spec.names, name):
            found.append(required(f"spec.names.{name.replace('_k', 'K')}"))
    found += _names(spec.names, "spec.names")
    found += _conversion(spec.conversion) if spec.conversion else []
    if spec.preserve_unknown_fields:
        why = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        found.append(invalid("spec.preserveUnknownFields", True, why))
        if any(has_defaults(_schema(item)) for item in spec.versions):
            found.append(
                invalid("spec.preserveUnknownFields", True, "must be false in order to use defaults in the schema")
            )
    return found


def _schema(version: apiextensions.CustomResourceDefinitionVersion) -> dict[str, Any]:
    return plain_schema(version.schema.open_apiv3_schema if version.schema else None)


def _same(values: Sequence[Any]) -> bool:
    """Whether all versions say the same, and say something."""
    return bool(values) and all(value and value == values[0] for value in values)


def _versions(crd: Crd) -> Errors:
    versions = crd.spec.versions
    found: Errors = []
    shared = {
        "schema": _same([item.schema for item in versions]),
        "subresources": _same([item.subresources for item in versions]),
        "columns": _same([item.additional_printer_columns for item in versions]),
        "selectable": _same([item.selectable_fields for item in versions]),
    }
    for index, version in enumerate(versions):
        at = f"spec.versions[{index}]"
        if version.schema is None or version.schema.open_apiv3_schema is None:
            found.append(required(f"{at}.schema.openAPIV3Schema", "schemas are required"))
        found += (
            [invalid(f"{at}.name", version.name, ",".join(problems))]
            if (problems := dns1035_label(version.name))
            else []
        )
        found += _deprecation(version, at)

        def place(name: str, own: str, common: str, first: bool = index == 0, at: str = at) -> str:
            return f"{at}.{own}" if not shared[name] else f"spec.{common}" if first else ""

        found += _version(version, place)
    if len({item.name for item in versions}) != len(versions):
        found.append(invalid("spec.versions", _shown(versions), "must contain unique version names"))
    if sum(item.storage for item in versions) != 1:
        found.append(
            invalid("spec.versions", _shown(versions), "must have exactly one version marked as storage version")
        )
    return found


def _shown(versions: Sequence[apiextensions.CustomResourceDefinitionVersion]) -> list[Any]:
    return list(versions)


def _version(version: apiextensions.CustomResourceDefinitionVersion, place: Any) -> Errors:
    found: Errors = []
    schema = _schema(version)
    has_status = version.subresources is not None and version.subresources.status is not None
    if schema and (at := place("schema", "schema", "validation")):
        found += check_schema(schema, f"{at}.openAPIV3Schema", has_status=has_status)
    if version.subresources and version.subresources.scale and (at := place("subresources", *["subresources"] * 2)):
        found += _scale(version.subresources.scale, f"{at}.scale")
    if at := place("columns", *["additionalPrinterColumns"] * 2):
        for index, column in enumerate(version.additional_printer_columns):
            found += _column(column, f"{at}[{index}]")
    if at := place("selectable", *["selectableFields"] * 2):
        found += _selectable([item.json_path for item in version.selectable_fields], schema, at)
    return found


def _deprecation(version: apiextensions.CustomResourceDefinitionVersion, at: str) -> Errors:
    warning = version.deprecation_warning
    if warning is None:
        return []
    problems = []
    if not version.deprecated:
        problems.append("can only be set for deprecated versions")
    if len(warning) > 256:
        problems.append("must be <= 256 characters long")
    if not warning:
        problems.append("must not be an empty string")
    if not warning.isprintable():
        where = next(index for index, char in enumerate(warning) if not char.isprintable())
        text = "must only contain printable UTF-8 characters; non-printable character found at index"
        problems.append(f"{text} {where}")
    return [invalid(f"{at}.deprecationWarning", warning, problem) for problem in problems]


def _scale(scale: apiextensions.CustomResourceSubresourceScale, at: str) -> Errors:
    found: Errors = []
    for name, value, roots in (
        ("specReplicasPath", scale.spec_replicas_path, (".spec.",)),
        ("statusReplicasPath", scale.status_replicas_path, (".status.",)),
        ("labelSelectorPath", scale.label_selector_path or "", (".spec.", ".status.")),
    ):
        if not value:
            found += [required(f"{at}.{name}")] if name != "labelSelectorPath" else []
        elif not value.startswith("."):
            found.append(invalid(f"{at}.{name}", value, "must be a simple json path starting with ."))
        elif not value.startswith(roots):
            under = "either .spec or .status" if len(roots) > 1 else roots[0].rstrip(".")
            found.append(invalid(f"{at}.{name}", value, f"should be a json path under {under}"))
    return found


def _column(column: apiextensions.CustomResourceColumnDefinition, at: str) -> Errors:
    found: Errors = []
    if not column.name:
        found.append(required(f"{at}.name"))
    types, formats = f"must be one of {','.join(_COLUMN_TYPES)}", f"must be one of {','.join(_COLUMN_FORMATS)}"
    if not column.type:
        found.append(required(f"{at}.type", types))
    elif column.type not in _COLUMN_TYPES:
        found.append(invalid(f"{at}.type", column.type, types))
    if column.format and column.format not in _COLUMN_FORMATS:
        found.append(invalid(f"{at}.format", column.format, formats))
    if not column.json_path:
        found.append(required(f"{at}.JSONPath"))
    elif not column.json_path.startswith("."):
        found.append(invalid(f"{at}.JSONPath", column.json_path, "must be a simple json path starting with ."))
    return found


def _selectable(paths: Sequence[str], schema: dict[str, Any], at: str) -> Errors:
    found: Errors = []
    for index, path in enumerate(paths):
        where = f"{at}[{index}].jsonPath"
        if not path:
            found.append(required(where))
            continue
        part = at_field(schema, path)
        if part is None:
            found.append(invalid(where, path, "is an invalid path: does not refer to a valid field"))
            continue
        if path.startswith(".metadata"):
            found.append(invalid(where, path, "must not point to fields in metadata"))
        if part.get("type") not in ("string", "boolean", "integer"):
            why = "must point to a field of type string, boolean or integer. "
            found.append(invalid(where, path, f"{why}Enum string fields and strings with formats are allowed."))
        if path in paths[:index]:
            found.append(duplicate(where, path))
    if len(set(paths)) > _MAX_SELECTABLE:
        text = f"Too many: {len(set(paths))}: must have at most {_MAX_SELECTABLE} items"
        found.append(FieldError("FieldValueTooMany", at, text))
    return found


def _names(names: apiextensions.CustomResourceDefinitionNames, at: str) -> Errors:
    def check(path: str, value: str, why: str = "", format_: Format = dns1035_label) -> Errors:
        problems = format_(value.lower() if why else value) if value else []
        return [invalid(f"{at}.{path}", value, why + ",".join(problems))] if problems else []

    mixed = "may have mixed case, but should otherwise match: "
    found = check("plural", names.plural) + check("singular", names.singular)
    found += check("kind", names.kind, mixed) + check("listKind", names.list_kind, mixed)
    for index, name in enumerate(names.short_names):
        found += check(f"shortNames[{index}]", name)
    if names.kind and names.kind == names.list_kind:
        found.append(invalid(f"{at}.listKind", names.list_kind, "kind and listKind may not be the same"))
    for index, name in enumerate(names.categories):
        found += check(f"categories[{index}]", name)
    return found


def _stored(crd: Crd) -> Errors:
    stored, at = list(crd.status.stored_versions), "status.storedVersions"
    if not stored:
        return [invalid(at, stored, "must have at least one stored version")]
    names = {item.name for item in crd.spec.versions}
    found = [
        invalid(at, stored, f"must have the storage version {item.name}")
        for item in crd.spec.versions
        if item.storage and item.name not in stored
    ]
    for index, name in enumerate(stored):
        if name not in names:
            why = f"missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions "
            why += f"until a storage migration ensures no data remains persisted in {name} and removes {name} from "
            found.append(invalid(f"{at}[{index}]", name, f"{why}status.storedVersions"))
    return found


def _conversion(conversion: apiextensions.CustomResourceConversion) -> Errors:
    at, webhook = "spec.conversion", conversion.webhook
    client = webhook.client_config if webhook else None
    versions = webhook.conversion_review_versions if webhook else ()
    if conversion.strategy not in ("None", "Webhook"):
        if not conversion.strategy:
            return [required(f"{at}.strategy")]
        return [not_supported(f"{at}.strategy", conversion.strategy, ("None", "Webhook"))]
    if conversion.strategy == "None":
        why = "should not be set when strategy is not set to Webhook"
        found = [forbidden(f"{at}.webhookClientConfig", why)] if client else []
        return [*found, forbidden(f"{at}.conversionReviewVersions", why)] if versions else found
    found = []
    if client is None:
        found.append(required(f"{at}.webhookClientConfig", "required when strategy is set to Webhook"))
    elif (client.url is None) == (client.service is None):
        found.append(required(f"{at}.webhookClientConfig", "exactly one of url or service is required"))
    elif client.url is not None and not client.url.startswith("https://"):
        why = "'https' is the only allowed URL scheme; desired format: https://host[/path]"
        found.append(invalid(f"{at}.webhookClientConfig.url", client.url.partition(":")[0], why))
    elif client.service is not None:
        for name in ("name", "namespace"):
            if not getattr(client.service, name):
                found.append(required(f"{at}.webhookClientConfig.service.{name}", f"service {name} is required"))
    if not versions:
        found.append(required(f"{at}.conversionReviewVersions"))
    elif not set(versions) & set(_REVIEWS):
        why = f"must include at least one of {', '.join(_REVIEWS)}"
        found.append(invalid(f"{at}.conversionReviewVersions", list(versions), why))
    return found


def _approval(crd: Crd) -> Errors:
    """Groups of the Kubernetes project need a note on who approved the kind."""
    if not _PROTECTED.fullmatch(crd.spec.group):
        return []
    at, note = f"metadata.annotations[{_APPROVED}]", crd.metadata.annotations.get(_APPROVED, "")
    if not note:
        why = "protected groups must have approval annotation "
        return [required(at, f'{why}"{_APPROVED}", see https://github.com/kubernetes/enhancements/pull/1111')]
    if note.startswith((_BYPASS, "https://", "http://")):
        return []
    why = f'protected groups must have approval annotation "{_APPROVED}" with either a URL or a reason starting with '
    return [invalid(at, note, f'{why}"unapproved", see https://github.com/kubernetes/enhancements/pull/1111')]
