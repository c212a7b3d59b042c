"""Built-in kinds that are served in two versions and stored in one: which, and how one becomes the other.

The conversions are loaded when an object of the version that is not stored is read or written.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec

from kubelite.api.meta import Object


class Conversion(msgspec.Struct, frozen=True):
    """From and to the version that is stored, whose type is `stored`."""

    stored: type[Object]
    load: Callable[[Any], Any]
    store: Callable[[Any], Any]


@lru_cache(maxsize=1024)
def conversion_of(type_: Any) -> Conversion | None:
    """None for what is stored as it is served."""
    match type_.api_version, type_.kind:
        case "autoscaling/v1", "HorizontalPodAutoscaler":
            from kubelite.api import autoscaling_v2, autoscaling_versions as scalers

            return Conversion(autoscaling_v2.HorizontalPodAutoscaler, scalers.to_v1, scalers.from_v1)
        case "events.k8s.io/v1", "Event":
            from kubelite.api import core_v1, events_versions

            return Conversion(core_v1.Event, events_versions.to_events, events_versions.from_events)
    return None
