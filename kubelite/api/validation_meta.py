"""What must hold of every object's metadata, of labels and of selectors.

Source: k8s.io/apimachinery v0.33 pkg/api/validation/objectmeta.go and pkg/apis/meta/v1/validation/validation.go
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from kubelite.api.errors import FieldError
from kubelite.api.meta import DeleteOptions, LabelSelector, ObjectMeta, OwnerReference
from kubelite.api.validation_field import (
    IMMUTABLE,
    Errors,
    Format,
    dns_label,
    forbidden,
    formatted,
    immutable,
    invalid,
    label_value,
    non_negative,
    not_supported,
    qualified_name,
    required,
    too_long,
)

_ANNOTATIONS_LIMIT_BYTES = 256 * 1024
_POLICIES = ("Foreground", "Background", "Orphan")


def validate_metadata(meta: ObjectMeta, *, namespaced: bool, name_format: Format, path: str = "metadata") -> Errors:
    """An object's metadata at creation, its name already generated."""
    found: Errors = []
    if meta.generate_name:  # what is generated replaces a trailing dash
        prefix = meta.generate_name[:-1] + "a" if meta.generate_name.endswith("-") else meta.generate_name
        found += [invalid(f"{path}.generateName", meta.generate_name, text) for text in name_format(prefix)]
    if not meta.name:
        found.append(required(f"{path}.name", "name or generateName is required"))
    else:
        found += formatted(f"{path}.name", meta.name, name_format)
    if namespaced and not meta.namespace:
        found.append(required(f"{path}.namespace"))
    elif namespaced:
        found += formatted(f"{path}.namespace", meta.namespace, dns_label)
    elif meta.namespace:
        found.append(forbidden(f"{path}.namespace", "not allowed on this type"))
    found += non_negative(f"{path}.generation", meta.generation)
    found += _common(meta, path)
    if meta.finalizers:
        found += validate_finalizers(meta.finalizers, f"{path}.finalizers")
    return found


def validate_metadata_update(new: ObjectMeta, old: ObjectMeta, path: str = "metadata") -> Errors:
    found: Errors = []
    if old.deletion_timestamp is not None and (extra := sorted(set(new.finalizers) - set(old.finalizers))):
        listed = ", ".join(f'"{name}"' for name in extra)
        why = "no new finalizers can be added if the object is being deleted, found new finalizers "
        found.append(forbidden(f"{path}.finalizers", f"{why}[]string{{{listed}}}"))
    if new.generation < old.generation:
        found.append(invalid(f"{path}.generation", new.generation, "must not be decremented"))
    found += immutable(f"{path}.name", new.name, old.name)
    found += immutable(f"{path}.namespace", new.namespace, old.namespace)
    found += immutable(f"{path}.uid", new.uid, old.uid)
    found += immutable(f"{path}.creationTimestamp", new.creation_timestamp, old.creation_timestamp)
    if new.deletion_timestamp != old.deletion_timestamp:
        found.append(_time_changed(f"{path}.deletionTimestamp", new.deletion_timestamp))
    grace = f"{path}.deletionGracePeriodSeconds"
    found += immutable(grace, new.deletion_grace_period_seconds, old.deletion_grace_period_seconds)
    return found + _common(new, path)


def _time_changed(path: str, time: str | None) -> FieldError:
    """Times are printed as Go prints them."""
    shown = "null" if time is None else time.replace("T", " ").replace("Z", " +0000 UTC")
    return FieldError("FieldValueInvalid", path, f"Invalid value: {shown}: {IMMUTABLE}")


def _common(meta: ObjectMeta, path: str) -> Errors:
    found: Errors = []
    if meta.labels:
        found += validate_labels(meta.labels, f"{path}.labels")
    if meta.annotations:
        found += validate_annotations(meta.annotations, f"{path}.annotations")
    if meta.owner_references:
        found += _owner_references(meta.owner_references, f"{path}.ownerReferences")
    for index, entry in enumerate(meta.managed_fields):
        if entry.operation not in ("Apply", "Update"):
            at = f"{path}.managedFields[{index}].operation"
            found.append(invalid(at, entry.operation, "must be `Apply` or `Update`"))
        if entry.fields_type not in ("", "FieldsV1"):
            found.append(invalid(f"{path}.managedFields[{index}].fieldsType", entry.fields_type, "must be `FieldsV1`"))
    return found


