"""Registration, heartbeats and the node's status."""

from __future__ import annotations

from msgspec.structs import replace

from kubelite.actor.clock import SeededClock
from kubelite.api.coordination_v1 import Lease
from kubelite.api.core_v1 import ContainerImage, Node, NodeStatus
from kubelite.kubelet.machine import read_health, read_machine
from kubelite.kubelet.node_status import Health, allocatable, capacity, compute_node_status, same_but_for_heartbeat
from kubelite.kubelet.runtime import Image
from kubelite.testing.virtual import run_virtually
from tests.kubelet.nodes import MACHINE, NODE, bench, running


def status(health: Health = Health(), old: NodeStatus | None = None, now: float = 0.0) -> NodeStatus:  # noqa: B008
    images = [
        Image(id="a", tags=("a:1",), digests=(), size_bytes=1),
        Image(id="b", tags=("b:1",), digests=(), size_bytes=2),
    ]
    return compute_node_status(
        NODE, MACHINE, health, runtime="docker://20.10", images=images, old=old or NodeStatus(), now=now
    )


def test_a_healthy_node_is_ready_and_under_no_pressure() -> None:
    found = status()
    assert {each.type: (each.status, each.reason) for each in found.conditions} == {
        "MemoryPressure": ("False", "KubeletHasSufficientMemory"),
        "DiskPressure": ("False", "KubeletHasNoDiskPressure"),
        "PIDPressure": ("False", "KubeletHasSufficientPID"),
        "Ready": ("True", "KubeletReady"),
    }
    assert [each.type for each in found.addresses] == ["InternalIP", "Hostname"]
    assert found.images == (ContainerImage(names=("b:1",), size_bytes=2), ContainerImage(names=("a:1",), size_bytes=1))
    assert found.node_info.kubelet_version.startswith("v1.33.")


def test_a_condition_keeps_its_time_until_it_changes() -> None:
    first = status()
    second = status(Health(not_ready="down"), first, now=60.0)
    times = {each.type: each.last_transition_time for each in second.conditions}
    assert times == {
        "MemoryPressure": "1970-01-01T00:00:00Z",
        "DiskPressure": "1970-01-01T00:00:00Z",
        "PIDPressure": "1970-01-01T00:00:00Z",
        "Ready": "1970-01-01T00:01:00Z",
    }
    assert same_but_for_heartbeat(first, status(old=first, now=60.0))
    assert not same_but_for_heartbeat(first, second)


def test_some_memory_and_disk_is_kept_back() -> None:
    assert capacity(MACHINE)["memory"] == "8Gi"
    assert allocatable(MACHINE)["memory"] == "8092Mi"
    assert allocatable(MACHINE)["pods"] == "110"


def test_a_node_registers_and_renews_its_lease_every_ten_seconds() -> None:
    async def main() -> None:
        clock = SeededClock()
        async with bench(clock) as node, running(node.kubelet()):
            made = await node.client.get(Node, NODE)
            assert made.metadata.labels["kubernetes.io/hostname"] == NODE
            assert made.status.node_info.container_runtime_version == "simulated://1.0.0"
            first = await node.client.get(Lease, NODE, "kube-node-lease")
            assert (first.spec.holder_identity, first.spec.lease_duration_seconds) == (NODE, 40)
            await clock.sleep(10.5)
            second = await node.client.get(Lease, NODE, "kube-node-lease")
            assert second.spec.renew_time != first.spec.renew_time
            assert (await node.client.get(Node, NODE)).metadata.resource_version == made.metadata.resource_version

    run_virtually(main())


def test_what_others_write_to_the_node_stays() -> None:
    async def main() -> None:
        async with bench(SeededClock()) as node:
            async with running(node.kubelet()):
                made = await node.client.get(Node, NODE)
                labels = {**made.metadata.labels, "mine": "1"}
                await node.client.update(replace(made, metadata=replace(made.metadata, labels=labels)))
            async with running(node.kubelet()):
                assert (await node.client.get(Node, NODE)).metadata.labels["mine"] == "1"

    run_virtually(main())


def test_this_machine_can_be_read(tmp_path: object) -> None:
    from pathlib import Path

    assert isinstance(tmp_path, Path)
    machine = read_machine(tmp_path)
    assert machine.cpus > 0
    assert machine.memory_bytes > 1 << 20
    assert machine.ip
    assert not read_health(tmp_path).pid_pressure
