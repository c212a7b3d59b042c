"""Every broken rule, with upstream's path, type and words."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.api import decode, validation
from kubelite.api.defaults import apply_defaults
from kubelite.api.errors import FieldError
from kubelite.api.scheme import Scheme
from kubelite.api.validation import validate, validate_update

SCHEME = Scheme()


def build(plural: str, body: dict[str, Any], *, group: str = "", version: str = "v1") -> Any:
    resource = SCHEME.resource(group, version, plural)
    meta = {"name": "a", **({"namespace": "default"} if resource.namespaced else {}), **body.get("metadata", {})}
    return apply_defaults(decode.decode_object(resource.type, {**body, "metadata": meta}))


def problems(plural: str, body: dict[str, Any], *, group: str = "") -> list[tuple[str, str, str]]:
    resource = SCHEME.resource(group, "v1", plural)
    found = validate(build(plural, body, group=group), namespaced=resource.namespaced)
    return [(item.field, item.type.removeprefix("FieldValue"), item.detail) for item in found]


def pod(**spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "c", "image": "a:1"}], **spec}}


def container(**fields: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "c", "image": "a:1", **fields}]}}


def test_valid_objects_have_no_problems() -> None:
    template = {"metadata": {"labels": {"app": "a"}}, **pod()}
    workload = {"spec": {"selector": {"matchLabels": {"app": "a"}}, "template": template}}
    assert problems("pods", pod()) == []
    assert problems("configmaps", {"data": {"a.b": "1"}}) == []
    assert problems("services", {"spec": {"ports": [{"port": 80}]}}) == []
    assert problems("namespaces", {}) == []
    for plural in ("deployments", "replicasets", "daemonsets", "statefulsets"):
        assert problems(plural, workload, group="apps") == [], plural


def test_metadata_is_checked_for_every_kind() -> None:
    meta = {"name": "-bad", "labels": {"a b": "not ok!"}, "finalizers": ["x y"], "ownerReferences": [{"name": "o"}]}
    found = problems("podtemplates", {"metadata": meta, "template": pod()})
    assert {field for field, _, _ in found} == {
        "metadata.name",
        "metadata.labels",
        "metadata.finalizers",
        "metadata.ownerReferences.apiVersion",
        "metadata.ownerReferences.kind",
        "metadata.ownerReferences.uid",
    }


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"spec": {}}, ("spec.containers", "Required", "Required value")),
        ({"spec": {"containers": [{"name": "c"}]}}, ("spec.containers[0].image", "Required", "Required value")),
        (
            container(ports=[{"containerPort": 80, "protocol": "ICMP"}]),
            (
                "spec.containers[0].ports[0].protocol",
                "NotSupported",
                'Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"',
            ),
        ),
        (
            container(resources={"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}),
            (
                "spec.containers[0].resources.requests",
                "Invalid",
                'Invalid value: "2": must be less than or equal to cpu limit of 1',
            ),
        ),
        (
            container(volumeMounts=[{"name": "v", "mountPath": "/v"}]),
            ("spec.containers[0].volumeMounts[0].name", "NotFound", 'Not found: "v"'),
        ),
        (
            container(livenessProbe={"exec": {"command": ["a"]}, "successThreshold": 2}),
            ("spec.containers[0].livenessProbe.successThreshold", "Invalid", "Invalid value: 2: must be 1"),
        ),
        (
            container(readinessProbe={}),
            ("spec.containers[0].readinessProbe", "Required", "Required value: must specify a handler type"),
        ),
        (
            container(env=[{"name": "A", "value": "1", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]),
            (
                "spec.containers[0].env[0].valueFrom",
                "Invalid",
                'Invalid value: "": may not be specified when `value` is not empty',
            ),
        ),
        (
            pod(volumes=[{"name": "v", "emptyDir": {}, "hostPath": {"path": "/"}}]),
            ("spec.volumes[0].hostPath", "Forbidden", "Forbidden: may not specify more than 1 volume type"),
        ),
        (
            pod(restartPolicy="Sometimes"),
            (
                "spec.restartPolicy",
                "NotSupported",
                'Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
            ),
        ),
        (
            pod(tolerations=[{"operator": "Equal", "value": "x"}]),
            (
                "spec.tolerations[0].operator",
                "Invalid",
                'Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all '
                'keys"',
            ),
        ),
    ],
)
def test_pod_rules(body: dict[str, Any], expected: tuple[str, str, str]) -> None:
    assert problems("pods", body) == [expected]


def test_all_problems_are_reported_at_once() -> None:
    body = container(name="Bad_Name", ports=[{"containerPort": 0}], imagePullPolicy="Maybe")
    fields = [field for field, _, _ in problems("pods", body)]
    assert fields == [
        "spec.containers[0].name",
        "spec.containers[0].ports[0].containerPort",
        "spec.containers[0].imagePullPolicy",
    ]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"ports": []}, ("spec.ports", "Required", "Required value")),
        (
            {"ports": [{"port": 70000}]},
            ("spec.ports[0].port", "Invalid", "Invalid value: 70000: must be between 1 and 65535, inclusive"),
        ),
        (
            {"ports": [{"port": 80, "nodePort": 30000}]},
            ("spec.ports[0].nodePort", "Forbidden", "Forbidden: may not be used when `type` is 'ClusterIP'"),
        ),
        (
            {"type": "ExternalName"},
            ("spec.externalName", "Required", "Required value"),
        ),
    ],
)
def test_service_rules(spec: dict[str, Any], expected: tuple[str, str, str]) -> None:
    assert expected in problems("services", {"spec": spec})


def test_deployment_selector_must_match_its_template() -> None:
    template = {"metadata": {"labels": {"app": "b"}}, **pod()}
    found = problems(
        "deployments", {"spec": {"selector": {"matchLabels": {"app": "a"}}, "template": template}}, group="apps"
    )
    expected = 'Invalid value: {"app":"b"}: `selector` does not match template `labels`'
    assert found == [("spec.template.metadata.labels", "Invalid", expected)]


def test_rolling_update_must_be_able_to_move() -> None:
    strategy = {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": "0%"}}
    template = {"metadata": {"labels": {"app": "a"}}, **pod()}
    spec = {"selector": {"matchLabels": {"app": "a"}}, "template": template, "strategy": strategy}
    assert problems("deployments", {"spec": spec}, group="apps") == [
        (
            "spec.strategy.rollingUpdate.maxUnavailable",
            "Invalid",
            "Invalid value: 0: may not be 0 when `maxSurge` is 0",
        )
    ]


def changed(plural: str, old: dict[str, Any], new: dict[str, Any], *, group: str = "") -> list[FieldError]:
    resource = SCHEME.resource(group, "v1", plural)
    before, after = build(plural, old, group=group), build(plural, new, group=group)
    return validate_update(after, before, namespaced=resource.namespaced)


@pytest.mark.parametrize(
    ("spec", "field", "detail"),
    [
        (
            {"nodeName": "n2"},
            "spec",
            "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
            "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
        ),
        (
            {"activeDeadlineSeconds": 61},
            "spec.activeDeadlineSeconds",
            "Invalid value: 61: must be less than or equal to previous value",
        ),
        (
            {"activeDeadlineSeconds": 60, "tolerations": []},
            "spec.tolerations",
            "Forbidden: existing toleration can not be modified except its tolerationSeconds",
        ),
    ],
)
def test_pod_changes_that_are_refused(spec: dict[str, Any], field: str, detail: str) -> None:
    base = {"activeDeadlineSeconds": 60, "tolerations": [{"key": "a", "operator": "Exists"}]}
    [found] = changed("pods", pod(**base), pod(**{**base, **spec}))
    assert (found.field, found.detail) == (field, detail)


def test_pod_changes_that_are_allowed() -> None:
    old = pod(tolerations=[{"key": "a", "operator": "Exists"}])
    new = pod(
        activeDeadlineSeconds=60, tolerations=[{"key": "a", "operator": "Exists"}, {"key": "b", "operator": "Exists"}]
    )
    new["spec"]["containers"] = [{"name": "c", "image": "b:2"}]
    assert changed("pods", old, new) == []


def test_immutable_config_map_stays_so() -> None:
    old = {"data": {"a": "1"}, "immutable": True}
    texts = [str(item) for item in changed("configmaps", old, {"data": {"a": "2"}})]
    assert texts == [
        "immutable: Forbidden: field is immutable when `immutable` is set",
        "data: Forbidden: field is immutable when `immutable` is set",
    ]


def test_cluster_ip_may_not_change() -> None:
    spec = {"ports": [{"port": 80}], "clusterIP": "10.0.0.1"}
    [found] = changed("services", {"spec": spec}, {"spec": {**spec, "clusterIP": "10.0.0.2"}})
    assert (found.field, found.detail) == ("spec.clusterIPs[0]", 'Invalid value: ["10.0.0.2"]: may not change once set')


def test_metadata_problems_of_an_update_come_as_often_as_upstream_reports_them() -> None:
    old = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["example.com/f"]}}
    new = {"metadata": {**old["metadata"], "finalizers": ["example.com/f", "example.com/g"]}}
    why = "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers "
    assert [item.detail for item in changed("configmaps", old, new)] == [f'{why}[]string{{"example.com/g"}}'] * 2


@pytest.mark.parametrize(
    ("type_", "data", "expected"),
    [
        ("kubernetes.io/tls", {}, ["data[tls.crt]", "data[tls.key]"]),
        ("kubernetes.io/dockerconfigjson", {".dockerconfigjson": "ew=="}, ["data[.dockerconfigjson]"]),
        ("kubernetes.io/basic-auth", {"username": "YQ=="}, []),
        ("Opaque", {"not ok": "YQ=="}, ["data[not ok]"]),
    ],
)
def test_secret_rules(type_: str, data: dict[str, str], expected: list[str]) -> None:
    assert [field for field, _, _ in problems("secrets", {"type": type_, "data": data})] == expected


def test_endpoint_addresses_must_be_of_the_slices_family() -> None:
    body = {"addressType": "IPv4", "endpoints": [{"addresses": ["2001:db8::1"]}, {"addresses": ["127.0.0.1"]}]}
    found = problems("endpointslices", body, group="discovery.k8s.io")
    assert [field for field, _, _ in found] == ["endpoints[0].addresses[0]", "endpoints[1].addresses[0]"]


def test_role_binding_cannot_change_its_role() -> None:
    def body(name: str) -> dict[str, Any]:
        return {"roleRef": {"kind": "Role", "name": name}}

    [found] = changed("rolebindings", body("a"), body("b"), group="rbac.authorization.k8s.io")
    assert found.detail.endswith("cannot change roleRef")


def test_every_rule_that_the_tables_name_is_there() -> None:
    tables = (validation._CREATE, validation._UPDATE, validation._SUBRESOURCE)
    for where in {where for table in tables for where in table.values()}:
        assert callable(validation._rule(where))
