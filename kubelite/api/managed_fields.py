"""Who manages which fields of an object: field sets, their comparison, and the managers' entries. Pure.

A field set is a set of paths; a path is a tuple of elements written as in FieldsV1: `f:name` a field or key, `k:{...}` the item
of a list with these keys, `v:...` the item of a set.

>>> sorted(read_fields({"f:data": {".": {}, "f:a": {}}}))
[('f:data',), ('f:data', 'f:a')]

Source: sigs.k8s.io/structured-merge-diff v4 (typed/compare.go, typed/tofieldset.go, fieldpath/), k8s.io/apimachinery v0.33
pkg/util/managedfields/internal
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from kubelite.api import codec
from kubelite.api.custom import CustomObject
from kubelite.api.meta import ManagedFieldsEntry, Merge, Object
from kubelite.api.shapes import Shape, fields_of, shape_of

Path = tuple[str, ...]
FieldSet = frozenset[Path]
#: A value with its shape and how the field that holds it merges.
Member = tuple[Any, Shape, Merge]

MAX_UPDATE_MANAGERS = 10
_OLD_UPDATES = "ancient-changes"
_PLAIN = Merge()
_NO_PARTS: Mapping[str, Member] = {}
_KEY_DEFAULTS = {"protocol": "TCP"}  # the only list keys that may be left out
_UNMANAGED: FieldSet = frozenset(
    {
        ("f:apiVersion",),
        ("f:kind",),
        ("f:metadata",),
        *(
            ("f:metadata", f"f:{name}")
            for name in (
                "name",
                "namespace",
                "creationTimestamp",
                "selfLink",
                "uid",
                "clusterName",
                "generation",
                "managedFields",
                "resourceVersion",
            )
        ),
    }
)


class ManagerId(NamedTuple):
    """What tells managers apart; `api_version` is empty for appliers."""

    manager: str
    operation: str
    api_version: str
    subresource: str


class Managed(Struct, frozen=True):
    fields: FieldSet
    api_version: str
    time: str | None = None


Managers = dict[ManagerId, Managed]


class Comparison(Struct, frozen=True):
    """No path is in more than one of the sets."""

    removed: set[Path]
    modified: set[Path]
    added: set[Path]

    def __bool__(self) -> bool:
        return bool(self.removed or self.modified or self.added)


def timestamp(now: float) -> str:
    """`now`, unix seconds, as the API writes times."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def plain_state(obj: Object) -> dict[str, Any]:
    """What managers own fields of: the object's plain data, without managedFields."""
    plain = codec.to_builtins(obj)
    plain["metadata"].pop("managedFields", None)
    return plain


def members(value: Any, shape: Shape, merge: Merge) -> dict[str, Member] | None:
    """The parts that managers can own one by one, by path element; None when they can only own the whole.

    Raises: ValueError when the item of a list lacks a key. Of items with the same key the last is taken.
    """
    if isinstance(value, dict):
        if merge.map_type == "atomic" or (shape.is_atomic and merge.map_type != "granular"):
            return None
        if shape.kind == "struct":
            fields = fields_of(shape.type)
            return {
                f"f:{key}": (item, field.shape, field.merge)
                for key, item in value.items()
                if (field := fields.get(key)) is not None
            }
        if shape.kind == "untyped":
            return {f"f:{key}": (item, shape, _PLAIN) for key, item in value.items()}
        if shape.kind == "map":
            return {f"f:{key}": (item, shape.item, _PLAIN) for key, item in value.items()}
    elif isinstance(value, list) and merge.list_type in ("set", "map"):
        return {list_element(item, merge): (item, shape.item, _PLAIN) for item in value}
    return None


def list_element(item: Any, merge: Merge) -> str:
    """The path element of a set's or keyed list's item. Raises: ValueError."""
    if merge.list_type == "set":
        return f"v:{msgspec.json.encode(item).decode()}"
    if not isinstance(item, dict):
        raise ValueError("associative list with keys may not have non-map elements")
    keys: dict[str, Any] = {}
    for key in sorted(merge.keys):
        value = item.get(key, _KEY_DEFAULTS.get(key))
        if value is None:
            missing = f'associative list with keys has an element that omits key field "{key}"'
            raise ValueError(f"{missing} (and doesn't have default value)")
        keys[key] = value
    return f"k:{msgspec.json.encode(keys).decode()}"


