"""Statuses are written in order, none of a transition is lost, and others' conditions stay."""

from __future__ import annotations

import anyio
from msgspec.structs import replace

from kubelite.actor.clock import SeededClock
from kubelite.api.core_v1 import Pod, PodCondition, PodStatus
from kubelite.kubelet.status_writer import StatusWriter
from kubelite.testing.virtual import run_virtually
from tests.kubelet.nodes import bench, pod


def status(ready: str, message: str = "", phase: str = "Running") -> PodStatus:
    return PodStatus(phase=phase, message=message, conditions=(PodCondition(type="Ready", status=ready),))


def ready_of(seen: Pod) -> str:
    return next((each.status for each in seen.status.conditions if each.type == "Ready"), "")


def test_every_transition_is_written_and_chatter_between_is_not() -> None:
    async def main() -> None:
        async with bench(SeededClock()) as node:
            made = await node.create(pod())
            seen: list[tuple[str, str]] = []
            node.informers[Pod].subscribe(lambda old, new: seen.append((ready_of(new), new.status.message)))
            writer = StatusWriter(made, node.client, node.clock)
            for ready, message in (("False", "a"), ("False", "b"), ("True", "c"), ("False", "d"), ("False", "e")):
                writer.write(status(ready, message))
            async with anyio.create_task_group() as group:
                group.start_soon(writer.run)
                await writer.drained()
                await node.until("web", lambda each: each.status.message == "e")
                group.cancel_scope.cancel()
            assert [each for each in seen if each[0]] == [("False", "b"), ("True", "c"), ("False", "e")]

    run_virtually(main())


def test_a_conflict_is_written_again_on_top_of_what_others_wrote() -> None:
    async def main() -> None:
        async with bench(SeededClock()) as node:
            made = await node.create(pod())
            theirs = PodStatus(phase="Pending", conditions=(PodCondition(type="x/y", status="True"),))
            await node.client.update(replace(made, status=theirs), subresource="status")
            writer = StatusWriter(made, node.client, node.clock)
            writer.write(status("True"))
            async with anyio.create_task_group() as group:
                group.start_soon(writer.run)
                await writer.drained()
                group.cancel_scope.cancel()
            found = await node.get()
            assert [(each.type, each.status) for each in found.status.conditions] == [
                ("x/y", "True"),
                ("Ready", "True"),
            ]

    run_virtually(main())


def test_the_status_of_a_pod_that_is_gone_is_dropped() -> None:
    async def main() -> None:
        async with bench(SeededClock()) as node:
            made = await node.create(pod())
            await node.delete(grace_s=0)
            writer = StatusWriter(made, node.client, node.clock)
            writer.write(status("True"))
            async with anyio.create_task_group() as group:
                group.start_soon(writer.run)
                with anyio.fail_after(5):
                    await writer.drained()
                group.cancel_scope.cancel()

    run_virtually(main())


def test_a_successor_of_the_same_name_never_gets_the_status() -> None:
    async def main() -> None:
        async with bench(SeededClock()) as node:
            made = await node.create(pod())
            await node.delete(grace_s=0)
            await node.create(pod())
            writer = StatusWriter(made, node.client, node.clock)
            async with anyio.create_task_group() as group:
                group.start_soon(writer.run)
                for phase in ("Running", "Failed"):
                    writer.write(status("False", phase=phase))
                    await writer.drained()
                group.cancel_scope.cancel()
            assert (await node.get()).status.phase == "Pending"

    run_virtually(main())
