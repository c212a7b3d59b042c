"""A cluster that runs: the front of the composition root (`api_assembly` and `components` are what it puts together).

Order of start (stop is the reverse): the data directory; the store; the API and what a cluster has from the beginning; what
lives off the API. What the host lacks, or a data directory that is in use, is a `HostProblem` of one line, raised before
anything was changed.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import anyio
import msgspec

from kubelite.actor.clock import Clock, SystemClock
from kubelite.actor.supervisor import Supervisor
from kubelite.config import Config, check
from kubelite.data_dir import DataDir, HostProblem
from kubelite.store_assembly import enter_store, make_store

if TYPE_CHECKING:
    from kubelite.api.meta import Object
    from kubelite.api.scheme import Resource, Scheme
    from kubelite.api_assembly import Api
    from kubelite.client.interface import Client
    from kubelite.client.view import View
    from kubelite.components import Components

O = TypeVar("O", bound="Object")  # noqa: E741

__all__ = ["Cluster", "HostProblem"]

#: What `Cluster()` is without a configuration: nothing outside the process.
EMBEDDED = Config(store="memory", runtime="simulated", bind_address="127.0.0.1", secure_port=0, kubelet_port=-1)
WAIT_TIMEOUT_S = 60.0


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
        self._api: Api
        self._components: Components

    @property
    def client(self) -> Client:
        """Typed access to the API with all rights."""
        return self._api.client

    @property
    def view(self) -> View:
        """The shared, indexed, always current picture that the controllers decide on."""
        return self._components.informers.view

    @property
    def scheme(self) -> Scheme:
        """What is served just now; a custom kind's class is `scheme.kind(group, version, kind).type`."""
        return self._api.registry.scheme

    async def apply(self, manifest: str | Path, namespace: str = "default") -> list[Object]:
        """Applies a file, or the text of one, as `kubectl apply --server-side` does; returns the objects as stored.

        Custom kinds that it defines are served when it returns.

        Raises: StatusError, OSError.
        """
        from kubelite.api.manifest import parse_manifest, read_manifest, resource_of

        text = manifest if isinstance(manifest, str) and "\n" in manifest else Path(manifest).read_text()  # noqa: ASYNC240  small, and a thread would outlive the cluster
        scheme = self.scheme
        parse_manifest(text, scheme)  # all of it is readable before any of it is applied
        applied = [await self._apply(resource_of(plain, scheme), plain, namespace) for plain in read_manifest(text)]
        for obj in applied:
            if obj.kind == "CustomResourceDefinition":
                await self._served(obj)
        return applied

    async def _served(self, definition: Object) -> None:
        """Waits until a custom kind can be used, or its names are refused."""
        meta = definition.metadata
        selector = f"metadata.name={meta.name}"
        async with self.client.watch(type(definition), resource_version="0", field_selector=selector) as batches:
            async for batch in batches:
                status: Any = getattr(batch[-1].object, "status", None)
                known = {item.type: item.status for item in status.conditions}
                if known.get("Established") == "True" or known.get("NamesAccepted") == "False":
                    return

    async def _apply(self, resource: Resource, plain: dict[str, Any], namespace: str) -> Object:
        meta = plain["metadata"]
        where = meta.get("namespace", namespace) if resource.namespaced else ""
        return await self.client.patch(
            resource.type, meta["name"], where, patch=plain, patch_type="apply", field_manager="kubelite", force=True
        )

    async def wait_for(
        self,
        type_: type[O],
        name: str,
        until: Callable[[O], bool] = lambda _: True,
        *,
        namespace: str = "default",
        timeout_s: float = WAIT_TIMEOUT_S,
    ) -> O:
        """The object, once it exists and `until` holds of it. Of a custom kind only the version that is stored is followed.

        Raises: TimeoutError that says what was waited for.
        """
        where = namespace if self._api.registry.scheme.of(type_).namespaced else ""
        with anyio.move_on_after(timeout_s):
            while True:
                informer = await self._components.informers.of(type_)
                found = self.view.get(type_, name, where)
                if found is not None and until(found):
                    return found
                await informer.changed()
        state = "is not there" if self.view.get(type_, name, where) is None else "is not as wanted"
        raise TimeoutError(f"{type_.kind} {where + '/' if where else ''}{name} {state} after {timeout_s:g} s")

    async def stop_node(self, name: str) -> None:
        """The node falls silent, as if its machine had lost power. Raises: KeyError when there is none of that name."""
        await self._components.supervisor.stop_actor(f"kubelet/{name}")

    async def shut_down_nodes(self) -> None:
        """Every node ends its pods within `shutdownGracePeriod` and is not ready any more, as when its machine goes down."""
        async with anyio.create_task_group() as group:
            for kubelet in self._components.kubelets.values():
                group.start_soon(kubelet.shut_down)

    async def why(self, what: str, namespace: str = "default") -> str:
        """How `kind/name` came to be as it is: who changed what, and what made them; see `kubelite.why`.

        Raises: ValueError for an unknown kind and for an object without retained history; StoreError.
        """
        from kubelite.store.history import retained, source_of
        from kubelite.store.local import LocalStore
        from kubelite.why import explain, key_of, told

        store = self._api.registry.store
        events = store.contents()[1] if isinstance(store, LocalStore) else await retained(store)
        key = key_of(what, namespace, self._api.registry.scheme)
        return "\n".join(told(await explain(source_of(events), key)))

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
        if config.uses_host and config.runs("kubelet"):
            await _require_engine(config)
        data = self._data_dir(stack)
        store = make_store(config, data, self.clock)
        # Only now: loading the rooms takes a while, in which the store's process starts.
        from kubelite.api_assembly import Api

        opened = await enter_store(stack, store, data, embedded=self._embedded)
        self._api = Api(config, opened, self.clock, data, serve=self._serve)
        with _port(f"{config.bind_address}:{config.secure_port}", "--secure-port"):
            await _supervise(stack, self._api.supervisor())
        from kubelite.components import Components

        api = self._api
        self._components = Components(
            config, api.client, api.registry, self.clock, data, root_ca=api.root_ca, authority=api.authority
        )
        self._api.streams.update(self._components.streams)
        if self._serve and self._components.meters:
            self._api.serve_metrics(self._components.meters)
        with _port(f"the kubelet's port {config.kubelet_port}", "--kubelet-port"):
            await _supervise(stack, self._components.supervisor)
        if self._serve:
            assert data is not None
            self.kubeconfig = data.path / "admin.kubeconfig" if self._embedded else config.kubeconfig_path
            self.server = self._api.write_kubeconfig(self.kubeconfig)

    def _data_dir(self, stack: AsyncExitStack) -> DataDir | None:
        """The directory of this run; a temporary one for an embedded cluster that needs files."""
        config = self.config
        if not self._embedded:
            return stack.enter_context(DataDir(Path(config.data_dir)))
        if self._serve or config.store != "memory" or config.uses_host:
            import tempfile

            return stack.enter_context(DataDir(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        return None


@contextmanager
def _port(what: str, setting: str) -> Iterator[None]:
    """Raises: HostProblem when a socket is another process's."""
    try:
        yield
    except (OSError, BaseExceptionGroup) as error:
        first = _first(error) if isinstance(error, BaseExceptionGroup) else error
        if not isinstance(first, OSError) or first.errno != errno.EADDRINUSE:
            raise
        raise HostProblem(f"{what} is taken by another process: choose another port with {setting}") from error


async def _supervise(stack: AsyncExitStack, supervisor: Supervisor) -> None:
    """Runs it until the stack is left; returns when it has started."""
    group = await stack.enter_async_context(anyio.create_task_group())
    stack.callback(group.cancel_scope.cancel)
    await group.start(supervisor.run)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first failure, out of its groups: the others followed from it."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


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
