"""Certificate requests: who asks is who sent it, and only who may act for a signer approves or signs.

Source: kubernetes pkg/registry/certificates/certificates/strategy.go, plugin/pkg/admission/certificates/{approval,signing,
subjectrestriction}
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from kubelite.api import certificates_v1 as certificates
from kubelite.apiserver import authz
from kubelite.apiserver.admission import Attributes, Finder
from kubelite.apiserver.rbac import Rules

_GROUP = "certificates.k8s.io"


class CertificateRequests:
    """Implements `admission.Plugin`."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    async def admit(self, attributes: Attributes, obj: Any, old: Any, finder: Finder) -> Any:
        """Raises: Forbidden."""
        if attributes.resource.type is not certificates.CertificateSigningRequest or obj is None:
            return obj
        if attributes.operation == "CREATE":
            user = attributes.user
            spec = replace(obj.spec, username=user.name, uid=user.uid, groups=user.groups, extra=user.extra)
            return replace(obj, spec=spec)
        if attributes.subresource == "approval" and not self._may(attributes, "approve", old.spec.signer_name):
            raise attributes.refusal(f'user not permitted to approve requests with signerName "{old.spec.signer_name}"')
        signs = attributes.subresource == "status" and obj.status.certificate != old.status.certificate
        if signs and not self._may(attributes, "sign", old.spec.signer_name):
            raise attributes.refusal(f'user not permitted to sign requests with signerName "{old.spec.signer_name}"')
        return replace(obj, spec=old.spec)

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
