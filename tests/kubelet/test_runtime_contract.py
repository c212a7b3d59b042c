"""What both runtimes promise. Everything a pod worker relies on stands here, and only what holds for both."""

from __future__ import annotations

import anyio
import pytest
from msgspec.structs import replace

from kubelite.client.streams import LogOptions
from kubelite.kubelet.runtime import Resources, Runtime, RuntimeFailed, State
from tests.kubelet.runtimes import app, running


@pytest.fixture(params=["simulated", "docker"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_a_sandbox_is_listed_with_what_it_was_made_of(kind: str) -> None:
    async with running(kind) as node:
        config = node.pod(labels={"app": "web"}, annotations={"example.com/note": "a b"}, attempt=2)
        sandbox = await node.runtime.run_pod_sandbox(config)
        assert sandbox.ready
        (listed,) = await node.runtime.list_pod_sandboxes(config.uid)
        assert listed == sandbox
        assert (listed.uid, listed.namespace, listed.name, listed.attempt) == ("uid-1", "default", "pod-uid-1", 2)
        assert (listed.ip, dict(listed.labels), dict(listed.annotations)) == (
            config.ip,
            {"app": "web"},
            {"example.com/note": "a b"},
        )


async def test_lists_can_be_narrowed_to_one_pod(kind: str) -> None:
    async with running(kind) as node:
        _, (first,) = await node.run(node.pod("uid-1"), app())
        _, (second,) = await node.run(node.pod("uid-2"), app())
        assert [one.id for one in await node.runtime.list_containers("uid-2")] == [second]
        assert {one.id for one in await node.runtime.list_containers()} == {first, second}
        assert len(await node.runtime.list_pod_sandboxes()) == 2
        assert await node.runtime.list_containers("uid-3") == []


async def test_a_container_goes_from_created_through_running_to_exited(kind: str) -> None:
    async with running(kind) as node:
        sandbox = await node.runtime.run_pod_sandbox(node.pod())
        config = app(attempt=3, labels={"tier": "one"}, annotations={"hash": "abc"})
        container_id = await node.runtime.create_container(sandbox, config)
        created = await node.container(container_id)
        assert created is not None
        assert (created.state, created.started_at, created.finished_at) == (State.CREATED, 0.0, 0.0)
        assert (created.sandbox_id, created.pod_uid, created.name, created.attempt) == (sandbox.id, "uid-1", "app", 3)
        assert (dict(created.labels), dict(created.annotations)) == ({"tier": "one"}, {"hash": "abc"})
        assert (created.image, created.image_ref[:7]) == (config.image, "sha256:")

        await node.runtime.start_container(container_id)
        started = await node.container(container_id)
        assert started is not None
        assert started.state == State.RUNNING
        assert started.created_at <= started.started_at

        await node.runtime.stop_container(container_id, grace_s=0)
        stopped = await node.container(container_id)
        assert stopped is not None
        assert (stopped.state, stopped.exit_code, stopped.reason) == (State.EXITED, 137, "Error")
        assert stopped.started_at == started.started_at <= stopped.finished_at


async def test_starting_a_running_container_changes_nothing(kind: str) -> None:
    async with running(kind) as node:
        _, (container_id,) = await node.run(node.pod(), app())
        before = await node.container(container_id)
        await node.runtime.start_container(container_id)
        assert await node.container(container_id) == before


async def test_stops_and_removals_can_be_repeated_and_may_find_nothing(kind: str) -> None:
    async with running(kind) as node:
        sandbox, (container_id,) = await node.run(node.pod(), app())
        for _ in range(2):
            await node.runtime.stop_container(container_id, grace_s=0)
        for _ in range(2):
            await node.runtime.remove_container(container_id)
        await node.runtime.stop_container(container_id, grace_s=5)
        for _ in range(2):
            await node.runtime.stop_pod_sandbox(sandbox.id)
        (stopped,) = await node.runtime.list_pod_sandboxes()
        assert not stopped.ready
        for _ in range(2):
            await node.runtime.remove_pod_sandbox(sandbox.id)
        await node.runtime.stop_pod_sandbox(sandbox.id)
        assert await node.runtime.list_pod_sandboxes() == []


async def test_removing_a_sandbox_takes_its_running_containers_with_it(kind: str) -> None:
    async with running(kind) as node:
        sandbox, _ = await node.run(node.pod(), app("a"), app("b"))
        await node.runtime.remove_pod_sandbox(sandbox.id)
        assert await node.runtime.list_containers() == []
        assert await node.runtime.list_pod_sandboxes() == []


async def test_stopping_a_sandbox_kills_its_containers_and_keeps_them_listed(kind: str) -> None:
    async with running(kind) as node:
        sandbox, (container_id,) = await node.run(node.pod(), app())
        await node.runtime.stop_pod_sandbox(sandbox.id)
        stopped = await node.container(container_id)
        assert stopped is not None
        assert stopped.state == State.EXITED


async def test_every_step_of_a_life_is_an_event_of_its_pod(kind: str) -> None:
    async with running(kind) as node:
        sandbox, (container_id,) = await node.run(node.pod(), app())
        await node.runtime.stop_container(container_id, grace_s=0)
        await node.runtime.remove_container(container_id)
        await node.heard(lambda event: event.action == "destroy" and event.container_id == container_id)
        assert node.events[0].action == "relist"
        own = [event.action for event in node.events if event.container_id == container_id]
        assert own == ["create", "start", "die", "destroy"]
        assert [event.action for event in node.events if event.container_id == sandbox.id] == ["create", "start"]
        assert {event.pod_uid for event in node.events[1:]} == {"uid-1"}


async def test_a_container_cannot_start_in_a_stopped_sandbox(kind: str) -> None:
    async with running(kind) as node:
        sandbox = await node.runtime.run_pod_sandbox(node.pod())
        container_id = await node.runtime.create_container(sandbox, app())
        await node.runtime.stop_pod_sandbox(sandbox.id)
        with pytest.raises(RuntimeFailed) as failure:
            await node.runtime.start_container(container_id)
        assert failure.value.reason == "RunContainerError"


async def test_a_namesake_that_never_ran_is_replaced_and_one_that_runs_is_not(kind: str) -> None:
    async with running(kind) as node:
        sandbox = await node.runtime.run_pod_sandbox(node.pod())
        cut_off = await node.runtime.create_container(sandbox, app())
        made = await node.runtime.create_container(sandbox, app())
        assert [each.id for each in await node.runtime.list_containers("uid-1")] == [made] != [cut_off]
        await node.runtime.start_container(made)
        with pytest.raises(RuntimeFailed, match="in use") as failure:
            await node.runtime.create_container(sandbox, app())
        assert failure.value.reason == "CreateContainerError"
        assert await node.runtime.create_container(sandbox, app(attempt=1)) != made


async def test_what_a_container_wrote_can_be_asked_for_even_when_it_is_gone(kind: str) -> None:
    async with running(kind) as node:
        said = {"simulated.kubelite.io/writable-bytes": "70000"}
        command = ("sh", "-c", "head -c 70000 /dev/zero > /file; echo ready; sleep 1000")
        _, (container_id,) = await node.run(node.pod(), app(command=command, annotations=said))
        if kind == "docker":
            await node.logged(container_id, "ready")
        assert await node.runtime.writable_bytes(container_id) >= 70000
        assert await node.runtime.writable_bytes("nosuch") == 0


async def test_removing_an_image_that_is_not_there_is_no_failure(kind: str) -> None:
    async with running(kind) as node:
        await node.runtime.remove_image("kubelite.test/never-there:1")
        assert await node.runtime.image_status("kubelite.test/never-there:1") is None


async def test_starting_what_does_not_exist_fails_by_name(kind: str) -> None:
    async with running(kind) as node:
        with pytest.raises(RuntimeFailed, match="No such container: nosuch") as failure:
            await node.runtime.start_container("nosuch")
        assert failure.value.reason == "RunContainerError"


async def test_exec_gives_output_and_exit_code(kind: str) -> None:
    async with running(kind) as node:
        _, (container_id,) = await node.run(node.pod(), app())
        assert await node.run_to_end(container_id, "echo", "hello") == ("hello\n", 0)
        assert await node.run_to_end(container_id, "sh", "-c", "exit 3") == ("", 3)


async def test_closing_the_input_of_an_exec_keeps_its_output(kind: str) -> None:
    async with running(kind) as node:
        _, (container_id,) = await node.run(node.pod(), app())
        async with node.runtime.exec(container_id, ("cat",), stdin=True) as process, anyio.create_task_group() as group:
            group.start_soon(process.write, b"abc")
            assert await process.read() == (1, b"abc")
            await process.close_stdin()
            assert await process.read() is None
            assert await process.exit_code() == 0


async def test_leaving_an_exec_does_not_wait_for_its_process(kind: str) -> None:
    async with running(kind) as node:
        _, (container_id,) = await node.run(node.pod(), app())
        with anyio.fail_after(10):
            async with node.runtime.exec(container_id, ("sleep", "1000")):
                pass


async def test_exec_in_a_dead_container_is_refused(kind: str) -> None:
    async with running(kind) as node:
        _, (container_id,) = await node.run(node.pod(), app())
        await node.runtime.stop_container(container_id, grace_s=0)
        with pytest.raises(RuntimeFailed, match="is not running") as failure:
            async with node.runtime.exec(container_id, ("true",)):
                pass
        assert failure.value.reason == "ExecError"


async def test_attach_ends_with_the_container_and_knows_its_exit_code(kind: str) -> None:
    async with running(kind) as node:
        _, (container_id,) = await node.run(node.pod(), app())
        async with node.runtime.attach(container_id) as console, anyio.create_task_group() as group:
            group.start_soon(lambda: node.runtime.stop_container(container_id, grace_s=0))
            while await console.read():
                pass
            assert await console.exit_code() == 137


async def test_followed_logs_end_with_the_container(kind: str) -> None:
    async with running(kind) as node:
        _, (container_id,) = await node.run(node.pod(), app())
        lines = b""
        async for chunk in node.runtime.logs(container_id, LogOptions(follow=True)):
            lines += chunk
            await node.runtime.stop_container(container_id, grace_s=0)
        assert lines.endswith(b"\n")


async def test_logs_of_what_does_not_exist_fail(kind: str) -> None:
    async with running(kind) as node:
        with pytest.raises(RuntimeFailed, match="nosuch"):
            async for _ in node.runtime.logs("nosuch", LogOptions()):
                pass


async def test_a_port_where_nothing_listens_refuses_to_be_dialled(kind: str) -> None:
    async with running(kind) as node:
        sandbox = await node.runtime.run_pod_sandbox(node.pod())
        with pytest.raises(RuntimeFailed, match="failed to connect to localhost:9 inside the pod") as failure:
            async with node.runtime.dial(sandbox.id, 9):
                pass
        assert failure.value.reason == "PortForwardError"


async def test_an_image_of_an_unreachable_registry_is_absent_and_cannot_be_pulled(kind: str) -> None:
    async with running(kind) as node:
        image = "registry.invalid/team/app:1"
        assert await node.runtime.image_status(image) is None
        with pytest.raises(RuntimeFailed, match=r"registry\.invalid") as failure:
            await node.runtime.pull_image(image)
        assert failure.value.reason == "ErrImagePull"


async def test_a_present_image_is_known_by_its_tag(kind: str) -> None:
    async with running(kind) as node:
        await node.run(node.pod(), app())
        status = await node.runtime.image_status(app().image)
        assert status is not None
        assert app().image in status.tags
        assert status.id in [image.id for image in await node.runtime.list_images()]


async def test_stats_cover_running_containers_only(kind: str) -> None:
    async with running(kind) as node:
        _, (alive, dead) = await node.run(node.pod(), app("a"), app("b"))
        await node.runtime.stop_container(dead, grace_s=0)
        (stats,) = await node.runtime.stats((alive, dead, "nosuch"))
        assert stats.container_id == alive
        assert stats.memory_usage_bytes >= stats.memory_working_set_bytes >= 0


async def test_resources_of_a_running_container_can_change(kind: str) -> None:
    async with running(kind) as node:
        _, (container_id,) = await node.run(node.pod(), app())
        before = await node.container(container_id)
        wanted = Resources(cpu_shares=204, memory_limit_bytes=64 << 20, cpu_quota_us=20_000)
        await node.runtime.update_container(container_id, wanted)
        after = await node.container(container_id)
        assert before is not None
        assert after == replace(before, resources=wanted)


async def test_the_version_names_the_runtime(kind: str) -> None:
    async with running(kind) as node:
        runtime: Runtime = node.runtime
        assert (await runtime.version()).name == kind
