"""What annotations make of simulated containers, and that thousands of them are cheap."""

from __future__ import annotations

import time

import pytest

from kubelite.client.streams import LogOptions
from kubelite.kubelet.runtime import RuntimeFailed, State
from kubelite.kubelet.simulated import SimulatedRuntime, parse_duration
from tests.kubelet.runtimes import Node, app, running

PREFIX = "simulated.kubelite.io/"


def runtime_of(node: Node) -> SimulatedRuntime:
    assert isinstance(node.runtime, SimulatedRuntime)
    return node.runtime


async def test_a_container_ends_by_itself_when_its_time_has_come() -> None:
    async with running("simulated") as node:
        settings = {PREFIX + "run-for": "20ms", PREFIX + "b.run-for": "10ms", PREFIX + "b.exit-code": "3"}
        _, (first, second) = await node.run(node.pod(annotations=settings), app("a"), app("b"))
        ended = await node.ended(first), await node.ended(second)
        assert [(one.exit_code, one.reason) for one in ended] == [(0, "Completed"), (3, "Error")]
        deaths = [event.container_id for event in node.events if event.action == "die"]
        assert deaths == [second, first]


async def test_annotations_of_the_container_come_before_those_of_the_pod() -> None:
    async with running("simulated") as node:
        pod = node.pod(annotations={PREFIX + "logs": "pod"})
        _, (first, second) = await node.run(pod, app("a"), app("b", annotations={PREFIX + "logs": "own"}))
        assert [chunk async for chunk in node.runtime.logs(first, LogOptions())] == [b"pod\n"]
        assert [chunk async for chunk in node.runtime.logs(second, LogOptions())] == [b"own\n"]


async def test_logs_are_selected_as_real_ones() -> None:
    async with running("simulated") as node:
        _, (container_id,) = await node.run(node.pod(annotations={PREFIX + "logs": "one\ntwo\nthree"}), app())

        async def read(options: LogOptions) -> bytes:
            return b"".join([chunk async for chunk in node.runtime.logs(container_id, options)])

        assert await read(LogOptions(tail_lines=2)) == b"two\nthree\n"
        assert await read(LogOptions(tail_lines=0)) == b""
        assert await read(LogOptions(limit_bytes=6)) == b"one\ntw"
        assert await read(LogOptions(stream="Stderr")) == b""
        stamp, line = (await read(LogOptions(timestamps=True, tail_lines=1))).split(b" ")
        assert (len(stamp), stamp[-1:], line) == (30, b"Z", b"three\n")


async def test_a_start_can_fail() -> None:
    async with running("simulated") as node:
        sandbox = await node.runtime.run_pod_sandbox(node.pod(annotations={PREFIX + "start-error": "no such file"}))
        container_id = await node.runtime.create_container(sandbox, app())
        with pytest.raises(RuntimeFailed, match="no such file"):
            await node.runtime.start_container(container_id)
        found = await node.container(container_id)
        assert found is not None
        assert (found.state, found.reason, found.exit_code) == (State.EXITED, "StartError", 128)


async def test_a_stop_is_honoured_within_the_grace_period_or_becomes_a_kill() -> None:
    async with running("simulated") as node:
        _, (willing, slow) = await node.run(node.pod(annotations={PREFIX + "b.stop-delay": "1h"}), app("a"), app("b"))
        await node.runtime.stop_container(willing, grace_s=30)
        await node.runtime.stop_container(slow, grace_s=0.01)
        assert [(await node.ended(one)).exit_code for one in (willing, slow)] == [143, 137]


async def test_a_kill_is_a_death_like_any_other() -> None:
    async with running("simulated") as node:
        sandbox, (first, second) = await node.run(node.pod(), app("a"), app("b"))
        runtime_of(node).kill(first, 9)
        assert (await node.ended(first)).exit_code == 9
        runtime_of(node).kill(sandbox.id)
        assert (await node.ended(second)).exit_code == 137
        assert [one.ready for one in await node.runtime.list_pod_sandboxes()] == [False]


async def test_probes_fail_for_the_named_kinds_and_for_the_dead() -> None:
    async with running("simulated") as node:
        _, (container_id,) = await node.run(node.pod(annotations={PREFIX + "fail-probe": "readiness,startup"}), app())
        runtime = runtime_of(node)
        assert [runtime.probe(container_id, kind) for kind in ("startup", "liveness", "readiness")] == [
            False,
            True,
            False,
        ]
        runtime.kill(container_id)
        assert not runtime.probe(container_id, "liveness")


async def test_a_removed_image_is_absent_until_it_is_pulled() -> None:
    async with running("simulated") as node:
        await node.runtime.remove_image("web:1")
        assert await node.runtime.image_status("web:1") is None
        image_id = await node.runtime.pull_image("web:1")
        status = await node.runtime.image_status("web:1")
        assert status is not None
        assert status.id == image_id


async def test_two_thousand_pods_start_end_and_go_in_seconds() -> None:
    async with running("simulated") as node:
        begin = time.monotonic()
        for number in range(2000):
            pod = node.pod(f"uid-{number}", ip="10.0.0.1", annotations={PREFIX + "run-for": "1ms"})
            _, (container_id,) = await node.run(pod, app())
        await node.ended(container_id)
        for sandbox in await node.runtime.list_pod_sandboxes():
            await node.runtime.remove_pod_sandbox(sandbox.id)
        assert time.monotonic() - begin < 10
        assert await node.runtime.list_containers() == []


def test_durations_are_read_as_kubernetes_writes_them() -> None:
    assert [parse_duration(text) for text in ("", "5s", "1m30s", "2h", "250ms", "0.5s")] == [0, 5, 90, 7200, 0.25, 0.5]
