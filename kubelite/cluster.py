"""The composition root: builds every actor, names them, orders them. The only file that knows all rooms.

Order of start (stop is the reverse): the store; the API server's socket; what a cluster has from the beginning; informers;
DNS and Services; controllers and scheduler; nodes. What the host lacks, or a data directory that is in use, is a `HostProblem`
of one line, raised before anything was changed.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import anyio
import msgspec
from anyio.abc import TaskStatus

from kubelite.actor.clock import Clock, SystemClock
from kubelite.actor.supervisor import Stage, Supervisor
from kubelite.api.core_v1 import Namespace, Service
from kubelite.api.decode import decode_object
from kubelite.api.discovery_v1 import EndpointSlice
from kubelite.api.errors import NotFound
from kubelite.api.manifest import parse_manifest, read_manifest, resource_of
from kubelite.api.meta import Object
from kubelite.api.scheme import Resource
from kubelite.apiserver.admission import Admission, standard_plugins
from kubelite.apiserver.allocator import ServiceAllocator
from kubelite.apiserver.bootstrap import bootstrap, bootstrap_dns
from kubelite.apiserver.local import LocalClient
from kubelite.apiserver.registry import ObjectRegistry
from kubelite.client.feeds import NODE_INDEX
from kubelite.client.host import Host
from kubelite.client.informer import Informers
from kubelite.client.interface import Client
from kubelite.client.recorder import Recorder
from kubelite.client.streams import PodStreams
from kubelite.client.view import View
from kubelite.config import Config, check
from kubelite.controllers import INDEXES as CONTROLLER_INDEXES, standard
from kubelite.data_dir import DataDir, HostProblem
from kubelite.nodes import NODE_KINDS, NodeParts, simulated_nodes
from kubelite.scheduler import INDEXES as SCHEDULER_INDEXES, Scheduler
from kubelite.store.memory import MemoryStore
from kubelite.store.store import Store, StoreError

O = TypeVar("O", bound=Object)  # noqa: E741

__all__ = ["Cluster", "HostProblem"]

#: What `Cluster()` is without a configuration: nothing outside the process.
EMBEDDED = Config(store="memory", runtime="simulated", bind_address="127.0.0.1", secure_port=0)
WAIT_TIMEOUT_S = 60.0
#: What Services and DNS read of the cluster.
SERVICE_KINDS: tuple[type[Object], ...] = (Namespace, Service, EndpointSlice)
#: The port of the API server in the objects of a cluster that serves none.
API_PORT = 6443


class Cluster:
    """A cluster that runs while it is entered: `async with Cluster() as cluster:`.

    Without a configuration it lives in memory, on simulated nodes, and opens no socket; `settings` are those of `Config`.
    `serve` adds the HTTPS API (`server`, `kubeconfig`). Once entered, the API works and every node is Ready.
    Raises: ConfigError, HostProblem.
    """

    def __init__(
        self, config: Config | None = None, *, serve: bool = False, clock: Clock | None = None, **settings: Any
    ) -> None:
        self.config = check(msgspec.structs.replace(config or EMBEDDED, **settings))
        self.clock: Clock = clock or SystemClock()
        self.server = ""  #: the URL of the API, with `serve`
        self.kubeconfig: Path | None = None  #: the administrator's kubeconfig, with `serve`
        self._embedded = config is None
        self._serve = serve
        self._stack = AsyncExitStack()
        self._client: Client
        self._informers: Informers
        self._streams: dict[str, PodStreams] = {}

    @property
    def client(self) -> Client:
        """Typed access to the API with all rights."""
        return self._client

    @property
    def view(self) -> View:
        """The shared, indexed, always current picture that the controllers decide on."""
        return self._informers.view

    async def apply(self, manifest: str | Path, namespace: str = "default") -> list[Object]:
        """Applies a file, or the text of one, as `kubectl apply --server-side` does; returns the objects as stored.

        Raises: StatusError, OSError.
        """
        text = manifest if isinstance(manifest, str) and "\n" in manifest else await anyio.Path(manifest).read_text()
        scheme = self._registry.scheme
        parse_manifest(text, scheme)  # all of it is readable before any of it is applied
        return [await self._apply(resource_of(plain, scheme), plain, namespace) for plain in read_manifest(text)]

    async def _apply(self, resource: Resource, plain: dict[str, Any], namespace: str) -> Object:
        meta = plain["metadata"]
        where = meta.get("namespace", namespace) if resource.namespaced else ""
        try:
            return await self._client.patch(resource.type, meta["name"], where, patch=plain, patch_type="strategic")
        except NotFound:
            plain["metadata"] = {**meta, "namespace": where}
            return await self._client.create(decode_object(resource.type, plain))

    async def wait_for(
        self,
        type_: type[O],
        name: str,
        until: Callable[[O], bool] = lambda _: True,
        *,
        namespace: str = "default",
        timeout_s: float = WAIT_TIMEOUT_S,
    ) -> O:
        """The object, once it exists and `until` holds of it. Raises: TimeoutError that says what was waited for."""
        where = namespace if self._registry.scheme.of(type_).namespaced else ""
        with anyio.move_on_after(timeout_s):
            while True:
                found = self.view.get(type_, name, where)
                if found is not None and until(found):
                    return found
                await self._informers[type_].changed()
        state = "is not there" if self.view.get(type_, name, where) is None else "is not as wanted"
        raise TimeoutError(f"{type_.kind} {where + '/' if where else ''}{name} {state} after {timeout_s:g} s")

    async def __aenter__(self) -> Self:
        try:
            async with AsyncExitStack() as stack:
                await self._start(stack)
                self._stack = stack.pop_all()
        except BaseExceptionGroup as group:
            raise _first(group) from None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        try:
            return await self._stack.__aexit__(kind, error, trace)
        except BaseExceptionGroup as group:
            if (first := _first(group)) is error:
                return False  # the body's own, without the wrapping of the task groups around it
            raise first from group

    # -- putting it together -------------------------------------------------------------------------------------------

    async def _start(self, stack: AsyncExitStack) -> None:
        config = self.config
        if config.runtime == "docker":
            await _require_engine(config)
        data = self._data_dir(stack)
        store = await stack.enter_async_context(_open_store(config, data, self.clock))
        self._registry = ObjectRegistry(
            store,
            self.clock,
            admission=Admission(standard_plugins()),
            allocator=ServiceAllocator(self.clock, cidr=config.service_cidr),
        )
        self._client = LocalClient(self._registry)
        group = await stack.enter_async_context(anyio.create_task_group())
        stack.callback(group.cancel_scope.cancel)
        try:
            await group.start(Supervisor("cluster", self._stages(data), self.clock).run)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            address = f"{config.bind_address}:{config.secure_port}"
            raise HostProblem(
                f"{address} is taken by another process: choose another port with --secure-port"
            ) from error
        if self._serve:
            self._announce(data)

    def _data_dir(self, stack: AsyncExitStack) -> DataDir | None:
        """The directory of this run; a temporary one for an embedded cluster that needs files."""
        config = self.config
        if not self._embedded:
            return stack.enter_context(DataDir(Path(config.data_dir)))
        if self._serve or config.store != "memory" or config.runtime == "docker":
            return stack.enter_context(DataDir(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        return None

    def _stages(self, data: DataDir | None) -> list[Stage]:
        config, clock = self.config, self.clock
        recorder = Recorder(self._client, clock)
        controllers = (*standard(), Scheduler())
        watched = (kind for each in controllers for kind in (*(watch.type for watch in each.watches), *each.reads))
        indexes = {**NODE_INDEX, **CONTROLLER_INDEXES, **SCHEDULER_INDEXES}
        self._informers = Informers(self._client, (*NODE_KINDS, *SERVICE_KINDS, *watched), clock, indexes=indexes)
        parts = NodeParts(client=self._client, informers=self._informers, recorder=recorder, clock=clock)
        if config.runtime == "docker":
            from kubelite.docker_node import docker_node

            assert data is not None
            nodes = docker_node(config, parts, data)
        else:
            nodes = simulated_nodes(config, parts)
        self._streams = {name: kubelet.streams for name, kubelet in nodes.kubelets.items()}
        hosts = [Host(each, self._client, self._informers, recorder, clock) for each in controllers]
        return [
            *self._serving(data),
            Stage((self._informers, recorder, *nodes.network)),
            Stage((*hosts, *nodes.services)),
            Stage(tuple(nodes.kubelets.values())),
        ]

    def _serving(self, data: DataDir | None) -> list[Stage]:
        """The API's socket, and what a cluster has from the beginning."""
        if not self._serve:
            return [Stage((_Beginning(self._registry, self.config, port=lambda: API_PORT),))]
        from kubelite.apiserver.authn import Authenticator
        from kubelite.apiserver.authz import RbacAuthorizer
        from kubelite.apiserver.certs import Pki
        from kubelite.apiserver.http import ApiServer

        assert data is not None
        config = self.config
        self._pki = Pki(data.pki)
        self._pki.ensure(_own_names(config), self.clock.now())
        authorizer = RbacAuthorizer(self._registry)
        server = ApiServer(
            self._registry,
            Authenticator(),
            authorizer,
            self._streams.get,
            self.clock,
            ssl_context=self._pki.server_context(),
            bind_address=config.bind_address,
            port=config.secure_port,
        )
        self._server = server
        beginning = _Beginning(self._registry, config, port=lambda: server.port)
        return [Stage((server,)), Stage((beginning, authorizer))]

    def _announce(self, data: DataDir | None) -> None:
        """Writes the kubeconfig: from now on others may come."""
        from kubelite.apiserver.kubeconfig import write_kubeconfig

        assert data is not None
        host = (
            "127.0.0.1" if ipaddress.ip_address(self.config.bind_address).is_unspecified else self.config.bind_address
        )
        self.server = f"https://{host}:{self._server.port}"
        self.kubeconfig = data.path / "admin.kubeconfig" if self._embedded else self.config.kubeconfig_path
        write_kubeconfig(self.kubeconfig, self.server, data.pki)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first failure, out of its groups: the others followed from it."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


