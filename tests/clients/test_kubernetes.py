"""The official Python client, typed and dynamic, against a simulated daemon.

Source: https://github.com/kubernetes-client/python
"""

from __future__ import annotations

import json
import queue
import re
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client, config, dynamic, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.informer.informer import ADDED, DELETED, MODIFIED, SharedInformer
from kubernetes.stream import stream

from tests.clients.manifests import budget, config_map, deployment, pod


@pytest.fixture(scope="module")
def connection(kubeconfig: str) -> Iterator[client.ApiClient]:
    made = config.new_client_from_config(kubeconfig)
    yield made
    made.close()


@pytest.fixture
def core(connection: client.ApiClient) -> client.CoreV1Api:
    return client.CoreV1Api(connection)


@pytest.fixture
def apps(connection: client.ApiClient) -> client.AppsV1Api:
    return client.AppsV1Api(connection)


def refusal(error: ApiException) -> tuple[int, str, str]:
    """(code, reason, message) of the Status."""
    said = json.loads(error.body)
    assert (said["kind"], said["code"]) == ("Status", error.status)
    return error.status, said["reason"], said["message"]


def until(events: Any, reached: Any) -> Any:
    for event in events:
        if reached(event):
            return event
    raise AssertionError("the watch ended first")


def running(event: Any) -> bool:
    return bool(event["object"].status.phase == "Running")


def available(event: Any) -> bool:
    status = event["object"].status
    return bool(status.ready_replicas and status.ready_replicas == event["object"].spec.replicas)


def test_an_object_is_created_read_replaced_and_deleted(core: Any, namespace: str) -> None:
    made = core.create_namespaced_config_map(namespace, config_map("a", k="1"))
    assert (made.metadata.uid, made.data) == (core.read_namespaced_config_map("a", namespace).metadata.uid, {"k": "1"})
    made.data = {"k": "2"}
    replaced = core.replace_namespaced_config_map("a", namespace, made)
    assert int(replaced.metadata.resource_version) > int(made.metadata.resource_version)
    with pytest.raises(ApiException) as stale:
        core.replace_namespaced_config_map("a", namespace, made)
    assert refusal(stale.value)[:2] == (409, "Conflict")
    with pytest.raises(ApiException) as taken:
        core.create_namespaced_config_map(namespace, config_map("a"))
    assert refusal(taken.value) == (409, "AlreadyExists", 'configmaps "a" already exists')
    assert core.delete_namespaced_config_map("a", namespace)["status"] == "Success"
    with pytest.raises(ApiException) as gone:
        core.read_namespaced_config_map("a", namespace)
    assert refusal(gone.value) == (404, "NotFound", 'configmaps "a" not found')


def test_an_invalid_object_names_every_wrong_field(core: Any, namespace: str) -> None:
    wrong = pod("Wrong") | {"spec": {"containers": [{"name": "main"}, {"name": "main", "image": "app:1"}]}}
    with pytest.raises(ApiException) as refused:
        core.create_namespaced_pod(namespace, wrong)
    assert refusal(refused.value)[:2] == (422, "Invalid")
    causes = json.loads(refused.value.body)["details"]["causes"]
    fields = {cause["field"] for cause in causes}
    assert fields == {"metadata.name", "spec.containers[0].image", "spec.containers[1].name"}


def test_selectors_choose(core: Any, namespace: str) -> None:
    for name, tier in (("a", "web"), ("b", "web"), ("c", "db")):
        core.create_namespaced_config_map(namespace, config_map(name, {"tier": tier}))

    def names(**selectors: str) -> list[str]:
        return [item.metadata.name for item in core.list_namespaced_config_map(namespace, **selectors).items]

    assert names(label_selector="tier=web") == ["a", "b"]
    assert names(label_selector="tier notin (web)", field_selector="metadata.name!=kube-root-ca.crt") == ["c"]
    assert names(label_selector="tier", field_selector="metadata.name=b") == ["b"]


def test_pages_show_one_state(core: Any, namespace: str) -> None:
    for number in range(5):
        core.create_namespaced_config_map(namespace, config_map(f"p{number}", {"paged": "yes"}))
    first = core.list_namespaced_config_map(namespace, limit=2)
    core.delete_namespaced_config_map("p4", namespace)
    core.create_namespaced_config_map(namespace, config_map("p9"))
    names, page = [item.metadata.name for item in first.items], first
    while page.metadata._continue:
        page = core.list_namespaced_config_map(namespace, limit=2, _continue=page.metadata._continue)
        assert page.metadata.resource_version == first.metadata.resource_version
        names += [item.metadata.name for item in page.items]
    assert first.metadata.remaining_item_count == len(names) - 2
    assert [name for name in names if name.startswith("p")] == ["p0", "p1", "p2", "p3", "p4"]
    with pytest.raises(ApiException) as refused:
        core.list_namespaced_config_map(namespace, limit=2, _continue="nonsense")
    assert refusal(refused.value)[:2] == (400, "BadRequest")


