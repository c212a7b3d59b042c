"""Pods as real containers: what they see, how they recover, what they leave behind."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import anyio
from msgspec.structs import replace

from kubelite.api.core_v1 import (
    ConfigMap,
    ConfigMapKeySelector,
    ConfigMapProjection,
    ConfigMapVolumeSource,
    Container,
    DownwardAPIProjection,
    DownwardAPIVolumeFile,
    EmptyDirVolumeSource,
    EnvFromSource,
    EnvVar,
    EnvVarSource,
    EphemeralContainer,
    ExecAction,
    HostAlias,
    HostPathVolumeSource,
    HTTPGetAction,
    Lifecycle,
    LifecycleHandler,
    ObjectFieldSelector,
    Pod,
    PodSecurityContext,
    Probe,
    ProjectedVolumeSource,
    ResourceFieldSelector,
    ResourceRequirements,
    Secret,
    SecretEnvSource,
    SecretVolumeSource,
    SecurityContext,
    Service,
    ServiceAccountTokenProjection,
    ServicePort,
    ServiceSpec,
    Volume,
    VolumeMount,
    VolumeProjection,
)
from kubelite.api.meta import ObjectMeta
from kubelite.api.node_v1 import RuntimeClass
from kubelite.client.streams import LogOptions
from kubelite.kubelet.handlers import run_command
from kubelite.kubelet.kubelet import Kubelet
from kubelite.kubelet.runtime import State
from tests.kubelet.docker_node import SERVE, DockerBench, docker_bench, shell
from tests.kubelet.nodes import is_ready, pod, running


def meta(name: str) -> ObjectMeta:
    return ObjectMeta(name=name, namespace="default")


async def inside(node: DockerBench, script: str, *, name: str = "web", container: str = "app") -> str:
    """What a script prints in a running container."""
    seen = await node.get(name)
    found = next(each for each in await node.runtime.list_containers(seen.metadata.uid) if each.name == container)
    _, output = await run_command(node.runtime, found.id, ("sh", "-c", script))
    return output.strip()


def restarts(seen: Pod) -> list[int]:
    return [each.restart_count for each in seen.status.container_statuses]


async def test_a_container_sees_its_environment_files_and_volumes(tmp_path: Path) -> None:
    env = (
        EnvVar(name="PLAIN", value="a-$(FROM_MAP)"),
        EnvVar(name="NODE", value_from=EnvVarSource(field_ref=ObjectFieldSelector(field_path="spec.nodeName"))),
        EnvVar(name="IP", value_from=EnvVarSource(field_ref=ObjectFieldSelector(field_path="status.podIP"))),
        EnvVar(
            name="MEMORY",
            value_from=EnvVarSource(resource_field_ref=ResourceFieldSelector(resource="limits.memory", divisor="1Mi")),
        ),
    )
    first_env = EnvVar(
        name="FROM_MAP", value_from=EnvVarSource(config_map_key_ref=ConfigMapKeySelector(name="settings", key="a"))
    )
    mounts = (
        VolumeMount(name="map", mount_path="/map"),
        VolumeMount(name="map", mount_path="/single", sub_path="b.txt"),
        VolumeMount(name="secret", mount_path="/secret", read_only=True),
        VolumeMount(name="all", mount_path="/all"),
        VolumeMount(name="scratch", mount_path="/scratch"),
        VolumeMount(name="memory", mount_path="/memory"),
        VolumeMount(name="host", mount_path="/host"),
    )
    projected = ProjectedVolumeSource(
        sources=(
            VolumeProjection(service_account_token=ServiceAccountTokenProjection(path="token", expiration_seconds=600)),
            VolumeProjection(config_map=ConfigMapProjection(name="settings")),
            VolumeProjection(
                downward_api=DownwardAPIProjection(
                    items=(
                        DownwardAPIVolumeFile(
                            path="name", field_ref=ObjectFieldSelector(field_path="metadata.namespace")
                        ),
                    )
                )
            ),
        )
    )
    volumes = (
        Volume(name="map", config_map=ConfigMapVolumeSource(name="settings")),
        Volume(name="secret", secret=SecretVolumeSource(secret_name="hidden", default_mode=0o400)),
        Volume(name="all", projected=projected),
        Volume(name="scratch", empty_dir=EmptyDirVolumeSource()),
        Volume(name="memory", empty_dir=EmptyDirVolumeSource(medium="Memory", size_limit="1Mi")),
        Volume(name="host", host_path=HostPathVolumeSource(path=f"{tmp_path}/new", type="DirectoryOrCreate")),
    )
    limits = ResourceRequirements(limits={"memory": "64Mi", "cpu": "500m"})
    async with docker_bench() as node, running(node.docker_kubelet()):
        await node.client.create(ConfigMap(metadata=meta("settings"), data={"a": "1", "b.txt": "two"}))
        await node.client.create(Secret(metadata=meta("hidden"), data={"password": b"s3cret"}))
        service = ServiceSpec(cluster_ip="10.96.0.77", ports=(ServicePort(name="http", port=80, protocol="TCP"),))
        await node.client.create(Service(metadata=meta("back-end"), spec=service))
        app = shell(
            env=(first_env, *env),
            env_from=(EnvFromSource(secret_ref=SecretEnvSource(name="hidden"), prefix="S_"),),
            volume_mounts=mounts,
            resources=limits,
        )
        other = shell(name="other", volume_mounts=(VolumeMount(name="scratch", mount_path="/scratch"),))
        aliases = (HostAlias(ip="1.2.3.4", hostnames=("foo", "bar")),)
        await node.create(
            pod(
                "web",
                app,
                other,
                volumes=volumes,
                host_aliases=aliases,
                security_context=PodSecurityContext(fs_group=2000),
            )
        )
        seen = await node.until("web", is_ready)
        shown = await inside(node, "echo $PLAIN $NODE $IP $MEMORY $S_password $BACK_END_SERVICE_HOST $BACK_END_PORT")
        assert shown == f"a-1 node-1 {seen.status.pod_ip} 64 s3cret 10.96.0.77 tcp://10.96.0.77:80"
        assert await inside(node, "cat /map/a /single /secret/password /all/name /all/token /all/b.txt") == (
            "1twos3cretdefaulttoken-of-webtwo"
        )
        assert await inside(node, "stat -Lc %a /secret/password") == "440"
        hosts = await inside(node, "cat /etc/hosts")
        assert hosts.startswith("# Kubernetes-managed hosts file.")
        assert f"{seen.status.pod_ip}\tweb" in hosts
        assert "1.2.3.4\tfoo\tbar" in hosts
        resolv = await inside(node, "cat /etc/resolv.conf")
        assert resolv.startswith("search default.svc.cluster.local svc.cluster.local cluster.local")
        assert "nameserver 10.96.0.10" in resolv
        assert "options ndots:5" in resolv
        assert await inside(node, "hostname; cat /etc/hostname") == "web\nweb"
        await inside(node, "echo shared >/scratch/file; echo mine >/host/file")
        assert await inside(node, "cat /scratch/file; stat -c %g /scratch/file", container="other") == "shared\n2000"
        assert (tmp_path / "new" / "file").read_text() == "mine\n"
        assert "No space left" in await inside(node, "dd if=/dev/zero of=/memory/x bs=1M count=4 2>&1")
        assert seen.status.qos_class == "Burstable"
        await _follows_updates(node)
        await node.delete(grace_s=1)
        await node.until_gone()
        assert os.listdir(node.root / "pods") == []
        left = Path("/sys/fs/cgroup").glob(f"*/kubelite-{node.instance}/kubepods/**/pod*")
        assert list(left) == []


async def _follows_updates(node: DockerBench) -> None:
    """A changed ConfigMap shows in mounted volumes, not behind a subPath."""
    await node.client.update(ConfigMap(metadata=meta("settings"), data={"a": "2", "b.txt": "three"}))
    with anyio.fail_after(10):
        while await inside(node, "cat /map/a /single") != "2two":
            await node.clock.sleep(0.05)


async def test_a_killed_container_comes_back_alone() -> None:
    async with docker_bench() as node, running(node.docker_kubelet()):
        await node.create(pod("web", shell(), shell(name="other")))
        before = await node.until("web", is_ready)
        app = next(each for each in await node.runtime.list_containers() if each.name == "app")
        os.kill(app.pid, signal.SIGKILL)
        seen = await node.until("web", lambda each: is_ready(each) and restarts(each) == [1, 0])
        last = seen.status.container_statuses[0].last_state.terminated
        assert last is not None
        assert (last.exit_code, last.reason) == (137, "Error")
        assert node.left == [f"{before.status.pod_ip}!"]
        assert node.entered == [before.status.pod_ip] * 2
        assert seen.status.pod_ip == before.status.pod_ip


async def test_a_killed_sandbox_is_replaced_with_all_containers() -> None:
    async with docker_bench() as node, running(node.docker_kubelet()):
        await node.create(pod("web", shell(), shell(name="other")))
        before = await node.until("web", is_ready)
        (sandbox,) = await node.runtime.list_pod_sandboxes()
        os.kill(sandbox.pid, signal.SIGKILL)
        seen = await node.until("web", lambda each: is_ready(each) and restarts(each) == [1, 1])
        assert seen.status.pod_ip != before.status.pod_ip
        assert node.left[0] == f"{before.status.pod_ip}!"
        assert node.entered == [before.status.pod_ip, seen.status.pod_ip]
        assert "SandboxChanged" in [reason for reason, _ in await node.events()]


async def test_kill_9_of_the_kubelet_is_no_event_for_containers() -> None:
    async with docker_bench() as node:
        async with running(node.docker_kubelet()):
            for name in ("web", "dies", "deleted"):
                await node.create(pod(name, shell("exec sleep 1000")))
            before = await node.until("web", is_ready)
            await node.until("dies", is_ready)
            await node.until("deleted", is_ready)
            (doomed,) = await node.runtime.list_containers((await node.get("dies")).metadata.uid)
        os.kill(doomed.pid, signal.SIGKILL)
        await node.delete("deleted", 0)
        await node.until_gone("deleted")
        async with running(node.docker_kubelet()):
            seen = await node.until("dies", lambda each: is_ready(each) and restarts(each) == [1])
            assert seen.status.container_statuses[0].last_state.terminated is not None
            after = await node.get("web")
            assert after.status == before.status
            with anyio.fail_after(20):
                while len(await node.runtime.list_pod_sandboxes()) != 2:
                    await node.clock.sleep(0.05)
            await node.create(pod("next", shell()))
            fresh = await node.until("next", is_ready)
            taken = {before.status.pod_ip, seen.status.pod_ip}
            assert fresh.status.pod_ip not in taken


async def test_http_probes_and_exec_hooks_reach_the_container() -> None:
    async with docker_bench() as node, running(node.docker_kubelet()):
        get = HTTPGetAction(path="/ok", port=8080)
        hooks = Lifecycle(
            post_start=LifecycleHandler(exec=ExecAction(command=("sh", "-c", "echo hi >/www/ok"))),
            pre_stop=LifecycleHandler(exec=ExecAction(command=("sh", "-c", "echo bye >/shared/file"))),
        )
        served = shell(
            "httpd -p 8080 -h /www; " + SERVE,
            lifecycle=hooks,
            readiness_probe=Probe(http_get=get, period_seconds=1, timeout_seconds=1, failure_threshold=1),
            volume_mounts=(VolumeMount(name="shared", mount_path="/shared"),),
        )
        volume = Volume(name="shared", host_path=HostPathVolumeSource(path=f"{node.root}/shared", type=""))
        await node.create(pod("web", served, volumes=(volume,)))
        await node.until("web", is_ready)
        await inside(node, "rm /www/ok")
        await node.until("web", lambda each: not is_ready(each))
        assert "Readiness probe failed: HTTP probe failed with statuscode: 404" in [
            text for _, text in await node.events()
        ]
        await node.delete()
        await node.until_gone()
        assert (node.root / "shared" / "file").read_text() == "bye\n"


async def test_a_container_says_why_it_ended() -> None:
    async with docker_bench() as node, running(node.docker_kubelet()):
        fails = shell("echo last words; exit 3", name="fails", termination_message_policy="FallbackToLogsOnError")
        says = shell("echo done >/dev/termination-log", name="says", termination_message_path="/dev/termination-log")
        missing = Container(name="missing", image=fails.image, command=("/no/such",), image_pull_policy="IfNotPresent")
        await node.create(pod("web", fails, says, missing, restart_policy="Never"))
        seen = await node.until("web", lambda each: each.status.phase == "Failed")
        ended = {each.name: each.state.terminated for each in seen.status.container_statuses}
        found = {name: (each.exit_code, each.reason, each.message) for name, each in ended.items() if each}
        assert found["fails"] == (3, "Error", "last words\n")
        assert found["says"] == (0, "Completed", "done\n")
        assert found["missing"][:2] == (128, "StartError")
        assert "no such file" in found["missing"][2]


async def test_streams_find_the_container_or_say_why_not() -> None:
    async with docker_bench() as node:
        kubelet: Kubelet = node.docker_kubelet()
        async with running(kubelet):
            await node.create(pod("web", shell("echo one; " + SERVE)))
            await node.until("web", is_ready)
            async with kubelet.streams.logs("default", "web", "", LogOptions()) as chunks:
                assert b"".join([chunk async for chunk in chunks]) == b"one\n"
            async with kubelet.streams.exec("default", "web", "app", ("echo", "x"), stdin=False, tty=False) as process:
                assert await process.read() == (1, b"x\n")


async def test_security_settings_reach_the_process() -> None:
    async with docker_bench() as node, running(node.docker_kubelet()):
        secured = shell(
            security_context=SecurityContext(run_as_user=1000, run_as_group=1001, read_only_root_filesystem=True)
        )
        rooted = shell(name="rooted", security_context=SecurityContext(run_as_non_root=True))
        shared = PodSecurityContext(supplemental_groups=(3000,))
        await node.create(pod("web", secured, rooted, security_context=shared))
        seen = await node.until("web", lambda each: any(x.state.running for x in each.status.container_statuses))
        assert await inside(node, "id -u; id -g; id -G") == "1000\n1001\n1001 3000"
        waiting = next(each for each in seen.status.container_statuses if each.name == "rooted").state.waiting
        assert waiting is not None
        assert waiting.reason == "CreateContainerConfigError"
        assert waiting.message.startswith("container has runAsNonRoot and image will run as root")
        states = [each.state for each in await node.runtime.list_containers()]
        assert states == [State.RUNNING]


async def test_a_kubelet_killed_in_any_phase_restarts_nothing_and_leaves_nothing() -> None:
    async with docker_bench() as node:
        names = [f"pod-{number}" for number in range(4)]

        async def killed_after(*seconds: float) -> None:
            for lived in seconds:
                with anyio.move_on_after(lived):
                    async with running(node.docker_kubelet()):
                        await anyio.sleep_forever()

        for name in names:
            await node.create(pod(name, shell(), shell(name="other")))
        await killed_after(0.03, 0.08, 0.15, 0.25)
        async with running(node.docker_kubelet()):
            for name in names:
                seen = await node.until(name, is_ready)
                assert restarts(seen) == [0, 0]
        for name in names:
            await node.delete(name, 1)
        await killed_after(0.03, 0.08, 0.15, 0.25)
        async with running(node.docker_kubelet()):
            for name in names:
                await node.until_gone(name)
            assert await node.runtime.list_pod_sandboxes() == []
            assert os.listdir(node.root / "pods") == []
        left = Path("/sys/fs/cgroup").glob(f"*/kubelite-{node.instance}/kubepods/**/pod*")
        assert list(left) == []


async def test_an_ephemeral_container_sees_the_processes_of_its_target() -> None:
    async with docker_bench() as node, running(node.docker_kubelet()):
        await node.create(pod("web", shell()))
        seen = await node.until("web", is_ready)
        common = {"image": seen.spec.containers[0].image, "command": ("sh", "-c", SERVE)}
        debug = EphemeralContainer(name="debug", target_container_name="app", image_pull_policy="Never", **common)  # type: ignore[arg-type]
        lost = replace(debug, name="lost", target_container_name="none")
        spec = replace(seen.spec, ephemeral_containers=(debug, lost))
        await node.client.update(replace(seen, spec=spec), subresource="ephemeralcontainers")
        seen = await node.until(
            "web", lambda each: any(x.state.running for x in each.status.ephemeral_container_statuses)
        )
        namespace = "readlink /proc/1/ns/pid"
        assert await inside(node, namespace, container="debug") == await inside(node, namespace)
        seen = await node.until(
            "web",
            lambda each: all(
                x.state.running or (x.state.waiting and x.state.waiting.reason != "ContainerCreating")
                for x in each.status.ephemeral_container_statuses
            ),
        )
        waiting = seen.status.ephemeral_container_statuses[1].state.waiting
        assert waiting is not None
        assert (waiting.reason, waiting.message) == (
            "CreateContainerConfigError",
            "unable to find target container none",
        )


async def test_a_runtime_class_chooses_the_engines_runtime() -> None:
    async with docker_bench() as node, running(node.docker_kubelet()):
        for name, handler in (("plain", "runc"), ("other", "no-such-runtime")):
            await node.client.create(RuntimeClass(metadata=ObjectMeta(name=name), handler=handler))
        for name in ("plain", "other"):
            await node.create(pod(name, shell(), runtime_class_name=name))
        await node.until("plain", is_ready)
        text = 'Failed to create pod sandbox: failed to get sandbox runtime: no runtime for "no-such-runtime" is configured'
        with anyio.fail_after(10):
            while ("FailedCreatePodSandBox", text) not in await node.events():
                await node.clock.sleep(0.05)


async def test_a_pod_that_fills_its_volume_beyond_the_limit_is_evicted() -> None:
    async with docker_bench() as node:
        kubelet = node.docker_kubelet()
        async with running(kubelet):
            volume = Volume(name="scratch", empty_dir=EmptyDirVolumeSource(size_limit="1Mi"))
            mounts = (VolumeMount(name="scratch", mount_path="/scratch"),)
            await node.create(pod("web", shell(volume_mounts=mounts), volumes=(volume,)))
            await node.until("web", is_ready)
            await inside(node, "head -c 2m /dev/zero >/scratch/file; sync")
            kubelet.node.changed()
            seen = await node.until("web", lambda each: each.status.phase == "Failed")
            assert seen.status.message == 'Usage of EmptyDir volume "scratch" exceeds the limit "1Mi". '
