from __future__ import annotations

import pytest

from kubelite.proxy.rules import DROP, REJECT, RuleSet, compute_elements
from kubelite.proxy.services import Endpoint, ServicePort

KEY = "tcp . 10.96.0.7 . 80"
HERE = Endpoint(ip="10.244.0.2", port=8080, node="here")
THERE = Endpoint(ip="10.244.0.3", port=8080, node="there")


def port(**settings: object) -> ServicePort:
    return ServicePort(**{"owner": "default/web", "port": 80, "cluster_ips": ("10.96.0.7",), **settings})  # type: ignore[arg-type]


def test_each_endpoint_has_a_slot_and_the_verdict_counts_them() -> None:
    found = compute_elements(port(), [HERE, THERE], "here")
    assert found["services", KEY] == "goto n2"
    assert found["endpoints", f"{KEY} . 0"] == "10.244.0.2 . 8080"
    assert found["endpoints", f"{KEY} . 1"] == "10.244.0.3 . 8080"


@pytest.mark.parametrize(
    ("internal_local", "endpoints", "verdict"),
    [(False, [], REJECT), (True, [], REJECT), (True, [THERE], DROP), (True, [HERE], None), (False, [THERE], None)],
)
def test_no_endpoint_at_all_refuses_and_none_here_drops(
    internal_local: bool, endpoints: list[Endpoint], verdict: str | None
) -> None:
    found = compute_elements(port(internal_local=internal_local), endpoints, "here")
    assert found.get(("blocked", KEY)) == verdict
    assert (("services", KEY) in found) == (verdict is None)


@pytest.mark.parametrize(("external_local", "verdict"), [(False, "goto m2"), (True, "goto n2")])
def test_external_addresses_are_masqueraded_except_by_policy_local(external_local: bool, verdict: str) -> None:
    service = port(external_ips=("192.0.2.1",), external_local=external_local)
    found = compute_elements(service, [HERE, THERE], "here")
    assert found["services", "tcp . 192.0.2.1 . 80"] == verdict
    local = found.get(("external_services", "tcp . 192.0.2.1 . 80"))
    assert local == ("goto l1" if external_local else None)


def test_an_address_claimed_twice_belongs_to_the_first_by_name_in_any_order() -> None:
    one = compute_elements(port(), [HERE], "here")
    two = compute_elements(port(), [HERE, THERE], "here")
    for order in (("a", "b"), ("b", "a")):
        rules = RuleSet()
        for owner in order:
            rules.replace(owner, {"a": one, "b": two}[owner])
        assert rules.elements()["services", KEY] == "goto n1"
        rules.replace("a", {})
        assert rules.elements() == two


def test_a_change_that_was_undone_is_none() -> None:
    rules = RuleSet()
    rules.replace("a", compute_elements(port(), [HERE], "here"))
    rules.take_changes()
    rules.replace("a", compute_elements(port(), [HERE, THERE], "here"))
    rules.replace("a", compute_elements(port(), [HERE], "here"))
    assert rules.take_changes() == ({}, {})


def test_a_new_endpoint_changes_its_slot_and_the_count_only() -> None:
    rules = RuleSet()
    rules.replace("a", compute_elements(port(), [HERE], "here"))
    rules.take_changes()
    rules.replace("a", compute_elements(port(), [HERE, THERE], "here"))
    old, new = rules.take_changes()
    assert old == {("services", KEY): "goto n1"}
    assert new == {
        ("services", KEY): "goto n2",
        ("endpoints", f"{KEY} . 1"): "10.244.0.3 . 8080",
        ("hairpin", "10.244.0.3 . 10.244.0.3"): "",
    }