def test_every_kind_of_patch(core: Any, namespace: str) -> None:
    core.create_namespaced_pod(namespace, pod("p", a="1", b="2"))
    strategic = {"spec": {"containers": [{"name": "main", "image": "app:2"}]}}
    assert core.patch_namespaced_pod("p", namespace, strategic).spec.containers[0].image == "app:2"
    merge = "application/merge-patch+json"
    merged = core.patch_namespaced_pod("p", namespace, {"metadata": {"labels": {"a": None}}}, _content_type=merge)
    assert merged.metadata.labels == {"b": "2"}
    operations = [
        {"op": "test", "path": "/metadata/labels/b", "value": "2"},
        {"op": "remove", "path": "/metadata/labels"},
    ]
    assert core.patch_namespaced_pod("p", namespace, operations).metadata.labels is None
    with pytest.raises(ApiException) as refused:
        core.patch_namespaced_pod("p", namespace, operations)
    assert refused.value.status == 422


def test_a_watch_goes_on_from_a_list_and_ends_in_time(core: Any, namespace: str) -> None:
    core.create_namespaced_config_map(namespace, config_map("before"))
    listed = core.list_namespaced_config_map(namespace)
    core.create_namespaced_config_map(namespace, config_map("after"))
    core.delete_namespaced_config_map("before", namespace)
    watching = watch.Watch().stream(
        core.list_namespaced_config_map, namespace, resource_version=listed.metadata.resource_version, timeout_seconds=1
    )
    seen = [(event["type"], event["object"].metadata.name) for event in watching]
    assert seen == [("ADDED", "after"), ("DELETED", "before")]


def test_a_watch_of_a_future_version_is_refused(core: Any, namespace: str) -> None:
    with pytest.raises(ApiException) as refused:
        list(watch.Watch().stream(core.list_namespaced_pod, namespace, resource_version="999999999", timeout_seconds=1))
    assert refusal(refused.value)[:2] == (504, "Timeout")


def test_pods_run_log_and_execute(core: Any, namespace: str) -> None:
    core.create_namespaced_pod(namespace, pod("p"))
    until(watch.Watch().stream(core.list_namespaced_pod, namespace, timeout_seconds=20), running)
    assert core.read_namespaced_pod_log("p", namespace) == "Started simulated container main\n"
    connect = core.connect_get_namespaced_pod_exec
    answer = stream(connect, "p", namespace, command=["echo", "hi"], stdout=True, stderr=True, stdin=False, tty=False)
    assert answer == "hi\n"


def test_scale_and_eviction_under_a_budget(core: Any, apps: Any, connection: Any, namespace: str) -> None:
    apps.create_namespaced_deployment(namespace, deployment("web", 1))
    policy = client.PolicyV1Api(connection)
    policy.create_namespaced_pod_disruption_budget(namespace, budget("web", 2))
    assert apps.patch_namespaced_deployment_scale("web", namespace, {"spec": {"replicas": 2}}).spec.replicas == 2
    until(watch.Watch().stream(apps.list_namespaced_deployment, namespace, timeout_seconds=20), available)
    scale = apps.read_namespaced_deployment_scale("web", namespace)
    assert (scale.status.replicas, scale.status.selector) == (2, "app=web")
    name = core.list_namespaced_pod(namespace).items[0].metadata.name
    with pytest.raises(ApiException) as refused:
        core.create_namespaced_pod_eviction(name, namespace, {"metadata": {"name": name}})
    assert refusal(refused.value)[:2] == (429, "TooManyRequests")
    policy.delete_namespaced_pod_disruption_budget("web", namespace)
    core.create_namespaced_pod_eviction(name, namespace, {"metadata": {"name": name}})
    left = [item for item in core.list_namespaced_pod(namespace).items if not item.metadata.deletion_timestamp]
    assert name not in {item.metadata.name for item in left}


