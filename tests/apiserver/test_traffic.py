"""Bounds on requests in flight, their counts, and /metrics."""

from __future__ import annotations

from contextlib import ExitStack

from prometheus_client.parser import text_string_to_metric_families

from kubelite.actor.clock import SeededClock
from kubelite.api.query import parse_query
from kubelite.api.scheme import Scheme
from kubelite.apiserver.interface import User
from kubelite.apiserver.metrics import answer_metrics
from kubelite.apiserver.request import parse_request
from kubelite.apiserver.traffic import MAX_MUTATING, MAX_READING, Labels, Traffic, is_long, labels_of
from tests.apiserver.serving import ALICE, served

ALICE_USER = User(name="alice")
ADMIN_USER = User(name="admin", groups=("system:masters",))


def labels(method: str, path: str, query: str = "", content_type: str = "") -> Labels:
    found = parse_query(query)
    return labels_of(parse_request(method, path, found), found, Scheme(), content_type)


def test_requests_are_told_apart_as_upstream_does() -> None:
    assert labels("GET", "/api/v1/pods") == Labels("LIST", "", "v1", "pods", "", "cluster")
    assert labels("GET", "/api/v1/namespaces/a/pods", "watch=1").verb == "WATCH"
    assert labels("POST", "/api/v1/namespaces/a/pods", "dryRun=All") == Labels(
        "POST", "", "v1", "pods", "", "resource", "All"
    )
    assert labels("GET", "/api/v1/namespaces/a/pods/b/exec").verb == "CONNECT"
    assert labels("PATCH", "/api/v1/namespaces/a/pods/b", content_type="application/apply-patch+yaml").verb == "APPLY"
    assert labels("GET", "/api/v1/namespaces/a/pods/b/nonsense").subresource == ""
    assert labels("NONSENSE", "/api/v1/nonsense") == labels("ODD", "/x") == Labels("OTHER")
    assert is_long(parse_request("GET", "/api/v1/namespaces/a/pods/b/log", {}))
    assert not is_long(parse_request("GET", "/api/v1/namespaces/a/pods/b", {}))


async def test_reads_and_changes_have_bounds_of_their_own_and_streams_and_administrators_none() -> None:
    traffic = Traffic(SeededClock())
    for verb, bound in (("GET", MAX_READING), ("POST", MAX_MUTATING)):
        with ExitStack() as stack:
            for _ in range(bound):
                assert not traffic.is_full(stack.enter_context(traffic.carry(Labels(verb), is_long=False)), ALICE_USER)
            over = stack.enter_context(traffic.carry(Labels(verb), is_long=False))
            assert traffic.is_full(over, ALICE_USER)
            assert not traffic.is_full(over, ADMIN_USER)
            assert not traffic.is_full(stack.enter_context(traffic.carry(Labels("WATCH"), is_long=True)), ALICE_USER)
        assert (traffic.reading, traffic.mutating) == (0, 0)


async def test_the_text_is_prometheus_and_says_what_happened() -> None:
    clock = SeededClock()
    traffic = Traffic(clock)
    with traffic.carry(Labels("GET", "", "v1", "pods"), is_long=False) as flight:
        flight.code = 404
        families = {
            each.name: each
            for each in text_string_to_metric_families(answer_metrics(traffic, "v1.33.0", "").body.decode())
        }
        flying = {
            each.labels["request_kind"]: each.value for each in families["apiserver_current_inflight_requests"].samples
        }
        assert flying == {"mutating": 0, "readOnly": 1}
    families = {
        each.name: each for each in text_string_to_metric_families(answer_metrics(traffic, "v1.33.0", "").body.decode())
    }
    (total,) = families["apiserver_request"].samples
    assert total.name == "apiserver_request_total"
    assert (total.labels["code"], total.labels["resource"], total.value) == ("404", "pods", 1)
    buckets = {each.labels.get("le"): each.value for each in families["apiserver_request_duration_seconds"].samples}
    assert buckets["+Inf"] == 1
    assert "0.005" in buckets


async def test_metrics_are_for_those_who_may_read_them() -> None:
    async with served() as s:
        await s.ask("GET", "/api/v1/namespaces/default/configmaps")
        code, text = await s.ask("GET", "/metrics")
        assert code == 200
        assert 'apiserver_request_total{code="200"' in text
        assert (await s.ask("GET", "/metrics", token=ALICE))[0] == 403
