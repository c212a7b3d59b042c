"""The table of kinds is consistent and can be extended by a copy."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kubelite.api.core_v1 import Node, Pod
from kubelite.api.meta import Object
from kubelite.api.scheme import ALL_VERBS, BUILT_IN, Scheme


def test_every_resource_is_found_by_path_kind_and_type() -> None:
    scheme = Scheme()
    for resource in scheme:
        assert scheme.resource(resource.group, resource.version, resource.plural) is resource
        assert scheme.kind(resource.group, resource.version, resource.kind) is resource
        assert scheme.of(resource.type) is resource
    assert len(list(scheme)) == len(BUILT_IN)


def test_names_agree_with_the_types() -> None:
    for resource in BUILT_IN:
        assert (resource.group_version, resource.kind) == (resource.type.api_version, resource.type.kind)
        assert resource.plural == resource.plural.lower()
        assert set(resource.verbs) <= set(ALL_VERBS)
        has_status = "status" in resource.subresources
        assert not has_status or "status" in resource.type.__struct_fields__


def test_keys_are_below_the_prefix_of_the_resource() -> None:
    scheme = Scheme()
    assert scheme.of(Pod).key("web", "default") == "/registry/pods/default/web"
    assert scheme.of(Node).key("n") == "/registry/nodes/n"
    assert len({(resource.prefix, resource.kind) for resource in BUILT_IN}) == len({r.prefix for r in BUILT_IN})


def test_an_added_resource_is_in_the_copy_only() -> None:
    class Tool(Object):
        api_version = "example.com/v1"
        kind = "Tool"

    scheme = Scheme()
    tool = replace(
        scheme.of(Pod), type=Tool, group="example.com", version="v1", kind="Tool", plural="tools", singular="tool"
    )
    extended = scheme.with_resources([tool])
    assert extended.kind("example.com", "v1", "Tool").group_resource == "tools.example.com"
    with pytest.raises(KeyError):
        scheme.kind("example.com", "v1", "Tool")
