"""Follows the APIServices: keeps those of the groups that are served here, and asks the servers behind the others.

Each server behind a Service is asked when something about it changes, and again every half minute, since its health is no
object that could be watched; what it serves is kept for discovery. `api.apiservices` decides what can be told without asking.
Source: k8s.io/kube-aggregator v0.33 pkg/controllers/{autoregister,status/remote}, pkg/apiserver/handler_discovery.go
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

import anyio
import msgspec
from anyio.abc import TaskGroup, TaskStatus
from msgspec.structs import replace

from kubelite.actor.clock import Clock
from kubelite.actor.log import get_logger
from kubelite.api import apiservices, core_v1 as core, errors
from kubelite.api.apiregistration_v1 import APIService
from kubelite.api.meta import DeleteOptions, ObjectMeta
from kubelite.api.timestamp import rfc3339
from kubelite.apiserver.aggregation_discovery import from_list, parse_document, user_headers
from kubelite.apiserver.interface import Change, Context, ListParams, User
from kubelite.apiserver.registry import ObjectRegistry
from kubelite.apiserver.relay import Connect, Outgoing, Unreachable, connect_tcp, exchange

#: Source: kube-aggregator's resync period, and the timeout of its discovery client
_AGAIN_S, _ANSWER_S = 30.0, 5.0
_MAX_DOCUMENT_BYTES = 4 * 1024 * 1024
_V2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_V2BETA1 = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
_ASKER = User(name="system:kube-aggregator", groups=("system:masters",))
_CONTEXT = Context(user=User(name="system:apiserver", groups=("system:masters",)), cause="aggregation")

_log = get_logger(__name__)
#: TLS as the front proxy, towards who is trusted: PEM text, or None for anybody.
FrontProxy = Callable[[str | None], ssl.SSLContext]
GroupVersion = tuple[str, str]


class Remote(msgspec.Struct):
    """A group version that another server serves: its APIService, and what its discovery said last."""

    service: APIService
    changed: anyio.Event
    scope: anyio.CancelScope
    document: dict[str, Any] | None = None  #: an APIVersionDiscovery
    openapi: str = ""  #: where its OpenAPI v3 document is, if it has one


class Aggregation:
    """An actor, and the sink of its own watches. `remotes` are the group versions of other servers."""

    name = "aggregation"

    def __init__(
        self, registry: ObjectRegistry, clock: Clock, front_proxy: FrontProxy, *, client_ca: str, front_proxy_ca: str
    ) -> None:
        self.remotes: dict[GroupVersion, Remote] = {}
        self._registry = registry
        self._clock = clock
        self._front_proxy = front_proxy
        self._resource = registry.scheme.of(APIService)
        self._trust = {
            "client-ca-file": client_ca,
            "requestheader-client-ca-file": front_proxy_ca,
            "requestheader-allowed-names": '["front-proxy-client"]',
            "requestheader-username-headers": '["X-Remote-User"]',
            "requestheader-group-headers": '["X-Remote-Group"]',
            "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
        }
        self._services: dict[str, APIService] = {}
        self._woken = anyio.Event()
        self._error: Exception | None = None

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Raises: StatusError when a watch is lost; the supervisor starts again with the present state."""
        self._services, self._error, self.remotes = {}, None, {}
        self._woken = anyio.Event()
        registry = self._registry
        kinds = (APIService, core.Service, core.Endpoints)
        handles = [registry.watch(registry.scheme.of(kind), "", ListParams(), self) for kind in kinds]
        task_status.started()
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._publish_trust)
                tasks.start_soon(self._follow_scheme)
                while True:
                    await self._woken.wait()
                    self._woken = anyio.Event()
                    if self._error is not None:
                        raise self._error
                    self._decide(tasks)
        finally:
            for handle in handles:
                handle.close()

    def deliver(self, changes: Sequence[Change], revision: int) -> None:
        for change in changes:
            if change.entry.resource.type is not APIService and not self.remotes:
                continue  # nobody's server
            obj: Any = change.entry.object
            if not isinstance(obj, APIService):
                self._touch(obj.metadata.namespace, obj.metadata.name)
                continue
            if change.type == "DELETED":
                self._services.pop(obj.metadata.name, None)
            else:
                self._services[obj.metadata.name] = obj
            self._woken.set()

    def lost(self, error: Exception) -> None:
        self._error = error
        self._woken.set()

    def _touch(self, namespace: str, name: str) -> None:
        for remote in self.remotes.values():
            ref = remote.service.spec.service
            if ref is not None and (ref.namespace, ref.name) == (namespace, name):
                remote.changed.set()

    def _decide(self, tasks: TaskGroup) -> None:
        wanted = {(each.spec.group, each.spec.version): each for each in self._services.values() if each.spec.service}
        for place in [place for place in self.remotes if place not in wanted]:
            self.remotes.pop(place).scope.cancel()
        for place, service in wanted.items():
            if (known := self.remotes.get(place)) is None:
                self.remotes[place] = remote = Remote(service, anyio.Event(), anyio.CancelScope())
                tasks.start_soon(self._keep, remote)
            elif known.service != service:
                if known.service.spec != service.spec:
                    known.changed.set()
                known.service = service

    async def _publish_trust(self) -> None:
        """What a server behind this one has to know to believe it.

        Source: kubernetes pkg/controlplane/controller/clusterauthenticationtrust
        """
        resource = self._registry.scheme.of(core.ConfigMap)
        meta = ObjectMeta(name="extension-apiserver-authentication", namespace="kube-system")
        found = await self._registry.find(core.ConfigMap, meta.name, meta.namespace)
        if found is None:
            wanted = core.ConfigMap(metadata=meta, data=self._trust)
            await self._quietly(self._registry.create(resource, meta.namespace, wanted, _CONTEXT))
        elif {**found.data, **self._trust} != found.data:
            data = {**found.data, **self._trust}
            await self._registry.modify(
                resource, meta.name, meta.namespace, lambda old: replace(old, data=data), _CONTEXT
            )

    # -- what is served here -------------------------------------------------------------------------------------------

    async def _follow_scheme(self) -> None:
        while True:
            scheme = self._registry.scheme
            await self._keep_local()
            if self._registry.scheme is scheme:
                await self._registry.scheme_changed()

    async def _keep_local(self) -> None:
        served = {(each.group, each.version) for each in self._registry.scheme if each.served}
        served.discard((apiservices.OWN_GROUP, "v1"))
        page = await self._registry.list(self._resource, "", ListParams())
        present = {entry.object.metadata.name: entry.object for entry in page.entries}
        for group, version in sorted(served):
            if f"{version}.{group}" not in present:
                service = apiservices.local_service(group, version)
                await self._quietly(self._registry.create(self._resource, "", service, _CONTEXT))
        for name, service in present.items():
            is_gone = (service.spec.group, service.spec.version) not in served
            if is_gone and apiservices.is_managed(service) and service.spec.service is None:
                await self._quietly(self._registry.delete(self._resource, name, "", DeleteOptions(), _CONTEXT))

    async def _quietly(self, write: Awaitable[Any]) -> None:
        with suppress(errors.AlreadyExists, errors.NotFound, errors.Conflict):  # somebody else was faster
            await write

    # -- the servers behind --------------------------------------------------------------------------------------------

    async def _keep(self, remote: Remote) -> None:
        """Until its APIService is gone."""
        with remote.scope:
            while True:
                remote.changed = anyio.Event()
                found = await self._judge(remote)
                await self._tell(remote, found)
                with anyio.move_on_after(_AGAIN_S):
                    await remote.changed.wait()

    async def _judge(self, remote: Remote) -> Any:
        ref = remote.service.spec.service
        assert ref is not None
        service = await self._registry.find(core.Service, ref.name, ref.namespace)
        endpoints = await self._registry.find(core.Endpoints, ref.name, ref.namespace)
        if (missing := apiservices.what_is_missing(remote.service, service, endpoints)) is not None:
            return missing
        spec = remote.service.spec
        path = url = f"/apis/{spec.group}/{spec.version}"
        try:
            host, _ = await self.resolve(remote.service)
            url = f"https://{host}{path}"
            with anyio.fail_after(_ANSWER_S):
                code, listed = await self._ask(remote.service, path, "application/json")
                if not 200 <= code < 300:
                    why = f"failing or missing response from {url}: bad status from {url}: {code}"
                    return apiservices.condition("False", "FailedDiscoveryCheck", why)
                await self._discover(remote, listed)
        except TimeoutError:
            why = f'failing or missing response from {url}: Get "{url}": context deadline exceeded'
            return apiservices.condition("False", "FailedDiscoveryCheck", why)
        except errors.StatusError as error:
            return apiservices.condition("False", "FailedDiscoveryCheck", error.message)
        except Unreachable as error:
            why = f'failing or missing response from {url}: Get "{url}": {error}'
            return apiservices.condition("False", "FailedDiscoveryCheck", why)
        return apiservices.condition("True", "Passed", "all checks passed")

    async def _tell(self, remote: Remote, found: Any) -> None:
        def change(service: APIService) -> APIService:
            return apiservices.set_condition(service, found, rfc3339(self._clock.now()))

        before = apiservices.find_condition(remote.service)
        if before is not None and (before.status, before.reason, before.message) == (
            found.status,
            found.reason,
            found.message,
        ):
            return
        try:
            await self._registry.modify(self._resource, remote.service.metadata.name, "", change, _CONTEXT)
        except errors.StatusError as error:
            _log.debug("Could not tell availability", name=remote.service.metadata.name, error=str(error))

    async def _discover(self, remote: Remote, listed: bytes) -> None:
        """Keeps what the server says it serves: by the aggregated document, or by the list of its resources."""
        spec, document = remote.service.spec, None
        code, body = await self._ask(remote.service, "/apis", f"{_V2},{_V2BETA1}")
        told = parse_document(body) if code == 200 else {}
        for group in told.get("items") or () if told.get("kind") == "APIGroupDiscoveryList" else ():
            if (group.get("metadata") or {}).get("name") == spec.group:
                document = next(
                    (each for each in group.get("versions") or () if each.get("version") == spec.version), None
                )
        if document is None:
            document = from_list(parse_document(listed), spec.group, spec.version)
        remote.document = document
        code, body = await self._ask(remote.service, "/openapi/v3", "application/json")
        paths = parse_document(body).get("paths") if code == 200 else None
        place = paths.get(f"apis/{spec.group}/{spec.version}") if isinstance(paths, dict) else None
        remote.openapi = str(place.get("serverRelativeURL", "")) if isinstance(place, dict) else ""

    async def _ask(self, service: APIService, path: str, accept: str) -> tuple[int, bytes]:
        """Raises: Unreachable, StatusError."""
        host, connect = await self.resolve(service, verified=False)
        headers = [("Host", host), ("Accept", accept), ("User-Agent", "kubelite"), *user_headers(_ASKER)]
        body = bytearray()
        async with exchange(connect, Outgoing(method="GET", target=path, headers=headers)) as found:
            async for piece in found.chunks:
                body += piece
                if len(body) > _MAX_DOCUMENT_BYTES:
                    raise Unreachable("the discovery document is too large")
        return found.code, bytes(body)

    async def resolve(self, service: APIService, *, verified: bool = True) -> tuple[str, Connect]:
        """(host and port, how to connect to one of the service's endpoints). Raises: ServiceUnavailable."""
        ref, spec = service.spec.service, service.spec
        assert ref is not None
        found = await self._registry.find(core.Service, ref.name, ref.namespace)
        if found is None:
            raise errors.ServiceUnavailable(f'service "{ref.name}" not found')
        if found.spec.type == "ExternalName":
            places = [(found.spec.external_name, ref.port or 443)]
        else:
            endpoints = await self._registry.find(core.Endpoints, ref.name, ref.namespace)
            names = [each.name for each in found.spec.ports if each.port == ref.port]
            places = apiservices.addresses_of(endpoints, names[0]) if endpoints is not None and names else []
        if not places:
            raise errors.ServiceUnavailable(f'no endpoints available for service "{ref.name}"')
        host, port = places[self._clock.randrange(len(places))]
        trusted = (
            spec.ca_bundle.decode() if verified and not spec.insecure_skip_tls_verify else None
        )  # "": the system's
        context = self._front_proxy(trusted)
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return where, connect_tcp(host, port, context, f"{ref.name}.{ref.namespace}.svc")
