"""What each kind's client may set, and what only the server sets."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kubelite.api import batch_v1 as batch, core_v1 as core
from kubelite.api.meta import ObjectMeta
from kubelite.apiserver.strategy import compute_created, compute_updated
from kubelite.apiserver.strategy_core import qos_class
from tests.apiserver.registries import config, pod, service

NOW = "2026-01-02T03:04:05Z"


def test_client_cannot_create_a_pod_that_already_runs() -> None:
    made = compute_created(replace(pod(), status=core.PodStatus(phase="Running")), name="web", uid="u", now=NOW)
    assert (made.status.phase, made.status.qos_class, made.metadata.generation) == ("Pending", "BestEffort", 1)


def test_client_cannot_create_an_object_that_is_being_deleted() -> None:
    wanted = replace(config(), metadata=ObjectMeta(name="a", deletion_timestamp=NOW, deletion_grace_period_seconds=5))
    made = compute_created(wanted, name="a", uid="u", now=NOW)
    assert made.metadata.deletion_timestamp is None
    assert made.metadata.deletion_grace_period_seconds is None


def test_node_reports_its_status_when_it_registers() -> None:
    node = core.Node(metadata=ObjectMeta(name="n"), status=core.NodeStatus(capacity={"cpu": "2"}))
    assert compute_created(node, name="n", uid="u", now=NOW).status.capacity == {"cpu": "2"}


def test_update_keeps_identity_and_deletion() -> None:
    old = compute_created(config(), name="settings", uid="u1", now=NOW)
    old = replace(old, metadata=replace(old.metadata, deletion_timestamp=NOW))
    new = compute_updated(config(a="1"), old)
    assert (new.metadata.uid, new.metadata.creation_timestamp, new.metadata.deletion_timestamp) == ("u1", NOW, NOW)


def test_status_update_of_a_pod_touches_nothing_else() -> None:
    old = compute_created(pod(), name="web", uid="u1", now=NOW)
    changed = replace(old, spec=replace(old.spec, node_name="n9"), status=core.PodStatus(phase="Running"))
    new = compute_updated(changed, old, subresource="status")
    assert new.spec == old.spec
    assert (new.status.phase, new.status.qos_class) == ("Running", "BestEffort")
    assert new.metadata.generation == 1


def test_secret_text_becomes_data() -> None:
    secret = core.Secret(metadata=ObjectMeta(name="s"), data={"a": b"1"}, string_data={"a": "2", "b": "3"})
    made = compute_created(secret, name="s", uid="u", now=NOW)
    assert (made.data, made.string_data) == ({"a": b"2", "b": b"3"}, {})


def test_job_selects_its_pods_by_its_uid() -> None:
    made = compute_created(batch.Job(metadata=ObjectMeta(name="j")), name="j", uid="u7", now=NOW)
    assert made.spec.selector.match_labels == {"batch.kubernetes.io/controller-uid": "u7"}
    assert made.spec.template.metadata.labels["batch.kubernetes.io/job-name"] == "j"


def test_service_keeps_what_was_allocated_and_drops_it_with_its_use() -> None:
    old = service(
        type="NodePort",
        cluster_ip="10.0.0.1",
        cluster_ips=("10.0.0.1",),
        ports=(core.ServicePort(port=80, node_port=30001),),
    )
    kept = compute_updated(service(type="NodePort"), old)
    assert (kept.spec.cluster_ip, kept.spec.ports[0].node_port) == ("10.0.0.1", 30001)
    dropped = compute_updated(replace(old, spec=replace(old.spec, type="ExternalName", external_name="a.b")), old)
    assert (dropped.spec.cluster_ip, dropped.spec.ports[0].node_port) == ("", 0)


@pytest.mark.parametrize(
    ("requests", "limits", "expected"),
    [
        ({}, {}, "BestEffort"),
        ({"cpu": "1"}, {}, "Burstable"),
        ({"cpu": "1", "memory": "1Gi"}, {"cpu": "1", "memory": "1Gi"}, "Guaranteed"),
        ({"cpu": "1", "memory": "1Gi"}, {"cpu": "2", "memory": "1Gi"}, "Burstable"),
        ({"example.com/gpu": "1"}, {"example.com/gpu": "1"}, "BestEffort"),
    ],
)
def test_quality_of_service_follows_resources(requests: dict[str, str], limits: dict[str, str], expected: str) -> None:
    resources = core.ResourceRequirements(requests=requests, limits=limits)
    assert qos_class(core.PodSpec(containers=(core.Container(name="a", resources=resources),))) == expected
