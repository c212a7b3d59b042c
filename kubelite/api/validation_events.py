"""Events: the older rules for v1, and those of events.k8s.io/v1, which asks for more and lets less change. Pure.

Both are judged in the form in which they are stored, so that fields have its names.
Source: kubernetes pkg/apis/core/validation/events.go
"""

from __future__ import annotations

from kubelite.api import core_v1 as core, events_v1 as events
from kubelite.api.events_versions import from_events
from kubelite.api.validation_field import Errors, dns_subdomain, immutable, invalid, qualified_name, required

_MAX_NAME, _MAX_NOTE = 128, 1024
_KEPT = {
    "involvedObject": "involved_object",
    "reason": "reason",
    "message": "message",
    "source": "source",
    "firstTimestamp": "first_timestamp",
    "lastTimestamp": "last_timestamp",
    "count": "count",
    "reportingController": "reporting_component",
    "reportingInstance": "reporting_instance",
    "action": "action",
    "related": "related",
    "type": "type",
    "eventTime": "event_time",
}


def validate_event(event: core.Event) -> Errors:
    return _older(event, "reportingComponent")


def validate_new_event(event: events.Event) -> Errors:
    old = from_events(event)
    found = _older(old, "reportingController") + _series(old)
    if not old.event_time:
        found.append(required("eventTime"))
    if old.type not in ("Normal", "Warning"):
        found.append(invalid("type", "", f"has invalid value: {old.type}"))
    unset = {
        "firstTimestamp": old.first_timestamp,
        "lastTimestamp": old.last_timestamp,
        "count": old.count,
        "source": old.source.component or old.source.host,
    }
    return found + [invalid(name, "", "needs to be unset") for name, value in unset.items() if value]


def validate_new_event_update(new: events.Event, old: events.Event) -> Errors:
    now, before = from_events(new), from_events(old)
    found = _older(now, "reportingController")
    if now.series != before.series:
        found += _series(now)
    for name, field in _KEPT.items():
        found += immutable(name, getattr(now, field), getattr(before, field))
    return found


def _older(event: core.Event, controller: str) -> Errors:
    about, namespace = event.involved_object.namespace, event.metadata.namespace
    found: Errors = []
    mismatch = invalid("involvedObject.namespace", about, "does not match event.namespace")
    if not event.event_time:
        if (about and about != namespace) or (not about and namespace not in ("", "default")):
            found.append(mismatch)
    else:
        if not about and namespace not in ("default", "kube-system"):
            found.append(mismatch)
        if not event.reporting_component:
            found.append(required(controller))
        found += [
            invalid(controller, event.reporting_component, why) for why in qualified_name(event.reporting_component)
        ]
        for name, value in (
            ("reportingInstance", event.reporting_instance),
            ("action", event.action),
            ("reason", event.reason),
        ):
            if not value:
                found.append(required(name))
            if len(value) > _MAX_NAME:
                found.append(invalid(name, "", f"can have at most {_MAX_NAME} characters"))
        if len(event.message) > _MAX_NOTE:
            found.append(invalid("message", "", f"can have at most {_MAX_NOTE} characters"))
    return found + [invalid("namespace", namespace, why) for why in dns_subdomain(namespace)]


def _series(event: core.Event) -> Errors:
    if event.series is None:
        return []
    found: Errors = []
    if event.series.count < 2:
        found.append(invalid("series.count", "", "should be at least 2"))
    if not event.series.last_observed_time:
        found.append(required("series.lastObservedTime"))
    return found
