"""Claims and volumes find each other, keep each other, and end as the policy says; together with the scheduler."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from msgspec.structs import replace

from kubelite.api.core_v1 import (
    EphemeralVolumeSource,
    HostPathVolumeSource,
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    PersistentVolumeClaimTemplate,
    PersistentVolumeClaimVolumeSource,
    PersistentVolumeSpec,
    PersistentVolumeStatus,
    Pod,
    Volume,
    VolumeResourceRequirements,
)
from kubelite.api.meta import LabelSelector, ObjectMeta
from kubelite.api.storage_v1 import CSIDriver, CSIDriverSpec, CSIStorageCapacity, StorageClass
from kubelite.api.volume_matching import DELAYED, HOST_PATH, SELECTED_NODE
from kubelite.client.view import Controller
from kubelite.controllers.ephemeral_volume import EphemeralVolumeController
from kubelite.controllers.host_path_provisioner import HostPathProvisioner
from kubelite.controllers.persistent_volume import PersistentVolumeBinder
from kubelite.controllers.volume_protection import CLAIM_FINALIZER, PVCProtectionController, PVProtectionController
from kubelite.scheduler import Scheduler
from tests.controllers.cluster import Cluster
from tests.scheduler.test_scheduler import node, pod, told, where

ONCE = ("ReadWriteOnce",)


def controllers() -> tuple[Controller, ...]:
    return (
        Scheduler(),
        PersistentVolumeBinder(),
        HostPathProvisioner("/volumes"),
        PVCProtectionController(),
        PVProtectionController(),
        EphemeralVolumeController(),
    )


def cluster(*, mode: str = DELAYED) -> Cluster:
    made = Cluster(*controllers())
    class_ = StorageClass(
        metadata=ObjectMeta(name="standard"), provisioner=HOST_PATH, reclaim_policy="Delete", volume_binding_mode=mode
    )
    made.put(class_)
    for name in ("a", "b"):
        made.put(node(name))
    return made


def claim_spec(size: str = "1Gi", class_: str = "standard", **spec: Any) -> PersistentVolumeClaimSpec:
    resources = VolumeResourceRequirements(requests={"storage": size})
    settings_ = {"access_modes": ONCE, **spec}
    return PersistentVolumeClaimSpec(resources=resources, storage_class_name=class_, **settings_)


def claim(name: str = "data", size: str = "1Gi", class_: str = "standard", **spec: Any) -> PersistentVolumeClaim:
    meta = ObjectMeta(name=name, namespace="default", finalizers=(CLAIM_FINALIZER,))
    return PersistentVolumeClaim(metadata=meta, spec=claim_spec(size, class_, **spec))


def volume(name: str, size: str = "1Gi", class_: str = "", **spec: Any) -> PersistentVolume:
    given_ = {
        "access_modes": ONCE,
        "persistent_volume_reclaim_policy": "Retain",
        "host_path": HostPathVolumeSource(path=f"/{name}"),
        **spec,
    }
    return PersistentVolume(
        metadata=ObjectMeta(name=name),
        spec=PersistentVolumeSpec(capacity={"storage": size}, storage_class_name=class_, **given_),
        status=PersistentVolumeStatus(phase="Pending"),
    )


def user(name: str, claim_name: str = "data") -> Pod:
    source = PersistentVolumeClaimVolumeSource(claim_name=claim_name)
    return pod(name, volumes=(Volume(name="data", persistent_volume_claim=source),))


def current(made: Cluster, name: str = "data") -> PersistentVolumeClaim:
    found = made.view.get(PersistentVolumeClaim, name, "default")
    assert found is not None
    return found


def phase(made: Cluster, name: str) -> str:
    found = made.view.get(PersistentVolume, name)
    return found.status.phase if found else "gone"


def test_a_claim_without_a_class_takes_the_smallest_volume_that_fits() -> None:
    made = cluster()
    for name, size in (("big", "10Gi"), ("right", "2Gi"), ("small", "500Mi")):
        made.put(volume(name, size))
    made.put(claim(class_=""))
    made.settle()
    bound = current(made)
    assert (bound.spec.volume_name, bound.status.phase, bound.status.capacity) == ("right", "Bound", {"storage": "2Gi"})
    assert [phase(made, name) for name in ("big", "right", "small")] == ["Available", "Bound", "Available"]


def test_a_claim_that_nothing_fits_waits_and_is_told() -> None:
    made = cluster()
    made.put(claim(class_=""))
    made.settle()
    message = "no persistent volumes available for this claim and no storage class is set"
    assert ("FailedBinding", message) in made.events
    made.put(volume("late"))
    made.settle()
    assert current(made).spec.volume_name == "late"


def test_a_delayed_claim_is_provisioned_where_its_pod_goes_and_the_pod_waits_for_it() -> None:
    made = cluster()
    made.put(claim())
    made.settle()
    assert made.events == [("WaitForFirstConsumer", "waiting for first consumer to be created before binding")]
    made.put(user("p"))
    made.settle()
    bound = current(made)
    assert bound.metadata.annotations[SELECTED_NODE] == where(made, "p") != ""
    found = made.view.get(PersistentVolume, bound.spec.volume_name)
    assert found is not None
    assert found.spec.host_path is not None
    assert found.spec.host_path.path == f"/volumes/pvc-{bound.metadata.uid}_default_data"
    reasons = [reason for reason, _ in made.events]
    assert reasons.index("ProvisioningSucceeded") < reasons.index("Scheduled")


def test_the_next_pod_of_a_bound_claim_goes_to_the_same_node() -> None:
    made = cluster()
    made.put(claim())
    made.put(user("first"))
    made.settle()
    host = where(made, "first")
    other = "b" if host == "a" else "a"
    made.put(replace(made.view.get(type(node("a")), host), spec=node(host, unschedulable=True).spec))  # type: ignore[type-var]
    made.put(user("second"))
    made.settle()
    assert where(made, "second") == ""
    expected = "1 node(s) had volume node affinity conflict, 1 node(s) were unschedulable."
    assert told(made, "second") == f"0/2 nodes are available: {expected}"
    assert other != host


def test_a_driver_that_tells_its_capacity_gets_only_what_fits() -> None:
    made = cluster()
    driver = "disk.example.com"
    made.put(CSIDriver(metadata=ObjectMeta(name=driver), spec=CSIDriverSpec(storage_capacity=True)))
    made.put(StorageClass(metadata=ObjectMeta(name="disk"), provisioner=driver, volume_binding_mode=DELAYED))
    made.put(claim(size="5Gi", class_="disk"))
    made.put(user("p"))
    made.settle()
    assert told(made, "p") == "0/2 nodes are available: 2 node(s) did not have enough free storage."
    for host, size in (("a", "4Gi"), ("b", "6Gi")):
        topology = LabelSelector(match_labels={"kubernetes.io/hostname": host})
        meta = ObjectMeta(name=f"of-{host}", namespace="kube-system")
        made.put(CSIStorageCapacity(metadata=meta, storage_class_name="disk", node_topology=topology, capacity=size))
    made.settle()
    assert current(made).metadata.annotations["volume.kubernetes.io/selected-node"] == "b"


UNUSABLE: list[tuple[tuple[PersistentVolumeClaim, ...], str, str]] = [
    ((), DELAYED, 'persistentvolumeclaim "data" not found'),
    ((claim(class_="slow"),), DELAYED, "pod has unbound immediate PersistentVolumeClaims"),
]


@pytest.mark.parametrize(("claims", "mode", "problem"), UNUSABLE)
def test_a_pod_whose_claim_cannot_be_used_waits(
    claims: tuple[PersistentVolumeClaim, ...], mode: str, problem: str
) -> None:
    made = cluster(mode=mode)
    for entry in claims:
        made.put(entry)
    made.put(user("p"))
    made.settle()
    assert told(made, "p") == f"0/2 nodes are available: {problem}."
    made.put(StorageClass(metadata=ObjectMeta(name="slow"), provisioner=HOST_PATH, volume_binding_mode="Immediate"))
    if not claims:
        made.put(claim())
    made.settle()
    assert where(made, "p")


def test_the_data_stays_until_the_claim_is_gone_and_the_claim_until_its_pods_are() -> None:
    made = cluster()
    made.put(claim())
    made.put(user("p"))
    made.settle()
    made.run_pods()
    name = current(made).spec.volume_name
    made.delete(current(made))
    made.settle()
    assert current(made).metadata.deletion_timestamp
    assert phase(made, name) == "Bound"
    made.remove(made.view.get(Pod, "p", "default"))  # type: ignore[arg-type]
    made.settle()
    assert made.view.get(PersistentVolumeClaim, "data", "default") is None
    assert phase(made, name) == "Released"


def test_a_bound_claim_whose_volume_goes_is_lost() -> None:
    made = cluster()
    made.put(volume("v"))
    made.put(claim(class_=""))
    made.settle()
    made.remove(made.view.get(PersistentVolume, "v"))  # type: ignore[arg-type]
    made.settle()
    assert current(made).status.phase == "Lost"
    assert made.events[-1][0] == "ClaimLost"


def test_read_write_once_pod_is_for_one_pod() -> None:
    made = cluster()
    made.put(claim(access_modes=("ReadWriteOncePod",)))
    made.put(user("p"))
    made.settle()
    made.put(user("q"))
    made.settle()
    assert where(made, "q") == ""
    assert "ReadWriteOncePod access mode" in told(made, "q")


def test_an_ephemeral_volume_is_a_claim_of_the_pod() -> None:
    made = cluster()
    template = PersistentVolumeClaimTemplate(spec=claim_spec())
    ephemeral = Volume(name="scratch", ephemeral=EphemeralVolumeSource(volume_claim_template=template))
    made.put(pod("p", volumes=(ephemeral,)))
    made.settle()
    assert where(made, "p")
    made_claim = current(made, "p-scratch")
    assert made_claim.metadata.owner_references[0].name == "p"
    assert made_claim.status.phase == "Bound"


def test_claims_of_the_built_in_class_can_grow() -> None:
    made = cluster(mode="Immediate")
    made.put(claim())
    made.settle()
    bigger = current(made)
    resources = VolumeResourceRequirements(requests={"storage": "5Gi"})
    made.put(replace(bigger, spec=replace(bigger.spec, resources=resources)))
    made.settle()
    made.advance(1)
    assert current(made).status.capacity == {"storage": "5Gi"}


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["claim", "volume", "pod", "end claim", "end pod", "step", "step", "restart", "refuse", "wait"]
        ),
        st.integers(0, 3),
    ),
    max_size=40,
)


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_a_volume_never_has_two_claims_and_everything_converges(steps: list[tuple[str, int]]) -> None:
    made = cluster()

    def check() -> None:
        holders = [entry.spec.volume_name for entry in made.view.list(PersistentVolumeClaim) if entry.spec.volume_name]
        assert len(holders) == len(set(holders))

    made.at_every_revision = check
    for what, number in steps:
        found = made.view.get(PersistentVolumeClaim, f"c{number}", "default")
        guest = made.view.get(Pod, f"p{number}", "default")
        if what == "claim" and found is None:
            made.put(claim(f"c{number}", class_="" if number % 2 else "standard"))
        elif what == "volume" and made.view.get(PersistentVolume, f"v{number}") is None:
            made.put(volume(f"v{number}", f"{number + 1}Gi"))
        elif what == "pod" and guest is None:
            made.put(user(f"p{number}", f"c{number}"))
        elif what == "end claim" and found is not None:
            made.delete(found)
        elif what == "end pod" and guest is not None:
            made.remove(guest)
        elif what == "restart":
            made.restart(*controllers())
        elif what == "refuse":
            made.refuse_after = number
        elif what == "wait":
            made.pass_time(number)
        made.step()
    made.refuse_after = None
    made.settle()
    made.advance(700)  # a pod waits ten minutes for its volumes
    made.advance(5)
    for entry in made.view.list(PersistentVolumeClaim):
        users = made.view.indexed(Pod, "claim", f"default/{entry.metadata.name}")
        if users and not entry.metadata.deletion_timestamp and entry.spec.storage_class_name:
            assert entry.status.phase == "Bound"
    for each in made.view.list(PersistentVolume):
        ref = each.spec.claim_ref
        held = made.view.get(PersistentVolumeClaim, ref.name, ref.namespace) if ref else None
        if each.status.phase == "Bound":
            assert held is not None
            assert held.spec.volume_name == each.metadata.name
