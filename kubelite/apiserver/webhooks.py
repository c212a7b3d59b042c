"""Admission webhooks: those that change an object, one after the other, and those that judge it, all at once.

A webhook that cannot be asked fails the request or is passed over, as its configuration says.
Source: k8s.io/apiserver pkg/admission/plugin/webhook/{mutating,validating}/dispatcher.go, pkg/admission/plugin/webhook/errors
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import anyio
import msgspec

from kubelite.actor.clock import Clock
from kubelite.actor.log import get_logger
from kubelite.api import admissionregistration_v1 as registration, core_v1 as core, patch
from kubelite.api.codec import to_builtins
from kubelite.api.decode import decode_object
from kubelite.api.defaults import apply_defaults
from kubelite.api.errors import BadRequest, InternalError, StatusError, Unknown
from kubelite.api.meta import Object
from kubelite.api.scheme import Resource
from kubelite.apiserver.admission import Attributes, Cluster, Finder, Versions
from kubelite.apiserver.rbac import Rules
from kubelite.apiserver.webhook_client import CallFailed, Review, call_webhook
from kubelite.apiserver.webhook_match import Labels, Webhook, concerns

_log = get_logger(__name__)


class MutatingWebhooks:
    """Implements `admission.Plugin`."""

    def __init__(self, clock: Clock, rules: Rules | None = None) -> None:
        self._clock = clock
        self._rules = rules or Rules()

    async def admit(self, attributes: Attributes, obj: Any, old: Any, finder: Finder) -> Any:
        hooks = await _hooks(registration.MutatingWebhookConfiguration, finder)
        if not hooks:
            return obj
        labels = await namespace_labels(attributes, obj, old, finder)
        left: dict[int, Any] = {}  # what each webhook that may be asked again has left
        for at, hook in enumerate(hooks):
            resource = concerns(hook, attributes, obj, old, labels, lambda: others_of(attributes.resource, finder))
            if resource is not None:
                obj, was_asked = await self._ask(hook, resource, attributes, obj, old, finder)
                if was_asked:
                    left[at] = (resource, obj)
        for at, hook in enumerate(hooks):
            if at in left and hook.reinvocation_policy == "IfNeeded" and left[at][1] != obj:
                obj, _ = await self._ask(hook, left[at][0], attributes, obj, old, finder)
        return obj

    async def _ask(
        self,
        hook: registration.MutatingWebhook,
        resource: Resource,
        attributes: Attributes,
        obj: Any,
        old: Any,
        finder: Finder,
    ) -> tuple[Any, bool]:
        """The object to go on with, and whether the webhook wanted to be asked about it."""
        seen = Seen(resource, *await in_version(resource, attributes, (obj, old), finder))
        if not wants(hook, attributes, seen, self._rules):
            return obj, False
        review = await ask(hook, attributes, seen, finder, self._clock.uid())
        if review is None or not review.patch or obj is None:
            return obj, True
        type_: type[Object] = resource.type
        try:
            operations = msgspec.json.decode(review.patch)
            patched = patch.apply_patch("json", to_builtins(seen.obj), operations, type_)
            made = apply_defaults(decode_object(type_, patched))
            if resource is not attributes.resource and isinstance(finder, Versions):
                made = await finder.convert(made, attributes.resource)
            return made, True
        except (StatusError, msgspec.DecodeError) as error:
            raise InternalError(f"Internal error occurred: {error}") from error


class ValidatingWebhooks:
    """Implements `admission.Validator`."""

    def __init__(self, clock: Clock, rules: Rules | None = None) -> None:
        self._clock = clock
        self._rules = rules or Rules()

    async def validate(self, attributes: Attributes, obj: Any, old: Any, cluster: Cluster) -> None:
        hooks = await _hooks(registration.ValidatingWebhookConfiguration, cluster)
        if not hooks:
            return
        labels = await namespace_labels(attributes, obj, old, cluster)
        concerned: list[tuple[Webhook, Seen]] = []
        for hook in hooks:
            resource = concerns(hook, attributes, obj, old, labels, lambda: others_of(attributes.resource, cluster))
            if resource is not None:
                seen = Seen(resource, *await in_version(resource, attributes, (obj, old), cluster))
                concerned += [(hook, seen)] if wants(hook, attributes, seen, self._rules) else []
        refused: dict[int, StatusError] = {}

        async def judge(at: int, hook: Webhook, seen: Seen) -> None:
            try:
                await ask(hook, attributes, seen, cluster, self._clock.uid())
            except StatusError as error:
                refused[at] = error

        async with anyio.create_task_group() as tasks:
            for at, (hook, seen) in enumerate(concerned):
                tasks.start_soon(judge, at, hook, seen)
        if refused:
            raise refused[min(refused)]


class Seen(msgspec.Struct, frozen=True):
    """The objects of a request in the version that somebody wants to see."""

    resource: Resource
    obj: Any
    old: Any


def others_of(resource: Resource, finder: Finder) -> list[Resource]:
    """The other versions of the same stored objects."""
    if not isinstance(finder, Versions):
        return []
    return [other for other in finder.scheme if other.prefix == resource.prefix and other != resource]


async def in_version(
    resource: Resource, attributes: Attributes, objects: tuple[Any, Any], finder: Finder
) -> tuple[Any, Any]:
    """Raises: StatusError."""
    if resource is attributes.resource or not isinstance(finder, Versions):
        return objects
    obj, old = [await finder.convert(each, resource) if each is not None else None for each in objects]
    return obj, old


def wants(hook: Webhook, attributes: Attributes, seen: Seen, rules: Rules) -> bool:
    """Whether its match conditions hold. Raises: Forbidden when that cannot be said and it must be."""
    if not hook.match_conditions:
        return True
    from kubelite.api.admission_expressions import MATCH_BUDGET, Evaluation, compile_condition, matches
    from kubelite.apiserver.policies import values_of  # which imports this

    conditions = [compile_condition(item.expression.strip()) for item in hook.match_conditions]
    evaluation = Evaluation(values_of(attributes, seen, rules), budget=MATCH_BUDGET)
    is_match, problem = matches(conditions, evaluation, failure_policy=hook.failure_policy)
    if problem:
        raise attributes.refusal(problem)
    return is_match


async def ask(hook: Webhook, attributes: Attributes, seen: Seen, finder: Finder, uid: str) -> Review | None:
    """The answer of one that allows it; None if it could not be asked and need not. Raises: StatusError."""
    if attributes.dry_run and hook.side_effects not in ("None", "NoneOnDryRun"):
        raise BadRequest(f'admission webhook "{hook.name}" does not support dry run')
    try:
        review = await call_webhook(hook, compute_request(attributes, seen, uid), finder)
    except CallFailed as error:
        if hook.failure_policy == "Ignore":
            _log.warning("Passed over a webhook that failed", webhook=hook.name, error=str(error))
            return None
        raise InternalError(f'Internal error occurred: failed calling webhook "{hook.name}": {error}') from error
    attributes.warnings.extend(review.warnings)
    if not review.allowed:
        raise denial(hook.name, review)
    return review


def _kind(resource: Resource) -> dict[str, str]:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _what(resource: Resource) -> dict[str, str]:
    return {"group": resource.group, "version": resource.version, "resource": resource.plural}


def compute_request(attributes: Attributes, seen: Seen, uid: str) -> dict[str, Any]:
    """The `request` of an AdmissionReview."""
    user = attributes.user
    verb = attributes.operation.capitalize()
    options: dict[str, Any] = {"kind": f"{verb}Options", "apiVersion": "meta.k8s.io/v1"}
    if attributes.dry_run:
        options["dryRun"] = ["All"]
    about = {"username": user.name, "uid": user.uid, "groups": user.groups, "extra": user.extra}
    request = {
        "uid": uid,
        "kind": _kind(seen.resource),
        "resource": _what(seen.resource),
        "subResource": attributes.subresource,
        "requestKind": _kind(attributes.resource),
        "requestResource": _what(attributes.resource),
        "requestSubResource": attributes.subresource,
        "name": attributes.name,
        "namespace": attributes.namespace,
        "operation": attributes.operation,
        "userInfo": {name: value for name, value in about.items() if value},
        "object": to_builtins(seen.obj) if seen.obj is not None else None,
        "oldObject": to_builtins(seen.old) if seen.old is not None else None,
        "dryRun": attributes.dry_run,
        "options": options,
    }
    return {name: value for name, value in request.items() if value != ""}


def denial(name: str, review: Review) -> StatusError:
    """What the client is told.

    >>> denial("a.example.com", Review()).message
    'admission webhook "a.example.com" denied the request without explanation'
    """
    status = review.status
    by = f'admission webhook "{name}" denied the request'
    said = (status.message or status.reason) if status is not None else ""
    message = f"{by}: {said}" if said else f"{by} without explanation"
    if status is None:
        return Unknown(message, code=400)
    return Unknown(message, status.details, code=max(400, status.code), reason=status.reason)


async def _hooks(type_: type[Object], finder: Finder) -> list[Any]:
    found: Iterable[Any] = await finder.find_all(type_)
    ordered = sorted(found, key=lambda each: str(each.metadata.name))
    return [hook for configuration in ordered for hook in configuration.webhooks]


async def namespace_labels(attributes: Attributes, obj: Any, old: Any, finder: Finder) -> Labels:
    some = obj if obj is not None else old
    if isinstance(some, core.Namespace):
        return some.metadata.labels
    if not attributes.namespace:
        return None
    namespace = await finder.find(core.Namespace, attributes.namespace)
    return namespace.metadata.labels if namespace is not None else {}
