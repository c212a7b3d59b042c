"""The real API server over a store on disk, for watch_throughput: what HTTP, TLS, JSON and admission add."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from benchmarks.store_rig import scratch
from kubelite.actor.clock import SystemClock
from kubelite.api.core_v1 import ConfigMap
from kubelite.api.errors import NotFound
from kubelite.api.meta import ObjectMeta
from kubelite.apiserver.admission import Admission
from kubelite.apiserver.allocator import ServiceAllocator
from kubelite.apiserver.authn import Authenticator
from kubelite.apiserver.authz import RbacAuthorizer
from kubelite.apiserver.bootstrap import bootstrap
from kubelite.apiserver.certs import Pki
from kubelite.apiserver.http import ApiServer
from kubelite.apiserver.interface import User
from kubelite.apiserver.local import LocalClient
from kubelite.apiserver.registry import ObjectRegistry
from kubelite.store.sqlite import SqliteStore

CIDR = "10.96.0.0/24"


@asynccontextmanager
async def api_server(*, tls: bool) -> AsyncIterator[tuple[ApiServer, LocalClient]]:
    """A server that knows one user, and a client in process. Admission has no plugins: ConfigMaps pass all of them."""
    clock = SystemClock()
    with scratch() as directory:
        async with SqliteStore(directory / "store.db", clock) as store, anyio.create_task_group() as tasks:
            allocator = ServiceAllocator(clock, cidr=CIDR)
            registry = ObjectRegistry(store, clock, admission=Admission(()), allocator=allocator)
            await bootstrap(registry, service_cidr=CIDR, address="192.0.2.1", port=6443)
            context = None
            if tls:
                pki = Pki(directory / "pki")
                pki.ensure(("127.0.0.1",), clock.now())
                context = pki.server_context()
            authenticator = Authenticator({"t": User(name="admin", groups=("system:masters",))})
            server = ApiServer(
                registry, authenticator, RbacAuthorizer(registry), lambda node: None, clock, ssl_context=context
            )
            await tasks.start(server.run)
            yield server, LocalClient(registry)
            tasks.cancel_scope.cancel()


async def put_config_map(client: LocalClient, number: int, value: bytes) -> None:
    """Writes the ConfigMap of one writer, over whatever is there."""
    meta = ObjectMeta(name=f"watched-{number}", namespace="default")
    wanted = ConfigMap(metadata=meta, data={"stamp": value.decode()})
    try:
        await client.update(wanted)
    except NotFound:
        await client.create(wanted)
