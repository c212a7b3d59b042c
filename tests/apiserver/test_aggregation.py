"""Another API server behind this one: found by its APIService, asked as the client, believed by its certificate."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web

from kubelite import Cluster
from kubelite.actor.clock import SystemClock
from kubelite.api import apiservices, core_v1 as core
from kubelite.api.apiregistration_v1 import APIService, APIServiceSpec, ServiceReference
from kubelite.api.meta import ObjectMeta
from kubelite.apiserver.certs import Pki
from tests.apiserver.backends import ADDRESS, Backend, backend, is_local

pytestmark = pytest.mark.skipif(is_local, reason="this machine has no address but its own")
GROUP = "bakery.example.test"
LIST = {
    "kind": "APIResourceList",
    "apiVersion": "v1",
    "groupVersion": f"{GROUP}/v1",
    "resources": [
        {
            "name": "loaves",
            "singularName": "loaf",
            "namespaced": True,
            "kind": "Loaf",
            "verbs": ["get", "list", "create"],
        },
        {"name": "loaves/slice", "singularName": "", "namespaced": True, "kind": "Slice", "verbs": ["create"]},
    ],
}


async def bakery(behind: Backend, request: web.BaseRequest) -> web.StreamResponse:
    """An aggregated API server: one resource, and what it was told of who asks."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    groups = request.headers.getall("X-Remote-Group", [])
    peer = request.transport.get_extra_info("peercert") if request.transport else None
    behind.asked.append((request.method, request.raw_path, headers))
    match request.path:
        case "/apis/bakery.example.test/v1":
            return web.json_response(LIST)
        case "/openapi/v3":
            place = {"serverRelativeURL": f"/openapi/v3/apis/{GROUP}/v1?hash=A"}
            return web.json_response({"paths": {f"apis/{GROUP}/v1": place}})
        case "/openapi/v3/apis/bakery.example.test/v1":
            return web.json_response({"openapi": "3.0.0", "info": {}, "paths": {}})
        case path if path.endswith("/loaves"):
            told = {"user": headers.get("x-remote-user"), "groups": groups, "peer": bool(peer)}
            return web.json_response({"kind": "LoafList", "apiVersion": f"{GROUP}/v1", "items": [], "told": told})
    return web.Response(status=404, text="404 page not found")


class World:
    """A cluster with a Service `bread` in front of the aggregated server, and an administrator's HTTP session."""

    def __init__(self, cluster: Cluster, session: aiohttp.ClientSession, behind: Backend, authority: bytes) -> None:
        self.cluster = cluster
        self.behind = behind
        self.authority = authority
        self._session = session

    async def ask(self, path: str, accept: str = "application/json", **headers: str) -> tuple[int, Any]:
        sent = {"Accept": accept, **{name.replace("_", "-"): value for name, value in headers.items()}}
        async with self._session.get(self.cluster.server + path, headers=sent) as found:
            return found.status, await (found.json() if "json" in found.content_type else found.text())

    async def register(self, *, port: int = 443, **spec: Any) -> None:
        reference = ServiceReference(namespace="default", name="bread", port=port)
        wanted = APIServiceSpec(
            service=reference, group=GROUP, version="v1", group_priority_minimum=2000, version_priority=10, **spec
        )
        await self.cluster.client.create(APIService(metadata=ObjectMeta(name=f"v1.{GROUP}"), spec=wanted))

    async def until(self, status: str, reason: str) -> str:
        """The message of the condition, once it is so."""

        def holds(service: APIService) -> bool:
            found = apiservices.find_condition(service)
            return found is not None and (found.status, found.reason) == (status, reason)

        service = await self.cluster.wait_for(APIService, f"v1.{GROUP}", holds, timeout_s=20)
        found = apiservices.find_condition(service)
        assert found is not None
        return found.message


@asynccontextmanager
async def world(directory: Path, *, endpoints: bool = True) -> AsyncIterator[World]:
    serving = Pki(directory)
    serving.ensure(("bread.default.svc",), SystemClock().now())
    async with Cluster(serve=True, components="apiserver") as cluster:
        client = cluster.client
        trust = await cluster.wait_for(core.ConfigMap, "extension-apiserver-authentication", namespace="kube-system")
        context = serving.server_context()
        context.load_verify_locations(cadata=trust.data["requestheader-client-ca-file"])
        async with backend(bakery, context) as behind:
            spec = core.ServiceSpec(ports=(core.ServicePort(port=443, protocol="TCP"),))
            await client.create(core.Service(metadata=ObjectMeta(name="bread", namespace="default"), spec=spec))
            subset = core.EndpointSubset(
                addresses=(core.EndpointAddress(ip=ADDRESS),),
                ports=(core.EndpointPort(port=behind.port, protocol="TCP"),),
            )
            meta = ObjectMeta(name="bread", namespace="default")
            await client.create(core.Endpoints(metadata=meta, subsets=(subset,) if endpoints else ()))
            async with _session(cluster, directory) as session:
                yield World(cluster, session, behind, serving.authority.read_bytes())


