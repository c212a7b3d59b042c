"""What a Deployment does and says, case by case."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from kubelite.api.apps_v1 import Deployment, DeploymentCondition, ReplicaSet, ReplicaSetSpec
from kubelite.api.core_v1 import Pod
from kubelite.api.meta import LabelSelector, ObjectMeta
from kubelite.client.plan import Create
from kubelite.controllers.deployment import DeploymentController
from kubelite.controllers.replicaset import ReplicaSetController
from kubelite.controllers.rollout import REVISION, REVISION_HISTORY, old_sizes
from tests.controllers.cluster import Cluster
from tests.controllers.objects import deployment, template


def cluster(**settings: Any) -> Cluster:
    made = Cluster(DeploymentController(), ReplicaSetController())
    made.put(deployment(**settings))
    return made


def current(made: Cluster) -> Deployment:
    found = made.view.get(Deployment, "web", "default")
    assert found is not None
    return found


def edit(made: Cluster, **spec: Any) -> None:
    made.put(replace(current(made), spec=replace(current(made).spec, **spec)))


def sizes(made: Cluster) -> dict[str, int | None]:
    """Replicas by image."""
    return {rs.spec.template.spec.containers[0].image: rs.spec.replicas for rs in made.view.list(ReplicaSet)}


def condition(made: Cluster, type_: str) -> DeploymentCondition:
    return next(entry for entry in current(made).status.conditions if entry.type == type_)


def test_a_new_deployment_creates_its_replica_set_with_upstreams_words() -> None:
    made = cluster()
    made.step()
    (rs,) = made.view.list(ReplicaSet)
    hash_ = rs.metadata.labels["pod-template-hash"]
    assert rs.metadata.name == f"web-{hash_}"
    assert rs.spec.selector is not None
    assert rs.spec.selector.match_labels == {"app": "web", "pod-template-hash": hash_}
    assert rs.metadata.annotations == {
        REVISION: "1",
        "deployment.kubernetes.io/desired-replicas": "3",
        "deployment.kubernetes.io/max-replicas": "4",
    }
    assert made.events == [("ScalingReplicaSet", f"Scaled up replica set web-{hash_} from 0 to 3")]
    assert condition(made, "Progressing").reason == "NewReplicaSetCreated"
    assert condition(made, "Progressing").message == f'Created new replica set "web-{hash_}"'
    assert condition(made, "Available").reason == "MinimumReplicasUnavailable"
    assert current(made).metadata.annotations == {REVISION: "1"}


def test_a_finished_rollout_says_so_and_settles() -> None:
    made = cluster()
    made.converge()
    status = current(made).status
    assert (status.replicas, status.updated_replicas, status.ready_replicas, status.available_replicas) == (3, 3, 3, 3)
    assert (status.unavailable_replicas, status.observed_generation) == (0, 1)
    assert condition(made, "Progressing").reason == "NewReplicaSetAvailable"
    assert condition(made, "Progressing").message.endswith("has successfully progressed.")
    assert condition(made, "Available").message == "Deployment has minimum availability."
    plans = len(made.plans)
    made.advance(3600)
    assert len(made.plans) == plans


def test_history_keeps_old_replica_sets_up_to_the_limit() -> None:
    made = cluster(revision_history_limit=2)
    for number in range(1, 6):
        edit(made, template=template(f"app:{number}"))
        made.converge()
        made.advance(1)
    assert sizes(made) == {"app:3": 0, "app:4": 0, "app:5": 3}


def test_undo_makes_the_old_replica_set_the_newest_revision() -> None:
    made = cluster()
    made.converge()
    edit(made, template=template("app:2"))
    made.converge()
    edit(made, template=template("app:1"))
    made.converge()
    assert sizes(made) == {"app:1": 3, "app:2": 0}
    newest = next(rs for rs in made.view.list(ReplicaSet) if rs.spec.replicas)
    assert newest.metadata.annotations[REVISION] == "3"
    assert newest.metadata.annotations[REVISION_HISTORY] == "1"
    assert current(made).metadata.annotations[REVISION] == "3"


def test_pods_that_never_get_ready_stop_the_rollout_and_the_deadline_says_so() -> None:
    made = cluster(unavailable=0, surge=1, progress_deadline_seconds=60)
    made.converge()
    edit(made, template=template("app:2"))
    made.settle()
    assert sizes(made) == {"app:1": 3, "app:2": 1}
    made.advance(62)
    assert condition(made, "Progressing").reason == "ProgressDeadlineExceeded"
    assert condition(made, "Progressing").status == "False"
    assert condition(made, "Available").status == "True"
    edit(made, template=template("app:1"))
    made.converge()
    assert sizes(made) == {"app:1": 3, "app:2": 0}
    assert condition(made, "Progressing").reason == "NewReplicaSetAvailable"


def test_pods_beyond_the_size_of_the_new_one_do_not_count_as_available() -> None:
    """Rolled back just after it was sized to none: its last pods are still there, but about to go."""
    made = cluster(replicas=2, surge=0, unavailable=1)
    back = ReplicaSet(metadata=ObjectMeta(name="back"), spec=ReplicaSetSpec(replicas=0))
    back = replace(back, status=replace(back.status, available_replicas=1))
    there = ReplicaSet(metadata=ObjectMeta(name="there"), spec=ReplicaSetSpec(replicas=2))
    there = replace(there, status=replace(there.status, available_replicas=1))
    assert old_sizes(current(made), back, [there]) == {"there": 1}


def test_pausing_holds_template_changes_but_not_scaling() -> None:
    made = cluster()
    made.converge()
    edit(made, paused=True)
    edit(made, template=template("app:2"), replicas=5)
    made.converge()
    assert sizes(made) == {"app:1": 5}
    assert condition(made, "Progressing").reason == "DeploymentPaused"
    edit(made, paused=False)
    made.converge()
    assert sizes(made) == {"app:1": 0, "app:2": 5}


def test_recreate_waits_until_the_last_old_pod_is_gone() -> None:
    made = cluster(recreate=True)
    made.converge()
    edit(made, template=template("app:2"))
    made.settle()
    assert sizes(made) == {"app:1": 0}
    pods = made.view.list(Pod)
    assert all(pod.metadata.deletion_timestamp for pod in pods)
    for pod in pods[:-1]:
        made.remove(pod)
    made.settle()
    assert sizes(made) == {"app:1": 0}
    made.remove(pods[-1])
    made.settle()
    assert sizes(made) == {"app:1": 0, "app:2": 3}


def test_scaling_in_the_middle_of_a_rollout_is_proportional() -> None:
    made = cluster(replicas=10, surge=3, unavailable=2)
    made.converge()
    edit(made, template=template("app:2"))
    made.settle()
    assert sizes(made) == {"app:1": 8, "app:2": 5}
    edit(made, replicas=15)
    made.settle()
    assert sizes(made) == {"app:1": 11, "app:2": 7}


def test_a_taken_name_counts_a_collision_and_takes_another() -> None:
    made = cluster()
    first = made.controllers[0].decide(made.view, "default/web", made.now).writes[0]
    assert isinstance(first, Create)
    taken = ReplicaSetSpec(replicas=0, selector=LabelSelector(match_labels={"app": "other"}))
    made.put(ReplicaSet(metadata=ObjectMeta(name=first.obj.metadata.name, namespace="default"), spec=taken))
    made.converge()
    assert current(made).status.collision_count == 1
    assert len(made.view.list(Pod)) == 3


def test_change_cause_follows_the_deployment_into_history() -> None:
    made = cluster()
    made.converge()
    changed = replace(
        current(made).metadata, annotations={**current(made).metadata.annotations, "kubernetes.io/change-cause": "why"}
    )
    made.put(replace(current(made), metadata=changed))
    made.converge()
    (rs,) = made.view.list(ReplicaSet)
    assert rs.metadata.annotations["kubernetes.io/change-cause"] == "why"
    assert rs.metadata.annotations[REVISION] == "1"


def test_a_failed_creation_of_the_replica_set_is_told() -> None:
    made = cluster()
    controller = DeploymentController()
    write = controller.decide(made.view, "default/web", made.now).writes[0]
    made.carry_out(controller.failed(made.view, "default/web", made.now, write, "quota"))
    assert condition(made, "Progressing").reason == "ReplicaSetCreateError"
    assert made.events[-1][0] == "ReplicaSetCreateError"


@pytest.mark.parametrize(("replicas", "surge", "unavailable", "first"), [
    (4, "25%", "25%", {"app:1": 3, "app:2": 1}),
    (3, 0, 0, {"app:1": 2, "app:2": 0}),
    (10, "30%", 0, {"app:1": 10, "app:2": 3}),
    (2, 0, "100%", {"app:1": 0, "app:2": 0}),
])  # fmt: skip
def test_the_first_step_of_a_rollout(
    replicas: int, surge: int | str, unavailable: int | str, first: dict[str, int]
) -> None:
    made = cluster(replicas=replicas, surge=surge, unavailable=unavailable)
    made.converge()
    edit(made, template=template("app:2"))
    made.step()
    if sizes(made)["app:1"] == replicas and first["app:1"] != replicas:
        made.step()
    assert sizes(made) == first
