"""JSON Patch and JSON Merge Patch."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from kubelite.api.core_v1 import ConfigMap
from kubelite.api.errors import BadRequest, Invalid, RequestEntityTooLarge, StatusError
from kubelite.api.patch import apply_patch, merge_json, parse_patch

_CURRENT = {"metadata": {"name": "p", "labels": {"x": "y"}, "finalizers": ["a", "b"]}, "data": {"a": "1", "b": "2"}}
_LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.sampled_from(["", "a"]))
_KEYS = st.sampled_from(["a", "b", "~", "/"])
_VALUES: st.SearchStrategy[Any] = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_KEYS, inner, max_size=3)),
    max_leaves=8,
)
_OBJECTS = st.dictionaries(_KEYS, _VALUES, max_size=3)


def _json_patch(*operations: Any) -> dict[str, Any]:
    return apply_patch("json", _CURRENT, list(operations), ConfigMap)


def test_operations_are_done_in_order_and_the_current_object_stays_as_it_is() -> None:
    before = repr(_CURRENT)
    found = _json_patch(
        {"op": "test", "path": "/data/a", "value": "1"},
        {"op": "replace", "path": "/data/a", "value": "one"},
        {"op": "add", "path": "/data/c", "value": "3"},
        {"op": "remove", "path": "/data/b"},
        {"op": "copy", "from": "/data/c", "path": "/data/d"},
        {"op": "move", "from": "/data/d", "path": "/data/e"},
        {"op": "add", "path": "/metadata/labels/example.com~1k", "value": "v"},
        {"op": "add", "path": "/metadata/finalizers/-", "value": "c"},
        {"op": "add", "path": "/metadata/finalizers/0", "value": "0"},
        {"op": "remove", "path": "/metadata/finalizers/-1"},
    )
    assert found["data"] == {"a": "one", "c": "3", "e": "3"}
    assert found["metadata"]["labels"] == {"x": "y", "example.com/k": "v"}
    assert found["metadata"]["finalizers"] == ["0", "a", "b"]
    assert repr(_CURRENT) == before


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/data/a", "value": "zzz"},
        {"op": "remove", "path": "/data/zzz"},
        {"op": "jump", "path": "/data"},
        {"op": "add", "path": "/nowhere/a", "value": 1},
        {"op": "add", "path": "/metadata/finalizers/7", "value": 1},
        {"op": "add", "path": "/metadata/finalizers/x", "value": 1},
        {"op": "add", "path": "data", "value": 1},
        {"op": "add"},
        {"op": "replace", "path": "", "value": []},
        {"op": "test", "path": "/data", "value": {}},
    ],
)
def test_an_operation_that_does_not_fit_is_invalid_without_saying_why(operation: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match=r"^the server rejected our request due to an error in our request$"):
        _json_patch(operation)


def test_a_json_patch_is_a_list_of_objects_of_bounded_length() -> None:
    with pytest.raises(BadRequest, match="cannot unmarshal object into Go value"):
        apply_patch("json", _CURRENT, {"op": "add"}, ConfigMap)
    with pytest.raises(BadRequest, match="cannot unmarshal string into Go value"):
        _json_patch("add")
    with pytest.raises(RequestEntityTooLarge, match="maximum operations in a JSON patch is 10000, got 10001"):
        _json_patch(*[{"op": "test", "path": "/data/a", "value": "1"}] * 10_001)


def _merged(target: Any, patch: Any) -> Any:
    """RFC 7386, section 2, as it is written there."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result


def _without_nulls_in_lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls_in_lists(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_merged({}, item) if isinstance(item, dict) else _without_nulls_in_lists(item) for item in value]
    return value


@given(_OBJECTS, _OBJECTS)
def test_a_merge_patch_does_what_the_rfc_says(current: dict[str, Any], patch: dict[str, Any]) -> None:
    before = repr((current, patch))
    found = merge_json(current, patch)
    if not any(isinstance(value, list) for value in _inner(patch)):
        assert found == _merged(current, patch)
    assert merge_json(found, patch) == found
    assert repr((current, patch)) == before


def _inner(value: Any) -> list[Any]:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [value, *(found for item in items for found in _inner(item))]


@given(
    _OBJECTS,
    _VALUES,
    st.lists(
        st.one_of(
            _VALUES,
            st.fixed_dictionaries(
                {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]), "value": _VALUES},
                optional={
                    "path": st.sampled_from(["", "/a", "/a/0", "/b/-", "/a/b", "/~0"]),
                    "from": st.sampled_from(["/a", "/b/0"]),
                },
            ),
        ),
        max_size=4,
    ),
)
def test_any_patch_gives_an_object_or_an_error_of_the_client(
    current: dict[str, Any], body: Any, operations: Any
) -> None:
    for kind, patch in (("json", operations), ("json", body), ("merge", body)):
        try:
            found = apply_patch("merge" if kind == "merge" else "json", current, patch, ConfigMap)
        except StatusError as error:
            assert 400 <= error.status_code < 500
        else:
            assert isinstance(found, dict)


@given(st.binary(max_size=40))
def test_any_bytes_are_a_patch_or_a_bad_request(body: bytes) -> None:
    for type_ in ("json", "apply"):
        try:
            parse_patch("json" if type_ == "json" else "apply", body)
        except BadRequest as error:
            assert error.message.startswith("error decoding ")
