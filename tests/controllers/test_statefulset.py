"""Ordinals: created upwards, ended and updated downwards, each with its name and claims."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings, strategies as st
from msgspec.structs import replace

from kubelite.api.apps_v1 import (
    ControllerRevision,
    RollingUpdateStatefulSetStrategy,
    StatefulSet,
    StatefulSetOrdinals,
    StatefulSetPersistentVolumeClaimRetentionPolicy,
    StatefulSetSpec,
    StatefulSetUpdateStrategy,
)
from kubelite.api.core_v1 import PersistentVolumeClaim, Pod
from kubelite.api.meta import LabelSelector, ObjectMeta
from kubelite.client.plan import Create
from kubelite.controllers.statefulset import StatefulSetController
from tests.controllers.cluster import Cluster
from tests.controllers.objects import template


def cluster(replicas: int = 3, *, partition: int = 0, **spec: Any) -> Cluster:
    made = Cluster(StatefulSetController())
    given_: dict[str, Any] = {
        "template": template(),
        "update_strategy": StatefulSetUpdateStrategy(
            type="RollingUpdate", rolling_update=RollingUpdateStatefulSetStrategy(partition=partition)
        ),
        "volume_claim_templates": (PersistentVolumeClaim(metadata=ObjectMeta(name="data")),),
        "service_name": "db",
        **spec,
    }
    selector = LabelSelector(match_labels={"app": "web"})
    made.put(
        StatefulSet(
            metadata=ObjectMeta(name="db", namespace="default"),
            spec=StatefulSetSpec(replicas=replicas, selector=selector, **given_),
        )
    )
    made.settle()
    return made


def workload(made: Cluster) -> StatefulSet:
    found = made.view.get(StatefulSet, "db", "default")
    assert found is not None
    return found


def edit(made: Cluster, **spec: Any) -> None:
    made.put(replace(workload(made), spec=replace(workload(made).spec, **spec)))


def names(made: Cluster) -> list[str]:
    return sorted(pod.metadata.name for pod in made.view.list(Pod))


def images(made: Cluster) -> dict[str, str]:
    return {pod.metadata.name: pod.spec.containers[0].image for pod in made.view.list(Pod)}


def test_pods_start_one_after_the_other() -> None:
    made = cluster()
    assert names(made) == ["db-0"]
    made.run_pods()
    made.settle()
    assert names(made) == ["db-0", "db-1"]
    made.converge()
    assert names(made) == ["db-0", "db-1", "db-2"]
    status = workload(made).status
    assert (status.replicas, status.ready_replicas, status.current_replicas, status.updated_replicas) == (3, 3, 3, 3)
    assert status.current_revision == status.update_revision


def test_a_pod_knows_its_name_host_and_claim() -> None:
    made = cluster(1)
    (pod,) = made.view.list(Pod)
    assert (pod.spec.hostname, pod.spec.subdomain) == ("db-0", "db")
    assert pod.metadata.labels["statefulset.kubernetes.io/pod-name"] == "db-0"
    assert pod.metadata.labels["apps.kubernetes.io/pod-index"] == "0"
    claim = pod.spec.volumes[0].persistent_volume_claim
    assert claim is not None
    assert claim.claim_name == "data-db-0"
    assert made.view.get(PersistentVolumeClaim, "data-db-0", "default") is not None
    assert ("SuccessfulCreate", "create Pod db-0 in StatefulSet db successful") in made.events
    assert ("SuccessfulCreate", "create Claim data-db-0 Pod db-0 in StatefulSet db success") in made.events


def test_scaling_down_ends_the_highest_first_and_keeps_claims() -> None:
    made = cluster()
    made.converge()
    edit(made, replicas=1)
    made.settle()
    assert [pod.metadata.name for pod in made.view.list(Pod) if pod.metadata.deletion_timestamp] == ["db-2"]
    made.converge()
    assert names(made) == ["db-0"]
    assert len(made.view.list(PersistentVolumeClaim)) == 3


def test_an_update_goes_downwards_and_waits_for_health() -> None:
    made = cluster()
    made.converge()
    edit(made, template=template("app:2"))
    made.settle()
    assert [pod.metadata.name for pod in made.view.list(Pod) if pod.metadata.deletion_timestamp] == ["db-2"]
    made.run_pods()
    made.settle()
    assert [name for name, image in images(made).items() if image == "app:2"] == ["db-2"]
    made.converge()
    assert set(images(made).values()) == {"app:2"}
    status = workload(made).status
    assert status.current_revision == status.update_revision


def test_a_partition_holds_the_lower_ordinals_back_even_when_they_are_recreated() -> None:
    made = cluster(partition=2)
    made.converge()
    edit(made, template=template("app:2"))
    made.converge()
    made.remove(next(pod for pod in made.view.list(Pod) if pod.metadata.name == "db-0"))
    made.converge()
    assert images(made) == {"db-0": "app:1", "db-1": "app:1", "db-2": "app:2"}
    assert (workload(made).status.current_replicas, workload(made).status.updated_replicas) == (2, 1)


def test_parallel_management_does_not_wait() -> None:
    made = cluster(pod_management_policy="Parallel")
    assert names(made) == ["db-0", "db-1", "db-2"]


def test_ordinals_may_start_elsewhere() -> None:
    made = cluster(2, ordinals=StatefulSetOrdinals(start=5))
    made.converge()
    assert names(made) == ["db-5", "db-6"]


def test_a_failed_pod_is_recreated_under_its_name() -> None:
    made = cluster(1)
    made.converge()
    (pod,) = made.view.list(Pod)
    made.put(replace(pod, status=replace(pod.status, phase="Failed")))
    made.converge()
    (again,) = made.view.list(Pod)
    assert again.metadata.name == "db-0"
    assert again.metadata.uid != pod.metadata.uid
    assert any(reason == "RecreatingFailedPod" for reason, _ in made.events)


def test_the_retention_policy_ties_claims_to_what_ends() -> None:
    policy = StatefulSetPersistentVolumeClaimRetentionPolicy(when_deleted="Retain", when_scaled="Delete")
    made = cluster(2, persistent_volume_claim_retention_policy=policy)
    made.converge()
    edit(made, replicas=1)
    made.settle()
    claim = made.view.get(PersistentVolumeClaim, "data-db-1", "default")
    assert claim is not None
    assert [entry.kind for entry in claim.metadata.owner_references] == ["Pod"]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["scale", "image", "kill", "run", "step", "fail"]), max_size=25), st.randoms())
def test_no_two_pods_of_an_ordinal_and_it_always_converges(edits: list[str], random: Any) -> None:
    made = cluster(2)
    for action in edits:
        pods = made.view.list(Pod)
        if action == "scale":
            edit(made, replicas=random.randrange(5))
        elif action == "image":
            edit(made, template=template(f"app:{random.randrange(4)}"))
        elif action == "step":
            made.step()
        elif pods:
            pod = pods[random.randrange(len(pods))]
            if action == "kill":
                made.delete(pod)
            elif action == "fail":
                made.put(replace(pod, status=replace(pod.status, phase="Failed")))
            elif pod.metadata.deletion_timestamp:
                made.remove(pod)
            else:
                made.run_pod(pod)
        assert len(set(names(made))) == len(names(made))
    made.converge()
    wanted = workload(made).spec.replicas or 0
    assert names(made) == [f"db-{number}" for number in range(wanted)]
    image = workload(made).spec.template.spec.containers[0].image
    assert set(images(made).values()) <= {image}


def test_a_revision_that_was_read_from_disk_is_the_same() -> None:
    made = cluster(1)
    made.converge()
    (revision,) = made.view.list(ControllerRevision)
    made.put(msgspec.json.decode(msgspec.json.encode(revision), type=ControllerRevision))
    made.settle()
    assert len(made.view.list(ControllerRevision)) == 1


def test_a_revision_whose_name_is_taken_gets_another() -> None:
    made = cluster(1)
    made.converge()
    (revision,) = made.view.list(ControllerRevision)
    stranger = replace(revision, data={}, metadata=replace(revision.metadata, owner_references=(), labels={}))
    made.remove(revision)
    made.put(stranger)
    made.settle()
    names_ = {entry.metadata.name for entry in made.view.list(ControllerRevision)}
    assert len(names_) == 2


def test_in_parallel_a_broken_pod_below_does_not_hold_the_update_up() -> None:
    made = cluster(pod_management_policy="Parallel")
    made.run_pods(lambda pod: pod.metadata.name != "db-0")
    made.settle()
    edit(made, template=template("app:2"))
    made.settle()
    for _ in range(4):
        made.run_pods(lambda pod: pod.spec.containers[0].image == "app:2")
        made.settle()
    assert set(images(made).values()) == {"app:2"}


def test_several_may_be_replaced_at_once() -> None:
    rolling = RollingUpdateStatefulSetStrategy(partition=1, max_unavailable=2)
    strategy = StatefulSetUpdateStrategy(type="RollingUpdate", rolling_update=rolling)
    made = cluster(5, update_strategy=strategy, pod_management_policy="Parallel")
    made.converge()
    edit(made, template=template("app:2"))
    made.settle()
    going = [pod.metadata.name for pod in made.view.list(Pod) if pod.metadata.deletion_timestamp]
    assert sorted(going) == ["db-3", "db-4"]
    made.converge()
    assert images(made) == {"db-0": "app:1", **{f"db-{number}": "app:2" for number in range(1, 5)}}


def test_a_pending_pod_gets_the_claim_that_somebody_deleted() -> None:
    made = cluster(1)
    (pod,) = made.view.list(Pod)
    made.put(replace(pod, status=replace(pod.status, phase="Pending")))
    (claim,) = made.view.list(PersistentVolumeClaim)
    made.remove(claim)
    made.settle()
    assert made.view.get(PersistentVolumeClaim, "data-db-0", "default") is not None


def test_what_cannot_be_created_is_told_with_upstreams_words() -> None:
    made = cluster(1)
    (pod,) = made.view.list(Pod)
    (claim,) = made.view.list(PersistentVolumeClaim)
    said = [
        StatefulSetController().failed(made.view, "default/db", made.now, Create(obj), "no").reports[0].message
        for obj in (pod, claim)
    ]
    assert said == [
        "create Pod db-0 in StatefulSet db failed error: no",
        "create Claim data-db-0 for Pod in StatefulSet db failed error: no",
    ]
