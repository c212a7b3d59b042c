"""What a certificate request's status may hold, and who may change which part of it: approval conditions, status the rest.

Source: kubernetes pkg/apis/certificates/validation/validation.go
"""

from __future__ import annotations

import re

from kubelite.api import certificates_v1 as certificates
from kubelite.api.validation_field import Errors, duplicates, forbidden, invalid, one_of, required

Request = certificates.CertificateSigningRequest
_FINAL = ("Approved", "Denied", "Failed")  #: conditions that are True if they are there, and stay
_BLOCK = re.compile(rb"-----BEGIN ([A-Z ]+)-----\s.*?-----END \1-----", re.DOTALL)
_PATH = "status.conditions"


def validate_request_update(new: Request, old: Request) -> Errors:
    return _kept(new, old) + _approval_kept(new, old) + _certificate_kept(new, old)


def validate_request_approval(new: Request, old: Request) -> Errors:
    return _conditions(new) + _kept(new, old) + _certificate_kept(new, old)


def validate_request_status(new: Request, old: Request) -> Errors:
    found = _conditions(new) + _certificate(new, old) + _kept(new, old) + _approval_kept(new, old)
    if old.status.certificate and new.status.certificate != old.status.certificate:
        found.append(forbidden("status.certificate", "updates may not modify existing certificate content"))
    return found


def _count(request: Request, type_: str) -> int:
    return sum(item.type == type_ for item in request.status.conditions)


def _conditions(request: Request) -> Errors:
    found: Errors = []
    seen: set[str] = set()
    for at, item in enumerate(request.status.conditions):
        path = f"{_PATH}[{at}]"
        found += [] if item.type else [required(f"{path}.type")]
        if not item.status:
            found.append(required(f"{path}.status"))
        else:
            allowed = ("True",) if item.type in _FINAL else ("False", "True", "Unknown")
            found += one_of(f"{path}.status", item.status, allowed)
        if item.type in ("Approved", "Denied") and seen & ({"Approved", "Denied"} - {item.type}):
            found.append(invalid(f"{path}.type", item.type, "Approved and Denied conditions are mutually exclusive"))
        seen.add(item.type)
    return found + duplicates((f"{_PATH}[{at}].type", item.type) for at, item in enumerate(request.status.conditions))


def _kept(new: Request, old: Request) -> Errors:
    gone = [type_ for type_ in _FINAL if _count(new, type_) < _count(old, type_)]
    return [forbidden(_PATH, f'updates may not remove a condition of type "{type_}"') for type_ in gone]


def _approval_kept(new: Request, old: Request) -> Errors:
    added = [type_ for type_ in ("Approved", "Denied") if _count(new, type_) > _count(old, type_)]
    return [forbidden(_PATH, f'updates may not add a condition of type "{type_}"') for type_ in added]


def _certificate_kept(new: Request, old: Request) -> Errors:
    if new.status.certificate == old.status.certificate:
        return []
    return [forbidden("status.certificate", "updates may not set certificate content")]


def _certificate(new: Request, old: Request) -> Errors:
    text = new.status.certificate
    if not text or text == old.status.certificate:
        return []
    kinds = [match[1].decode() for match in _BLOCK.finditer(text)]
    why = "" if kinds else "must contain at least one CERTIFICATE PEM block"
    for kind in kinds:
        if kind != "CERTIFICATE":
            why = f'only CERTIFICATE PEM blocks are allowed, found "{kind}"'
    return [invalid("status.certificate", "<certificate data>", why)] if why else []
