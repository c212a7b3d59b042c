"""/metrics: what `traffic` counted, in Prometheus' text format and under upstream's names.

The official client library is imported when somebody asks, not before: start-up does not pay for it.
Source: https://kubernetes.io/docs/reference/instrumentation/metrics/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from kubelite.apiserver.answers import Answer
from kubelite.apiserver.traffic import BUCKETS_S, Durations, Labels, Traffic

if TYPE_CHECKING:
    from prometheus_client.core import Metric

_NAMES = Labels._fields
_COMPONENT = "apiserver"
_STREAMS = frozenset({"WATCH", "CONNECT"})


def answer_metrics(traffic: Traffic, version: str, storage: str) -> Answer:
    """The answer to GET /metrics; `storage` is what the store has to say."""
    from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
    from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

    registry = CollectorRegistry()
    registry.register(_Requests(traffic, version))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return Answer(body=generate_latest(registry) + storage.encode(), type=CONTENT_TYPE_PLAIN_0_0_4)


class _Requests:
    """Implements the library's Collector."""

    def __init__(self, traffic: Traffic, version: str) -> None:
        self._traffic = traffic
        self._version = version

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        traffic, labels = self._traffic, ("component", *_NAMES)
        total = CounterMetricFamily(
            "apiserver_request", "Requests, by verb, resource and code.", labels=(*labels, "code")
        )
        for (series, code), count in traffic.answered.items():
            total.add_metric((_COMPONENT, *series, str(code)), count)
        yield total
        durations = HistogramMetricFamily(
            "apiserver_request_duration_seconds", "How long requests took.", labels=labels
        )
        judged = HistogramMetricFamily(
            "apiserver_request_sli_duration_seconds", "How long requests took, streams apart.", labels=labels
        )
        for series, found in traffic.durations.items():
            durations.add_metric((_COMPONENT, *series), list(_cumulative(found)), found.total_s)
            if series.verb not in _STREAMS:
                judged.add_metric((_COMPONENT, *series), list(_cumulative(found)), found.total_s)
        yield durations
        yield judged
        build = GaugeMetricFamily("kubernetes_build_info", "Always 1; labels tell what runs.", labels=("git_version",))
        build.add_metric((f"{self._version}+kubelite",), 1)
        yield build
        flying = GaugeMetricFamily(
            "apiserver_current_inflight_requests", "Requests being answered, streams apart.", labels=("request_kind",)
        )
        flying.add_metric(("mutating",), traffic.mutating)
        flying.add_metric(("readOnly",), traffic.reading)
        yield flying
        streams = GaugeMetricFamily("apiserver_longrunning_requests", "Open streams, such as watches.", labels=labels)
        for series, count in traffic.streams.items():
            streams.add_metric((_COMPONENT, *series), count)
        yield streams
        ended = CounterMetricFamily(
            "apiserver_request_terminations", "Requests refused to protect the server.", labels=(*labels, "code")
        )
        for series, count in traffic.refused.items():
            ended.add_metric((_COMPONENT, *series, "429"), count)
        yield ended


def _cumulative(found: Durations) -> Iterable[tuple[str, float]]:
    """(upper bound, requests at or below it)."""
    below = 0
    for bound, count in zip((*map(str, map(float, BUCKETS_S)), "+Inf"), found.buckets, strict=True):
        below += count
        yield bound, below
