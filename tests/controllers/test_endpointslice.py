"""Which endpoints a Service has, and that one pod's change rewrites one slice."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from kubelite.api.core_v1 import Endpoints, Pod, Service, ServicePort
from kubelite.api.discovery_v1 import EndpointSlice
from kubelite.client.plan import Update
from kubelite.controllers.endpoints import EndpointsController
from kubelite.controllers.endpointslice import EndpointSliceController
from tests.controllers.cluster import Cluster
from tests.controllers.objects import pod, service


def cluster(pods: int = 0, **spec: Any) -> Cluster:
    made = Cluster(EndpointSliceController(), EndpointsController())
    made.put(service(**spec))
    for number in range(pods):
        made.run_pod(made.put(pod(f"web-{number}")))
    made.settle()
    return made


def slices(made: Cluster) -> list[EndpointSlice]:
    return list(made.view.list(EndpointSlice))


def states(made: Cluster) -> dict[str, tuple[bool | None, bool | None, bool | None]]:
    return {
        endpoint.target_ref.name: (
            endpoint.conditions.ready,
            endpoint.conditions.serving,
            endpoint.conditions.terminating,
        )
        for slice_ in slices(made)
        for endpoint in slice_.endpoints
        if endpoint.target_ref
    }


def test_a_service_without_pods_has_one_empty_slice() -> None:
    (only,) = slices(cluster())
    assert only.endpoints == ()
    assert only.metadata.labels == {
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }


def test_conditions_tell_ready_serving_and_terminating_apart() -> None:
    made = cluster(3)
    first, second, _ = sorted(made.view.list(Pod), key=lambda entry: entry.metadata.name)
    made.run_pod(first, ready=False)
    made.delete(second)
    made.settle()
    assert states(made) == {
        "web-0": (False, False, False),
        "web-1": (False, True, True),
        "web-2": (True, True, False),
    }
    endpoints = made.view.get(Endpoints, "web", "default")
    assert endpoints is not None
    (subset,) = endpoints.subsets
    assert [address.target_ref.name for address in subset.addresses if address.target_ref] == ["web-2"]
    assert [address.target_ref.name for address in subset.not_ready_addresses if address.target_ref] == ["web-0"]


def test_published_not_ready_addresses_are_ready() -> None:
    made = cluster(1, publish_not_ready_addresses=True)
    made.run_pod(made.view.list(Pod)[0], ready=False)
    made.settle()
    assert states(made) == {"web-0": (True, False, False)}


def test_named_ports_are_resolved_per_pod() -> None:
    made = cluster(1)
    other = pod("other")
    container = other.spec.containers[0]
    ports = (replace(container.ports[0], container_port=9090),)
    made.run_pod(made.put(replace(other, spec=replace(other.spec, containers=(replace(container, ports=ports),)))))
    made.settle()
    assert {(slice_.ports[0].port, len(slice_.endpoints)) for slice_ in slices(made)} == {(8080, 1), (9090, 1)}


def test_a_headless_service_is_labelled_and_names_hosts() -> None:
    made = cluster(cluster_ip="None", ports=())
    made.run_pod(made.put(pod("db-0", hostname="db-0", subdomain="web")))
    made.settle()
    (only,) = slices(made)
    assert only.metadata.labels["service.kubernetes.io/headless"] == ""
    assert only.endpoints[0].hostname == "db-0"
    assert only.ports == ()


def test_slices_hold_a_hundred_and_a_change_rewrites_one() -> None:
    made = cluster(250)
    assert sorted(len(slice_.endpoints) for slice_ in slices(made)) == [50, 100, 100]
    made.plans.clear()
    made.run_pod(made.view.list(Pod)[42], ready=False)
    made.settle()
    updated = [
        write.obj.metadata.name
        for plan in made.plans
        for write in plan.writes
        if isinstance(write, Update) and isinstance(write.obj, EndpointSlice)
    ]
    assert len(updated) == 1
    made.remove(made.view.list(Pod)[7])
    made.run_pod(made.put(pod("web-new")))
    made.settle()
    assert len(slices(made)) == 3
    assert len(states(made)) == 250


def test_a_change_that_endpoints_do_not_show_wakes_nobody() -> None:
    made = cluster(1)
    made.plans.clear()
    only = made.view.list(Pod)[0]
    made.put(replace(only, metadata=replace(only.metadata, annotations={"note": "x"})))
    assert made.settle() == 0


def test_a_port_change_replaces_the_slice() -> None:
    made = cluster(2)
    current = made.view.get(Service, "web", "default")
    assert current is not None
    port = ServicePort(name="http", protocol="TCP", port=80, target_port=9999)
    made.put(replace(current, spec=replace(current.spec, ports=(port,))))
    made.settle()
    (only,) = slices(made)
    assert (only.ports[0].port, len(only.endpoints)) == (9999, 2)


def test_endpoints_go_with_their_service() -> None:
    made = cluster(1)
    current = made.view.get(Service, "web", "default")
    assert current is not None
    made.remove(current)
    made.settle()
    assert made.view.get(Endpoints, "web", "default") is None
