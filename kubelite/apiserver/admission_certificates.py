"""Certificate requests: who asks is who sent it, and only who may act for a signer approves or signs.

Source: kubernetes pkg/registry/certificates/certificates/strategy.go, plugin/pkg/admission/certificates/{approval,signing,
subjectrestriction}
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from kubelite.actor.clock import Clock
from kubelite.api import certificates_v1 as certificates
from kubelite.api.certificate_signers import CLIENT
from kubelite.api.errors import FieldError, invalid
from kubelite.api.timestamp import rfc3339
from kubelite.apiserver import authz
from kubelite.apiserver.admission import Attributes, Cluster, Finder
from kubelite.apiserver.rbac import Rules

_GROUP = "certificates.k8s.io"
Request = certificates.CertificateSigningRequest


class CertificateRequests:
    """Implements `admission.Plugin`: sets who asks, and when something was decided."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def admit(self, attributes: Attributes, obj: Any, old: Any, finder: Finder) -> Any:
        if attributes.resource.type is not Request or obj is None:
            return obj
        if attributes.operation == "CREATE":
            user = attributes.user
            spec = replace(obj.spec, username=user.name, uid=user.uid, groups=user.groups, extra=user.extra)
            return replace(obj, spec=spec)
        if attributes.subresource not in ("approval", "status"):
            return obj
        now = rfc3339(self._clock.now())
        known = {(item.type, item.status): item.last_transition_time for item in old.status.conditions}
        conditions = tuple(
            replace(
                item,
                last_update_time=item.last_update_time or now,
                last_transition_time=item.last_transition_time or known.get((item.type, item.status)) or now,
            )
            for item in obj.status.conditions
        )
        return replace(obj, status=replace(obj.status, conditions=conditions))


class CertificateRights:
    """Implements `admission.Validator`: approval and signing by the rights on signers, and what may be asked for."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    async def validate(self, attributes: Attributes, obj: Any, old: Any, cluster: Cluster) -> None:
        """Raises: Forbidden, Invalid."""
        if attributes.resource.type is not Request or obj is None:
            return
        signer = obj.spec.signer_name
        if attributes.operation == "CREATE":
            _check_request(attributes, obj)
        elif attributes.subresource == "approval" and not self._may(attributes, "approve", signer):
            raise attributes.refusal(f'user not permitted to approve requests with signerName "{signer}"')
        elif (
            attributes.subresource == "status"
            and obj.status != old.status
            and not self._may(attributes, "sign", signer)
        ):
            raise attributes.refusal(f'user not permitted to sign requests with signerName "{signer}"')

    def _may(self, attributes: Attributes, verb: str, signer: str) -> bool:
        """For the signer itself, or for all of its domain."""
        if authz.MASTERS in attributes.user.groups:
            return True
        names = (signer, f"{signer.partition('/')[0]}/*")
        return any(
            self._rules.allow(
                authz.Attributes(user=attributes.user, verb=verb, group=_GROUP, resource="signers", name=name)
            )[0]
            for name in names
        )


def _check_request(attributes: Attributes, request: Request) -> None:
    from kubelite.apiserver.signer import read_request

    try:
        asked = read_request(request.spec.request)
    except ValueError as error:
        shown = ", ".join(f"{byte:#x}" for byte in request.spec.request)
        problem = FieldError("FieldValueInvalid", "spec.request", f"Invalid value: []byte{{{shown}}}: {error}")
        raise invalid(_GROUP, "CertificateSigningRequest", attributes.name, [problem]) from error
    if request.spec.signer_name == CLIENT and authz.MASTERS in asked.organizations:
        raise attributes.refusal(f"use of {CLIENT} signer with {authz.MASTERS} group is not allowed")