def validate_labels(labels: Mapping[str, str], path: str) -> Errors:
    found: Errors = []
    for key, value in labels.items():
        if not _is_label(key, value):
            found += formatted(path, key, qualified_name)
            found += formatted(path, value, label_value)
    return found


@lru_cache(maxsize=8192)  # the same few come with every write of every object
def _is_label(key: str, value: str) -> bool:
    return not qualified_name(key) and not label_value(value)


def validate_annotations(annotations: Mapping[str, str], path: str) -> Errors:
    found: Errors = []
    size_bytes = 0
    for key, value in annotations.items():
        size_bytes += len(key) + len(value)
        found += [invalid(path, key, text) for text in qualified_name(key.lower())]
    if size_bytes > _ANNOTATIONS_LIMIT_BYTES:
        found.append(too_long(path, _ANNOTATIONS_LIMIT_BYTES))
    return found


def _owner_references(owners: tuple[OwnerReference, ...], path: str) -> Errors:
    found: Errors = []
    controller = ""
    for owner in owners:
        if not owner.api_version.rpartition("/")[2]:
            found.append(invalid(f"{path}.apiVersion", owner.api_version, "version must not be empty"))
        for name, value in (("kind", owner.kind), ("name", owner.name), ("uid", owner.uid)):
            if not value:
                found.append(invalid(f"{path}.{name}", "", f"{name} must not be empty"))
        if (owner.api_version, owner.kind) == ("v1", "Event"):
            found.append(invalid(path, owner, "/v1, Kind=Event is disallowed from being an owner"))
        if owner.controller:
            this = f"{owner.kind}/{owner.name}"
            if controller:
                text = 'Only one reference can have Controller set to true. Found "true" in references for '
                found.append(invalid(path, owners, f"{text}{controller} and {this}"))
            else:
                controller = this
    return found


def validate_finalizers(finalizers: tuple[str, ...], path: str) -> Errors:
    found: Errors = []
    for name in finalizers:
        found += formatted(path, name, qualified_name)
    if {"orphan", "foregroundDeletion"} <= set(finalizers):
        found.append(invalid(path, finalizers, "finalizer orphan and foregroundDeletion cannot be both set"))
    return found


def validate_selector(selector: LabelSelector | None, path: str) -> Errors:
    """A label selector of a spec."""
    if selector is None:
        return []
    found = validate_labels(selector.match_labels, f"{path}.matchLabels")
    for index, term in enumerate(selector.match_expressions):
        at = f"{path}.matchExpressions[{index}]"
        if term.operator in ("In", "NotIn"):
            if not term.values:
                found.append(required(f"{at}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
        elif term.operator in ("Exists", "DoesNotExist"):
            if term.values:
                why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                found.append(forbidden(f"{at}.values", why))
        else:
            found.append(invalid(f"{at}.operator", term.operator, "not a valid selector operator"))
        found += formatted(f"{at}.key", term.key, qualified_name)
        for number, value in enumerate(term.values):
            found += formatted(f"{at}.values[{number}]", value, label_value)
    return found


def validate_delete_options(options: DeleteOptions) -> list[FieldError]:
    found: Errors = []
    policy = options.propagation_policy
    if options.orphan_dependents is not None and policy is not None:
        found.append(
            invalid("propagationPolicy", policy, "orphanDependents and deletionPropagation cannot be both set")
        )
    if policy is not None and policy not in _POLICIES:
        found.append(not_supported("propagationPolicy", policy, (*_POLICIES, "nil")))
    if any(value != "All" for value in options.dry_run):
        found.append(not_supported("dryRun", options.dry_run, ("All",)))
    return found
