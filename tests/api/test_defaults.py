"""What is filled in when a client leaves it out."""

from __future__ import annotations

import pytest

from kubelite.api import apps_v1 as apps, batch_v1 as batch, codec, core_v1 as core, networking_v1 as networking
from kubelite.api.defaults import apply_defaults
from kubelite.api.meta import Object, ObjectMeta

CONTAINER = core.Container(name="c", image="nginx")
SPEC = core.PodSpec(containers=(CONTAINER,))


def test_minimal_pod_gets_upstreams_defaults() -> None:
    spec = apply_defaults(core.Pod(spec=SPEC)).spec
    assert codec.to_builtins(core.Pod(spec=spec))["spec"] == {
        "containers": [
            {
                "name": "c",
                "image": "nginx",
                "resources": {},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
                "imagePullPolicy": "Always",
            }
        ],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
        "enableServiceLinks": True,
    }


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1.2", "IfNotPresent"),
        ("host:5000/nginx", "Always"),
        ("host:5000/nginx:1", "IfNotPresent"),
        ("nginx@sha256:" + "0" * 64, "IfNotPresent"),
    ],
)
def test_pull_policy_follows_the_tag(image: str, policy: str) -> None:
    pod = apply_defaults(core.Pod(spec=core.PodSpec(containers=(core.Container(name="c", image=image),))))
    assert pod.spec.containers[0].image_pull_policy == policy


def test_requests_default_to_limits_in_a_pod_and_not_in_a_template() -> None:
    resources = core.ResourceRequirements(limits={"cpu": 1, "memory": "1024Mi"}, requests={"cpu": "0.5"})
    spec = core.PodSpec(containers=(core.Container(name="c", image="a:1", resources=resources),))
    in_pod = apply_defaults(core.Pod(spec=spec)).spec.containers[0].resources
    assert in_pod.limits == {"cpu": "1", "memory": "1Gi"}
    assert in_pod.requests == {"cpu": "500m", "memory": "1Gi"}
    template = core.PodTemplateSpec(spec=spec)
    deployment = apply_defaults(apps.Deployment(spec=apps.DeploymentSpec(template=template)))
    assert deployment.spec.template.spec.containers[0].resources.requests == {"cpu": "500m"}


def test_probes_and_ports_are_completed() -> None:
    probe = core.Probe(http_get=core.HTTPGetAction(port=80))
    container = core.Container(
        name="c", image="a:1", liveness_probe=probe, ports=(core.ContainerPort(container_port=80),)
    )
    filled = apply_defaults(core.Pod(spec=core.PodSpec(containers=(container,), host_network=True))).spec.containers[0]
    action = core.HTTPGetAction(port=80, path="/", scheme="HTTP")
    assert filled.liveness_probe == core.Probe(
        http_get=action, timeout_seconds=1, period_seconds=10, success_threshold=1, failure_threshold=3
    )
    assert filled.ports == (core.ContainerPort(container_port=80, host_port=80, protocol="TCP"),)


def test_volume_without_a_source_is_an_empty_dir() -> None:
    volumes = (core.Volume(name="a"), core.Volume(name="b", secret=core.SecretVolumeSource(secret_name="s")))
    pod = apply_defaults(core.Pod(spec=core.PodSpec(containers=(CONTAINER,), volumes=volumes)))
    first, second = pod.spec.volumes
    assert first.empty_dir == core.EmptyDirVolumeSource()
    assert second.secret is not None
    assert second.secret.default_mode == 0o644


def test_deployment_rolls_a_quarter_at_a_time() -> None:
    spec = apply_defaults(apps.Deployment()).spec
    assert spec.replicas == 1
    assert spec.strategy.type == "RollingUpdate"
    assert spec.strategy.rolling_update == apps.RollingUpdateDeployment(max_unavailable="25%", max_surge="25%")
    assert (spec.revision_history_limit, spec.progress_deadline_seconds) == (10, 600)


def test_explicit_zero_is_kept() -> None:
    deployment = apps.Deployment(spec=apps.DeploymentSpec(replicas=0, revision_history_limit=0))
    spec = apply_defaults(deployment).spec
    assert (spec.replicas, spec.revision_history_limit) == (0, 0)


def test_service_gets_type_protocol_and_target_port() -> None:
    spec = apply_defaults(core.Service(spec=core.ServiceSpec(ports=(core.ServicePort(port=80),)))).spec
    assert (spec.type, spec.session_affinity, spec.internal_traffic_policy) == ("ClusterIP", "None", "Cluster")
    assert spec.ports == (core.ServicePort(port=80, protocol="TCP", target_port=80),)
    assert spec.external_traffic_policy == ""
    assert (
        apply_defaults(core.Service(spec=core.ServiceSpec(type="NodePort"))).spec.external_traffic_policy == "Cluster"
    )


def test_network_policy_types_follow_its_rules() -> None:
    egress = networking.NetworkPolicySpec(egress=(networking.NetworkPolicyEgressRule(),))
    assert apply_defaults(networking.NetworkPolicy(spec=egress)).spec.policy_types == ("Ingress", "Egress")
    assert apply_defaults(networking.NetworkPolicy()).spec.policy_types == ("Ingress",)


@pytest.mark.parametrize(
    "obj",
    [
        core.Pod(spec=SPEC),
        core.Service(spec=core.ServiceSpec(type="LoadBalancer", ports=(core.ServicePort(port=1),))),
        core.Namespace(metadata=ObjectMeta(name="a")),
        core.Secret(),
        apps.Deployment(),
        apps.DaemonSet(),
        apps.StatefulSet(spec=apps.StatefulSetSpec(volume_claim_templates=(core.PersistentVolumeClaim(),))),
        batch.Job(),
        batch.CronJob(),
    ],
    ids=lambda obj: type(obj).__name__,
)
def test_defaults_are_idempotent(obj: Object) -> None:
    once = apply_defaults(obj)
    assert apply_defaults(once) == once
    assert once != obj
