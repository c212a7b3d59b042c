"""Strategic merge patch: lists merge by the keys and strategies in the types' annotations, directives say the rest. Pure.

Nothing given is changed. Items of the patch keep the patch's order, the others theirs; between the two the order before the
patch decides. Source: k8s.io/apimachinery v0.33 pkg/util/strategicpatch/patch.go
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from msgspec import Struct

from kubelite.api.errors import BadRequest, Invalid, Unknown
from kubelite.api.meta import StatusDetails, TypedValue
from kubelite.api.shapes import ANY, Shape, fields_of, shape_of

_DIRECTIVE = "$patch"
_RETAIN_KEYS = "$retainKeys"
_ORDER = "$setElementOrder"
_DELETE = "$deleteFromPrimitiveList"
_REFUSED = "the server rejected our request due to an error in our request"

Map = dict[str, Any]


def merge_strategic(current: Map, patch: Map, type_: type[TypedValue]) -> Map:
    """What `current` becomes. Raises: BadRequest, Invalid, Unknown, each with upstream's text."""
    return _merge_map(current, patch, shape_of(type_))


class _Member(Struct, frozen=True):
    """How a member of a map merges: the shape of its value, for a list that of its items."""

    shape: Shape
    strategy: str = ""
    merge_key: str = ""


_PLAIN = _Member(ANY)


def _member(shape: Shape, key: str) -> _Member:
    if shape.kind != "struct":
        return _Member(shape.item) if shape.item else _PLAIN
    field = fields_of(shape.type).get(key)
    if field is None:
        raise Unknown(f'unable to find api field in struct {shape.type.__name__} for the json field "{key}"')
    strategies = [name for name in field.merge.patch.split(",") if name not in ("", "retainKeys")]
    item = field.shape.item if field.shape.kind == "list" else field.shape
    return _Member(item, strategies[0] if strategies else "", field.merge.merge_key)


def _merge_map(original: Map, patch: Map, shape: Shape) -> Map:
    if _DIRECTIVE in patch:
        match patch[_DIRECTIVE]:
            case "replace":
                return {key: value for key, value in patch.items() if key != _DIRECTIVE}
            case "delete":
                return {}
            case directive:
                _bad_directive(directive, patch)
    rest = dict(patch)
    merged = _retained(original, rest)
    for key in [key for key in rest if key.startswith(_ORDER)]:
        _merge_ordered(merged, rest, key, shape)
    for key, value in rest.items():
        is_deletion = key.startswith(_DELETE)
        name = _named(key, _DELETE, "primitive") if is_deletion else key
        if value is None:
            merged.pop(name, None)
            continue
        old = merged.get(name)
        if isinstance(old, dict) and isinstance(value, dict):
            member = _member(shape, name)
            merged[name] = value if member.strategy == "replace" else _merge_map(old, value, member.shape)
        elif isinstance(old, list) and isinstance(value, list):
            merged[name] = _merge_list(old, value, _member(shape, name), is_deletion=is_deletion)
        elif not is_deletion:
            if isinstance(value, dict) and _DIRECTIVE in value:
                merged.pop(name, None)
            else:
                merged[name] = _plain(value)
    return merged


def _named(key: str, prefix: str, what: str) -> str:
    found, _, name = key.partition("/")
    if found != prefix or not name:
        raise BadRequest(f"invalid patch format of {what} list")
    return name


def _plain(value: Any) -> Any:
    """A new value without nulls, and without whatever is only a directive."""
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if item is not None and not _is_directive(item)}
        return {key: _plain(item) for key, item in kept.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value if not _is_directive(item)]
    return value


def _is_directive(value: Any) -> bool:
    return isinstance(value, dict) and _DIRECTIVE in value


def _bad_directive(directive: Any, patch: Map) -> NoReturn:
    raise Unknown(f"unknown patch type: {go_text(directive)} in map: {go_text(patch)}")


def _retained(original: Map, patch: Map) -> Map:
    """A copy of the original with the keys that `$retainKeys` keeps; the directive is taken out of the patch."""
    if _RETAIN_KEYS not in patch:
        return dict(original)
    keys = patch.pop(_RETAIN_KEYS)
    directed = {key for key, value in patch.items() if value is not None and not key.startswith((_DELETE, _ORDER))}
    if not isinstance(keys, list) or any(key not in keys for key in directed):
        raise BadRequest("invalid patch format of retainKeys")
    return {key: value for key, value in original.items() if key in keys}


def _merge_ordered(merged: Map, patch: Map, directive: str, shape: Shape) -> None:
    """Merges the list that a `$setElementOrder` is about, and takes both out of the patch."""
    order = _list(patch.pop(directive))
    name = _named(directive, _ORDER, "setElementOrder")
    member = _member(shape, name)
    old = _list(merged[name]) if merged.get(name) is not None else None
    new = _list(patch.pop(name)) if patch.get(name) is not None else None
    if new:
        _check_order(new, order, member.merge_key)
    if new is None:
        if old is None:
            return
        items = old
    else:
        items = _plain(new) if old is None else _merge_list(old, new, member)
    merged[name] = _arranged(items, order, old or [], member.merge_key)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Unknown(f"expected a []interface {{}}, but received a {_go_type(value)}")
    return value


