"""Objects as tests need them."""

from __future__ import annotations

from typing import Any

from kubelite.api.apps_v1 import Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment
from kubelite.api.core_v1 import (
    Container,
    ContainerPort,
    Pod,
    PodSpec,
    PodTemplateSpec,
    Service,
    ServicePort,
    ServiceSpec,
)
from kubelite.api.meta import IntOrString, LabelSelector, ObjectMeta


def template(image: str = "app:1", app: str = "web") -> PodTemplateSpec:
    container = Container(name="app", image=image, ports=(ContainerPort(name="http", container_port=8080),))
    return PodTemplateSpec(metadata=ObjectMeta(labels={"app": app}), spec=PodSpec(containers=(container,)))


def deployment(
    *,
    replicas: int = 3,
    image: str = "app:1",
    surge: IntOrString = "25%",
    unavailable: IntOrString = "25%",
    recreate: bool = False,
    **spec: Any,
) -> Deployment:
    rolling = RollingUpdateDeployment(max_surge=surge, max_unavailable=unavailable)
    strategy = (
        DeploymentStrategy(type="Recreate")
        if recreate
        else DeploymentStrategy(type="RollingUpdate", rolling_update=rolling)
    )
    settings: dict[str, Any] = {"progress_deadline_seconds": 600, "revision_history_limit": 10, **spec}
    return Deployment(
        metadata=ObjectMeta(name="web", namespace="default"),
        spec=DeploymentSpec(
            replicas=replicas,
            selector=LabelSelector(match_labels={"app": "web"}),
            template=template(image),
            strategy=strategy,
            **settings,
        ),
    )


def service(**spec: Any) -> Service:
    settings: dict[str, Any] = {
        "selector": {"app": "web"},
        "ports": (ServicePort(name="http", protocol="TCP", port=80, target_port="http"),),
        "cluster_ip": "10.96.0.10",
        "type": "ClusterIP",
        "ip_families": ("IPv4",),
        **spec,
    }
    return Service(metadata=ObjectMeta(name="web", namespace="default"), spec=ServiceSpec(**settings))


def pod(name: str, labels: dict[str, str] | None = None, **spec: Any) -> Pod:
    metadata = ObjectMeta(name=name, namespace="default", labels=labels or {"app": "web"})
    return Pod(metadata=metadata, spec=PodSpec(containers=template().spec.containers, **spec))
