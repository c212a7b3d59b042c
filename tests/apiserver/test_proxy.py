"""pods/proxy, services/proxy and nodes/proxy pass requests and answers on as a real API server does."""

from __future__ import annotations

from typing import Any

import aiohttp
import anyio
import pytest

from kubelite.api import core_v1 as core, rbac_v1 as rbac
from kubelite.api.meta import ObjectMeta
from tests.apiserver.backends import ADDRESS, Backend, backend, is_local
from tests.apiserver.registries import pod
from tests.apiserver.serving import ADMIN, ALICE, Served, served

pytestmark = pytest.mark.skipif(is_local, reason="this machine has no address but its own")
PODS, SERVICES = "/api/v1/namespaces/default/pods", "/api/v1/namespaces/default/services"


async def running(s: Served, behind: Backend, *, node: str = "n1", address: str = ADDRESS) -> None:
    """A pod at the backend's address, and a Service with an unnamed and one with a named port in front of it."""
    client = s.cluster.client
    await client.create(pod(node=node))
    status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
    await client.patch(core.Pod, "web", "default", patch={"status": status}, subresource="status")
    ref = core.ObjectReference(kind="Pod", name="web", namespace="default")
    for name, port in (("plain", ""), ("named", "http")):
        spec = core.ServiceSpec(ports=(core.ServicePort(name=port, port=80, protocol="TCP"),))
        await client.create(core.Service(metadata=ObjectMeta(name=name, namespace="default"), spec=spec))
        subset = core.EndpointSubset(
            addresses=(core.EndpointAddress(ip=address, target_ref=ref),),
            ports=(core.EndpointPort(name=port, port=behind.port, protocol="TCP"),),
        )
        await client.create(core.Endpoints(metadata=ObjectMeta(name=name, namespace="default"), subsets=(subset,)))


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_every_method_is_passed_on_with_path_query_and_body(method: str) -> None:
    async with served() as s, backend() as behind:
        await running(s, behind)
        path = f"{PODS}/web:{behind.port}/proxy/a%2Fb/c?x=1&y=%20"
        code, told = await s.ask(method, path, data=b"x" * 100_000, headers={"X-Mine": "yes"})
        assert (code, told["method"], told["path"], told["size"]) == (200, method, "/a%2Fb/c?x=1&y=%20", 100_000)
        headers = told["headers"]
        assert headers["x-mine"] == "yes"
        assert headers["x-forwarded-for"] == "127.0.0.1"
        assert headers["x-forwarded-uri"] == f"{PODS}/web:{behind.port}/proxy/a%2Fb/c"
        assert headers["host"] == f"127.0.0.1:{s.server.port}"
        assert "authorization" not in headers


@pytest.mark.parametrize("name", ["plain", "plain:80", "http:plain:80", "named:http", "named:80"])
async def test_a_service_leads_to_its_pods(name: str) -> None:
    async with served() as s, backend() as behind:
        await running(s, behind)
        code, told = await s.ask("GET", f"{SERVICES}/{name}/proxy/")
        assert (code, told["path"]) == (200, "/")


async def test_what_does_not_lead_anywhere_is_told_as_upstream_does() -> None:
    async with served() as s, backend() as behind:
        await running(s, behind)
        none = core.Service(
            metadata=ObjectMeta(name="none", namespace="default"),
            spec=core.ServiceSpec(ports=(core.ServicePort(port=80, protocol="TCP"),)),
        )
        await s.cluster.client.create(none)
        await s.cluster.client.create(core.Endpoints(metadata=ObjectMeta(name="none", namespace="default")))
        for path, code, message in (
            (f"{SERVICES}/none/proxy/", 503, 'no endpoints available for service "none"'),
            (f"{SERVICES}/named/proxy/", 503, 'no endpoints available for service "named"'),
            (f"{SERVICES}/plain:81/proxy/", 503, 'no service port 81 found for service "plain"'),
            (f"{SERVICES}/ftp:plain:80/proxy/", 400, 'invalid service request "ftp:plain:80"'),
            (f"{PODS}/a:b:c:d/proxy/", 400, 'invalid pod request "a:b:c:d"'),
            (f"{PODS}/gone/proxy/", 404, 'pods "gone" not found'),
            ("/api/v1/nodes/gone/proxy/", 404, 'nodes "gone" not found'),
        ):
            found = (await s.ask("GET", path))[1]
            assert (found["code"], found["message"]) == (code, message)
        closed = behind.port
    async with served() as s:
        await running(s, Backend(closed, []))
        code, told = await s.ask("GET", f"{PODS}/web:{closed}/proxy/")
        assert (code, told["reason"]) == (503, "ServiceUnavailable")
        dialled = f"dial tcp {ADDRESS}:{closed}: connect: connection refused"
        assert told["message"] == f"error trying to reach service: {dialled}"


