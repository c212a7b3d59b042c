"""The typed objects of coordination.k8s.io/v1: every field of Kubernetes v1.33, as frozen values.

A table of types: no behaviour lives here; `api.meta` says how fields are declared and encoded.
Source: k8s.io/api v0.33 coordination/v1/types.go
"""

from __future__ import annotations

from typing import ClassVar

from msgspec import field

from kubelite.api.meta import MicroTime, Object, Value


class LeaseSpec(Value):
    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: MicroTime | None = None
    renew_time: MicroTime | None = None
    lease_transitions: int | None = None
    strategy: str | None = None
    preferred_holder: str | None = None


class Lease(Object):
    api_version: ClassVar[str] = "coordination.k8s.io/v1"
    kind: ClassVar[str] = "Lease"
    spec: LeaseSpec = field(default_factory=LeaseSpec)
