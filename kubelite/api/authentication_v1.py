"""The typed objects of authentication.k8s.io/v1: every field of Kubernetes v1.33, as frozen values.

A table of types: no behaviour lives here; `api.meta` says how fields are declared and encoded.
Source: k8s.io/api v0.33 authentication/v1/types.go
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from msgspec import field

from kubelite.api.meta import Object, Time, Value, merge


class TokenReviewSpec(Value):
    token: str = ""
    audiences: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()


class UserInfo(Value):
    username: str = ""
    uid: str = ""
    groups: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class TokenReviewStatus(Value):
    authenticated: bool = False
    user: UserInfo = field(default_factory=UserInfo)
    audiences: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    error: str = ""


class TokenReview(Object):
    api_version: ClassVar[str] = "authentication.k8s.io/v1"
    kind: ClassVar[str] = "TokenReview"
    spec: TokenReviewSpec = field(default_factory=TokenReviewSpec)
    status: TokenReviewStatus = field(default_factory=TokenReviewStatus)


class TokenRequestSpec(Value):
    audiences: Annotated[tuple[str, ...], merge(list_type="atomic")] = ()
    expiration_seconds: int | None = None
    bound_object_ref: BoundObjectReference | None = None


class TokenRequestStatus(Value):
    token: str = field(default_factory=str)
    expiration_timestamp: Time | None = None


class TokenRequest(Object):
    api_version: ClassVar[str] = "authentication.k8s.io/v1"
    kind: ClassVar[str] = "TokenRequest"
    spec: TokenRequestSpec = field(default_factory=TokenRequestSpec)
    status: TokenRequestStatus = field(default_factory=TokenRequestStatus)


class BoundObjectReference(Value):
    kind: str = ""
    api_version: str = ""
    name: str = ""
    uid: str = ""


class SelfSubjectReviewStatus(Value):
    user_info: UserInfo = field(default_factory=UserInfo)


class SelfSubjectReview(Object):
    api_version: ClassVar[str] = "authentication.k8s.io/v1"
    kind: ClassVar[str] = "SelfSubjectReview"
    status: SelfSubjectReviewStatus = field(default_factory=SelfSubjectReviewStatus)
