"""Simulated nodes and what each gets of the cluster's network."""

from __future__ import annotations

import ipaddress

from msgspec.structs import replace

from kubelite import Cluster
from kubelite.actor.clock import SeededClock
from kubelite.api.core_v1 import Container, Node, Pod, PodSpec
from kubelite.api.meta import ObjectMeta
from kubelite.testing.virtual import run_virtually


async def test_many_nodes_share_a_small_network_and_say_how_many_pods_they_have_room_for() -> None:
    async with Cluster(nodes=20, pod_cidr="10.244.3.0/24") as cluster:
        nodes = (await cluster.client.list(Node)).items
        parts = [ipaddress.IPv4Network(node.spec.pod_cidr) for node in nodes]
        assert len({*parts}) == 20
        assert all(part.subnet_of(ipaddress.IPv4Network("10.244.3.0/24")) for part in parts)
        assert {node.status.allocatable["pods"] for node in nodes} == {"5"}


async def test_a_node_with_a_network_of_its_own_takes_the_usual_number_of_pods() -> None:
    async with Cluster(nodes=2) as cluster:
        nodes = (await cluster.client.list(Node)).items
        assert [node.spec.pod_cidr for node in nodes] == ["10.244.0.0/24", "10.244.1.0/24"]
        assert {node.status.allocatable["pods"] for node in nodes} == {"110"}


async def test_what_a_pod_simulates_is_said_by_its_annotations() -> None:
    said = {"run-for": "10ms", "exit-code": "0", "main.exit-code": "3"}
    async with Cluster() as cluster:
        meta = ObjectMeta(
            name="p",
            namespace="default",
            annotations={f"simulated.kubelite.io/{key}": value for key, value in said.items()},
        )
        spec = PodSpec(containers=(Container(name="main", image="app:1"),), restart_policy="Never")
        await cluster.client.create(Pod(metadata=meta, spec=spec))
        ended = await cluster.wait_for(Pod, "p", lambda seen: seen.status.phase == "Failed")
        terminated = ended.status.container_statuses[0].state.terminated
        assert terminated is not None
        assert (terminated.exit_code, terminated.reason) == (3, "Error")


def test_a_node_that_others_change_or_delete_is_put_right_by_its_heartbeat() -> None:
    def is_ready(node: Node) -> bool:
        return any(each.type == "Ready" and each.status == "True" for each in node.status.conditions)

    async def main() -> None:
        async with Cluster(clock=SeededClock()) as cluster:
            node = await cluster.client.get(Node, "node-1")
            assert is_ready(node)
            lost = tuple(replace(each, status="Unknown") for each in node.status.conditions)
            lost_node = replace(node, status=replace(node.status, conditions=lost))
            await cluster.client.update(lost_node, subresource="status")
            await cluster.wait_for(Node, "node-1", lambda seen: not is_ready(seen), namespace="")
            await cluster.wait_for(Node, "node-1", is_ready, namespace="")
            await cluster.client.delete(Node, "node-1")
            again = await cluster.wait_for(
                Node, "node-1", lambda seen: seen.metadata.uid != node.metadata.uid and is_ready(seen), namespace=""
            )
            assert again.spec.pod_cidr == node.spec.pod_cidr

    run_virtually(main())
