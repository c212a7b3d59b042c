"""Who goes when nobody fits, and what everybody is told."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from kubelite.api.core_v1 import Pod
from kubelite.api.meta import LabelSelector, ObjectMeta
from kubelite.api.policy_v1 import PodDisruptionBudget, PodDisruptionBudgetSpec, PodDisruptionBudgetStatus
from kubelite.scheduler import Scheduler
from kubelite.scheduler.configuration import parse_profiles
from tests.controllers.cluster import Cluster
from tests.scheduler.test_scheduler import cluster, node, place, pod, where


def running(made: Cluster, name: str, host: str, *, started: str = "2023-11-14T22:00:00Z", **spec: Any) -> Pod:
    entry = pod(name, node_name=host, **spec)
    return made.put(replace(entry, status=replace(entry.status, phase="Running", start_time=started)))


def status(made: Cluster, name: str) -> Any:
    found = made.view.get(Pod, name, "default")
    assert found is not None
    return found.status


def going(made: Cluster) -> set[str]:
    return {entry.metadata.name for entry in made.view.list(Pod) if entry.metadata.deletion_timestamp}


def test_a_less_important_pod_makes_room_and_is_told() -> None:
    made = cluster(node("a", cpu="1"))
    running(made, "low", "a", cpu="900m", priority=1)
    place(made, pod("high", cpu="900m", priority=1000))
    assert going(made) == {"low"}
    assert status(made, "high").nominated_node_name == "a"
    assert status(made, "high").conditions[0].message == "0/1 nodes are available: 1 Insufficient cpu."
    (target,) = [entry for entry in status(made, "low").conditions if entry.type == "DisruptionTarget"]
    assert target.reason == "PreemptionByScheduler"
    assert target.message == "default-scheduler: preempting to accommodate a higher priority pod"
    preemptor = made.view.get(Pod, "high", "default")
    assert preemptor is not None
    assert ("Preempted", f"Preempted by pod {preemptor.metadata.uid} on node a") in made.events
    made.run_pods(lambda _: False)
    made.settle()
    assert where(made, "high") == "a"


def test_room_is_kept_for_the_nominated_pod() -> None:
    made = cluster(node("a", cpu="1"))
    running(made, "low", "a", cpu="900m", priority=1)
    place(made, pod("high", cpu="900m", priority=1000), pod("middle", cpu="900m", priority=10))
    made.run_pods(lambda _: False)
    made.settle()
    assert (where(made, "high"), where(made, "middle")) == ("a", "")


def test_of_all_nodes_the_least_important_and_fewest_victims_go() -> None:
    made = cluster(node("a", cpu="1"), node("b", cpu="1"), node("c", cpu="1"))
    running(made, "a1", "a", cpu="900m", priority=5)
    running(made, "b1", "b", cpu="450m", priority=4)
    running(made, "b2", "b", cpu="450m", priority=4)
    running(made, "c1", "c", cpu="900m", priority=4)
    place(made, pod("high", cpu="900m", priority=1000))
    assert going(made) == {"c1"}


def test_only_as_many_victims_as_needed_and_the_least_important() -> None:
    made = cluster(node("a", cpu="1"))
    for name, priority in (("x", 1), ("y", 3), ("z", 2)):
        running(made, name, "a", cpu="300m", priority=priority)
    place(made, pod("high", cpu="500m", priority=1000))
    assert going(made) == {"x", "z"}


def test_budgets_are_kept_where_that_is_possible() -> None:
    made = cluster(node("a", cpu="1"), node("b", cpu="1"))
    running(made, "guarded", "a", cpu="900m", priority=1)
    other = running(made, "free", "b", cpu="900m", priority=2)
    made.put(replace(other, metadata=replace(other.metadata, labels={"app": "free"})))
    made.put(
        PodDisruptionBudget(
            metadata=ObjectMeta(name="web", namespace="default"),
            spec=PodDisruptionBudgetSpec(selector=LabelSelector(match_labels={"app": "web"})),
            status=PodDisruptionBudgetStatus(disruptions_allowed=0),
        )
    )
    place(made, pod("high", cpu="900m", priority=1000))
    assert going(made) == {"free"}


NEVER = {"preemption_policy": "Never"}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"priority": 1000, **NEVER}, "not eligible due to preemptionPolicy=Never."),
    ({"priority": 5}, "0/1 nodes are available: 1 No preemption victims found for incoming pod."),
    ({"priority": 1000, "cpu": "2"}, "0/1 nodes are available: 1 Preemption is not helpful for scheduling."),
]


@pytest.mark.parametrize(("given", "why"), REFUSED)
def test_nobody_goes_in_vain(given: dict[str, Any], why: str) -> None:
    made = cluster(node("a", cpu="1"))
    running(made, "low", "a", cpu="900m", priority=5)
    place(made, pod("p", **{"cpu": "900m", **given}))
    assert going(made) == set()
    message = status(made, "p").conditions[0].message
    assert message == f"0/1 nodes are available: 1 Insufficient cpu. preemption: {why}"


def test_a_second_look_waits_for_the_victim_to_end() -> None:
    made = cluster(node("a", cpu="1"), node("b", cpu="1"))
    running(made, "low-a", "a", cpu="900m", priority=1)
    running(made, "low-b", "b", cpu="900m", priority=2)
    place(made, pod("high", cpu="900m", priority=1000))
    assert going(made) == {"low-a"}
    found = made.view.get(type(node("a")), "b")
    assert found is not None
    made.put(replace(found, metadata=replace(found.metadata, labels={**found.metadata.labels, "new": "label"})))
    made.settle()
    assert going(made) == {"low-a"}
    assert status(made, "high").nominated_node_name == "a"


def test_profiles_differ_by_scheduler_name() -> None:
    packer = {"name": "NodeResourcesFit", "args": {"scoringStrategy": {"type": "MostAllocated"}}}
    plugins = {"score": {"disabled": [{"name": "NodeResourcesBalancedAllocation"}]}}
    profiles = [{}, {"schedulerName": "packer", "pluginConfig": [packer], "plugins": plugins}]
    made = Cluster(Scheduler(parse_profiles({"profiles": profiles})))
    for name in ("a", "b"):
        made.put(node(name))
    place(made, pod("first"))
    host = where(made, "first")
    assert place(made, pod("packed", scheduler_name="packer")) == [host]
    assert place(made, pod("spread")) != [host]
