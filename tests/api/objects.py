"""Random typed objects."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from kubelite.api.meta import Object
from kubelite.api.shapes import Shape, fields_of

_SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "string": st.sampled_from(["a", "b", "Always", "x-1"]),
    "int": st.integers(0, 100),
    "float": st.sampled_from([0.5, 2.5]),
    "bool": st.just(True),
    "bytes": st.sampled_from(["", "YWI=", "AAEC"]),
    "int or string": st.one_of(st.integers(1, 100), st.just("25%")),
    "quantity": st.sampled_from(["100m", "1Gi", "5"]),
    "any": st.just({"any": 1}),
}


@st.composite
def plain_objects(draw: st.DrawFn, type_: type[Object]) -> dict[str, Any]:
    """What a client could send of the type; lists have keys that occur once."""
    return {"kind": type_.kind, "apiVersion": type_.api_version, **_struct(draw, Shape("struct", type=type_), 6)}


def _struct(draw: st.DrawFn, shape: Shape, depth: int) -> dict[str, Any]:
    fields = list(fields_of(shape.type).values())
    chosen = draw(st.lists(st.sampled_from(fields), max_size=4, unique_by=lambda field: field.name)) if fields else []
    found: dict[str, Any] = {}
    for field in chosen:
        if field.name == "managedFields" or (depth <= 0 and field.shape.kind not in _SCALARS):
            continue
        value = _value(draw, field.shape, depth - 1)
        keys = {*field.merge.keys, field.merge.merge_key} - {""}
        for index, item in enumerate(value if isinstance(value, list) and keys else ()):
            item.update({key: _key(fields_of(field.shape.item.type)[key].shape, index) for key in keys})
        found[field.name] = value
    return found


def _key(shape: Shape, index: int) -> Any:
    return index + 1 if shape.kind == "int" else f"k{index}"


def _value(draw: st.DrawFn, shape: Shape, depth: int) -> Any:
    if shape.kind == "struct":
        return _struct(draw, shape, depth)
    if shape.kind == "map":
        return {
            key: _value(draw, shape.item, depth) for key in draw(st.sets(st.sampled_from(["x", "y", "z"]), min_size=1))
        }
    if shape.kind == "list":
        items = [_value(draw, shape.item, depth) for _ in range(draw(st.integers(1, 2)))]
        return (
            items if shape.item.kind == "struct" else [item for at, item in enumerate(items) if item not in items[:at]]
        )
    return draw(_SCALARS[shape.kind])