def field_set(value: dict[str, Any], type_: type[Object]) -> FieldSet:
    """All fields of an object that an applier who sends it owns."""
    found: set[Path] = set()
    _collect((value, shape_of(type_), _PLAIN), (), found)
    return frozenset(found)


def _collect(member: Member, path: Path, found: set[Path]) -> None:
    parts = members(*member)
    if parts is None:
        if not (member[0] == [] and member[2].list_type in ("set", "map")):
            found.add(path)
        return
    for element, part in parts.items():
        below = (*path, element)
        if part[0] is None or part[0] == {} or member[1].kind != "struct":
            found.add(below)
        if part[0] is not None:
            _collect(part, below, found)


def compare(old: dict[str, Any], new: dict[str, Any], type_: type[Object]) -> Comparison:
    found = Comparison(set(), set(), set())
    shape = shape_of(type_)
    _compare((old, shape, _PLAIN), (new, shape, _PLAIN), (), found)
    return found


def _compare(old: Member | None, new: Member | None, path: Path, found: Comparison) -> None:
    before, after = old[0] if old else None, new[0] if new else None
    if before == after:
        return
    old_parts = (members(*old) if old and isinstance(before, (dict, list)) else None) or _NO_PARTS
    new_parts = (members(*new) if new and isinstance(after, (dict, list)) else None) or _NO_PARTS
    if not old_parts and not new_parts:
        (found.added if before is None else found.removed if after is None else found.modified).add(path)
        return
    for element in {**old_parts, **new_parts} if old_parts else new_parts:
        _compare(old_parts.get(element), new_parts.get(element), (*path, element), found)
    if before is None:
        found.added.add(path)
    elif after is None:
        found.removed.add(path)


def read_fields(tree: Any) -> FieldSet:
    """The set that a FieldsV1 tree says."""
    return frozenset(_read(tree, ())) if isinstance(tree, dict) else frozenset()


def _read(tree: dict[str, Any], path: Path) -> Iterator[Path]:
    for element, below in tree.items():
        if element == ".":
            yield path
        elif below:
            yield from _read(below, (*path, element))
        else:
            yield (*path, element)


def write_fields(fields: Iterable[Path]) -> dict[str, Any]:
    """The set as a FieldsV1 tree, in upstream's order."""
    nodes: dict[Path, dict[str, Any]] = {(): {}}
    chosen = set(fields)

    def node(path: Path) -> dict[str, Any]:
        if (found := nodes.get(path)) is None:
            above = path[:-1]
            parent = node(above)
            if not parent and above in chosen:
                parent["."] = {}
            found = nodes[path] = parent[path[-1]] = {}
        return found

    for path in sorted(chosen):
        node(path)
    return nodes[()]


def text_of(path: Path) -> str:
    """A path as messages print it.

    >>> text_of(("f:spec", 'k:{"name":"a"}', "f:image"))
    '.spec[name="a"].image'
    """
    return "".join(map(_element_text, path))


def _element_text(element: str) -> str:
    kind, _, rest = element.partition(":")
    if kind == "f":
        return f".{rest}"
    if kind == "k":
        keys = msgspec.json.decode(rest)
        return f"[{','.join(f'{key}={msgspec.json.encode(value).decode()}' for key, value in keys.items())}]"
    return f"[={rest}]" if kind == "v" else f"[{rest}]"


def read_managers(entries: Iterable[ManagedFieldsEntry]) -> Managers:
    """Raises: ValueError for an entry that no server wrote."""
    found: Managers = {}
    for index, entry in enumerate(entries):
        if entry.operation not in ("Apply", "Update"):
            raise ValueError("operation must be `Apply` or `Update`")
        if not entry.api_version:
            raise ValueError("apiVersion must not be empty")
        if entry.fields_type != "FieldsV1":
            raise ValueError(f'invalid fieldsType "{entry.fields_type}" in managed fields entry {index}')
        version = "" if entry.operation == "Apply" else entry.api_version
        identity = ManagerId(entry.manager, entry.operation, version, entry.subresource)
        found[identity] = Managed(read_fields(entry.fields_v1), entry.api_version, entry.time)
    return found


