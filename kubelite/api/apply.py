"""Server-side apply: a configuration merged into the live object, with conflicts between managers. Pure.

The manager owns what it sends; what it sent before and no longer sends goes, unless somebody else owns it too. Names, versions
and the object's existence are checked by the registry. Source: sigs.k8s.io/structured-merge-diff v4 (merge/update.go,
typed/merge.go, typed/remove.go), k8s.io/apimachinery v0.33 pkg/util/managedfields/internal
"""

from __future__ import annotations

from typing import Any

import msgspec

from kubelite.api.errors import BadRequest, Conflict, Unknown
from kubelite.api.managed_fields import (
    FieldSet,
    Managed,
    ManagerId,
    Managers,
    Path,
    compare,
    field_set,
    ignored_paths,
    list_element,
    members,
    own_fields,
    plain_state,
    read_managers,
    take,
    text_of,
    timestamp,
    without,
    write_managers,
)
from kubelite.api.meta import Merge, Object, StatusCause, StatusDetails
from kubelite.api.shapes import Shape, fields_of, shape_of

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_BEFORE = "before-first-apply"
_KUBECTL = "kubectl"
_PLAIN = Merge()


def apply(
    live: Object | None,
    config: dict[str, Any],
    type_: type[Object],
    *,
    manager: str,
    now: float,
    force: bool = False,
    subresource: str = "",
) -> dict[str, Any]:
    """The plain data of the object that `manager` wants, managedFields included; `live` is None when it is to be created.

    Raises: Conflict, naming every field that others manage differently; BadRequest; Unknown for a misfitting configuration.
    """
    _check(config, type_)
    state = plain_state(live or type_())
    managers = _managers(live, state, type_, now)
    me = ManagerId(manager, "Apply", "", subresource)
    last = managers.get(me)
    ignored = ignored_paths(type_, subresource)
    fields = without(own_fields(config, type_), ignored)
    merged: dict[str, Any] = _merge(state, config, shape_of(type_), _PLAIN)
    others = {identity: managed for identity, managed in managers.items() if identity != me}
    if last is not None:
        merged = _pruned(merged, type_, last.fields, fields.union(*(other.fields for other in others.values())))
    change = compare(state, merged, type_)
    changed = without(change.modified | change.added, ignored)
    conflicts = {identity: lost for identity, managed in others.items() if (lost := managed.fields & changed)}
    if conflicts and not force:
        _raise_conflicts(conflicts, _allowed(live, state, type_) if manager == _KUBECTL else frozenset())
    managers = take(others, change, ignored)
    if fields:
        is_same = last is not None and last.fields == fields and not change
        managers[me] = Managed(fields, type_.api_version, last.time if last and is_same else timestamp(now))
    if manager == _KUBECTL:
        _sync_last_applied(merged, config)
    entries: list[Any] = msgspec.to_builtins(write_managers(managers))
    return merged | {"metadata": merged["metadata"] | {"managedFields": entries}}


def _check(config: dict[str, Any], type_: type[Object]) -> None:
    api_version, kind = config.get("apiVersion") or "", config.get("kind") or ""
    if (api_version, kind) != (type_.api_version, type_.kind):
        raise BadRequest(f"invalid object type: {_go_kind(str(api_version), str(kind))}")
    metadata = config.get("metadata") or {}
    if isinstance(metadata, dict) and metadata.get("managedFields") is not None:
        raise BadRequest("metadata.managedFields must be nil")
    try:
        _validate(config, shape_of(type_), _PLAIN, (), is_root=True)
    except ValueError as error:
        names = metadata if isinstance(metadata, dict) else {}
        what = f"{names.get('namespace') or ''}/{names.get('name') or ''}; {_go_kind(api_version, kind)}"
        raise Unknown(f"failed to create typed patch object ({what}): {error}") from None


def _go_kind(api_version: str, kind: str) -> str:
    group, _, version = api_version.rpartition("/")
    return f"{group}/{version}, Kind={kind}"


_EXPECTED: dict[str, tuple[Any, str]] = {
    "struct": (dict, "map"),
    "map": (dict, "map"),
    "list": (list, "list"),
    "string": (str, "string"),
    "bytes": (str, "string"),
    "bool": (bool, "boolean"),
    "int": (int, "numeric (int or float)"),
    "float": ((int, float), "numeric (int or float)"),
}
_NAMES = {dict: "map", list: "list", str: "string", bool: "boolean", int: "integer", float: "float"}