@asynccontextmanager
async def _session(cluster: Cluster, directory: Path) -> AsyncIterator[aiohttp.ClientSession]:
    assert cluster.kubeconfig is not None
    user = yaml.safe_load(cluster.kubeconfig.read_text())["users"][0]["user"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for name in ("client-certificate", "client-key"):
        (directory / name).write_bytes(base64.b64decode(user[f"{name}-data"]))
    context.load_cert_chain(directory / "client-certificate", directory / "client-key")
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        yield session


async def test_a_server_behind_this_one_is_asked_as_the_user(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        await at.register(ca_bundle=at.authority)
        assert await at.until("True", "Passed") == "all checks passed"
        path = f"/apis/{GROUP}/v1/namespaces/default/loaves"
        code, answer = await at.ask(path, X_Remote_User="somebody", X_Remote_Group="others")
        assert code == 200
        assert answer["told"] == {
            "user": "kubernetes-admin",
            "groups": ["system:masters", "system:authenticated"],
            "peer": True,
        }
        code, _ = await at.ask(path, Impersonate_User="alice")
        assert code == 403, "rights are asked here first"
        assert not any(header.startswith("impersonate-") for _, _, headers in at.behind.asked for header in headers)


async def test_discovery_and_openapi_tell_of_it(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        await at.register(insecure_skip_tls_verify=True)
        await at.until("True", "Passed")
        _, groups = await at.ask("/apis")
        names = [group["name"] for group in groups["groups"]]
        assert GROUP in names
        assert names[:2] == ["apiregistration.k8s.io", "apps"]
        assert (await at.ask(f"/apis/{GROUP}"))[1]["preferredVersion"]["version"] == "v1"
        assert (await at.ask(f"/apis/{GROUP}/v1"))[1] == LIST
        _, document = await at.ask("/apis", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
        group = next(item for item in document["items"] if item["metadata"]["name"] == GROUP)
        [version] = group["versions"]
        assert version["freshness"] == "Current"
        [resource] = version["resources"]
        assert (resource["resource"], resource["subresources"][0]["subresource"]) == ("loaves", "slice")
        paths = (await at.ask("/openapi/v3"))[1]["paths"]
        assert (await at.ask(paths[f"apis/{GROUP}/v1"]["serverRelativeURL"]))[1]["openapi"] == "3.0.0"
        await at.cluster.client.delete(APIService, f"v1.{GROUP}")
        assert GROUP not in [group["name"] for group in (await at.ask("/apis"))[1]["groups"]]


async def test_what_is_missing_is_told_in_the_condition(tmp_path: Path) -> None:
    async with world(tmp_path, endpoints=False) as at:
        await at.register(port=8443, insecure_skip_tls_verify=True)
        assert "is not listening on port 8443" in await at.until("False", "ServicePortError")
        code, text = await at.ask(f"/apis/{GROUP}/v1/namespaces/default/loaves")
        assert (code, text) == (503, "service unavailable\n")
        _, document = await at.ask("/apis", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
        group = next(item for item in document["items"] if item["metadata"]["name"] == GROUP)
        assert group["versions"] == [{"version": "v1", "freshness": "Stale"}]
        patch = {"spec": {"service": {"port": 443}}}
        await at.cluster.client.patch(APIService, f"v1.{GROUP}", patch=patch)
        assert "have no addresses with port name" in await at.until("False", "MissingEndpoints")
        await at.cluster.client.delete(core.Endpoints, "bread", "default")
        await at.until("False", "EndpointsNotFound")
        await at.cluster.client.delete(core.Service, "bread", "default")
        assert await at.until("False", "ServiceNotFound") == 'service/bread in "default" is not present'


async def test_a_server_that_does_not_answer_is_not_available(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        patch = {"subsets": [{"addresses": [{"ip": ADDRESS}], "ports": [{"port": 1, "protocol": "TCP"}]}]}
        await at.cluster.client.patch(core.Endpoints, "bread", "default", patch=patch)
        await at.register(insecure_skip_tls_verify=True)
        assert "connection refused" in await at.until("False", "FailedDiscoveryCheck")


async def test_a_certificate_that_the_bundle_does_not_hold_is_refused(tmp_path: Path) -> None:
    other = Pki(tmp_path / "other")
    other.ensure((), SystemClock().now())
    async with world(tmp_path) as at:
        await at.register(ca_bundle=other.authority.read_bytes())
        await at.until("True", "Passed")  # upstream's check does not look at certificates either
        code, text = await at.ask(f"/apis/{GROUP}/v1/namespaces/default/loaves")
        assert (code, text.startswith("error trying to reach service: tls:")) == (503, True)


async def test_the_groups_served_here_have_their_own(tmp_path: Path) -> None:
    async with Cluster(serve=True, components="apiserver") as cluster:
        core_group = await cluster.wait_for(APIService, "v1.")
        found = apiservices.find_condition(core_group)
        assert found is not None
        assert (found.status, found.reason) == ("True", "Local")
        apps = await cluster.wait_for(APIService, "v1.apps")
        assert (apps.spec.group_priority_minimum, apps.spec.version_priority) == (17800, 15)
