"""Admission webhooks: those that change an object, one after the other, and those that judge it, all at once.

A webhook that cannot be asked fails the request or is passed over, as its configuration says.
Source: k8s.io/apiserver pkg/admission/plugin/webhook/{mutating,validating}/dispatcher.go, pkg/admission/plugin/webhook/errors
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
from kubelite.apiserver.admission import Attributes, Cluster, Finder
from kubelite.apiserver.webhook_client import CallFailed, Review, call_webhook
from kubelite.apiserver.webhook_match import Webhook, concerns

_log = get_logger(__name__)


class MutatingWebhooks:
    """Implements `admission.Plugin`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def admit(self, attributes: Attributes, obj: Any, old: Any, finder: Finder) -> Any:
        hooks = await _hooks(registration.MutatingWebhookConfiguration, finder)
        if not hooks:
            return obj
        labels = await _namespace_labels(attributes, obj, old, finder)
        left: dict[int, Any] = {}  # what each webhook that may be asked again has left
        for at, hook in enumerate(hooks):
            if concerns(hook, attributes, obj, old, labels):
                obj = await self._ask(hook, attributes, obj, old, finder)
                left[at] = obj
        for at, hook in enumerate(hooks):
            if at in left and hook.reinvocation_policy == "IfNeeded" and left[at] != obj:
                obj = await self._ask(hook, attributes, obj, old, finder)
        return obj

    async def _ask(
        self, hook: registration.MutatingWebhook, attributes: Attributes, obj: Any, old: Any, finder: Finder
    ) -> Any:
        review = await ask(hook, attributes, obj, old, finder, self._clock.uid())
        if review is None or not review.patch or obj is None:
            return obj
        type_: type[Object] = type(obj)
        try:
            operations = msgspec.json.decode(review.patch)
            patched = patch.apply_patch("json", to_builtins(obj), operations, type_)
            return apply_defaults(decode_object(type_, patched))
        except (StatusError, msgspec.DecodeError) as error:
            raise InternalError(f"Internal error occurred: {error}") from error


class ValidatingWebhooks:
    """Implements `admission.Validator`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def validate(self, attributes: Attributes, obj: Any, old: Any, cluster: Cluster) -> None:
        hooks = await _hooks(registration.ValidatingWebhookConfiguration, cluster)
        if not hooks:
            return
        labels = await _namespace_labels(attributes, obj, old, cluster)
        concerned = [hook for hook in hooks if concerns(hook, attributes, obj, old, labels)]
        refused: dict[int, StatusError] = {}

        async def judge(at: int, hook: Webhook) -> None:
            try:
                await ask(hook, attributes, obj, old, cluster, self._clock.uid())
            except StatusError as error:
                refused[at] = error

        async with anyio.create_task_group() as tasks:
            for at, hook in enumerate(concerned):
                tasks.start_soon(judge, at, hook)
        if refused:
            raise refused[min(refused)]


async def ask(hook: Webhook, attributes: Attributes, obj: Any, old: Any, finder: Finder, uid: str) -> Review | None:
    """The answer of one that allows it; None if it could not be asked and need not. Raises: StatusError."""
    if attributes.dry_run and hook.side_effects not in ("None", "NoneOnDryRun"):
        raise BadRequest(f'admission webhook "{hook.name}" does not support dry run')
    try:
        review = await call_webhook(hook, compute_request(attributes, obj, old, uid), finder)
    except CallFailed as error:
        if hook.failure_policy == "Ignore":
            _log.warning("Passed over a webhook that failed", webhook=hook.name, error=str(error))
            return None
        raise InternalError(f'Internal error occurred: failed calling webhook "{hook.name}": {error}') from error
    attributes.warnings.extend(review.warnings)
    if not review.allowed:
        raise denial(hook.name, review)
    return review


def compute_request(attributes: Attributes, obj: Any, old: Any, uid: str) -> dict[str, Any]:
    """The `request` of an AdmissionReview."""
    resource, user = attributes.resource, attributes.user
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    what = {"group": resource.group, "version": resource.version, "resource": resource.plural}
    verb = attributes.operation.capitalize()
    options: dict[str, Any] = {"kind": f"{verb}Options", "apiVersion": "meta.k8s.io/v1"}
    if attributes.dry_run:
        options["dryRun"] = ["All"]
    about = {"username": user.name, "uid": user.uid, "groups": user.groups, "extra": user.extra}
    request = {
        "uid": uid,
        "kind": kind,
        "resource": what,
        "subResource": attributes.subresource,
        "requestKind": kind,
        "requestResource": what,
        "requestSubResource": attributes.subresource,
        "name": attributes.name,
        "namespace": attributes.namespace,
        "operation": attributes.operation,
        "userInfo": {name: value for name, value in about.items() if value},
        "object": to_builtins(obj) if obj is not None else None,
        "oldObject": to_builtins(old) if old is not None else None,
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


async def _namespace_labels(attributes: Attributes, obj: Any, old: Any, finder: Finder) -> Mapping[str, str] | None:
    some = obj if obj is not None else old
    if isinstance(some, core.Namespace):
        return some.metadata.labels
    if not attributes.namespace:
        return None
    namespace = await finder.find(core.Namespace, attributes.namespace)
    return namespace.metadata.labels if namespace is not None else {}
