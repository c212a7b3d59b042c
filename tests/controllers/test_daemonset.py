"""A pod on every node that allows it, and its replacement when the template changes."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from kubelite.api.apps_v1 import (
    ControllerRevision,
    DaemonSet,
    DaemonSetSpec,
    DaemonSetUpdateStrategy,
    RollingUpdateDaemonSet,
)
from kubelite.api.core_v1 import Node, NodeSpec, Pod, Taint
from kubelite.api.meta import LabelSelector, ObjectMeta
from kubelite.controllers.daemonset import DaemonSetController, node_of
from kubelite.controllers.pods import is_active, is_ready
from tests.controllers.cluster import Cluster
from tests.controllers.objects import template


def node(name: str, **spec: Any) -> Node:
    return Node(metadata=ObjectMeta(name=name, labels={"disk": "ssd"}), spec=NodeSpec(**spec))


def cluster(nodes: int = 3, *, surge: int | str = 0, unavailable: int | str = 1, **spec: Any) -> Cluster:
    made = Cluster(DaemonSetController())
    for number in range(nodes):
        made.put(node(f"node-{number}"))
    rolling = RollingUpdateDaemonSet(max_unavailable=unavailable, max_surge=surge)
    settings: dict[str, Any] = {
        "template": template(),
        "update_strategy": DaemonSetUpdateStrategy(type="RollingUpdate", rolling_update=rolling),
        **spec,
    }
    selector = LabelSelector(match_labels={"app": "web"})
    made.put(
        DaemonSet(
            metadata=ObjectMeta(name="agent", namespace="default"), spec=DaemonSetSpec(selector=selector, **settings)
        )
    )
    made.settle()
    return made


def run(made: Cluster) -> None:
    """The scheduler and the kubelets do their part until all rests."""
    for _ in range(50):
        made.settle()
        waiting = [pod for pod in made.view.list(Pod) if pod.metadata.deletion_timestamp or not is_ready(pod)]
        for pod in waiting:
            if pod.metadata.deletion_timestamp:
                made.remove(pod)
            else:
                made.run_pod(pod, node=node_of(pod))
        if not waiting:
            return
    raise AssertionError("never rests")


def daemon(made: Cluster) -> DaemonSet:
    found = made.view.get(DaemonSet, "agent", "default")
    assert found is not None
    return found


def nodes_of(made: Cluster) -> list[str]:
    return sorted(node_of(pod) for pod in made.view.list(Pod) if is_active(pod))


def images(made: Cluster) -> set[str]:
    return {pod.spec.containers[0].image for pod in made.view.list(Pod)}


def test_every_node_gets_a_pod_that_names_it_and_endures_its_troubles() -> None:
    made = cluster()
    assert nodes_of(made) == ["node-0", "node-1", "node-2"]
    keys = {(entry.key, entry.effect) for entry in made.view.list(Pod)[0].spec.tolerations}
    assert ("node.kubernetes.io/unreachable", "NoExecute") in keys
    assert ("node.kubernetes.io/unschedulable", "NoSchedule") in keys
    run(made)
    status = daemon(made).status
    assert (status.desired_number_scheduled, status.number_ready, status.number_available) == (3, 3, 3)
    assert (status.updated_number_scheduled, status.number_unavailable) == (3, 0)


def test_nodes_come_and_change_their_mind() -> None:
    made = cluster(1)
    made.put(node("node-9"))
    run(made)
    assert nodes_of(made) == ["node-0", "node-9"]
    found = made.view.get(Node, "node-9")
    assert found is not None
    made.put(replace(found, spec=NodeSpec(taints=(Taint(key="mine", effect="NoExecute"),))))
    run(made)
    assert nodes_of(made) == ["node-0"]


def test_a_selector_and_taints_choose_nodes() -> None:
    selective = template()
    made = cluster(template=replace(selective, spec=replace(selective.spec, node_selector={"disk": "hdd"})))
    assert nodes_of(made) == []
    assert daemon(made).status.desired_number_scheduled == 0


def test_a_rolling_update_keeps_to_max_unavailable() -> None:
    made = cluster(4, unavailable=2)
    run(made)
    made.put(replace(daemon(made), spec=replace(daemon(made).spec, template=template("app:2"))))
    made.settle()
    assert sum(is_active(pod) for pod in made.view.list(Pod)) == 2
    run(made)
    assert images(made) == {"app:2"}
    assert len(made.view.list(ControllerRevision)) == 2


def test_a_surge_starts_the_new_pod_before_the_old_one_ends() -> None:
    made = cluster(2, surge=1, unavailable=0)
    run(made)
    made.put(replace(daemon(made), spec=replace(daemon(made).spec, template=template("app:2"))))
    made.settle()
    assert len(nodes_of(made)) == 3
    run(made)
    assert images(made) == {"app:2"}
    assert nodes_of(made) == ["node-0", "node-1"]


def test_on_delete_replaces_only_what_the_user_deletes() -> None:
    made = cluster(2, update_strategy=DaemonSetUpdateStrategy(type="OnDelete"))
    run(made)
    made.put(replace(daemon(made), spec=replace(daemon(made).spec, template=template("app:2"))))
    run(made)
    assert images(made) == {"app:1"}
    made.remove(made.view.list(Pod)[0])
    run(made)
    assert images(made) == {"app:1", "app:2"}


def test_a_failed_pod_is_replaced_later_every_time() -> None:
    made = cluster(1)
    for _ in range(2):
        failing = made.run_pod(made.view.list(Pod)[0], node="node-0")
        made.put(replace(failing, status=replace(failing.status, phase="Failed")))
        made.settle()
    assert made.view.list(Pod)[0].status.phase == "Failed"
    made.advance(2)
    assert made.view.list(Pod)[0].status.phase == ""
    assert [reason for reason, _ in made.events].count("FailedDaemonPod") == 2
