"""Probe answers become results after as many as the thresholds say."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from kubelite.api.core_v1 import Container, ContainerPort, HTTPGetAction, HTTPHeader, Probe
from kubelite.kubelet.probes import Streak, http_request, is_over, port_number, step


@given(st.lists(st.booleans()), st.integers(1, 4), st.integers(1, 4))
def test_a_result_follows_exactly_the_threshold_of_equal_answers(
    answers: list[bool], success: int, failure: int
) -> None:
    probe = Probe(success_threshold=success, failure_threshold=failure)
    streak = Streak()
    for at, ok in enumerate(answers):
        streak, result = step(streak, probe, ok=ok)
        needed = success if ok else failure
        run = answers[max(0, at - needed + 1) : at + 1]
        assert (result is ok) == (len(run) == needed and all(each is ok for each in run))


def test_a_failed_liveness_and_any_startup_result_end_the_probe() -> None:
    assert is_over("liveness", False)
    assert not is_over("liveness", True)
    assert is_over("startup", True)
    assert is_over("startup", False)
    assert not is_over("startup", None)
    assert not is_over("readiness", False)


def test_ports_go_by_number_or_name() -> None:
    container = Container(name="c", ports=(ContainerPort(name="http", container_port=8080),))
    assert [port_number(port, container) for port in (80, "81", "http")] == [80, 81, 8080]
    for bad in ("nope", 0, 70000):
        with pytest.raises(ValueError, match="port"):
            port_number(bad, container)


def test_a_get_carries_the_kubelets_headers_unless_the_probe_has_its_own() -> None:
    plain = http_request(HTTPGetAction(port=80, path="x"), Container(name="c"), "10.0.0.1")
    assert plain.url == "http://10.0.0.1:80/x"
    assert dict(plain.headers) == {"User-Agent": "kube-probe/1.33", "Accept": "*/*"}
    own = HTTPGetAction(
        port=443,
        scheme="HTTPS",
        host="h",
        http_headers=(HTTPHeader(name="User-Agent", value="me"), HTTPHeader(name="Accept")),
    )
    made = http_request(own, Container(name="c"), "10.0.0.1")
    assert (made.url, dict(made.headers)) == ("https://h:443/", {"User-Agent": "me"})