async def test_an_address_of_this_machine_is_not_reached() -> None:
    async with served() as s, backend() as behind:
        await running(s, behind)
        status = {"podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}]}
        await s.cluster.client.patch(core.Pod, "web", "default", patch={"status": status}, subresource="status")
        code, told = await s.ask("GET", f"{PODS}/web:{s.server.port}/proxy/")
        assert (code, told["message"]) == (400, "address not allowed")
        assert not behind.asked


async def test_a_simulated_pod_says_that_it_is() -> None:
    async with served() as s, backend() as behind:
        await running(s, behind)
        info = core.NodeSystemInfo(container_runtime_version="simulated://1.0.0")
        node = core.Node(metadata=ObjectMeta(name="n1"), status=core.NodeStatus(node_info=info))
        await s.cluster.client.create(node)
        for path in (f"{PODS}/web:80/proxy/", f"{SERVICES}/plain/proxy/"):
            code, told = await s.ask("GET", path)
            assert (code, "is simulated" in told["message"]) == (503, True)


async def test_a_path_without_a_slash_is_redirected_to_one() -> None:
    async with served() as s, backend() as behind:
        await running(s, behind)
        headers = {"Authorization": f"Bearer {ADMIN}"}
        async with s.session.get(s.url(f"{SERVICES}/plain/proxy?a=b"), headers=headers, allow_redirects=False) as found:
            assert (found.status, found.headers["Location"]) == (301, f"{SERVICES}/plain/proxy/?a=b")


async def test_redirects_and_links_lead_back_through_the_proxy() -> None:
    async with served() as s, backend() as behind:
        await running(s, behind)
        prefix = f"{SERVICES}/plain/proxy"
        headers = {"Authorization": f"Bearer {ADMIN}"}
        async with s.session.get(s.url(f"{prefix}/redirect"), headers=headers, allow_redirects=False) as found:
            assert (found.status, found.headers["Location"]) == (302, f"{prefix}/elsewhere/?a=b")
        code, page = await s.ask("GET", f"{prefix}/page")
        assert (code, page) == (200, f'<a href="{prefix}/next">x</a><a href="https://example.test/">')


async def test_an_answers_code_and_fields_are_kept() -> None:
    async with served() as s, backend() as behind:
        await running(s, behind)
        headers = {"Authorization": f"Bearer {ADMIN}"}
        async with s.session.get(s.url(f"{SERVICES}/plain/proxy/teapot"), headers=headers) as found:
            assert (found.status, await found.text(), found.headers["X-Own"]) == (418, "short", "kept")
        async with s.session.head(s.url(f"{SERVICES}/plain/proxy/teapot"), headers=headers) as found:
            assert (found.status, found.headers["Content-Length"]) == (418, "5")


async def test_bodies_flow_in_both_directions_at_once() -> None:
    async with served() as s, backend() as behind:
        await running(s, behind)
        go_on = anyio.Event()

        async def body() -> Any:
            yield b"first"
            await go_on.wait()
            yield b"second" * 1_000_000  # past what a whole body may have

        headers = {"Authorization": f"Bearer {ADMIN}"}
        with anyio.fail_after(20):
            async with s.session.post(s.url(f"{SERVICES}/plain/proxy/slow"), headers=headers, data=body()) as found:
                assert await found.content.readexactly(5) == b"FIRST"
                go_on.set()
                assert await found.content.read() == b"SECOND" * 1_000_000


async def test_a_websocket_is_passed_through() -> None:
    async with served() as s, backend() as behind:
        await running(s, behind)
        headers = {"Authorization": f"Bearer {ADMIN}"}
        for path in (f"{SERVICES}/plain/proxy/socket", f"{PODS}/web:{behind.port}/proxy/socket"):
            async with s.session.ws_connect(s.url(path), headers=headers) as socket:
                await socket.send_str("hello")
                assert await socket.receive_str() == "HELLO"
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await s.session.ws_connect(s.url(f"{SERVICES}/plain/proxy/teapot"), headers=headers)
        assert refused.value.status == 418


async def test_each_verb_on_the_proxy_is_a_right_of_its_own() -> None:
    async with served() as s, backend() as behind:
        await running(s, behind)
        rule = rbac.PolicyRule(verbs=("get",), api_groups=("",), resources=("services/proxy",))
        await s.cluster.client.create(rbac.Role(metadata=ObjectMeta(name="r", namespace="default"), rules=(rule,)))
        binding = rbac.RoleBinding(
            metadata=ObjectMeta(name="r", namespace="default"),
            role_ref=rbac.RoleRef(api_group="rbac.authorization.k8s.io", kind="Role", name="r"),
            subjects=(rbac.Subject(kind="User", name="alice", api_group="rbac.authorization.k8s.io"),),
        )
        await s.cluster.client.create(binding)
        with anyio.fail_after(10):
            while (await s.ask("GET", f"{SERVICES}/plain/proxy/", token=ALICE))[0] == 403:
                await anyio.sleep(0.01)
        assert (await s.ask("POST", f"{SERVICES}/plain/proxy/", token=ALICE))[0] == 403
        assert (await s.ask("GET", f"{PODS}/web/proxy/", token=ALICE))[0] == 403
