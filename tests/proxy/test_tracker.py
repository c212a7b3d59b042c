from __future__ import annotations

from hypothesis import given, strategies as st

from kubelite.api.core_v1 import Namespace, Service
from kubelite.api.discovery_v1 import EndpointSlice
from kubelite.api.meta import ObjectMeta
from kubelite.proxy.dns import Responder
from kubelite.proxy.rules import compute_services
from kubelite.proxy.tracker import Tracker

from .builders import endpoint, endpoint_slice, service

SLOT = ("endpoints", "tcp . 10.96.0.7 . 80 . 0")
A, B = "10.244.0.2", "10.244.0.3"


def tracker() -> Tracker:
    return Tracker(Responder("cluster.local"), node_name="here", domain="cluster.local")


def targets(of: Tracker) -> set[str]:
    of.recompute()
    return {value.split()[0] for (name, _), value in of.rules.elements().items() if name == "endpoints"}


def test_a_removed_endpoint_stays_out_until_its_slices_agree() -> None:
    made = tracker()
    made.see_service(None, service())
    ready = endpoint_slice([endpoint(A), endpoint(B)])
    made.see_slice(None, ready)
    assert targets(made) == {A, B}
    assert made.remove(A, dead=False)
    assert targets(made) == {B}
    again = endpoint_slice([endpoint(A), endpoint(B), endpoint("10.244.0.4")])
    made.see_slice(ready, again)
    assert targets(made) == {B, "10.244.0.4"}
    leaving = endpoint_slice([endpoint(A, ready=False, serving=True, terminating=True), endpoint(B)])
    made.see_slice(again, leaving)
    assert targets(made) == {B}
    made.see_slice(leaving, ready)
    assert targets(made) == {A, B}


def test_the_last_endpoint_serves_while_it_terminates_but_not_when_dead() -> None:
    made = tracker()
    made.see_service(None, service())
    made.see_slice(None, endpoint_slice([endpoint(A)]))
    made.remove(A, dead=False)
    assert targets(made) == {A}
    made.remove(A, dead=True)
    assert targets(made) == set()
    made.restore(A)
    assert targets(made) == {A}


def test_a_removal_does_not_outlive_its_pod() -> None:
    made = tracker()
    made.see_service(None, service())
    first, second = (endpoint_slice([endpoint(A, uid=uid)]) for uid in ("one", "two"))
    made.see_slice(None, first)
    made.remove(A, dead=True)
    made.see_slice(first, second)
    assert targets(made) == {A}
    made.remove(A, dead=True)
    made.see_slice(second, None)
    made.see_slice(None, second)
    assert targets(made) == {A}


def test_an_address_that_nothing_lists_is_no_endpoint() -> None:
    assert not tracker().remove(A, dead=True)


SERVICES = st.builds(
    service, st.sampled_from(["web", "db"]), cluster_ip=st.sampled_from(["10.96.0.7", "None", "10.96.0.8"])
)
SLICES = st.builds(
    endpoint_slice,
    st.lists(
        st.builds(endpoint, st.sampled_from([A, B]), ready=st.booleans()), max_size=2, unique_by=lambda e: e.addresses
    ),
    name=st.sampled_from(["s1", "s2"]),
    of=st.sampled_from(["web", "db"]),
)


@given(st.lists(st.tuples(SERVICES | SLICES, st.booleans(), st.booleans()), max_size=12))
def test_any_order_of_events_leads_to_the_rules_of_the_last_state(
    events: list[tuple[Service | EndpointSlice, bool, bool]],
) -> None:
    made = tracker()
    services: dict[str, Service] = {}
    slices: dict[str, EndpointSlice] = {}
    for obj, gone, look in events:
        name = obj.metadata.name
        if isinstance(obj, Service):
            made.see_service(services.get(name), None if gone else obj)
            services.pop(name, None)
            services.update({} if gone else {name: obj})
        else:
            made.see_slice(slices.get(name), None if gone else obj)
            slices.pop(name, None)
            slices.update({} if gone else {name: obj})
        if look:
            made.recompute()
    made.recompute()
    assert made.rules.elements() == compute_services(services.values(), slices.values(), "here").elements()


def test_a_namespace_has_names_as_long_as_it_exists() -> None:
    responder = Responder("cluster.local")
    made = Tracker(responder, node_name="here", domain="cluster.local")
    question = b"\0\1\1\0\0\1\0\0\0\0\0\0\7default\3svc\7cluster\5local\0\0\1\0\1"

    def rcode() -> int:
        answer = responder.respond(question, udp=True)
        assert isinstance(answer, bytes)
        return answer[3] & 15

    namespace = Namespace(metadata=ObjectMeta(name="default"))
    assert rcode() == 3
    made.see_namespace(None, namespace)
    assert rcode() == 0
    made.see_namespace(namespace, None)
    assert rcode() == 3