def _check_order(patch: list[Any], order: list[Any], merge_key: str) -> None:
    """The patch's items must be in the order list, in the same order."""
    if not order:
        return
    at = 0
    for item in patch:
        if _is_directive(item):
            continue
        while at < len(order) and not _equal(item, order[at], merge_key):
            at += 1
        if at == len(order):
            lists = f"{go_text(patch)}\n doesn't match {_ORDER} list:\n{go_text(order)}\n"
            raise Unknown(f"The order in patch list:\n{lists}")
        at += 1


def _equal(left: Any, right: Any, merge_key: str) -> bool:
    return bool(_key(left, merge_key) == _key(right, merge_key)) if merge_key else bool(left == right)


def _key(item: Any, merge_key: str) -> Any:
    if not isinstance(item, dict):
        raise Unknown(f"expected a map[string]interface {{}}, but received a {_go_type(item)}")
    if merge_key not in item:
        raise Unknown(f"map: {go_text(item)} does not contain declared merge key: {merge_key}")
    return item[merge_key]


def _merge_list(original: list[Any], patch: list[Any], member: _Member, *, is_deletion: bool = False) -> list[Any]:
    if member.strategy != "merge" and not is_deletion:
        return patch
    if not original and not patch:
        return original
    if not _holds_maps([*original, *patch]):
        if is_deletion:
            return [item for item in original if item not in patch]
        both = list(original)
        both.extend(item for item in patch if item not in both)
        return _arranged(list(dict.fromkeys(both)), patch, original, "")
    if not member.merge_key:
        name = member.shape.type.__name__ if member.shape.type else ""
        raise Unknown(f"cannot merge lists without merge key for {name}")
    kept, items = _directed(original, patch, member.merge_key)
    merged = list(kept)
    for item in items:
        key = _key(item, member.merge_key)
        at = next((index for index, old in enumerate(merged) if old.get(member.merge_key) == key), None)
        if at is None:
            merged.append(item)
        else:
            merged[at] = _merge_map(merged[at], item, member.shape)
    return _arranged(merged, items, kept, member.merge_key)


def _holds_maps(items: list[Any]) -> bool:
    if any(isinstance(item, list) for item in items):
        raise Invalid(_REFUSED, StatusDetails())
    maps = sum(isinstance(item, dict) for item in items)
    if 0 < maps < len(items):
        raise Unknown(f"list element types are not identical: {go_text(items)}")
    return maps > 0


def _directed(original: list[Any], patch: list[Any], merge_key: str) -> tuple[list[Any], list[Any]]:
    """Carries out the directives among the patch's items: what is left of the original, and of the patch."""
    items = [item for item in patch if _DIRECTIVE not in item]
    replaces = False
    for item in patch:
        match item.get(_DIRECTIVE):
            case None if _DIRECTIVE not in item:
                pass
            case "delete":
                key = _key(item, merge_key)
                original = [old for old in original if old.get(merge_key) != key]
            case "replace":
                replaces = True
            case "merge":
                raise Unknown("merging lists cannot yet be specified in the patch")
            case directive:
                _bad_directive(directive, item)
    return (items, []) if replaces else (original, items)


def _arranged(items: list[Any], patch_order: list[Any], old_order: list[Any], merge_key: str) -> list[Any]:
    """Two sorted runs, the items that the patch names and the others, woven by their order before."""
    if merge_key:
        names: Sequence[Any] = [_key(item, merge_key) for item in items]
        wanted, before = (
            [_known(item, merge_key) for item in patch_order],
            [_known(item, merge_key) for item in old_order],
        )
    else:
        names, wanted, before = items, patch_order, old_order
    pairs = list(zip(names, items, strict=True))
    named = sorted((pair for pair in pairs if pair[0] in wanted), key=lambda pair: wanted.index(pair[0]))
    others = [pair for pair in pairs if pair[0] not in wanted]
    others.sort(key=lambda pair: before.index(pair[0]) if pair[0] in before else len(before))
    woven: list[Any] = []
    while named and others:
        left, right = others[0][0], named[0][0]
        is_first = left in before and right in before and before.index(left) < before.index(right)
        woven.append((others if is_first else named).pop(0)[1])
    return woven + [item for _, item in named + others]


def _known(item: Any, merge_key: str) -> Any:
    return item.get(merge_key) if isinstance(item, dict) else None


def _go_type(value: Any) -> str:
    types = {dict: "map[string]interface {}", list: "[]interface {}", str: "string", bool: "bool", int: "int64"}
    return types.get(type(value), "float64")


def go_text(value: Any) -> str:
    """A value as Go's %v prints it.

    >>> go_text({"b": [1, "x"], "a": None})
    'map[a:<nil> b:[1 x]]'
    """
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{go_text(value[key])}' for key in sorted(value))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(go_text, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "<nil>" if value is None else str(value)