def _validate(value: Any, shape: Shape, merge: Merge, path: Path, *, is_root: bool = False) -> None:
    """Raises: ValueError for what does not fit the type."""
    if value is None or shape.kind not in _EXPECTED:
        return
    wanted, name = _EXPECTED[shape.kind]
    if not isinstance(value, wanted) or (isinstance(value, bool) and shape.kind != "bool"):
        raise ValueError(f"{text_of(path)}: expected {name}, got {_NAMES[type(value)]}")
    if shape.kind == "struct":
        fields = fields_of(shape.type)
        for key, item in value.items():
            if (field := fields.get(key)) is not None:
                _validate(item, field.shape, field.merge, (*path, f"f:{key}"))
            elif not is_root or key not in ("apiVersion", "kind"):
                raise ValueError(f"{text_of((*path, f'f:{key}'))}: field not declared in schema")
    elif shape.kind == "map":
        for key, item in value.items():
            _validate(item, shape.item, _PLAIN, (*path, f"f:{key}"))
    elif shape.kind == "list":
        _validate_list(value, shape, merge, path)


def _validate_list(items: list[Any], shape: Shape, merge: Merge, path: Path) -> None:
    seen: set[str] = set()
    for index, item in enumerate(items):
        element = f"i:{index}"
        if merge.list_type in ("set", "map"):
            try:
                element = list_element(item, merge)
            except ValueError as error:
                raise ValueError(f"{text_of(path)}: element {index}: {error}") from None
            if element in seen:
                raise ValueError(f"{text_of(path)}: duplicate entries for key {text_of((element,))}")
            seen.add(element)
        _validate(item, shape.item, _PLAIN, (*path, element))


def _managers(live: Object | None, state: dict[str, Any], type_: type[Object], now: float) -> Managers:
    """Those of the live object. Fields set before anybody was tracked belong to a manager of their own."""
    if live is None:
        return {}
    try:
        managers = read_managers(live.metadata.managed_fields)
    except ValueError as error:
        raise Unknown(f"failed to decode managed fields: {error}") from None
    if not managers:
        change = compare(plain_state(type_()), state, type_)
        fields = without(change.added, ignored_paths(type_, "")) - _unmanaged(state, type_)
        managers[ManagerId(_BEFORE, "Update", type_.api_version, "")] = Managed(
            fields, type_.api_version, timestamp(now)
        )
    return managers


def _unmanaged(state: dict[str, Any], type_: type[Object]) -> FieldSet:
    return (field_set(state, type_) - own_fields(state, type_)) | {("f:metadata",)}


def _merge(live: Any, config: Any, shape: Shape, merge: Merge) -> Any:
    """`config` laid over `live`; null removes."""
    if live is None or config is None:
        return config if live is None or shape.kind != "struct" else live
    if isinstance(config, list):
        if merge.list_type not in ("set", "map") or not (live or config):
            return config
        return _merge_lists(live, config, shape, merge)
    parts = members(config, shape, merge)
    if parts is None or not isinstance(live, dict):
        return config
    merged = dict(live)
    for element, (item, item_shape, item_merge) in parts.items():
        key = element[2:]
        if item is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge(live.get(key), item, item_shape, item_merge)
    return merged


def _merge_lists(live: list[Any], config: list[Any], shape: Shape, merge: Merge) -> list[Any]:
    """Items by key. The configuration's order wins; other live items keep their place among it."""
    old = {list_element(item, merge): item for item in live}
    new = {list_element(item, merge): item for item in config}
    left, right = [list_element(item, merge) for item in live], list(new)
    shared = [element for element in right if element in old]
    merged: list[Any] = []
    done: set[str] = set()
    at = to = 0

    def take_new(element: str) -> None:
        done.add(element)
        merged.append(_merge(old.get(element), new[element], shape.item, _PLAIN))
        if shared and shared[0] == element:
            shared.pop(0)

    while at < len(left) or to < len(right):
        element = left[at] if at < len(left) else ""
        if element and to < len(right):
            if element == right[to]:
                take_new(element)
                at, to = at + 1, to + 1
                continue
            if element in new and shared and shared[0] != element:
                at += 1
                continue
        if element and element not in new:
            merged.append(live[at])
            at += 1
            continue
        if element in done:
            at += 1
        if to < len(right):
            if right[to] not in done:
                take_new(right[to])
            to += 1
    return merged


