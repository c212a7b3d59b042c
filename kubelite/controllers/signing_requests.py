"""CertificateSigningRequests: the nodes' own approved, approved ones signed, old ones removed.

Called by `client/host` per request. Signing needs the authority's key, so `sign` is given; it returns the PEM certificate.
Source: k8s.io/kubernetes pkg/controller/certificates/{approver,signer,cleaner}
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from kubelite.api.certificates_v1 import CertificateSigningRequest, CertificateSigningRequestCondition
from kubelite.api.meta import Object
from kubelite.api.timestamp import rfc3339
from kubelite.client.plan import Delete, Plan, Update
from kubelite.client.view import Key, View, Watch, self_key
from kubelite.controllers.pods import seconds

NODE_CLIENT = "kubernetes.io/kube-apiserver-client-kubelet"
SIGNERS = ("kubernetes.io/kube-apiserver-client", NODE_CLIENT, "kubernetes.io/kubelet-serving")
BOOTSTRAPPERS, NODES = "system:bootstrappers", "system:nodes"
APPROVED_S = DENIED_S = 3600.0
PENDING_S = 24 * 3600.0
_SELF = "Auto approving self kubelet client certificate after SubjectAccessReview."
_FIRST = "Auto approving kubelet client certificate after SubjectAccessReview."

#: Raises ValueError, with what the condition says, when the request cannot be signed.
Sign = Callable[[CertificateSigningRequest], bytes]


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

    def decide(self, view: View, key: Key, now: float) -> Plan:
        request = view.get(CertificateSigningRequest, key)
        if request is None or request.status.certificate or request.spec.signer_name != NODE_CLIENT:
            return Plan()
        if condition(request, "Approved") or condition(request, "Denied"):
            return Plan()
        groups = request.spec.groups
        if NODES in groups and request.spec.username.startswith("system:node:"):
            message = _SELF
        elif BOOTSTRAPPERS in groups:
            message = _FIRST
        else:
            return Plan()
        return Plan(writes=(Update(_with(request, "Approved", "AutoApproved", message, now), subresource="approval"),))


class CSRSigner:
    name = "certificatesigningrequest-signing-controller"
    watches = (Watch(CertificateSigningRequest, self_key),)
    reads: tuple[type[Object], ...] = ()

    def __init__(self, sign: Sign) -> None:
        self._sign = sign

    def decide(self, view: View, key: Key, now: float) -> Plan:
        request = view.get(CertificateSigningRequest, key)
        if request is None or request.status.certificate or request.spec.signer_name not in SIGNERS:
            return Plan()
        if not condition(request, "Approved") or condition(request, "Failed") or condition(request, "Denied"):
            return Plan()
        try:
            signed = replace(request, status=replace(request.status, certificate=self._sign(request)))
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
