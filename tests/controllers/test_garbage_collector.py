"""What becomes of dependents: with their owners, before them, or free."""

from __future__ import annotations

from msgspec.structs import replace

from kubelite.api.apps_v1 import Deployment, ReplicaSet
from kubelite.api.core_v1 import ConfigMap, Pod
from kubelite.api.custom import definitions_of, make_type
from kubelite.api.meta import Object, ObjectMeta, OwnerReference, controlled_by
from kubelite.api.scheme import Resource
from kubelite.controllers import COLLECTED
from kubelite.controllers.garbage_collector import GarbageCollector
from tests.api.custom_kinds import definition
from tests.controllers.cluster import Cluster


def cluster() -> Cluster:
    return Cluster(GarbageCollector(COLLECTED))


def owned(name: str, *owners: Object, type_: type[Object] = ConfigMap) -> Object:
    references = tuple(controlled_by(owner) for owner in owners)
    return type_(metadata=ObjectMeta(name=name, namespace="default", owner_references=references))


def chain(made: Cluster) -> tuple[Deployment, ReplicaSet, Pod]:
    top = made.put(Deployment(metadata=ObjectMeta(name="web", namespace="default")))
    middle = made.put(owned("web-1", top, type_=ReplicaSet))
    bottom = made.put(owned("web-1-a", middle, type_=Pod))
    made.settle()
    assert isinstance(middle, ReplicaSet)
    assert isinstance(bottom, Pod)
    return top, middle, bottom


def start_deleting(made: Cluster, obj: Object, finalizer: str) -> None:
    meta = replace(obj.metadata, finalizers=(finalizer,), deletion_timestamp="2023-11-14T22:13:20Z")
    made.put(replace(obj, metadata=meta))


def test_dependents_follow_their_owner_down_the_chain() -> None:
    made = cluster()
    top, _, _ = chain(made)
    made.remove(top)
    made.settle()
    assert not made.view.list(ReplicaSet)
    assert not made.view.list(Pod)


def test_a_dependent_with_another_owner_stays_and_forgets_the_one_that_is_gone() -> None:
    made = cluster()
    one = made.put(ConfigMap(metadata=ObjectMeta(name="one", namespace="default")))
    two = made.put(ConfigMap(metadata=ObjectMeta(name="two", namespace="default")))
    made.put(owned("both", one, two))
    made.settle()
    made.remove(one)
    made.settle()
    both = made.view.get(ConfigMap, "both", "default")
    assert both is not None
    assert [entry.name for entry in both.metadata.owner_references] == ["two"]


def test_foreground_deletion_waits_for_blocking_dependents() -> None:
    made = cluster()
    top, middle, bottom = chain(made)
    made.put(replace(bottom, metadata=replace(bottom.metadata, finalizers=("example.com/hold",))))
    start_deleting(made, top, "foregroundDeletion")
    made.settle()
    assert made.view.get(Deployment, "web", "default") is not None
    assert made.view.get(ReplicaSet, middle.metadata.name, "default") is not None
    held = made.view.get(Pod, "web-1-a", "default")
    assert held is not None
    made.remove(held)
    made.settle()
    assert made.view.get(ReplicaSet, middle.metadata.name, "default") is None
    assert made.view.get(Deployment, "web", "default") is None


def test_orphaning_frees_the_dependents_first() -> None:
    made = cluster()
    top, _, _ = chain(made)
    start_deleting(made, top, "orphan")
    made.settle()
    assert made.view.get(Deployment, "web", "default") is None
    free = made.view.get(ReplicaSet, "web-1", "default")
    assert free is not None
    assert free.metadata.owner_references == ()
    assert made.view.list(Pod)


def test_an_owner_that_was_never_seen_is_missed_only_after_a_while() -> None:
    made = cluster()
    ghost = ConfigMap(metadata=ObjectMeta(name="ghost", namespace="default", uid="gone"))
    made.put(owned("child", ghost))
    made.settle()
    assert made.view.get(ConfigMap, "child", "default") is not None
    made.advance(3)
    assert made.view.get(ConfigMap, "child", "default") is None


def test_an_owner_that_arrives_late_is_an_owner() -> None:
    made = cluster()
    owner = ConfigMap(metadata=ObjectMeta(name="late", namespace="default", uid="uid-late"))
    made.put(owned("child", owner))
    made.settle()
    made.put(owner)
    made.advance(10)
    assert made.view.get(ConfigMap, "child", "default") is not None


def test_a_successor_of_the_same_name_is_another_owner() -> None:
    made = cluster()
    made.put(ConfigMap(metadata=ObjectMeta(name="owner", namespace="default", uid="new")))
    before = ConfigMap(metadata=ObjectMeta(name="owner", namespace="default", uid="old"))
    made.put(owned("child", before))
    made.advance(3)
    made.advance(3)
    assert made.view.get(ConfigMap, "child", "default") is None


def test_owners_of_unknown_kinds_keep_their_dependents() -> None:
    made = cluster()
    reference = OwnerReference(api_version="example.com/v1", kind="Widget", name="w", uid="w")
    made.put(ConfigMap(metadata=ObjectMeta(name="child", namespace="default", owner_references=(reference,))))
    made.advance(100)
    assert made.view.get(ConfigMap, "child", "default") is not None


def test_a_kind_that_becomes_known_has_its_dependents_looked_at_again() -> None:
    (found,) = definitions_of(definition())
    type_ = make_type(found)
    widgets = Resource(
        type=type_, group=found.group, version=found.version, kind="Widget", plural="widgets", singular="widget"
    )
    collector = GarbageCollector(COLLECTED)
    made = Cluster(collector)
    reference = OwnerReference(api_version=f"{found.group}/v0", kind="Widget", name="w", uid="gone")
    made.put(ConfigMap(metadata=ObjectMeta(name="child", namespace="default", owner_references=(reference,))))
    made.settle()
    assert list(collector.follow((widgets,))) == ["v1 ConfigMap default/child"]
    assert any(watch.type is type_ for watch in collector.watches)
    assert not collector.follow(())
    assert all(watch.type is not type_ for watch in collector.watches)
