from __future__ import annotations

from hypothesis import given, strategies as st

from kubelite.api.core_v1 import Node, Pod, PodSpec
from kubelite.api.meta import ObjectMeta, OwnerReference
from kubelite.client.cache import Cache
from kubelite.client.feeds import NODE_INDEX


def pod(name: str, namespace: str = "default", *, node: str = "", owner: str = "") -> Pod:
    owners = (OwnerReference(uid=owner, controller=True),) if owner else ()
    return Pod(
        metadata=ObjectMeta(name=name, namespace=namespace, owner_references=owners), spec=PodSpec(node_name=node)
    )


PODS = st.builds(
    pod,
    st.sampled_from("abc"),
    st.sampled_from(["x", "y"]),
    node=st.sampled_from(["", "n1", "n2"]),
    owner=st.sampled_from(["", "u1", "u2"]),
)


@given(st.lists(st.tuples(PODS, st.booleans())))
def test_every_lookup_equals_a_search_through_all_objects(edits: list[tuple[Pod, bool]]) -> None:
    cache = Cache(NODE_INDEX)
    model: dict[tuple[str, str], Pod] = {}
    for obj, removed in edits:
        key = (obj.metadata.namespace, obj.metadata.name)
        old = cache.remove(obj) if removed else cache.put(obj)
        assert old == model.get(key)
        if removed:
            model.pop(key, None)
        else:
            model[key] = obj

    def same(found: object, wanted: list[Pod]) -> bool:
        return sorted(map(repr, found)) == sorted(map(repr, wanted))  # type: ignore[call-overload]

    assert same(cache.list(Pod), list(model.values()))
    assert same(cache.list(Pod, "x"), [p for p in model.values() if p.metadata.namespace == "x"])
    for node in ("", "n1", "n2"):
        assert same(cache.indexed(Pod, "node", node), [p for p in model.values() if p.spec.node_name == node])
    for uid in ("u1", "u2"):
        wanted = [p for p in model.values() if any(o.uid == uid for o in p.metadata.owner_references)]
        assert same(cache.owned(Pod, uid), wanted)
    for (namespace, name), obj in model.items():
        assert cache.get(Pod, name, namespace) is obj


def test_an_unknown_kind_is_empty() -> None:
    assert Cache({}).list(Node) == ()
    assert Cache({}).get(Node, "n") is None
