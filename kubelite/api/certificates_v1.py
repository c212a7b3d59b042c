"""The typed objects of certificates.k8s.io/v1: every field of Kubernetes v1.33, as frozen values.

A table of types: no behaviour lives here; `api.meta` says how fields are declared and encoded.
Source: k8s.io/api v0.33 certificates/v1/types.go
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from msgspec import field

from kubelite.api.meta import Object, Time, Value, merge


class CertificateSigningRequestSpec(Value):
    request: Annotated[bytes, merge(list_type="atomic")] = b""
    signer_name: str = field(default_factory=str)
    expiration_seconds: int | None = None
    usages: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    username: str = ""
    uid: str = ""
    groups: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class CertificateSigningRequestStatus(Value):
    conditions: Annotated[tuple[CertificateSigningRequestCondition, ...], merge(list_type="map", keys=("type",))] = ()
    certificate: Annotated[bytes, merge(list_type="atomic")] = b""


class CertificateSigningRequest(Object):
    api_version: ClassVar[str] = "certificates.k8s.io/v1"
    kind: ClassVar[str] = "CertificateSigningRequest"
    spec: CertificateSigningRequestSpec = field(default_factory=CertificateSigningRequestSpec)
    status: CertificateSigningRequestStatus = field(default_factory=CertificateSigningRequestStatus)


class CertificateSigningRequestCondition(Value):
    type: str = field(default_factory=str)
    status: str = field(default_factory=str)
    reason: str = ""
    message: str = ""
    last_update_time: Time | None = None
    last_transition_time: Time | None = None