def write_managers(managers: Managers) -> tuple[ManagedFieldsEntry, ...]:
    """The entries as objects carry them: appliers first, then by time, then by name."""
    entries = [
        ManagedFieldsEntry(
            manager=identity.manager,
            operation=identity.operation,
            api_version=managed.api_version,
            time=managed.time,
            fields_type="FieldsV1",
            fields_v1=write_fields(managed.fields),
            subresource=identity.subresource,
        )
        for identity, managed in managers.items()
    ]
    entries.sort(
        key=lambda entry: (entry.operation, entry.time or "", entry.manager, entry.api_version, entry.subresource)
    )
    return tuple(entries)


def ignored_paths(type_: type[Object], subresource: str) -> FieldSet:
    """What a write through the object itself, or through its status, does not set."""
    if issubclass(type_, CustomObject) and not type_.definition.has_status:
        return frozenset()
    if subresource == "status":
        return frozenset({("f:spec",), ("f:metadata", "f:labels")})
    return frozenset() if subresource else frozenset({("f:status",)})


def without(fields: Iterable[Path], ignored: FieldSet) -> FieldSet:
    """The set without the ignored paths and all below them."""
    for depth in {len(top) for top in ignored}:
        fields = [path for path in fields if path[:depth] not in ignored]
    return frozenset(fields)


def take(managers: Managers, change: Comparison, ignored: FieldSet) -> Managers:
    """The managers after a change by somebody else: they lose what was changed or removed."""
    lost = without(change.modified | change.added | change.removed, ignored) if managers else frozenset()
    return {
        identity: replace(managed, fields=managed.fields - lost)
        for identity, managed in managers.items()
        if managed.fields - lost
    }


def update_managers(live: Object | None, new: Any, *, manager: str, now: float, subresource: str = "") -> Any:
    """`new` with the managedFields that a create (`live` is None), update or patch by `manager` leaves.

    An object that nobody tracks stays untracked; a client may reset the managers by sending one empty entry.
    """
    sent = new.metadata.managed_fields
    kept = live.metadata.managed_fields if live else ()
    is_reset = len(sent) == 1 and sent[0] == ManagedFieldsEntry() and not subresource
    change = compare(plain_state(live or type(new)()), plain_state(new), type(new))
    entries = () if is_reset else kept if subresource or not sent else sent
    if change or entries != kept:
        try:
            managers = read_managers(entries)
        except ValueError:
            managers = _readable(kept)
        if managers or live is None:
            managers = _updated(managers, change, type(new), manager, now, subresource)
        entries = write_managers(managers)
    return new if entries == sent else replace(new, metadata=replace(new.metadata, managed_fields=entries))


def _readable(entries: Iterable[ManagedFieldsEntry]) -> Managers:
    try:
        return read_managers(entries)
    except ValueError:
        return {}


def _updated(
    managers: Managers, change: Comparison, type_: type[Object], manager: str, now: float, subresource: str
) -> Managers:
    ignored = ignored_paths(type_, subresource)
    own = without(change.modified | change.added, ignored) - _UNMANAGED
    managers = take(managers, change, ignored)
    if own:
        identity = ManagerId(manager or "unknown", "Update", type_.api_version, subresource)
        before = managers[identity].fields if identity in managers else frozenset()
        managers[identity] = Managed(own | before, type_.api_version, timestamp(now))
    return _capped(managers)


def _capped(managers: Managers) -> Managers:
    """Merges the oldest updaters of a version into one while there are too many."""
    updaters = [identity for identity in managers if identity.operation == "Update"]
    excess = len(updaters) - MAX_UPDATE_MANAGERS
    updaters.sort(key=lambda identity: (managers[identity].time or "", identity))
    first: dict[str, ManagerId] = {}
    for identity in updaters:
        if excess <= 0:
            break
        managed = managers[identity]
        bucket = ManagerId(_OLD_UPDATES, "Update", managed.api_version, "")
        if (oldest := first.setdefault(managed.api_version, identity)) == identity:
            continue
        merged = managed.fields | managers.pop(bucket if bucket in managers else oldest).fields
        managers.pop(identity, None)
        managers[bucket] = Managed(merged, managed.api_version, managed.time)
        excess -= 1
    return managers


def own_fields(value: dict[str, Any], type_: type[Object]) -> FieldSet:
    """What an applier of `value` comes to own: its fields, without those that nobody manages."""
    return field_set(value, type_) - _UNMANAGED