def test_the_dynamic_client_applies_with_conflicts_and_watches(connection: Any, namespace: str) -> None:
    maps = dynamic.DynamicClient(connection).resources.get(api_version="v1", kind="ConfigMap")

    def apply(value: str, manager: str, *, force: bool = False) -> Any:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": value}}
        return maps.server_side_apply(
            body=body, name="a", namespace=namespace, field_manager=manager, force_conflicts=force
        )

    assert apply("1", "one").data.k == "1"
    with pytest.raises(dynamic.exceptions.ConflictError) as refused:
        apply("2", "two")
    assert json.loads(refused.value.body)["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".data.k"}
    ]
    forced = apply("2", "two", force=True)
    owners = {entry.manager for entry in forced.metadata.managedFields if "f:data" in entry.fieldsV1.to_dict()}
    assert owners == {"two"}
    seen = [(event["type"], event["object"].metadata.name) for event in maps.watch(namespace=namespace, timeout=1)]
    assert ("ADDED", "a") in seen


@pytest.mark.parametrize(
    ("form", "kind"), [("Table", "Table"), ("PartialObjectMetadataList", "PartialObjectMetadataList")]
)
def test_lists_in_other_forms(connection: Any, namespace: str, form: str, kind: str) -> None:
    headers = {"Accept": f"application/json;as={form};v=v1;g=meta.k8s.io"}
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    answer = connection.call_api("GET", connection.configuration.host + path, header_params=headers)
    listed = json.loads(answer.read())
    assert (listed["kind"], listed["apiVersion"]) == (kind, "meta.k8s.io/v1")
    if form == "Table":
        assert [column["name"] for column in listed["columnDefinitions"]] == ["Name", "Data", "Age"]
        assert listed["rows"][0]["cells"][:2] == ["kube-root-ca.crt", 1]
    else:
        assert set(listed["items"][0]) == {"metadata"}


def test_an_informer_follows_its_namespace(core: Any, namespace: str) -> None:
    seen: queue.Queue[tuple[str, str]] = queue.Queue()
    informer = SharedInformer(core.list_namespaced_config_map, namespace=namespace, label_selector="mine=yes")
    for change in (ADDED, MODIFIED, DELETED):
        informer.add_event_handler(change, lambda found, change=change: seen.put((change, found.metadata.name)))
    core.create_namespaced_config_map(namespace, config_map("a", {"mine": "yes"}))
    informer.start()
    try:
        assert seen.get(timeout=10) == (ADDED, "a")
        core.patch_namespaced_config_map("a", namespace, {"data": {"k": "1"}})
        assert seen.get(timeout=10) == (MODIFIED, "a")
        core.patch_namespaced_config_map("a", namespace, {"metadata": {"labels": {"mine": "no"}}})
        assert seen.get(timeout=10) == (DELETED, "a")
        assert informer.cache.list() == []
    finally:
        informer.stop()


#: Kinds that are younger than v1.33, or that only newer clients call stable.
_YOUNGER = re.compile(
    "mutating_admission_policy|resource_claim|pod_certificate|trust_bundle|resource_slice|volume_attributes"
)


_GROUPS = """
Core Apps Batch Autoscaling Networking Policy RbacAuthorization Storage Scheduling Coordination Discovery Certificates Node
Admissionregistration Apiextensions Apiregistration FlowcontrolApiserver
"""


@pytest.mark.parametrize("group", _GROUPS.split())
def test_every_kind_fits_the_types_of_the_client(connection: Any, group: str) -> None:
    api = getattr(client, f"{group}V1Api")(connection)
    listing = re.compile(r"list_(?!namespaced_)\w+(?<!_with_http_info)(?<!_without_preload_content)")
    methods = [name for name in dir(api) if listing.fullmatch(name) and not _YOUNGER.search(name)]
    assert methods
    for method in methods:
        getattr(api, method)(limit=5)


def test_an_event_of_either_group_is_the_same_object(connection: Any, namespace: str) -> None:
    """Only of a new one: the client refuses events of controllers that tell no eventTime, from any API server."""
    body = {
        "metadata": {"name": "told"},
        "eventTime": "2026-01-02T03:04:05.000006Z",
        "reportingController": "example.test/baker",
        "reportingInstance": "baker-1",
        "action": "Baking",
        "reason": "Baked",
        "note": "It is done",
        "type": "Normal",
        "regarding": {"kind": "Pod", "name": "oven", "namespace": namespace},
    }
    client.EventsV1Api(connection).create_namespaced_event(namespace, body)
    [listed] = client.EventsV1Api(connection).list_namespaced_event(namespace).items
    [old] = client.CoreV1Api(connection).list_namespaced_event(namespace).items
    assert (listed.note, old.message, old.involved_object.name) == ("It is done", "It is done", "oven")
