"""How certificate requests are written: their spec never changes, approval changes conditions, status the rest. Pure.

Called through the table in `strategy`; when something was approved or failed is set by `admission_certificates`, who asks too.
Source: kubernetes pkg/registry/certificates/certificates/strategy.go
"""

from __future__ import annotations

from msgspec.structs import replace

from kubelite.api import certificates_v1 as certificates

Request = certificates.CertificateSigningRequest


def update_request(new: Request, old: Request) -> Request:
    return replace(new, spec=old.spec)


def update_approval(new: Request, old: Request) -> Request:
    """Only the conditions."""
    return replace(old, metadata=new.metadata, status=replace(old.status, conditions=new.status.conditions))


def update_status(new: Request, old: Request) -> Request:
    """Everything but whether it was approved: an attempt to add or remove that is left for validation to refuse."""
    conditions = new.status.conditions
    for type_ in ("Approved", "Denied"):
        before = [item for item in old.status.conditions if item.type == type_]
        if len(before) == sum(item.type == type_ for item in conditions):
            kept = iter(before)
            conditions = tuple(next(kept) if item.type == type_ else item for item in conditions)
    return replace(new, spec=old.spec, status=replace(new.status, conditions=conditions))
