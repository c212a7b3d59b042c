"""PATCH bodies applied to an object's plain data: JSON Patch, JSON Merge Patch; strategic ones by `patch_strategic`. Pure.

Nothing given is changed. Server-side apply is decided by `apply`. Source: RFC 6902, RFC 7386, evanphx/json-patch v4 (which
lets "replace" and "copy" name absent keys), k8s.io/apiserver pkg/endpoints/handlers/patch.go
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from kubelite.api import json_text
from kubelite.api.errors import BadRequest, Invalid, RequestEntityTooLarge
from kubelite.api.meta import StatusDetails, TypedValue
from kubelite.api.patch_strategic import merge_strategic

PatchType = Literal["json", "merge", "strategic"]

_MAX_OPERATIONS = 10_000
_REFUSED = "the server rejected our request due to an error in our request"


def parse_patch(type_: Literal["json", "merge", "strategic", "apply"], body: bytes) -> Any:
    """The body of a PATCH as plain data. Raises: BadRequest."""
    try:
        if type_ == "apply":
            from kubelite.api import yaml_text

            return yaml_text.load(body)
        return json_text.parse(body)
    except ValueError as error:
        if type_ == "strategic":
            raise BadRequest(str(error)) from None
        raise BadRequest(f"error decoding {'YAML' if type_ == 'apply' else 'patch'}: {error}") from None


def apply_patch(type_: PatchType, current: dict[str, Any], body: Any, object_type: type[TypedValue]) -> dict[str, Any]:
    """What `current` becomes. Raises: BadRequest for what is no patch, Invalid for one that does not fit, Unknown."""
    match type_:
        case "json":
            return _apply_operations(current, body)
        case "merge":
            return merge_json(current, _object(body, "error decoding patch: "))
        case "strategic":
            return merge_strategic(current, _object(body, ""), object_type)


def _object(body: Any, prefix: str) -> dict[str, Any]:
    if isinstance(body, dict):
        return body
    if body is None:
        return {}
    raise BadRequest(
        f"{prefix}json: cannot unmarshal {_json_type(body)} into Go value of type map[string]interface {{}}"
    )


def _json_type(value: Any) -> str:
    return {dict: "object", list: "array", str: "string", bool: "bool"}.get(type(value), "number")


def merge_json(current: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """RFC 7386: null removes, objects merge, anything else replaces.

    >>> merge_json({"a": 1, "b": {"c": 2}}, {"a": None, "b": {"d": 3}})
    {'b': {'c': 2, 'd': 3}}
    """
    merged = dict(current)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(old := merged.get(key), dict):
            merged[key] = merge_json(old, value)
        else:
            merged[key] = _pruned(value)
    return merged


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _pruned(item) for key, item in value.items() if item is not None}
    return [_pruned(item) for item in value] if isinstance(value, list) else value


class _DoesNotFit(Exception):
    """An operation cannot be done; upstream does not tell the client which."""


def _apply_operations(current: dict[str, Any], body: Any) -> dict[str, Any]:
    operations = [] if body is None else body
    if not isinstance(operations, list):
        go_type = "[]handlers.jsonPatchOp"
        raise BadRequest(
            f"error decoding patch: json: cannot unmarshal {_json_type(body)} into Go value of type {go_type}"
        )
    for operation in operations:
        if not isinstance(operation, dict):
            why = f"cannot unmarshal {_json_type(operation)} into Go value of type handlers.jsonPatchOp"
            raise BadRequest(f"error decoding patch: json: {why}")
    if len(operations) > _MAX_OPERATIONS:
        why = f"The allowed maximum operations in a JSON patch is {_MAX_OPERATIONS}, got {len(operations)}"
        raise RequestEntityTooLarge(why)
    document = _copy(current)
    try:
        for operation in operations:
            document = _apply_operation(document, operation)
    except _DoesNotFit:
        raise Invalid(_REFUSED, StatusDetails()) from None
    if not isinstance(document, dict):
        raise Invalid(_REFUSED, StatusDetails())
    return document


def _copy(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


def _apply_operation(document: Any, operation: dict[str, Any]) -> Any:
    path = _text(operation, "path")
    match operation.get("op"):
        case "add":
            _add(*_target(document, path), operation.get("value"))
        case "remove":
            _remove(*_target(document, path))
        case "replace":
            if not path:
                return operation.get("value")
            _replace(*_target(document, path), operation.get("value"))
        case "move":
            source = _target(document, _text(operation, "from"))
            value = _get(*source)
            _remove(*source)
            _add(*_target(document, path), value)
        case "copy":
            value = _get(*_target(document, _text(operation, "from")))
            _add(*_target(document, path), _copy(value))
        case "test":
            found = _get(*_target(document, path)) if path else document
            if not _same(found, operation.get("value")):
                raise _DoesNotFit
        case _:
            raise _DoesNotFit
    return document


def _text(operation: dict[str, Any], key: str) -> str:
    value = operation.get(key)
    if not isinstance(value, str):
        raise _DoesNotFit
    return value


def _target(document: Any, pointer: str) -> tuple[Any, str]:
    """The container and the key or index in it that a pointer names."""
    first, *tokens = pointer.split("/")
    if first or not tokens:
        raise _DoesNotFit
    keys = [token.replace("~1", "/").replace("~0", "~") for token in tokens]
    for key in keys[:-1]:
        document = _get(document, key)
        if not isinstance(document, dict | list):
            raise _DoesNotFit
    return document, keys[-1]


def _index(key: str, limit: int) -> int:
    """An index below `limit`; negative ones count from the end."""
    try:
        index = int(key) if key.isascii() and "_" not in key else limit
    except ValueError:
        raise _DoesNotFit from None
    if not -limit <= index < limit:
        raise _DoesNotFit
    return index % limit


def _get(container: Any, key: str) -> Any:
    if isinstance(container, dict):
        return container.get(key)
    return container[_index(key, len(container))]


def _add(container: Any, key: str, value: Any) -> None:
    if isinstance(container, dict):
        container[key] = value
    elif key == "-":
        container.append(value)
    else:
        container.insert(_index(key, len(container) + 1), value)


def _replace(container: Any, key: str, value: Any) -> None:
    container[key if isinstance(container, dict) else _index(key, len(container))] = value


def _remove(container: Any, key: str) -> None:
    if isinstance(container, list):
        del container[_index(key, len(container))]
    elif key in container:
        del container[key]
    else:
        raise _DoesNotFit


def _same(left: Any, right: Any) -> bool:
    """Equality of JSON values, in which true is not 1."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)
