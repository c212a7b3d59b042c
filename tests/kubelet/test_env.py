"""Environment variables, and what happens when they cannot be resolved."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.api.core_v1 import (
    ConfigMap,
    ConfigMapEnvSource,
    ConfigMapKeySelector,
    Container,
    EnvFromSource,
    EnvVar,
    EnvVarSource,
    ObjectFieldSelector,
    Pod,
    PodSpec,
    ResourceFieldSelector,
    ResourceRequirements,
    Secret,
    SecretKeySelector,
    Service,
    ServicePort,
    ServiceSpec,
)
from kubelite.api.meta import Object, ObjectMeta
from kubelite.client.cache import Cache
from kubelite.kubelet.env import Addresses, ConfigFailed, container_env, expand, field_value
from kubelite.kubelet.node_status import NodeFacts

NODE = NodeFacts(host_ip="192.168.0.1", allocatable={"cpu": "4", "memory": "8Gi"})
ADDRESSES = Addresses(pod_ip="10.0.0.9", node=NODE)


def view(*objects: Object) -> Cache:
    cache = Cache({})
    for obj in objects:
        cache.put(obj)
    return cache


def meta(name: str, namespace: str = "d", **given: Any) -> ObjectMeta:
    return ObjectMeta(name=name, namespace=namespace, **given)


def env_of(*variables: EnvVar, objects: tuple[Object, ...] = (), **container: Any) -> dict[str, str]:
    pod = Pod(metadata=meta("p", uid="u", labels={"a": "1"}), spec=PodSpec(node_name="n", service_account_name="sa"))
    return container_env(pod, Container(name="c", env=variables, **container), view(*objects), ADDRESSES)


def source(**given: Any) -> EnvVarSource:
    return EnvVarSource(**given)


def test_references_expand_in_order_and_unknown_ones_stay() -> None:
    env = env_of(EnvVar(name="A", value="1"), EnvVar(name="B", value="$(A)$(C)$$(A)"), EnvVar(name="C", value="3"))
    assert env == {"A": "1", "B": "1$(C)$(A)", "C": "3"}


def test_expansion_leaves_lone_dollars_alone() -> None:
    assert expand("$ $A $(", {"A": "x"}) == "$ $A $("


def test_fields_of_the_pod() -> None:
    paths = {
        "metadata.name": "p",
        "metadata.uid": "u",
        "metadata.labels['a']": "1",
        "metadata.labels": 'a="1"',
        "metadata.annotations['none']": "",
        "spec.nodeName": "n",
        "spec.serviceAccountName": "sa",
        "status.podIP": "10.0.0.9",
        "status.hostIP": "192.168.0.1",
    }
    for path, expected in paths.items():
        env = env_of(EnvVar(name="X", value_from=source(field_ref=ObjectFieldSelector(field_path=path))))
        assert env == {"X": expected}, path


def test_an_unknown_field_is_an_error() -> None:
    with pytest.raises(ConfigFailed, match="unsupported fieldPath"):
        field_value(Pod(), ObjectFieldSelector(field_path="spec.x"), ADDRESSES)


def test_resources_round_up_and_fall_back_to_the_node() -> None:
    resources = ResourceRequirements(limits={"cpu": "250m"}, requests={"memory": "100Mi"})
    table = {
        ("limits.cpu", ""): "1",
        ("limits.cpu", "1m"): "250",
        ("requests.cpu", "1m"): "250",
        ("requests.memory", "1Mi"): "100",
        ("limits.memory", "1Gi"): "8",
    }
    for (resource, divisor), expected in table.items():
        ref = ResourceFieldSelector(resource=resource, divisor=divisor)
        env = env_of(EnvVar(name="X", value_from=source(resource_field_ref=ref)), resources=resources)
        assert env == {"X": expected}, (resource, divisor)


def test_missing_sources_are_named_as_upstream_names_them() -> None:
    config, hidden = ConfigMap(metadata=meta("m")), Secret(metadata=meta("s"))
    table: tuple[tuple[EnvVarSource, str], ...] = (
        (source(config_map_key_ref=ConfigMapKeySelector(name="x", key="k")), 'configmap "x" not found'),
        (source(secret_key_ref=SecretKeySelector(name="x", key="k")), 'secret "x" not found'),
        (source(config_map_key_ref=ConfigMapKeySelector(name="m", key="k")), "couldn't find key k in ConfigMap d/m"),
        (source(secret_key_ref=SecretKeySelector(name="s", key="k")), "couldn't find key k in Secret d/s"),
    )
    for given, text in table:
        with pytest.raises(ConfigFailed) as caught:
            env_of(EnvVar(name="X", value_from=given), objects=(config, hidden))
        assert str(caught.value) == text


def test_optional_sources_may_be_missing() -> None:
    ref = ConfigMapKeySelector(name="x", key="k", optional=True)
    missing = EnvFromSource(config_map_ref=ConfigMapEnvSource(name="x", optional=True))
    assert env_of(EnvVar(name="X", value_from=source(config_map_key_ref=ref)), env_from=(missing,)) == {}


def test_env_from_is_prefixed_and_overridden_by_env() -> None:
    config = ConfigMap(metadata=meta("m"), data={"a": "1", "b": "2"})
    from_map = EnvFromSource(config_map_ref=ConfigMapEnvSource(name="m"), prefix="P_")
    assert env_of(EnvVar(name="P_b", value="3"), objects=(config,), env_from=(from_map,)) == {"P_a": "1", "P_b": "3"}


def service(name: str, namespace: str, ip: str) -> Service:
    ports = (ServicePort(name="web-ui", port=80, protocol="TCP"), ServicePort(name="dns", port=53, protocol="UDP"))
    return Service(metadata=meta(name, namespace), spec=ServiceSpec(cluster_ip=ip, ports=ports))


def test_services_of_the_namespace_and_the_api_server_are_linked() -> None:
    objects = (service("kubernetes", "default", "10.96.0.1"), service("my-db", "d", "10.96.0.2"),
               service("headless", "d", "None"), service("other", "e", "10.96.0.3"))  # fmt: skip
    env = env_of(objects=objects)
    assert env["KUBERNETES_SERVICE_HOST"] == "10.96.0.1"
    assert env["MY_DB_SERVICE_HOST"] == "10.96.0.2"
    assert env["MY_DB_SERVICE_PORT"] == "80"
    assert env["MY_DB_SERVICE_PORT_WEB_UI"] == "80"
    assert env["MY_DB_PORT"] == "tcp://10.96.0.2:80"
    assert env["MY_DB_PORT_53_UDP_PROTO"] == "udp"
    assert not [name for name in env if name.startswith(("HEADLESS", "OTHER"))]


def test_without_service_links_only_the_api_server_is_known() -> None:
    pod = Pod(metadata=meta("p"), spec=PodSpec(enable_service_links=False))
    objects = view(service("kubernetes", "default", "10.96.0.1"), service("db", "d", "10.96.0.2"))
    env = container_env(pod, Container(name="c"), objects, ADDRESSES)
    assert "KUBERNETES_SERVICE_HOST" in env
    assert "DB_SERVICE_HOST" not in env
