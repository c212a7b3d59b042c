"""The kubelet's own API over TLS: who may ask, and what is answered."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import anyio
import pytest

from kubelite import Cluster
from kubelite.actor.clock import SystemClock
from kubelite.api import authentication_v1 as authentication, authorization_v1 as authorization, rbac_v1 as rbac
from kubelite.api.authentication_v1 import UserInfo
from kubelite.api.core_v1 import Node, Pod, ServiceAccount
from kubelite.api.errors import Forbidden, Unauthorized
from kubelite.api.meta import Object, ObjectMeta
from kubelite.apiserver.interface import User
from kubelite.apiserver.local import LocalClient
from kubelite.apiserver.registry import ObjectRegistry
from kubelite.kubelet.server_auth import NodeAuth
from kubelite.kubelet.server_routes import parse_route, rights_of
from tests.api_server import local_client

POD = """
apiVersion: v1
kind: Pod
metadata:
  name: web
  annotations: {simulated.kubelite.io/cpu-millis: "250", simulated.kubelite.io/memory-bytes: "1048576"}
spec:
  containers: [{name: app, image: busybox}]
"""


class Served:
    """A cluster whose only node serves its API at `base`."""

    def __init__(self, cluster: Cluster, session: aiohttp.ClientSession, base: str, pki: Path) -> None:
        self.cluster = cluster
        self.session = session
        self.base = base
        context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        self.nobody = context
        self.admin = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        self.admin.load_cert_chain(pki / "admin.crt", pki / "admin.key")

    async def get(self, path: str, *, token: str = "", admin: bool = True) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        context = self.admin if admin and not token else self.nobody
        async with self.session.get(self.base + path, ssl=context, headers=headers) as response:
            return response.status, await response.text()


@asynccontextmanager
async def served() -> AsyncIterator[Served]:
    async with Cluster(serve=True, kubelet_port=0) as cluster, aiohttp.ClientSession() as session:
        await cluster.apply(POD)
        await cluster.wait_for(Pod, "web", lambda pod: pod.status.phase == "Running")
        node = await cluster.wait_for(Node, "node-1", namespace="")
        assert cluster.kubeconfig is not None
        base = f"https://127.0.0.1:{node.status.daemon_endpoints.kubelet_endpoint.port}"
        yield Served(cluster, session, base, cluster.kubeconfig.parent / "pki")


async def test_every_path_answers_an_administrator() -> None:
    async with served() as node:
        assert await node.get("/healthz") == (200, "ok")
        pods = json.loads((await node.get("/pods"))[1])
        assert [each["metadata"]["name"] for each in pods["items"]] == ["web"]
        assert pods["items"][0]["status"]["phase"] == "Running"
        running = json.loads((await node.get("/runningpods/"))[1])
        assert running["items"][0]["spec"]["containers"] == [{"name": "app", "image": "busybox", "resources": {}}]
        summary = json.loads((await node.get("/stats/summary"))[1])
        assert summary["pods"][0]["containers"][0]["memory"]["workingSetBytes"] == 1 << 20
        assert 200e6 < summary["node"]["cpu"]["usageNanoCores"] < 300e6
        for path in ("/metrics", "/metrics/resource", "/metrics/cadvisor", "/metrics/probes"):
            status, text = await node.get(path)
            assert status == 200
            assert text.startswith("# HELP")
        assert json.loads((await node.get("/configz"))[1])["kubeletconfig"]["kind"] == "KubeletConfiguration"
        assert "Started simulated container app" in (await node.get("/containerLogs/default/web/app"))[1]


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/logs/", (405, "logs endpoint is disabled.\n")),
        ("/run/default/web/app", (404, "404 page not found\n")),
        ("/containerLogs/default/none/app", (404, 'pod "none" does not exist\n')),
        ("/containerLogs/default/web/none", (404, 'container "none" not found in pod "web"\n')),
        ("/exec/default/web/app?command=ls&output=1", (400, "Upgrade request required")),
        ("/exec/default/web/another-uid/app?command=ls&output=1", (404, "pod does not exist")),
    ],
)
async def test_what_is_not_there_is_told_in_plain_words(path: str, answer: tuple[int, str]) -> None:
    async with served() as node:
        assert await node.get(path) == answer


async def test_nobody_is_refused_and_rights_are_those_of_the_node() -> None:
    async with served() as node:
        assert await node.get("/healthz", admin=False) == (401, "Unauthorized")
        assert await node.get("/healthz", token="made-up") == (401, "Unauthorized")
        client = node.cluster.client
        await client.create(ServiceAccount(metadata=ObjectMeta(name="scraper", namespace="default")))
        rule = rbac.PolicyRule(verbs=("get",), api_groups=("",), resources=("nodes/metrics",))
        await client.create(rbac.ClusterRole(metadata=ObjectMeta(name="scraper"), rules=(rule,)))
        account = rbac.Subject(kind="ServiceAccount", name="scraper", namespace="default")
        ref = rbac.RoleRef(api_group="rbac.authorization.k8s.io", kind="ClusterRole", name="scraper")
        await client.create(
            rbac.ClusterRoleBinding(metadata=ObjectMeta(name="scraper"), subjects=(account,), role_ref=ref)
        )
        made = await client.create_subresource(
            authentication.TokenRequest(), "scraper", "default", plural="serviceaccounts", subresource="token"
        )
        token = made.status.token
        assert (await node.get("/metrics/resource", token=token))[0] == 200
        user = "system:serviceaccount:default:scraper"
        assert await node.get("/pods", token=token) == (
            403,
            f"Forbidden (user={user}, verb=get, resource=nodes, subresource(s)=[pods proxy])",
        )


async def test_a_command_runs_over_a_websocket() -> None:
    async with served() as node:
        url = f"{node.base}/exec/default/web/app?command=echo&command=hello&output=1&error=1"
        async with node.session.ws_connect(url, ssl=node.admin, protocols=["v5.channel.k8s.io"]) as socket:
            frames = [message.data async for message in socket]
        assert b"".join(frame[1:] for frame in frames if frame[:1] == b"\x01") == b"hello\n"
        (result,) = [frame for frame in frames if frame[:1] == b"\x03"]
        assert json.loads(result[1:])["status"] == "Success"


async def test_spdy_is_agreed_upon_too() -> None:
    async with served() as node:
        host, _, port = node.base.removeprefix("https://").partition(":")
        stream = await anyio.connect_tcp(host, int(port), ssl_context=node.admin, tls_standard_compatible=False)
        async with stream:
            await stream.send(
                f"POST /exec/default/web/app?command=cat&output=1 HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\n"
                "Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\nContent-Length: 0\r\n\r\n".encode()
            )
            assert (await stream.receive()).startswith(b"HTTP/1.1 101 Switching Protocols\r\n")


@pytest.mark.parametrize(
    ("path", "rights"),
    [
        ("/stats/summary", ("stats",)),
        ("/metrics", ("metrics",)),
        ("/metrics/cadvisor", ("metrics",)),
        ("/metricsx", ("proxy",)),
        ("/logs/syslog", ("log",)),
        ("/pods", ("pods", "proxy")),
        ("/runningpods/", ("pods", "proxy")),
        ("/healthz/syncloop", ("healthz", "proxy")),
        ("/configz", ("configz", "proxy")),
        ("/containerLogs/a/b/c", ("proxy",)),
    ],
)
def test_a_path_needs_the_right_that_upstream_asks_for(path: str, rights: tuple[str, ...]) -> None:
    assert rights_of(path) == rights


def test_a_route_may_name_the_pods_uid() -> None:
    assert parse_route("/exec/ns/web/u-1/app").uid == "u-1"
    assert parse_route("/exec/ns/web/app").uid == ""
    assert parse_route("/portForward/ns/web/u-1").uid == "u-1"
    assert parse_route("/portForward/ns/web/u-1/more").what == ""


class Reviewer:
    """Answers reviews, and counts them: the token `good` is a user's, who may `get`."""

    def __init__(self) -> None:
        self.asked = 0

    async def review(self, review: Object, user: User, namespace: str) -> Object:
        self.asked += 1
        if isinstance(review, authentication.TokenReview):
            known = review.spec.token == "good"
            status = authentication.TokenReviewStatus(authenticated=known, user=UserInfo(username="ann", uid="1"))
            return authentication.TokenReview(spec=review.spec, status=status)
        assert isinstance(review, authorization.SubjectAccessReview)
        assert review.spec.resource_attributes is not None
        allowed = review.spec.resource_attributes.verb == "get"
        answer = authorization.SubjectAccessReviewStatus(allowed=allowed)
        return authorization.SubjectAccessReview(spec=review.spec, status=answer)


