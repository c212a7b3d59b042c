"""Strategic merge patches, with the results that a real API server gave."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from kubelite.api import decode
from kubelite.api.apps_v1 import Deployment
from kubelite.api.core_v1 import Pod
from kubelite.api.errors import BadRequest, StatusError, Unknown
from kubelite.api.patch import apply_patch
from kubelite.api.patch_strategic import go_text

from .objects import plain_objects


def _pod_spec(spec: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"template": {"spec": spec}}}


_CURRENT: dict[str, Any] = {
    "metadata": {"name": "d", "finalizers": ["a", "b"]},
    **_pod_spec(
        {
            "containers": [
                {"name": "a", "image": "x", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]},
                {"name": "b", "image": "y", "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}}},
            ],
            "volumes": [{"name": "v", "emptyDir": {}}],
            "tolerations": [{"key": "k"}],
        }
    ),
}


def _patched(spec: dict[str, Any]) -> dict[str, Any]:
    before = repr((_CURRENT, spec))
    found: dict[str, Any] = apply_patch("strategic", _CURRENT, _pod_spec(spec), Deployment)["spec"]["template"]["spec"]
    assert repr((_CURRENT, spec)) == before
    return found


def test_items_merge_by_their_key_and_new_ones_follow() -> None:
    found = _patched({"containers": [{"name": "b", "image": "b2"}, {"name": "c", "image": "c"}]})["containers"]
    assert [(item["name"], item["image"]) for item in found] == [("a", "x"), ("b", "b2"), ("c", "c")]


def test_an_item_is_deleted_by_directive() -> None:
    patch = {"containers": [{"name": "a", "env": [{"name": "X", "$patch": "delete"}, {"name": "Z", "value": "3"}]}]}
    assert [item["name"] for item in _patched(patch)["containers"][0]["env"]] == ["Z", "Y"]


def test_an_order_is_set() -> None:
    patch = {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}], "containers": [{"name": "b", "tty": True}]}
    assert [(item["name"], item.get("tty")) for item in _patched(patch)["containers"]] == [("b", True), ("a", None)]


def test_a_list_and_a_map_are_replaced_by_directive() -> None:
    assert _patched({"containers": [{"$patch": "replace"}, {"name": "only"}]})["containers"] == [{"name": "only"}]
    replaced = _patched({"containers": [{"name": "b", "resources": {"$patch": "replace", "limits": {"cpu": "2"}}}]})
    assert replaced["containers"][0]["name"] == "a"
    assert replaced["containers"][1]["resources"] == {"limits": {"cpu": "2"}}
    assert _patched({"$patch": "delete"}) == {}


def test_a_list_without_strategy_is_replaced() -> None:
    assert _patched({"tolerations": [{"key": "o"}]})["tolerations"] == [{"key": "o"}]


def test_only_the_retained_keys_stay() -> None:
    patch = {"volumes": [{"$retainKeys": ["name", "hostPath"], "name": "v", "hostPath": {"path": "/h"}}]}
    assert _patched(patch)["volumes"] == [{"name": "v", "hostPath": {"path": "/h"}}]


def test_texts_join_a_list_and_leave_it() -> None:
    joined = apply_patch("strategic", _CURRENT, {"metadata": {"finalizers": ["c", "a"]}}, Deployment)
    assert sorted(joined["metadata"]["finalizers"]) == ["a", "b", "c"]
    left = apply_patch("strategic", _CURRENT, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}, Deployment)
    assert left["metadata"]["finalizers"] == ["b"]


def test_null_removes_and_absent_nulls_are_dropped() -> None:
    assert "volumes" not in _patched({"volumes": None})
    assert _patched({"securityContext": {"runAsUser": None, "fsGroup": 1}})["securityContext"] == {"fsGroup": 1}


@pytest.mark.parametrize(
    ("patch", "error", "message"),
    [
        (
            _pod_spec({"containers": [{"image": "x"}]}),
            Unknown,
            "map: map[image:x] does not contain declared merge key: name",
        ),
        ({"spec": {"$patch": "dance"}}, Unknown, "unknown patch type: dance in map: map[$patch:dance]"),
        ({"$deleteFromPrimitiveListfinalizers": []}, BadRequest, "invalid patch format of primitive list"),
        ({"$retainKeys": [], "spec": {}}, BadRequest, "invalid patch format of retainKeys"),
        (_pod_spec({"containers": [1]}), Unknown, None),
        (
            _pod_spec({"$setElementOrder/containers": {}}),
            Unknown,
            "expected a []interface {}, but received a map[string]interface {}",
        ),
    ],
)
def test_a_patch_that_does_not_fit_is_refused(
    patch: dict[str, Any], error: type[StatusError], message: str | None
) -> None:
    with pytest.raises(error) as caught:
        apply_patch("strategic", _CURRENT, patch, Deployment)
    assert caught.value.message == message or message is None


_SLOW = settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None, max_examples=60
)


@_SLOW
@given(plain_objects(Pod), plain_objects(Pod))
def test_a_patch_is_idempotent_gives_an_object_of_the_type_and_wins(
    current: dict[str, Any], patch: dict[str, Any]
) -> None:
    once = apply_patch("strategic", current, patch, Pod)
    assert decode.decode_object(Pod, apply_patch("strategic", once, patch, Pod)) == decode.decode_object(Pod, once)
    _check_wins(patch, once)


def _check_wins(patch: Any, merged: Any) -> None:
    """Every scalar that the patch says is in the result."""
    if isinstance(patch, dict):
        for key, value in patch.items():
            _check_wins(value, merged[key])
    elif not isinstance(patch, list):
        assert merged == patch


@_SLOW
@given(plain_objects(Pod))
def test_patching_with_itself_or_nothing_changes_nothing(current: dict[str, Any]) -> None:
    assert apply_patch("strategic", current, current, Pod) == current
    assert apply_patch("strategic", current, {}, Pod) == current


_ANY: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.integers(), st.sampled_from(["a", "replace", "delete", "merge"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    *("$patch", "$retainKeys", "$setElementOrder/containers", "$deleteFromPrimitiveList/finalizers"),
                    *("spec", "metadata", "template", "containers", "name", "finalizers", "env", "tolerations"),
                ]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=15,
)


@given(_ANY)
def test_any_patch_gives_an_object_or_a_status_error(patch: Any) -> None:
    for body in (patch, {"metadata": patch}, _pod_spec(patch)):
        try:
            assert isinstance(apply_patch("strategic", _CURRENT, body, Deployment), dict)
        except StatusError as error:
            assert error.message


def test_values_are_shown_as_go_prints_them() -> None:
    assert go_text({"b": [1, True], "a": None}) == "map[a:<nil> b:[1 true]]"
