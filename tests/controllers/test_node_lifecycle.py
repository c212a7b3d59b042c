"""A node falls silent: conditions, taints, eviction, and the end of pods whose node is gone."""

from __future__ import annotations

from msgspec.structs import replace

from kubelite.api.coordination_v1 import Lease, LeaseSpec
from kubelite.api.core_v1 import Node, NodeCondition, NodeStatus, Pod, Taint, Toleration
from kubelite.api.meta import ObjectMeta
from kubelite.api.timestamp import rfc3339, rfc3339_micro
from kubelite.controllers.node_lifecycle import NodeLifecycleController
from kubelite.controllers.pod_gc import PodGarbageCollector
from kubelite.controllers.pods import condition_of, is_ready
from kubelite.controllers.taint_eviction import TaintEvictionController
from tests.controllers.cluster import START, Cluster
from tests.controllers.objects import pod

FIVE_MINUTES = tuple(
    Toleration(key=f"node.kubernetes.io/{name}", operator="Exists", effect="NoExecute", toleration_seconds=300)
    for name in ("not-ready", "unreachable")
)


def cluster() -> Cluster:
    made = Cluster(NodeLifecycleController(), TaintEvictionController(), PodGarbageCollector(finished_limit=2))
    ready = NodeCondition(type="Ready", status="True", last_heartbeat_time=rfc3339(START))
    made.put(Node(metadata=ObjectMeta(name="node-1"), status=NodeStatus(conditions=(ready,))))
    renew(made)
    made.run_pod(made.put(pod("web", tolerations=FIVE_MINUTES)))
    made.settle()
    return made


def renew(made: Cluster) -> None:
    spec = LeaseSpec(holder_identity="node-1", renew_time=rfc3339_micro(made.now))
    made.put(Lease(metadata=ObjectMeta(name="node-1", namespace="kube-node-lease"), spec=spec))


def the_node(made: Cluster) -> Node:
    found = made.view.get(Node, "node-1")
    assert found is not None
    return found


def taints(made: Cluster) -> list[tuple[str, str]]:
    return [(taint.key.rpartition("/")[2], taint.effect) for taint in the_node(made).spec.taints]


def test_a_node_that_renews_its_lease_is_left_alone() -> None:
    made = cluster()
    for _ in range(10):
        made.advance(10)
        renew(made)
    assert the_node(made).status.conditions[0].status == "True"
    assert taints(made) == []


def test_a_silent_node_becomes_unknown_and_is_tainted() -> None:
    made = cluster()
    made.advance(51)
    unknown = {entry.type: (entry.status, entry.reason) for entry in the_node(made).status.conditions}
    assert unknown["Ready"] == ("Unknown", "NodeStatusUnknown")
    assert unknown["MemoryPressure"] == ("Unknown", "NodeStatusNeverUpdated")
    assert taints(made) == [("unreachable", "NoSchedule"), ("unreachable", "NoExecute")]
    assert not is_ready(made.view.list(Pod)[0])


def test_its_pods_are_evicted_when_their_toleration_ends() -> None:
    made = cluster()
    made.advance(51)
    made.advance(299)
    assert made.view.list(Pod)[0].metadata.deletion_timestamp is None
    made.advance(2)
    evicted = made.view.list(Pod)[0]
    assert evicted.metadata.deletion_timestamp is not None
    target = condition_of(evicted, "DisruptionTarget")
    assert target is not None
    assert target.reason == "DeletionByTaintManager"
    assert ("TaintManagerEviction", "Marking for deletion Pod default/web") in made.events


def test_a_node_that_comes_back_keeps_its_pods() -> None:
    made = cluster()
    made.advance(51)
    node = the_node(made)
    renew(made)
    ready = NodeCondition(type="Ready", status="True", last_heartbeat_time=rfc3339(made.now))
    made.put(replace(node, status=NodeStatus(conditions=(ready,))))
    made.settle()
    assert taints(made) == []
    renew(made)
    made.now += 40
    renew(made)
    made.advance(0)
    assert made.view.list(Pod)[0].metadata.deletion_timestamp is None


def test_a_users_no_execute_taint_evicts_at_once_and_stays() -> None:
    made = cluster()
    node = the_node(made)
    made.put(replace(node, spec=replace(node.spec, taints=(Taint(key="mine", effect="NoExecute"),))))
    made.settle()
    assert made.view.list(Pod)[0].metadata.deletion_timestamp is not None
    assert taints(made) == [("mine", "NoExecute")]


def test_a_cordon_is_also_a_taint() -> None:
    made = cluster()
    node = the_node(made)
    made.put(replace(node, spec=replace(node.spec, unschedulable=True)))
    made.settle()
    assert taints(made) == [("unschedulable", "NoSchedule")]
    node = the_node(made)
    made.put(replace(node, spec=replace(node.spec, unschedulable=False)))
    made.settle()
    assert taints(made) == []


def test_pods_of_a_node_that_is_gone_end_after_the_quarantine() -> None:
    made = cluster()
    made.remove(the_node(made))
    made.settle()
    made.advance(39)
    assert made.view.list(Pod)
    made.advance(2)
    assert not made.view.list(Pod)


def test_finished_pods_beyond_the_limit_go_oldest_first() -> None:
    made = cluster()
    for number in range(4):
        finished = made.put(pod(f"job-{number}"))
        made.put(replace(finished, status=replace(finished.status, phase="Succeeded")))
        made.advance(1)
    left = {entry.metadata.name for entry in made.view.list(Pod)}
    assert left == {"web", "job-2", "job-3"}
