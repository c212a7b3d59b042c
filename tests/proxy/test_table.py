"""The table's text against the real kernel, in a network namespace of its own, and against a model that is only dicts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings, strategies as st

from kubelite.proxy.rules import Elements, RuleSet, compute_elements
from kubelite.proxy.services import Endpoint, ServicePort
from kubelite.proxy.table import TableConfig, encode_delete, encode_full, encode_update

from .netns import Namespace

CONFIG = TableConfig(name="kubelite_test", pod_cidr="10.244.0.0/24", service_cidr="10.96.0.0/16", links="kltest*")

PORTS = st.builds(
    ServicePort,
    owner=st.just("default/x"),
    name=st.just("http"),
    protocol=st.sampled_from(["tcp", "udp"]),
    port=st.sampled_from([80, 81]),
    cluster_ips=st.sampled_from([("10.96.0.1",), ("10.96.0.2",)]),
    external_ips=st.sampled_from([(), ("192.0.2.1",)]),
    load_balancer_ips=st.sampled_from([(), ("192.0.2.1",), ("192.0.2.2",)]),
    node_port=st.sampled_from([0, 30000, 30001]),
    affinity_s=st.sampled_from([0, 0, 60]),
    internal_local=st.booleans(),
    external_local=st.booleans(),
)
ENDPOINTS = st.lists(
    st.builds(
        Endpoint,
        ip=st.sampled_from(["10.244.0.2", "10.244.0.3", "10.244.0.4", "10.244.0.5"]),
        port=st.just(8080),
        ready=st.booleans(),
        serving=st.booleans(),
        terminating=st.booleans(),
        node=st.sampled_from(["here", "there"]),
    ),
    max_size=4,
    unique_by=lambda e: e.ip,
).map(sorted)
EDITS = st.lists(
    st.tuples(st.sampled_from("abc"), st.none() | st.tuples(PORTS, ENDPOINTS), st.booleans()), min_size=1, max_size=8
)


class Model:
    """What a table holds, told by its own text. Adding what is there or deleting what is not is refused, as by the kernel."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], str] = {}

    def run(self, text: str) -> None:
        for line in text.splitlines():
            words = line.split()
            if match := re.fullmatch(r"(add|delete) element ip \S+ (\S+) \{ (.*) \}", line):
                verb, name, body = match.groups()
                for part in body.split(", "):
                    key, _, value = part.partition(" : ")
                    self._change(verb, (name, key), value)
            elif words[:2] == ["add", "chain"]:
                self._change("add", ("chain", words[4]), "")
            elif words[:2] == ["flush", "chain"]:
                assert ("chain", words[4]) in self.held
                self.held["chain", words[4]] = ""
            elif words[:2] == ["add", "rule"]:
                old = self.held["chain", words[4]]
                rule = line.split(f" {words[4]} ", 1)[1]
                self.held["chain", words[4]] = f"{old}\n{rule}" if old else rule
            elif words[:2] == ["add", "set"]:
                self._change("add", ("set", words[4]), line.split("{ ", 1)[1].removesuffix(" }"))
            elif words[0] == "delete" and words[1] in {"chain", "set"}:
                self._change("delete", (words[1], words[4]), "")
            else:
                raise AssertionError(line)

    def _change(self, verb: str, key: tuple[str, str], value: str) -> None:
        assert (key in self.held) == (verb == "delete"), (verb, key)
        if verb == "add":
            self.held[key] = value
        else:
            del self.held[key]

    def check(self, elements: Elements) -> None:
        assert self.held == elements
        for value in elements.values():
            if value.startswith("goto a_"):
                assert ("chain", value.split()[1]) in elements


@given(EDITS)
def test_updates_lead_to_what_a_full_table_holds(
    edits: list[tuple[str, tuple[ServicePort, list[Endpoint]] | None, bool]],
) -> None:
    rules, model = RuleSet(), Model()
    last: dict[str, Elements] = {}
    for owner, edit, commit in edits:
        last[owner] = compute_elements(*edit, "here") if edit else {}
        rules.replace(owner, last[owner])
        if commit:
            model.run(encode_update(*rules.take_changes(), CONFIG))
            model.check(rules.elements())
    model.run(encode_update(*rules.take_changes(), CONFIG))
    fresh = RuleSet()
    for owner, elements in sorted(last.items(), reverse=True):
        fresh.replace(owner, elements)
    full = Model()
    full.run(encode_update({}, fresh.elements(), CONFIG))
    assert model.held == full.held == rules.elements()
    model.check(rules.elements())


@settings(max_examples=25, deadline=None)
@given(EDITS)
def test_the_kernel_takes_every_update_and_the_full_table(
    namespace: Namespace, edits: list[tuple[str, tuple[ServicePort, list[Endpoint]] | None, bool]]
) -> None:
    rules = RuleSet()
    namespace.nft(encode_full({}, CONFIG))
    for owner, edit, commit in edits:
        rules.replace(owner, compute_elements(*edit, "here") if edit else {})
        if commit:
            namespace.nft(encode_update(*rules.take_changes(), CONFIG))
    namespace.nft(encode_update(*rules.take_changes(), CONFIG))
    updated = namespace.listing(CONFIG.name)
    namespace.nft(encode_full(rules.elements(), CONFIG))
    assert namespace.listing(CONFIG.name) == updated


def test_an_instance_leaves_the_tables_of_others_alone(namespace: Namespace) -> None:
    other = TableConfig(name="kubelite_other", pod_cidr="10.245.0.0/24", service_cidr="10.97.0.0/16", links="klother*")
    for config in (CONFIG, other):
        namespace.nft(encode_full({}, config))
    before = namespace.listing(other.name)
    port = ServicePort(owner="default/web", port=80, cluster_ips=("10.96.0.7",), node_port=30080)
    namespace.nft(encode_full(compute_elements(port, [Endpoint(ip="10.244.0.2", port=80)], "here"), CONFIG))
    assert namespace.listing(other.name) == before
    namespace.nft(encode_delete(CONFIG))
    namespace.nft(encode_delete(CONFIG))
    assert namespace.tables() == ["kubelite_other"]


def test_a_refused_transaction_changes_nothing(namespace: Namespace) -> None:
    port = ServicePort(owner="default/web", port=80, cluster_ips=("10.96.0.7",))
    elements = compute_elements(port, [Endpoint(ip="10.244.0.2", port=80)], "here")
    namespace.nft(encode_full(elements, CONFIG))
    before = namespace.listing(CONFIG.name)
    with pytest.raises(AssertionError):
        namespace.nft(
            encode_update({("services", "tcp . 10.96.0.9 . 80"): "goto n1"}, {("cluster_ips", "10.96.0.9"): ""}, CONFIG)
        )
    assert namespace.listing(CONFIG.name) == before
