"""Where pods go, what they are told when they go nowhere, and what wakes them."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from kubelite.api.core_v1 import (
    Affinity,
    Container,
    ContainerPort,
    Node,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    NodeSpec,
    NodeStatus,
    Pod,
    PodAffinity,
    PodAffinityTerm,
    PodAntiAffinity,
    PodSchedulingGate,
    PodSpec,
    ResourceRequirements,
    Taint,
    Toleration,
    TopologySpreadConstraint,
)
from kubelite.api.meta import LabelSelector, ObjectMeta
from kubelite.client.plan import Bind
from kubelite.scheduler import Scheduler
from tests.controllers.cluster import Cluster

WEB = LabelSelector(match_labels={"app": "web"})
HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"


def node(name: str, *, zone: str = "a", cpu: str = "4", pods: str = "110", **spec: Any) -> Node:
    return Node(
        metadata=ObjectMeta(name=name, labels={HOST: name, ZONE: zone}),
        spec=NodeSpec(**spec),
        status=NodeStatus(allocatable={"cpu": cpu, "memory": "8Gi", "pods": pods}),
    )


def pod(name: str, *, cpu: str = "100m", memory: str = "64Mi", port: int = 0, **spec: Any) -> Pod:
    ports = (ContainerPort(container_port=80, host_port=port),) if port else ()
    resources = ResourceRequirements(requests={"cpu": cpu, "memory": memory})
    return Pod(
        metadata=ObjectMeta(name=name, namespace="default", labels={"app": "web"}),
        spec=PodSpec(containers=(Container(name="app", image="app:1", resources=resources, ports=ports),), **spec),
    )


def cluster(*nodes: Node) -> Cluster:
    made = Cluster(Scheduler())
    for entry in nodes:
        made.put(entry)
    return made


def place(made: Cluster, *pods: Pod) -> list[str]:
    for entry in pods:
        made.put(entry)
    made.settle()
    return [where(made, entry.metadata.name) for entry in pods]


def where(made: Cluster, name: str) -> str:
    found = made.view.get(Pod, name, "default")
    assert found is not None
    return found.spec.node_name


def told(made: Cluster, name: str) -> str:
    found = made.view.get(Pod, name, "default")
    assert found is not None
    condition = next(entry for entry in found.status.conditions if entry.type == "PodScheduled")
    assert (condition.status, condition.reason) == ("False", "Unschedulable")
    return condition.message.partition(" preemption:")[0]


def anti_affinity(key: str) -> Affinity:
    term = PodAffinityTerm(topology_key=key, label_selector=WEB)
    return Affinity(pod_anti_affinity=PodAntiAffinity(required_during_scheduling_ignored_during_execution=(term,)))


def affinity(key: str) -> Affinity:
    term = PodAffinityTerm(topology_key=key, label_selector=WEB)
    return Affinity(pod_affinity=PodAffinity(required_during_scheduling_ignored_during_execution=(term,)))


def required_zone(zone: str) -> Affinity:
    requirement = NodeSelectorRequirement(key=ZONE, operator="In", values=(zone,))
    terms = NodeSelector(node_selector_terms=(NodeSelectorTerm(match_expressions=(requirement,)),))
    return Affinity(node_affinity=NodeAffinity(required_during_scheduling_ignored_during_execution=terms))


def test_a_pod_is_bound_and_told() -> None:
    made = cluster(node("node-1"))
    assert place(made, pod("web")) == ["node-1"]
    assert made.events == [("Scheduled", "Successfully assigned default/web to node-1")]


def test_capacity_counts_what_is_decided_but_not_yet_seen() -> None:
    made = cluster(node("node-1", cpu="1"), node("node-2", cpu="1"))
    for name in ("a", "b", "c"):
        made.put(pod(name, cpu="900m"))
    scheduler = made.controllers[0]
    plans = [scheduler.decide(made.view, f"default/{name}", made.now) for name in ("a", "b", "c")]
    bound = [write.binding.target.name for plan in plans for write in plan.writes if isinstance(write, Bind)]
    assert sorted(bound) == ["node-1", "node-2"]


def test_a_failed_binding_is_decided_again() -> None:
    made = cluster(node("node-1", cpu="1"))
    made.put(pod("a", cpu="900m"))
    scheduler = made.controllers[0]
    for _ in range(3):
        (write,) = scheduler.decide(made.view, "default/a", made.now).writes
        assert isinstance(write, Bind)


def test_the_more_important_pod_goes_first() -> None:
    made = cluster(node("node-1", cpu="1"))
    place(made, pod("low", cpu="900m"), pod("high", cpu="900m", priority=1000))
    assert (where(made, "low"), where(made, "high")) == ("", "node-1")


def test_nobody_to_run_on() -> None:
    made = cluster()
    place(made, pod("web"))
    assert told(made, "web") == "no nodes available to schedule pods"
    made.put(node("node-1"))
    made.settle()
    assert where(made, "web") == "node-1"


TAINT = Taint(key="dedicated", value="db", effect="NoSchedule")

REASONS: list[tuple[Node, Pod, str]] = [
    (node("n", cpu="1"), pod("p", cpu="2"), "1 Insufficient cpu"),
    (node("n"), pod("p", cpu="5", memory="9Gi"), "1 Insufficient cpu, 1 Insufficient memory"),
    (node("n", pods="0"), pod("p"), "1 Too many pods"),
    (node("n", unschedulable=True), pod("p"), "1 node(s) were unschedulable"),
    (node("n", taints=(TAINT,)), pod("p"), "1 node(s) had untolerated taint {dedicated: db}"),
    (node("n"), pod("p", node_selector={"disk": "ssd"}), "1 node(s) didn't match Pod's node affinity/selector"),
    (node("n"), pod("p", affinity=required_zone("b")), "1 node(s) didn't match Pod's node affinity/selector"),
    (
        node("n"),
        replace(pod("p", affinity=affinity(ZONE)), metadata=ObjectMeta(name="p", namespace="default")),
        "1 node(s) didn't match pod affinity rules",
    ),
]


@pytest.mark.parametrize(("host", "guest", "reason"), REASONS)
def test_a_pod_that_fits_nowhere_learns_why(host: Node, guest: Pod, reason: str) -> None:
    made = cluster(host)
    place(made, guest)
    assert told(made, "p") == f"0/1 nodes are available: {reason}."
    assert made.events[0][0] == "FailedScheduling"


def test_reasons_are_counted_and_preemption_is_mentioned() -> None:
    made = cluster(node("a", cpu="1"), node("b", taints=(TAINT,)), node("c", cpu="1"))
    place(made, pod("filler-1", cpu="1"), pod("filler-2", cpu="1"), pod("p", cpu="1"))
    found = made.view.get(Pod, "p", "default")
    assert found is not None
    assert found.status.conditions[0].message == (
        "0/3 nodes are available: 1 node(s) had untolerated taint {dedicated: db}, 2 Insufficient cpu. preemption: "
        "0/3 nodes are available: 1 Preemption is not helpful for scheduling, "
        "2 No preemption victims found for incoming pod."
    )


def test_host_ports_exclude_each_other() -> None:
    made = cluster(node("a"), node("b"))
    assert sorted(place(made, pod("p1", port=80), pod("p2", port=80), pod("p3", port=80))) == ["", "a", "b"]
    assert told(made, "p3").startswith("0/2 nodes are available: 2 node(s) didn't have free ports")


def test_tolerated_taints_do_not_matter() -> None:
    made = cluster(node("a", taints=(TAINT,)))
    assert place(made, pod("p", tolerations=(Toleration(key="dedicated", operator="Exists"),))) == ["a"]


def test_anti_affinity_keeps_apart_in_both_directions() -> None:
    made = cluster(node("a"), node("b"))
    apart = anti_affinity(HOST)
    assert sorted(place(made, pod("p1", affinity=apart), pod("p2", affinity=apart))) == ["a", "b"]
    place(made, pod("p3", affinity=apart), pod("plain"))
    assert "2 node(s) didn't match pod anti-affinity rules" in told(made, "p3")
    assert "2 node(s) didn't satisfy existing pods anti-affinity rules" in told(made, "plain")


def test_affinity_keeps_together_and_the_first_of_a_group_is_free() -> None:
    made = cluster(node("a", zone="x"), node("b", zone="y"), node("c", zone="y"))
    zones = {"a": "x", "b": "y", "c": "y"}
    placed = place(made, *(pod(f"p{number}", affinity=affinity(ZONE)) for number in range(6)))
    assert len({zones[name] for name in placed}) == 1


def test_hard_spreading_bounds_the_skew() -> None:
    constraint = TopologySpreadConstraint(
        max_skew=1, topology_key=ZONE, when_unsatisfiable="DoNotSchedule", label_selector=WEB
    )
    made = cluster(node("a", zone="x"), node("b", zone="y"), node("c", zone="z", unschedulable=True))
    placed = place(made, *(pod(f"p{number}", topology_spread_constraints=(constraint,)) for number in range(3)))
    assert sorted(placed) == ["", "a", "b"]
    made.put(replace(node("c", zone="z"), metadata=made.view.get(Node, "c").metadata))  # type: ignore[union-attr]
    made.settle()
    assert sorted(where(made, f"p{number}") for number in range(3)) == ["a", "b", "c"]


def test_plain_pods_spread_over_equal_nodes() -> None:
    made = cluster(node("a"), node("b"), node("c"))
    placed = place(made, *(pod(f"p{number}") for number in range(6)))
    assert sorted(placed) == ["a", "a", "b", "b", "c", "c"]


def test_gated_pods_wait_for_their_gates() -> None:
    made = cluster(node("a"))
    gated = pod("p", scheduling_gates=(PodSchedulingGate(name="later"),))
    assert place(made, gated) == [""]
    current = made.view.get(Pod, "p", "default")
    assert current is not None
    made.put(replace(current, spec=replace(current.spec, scheduling_gates=())))
    made.settle()
    assert where(made, "p") == "a"


def test_a_waiting_pod_is_woken_only_by_what_helps() -> None:
    made = cluster(node("a", cpu="1"), node("b", cpu="1"))
    place(made, pod("big", cpu="1"), pod("small", cpu="500m"), pod("p", cpu="1"))
    attempts = len(made.plans)
    small = made.view.get(Pod, "small", "default")
    assert small is not None
    made.put(replace(small, status=replace(small.status, phase="Running")))
    other = made.view.get(Node, where(made, "big"))
    assert other is not None
    made.put(replace(other, metadata=replace(other.metadata, labels={**other.metadata.labels, "new": "label"})))
    assert made.settle() == 0
    made.remove(small)
    made.settle()
    assert len(made.plans) == attempts + 1
    assert where(made, "p") != ""


def test_a_pod_that_wants_to_be_near_another_waits_for_it() -> None:
    made = cluster(node("node-1"), node("node-2"))
    wanted = LabelSelector(match_labels={"app": "db"})
    term = PodAffinityTerm(topology_key=HOST, label_selector=wanted)
    near = Affinity(pod_affinity=PodAffinity(required_during_scheduling_ignored_during_execution=(term,)))
    assert place(made, pod("web", affinity=near)) == [""]
    db = pod("db")
    (host,) = place(made, replace(db, metadata=replace(db.metadata, labels={"app": "db"})))
    assert where(made, "web") == host


def test_a_pod_that_shrinks_in_place_makes_room() -> None:
    made = cluster(node("node-1", cpu="1"))
    assert place(made, pod("big", cpu="900m"), pod("late", cpu="500m")) == ["node-1", ""]
    big = made.view.get(Pod, "big", "default")
    assert big is not None
    made.put(replace(big, spec=replace(pod("big", cpu="200m").spec, node_name="node-1")))
    made.settle()
    assert where(made, "late") == "node-1"


def test_other_schedulers_pods_are_left_alone() -> None:
    made = cluster(node("a"))
    assert place(made, pod("p", scheduler_name="mine")) == [""]
    assert made.plans == []


def test_every_decision_is_kept_with_its_scores() -> None:
    made = cluster(node("a"), node("b"))
    place(made, pod("p"))
    scheduler = made.controllers[0]
    assert isinstance(scheduler, Scheduler)
    decision = scheduler.decisions["default/p"]
    assert decision.candidates == ("a", "b")
    assert set(decision.scores) == {"NodeResourcesFit", "NodeResourcesBalancedAllocation"}
