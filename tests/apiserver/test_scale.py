"""The scale of a workload."""

from __future__ import annotations

import pytest

from kubelite.api import apps_v1 as apps, core_v1 as core, errors
from kubelite.api.autoscaling_v1 import Scale, ScaleSpec, ScaleStatus
from kubelite.api.meta import LabelSelector, LabelSelectorRequirement, ObjectMeta
from kubelite.apiserver.scale import apply_scale, compute_scale, print_selector

SELECTOR = LabelSelector(
    match_labels={"b": "1"},
    match_expressions=(
        LabelSelectorRequirement(key="a", operator="In", values=("y", "x")),
        LabelSelectorRequirement(key="c", operator="DoesNotExist"),
    ),
)
REPLICA_SET = apps.ReplicaSet(
    metadata=ObjectMeta(name="r", namespace="n", uid="u", resource_version="7", labels={"not": "shown"}),
    spec=apps.ReplicaSetSpec(replicas=3, selector=SELECTOR),
    status=apps.ReplicaSetStatus(replicas=2),
)


def test_scale_shows_replicas_and_selector() -> None:
    assert compute_scale(REPLICA_SET) == Scale(
        metadata=ObjectMeta(name="r", namespace="n", uid="u", resource_version="7"),
        spec=ScaleSpec(replicas=3),
        status=ScaleStatus(replicas=2, selector="a in (x,y),b=1,!c"),
    )


def test_scale_sets_only_replicas() -> None:
    scaled = apply_scale(REPLICA_SET, Scale(metadata=ObjectMeta(name="r"), spec=ScaleSpec(replicas=1)))
    assert scaled.spec == apps.ReplicaSetSpec(replicas=1, selector=SELECTOR)
    assert scaled.metadata.labels == {"not": "shown"}
    assert scaled.metadata.resource_version == ""


def test_negative_scale_is_invalid() -> None:
    with pytest.raises(errors.Invalid, match=r'Scale\.autoscaling "r" is invalid: spec\.replicas'):
        apply_scale(REPLICA_SET, Scale(spec=ScaleSpec(replicas=-1)))


def test_plain_selector_is_printed_too() -> None:
    assert print_selector(core.ReplicationControllerSpec(selector={"a": "b"}).selector) == "a=b"
