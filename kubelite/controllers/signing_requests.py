"""CertificateSigningRequests: the nodes' own approved, approved ones signed, old ones removed.

Called by `client/host` per request. Reading and signing need cryptography and the authority's key, so `Authority` is given.
Source: k8s.io/kubernetes pkg/controller/certificates/{approver,signer,cleaner}
"""

from __future__ import annotations

from typing import Protocol

from msgspec.structs import replace

from kubelite.api.certificate_signers import NODE_CLIENT, SIGNERS, Asked, problem_of
from kubelite.api.certificates_v1 import CertificateSigningRequest, CertificateSigningRequestCondition
from kubelite.api.meta import Object
from kubelite.api.timestamp import rfc3339
from kubelite.client.plan import Delete, Plan, Update
from kubelite.client.view import Key, View, Watch, self_key
from kubelite.controllers.pods import seconds

#: When a request that nobody may have approved by itself is looked at again: rights may have been given meanwhile.
_RETRY_S = 10.0
APPROVED_S = DENIED_S = 3600.0
PENDING_S = 24 * 3600.0
_SELF = "Auto approving self kubelet client certificate after SubjectAccessReview."
_FIRST = "Auto approving kubelet client certificate after SubjectAccessReview."


class Authority(Protocol):
    """`read` and `sign` raise ValueError, with what the condition says: for what is no request, and when it cannot sign."""

    def read(self, pem: bytes) -> Asked: ...
    def sign(self, request: CertificateSigningRequest, now: float) -> bytes: ...
    def may(self, request: CertificateSigningRequest, subresource: str) -> bool:
        """Whether who made the request has the right to `create` that subresource of requests."""


def condition(request: CertificateSigningRequest, type_: str) -> CertificateSigningRequestCondition | None:
    return next((entry for entry in request.status.conditions if entry.type == type_), None)


def _with(
    request: CertificateSigningRequest, type_: str, reason: str, message: str, now: float
) -> CertificateSigningRequest:
    at = rfc3339(now)
    new = CertificateSigningRequestCondition(
        type=type_, status="True", reason=reason, message=message, last_update_time=at, last_transition_time=at
    )
    return replace(request, status=replace(request.status, conditions=(*request.status.conditions, new)))


class CSRApprover:
    name = "certificatesigningrequest-approving-controller"
    watches = (Watch(CertificateSigningRequest, self_key),)
    reads: tuple[type[Object], ...] = ()

    def __init__(self, authority: Authority) -> None:
        self._authority = authority

    def decide(self, view: View, key: Key, now: float) -> Plan:
        request = view.get(CertificateSigningRequest, key)
        if request is None or request.status.certificate or request.spec.signer_name != NODE_CLIENT:
            return Plan()
        if condition(request, "Approved") or condition(request, "Denied"):
            return Plan()
        try:
            asked = self._authority.read(request.spec.request)
        except ValueError:
            return Plan()
        if problem_of(NODE_CLIENT, asked, request.spec.usages):
            return Plan()
        if request.spec.username == asked.common_name and self._authority.may(request, "selfnodeclient"):
            message = _SELF
        elif self._authority.may(request, "nodeclient"):
            message = _FIRST
        else:
            return Plan(requeue_after_s=_RETRY_S)
        return Plan(writes=(Update(_with(request, "Approved", "AutoApproved", message, now), subresource="approval"),))


class CSRSigner:
    name = "certificatesigningrequest-signing-controller"
    watches = (Watch(CertificateSigningRequest, self_key),)
    reads: tuple[type[Object], ...] = ()

    def __init__(self, authority: Authority) -> None:
        self._authority = authority

    def decide(self, view: View, key: Key, now: float) -> Plan:
        request = view.get(CertificateSigningRequest, key)
        if request is None or request.status.certificate or request.spec.signer_name not in SIGNERS:
            return Plan()
        if not condition(request, "Approved") or condition(request, "Failed") or condition(request, "Denied"):
            return Plan()
        try:
            asked = self._authority.read(request.spec.request)
            if problem := problem_of(request.spec.signer_name, asked, request.spec.usages):
                raise ValueError(problem)
            signed = replace(request, status=replace(request.status, certificate=self._authority.sign(request, now)))
        except ValueError as error:
            signed = _with(request, "Failed", "SignerValidationFailure", str(error), now)
        return Plan(writes=(Update(signed, subresource="status"),))


class CSRCleaner:
    name = "certificatesigningrequest-cleaner-controller"
    watches = (Watch(CertificateSigningRequest, self_key),)
    reads: tuple[type[Object], ...] = ()

    def decide(self, view: View, key: Key, now: float) -> Plan:
        request = view.get(CertificateSigningRequest, key)
        if request is None:
            return Plan()
        ends = [seconds(request.metadata.creation_timestamp) + PENDING_S] if not request.status.conditions else []
        ends += [
            seconds(entry.last_update_time) + (APPROVED_S if entry.type == "Approved" else DENIED_S)
            for entry in request.status.conditions
        ]
        left = min(ends) - now
        if left > 0:
            return Plan(requeue_after_s=left)
        return Plan(writes=(Delete(type=CertificateSigningRequest, name=key, uid=request.metadata.uid),))
