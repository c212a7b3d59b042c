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


def put_node(made: Cluster, name: str, *, ready: bool = True, zone: str = "") -> None:
    """One whose heartbeat never gets old."""
    beat = rfc3339(START + 1e6)
    condition = NodeCondition(type="Ready", status="True" if ready else "False", last_heartbeat_time=beat)
    labels = {"topology.kubernetes.io/zone": zone} if zone else {}
    made.put(Node(metadata=ObjectMeta(name=name, labels=labels), status=NodeStatus(conditions=(condition,))))


def cluster(*others: str) -> Cluster:
    made = Cluster(NodeLifecycleController(), TaintEvictionController(), PodGarbageCollector(finished_limit=2))
    ready = NodeCondition(type="Ready", status="True", last_heartbeat_time=rfc3339(START))
    made.put(Node(metadata=ObjectMeta(name="node-1"), status=NodeStatus(conditions=(ready,))))
    for name in others:
        put_node(made, name)
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
    made = cluster("node-2")
    made.advance(51)
    unknown = {entry.type: (entry.status, entry.reason) for entry in the_node(made).status.conditions}
    assert unknown["Ready"] == ("Unknown", "NodeStatusUnknown")
    assert unknown["MemoryPressure"] == ("Unknown", "NodeStatusNeverUpdated")
    assert taints(made) == [("unreachable", "NoSchedule"), ("unreachable", "NoExecute")]
    assert not is_ready(made.view.list(Pod)[0])


def test_its_pods_are_evicted_when_their_toleration_ends() -> None:
    made = cluster("node-2")
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


def test_silence_from_before_the_controller_began_does_not_count() -> None:
    made = cluster("node-2")
    made.now += 3600
    made.controllers = (NodeLifecycleController(),)
    made.put(replace(the_node(made), metadata=replace(the_node(made).metadata, labels={"a": "b"})))
    made.settle()
    assert the_node(made).status.conditions[0].status == "True"
    made.advance(51)
    assert the_node(made).status.conditions[0].status == "Unknown"


def test_nobody_is_evicted_while_no_node_is_ready() -> None:
    made = cluster("node-2")
    made.advance(51)
    assert taints(made) == [("unreachable", "NoSchedule"), ("unreachable", "NoExecute")]
    put_node(made, "node-2", ready=False)
    made.settle()
    assert taints(made) == [("unreachable", "NoSchedule")]
    put_node(made, "node-2")
    made.settle()
    assert taints(made) == [("unreachable", "NoSchedule"), ("unreachable", "NoExecute")]


def test_nodes_of_a_zone_are_given_up_one_by_one_and_not_when_most_are_gone() -> None:
    def given_up(made: Cluster) -> int:
        return sum(any(taint.effect == "NoExecute" for taint in node.spec.taints) for node in made.view.list(Node))

    made = cluster("b", "c", "d", "e")
    for name in ("b", "c"):
        put_node(made, name, ready=False)
    made.settle()
    assert given_up(made) == 1
    made.advance(10)
    assert given_up(made) == 2
    made = cluster("b", "c", "d", "e")
    for name in ("b", "c", "d", "e"):
        put_node(made, name, ready=False)
    made.settle()
    assert given_up(made) == 0


def test_a_node_out_of_service_lets_its_ending_pods_go() -> None:
    made = cluster("node-2")
    made.advance(51)
    (ending,) = made.view.list(Pod)
    made.delete(ending)
    made.settle()
    assert made.view.list(Pod)
    node = the_node(made)
    out = Taint(key="node.kubernetes.io/out-of-service", value="nodeshutdown", effect="NoExecute")
    made.put(replace(node, spec=replace(node.spec, taints=(*node.spec.taints, out))))
    made.settle()
    assert not made.view.list(Pod)


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
