"""Events between v1, in which they are stored, and events.k8s.io/v1: the same fields under other names. Pure.

Source: kubernetes pkg/apis/events/v1/conversion.go
"""

from __future__ import annotations

from kubelite.api import core_v1 as core, events_v1 as events


def to_events(event: core.Event) -> events.Event:
    series = event.series
    return events.Event(
        metadata=event.metadata,
        event_time=event.event_time,
        series=events.EventSeries(count=series.count, last_observed_time=series.last_observed_time) if series else None,
        reporting_controller=event.reporting_component,
        reporting_instance=event.reporting_instance,
        action=event.action,
        reason=event.reason,
        regarding=event.involved_object,
        related=event.related,
        note=event.message,
        type=event.type,
        deprecated_source=event.source,
        deprecated_first_timestamp=event.first_timestamp,
        deprecated_last_timestamp=event.last_timestamp,
        deprecated_count=event.count,
    )


def from_events(event: events.Event) -> core.Event:
    series = event.series
    return core.Event(
        metadata=event.metadata,
        event_time=event.event_time,
        series=core.EventSeries(count=series.count, last_observed_time=series.last_observed_time) if series else None,
        reporting_component=event.reporting_controller,
        reporting_instance=event.reporting_instance,
        action=event.action,
        reason=event.reason,
        involved_object=event.regarding,
        related=event.related,
        message=event.note,
        type=event.type,
        source=event.deprecated_source,
        first_timestamp=event.deprecated_first_timestamp,
        last_timestamp=event.deprecated_last_timestamp,
        count=event.deprecated_count,
    )
