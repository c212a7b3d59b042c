"""Which pods a ReplicaSet creates, gives up, adopts and counts."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from kubelite.api.apps_v1 import ReplicaSet, ReplicaSetSpec
from kubelite.api.core_v1 import ContainerStatus, Pod, PodCondition, PodSpec, PodStatus
from kubelite.api.meta import LabelSelector, ObjectMeta, controller_of
from kubelite.client.plan import Create
from kubelite.controllers.pods import DELETION_COST, deletion_order
from kubelite.controllers.replicaset import ReplicaSetController
from tests.controllers.cluster import START, Cluster
from tests.controllers.objects import pod, template

NOW = START


def replica_set(**spec: Any) -> ReplicaSet:
    settings: dict[str, Any] = {"replicas": 2, **spec}
    return ReplicaSet(
        metadata=ObjectMeta(name="web", namespace="default"),
        spec=ReplicaSetSpec(selector=LabelSelector(match_labels={"app": "web"}), template=template(), **settings),
    )


def cluster(**spec: Any) -> Cluster:
    made = Cluster(ReplicaSetController())
    made.put(replica_set(**spec))
    return made


def current(made: Cluster) -> ReplicaSet:
    found = made.view.get(ReplicaSet, "web", "default")
    assert found is not None
    return found


def candidate(name: str, **given: Any) -> Pod:
    ready = given.get("ready")
    conditions = (PodCondition(type="Ready", status="True", last_transition_time=ready),) if ready else ()
    restarts = (ContainerStatus(name="app", restart_count=given.get("restarts", 0)),)
    cost = {DELETION_COST: str(given["cost"])} if "cost" in given else {}
    return Pod(
        metadata=ObjectMeta(
            name=name, uid=name, annotations=cost, creation_timestamp=given.get("created", "2023-11-14T22:00:00Z")
        ),
        spec=PodSpec(node_name=given.get("node", "node-1")),
        status=PodStatus(phase=given.get("phase", "Running"), conditions=conditions, container_statuses=restarts),
    )


def test_pods_are_given_up_least_useful_first() -> None:
    at = "2023-11-14T22:00:00Z"
    pods = [
        candidate("old-ready", ready="2023-11-14T10:00:00Z"),
        candidate("young-ready", ready="2023-11-14T22:13:00Z"),
        candidate("restarted", ready="2023-11-14T10:00:00Z", restarts=3),
        candidate("doubled", ready=at, node="node-2"),
        candidate("cheap", ready=at, cost=-5),
        candidate("not-ready"),
        candidate("pending", phase="Pending"),
        candidate("unassigned", phase="Pending", node=""),
    ]
    order = deletion_order(pods, {"node-2": 9}, NOW)
    names = ["unassigned", "pending", "not-ready", "cheap", "doubled", "young-ready", "restarted", "old-ready"]
    assert [entry.metadata.name for entry in order] == names


def test_missing_pods_are_created_and_told_by_their_names() -> None:
    made = cluster()
    made.settle()
    names = {entry.metadata.name for entry in made.view.list(Pod)}
    assert len(names) == 2
    assert all(name.startswith("web-") for name in names)
    assert {message for _, message in made.events} == {f"Created pod: {name}" for name in names}
    owner = controller_of(made.view.list(Pod)[0].metadata)
    assert owner is not None
    assert (owner.kind, owner.name, owner.block_owner_deletion) == ("ReplicaSet", "web", True)


def test_surplus_pods_are_deleted_and_told() -> None:
    made = cluster(replicas=3)
    made.converge()
    made.put(replace(current(made), spec=replace(current(made).spec, replicas=1)))
    made.converge()
    assert len(made.view.list(Pod)) == 1
    assert [reason for reason, _ in made.events].count("SuccessfulDelete") == 2


def test_matching_orphans_are_adopted_and_strangers_released() -> None:
    made = cluster()
    made.put(pod("orphan"))
    made.put(pod("other", {"app": "other"}))
    made.converge()
    adopted = made.view.get(Pod, "orphan", "default")
    assert adopted is not None
    assert controller_of(adopted.metadata) is not None
    assert len(made.view.owned(Pod, current(made).metadata.uid)) == 2
    made.put(replace(adopted, metadata=replace(adopted.metadata, labels={"app": "debug"})))
    made.converge()
    released = made.view.get(Pod, "orphan", "default")
    assert released is not None
    assert released.metadata.owner_references == ()
    assert len(made.view.owned(Pod, current(made).metadata.uid)) == 2


def test_finished_and_terminating_pods_are_replaced() -> None:
    made = cluster()
    made.converge()
    first, second = made.view.list(Pod)
    made.put(replace(first, status=replace(first.status, phase="Failed")))
    made.delete(second)
    made.settle()
    assert sum(entry.status.phase == "" for entry in made.view.list(Pod)) == 2


def test_availability_waits_for_min_ready_seconds_without_polling() -> None:
    made = cluster(min_ready_seconds=30)
    made.converge()
    assert (current(made).status.ready_replicas, current(made).status.available_replicas) == (2, 0)
    made.advance(29)
    assert current(made).status.available_replicas == 0
    made.advance(1)
    assert current(made).status.available_replicas == 2
    plans = len(made.plans)
    made.advance(1000)
    assert len(made.plans) <= plans + 1


def test_a_failed_creation_is_a_condition_until_the_number_is_right() -> None:
    made = cluster()
    controller = ReplicaSetController()
    plan = controller.decide(made.view, "default/web", made.now)
    assert isinstance(plan.writes[0], Create)
    made.carry_out(controller.failed(made.view, "default/web", made.now, plan.writes[0], "exceeded quota"))
    (failure,) = current(made).status.conditions
    assert (failure.type, failure.status, failure.reason) == ("ReplicaFailure", "True", "FailedCreate")
    assert made.events[-1] == ("FailedCreate", "Error creating: exceeded quota")
    made.converge()
    assert current(made).status.conditions == ()
