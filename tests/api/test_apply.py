"""Server-side apply, with the results that a real API server gave."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from kubelite.api import codec, decode, managed_fields
from kubelite.api.apply import LAST_APPLIED, apply
from kubelite.api.apps_v1 import Deployment
from kubelite.api.core_v1 import ConfigMap, Node
from kubelite.api.errors import BadRequest, Conflict, Unknown
from kubelite.api.meta import Object

from .objects import plain_objects


class _Applied:
    """One object to which managers apply, a second apart."""

    def __init__(self, type_: type[Object]) -> None:
        self._type = type_
        self.object: Any = None
        self._now = 0.0

    def apply(self, manager: str, config: dict[str, Any], *, force: bool = False, subresource: str = "") -> Any:
        head = {"apiVersion": self._type.api_version, "kind": self._type.kind, "metadata": {"name": "a"}}
        self._now += 1
        plain = apply(
            self.object,
            head | config,
            self._type,
            manager=manager,
            now=self._now,
            force=force,
            subresource=subresource,
        )
        self.object = decode.decode_object(self._type, plain)
        return self.object

    def update(self, manager: str, plain: dict[str, Any]) -> None:
        new = decode.decode_object(self._type, plain)
        self._now += 1
        self.object = managed_fields.update_managers(self.object, new, manager=manager, now=self._now)

    @property
    def owned(self) -> dict[str, Any]:
        return {entry.manager: entry.fields_v1 for entry in self.object.metadata.managed_fields}


def test_an_applier_owns_what_it_sends_and_what_it_stops_sending_goes() -> None:
    applied = _Applied(ConfigMap)
    applied.apply("one", {"metadata": {"name": "a", "labels": {"l": "1"}}, "data": {"a": "1", "b": "2"}})
    assert applied.owned == {"one": {"f:data": {"f:a": {}, "f:b": {}}, "f:metadata": {"f:labels": {"f:l": {}}}}}
    found = applied.apply("one", {"data": {"a": "1"}})
    assert (found.data, found.metadata.labels) == ({"a": "1"}, {})
    assert applied.owned == {"one": {"f:data": {"f:a": {}}}}


def test_a_field_of_two_managers_stays_until_both_are_gone() -> None:
    applied = _Applied(ConfigMap)
    applied.apply("one", {"data": {"a": "1"}})
    applied.apply("two", {"data": {"a": "1", "c": "3"}})
    assert applied.apply("one", {}).data == {"a": "1", "c": "3"}
    assert applied.apply("two", {"data": {"c": "3"}}).data == {"c": "3"}


def test_a_change_of_anothers_field_is_a_conflict_unless_forced() -> None:
    applied = _Applied(ConfigMap)
    applied.apply("one", {"data": {"a": "1"}})
    with pytest.raises(Conflict) as caught:
        applied.apply("two", {"data": {"a": "2"}})
    assert caught.value.message == 'Apply failed with 1 conflict: conflict with "one": .data.a'
    assert caught.value.details is not None
    (cause,) = caught.value.details.causes
    assert (cause.reason, cause.message, cause.field) == ("FieldManagerConflict", 'conflict with "one"', ".data.a")
    assert applied.apply("two", {"data": {"a": "2"}}, force=True).data == {"a": "2"}
    assert applied.owned == {"two": {"f:data": {"f:a": {}}}}


def test_an_updater_is_named_with_its_version_and_several_conflicts_in_a_list() -> None:
    applied = _Applied(ConfigMap)
    applied.apply("one", {"data": {"a": "1"}})
    applied.update("three", {"data": {"a": "1", "u": "1", "v": "1"}})
    with pytest.raises(Conflict) as caught:
        applied.apply("one", {"data": {"u": "2"}})
    assert caught.value.message == 'Apply failed with 1 conflict: conflict with "three" using v1: .data.u'
    with pytest.raises(Conflict) as caught:
        applied.apply("two", {"data": {"a": "2", "u": "2", "v": "2"}})
    assert caught.value.message == (
        'Apply failed with 3 conflicts: conflicts with "one":\n- .data.a\n'
        'conflicts with "three" using v1:\n- .data.u\n- .data.v'
    )


def _deployment(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"spec": {**spec, "template": {"spec": {"containers": list(containers)}}}}


def test_lists_merge_by_key() -> None:
    applied = _Applied(Deployment)
    port = {"containerPort": 80, "protocol": "TCP"}
    first = {"name": "a", "image": "x", "env": [{"name": "A", "value": "1"}], "ports": [port]}
    selector = {"matchLabels": {"app": "a"}}
    applied.apply("one", _deployment(first, {"name": "b", "image": "x"}, replicas=0, selector=selector))
    item: dict[str, Any] = {".": {}, "f:image": {}, "f:name": {}}
    assert applied.owned["one"] == {
        "f:spec": {
            "f:replicas": {},
            "f:selector": {},
            "f:template": {
                "f:spec": {
                    "f:containers": {
                        'k:{"name":"a"}': {
                            **item,
                            "f:env": {'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}}},
                            "f:ports": {
                                'k:{"containerPort":80,"protocol":"TCP"}': {
                                    ".": {},
                                    "f:containerPort": {},
                                    "f:protocol": {},
                                }
                            },
                        },
                        'k:{"name":"b"}': item,
                    }
                }
            },
        }
    }
    found = applied.apply("two", _deployment({"name": "a", "env": [{"name": "B", "value": "2"}]}))
    assert [env.name for env in found.spec.template.spec.containers[0].env] == ["A", "B"]
    found = applied.apply("one", _deployment({"name": "a", "image": "x"}, replicas=0, selector=selector))
    (container,) = found.spec.template.spec.containers
    assert ([env.name for env in container.env], container.ports) == (["B"], ())


def test_the_configurations_order_wins() -> None:
    applied = _Applied(Deployment)
    applied.apply("one", _deployment({"name": "a"}, {"name": "x"}, {"name": "b"}))
    found = applied.apply("two", _deployment({"name": "b"}, {"name": "new"}, {"name": "a"}))
    names = [container.name for container in found.spec.template.spec.containers]
    assert sorted(names) == ["a", "b", "new", "x"]
    assert [name for name in names if name != "x"] == ["b", "new", "a"]


def test_a_sets_values_are_owned_one_by_one() -> None:
    applied = _Applied(ConfigMap)
    applied.apply("one", {"metadata": {"name": "a", "finalizers": ["e.com/x"]}})
    applied.apply("two", {"metadata": {"name": "a", "finalizers": ["e.com/y"]}})
    assert applied.owned["two"] == {"f:metadata": {"f:finalizers": {'v:"e.com/y"': {}}}}
    assert applied.apply("one", {}).metadata.finalizers == ("e.com/y",)


def test_fields_from_before_the_first_apply_have_a_manager() -> None:
    applied = _Applied(ConfigMap)
    applied.object = decode.decode_object(ConfigMap, b'{"metadata":{"name":"a","uid":"u"},"data":{"a":"1","b":"1"}}')
    with pytest.raises(Conflict, match=r'conflict with "before-first-apply" using v1: .data.a'):
        applied.apply("one", {"data": {"a": "2"}})


def test_kubectl_takes_over_what_it_applied_on_the_client_side() -> None:
    applied = _Applied(ConfigMap)
    last = msgspec.json.encode(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": "1"}}
    ).decode()
    applied.update(
        "kubectl-client-side-apply", {"metadata": {"annotations": {LAST_APPLIED: last}}, "data": {"a": "1", "b": "1"}}
    )
    found = applied.apply("kubectl", {"data": {"a": "2"}})
    assert found.data == {"a": "2", "b": "1"}
    assert msgspec.json.decode(found.metadata.annotations[LAST_APPLIED])["data"] == {"a": "2"}
    with pytest.raises(Conflict, match=r'"kubectl-client-side-apply" using v1: .data.b'):
        applied.apply("kubectl", {"data": {"a": "2", "b": "2"}})


def test_a_status_is_applied_apart_and_not_through_the_object() -> None:
    applied = _Applied(Deployment)
    applied.apply("one", {"spec": {"replicas": 1}, "status": {"replicas": 3}})
    assert applied.owned == {"one": {"f:spec": {"f:replicas": {}}}}
    applied.apply("four", {"status": {"replicas": 5}}, subresource="status")
    assert applied.owned["four"] == {"f:status": {"f:replicas": {}}}


def test_a_configuration_must_be_of_the_type_and_name_no_managers() -> None:
    with pytest.raises(BadRequest, match=r"^invalid object type: /, Kind=$"):
        apply(None, {"metadata": {"name": "a"}}, ConfigMap, manager="m", now=0.0)
    applied = _Applied(Deployment)
    with pytest.raises(BadRequest, match=r"^metadata.managedFields must be nil$"):
        applied.apply("m", {"metadata": {"managedFields": [{}]}})
    prefix = r"^failed to create typed patch object \(/a; apps/v1, Kind=Deployment\): \.spec"
    for config, why in [
        (
            _deployment({"name": "a"}, {"name": "a"}),
            r'\.template\.spec\.containers: duplicate entries for key \[name="a"\]',
        ),
        (_deployment({"image": "a"}), r'\.template\.spec\.containers: element 0: .* omits key field "name"'),
        ({"spec": {"replicas": "x"}}, r"\.replicas: expected numeric \(int or float\), got string"),
        ({"spec": {"foo": 1}}, r"\.foo: field not declared in schema"),
    ]:
        with pytest.raises(Unknown, match=prefix + why):
            applied.apply("m", config)


def test_applying_the_same_again_changes_nothing() -> None:
    applied = _Applied(ConfigMap)
    first = applied.apply("one", {"data": {"a": "1"}})
    assert applied.apply("one", {"data": {"a": "1"}}) == first


_SLOW = settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None, max_examples=60
)


def _as_stored(config: dict[str, Any]) -> dict[str, Any]:
    """Without empty lists and maps that no stored object keeps."""
    return codec.to_builtins(decode.decode_object(Node, config | {"metadata": {"name": "a"}}))


@_SLOW
@given(plain_objects(Node), plain_objects(Node))
def test_a_forced_apply_wins(one: dict[str, Any], two: dict[str, Any]) -> None:
    one, two = (_as_stored(config) for config in (one, two))
    applied = _Applied(Node)
    applied.apply("one", one)
    both = applied.apply("two", two, force=True)
    for manager in ("two", "three"):  # what won can be applied again, by anybody, without a conflict or a change
        again = applied.apply(manager, two)
        assert not managed_fields.compare(managed_fields.plain_state(both), managed_fields.plain_state(again), Node)
