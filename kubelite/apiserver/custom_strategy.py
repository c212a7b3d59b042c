"""What is set and kept when custom kinds and their objects are written, and the fields by which these are selected. Pure.

Source: k8s.io/apiextensions-apiserver v0.33 pkg/registry/customresource/{strategy,status_strategy}.go
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from kubelite.api.apiextensions_v1 import (
    CustomResourceDefinition as Crd,
    CustomResourceDefinitionStatus as CrdStatus,
)
from kubelite.api.custom import CustomObject, at_path
from kubelite.api.errors import MethodNotAllowed
from kubelite.api.meta import Object


def created_definition(crd: Crd) -> Crd:
    """A definition as it is to be created: only the server says what is accepted and stored."""
    stored = tuple(item.name for item in crd.spec.versions if item.storage)[:1]
    return replace(crd, status=CrdStatus(stored_versions=stored))


def updated_definition(new: Crd, old: Crd) -> Crd:
    """`new` with the storage version among those that may be in the store."""
    stored = new.status.stored_versions
    added = tuple(item.name for item in new.spec.versions if item.storage and item.name not in stored)[:1]
    return replace(new, status=replace(new.status, stored_versions=(*stored, *added))) if added else new


def check_creatable(type_: type[Object]) -> None:
    """Raises: MethodNotAllowed while the kind's definition is going."""
    if issubclass(type_, CustomObject) and type_.definition.is_terminating:
        raise MethodNotAllowed("create not allowed while custom resource definition is terminating")


def create_object(obj: CustomObject) -> CustomObject:
    """Where status is a subresource, a create does not set it."""
    return _with_status(obj, None) if type(obj).definition.has_status else obj


def update_object(new: CustomObject, old: CustomObject) -> CustomObject:
    """Where status is a subresource, an update leaves it as it is."""
    return _with_status(new, old.content.get("status")) if type(new).definition.has_status else new


def update_status(new: CustomObject, old: CustomObject) -> CustomObject:
    """`old` with the status of `new`, and who manages it."""
    metadata = replace(old.metadata, managed_fields=new.metadata.managed_fields, resource_version="")
    return replace(_with_status(old, new.content.get("status")), metadata=metadata)


def _with_status(obj: CustomObject, status: Any) -> CustomObject:
    if obj.content.get("status") == status:
        return obj
    content = {key: value for key, value in obj.content.items() if key != "status"}
    return replace(obj, content=content if status is None else {**content, "status": status})


def selectable_fields(type_: type[Object]) -> dict[str, Callable[[Any], str]]:
    """Field labels of a custom kind, beside name and namespace, and their values."""
    if not issubclass(type_, CustomObject):
        return {}

    def field(path: str) -> Callable[[Any], str]:
        return lambda obj: _label(at_path(obj.content, path))

    return {path.removeprefix("."): field(path) for path in type_.definition.selectable_fields}


def _label(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
