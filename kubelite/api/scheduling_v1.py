"""The typed objects of scheduling.k8s.io/v1: every field of Kubernetes v1.33, as frozen values.

A table of types: no behaviour lives here; `api.meta` says how fields are declared and encoded.
Source: k8s.io/api v0.33 scheduling/v1/types.go
"""

from __future__ import annotations

from typing import ClassVar

from msgspec import field

from kubelite.api.meta import Object


class PriorityClass(Object):
    api_version: ClassVar[str] = "scheduling.k8s.io/v1"
    kind: ClassVar[str] = "PriorityClass"
    value: int = field(default_factory=int)
    global_default: bool = False
    description: str = ""
    preemption_policy: str | None = None