def _pruned(merged: dict[str, Any], type_: type[Object], last: FieldSet, owned: FieldSet) -> dict[str, Any]:
    """`merged` without what the manager applied last time and nobody owns now."""
    shape = shape_of(type_)
    everything = field_set(merged, type_)
    rest = _without(merged, last, shape, _PLAIN, ())
    kept = field_set(rest, type_) | owned
    rest = _without(merged, everything - kept, shape, _PLAIN, ())
    dangling = (everything - field_set(rest, type_)) & last
    return dict(_without(merged, dangling, shape, _PLAIN, ()))


def _without(value: Any, removed: FieldSet, shape: Shape, merge: Merge, path: Path) -> Any:
    parts = members(value, shape, merge)
    if not parts:
        return value
    kept: dict[str, Any] = {}
    for element, (item, item_shape, item_merge) in parts.items():
        below = (*path, element)
        if below in removed:
            continue
        rest = _without(item, removed, item_shape, item_merge, below)
        if rest or not item or rest == item:
            kept[element] = rest
    if isinstance(value, list):
        return list(kept.values())
    hidden = {key: item for key, item in value.items() if f"f:{key}" not in parts}
    return hidden | {element[2:]: item for element, item in kept.items()}


def _raise_conflicts(conflicts: dict[ManagerId, FieldSet], allowed: FieldSet) -> None:
    found = [
        (_manager_text(identity), text_of(path))
        for identity, fields in sorted(conflicts.items())
        for path in _in_order(fields - allowed)
    ]
    if not found:
        return
    causes = [StatusCause(reason="FieldManagerConflict", message=f"conflict with {who}", field=at) for who, at in found]
    if len(found) == 1:
        message = f"Apply failed with 1 conflict: {causes[0].message}: {causes[0].field}"
    else:
        lines: list[str] = []
        for who in dict.fromkeys(who for who, _ in found):
            lines += [f"conflicts with {who}:", *(f"- {at}" for name, at in found if name == who)]
        message = f"Apply failed with {len(found)} conflicts: " + "\n".join(lines)
    raise Conflict(message, StatusDetails(causes=tuple(causes)))


def _in_order(fields: FieldSet) -> list[Path]:
    """At each level first the paths that end there, then those that go on."""
    return sorted(fields, key=lambda path: tuple((depth < len(path), element) for depth, element in enumerate(path, 1)))


def _manager_text(identity: ManagerId) -> str:
    text = f'"{identity.manager}"'
    if identity.subresource:
        text += f' with subresource "{identity.subresource}"'
    return f"{text} using {identity.api_version}" if identity.operation == "Update" else text


def _allowed(live: Object | None, state: dict[str, Any], type_: type[Object]) -> FieldSet:
    """What client-side apply set and nobody changed since: kubectl takes it over without a conflict."""
    text = live.metadata.annotations.get(LAST_APPLIED) if live else None
    if not text:
        return frozenset()
    try:
        applied = msgspec.json.decode(text, type=dict[str, Any])
        if applied.get("apiVersion") != type_.api_version:
            return frozenset()
        change = compare(applied, state, type_)
        return field_set(applied, type_) - change.modified - change.added - change.removed
    except ValueError:
        return frozenset()


def _sync_last_applied(merged: dict[str, Any], config: dict[str, Any]) -> None:
    """Keeps the annotation of client-side apply equal to what was applied, if it is there."""
    metadata = dict(merged.get("metadata") or {})
    annotations = metadata.get("annotations") or {}
    if not annotations.get(LAST_APPLIED):
        return
    sent = dict(config.get("metadata") or {})
    if sent.get("annotations"):
        sent["annotations"] = {key: value for key, value in sent["annotations"].items() if key != LAST_APPLIED}
    text = msgspec.json.encode(config | {"metadata": sent}, order="sorted").decode() + "\n"
    metadata["annotations"] = annotations | {LAST_APPLIED: text}
    merged["metadata"] = metadata