class _Beginning:
    """Makes the objects that a cluster has from the beginning; they follow the API's port of this run."""

    name = "beginning"

    def __init__(self, registry: ObjectRegistry, config: Config, *, port: Callable[[], int]) -> None:
        self._registry = registry
        self._config = config
        self._port = port

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        config = self._config
        first_ip = str(ipaddress.ip_network(config.service_cidr).network_address + 1)
        await bootstrap(self._registry, service_ip=first_ip, address=_api_address(config), port=self._port())
        if config.runtime == "docker":
            from kubelite.docker_node import DNS_PORT, dns_address, gateway

            await bootstrap_dns(self._registry, service_ip=dns_address(config), address=gateway(config), port=DNS_PORT)
        task_status.started()
        await anyio.sleep_forever()


def _api_address(config: Config) -> str:
    """Where pods reach the API server: what it is bound to, or the node's gateway address."""
    bound = ipaddress.ip_address(config.bind_address)
    if bound.is_unspecified or bound.is_loopback:
        return str(ipaddress.ip_network(config.pod_cidr).network_address + 1)
    return config.bind_address


def _own_names(config: Config) -> tuple[str, ...]:
    """The names and addresses, besides the usual ones, under which the API server is reached."""
    service_ip = str(ipaddress.ip_network(config.service_cidr).network_address + 1)
    return (socket.gethostname().lower(), config.bind_address, service_ip, _api_address(config))


async def _require_engine(config: Config) -> None:
    """Raises: HostProblem when pods cannot be real containers here."""
    from kubelite.kubelet.engine import EngineMissing, engine_problem, install_engine

    if config.install_engine:
        try:
            await install_engine(config.docker_socket, say=lambda line: print(line, file=sys.stderr))  # noqa: T201
        except EngineMissing as error:
            raise HostProblem(str(error)) from error
    elif problem := engine_problem(config.docker_socket):
        raise HostProblem(problem)


@asynccontextmanager
async def _open_store(config: Config, data: DataDir | None, clock: Clock) -> AsyncIterator[Store]:
    """Raises: HostProblem when the store is damaged or does not answer."""
    if config.store == "memory":
        async with MemoryStore(clock) as store:
            yield store
        return
    from kubelite.store.sqlite import SqliteStore

    assert data is not None
    async with AsyncExitStack() as stack:
        try:
            opened = await stack.enter_async_context(SqliteStore(data.store, clock))
        except StoreError as error:
            raise HostProblem(str(error)) from error
        yield opened
