"""Who may do what: the question as a value, the answer, and the actor that answers by RBAC (and for nodes by what they run).

`RbacAuthorizer` keeps `rbac.Rules` current by watching roles and bindings, and makes the default ones that are missing when it
starts. system:masters may do everything, before any rule is read.
Source: k8s.io/apiserver pkg/endpoints/filters/authorization.go, pkg/endpoints/handlers/responsewriters/errors.go
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import anyio
import msgspec
from anyio.abc import TaskStatus

from kubelite.actor.log import get_logger
from kubelite.api import errors, rbac_v1 as rbac
from kubelite.api.core_v1 import Namespace
from kubelite.api.meta import Object, ObjectMeta, StatusDetails
from kubelite.apiserver.admission_nodes import NODES, node_of
from kubelite.apiserver.interface import Change, Context, ListParams, Registry, User, WatchHandle
from kubelite.apiserver.rbac import Rules
from kubelite.apiserver.rbac_defaults import default_objects
from kubelite.apiserver.rbac_reconcile import reconciled
from kubelite.apiserver.request import RequestInfo

MASTERS = "system:masters"
_KINDS: tuple[type[Object], ...] = (rbac.ClusterRole, rbac.ClusterRoleBinding, rbac.Role, rbac.RoleBinding)
_CONTEXT = Context(user=User(name="system:apiserver", groups=(MASTERS,)), cause="default RBAC objects")
_log = get_logger(__name__)


class Attributes(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked. Without a `resource` it is about a path."""

    user: User
    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    field_selector: str = ""

    @property
    def full_resource(self) -> str:
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


class Decision(msgspec.Struct, frozen=True):
    allowed: bool
    reason: str = ""


class Held(msgspec.Struct, frozen=True):
    """The rules that apply to a user; `problem` says why they may not be all."""

    rules: Sequence[rbac.PolicyRule]
    problem: str = ""


class Authorizer(Protocol):
    async def authorize(self, attributes: Attributes) -> Decision: ...
    def rules_for(self, user: User, namespace: str) -> Held:
        """Everything that `user` may do in `namespace`, for SelfSubjectRulesReview."""


def attributes_of(user: User, info: RequestInfo, field_selector: str = "") -> Attributes:
    if not info.is_resource:
        return Attributes(user=user, verb=info.verb, path=info.path)
    return Attributes(
        user=user,
        verb=info.verb,
        group=info.group,
        version=info.version,
        resource=info.resource,
        subresource=info.subresource,
        namespace=info.namespace,
        name=info.name,
        field_selector=field_selector,
    )


def forbidden(attributes: Attributes, reason: str = "") -> errors.Forbidden:
    """
    >>> asked = Attributes(user=User(name="x"), verb="list", resource="pods", namespace="default")
    >>> forbidden(asked).message
    'pods is forbidden: User "x" cannot list resource "pods" in API group "" in the namespace "default"'
    """
    user = f'User "{attributes.user.name}" cannot {attributes.verb}'
    if not attributes.resource:
        message = f'forbidden: {user} path "{attributes.path}"'
        return errors.Forbidden(f"{message}: {reason}" if reason else message, StatusDetails())
    where = f'in the namespace "{attributes.namespace}"' if attributes.namespace else "at the cluster scope"
    why = f'{user} resource "{attributes.full_resource}" in API group "{attributes.group}" {where}'
    return errors.forbidden(
        attributes.group, attributes.resource, attributes.name, f"{why}: {reason}" if reason else why
    )


class RbacAuthorizer:
    """Implements `Authorizer`, nodes by `NodeAuthorizer` first; an actor.

    It keeps `rules` current, which an `EscalationCheck` may share.
    """

    name = "rbac-authorizer"

    def __init__(self, registry: Registry, rules: Rules | None = None) -> None:
        self._registry = registry
        self._rules = rules or Rules()

    async def authorize(self, attributes: Attributes) -> Decision:
        user = attributes.user
        if MASTERS in user.groups:
            return Decision(True)
        reason = ""
        if NODES in user.groups and (node := node_of(user)) is not None:
            from kubelite.apiserver.node_authorizer import NodeAuthorizer

            decision = await NodeAuthorizer(self._registry).authorize(node, attributes)
            if decision.allowed:
                return decision
            reason = decision.reason
        allowed, why = self._rules.allow(attributes)
        return Decision(allowed, why or reason)

    def rules_for(self, user: User, namespace: str) -> Held:
        problem = "node authorizer does not support user rule resolution" if node_of(user) is not None else ""
        return Held([rule for _, rule in self._rules.visit(user, namespace)], problem)

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Raises: StatusError when a watch is lost; the supervisor starts again with the present state."""
        self._rules.clear()
        sinks = [_Sink(self._rules, type_) for type_ in _KINDS]
        handles: list[WatchHandle] = []
        try:
            for sink in sinks:
                resource = self._registry.scheme.of(sink.type)
                handles.append(self._registry.watch(resource, "", ListParams(), sink))
            for sink in sinks:
                await sink.synced.wait()
            await self._create_defaults()
            task_status.started()
            async with anyio.create_task_group() as tasks:
                for sink in sinks:
                    tasks.start_soon(sink.wait_until_lost)
        finally:
            for handle in handles:
                handle.close()

    async def _create_defaults(self) -> None:
        known = [(found, obj) for obj in default_objects() if (found := self._rules.like(obj)) is not None]
        for found, wanted in known:
            if (changed := reconciled(found, wanted)) is not None:
                await self._update(changed)
        missing = [obj for obj in default_objects() if self._rules.like(obj) is None]
        for name in sorted({obj.metadata.namespace for obj in missing} - {""}):  # roles come before everything else
            await self._create(Namespace(metadata=ObjectMeta(name=name)))
        async with anyio.create_task_group() as tasks:
            for obj in missing:
                tasks.start_soon(self._create, obj)
        if missing:
            _log.info("Created default roles and bindings", count=len(missing))

    async def _create(self, obj: Object) -> None:
        resource = self._registry.scheme.of(type(obj))
        try:
            await self._registry.create(resource, obj.metadata.namespace, obj, _CONTEXT)
        except errors.AlreadyExists:
            _log.debug("Left a default role alone", kind=obj.kind, name=obj.metadata.name)

    async def _update(self, obj: Object) -> None:
        meta, resource = obj.metadata, self._registry.scheme.of(type(obj))
        try:
            await self._registry.update(resource, meta.name, meta.namespace, obj, _CONTEXT)
            _log.info("Put back what was missing of a default role", kind=obj.kind, name=meta.name)
        except (errors.Conflict, errors.NotFound):
            _log.debug("Left a default role alone", kind=obj.kind, name=meta.name)


class _Sink:
    """One kind's watch into the rules."""

    def __init__(self, rules: Rules, type_: type[Object]) -> None:
        self.type = type_
        self.synced = anyio.Event()
        self._rules = rules
        self._lost = anyio.Event()
        self._error: Exception | None = None

    def deliver(self, changes: Sequence[Change], revision: int) -> None:
        for change in changes:
            self._rules.apply(change.entry.object, deleted=change.type == "DELETED")
        self.synced.set()

    def lost(self, error: Exception) -> None:
        self._error = error
        self.synced.set()
        self._lost.set()

    async def wait_until_lost(self) -> None:
        await self._lost.wait()
        raise self._error or ConnectionError("a watch of RBAC objects ended")
