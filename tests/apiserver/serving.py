"""A served API over a memory store, with clients for it, for the tests of the HTTP side."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import anyio

from kubelite.actor.clock import SystemClock
from kubelite.apiserver.authn import Authenticator
from kubelite.apiserver.authz import RbacAuthorizer
from kubelite.apiserver.certs import Pki
from kubelite.apiserver.http import ApiServer
from kubelite.apiserver.interface import User
from kubelite.apiserver.kubeconfig import write_kubeconfig
from kubelite.client.streams import PodStreams
from tests.apiserver.registries import Cluster, cluster
from tests.apiserver.streams import FakeStreams

ADMIN, ALICE = "admin-token", "alice-token"
TOKENS = {ADMIN: User(name="admin", groups=("system:masters",)), ALICE: User(name="alice", groups=("devs",))}


class Served:
    """A running server and one HTTP session."""

    def __init__(
        self, behind: Cluster, server: ApiServer, session: aiohttp.ClientSession, streams: FakeStreams
    ) -> None:
        self.cluster = behind
        self.server = server
        self.session = session
        self.streams = streams

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server.port}{path}"

    async def ask(
        self, method: str, path: str, *, token: str = ADMIN, headers: dict[str, str] | None = None, **options: Any
    ) -> tuple[int, Any]:
        """(status, decoded body)."""
        sent = {**({"Authorization": f"Bearer {token}"} if token else {}), **(headers or {})}
        async with self.session.request(method, self.url(path), headers=sent, **options) as answer:
            plain = answer.content_type != "application/json"
            return answer.status, (await answer.text() if plain else await answer.json())


def make_server(
    behind: Cluster, streams: FakeStreams, *, context: ssl.SSLContext | None = None
) -> tuple[RbacAuthorizer, ApiServer]:
    """Both actors, not started. Node n1 has a kubelet."""

    def of_node(node: str) -> PodStreams | None:
        return streams if node == "n1" else None

    authorizer = RbacAuthorizer(behind.registry)
    return authorizer, ApiServer(
        behind.registry, Authenticator(TOKENS), authorizer, of_node, SystemClock(), ssl_context=context
    )


@asynccontextmanager
async def served(*, pki: Path | None = None) -> AsyncIterator[Served]:
    """Over plain HTTP, or with TLS and `<pki>/kubeconfig`."""
    context = None
    if pki is not None:
        made = Pki(pki)
        made.ensure((), SystemClock().now())
        context = made.server_context()
    streams = FakeStreams()
    async with cluster() as behind, anyio.create_task_group() as tasks:
        authorizer, server = make_server(behind, streams, context=context)
        await tasks.start(authorizer.run)
        await tasks.start(server.run)
        if pki is not None:
            write_kubeconfig(pki / "kubeconfig", f"https://127.0.0.1:{server.port}", pki)
        async with aiohttp.ClientSession() as session:
            yield Served(behind, server, session, streams)
        tasks.cancel_scope.cancel()
