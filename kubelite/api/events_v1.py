"""The typed objects of events.k8s.io/v1: every field of Kubernetes v1.33, as frozen values.

A table of types: no behaviour lives here; `api.meta` says how fields are declared and encoded.
Source: k8s.io/api v0.33 events/v1/types.go
"""

from __future__ import annotations

from typing import ClassVar

from msgspec import field

from kubelite.api.core_v1 import EventSource, ObjectReference
from kubelite.api.meta import MicroTime, Object, Time, Value


class Event(Object):
    api_version: ClassVar[str] = "events.k8s.io/v1"
    kind: ClassVar[str] = "Event"
    event_time: MicroTime | None = None
    series: EventSeries | None = None
    reporting_controller: str = ""
    reporting_instance: str = ""
    action: str = ""
    reason: str = ""
    regarding: ObjectReference = field(default_factory=ObjectReference)
    related: ObjectReference | None = None
    note: str = ""
    type: str = ""
    deprecated_source: EventSource = field(default_factory=EventSource)
    deprecated_first_timestamp: Time | None = None
    deprecated_last_timestamp: Time | None = None
    deprecated_count: int = 0


class EventSeries(Value):
    count: int = field(default_factory=int)
    last_observed_time: MicroTime | None = None
