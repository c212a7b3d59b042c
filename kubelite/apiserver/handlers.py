"""A request's way: who asks, whether it may, and which handler answers.

Errors become Status answers here, in the form the client accepts. The order is upstream's: authentication, impersonation,
authorization, and only then whether the resource exists and takes the method.
Source: k8s.io/apiserver pkg/server/config.go DefaultBuildHandlerChain
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

from kubelite.actor.clock import Clock
from kubelite.api.custom import CustomObject
from kubelite.api.errors import NotAcceptable, StatusError
from kubelite.api.query import first
from kubelite.api.scheme import Resource
from kubelite.apiserver import media
from kubelite.apiserver.aggregation import Aggregation
from kubelite.apiserver.answers import TEXT, Answer, Call, Outcome, Request, answer_error
from kubelite.apiserver.authn import Authenticator, BadImpersonation, impersonate
from kubelite.apiserver.authz import Authorizer, attributes_of, forbidden
from kubelite.apiserver.discovery import Discovery
from kubelite.apiserver.handlers_aggregated import AggregatedHandlers, remote_groups
from kubelite.apiserver.handlers_objects import ObjectHandlers
from kubelite.apiserver.handlers_paths import PathHandlers
from kubelite.apiserver.handlers_reviews import ReviewHandlers
from kubelite.apiserver.handlers_streams import StreamHandlers
from kubelite.apiserver.health import Health
from kubelite.apiserver.interface import Registry
from kubelite.apiserver.openapi import OpenApi
from kubelite.apiserver.request import RequestInfo, method_not_allowed, not_found, parse_request
from kubelite.apiserver.traffic import Flight, Traffic, is_long, labels_of
from kubelite.client.streams import PodStreams

if TYPE_CHECKING:
    from kubelite.apiserver.audit import AuditLog, Record
    from kubelite.apiserver.handlers_proxy import ProxyHandlers

#: The methods of each subresource, as verbs. Source: the API reference of Kubernetes v1.33
_STATE = frozenset({"get", "update", "patch"})
_SUBRESOURCE_VERBS = {
    "status": _STATE,
    "scale": _STATE,
    "ephemeralcontainers": _STATE,
    "resize": _STATE,
    "approval": _STATE,
    "binding": frozenset({"create"}),
    "eviction": frozenset({"create"}),
    "token": frozenset({"create"}),
    "finalize": frozenset({"update"}),
    "log": frozenset({"get"}),
    "exec": frozenset({"get", "create"}),
    "attach": frozenset({"get", "create"}),
    "portforward": frozenset({"get", "create"}),
    "proxy": frozenset({"get", "create", "update", "patch", "delete", ""}),  # OPTIONS is no verb
}
_STREAMS = frozenset({"log", "exec", "attach", "portforward"})
_REVIEW_GROUPS = frozenset({"authentication.k8s.io", "authorization.k8s.io"})
#: Source: k8s.io/api core/v1/lifecycle.go
_DEPRECATED = {
    ("", "ComponentStatus"): "v1 ComponentStatus is deprecated in v1.19+",
    ("", "Endpoints"): "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
}
_TOO_MANY = b"Too many requests, please try again later.\n"
T = TypeVar("T")
#: Gives the streams of the pods of a node.
Streams = Callable[[str], PodStreams | None]


class Handlers:
    """Answers every request. `handle` never raises a StatusError."""

    def __init__(
        self,
        registry: Registry,
        authenticator: Authenticator,
        authorizer: Authorizer,
        streams: Streams,
        clock: Clock,
        *,
        kubelet_context: Callable[[], ssl.SSLContext | None] = lambda: None,
        aggregation: Aggregation | None = None,
        audit: AuditLog | None = None,
    ) -> None:
        self.health = Health()
        self._traffic = Traffic(clock)
        self._registry = registry
        self._authenticator = authenticator
        self._authorizer = authorizer
        self._audit = audit
        self._aggregated = AggregatedHandlers(aggregation) if aggregation else None
        remotes = partial(remote_groups, aggregation)
        discovery = Discovery(lambda: registry.scheme, remotes)
        self._paths = PathHandlers(
            discovery,
            OpenApi(lambda: registry.scheme, remotes),
            self.health,
            authenticator.service_accounts,
            self._traffic,
            registry,
        )
        self._objects = ObjectHandlers(registry, clock)
        self._reviews = ReviewHandlers(authenticator, authorizer)
        self._streams = StreamHandlers(registry, streams, clock)
        self._kubelet_context = kubelet_context
        self._clock = clock
        self._proxies: ProxyHandlers | None = None

    async def handle(self, request: Request, carry_out: Callable[[Outcome], Awaitable[T]]) -> T:
        """Answers through `carry_out`, which returns when the answer is given or its stream has ended."""
        if self._audit is None:
            return await self._answered(request, carry_out, None)
        with self._audit.record(request) as record:
            return await self._answered(request, carry_out, record)

    async def _answered(
        self, request: Request, carry_out: Callable[[Outcome], Awaitable[T]], record: Record | None
    ) -> T:
        try:
            info = parse_request(request.method, request.path, request.query)
        except StatusError as error:
            return await carry_out(answer_error(error, self._error_media(request)))
        labels = labels_of(info, request.query, self._registry.scheme, request.headers.get("Content-Type", ""))
        with self._traffic.carry(labels, is_long=is_long(info)) as flight:
            try:
                outcome = await self._handle(request, info, flight, record)
            except StatusError as error:
                outcome = answer_error(error, self._error_media(request))
            flight.code = outcome.code if isinstance(outcome, Answer) else 200
            return await (carry_out(outcome) if record is None else record.carry_out(outcome, carry_out))

    def _error_media(self, request: Request) -> media.Media:
        """Errors are said in plain words where a transformed or unknown form was asked for."""
        try:
            form = media.negotiate(request.headers.get("Accept", ""))
        except NotAcceptable:
            return media.Media()
        return media.Media(form.type)

    async def _handle(self, request: Request, info: RequestInfo, flight: Flight, record: Record | None) -> Outcome:
        if record is not None:
            record.unknown(info)
        user = await self._authenticator.authenticate(request)
        if record is not None:
            request = record.received(user, info)
        try:
            user = await impersonate(user, request.headers, self._authorizer)
        except BadImpersonation as error:
            text = f'Internal Server Error: "{request.path}": {error}\n'
            return Answer(code=500, body=text.encode(), type=TEXT)
        if record is not None:
            record.impersonated(user)
        if self._traffic.is_full(flight, user):
            return Answer(code=429, body=_TOO_MANY, type=TEXT, headers={"Retry-After": "1"})
        asked = attributes_of(user, info, first(request.query, "fieldSelector"))
        decision = await self._authorizer.authorize(asked)
        if record is not None:
            record.decided(decision)
        if not decision.allowed:
            raise forbidden(asked, decision.reason)
        call = Call(request=request, info=info, user=user, annotations=record.annotations if record else None)
        if self._aggregated is not None and (remote := self._aggregated.find(info.path)) is not None:
            return await self._aggregated.answer(call, remote)
        if not info.is_resource:
            return await self._paths.answer(call)
        return await self._resource(call)

    def _proxy(self) -> ProxyHandlers:
        """Loaded with the first request for it."""
        if self._proxies is None:
            from kubelite.apiserver.handlers_proxy import ProxyHandlers
            from kubelite.apiserver.proxy_target import Targets

            self._proxies = ProxyHandlers(Targets(self._registry, self._clock.randrange, self._kubelet_context))
        return self._proxies

    async def _resource(self, call: Call) -> Outcome:
        info = call.info
        try:
            resource = self._registry.scheme.resource(info.group, info.version, info.resource)
        except KeyError:
            if not any(entry.group == info.group for entry in self._registry.scheme):
                return Answer(code=404, body=b"404 page not found\n", type=TEXT)
            raise not_found() from None
        _check_route(resource, info)
        if info.subresource in _STREAMS:
            return await self._streams.answer(call)
        if info.subresource == "proxy":
            return await self._proxy().answer(call)
        if resource.group in _REVIEW_GROUPS:
            return await self._reviews.answer(call, resource)
        outcome = await self._objects.answer(call, resource)
        if isinstance(outcome, Answer) and (warning := _warning(resource)):
            return replace(outcome, warnings=(warning, *outcome.warnings))
        return outcome


def _warning(resource: Resource) -> str:
    """What everybody who uses the kind is told."""
    if issubclass(resource.type, CustomObject):
        return resource.type.definition.warning
    return _DEPRECATED.get((resource.group, resource.kind), "")


def _check_route(resource: Resource, info: RequestInfo) -> None:
    """Raises: NotFound, MethodNotAllowed."""
    namespaces = resource.plural == "namespaces"
    if (info.namespace and not resource.namespaced and not namespaces) or not resource.served:
        raise not_found()
    if info.rest and info.subresource != "proxy":
        raise not_found()
    if info.subresource:
        if info.subresource not in resource.subresources:
            raise not_found()
        if info.verb not in _SUBRESOURCE_VERBS.get(info.subresource, ()):
            raise method_not_allowed()
        return
    if resource.namespaced and not info.namespace and info.named_by_path:
        raise not_found()
    needs_name = info.verb in ("update", "patch", "delete")
    may_have_name = needs_name or info.verb == "get"
    all_namespaces = resource.namespaced and not info.namespace and info.verb not in ("list", "watch")
    wrong_name = info.named_by_path != may_have_name and (needs_name or info.named_by_path)
    if all_namespaces and resource.type.items_have_kind:
        raise not_found()
    if info.verb not in resource.verbs or all_namespaces or (wrong_name and not _names_watch(info)):
        raise method_not_allowed()


def _names_watch(info: RequestInfo) -> bool:
    """The old form /watch/.../{name}."""
    return info.verb == "watch" and info.named_by_path