@asynccontextmanager
async def auth() -> AsyncIterator[tuple[NodeAuth, Reviewer]]:
    async with local_client() as client:
        assert isinstance(client, LocalClient)
        registry, reviewer = client._registry, Reviewer()
        assert isinstance(registry, ObjectRegistry)
        registry.review = reviewer.review
        yield NodeAuth("node-1", client, SystemClock()), reviewer


async def test_answers_are_kept_but_refused_tokens_are_not() -> None:
    async with auth() as (node, reviewer):
        user = await node.authenticate("Bearer good", None)
        assert await node.authenticate("bearer good", None) == user
        assert reviewer.asked == 1
        for _ in range(2):
            await node.authorize(user, "GET", "/pods")
            with pytest.raises(Forbidden):
                await node.authorize(user, "POST", "/metrics")
        assert reviewer.asked == 3
        for _ in range(2):
            with pytest.raises(Unauthorized):
                await node.authenticate("Bearer bad", None)
        assert reviewer.asked == 5


async def test_a_certificate_names_its_user() -> None:
    async with auth() as (node, reviewer):
        user = await node.authenticate("", UserInfo(username="bob", groups=("devs",)))
        assert (user.username, user.groups) == ("bob", ("devs", "system:authenticated"))
        assert reviewer.asked == 0
