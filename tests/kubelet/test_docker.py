"""What only real containers show: shared namespaces, users and rights, deaths, streams, and an engine that goes away."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import pytest

from kubelite.actor.clock import SystemClock
from kubelite.client.streams import LogOptions
from kubelite.kubelet.docker import PAUSE_IMAGE, DockerRuntime
from kubelite.kubelet.docker_client import EngineClient
from kubelite.kubelet.docker_containers import EngineContainers
from kubelite.kubelet.engine import DEFAULT_SOCKET
from kubelite.kubelet.network import PodNetwork
from kubelite.kubelet.runtime import Mount, Resources, RuntimeFailed, SecurityContext, State, Unreachable
from tests.kubelet.runtimes import Node, app, running


def script(text: str) -> tuple[str, ...]:
    return ("sh", "-c", text)


def serve(address: str) -> tuple[str, ...]:
    """Says that it is ready once it listens: httpd goes into the background after that."""
    return script(f"echo hi >/www/index.html; httpd -p {address} -h /www; echo ready; exec sleep 1000")


async def output(node: Node, *command: str, **settings: Any) -> str:
    """What a container with these settings writes before it ends."""
    _, (container_id,) = await node.run(node.pod(), app(command=command, **settings))
    await node.ended(container_id)
    lines = b"".join([chunk async for chunk in node.runtime.logs(container_id, LogOptions())])
    await node.runtime.remove_pod_sandbox((await node.runtime.list_pod_sandboxes("uid-1"))[0].id)
    return lines.decode()


async def test_containers_of_a_pod_share_address_ports_hostname_and_ipc() -> None:
    async with running("docker") as node:
        server = app(
            "a", script("mkdir /www2; echo hi >/www2/index.html; echo ready; exec httpd -f -p 127.0.0.1:80 -h /www2")
        )
        config = node.pod()
        _, (first, second) = await node.run(config, server, app("b"))
        await node.logged(first, "ready")
        assert await node.run_to_end(second, "wget", "-qO-", "http://127.0.0.1/") == ("hi\n", 0)
        assert await node.run_to_end(second, "hostname") == ("pod-uid-1\n", 0)
        await node.run_to_end(first, *script("echo shared >/dev/shm/x"))
        assert await node.run_to_end(second, "cat", "/dev/shm/x") == ("shared\n", 0)
        addresses, _ = await node.run_to_end(second, "ip", "-4", "addr", "show", "eth0")
        assert f"inet {config.ip}/32" in addresses


async def test_pods_reach_each_other_and_the_host_reaches_them() -> None:
    async with running("docker") as node:
        server = app(command=serve("80"))
        config = node.pod("uid-1")
        _, (served,) = await node.run(config, server)
        _, (client,) = await node.run(node.pod("uid-2"), app())
        await node.logged(served, "ready")
        assert await node.run_to_end(client, "wget", "-qO-", f"http://{config.ip}/") == ("hi\n", 0)
        async with await anyio.connect_tcp(config.ip, 80) as connection:
            await connection.send(b"GET / HTTP/1.0\r\n\r\n")
            assert (await connection.receive()).startswith(b"HTTP/1.")


async def test_an_address_whose_pod_is_gone_is_refused_at_once() -> None:
    async with running("docker") as node:
        config = node.pod()
        sandbox, _ = await node.run(config)
        await node.runtime.remove_pod_sandbox(sandbox.id)
        with anyio.fail_after(5), pytest.raises(OSError):
            await anyio.connect_tcp(config.ip, 80)


async def test_the_image_provides_the_command_that_the_container_does_not() -> None:
    async with running("docker") as node:
        assert await output(node, "echo", args=("a", "b")) == "a b\n"
        given = {"env": (("NAME", "a=b"),), "working_dir": "/made/up"}
        assert await output(node, *script("echo $NAME; pwd"), **given) == "a=b\n/made/up\n"


async def test_users_groups_and_rights_are_as_asked() -> None:
    async with running("docker") as node:
        user = SecurityContext(run_as_user=1000, run_as_group=3000, supplemental_groups=(2000,))
        assert await output(node, *script("id -u; id -g; id -G"), security=user) == "1000\n3000\n3000 2000\n"
        strict = SecurityContext(
            readonly_rootfs=True,
            no_new_privileges=True,
            drop_capabilities=("ALL",),
            add_capabilities=("NET_BIND_SERVICE",),
        )
        seen = await output(
            node, *script("touch /x 2>&1; grep -E 'CapBnd|NoNewPrivs|Seccomp:' /proc/self/status"), security=strict
        )
        assert "Read-only file system" in seen
        assert {"CapBnd:\t0000000000000400", "NoNewPrivs:\t1", "Seccomp:\t0"} <= set(seen.splitlines())
        default = SecurityContext(seccomp="runtime/default")
        assert await output(node, *script("grep Seccomp: /proc/self/status"), security=default) == "Seccomp:\t2\n"


async def test_a_privileged_container_may_mount_and_change_sysctls() -> None:
    async with running("docker") as node:
        script_text = (
            "mkdir /m; mount -t tmpfs none /m && echo mounted; echo 1 >/proc/sys/net/ipv4/ip_forward && echo written"
        )
        assert (
            await output(node, *script(script_text), security=SecurityContext(privileged=True)) == "mounted\nwritten\n"
        )


async def test_a_negative_oom_score_is_granted_as_far_as_the_kernel_does() -> None:
    async with running("docker") as node:
        resources = Resources(oom_score_adj=-997)
        score = int(await output(node, "cat", "/proc/self/oom_score_adj", resources=resources))
        assert score in (0, -997)


async def test_limits_are_the_control_groups() -> None:
    async with running("docker") as node:
        limits = Resources(memory_limit_bytes=32 << 20, cpu_quota_us=50_000, cpu_shares=512, pids_limit=50)
        _, (container_id,) = await node.run(node.pod(), app(resources=limits))
        found = await node.container(container_id)
        assert found is not None
        groups = await anyio.Path(f"/proc/{found.pid}/cgroup").read_text()
        assert f"/kubelite-{node.instance}/kubepods/poduid-1/{container_id}" in groups


async def test_a_mount_is_the_host_directory_and_its_absence_is_an_error() -> None:
    async with running("docker") as node:
        with tempfile.TemporaryDirectory() as directory:
            await anyio.Path(directory, "x").write_text("from the host\n")
            mounts = (Mount(host_path=directory, container_path="/data", readonly=True),)
            seen = await output(node, *script("cat /data/x; touch /data/y 2>&1"), mounts=mounts)
            assert seen == "from the host\ntouch: /data/y: Read-only file system\n"
        with pytest.raises(RuntimeFailed) as failure:
            await node.run(node.pod("uid-2"), app(mounts=mounts))
        assert failure.value.reason == "CreateContainerError"


async def test_a_missing_program_is_a_start_error() -> None:
    async with running("docker") as node:
        sandbox = await node.runtime.run_pod_sandbox(node.pod())
        container_id = await node.runtime.create_container(sandbox, app(command=("/nosuch",)))
        with pytest.raises(RuntimeFailed, match="no such file or directory") as failure:
            await node.runtime.start_container(container_id)
        assert failure.value.reason == "RunContainerError"
        found = await node.container(container_id)
        assert found is not None
        assert (found.state, found.reason, found.exit_code) == (State.EXITED, "StartError", 128)
        assert "no such file or directory" in found.message


async def test_how_a_container_ended_is_told_apart() -> None:
    async with running("docker") as node:
        small = Resources(memory_limit_bytes=8 << 20)
        hungry = app("hungry", script("head -c 64m /dev/zero | tail -c 60m >/dev/null"), resources=small)
        eater = app("eater", ("tail", "-c", "64m", "/dev/zero"), resources=small)
        done, bad = app("done", script("exit 0")), app("bad", script("exit 3"))
        _, ids = await node.run(node.pod(), done, bad, eater, hungry)
        ends = [await node.ended(one) for one in ids]
        assert [(one.reason, one.exit_code) for one in ends[:3]] == [("Completed", 0), ("Error", 3), ("OOMKilled", 137)]
        assert ends[3].reason in ("Completed", "OOMKilled")


async def test_a_stop_lets_the_process_end_itself_within_the_grace_period() -> None:
    async with running("docker") as node:
        deaf = app("deaf", script("trap '' TERM; echo ready; while true; do sleep 1000; done"))
        _, (polite, stubborn) = await node.run(node.pod(), app(), deaf)
        await node.logged(polite, "ready")
        await node.logged(stubborn, "ready")
        await node.runtime.stop_container(polite, grace_s=30)
        await node.runtime.stop_container(stubborn, grace_s=0.5)
        assert [(await node.ended(one)).exit_code for one in (polite, stubborn)] == [7, 137]


async def test_a_paused_container_can_be_stopped() -> None:
    async with running("docker") as node:
        sandbox, (container_id,) = await node.run(node.pod(), app())
        await node.logged(container_id, "ready")
        client = EngineClient(DEFAULT_SOCKET)
        try:
            await EngineContainers(client, node.instance, SystemClock()).post(container_id, "pause", reason="Test")
        finally:
            await client.close()
        paused = await node.container(container_id)
        assert paused is not None
        assert paused.state == State.RUNNING
        await node.runtime.stop_container(container_id, grace_s=30)
        assert (await node.ended(container_id)).exit_code == 7
        await node.runtime.remove_pod_sandbox(sandbox.id)


async def test_a_shared_pid_namespace_has_the_sandbox_as_its_first_process() -> None:
    async with running("docker") as node:
        _, (container_id,) = await node.run(node.pod(share_process_namespace=True), app())
        for _ in range(3):
            await node.run_to_end(container_id, *script("(sleep 0.01 &) ; exit 0"))
        processes, _ = await node.run_to_end(container_id, "ps", "-o", "pid,stat,args")
        assert processes.splitlines()[1].split()[0::2] == ["1", "/pause"]
        assert " Z " not in processes


async def test_a_pod_on_the_host_network_has_the_hosts_interfaces() -> None:
    async with running("docker") as node:
        config = node.pod(host_network=True, ip="")
        sandbox, (container_id,) = await node.run(config, app())
        assert sandbox.ready
        assert (await node.runtime.list_pod_sandboxes())[0].ready
        interfaces, _ = await node.run_to_end(container_id, "ls", "/sys/class/net")
        assert {"lo", f"kl{node.instance[:6]}"} <= set(interfaces.split())


async def test_exec_tells_a_missing_program_from_one_that_prints_the_same() -> None:
    async with running("docker") as node:
        _, (container_id,) = await node.run(node.pod(), app())
        with pytest.raises(RuntimeFailed, match="executable file not found") as failure:
            await node.run_to_end(container_id, "nosuch")
        assert failure.value.reason == "ExecError"
        printed = "OCI runtime exec failed"
        assert await node.run_to_end(container_id, "echo", printed) == (f"{printed}\n", 0)
        assert await node.run_to_end(container_id, *script(f"echo {printed}; sleep 0.05; echo more; exit 127")) == (
            f"{printed}\nmore\n",
            127,
        )


async def test_exec_separates_the_streams_and_a_terminal_joins_and_sizes_them() -> None:
    async with running("docker") as node:
        _, (container_id,) = await node.run(node.pod(), app())
        async with node.runtime.exec(container_id, script("echo out; sleep 0.3; echo err >&2")) as process:
            assert [await process.read() for _ in range(3)] == [(1, b"out\n"), (2, b"err\n"), None]
        async with node.runtime.exec(container_id, script("read x; stty size; tty"), stdin=True, tty=True) as process:
            await process.resize(width=132, height=40)
            await process.write(b"go\n")
            seen = b""
            while chunk := await process.read():
                assert chunk[0] == 1
                seen += chunk[1]
            assert b"40 132" in seen
            assert await process.exit_code() == 0


async def test_leaving_an_exec_kills_its_process() -> None:
    async with running("docker") as node:
        _, (container_id,) = await node.run(node.pod(), app())
        async with node.runtime.exec(container_id, script("echo started; exec sleep 77777")) as process:
            assert await process.read() == (1, b"started\n")
        processes, _ = await node.run_to_end(container_id, "ps")
        assert "77777" not in processes


async def test_the_exit_code_of_an_exec_outlives_its_output() -> None:
    async with running("docker") as node:
        _, (container_id,) = await node.run(node.pod(), app())
        text = "exec >/dev/null 2>&1; sleep 0.3; exit 9"
        assert await node.run_to_end(container_id, *script(text)) == ("", 9)


async def test_an_attached_console_speaks_to_the_main_process() -> None:
    async with running("docker") as node:
        config = app(command=script("read x; echo got $x; exit 4"), stdin=True, stdin_once=True)
        _, (container_id,) = await node.run(node.pod(), config)
        async with node.runtime.attach(container_id, stdin=True) as console:
            await console.write(b"word\n")
            assert await console.read() == (1, b"got word\n")
            assert await console.exit_code() == 4


async def test_dial_reaches_a_server_on_the_pods_localhost() -> None:
    async with running("docker") as node:
        sandbox, (container_id,) = await node.run(node.pod(), app(command=serve("127.0.0.1:8080")))
        await node.logged(container_id, "ready")
        async with node.runtime.dial(sandbox.id, 8080) as stream:
            await stream.write(b"GET / HTTP/1.0\r\n\r\n")
            await stream.close_write()
            answer = b""
            while data := await stream.read():
                answer += data
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert answer.endswith(b"hi\n")


async def test_logs_can_be_selected() -> None:
    async with running("docker") as node:
        text = "for i in 1 2 3; do echo out $i; done; sleep 0.05; echo err >&2; sleep 0.05; echo last"
        _, (container_id,) = await node.run(node.pod(), app(command=script(text)))
        await node.ended(container_id)

        async def read(**options: Any) -> str:
            chunks = node.runtime.logs(container_id, LogOptions(**options))
            return b"".join([chunk async for chunk in chunks]).decode()

        assert await read() == "out 1\nout 2\nout 3\nerr\nlast\n"
        assert await read(stream="Stderr") == "err\n"
        assert await read(tail_lines=1) == "last\n"
        assert await read(tail_lines=0) == ""
        assert await read(limit_bytes=8) == "out 1\nou"
        stamped = (await read(timestamps=True, tail_lines=1)).split(" ")
        assert (len(stamped[0]), stamped[0][-1], stamped[1]) == (30, "Z", "last\n")
        ended = await node.container(container_id)
        assert ended is not None
        assert await read(since=ended.finished_at + 1) == ""


async def test_stats_are_the_containers_own() -> None:
    async with running("docker") as node:
        _, (container_id,) = await node.run(node.pod(), app())
        await node.logged(container_id, "ready")
        (stats,) = await node.runtime.stats((container_id,))
        assert stats.cpu_usage_ns > 0
        assert 0 < stats.memory_working_set_bytes < 64 << 20


async def test_a_restarted_runtime_adopts_everything_by_labels() -> None:
    async with running("docker") as node:
        sandbox, _ = await node.run(node.pod(), app())
        before = await node.runtime.list_containers()
        other = DockerRuntime(
            instance=node.instance,
            socket=DEFAULT_SOCKET,
            clock=SystemClock(),
            network=PodNetwork(instance=node.instance, pod_cidr=f"{node.addresses.gateway}/24".replace(".1/", ".0/")),
        )
        async with anyio.create_task_group() as group:
            await group.start(partial(_run, other))
            assert await other.list_pod_sandboxes() == [sandbox]
            assert await other.list_containers() == before
            group.cancel_scope.cancel()


async def test_the_trace_of_a_crash_after_create_is_replaced() -> None:
    async with running("docker") as node:
        sandbox = await node.runtime.run_pod_sandbox(node.pod())
        lost = await node.runtime.create_container(sandbox, app())
        again = await node.runtime.create_container(sandbox, app())
        assert again != lost
        assert [one.id for one in await node.runtime.list_containers()] == [again]
        await node.runtime.start_container(again)
        with pytest.raises(RuntimeFailed, match="already in use"):
            await node.runtime.create_container(sandbox, app())


async def test_a_pruned_pause_image_is_loaded_again() -> None:
    async with running("docker") as node:
        client = EngineClient(DEFAULT_SOCKET)
        try:
            with contextlib.suppress(RuntimeFailed):
                await client.request("DELETE", f"images/{PAUSE_IMAGE}", reason="Test", params={"force": "1"})
        finally:
            await client.close()
        assert (await node.runtime.run_pod_sandbox(node.pod())).ready


async def test_a_sandbox_that_was_never_plumbed_is_not_ready() -> None:
    async with running("docker") as node:
        config = node.pod()
        sandbox, _ = await node.run(config)
        link = anyio.Path("/sys/class/net") / f"kl{node.instance[:6]}{sandbox.id[:7]}" / "ifalias"
        assert (await link.read_text()).strip() == config.ip
        await link.write_text("unfinished")
        assert not (await node.runtime.list_pod_sandboxes())[0].ready


async def test_a_lost_engine_is_unreachable_and_its_return_is_a_relist() -> None:
    async with running("docker") as node, _proxy() as proxy:
        network = PodNetwork(instance=node.instance, pod_cidr=f"{node.addresses.gateway}/24".replace(".1/", ".0/"))
        runtime = DockerRuntime(instance=node.instance, socket=proxy.path, clock=SystemClock(), network=network)
        other = Node(runtime, node.addresses, node.instance)
        async with anyio.create_task_group() as group:
            await group.start(partial(_run_on, other))
            other.events.clear()
            await proxy.stop()
            with pytest.raises(Unreachable):
                await runtime.list_containers()
            await proxy.start()
            await other.heard(lambda event: event.action == "relist")
            assert await runtime.list_containers() == []
            group.cancel_scope.cancel()


class _Proxy:
    """Passes bytes between a socket of its own and the engine's, until it is stopped."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self.path)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await anyio.Path(self.path).unlink(missing_ok=True)
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        engine_reader, engine_writer = await asyncio.open_unix_connection(DEFAULT_SOCKET)
        self._writers += [writer, engine_writer]
        with contextlib.suppress(ConnectionError):
            async with anyio.create_task_group() as group:
                group.start_soon(_copy, reader, engine_writer)
                group.start_soon(_copy, engine_reader, writer)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def _proxy() -> AsyncIterator[_Proxy]:
    with tempfile.TemporaryDirectory() as directory:
        proxy = _Proxy(f"{directory}/docker.sock")
        await proxy.start()
        try:
            yield proxy
        finally:
            await proxy.stop()


async def _run(runtime: DockerRuntime, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    await runtime.run(lambda event: None, task_status=task_status)


async def _run_on(node: Node, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    await node.runtime.run(node.hear, task_status=task_status)


async def test_starts_that_were_cut_off_leave_only_what_the_next_list_shows() -> None:
    async with running("docker") as node:
        for cut_s in (0.02, 0.06, 0.1, 0.15):
            with anyio.move_on_after(cut_s):
                async with anyio.create_task_group() as group:
                    for number in range(4):
                        group.start_soon(node.run, node.pod(f"uid-{number}"), app())
            for sandbox in await node.runtime.list_pod_sandboxes():
                await node.runtime.remove_pod_sandbox(sandbox.id)
            sandbox, (container_id,) = await node.run(node.pod("uid-0"), app())
            assert await node.run_to_end(container_id, "echo", "alive") == ("alive\n", 0)
            await node.runtime.remove_pod_sandbox(sandbox.id)
