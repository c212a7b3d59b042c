"""What is served is told alike in every form, and the schemas describe it."""

from __future__ import annotations

from typing import Any

from kubelite.api.scheme import Scheme
from kubelite.apiserver.discovery import Discovery
from kubelite.apiserver.openapi_paths import paths_of
from kubelite.apiserver.openapi_schema import Schemas
from kubelite.apiserver.openapi_v2 import encode_document
from tests.apiserver.serving import served

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def test_lists_and_aggregated_document_say_the_same() -> None:
    discovery = Discovery(Scheme)
    items = [item for core in (True, False) for item in discovery.aggregated(core=core, version="v2")["items"]]
    told = {
        (item["metadata"].get("name", ""), version["version"], resource["resource"], tuple(resource["verbs"]))
        for item in items
        for version in item["versions"]
        for resource in version["resources"]
    }
    listed = set()
    for group in ["", *(group["name"] for group in discovery.groups()["groups"])]:
        versions = ["v1"] if not group else [entry["version"] for entry in (discovery.group(group) or {})["versions"]]
        for version in versions:
            found = discovery.resources(group, version)
            assert found is not None
            listed |= {
                (group, version, entry["name"], tuple(entry["verbs"]))
                for entry in found["resources"]
                if "/" not in entry["name"]
            }
    assert told == listed == {(r.group, r.version, r.plural, r.verbs) for r in Scheme()}


def test_newest_stable_version_is_preferred() -> None:
    group = Discovery(Scheme).group("autoscaling")
    assert group is not None
    assert group["preferredVersion"]["version"] == "v2"


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        here = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return here.union(*(references(entry) for entry in value.values()))
    return set().union(*(references(entry) for entry in value)) if isinstance(value, list) else set()


def test_every_reference_of_the_schemas_resolves() -> None:
    schemas = Schemas("v3").collect(Scheme())
    assert references(schemas) <= {f"#/components/schemas/{name}" for name in schemas}


def test_schemas_tell_how_lists_merge() -> None:
    schemas = Schemas("v3").collect(Scheme())
    containers = schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert containers["x-kubernetes-patch-strategy"] == "merge"
    assert containers["x-kubernetes-list-map-keys"] == ["name"]
    assert schemas["io.k8s.api.core.v1.Container"]["required"] == ["name"]
    assert schemas["io.k8s.api.core.v1.Pod"]["x-kubernetes-group-version-kind"] == [
        {"group": "", "version": "v1", "kind": "Pod"}
    ]


def test_patch_says_that_it_validates_fields() -> None:
    resource = Scheme().resource("apps", "v1", "deployments")
    paths = dict(paths_of(resource, "v3"))
    patch = paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert {entry["name"] for entry in patch["parameters"]} >= {"fieldValidation", "dryRun", "force"}
    assert "/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale" in paths


def test_protobuf_form_of_v2_nests_names_and_references() -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "#/definitions/B"}}, "x-y": [1]}
    document = {"swagger": "2.0", "info": {"title": "t", "version": "v"}, "paths": {}, "definitions": {"A": schema}}
    encoded = encode_document(document)
    assert encoded.startswith(b"\x0a\x032.0\x12\x06\x0a\x01t\x12\x01v")
    assert b"#/definitions/B" in encoded
    assert b"\x0a\x03x-y\x12\x05\x12\x03[1]" in encoded


async def test_discovery_documents_are_negotiated() -> None:
    async with served() as s:
        status, body = await s.ask("GET", "/apis", headers={"Accept": f"{AGGREGATED},application/json"})
        assert (status, body["kind"], body["apiVersion"]) == (200, "APIGroupDiscoveryList", "apidiscovery.k8s.io/v2")
        assert (await s.ask("GET", "/apis"))[1]["kind"] == "APIGroupList"
        assert (await s.ask("GET", "/api/v1"))[1]["groupVersion"] == "v1"
        assert (await s.ask("GET", "/apis/apps"))[1]["preferredVersion"]["version"] == "v1"
        assert await s.ask("GET", "/apis/absent.example.com") == (404, "404 page not found\n")
        assert (await s.ask("GET", "/apis/apps/v7"))[1]["reason"] == "NotFound"
        status, body = await s.ask("GET", "/nothing/here")
        assert (status, "/apis/apps/v1" in body["paths"]) == (404, True)
        assert (await s.ask("GET", "/version"))[1]["minor"] == "33"


async def test_openapi_documents_are_served_in_each_form() -> None:
    async with served() as s:
        _, index = await s.ask("GET", "/openapi/v3")
        _, document = await s.ask("GET", index["paths"]["apis/apps/v1"]["serverRelativeURL"])
        assert "io.k8s.api.apps.v1.Deployment" in document["components"]["schemas"]
        _, swagger = await s.ask("GET", "/openapi/v2")
        assert (swagger["swagger"], "io.k8s.api.core.v1.Pod" in swagger["definitions"]) == ("2.0", True)
        form = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
        async with s.session.get(
            s.url("/openapi/v2"), headers={"Accept": form, "Authorization": "Bearer admin-token"}
        ) as a:
            assert (await a.read()).startswith(b"\x0a\x032.0")
        assert (await s.ask("GET", "/openapi/v3/apis/absent/v1"))[0] == 404


async def test_health_checks_are_told_one_by_one_and_fail_together() -> None:
    async with served() as s:
        assert await s.ask("GET", "/livez/ping") == (200, "ok")
        assert (await s.ask("GET", "/readyz?verbose"))[1].endswith("[+]etcd ok\nreadyz check passed\n")
        s.server.health.ready["informer-sync"] = lambda: "not yet"
        status, text = await s.ask("GET", "/readyz")
        assert (status, "[-]informer-sync failed: reason withheld" in text) == (500, True)
        assert (await s.ask("GET", "/readyz?exclude=informer-sync"))[0] == 200
        assert (await s.ask("GET", "/livez"))[0] == 200
        assert (await s.ask("GET", "/healthz/absent"))[0] == 404
