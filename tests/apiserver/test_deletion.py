"""What a DELETE does to an object, as a function of the object, the options and the time."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from kubelite.api import batch_v1 as batch, core_v1 as core
from kubelite.api.meta import DeleteOptions, ObjectMeta
from kubelite.api.timestamp import rfc3339
from kubelite.apiserver.deletion import compute_deletion, finished
from tests.apiserver.registries import config, pod

NOW = 1_700_000_000.0


def bound(**meta: Any) -> core.Pod:
    wanted = pod(node="n1")
    spec = replace(wanted.spec, termination_grace_period_seconds=30)
    return replace(wanted, metadata=replace(wanted.metadata, generation=1, **meta), spec=spec)


def test_plain_object_goes_at_once() -> None:
    assert compute_deletion(config(), DeleteOptions(), NOW).remove


@pytest.mark.parametrize(("grace", "seconds"), [(None, 30), (5, 5), (-1, 1)])
def test_bound_pod_is_given_time(grace: int | None, seconds: int) -> None:
    outcome = compute_deletion(bound(), DeleteOptions(grace_period_seconds=grace), NOW)
    meta = outcome.obj.metadata
    assert not outcome.remove
    assert (meta.deletion_grace_period_seconds, meta.deletion_timestamp) == (seconds, rfc3339(NOW + seconds))
    assert meta.generation == 2


def test_grace_period_can_only_be_shortened() -> None:
    going = compute_deletion(bound(), DeleteOptions(), NOW).obj
    assert compute_deletion(going, DeleteOptions(grace_period_seconds=60), NOW + 1).obj is None
    assert compute_deletion(going, DeleteOptions(), NOW + 1).obj is None
    sooner = compute_deletion(going, DeleteOptions(grace_period_seconds=5), NOW + 1).obj.metadata
    assert (sooner.deletion_timestamp, sooner.deletion_grace_period_seconds) == (rfc3339(NOW + 5), 5)
    assert compute_deletion(going, DeleteOptions(grace_period_seconds=0), NOW + 1).remove


def test_finished_pod_goes_at_once() -> None:
    done = replace(bound(), status=core.PodStatus(phase="Succeeded"))
    assert compute_deletion(done, DeleteOptions(), NOW).remove


@pytest.mark.parametrize(
    ("options", "finalizers"),
    [
        (DeleteOptions(propagation_policy="Foreground"), ("foregroundDeletion",)),
        (DeleteOptions(propagation_policy="Orphan"), ("orphan",)),
        (DeleteOptions(orphan_dependents=True), ("orphan",)),
    ],
)
def test_propagation_policy_becomes_a_finalizer(options: DeleteOptions, finalizers: tuple[str, ...]) -> None:
    outcome = compute_deletion(config(), options, NOW)
    assert not outcome.remove
    assert outcome.obj.metadata.finalizers == finalizers
    assert outcome.obj.metadata.deletion_grace_period_seconds == 0


def test_background_policy_takes_back_an_earlier_one() -> None:
    held = compute_deletion(config(), DeleteOptions(propagation_policy="Orphan"), NOW).obj
    assert compute_deletion(held, DeleteOptions(propagation_policy="Background"), NOW).remove


def test_jobs_orphan_their_pods_unless_told_otherwise() -> None:
    job = batch.Job(metadata=ObjectMeta(name="j"))
    assert compute_deletion(job, DeleteOptions(), NOW).obj.metadata.finalizers == ("orphan",)
    assert compute_deletion(job, DeleteOptions(propagation_policy="Background"), NOW).remove


def test_namespace_waits_for_its_own_finalizers() -> None:
    namespace = core.Namespace(metadata=ObjectMeta(name="x"), spec=core.NamespaceSpec(finalizers=("kubernetes",)))
    going = compute_deletion(namespace, DeleteOptions(), NOW).obj
    assert (going.status.phase, going.metadata.deletion_timestamp) == ("Terminating", rfc3339(NOW))
    assert compute_deletion(going, DeleteOptions(), NOW).obj is None
    assert not finished(going)
    assert finished(replace(going, spec=core.NamespaceSpec()))


def test_pod_is_not_finished_while_its_containers_have_time() -> None:
    going = compute_deletion(bound(finalizers=("example.com/f",)), DeleteOptions(), NOW).obj
    assert not finished(replace(going, metadata=replace(going.metadata, finalizers=())))
    forced = compute_deletion(going, DeleteOptions(grace_period_seconds=0), NOW).obj
    assert finished(replace(forced, metadata=replace(forced.metadata, finalizers=())))
