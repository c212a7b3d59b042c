"""Requests in flight: how many there may be, and what is counted of them for /metrics.

An upper bound for those that change something and one for those that read; streams (watches, logs, exec and the like) stay
open for long and count apart. Who is over the bound is told to come again, administrators (system:masters) excepted.
Labels name only resources that exist, so that requests for nonsense make no new series.
Source: k8s.io/apiserver pkg/server/filters/maxinflight.go, pkg/endpoints/metrics/metrics.go
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from kubelite.actor.clock import Clock
from kubelite.api.query import Query, first
from kubelite.api.scheme import Scheme
from kubelite.apiserver.interface import User
from kubelite.apiserver.request import RequestInfo

#: Source: kube-apiserver --max-requests-inflight, --max-mutating-requests-inflight
MAX_READING = 400
MAX_MUTATING = 200
#: Upper bounds of the duration's buckets. Source: apiserver_request_duration_seconds of Kubernetes v1.33
BUCKETS_S = (0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60)

_LONG_SUBRESOURCES = frozenset({"attach", "exec", "log", "portforward", "proxy"})
_CONNECTS = frozenset({"attach", "exec", "portforward", "proxy"})
_VERBS = {"create": "POST", "update": "PUT"}
_KNOWN_VERBS = frozenset(
    {"GET", "LIST", "WATCH", "POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION", "CONNECT", "HEAD"}
)
_ADMINISTRATORS = "system:masters"


class Labels(NamedTuple):
    """One series of requests."""

    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    scope: str = ""
    dry_run: str = ""


@dataclass(slots=True)
class Durations:
    """A histogram: how many requests fell into each bucket (the last: over all bounds), and their sum."""

    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    total_s: float = 0.0


@dataclass(slots=True)
class Flight:
    """One request. Whoever answers it sets `code`; it is judged once its user is known."""

    labels: Labels
    is_long: bool
    mutates: bool
    code: int = 500


class Traffic:
    """What is in flight, and what has been answered. All calls belong to one event loop."""

    def __init__(self, clock: Clock) -> None:
        self.answered: Counter[tuple[Labels, int]] = Counter()
        self.refused: Counter[Labels] = Counter()
        self.durations: dict[Labels, Durations] = {}
        self.streams: Counter[Labels] = Counter()
        self.reading = self.mutating = 0
        self._clock = clock

    def is_full(self, flight: Flight, user: User) -> bool:
        """Whether the request has to be refused; it counts as one in flight itself."""
        if flight.is_long or _ADMINISTRATORS in user.groups:
            return False
        full = self.mutating > MAX_MUTATING if flight.mutates else self.reading > MAX_READING
        self.refused[flight.labels] += full
        return full

    @contextmanager
    def carry(self, labels: Labels, *, is_long: bool) -> Iterator[Flight]:
        """The request's time, until it is answered or its stream has ended."""
        mutates = labels.verb not in ("GET", "LIST", "WATCH", "HEAD")
        flight = Flight(labels, is_long, mutates)
        begun = self._clock.monotonic()
        self._count(flight, 1)
        try:
            yield flight
        finally:
            self._count(flight, -1)
            self.answered[labels, flight.code] += 1
            if (durations := self.durations.get(labels)) is None:
                durations = self.durations[labels] = Durations()
            seconds = self._clock.monotonic() - begun
            durations.buckets[bisect_left(BUCKETS_S, seconds)] += 1
            durations.total_s += seconds

    def _count(self, flight: Flight, by: int) -> None:
        if flight.is_long:
            self.streams[flight.labels] += by
        elif flight.mutates:
            self.mutating += by
        else:
            self.reading += by


def is_long(info: RequestInfo) -> bool:
    return info.is_resource and (info.verb in ("watch", "proxy") or info.subresource in _LONG_SUBRESOURCES)


def labels_of(info: RequestInfo, query: Query, scheme: Scheme, content_type: str) -> Labels:
    """The series that a request belongs to."""
    verb = _VERBS.get(info.verb, info.verb.upper())
    if not info.is_resource:
        return Labels(verb if verb in _KNOWN_VERBS else "OTHER")
    try:
        resource = scheme.resource(info.group, info.version, info.resource)
    except KeyError:
        return Labels(verb if verb in _KNOWN_VERBS else "OTHER")
    if info.subresource in _CONNECTS:
        verb = "CONNECT"
    elif verb == "PATCH" and content_type.startswith("application/apply-patch"):
        verb = "APPLY"
    scope = "resource" if info.name or info.verb == "create" else "namespace" if info.namespace else "cluster"
    return Labels(
        verb=verb if verb in _KNOWN_VERBS else "OTHER",
        group=info.group,
        version=info.version,
        resource=info.resource,
        subresource=info.subresource if info.subresource in resource.subresources else "",
        scope=scope,
        dry_run="All" if first(query, "dryRun") == "All" else "",
    )
