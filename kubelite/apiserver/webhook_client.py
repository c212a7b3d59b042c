"""The call of a webhook over HTTPS: of one for admission with an AdmissionReview, and what came of it.

The one file that knows aiohttp's client side in this room; it is loaded with the first call.
Source: k8s.io/apiserver pkg/util/webhook, pkg/admission/plugin/webhook/request
"""

from __future__ import annotations

import ssl
from functools import lru_cache
from typing import Any

import anyio
import msgspec

from kubelite.api import admissionregistration_v1 as registration, apiextensions_v1 as apiextensions, core_v1 as core
from kubelite.api.meta import Status
from kubelite.apiserver.admission import Finder
from kubelite.apiserver.webhook_match import Webhook

_TIMEOUT_S = 10
#: Answers that are read at most.
_MOST_BYTES = 3 * 1024 * 1024
_MOST_AUTHORITIES = 64


ClientConfig = registration.WebhookClientConfig | apiextensions.WebhookClientConfig


class CallFailed(Exception):
    """The webhook could not be asked, or its answer could not be understood."""


class Review(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A webhook's answer."""

    uid: str = ""
    allowed: bool = False
    status: Status | None = None
    patch: bytes | None = None
    patch_type: str | None = None
    warnings: tuple[str, ...] = ()


class _Envelope(msgspec.Struct, frozen=True, rename="camel"):
    kind: str = ""
    api_version: str = ""
    response: Review | None = None


class _Target(msgspec.Struct, frozen=True, kw_only=True):
    """`url` as it is asked, `shown` as errors name it; `host` is the name that the certificate must have."""

    url: str
    shown: str
    host: str | None = None


async def call_webhook(hook: Webhook, request: dict[str, Any], finder: Finder) -> Review:
    """Raises: CallFailed."""
    version = next((known for known in hook.admission_review_versions if known in ("v1", "v1beta1")), "v1")
    review = {"kind": "AdmissionReview", "apiVersion": f"admission.k8s.io/{version}", "request": request}
    timeout_s = hook.timeout_seconds or _TIMEOUT_S
    try:
        body = await post(hook.client_config, msgspec.json.encode(review), finder, timeout_s=timeout_s)
    except CallFailed as error:
        raise CallFailed(f"failed to call webhook: {error}") from error
    return _understood(body, request["uid"], version)


async def post(client: ClientConfig, body: bytes, finder: Finder, *, timeout_s: int) -> bytes:
    """The answer's body. Raises: CallFailed."""
    target = await _target(client, finder, timeout_s)
    try:
        with anyio.fail_after(timeout_s):
            return await _post(target, body, client.ca_bundle)
    except TimeoutError:
        raise CallFailed(f'Post "{target.shown}": context deadline exceeded') from None


async def _target(client: ClientConfig, finder: Finder, timeout_s: int) -> _Target:
    """Raises: CallFailed."""
    query = f"timeout={timeout_s}s"
    if client.service is None:
        url = f"{client.url}?{query}"
        return _Target(url=url, shown=url)
    ref = client.service
    host, port, path = f"{ref.name}.{ref.namespace}.svc", ref.port or 443, "/" + (ref.path or "").lstrip("/")
    service: core.Service | None = await finder.find(core.Service, ref.name, ref.namespace)
    shown = f"https://{host}:{port}{path}?{query}"
    if service is None:
        raise CallFailed(f'Post "{shown}": service "{ref.name}" not found')
    address = service.spec.external_name if service.spec.type == "ExternalName" else service.spec.cluster_ip
    return _Target(url=f"https://{address}:{port}{path}?{query}", shown=shown, host=host)


async def _post(target: _Target, body: bytes, ca_bundle: bytes) -> bytes:
    import aiohttp

    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if target.host is not None:
        headers["Host"] = target.host
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                target.url,
                data=body,
                headers=headers,
                ssl=_trust(ca_bundle),
                server_hostname=target.host,
                allow_redirects=False,
            ) as answer,
        ):
            text = await answer.content.read(_MOST_BYTES)
            if not 200 <= answer.status < 300:
                words = text.decode(errors="replace").strip() or answer.reason
                raise CallFailed(f"the server responded with {answer.status}: {words}")
            return text
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise CallFailed(f'Post "{target.shown}": {error}') from error


@lru_cache(_MOST_AUTHORITIES)
def _trust(ca_bundle: bytes) -> ssl.SSLContext:
    """The system's authorities, or only those of the bundle."""
    if not ca_bundle:
        return ssl.create_default_context()
    context = ssl.create_default_context(cadata=ca_bundle.decode())
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _understood(body: bytes, uid: str, version: str) -> Review:
    """Raises: CallFailed."""
    try:
        envelope = msgspec.json.decode(body, type=_Envelope)
    except msgspec.DecodeError as error:
        raise CallFailed(f"received invalid webhook response: {error}") from error
    review, wanted = envelope.response, f"admission.k8s.io/{version}"
    if envelope.kind != "AdmissionReview" or envelope.api_version != wanted:
        got = f"{envelope.api_version}, Kind={envelope.kind}"
        raise CallFailed(f"received invalid webhook response: expected webhook response of {wanted}, got {got}")
    if review is None:
        raise CallFailed("received invalid webhook response: webhook response was absent")
    if review.uid != uid:
        why = f'expected response.uid="{uid}", got "{review.uid}"'
        raise CallFailed(f"received invalid webhook response: {why}")
    if review.patch and review.patch_type != "JSONPatch":
        why = f'webhook returned response.patch with unsupported type "{review.patch_type or ""}"'
        raise CallFailed(f"received invalid webhook response: {why}")
    return review
