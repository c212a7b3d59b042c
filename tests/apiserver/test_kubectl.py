"""Every kubectl of this machine against a served API: objects, validation, explain, streams."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from kubelite.api import core_v1 as core
from tests.apiserver.registries import pod
from tests.apiserver.serving import served
from tests.kubectls import Kubectl, find

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "app:1"%s}]}
"""
each = pytest.mark.parametrize("kubectl", find(), ids=str)


class Shell:
    def __init__(self, kubectl: Kubectl, directory: Path) -> None:
        self._kubectl = kubectl
        self._environment = {**os.environ, "KUBECONFIG": str(directory / "kubeconfig"), "HOME": str(directory)}

    async def run(self, *arguments: str, sent: str = "") -> subprocess.CompletedProcess[str]:
        def call() -> subprocess.CompletedProcess[str]:
            command = [str(self._kubectl.path), *arguments]
            return subprocess.run(
                command, input=sent, capture_output=True, text=True, env=self._environment, timeout=30, check=False
            )

        return await anyio.to_thread.run_sync(call)

    async def __call__(self, *arguments: str, sent: str = "") -> str:
        done = await self.run(*arguments, sent=sent)
        assert done.returncode == 0, done.stderr
        return done.stdout


@each
async def test_objects_are_created_applied_changed_and_explained(kubectl: Kubectl, tmp_path: Path) -> None:
    async with served(pki=tmp_path):
        shell = Shell(kubectl, tmp_path)
        await shell("create", "configmap", "typed", "--from-literal=a=b")
        await shell("create", "deployment", "made", "--image=app:1")
        assert await shell("apply", "-f", "-", sent=DEPLOYMENT % "") == "deployment.apps/web created\n"
        assert await shell("apply", "-f", "-", sent=DEPLOYMENT % "") == "deployment.apps/web unchanged\n"
        changed = DEPLOYMENT % ", ports: [{containerPort: 80}]"
        assert await shell("apply", "-f", "-", sent=changed) == "deployment.apps/web configured\n"
        assert "made" in await shell("get", "deployments", "-o", "wide")
        refused = await shell.run("apply", "-f", "-", sent=DEPLOYMENT % ", elf: 1")
        assert (refused.returncode, 'unknown field "' in refused.stderr, "elf" in refused.stderr) == (1, True, True)
        assert "containerPort\t<integer> -required-" in await shell("explain", "pod.spec.containers.ports")
        assert await shell("auth", "can-i", "create", "pods") == "yes\n"
        addresses = await shell("get", "ipaddresses", "--sort-by=.metadata.name")
        assert addresses.split() == ["NAME", "PARENTREF", "10.96.0.1", "services/default/kubernetes"]
        networks = (await shell("get", "servicecidrs")).split()
        assert networks[:5] == ["NAME", "CIDRS", "AGE", "kubernetes", "10.96.0.0/24"]
        await shell("delete", "deployment", "web", "made")


@each
async def test_exec_attach_and_logs(kubectl: Kubectl, tmp_path: Path) -> None:
    async with served(pki=tmp_path) as s:
        await s.cluster.client.create(pod(node="n1"))
        shell = Shell(kubectl, tmp_path)
        assert await shell("exec", "web", "--", "hello", "world") == "hello world\n"
        assert await shell("exec", "-i", "web", "--", "cat", sent="input\n" * 20_000) == "input\n" * 20_000
        failed = await shell.run("exec", "web", "--", "exit", "3")
        assert (failed.returncode, failed.stdout) == (3, "out\n")
        assert failed.stderr.startswith("err\n")
        assert len(await shell("exec", "web", "--", "big", "4194304")) == 4194304
        gone = await shell.run("exec", "web", "--", "gone")
        assert "container not found" in gone.stderr
        assert await shell("attach", "-i", "web", sent="attached\n") == "attached\n"
        assert await shell("logs", "web", "--tail=5") == "app line 0\napp line 1\napp line 2\n"


@each
async def test_port_forward(kubectl: Kubectl, tmp_path: Path) -> None:
    async with served(pki=tmp_path) as s:
        await s.cluster.client.create(pod(node="n1"))
        running = {"status": {"phase": "Running"}}  # kubectl forwards to running pods only
        await s.cluster.client.patch(core.Pod, "web", "default", patch=running, subresource="status")
        environment = {**os.environ, "KUBECONFIG": str(tmp_path / "kubeconfig"), "HOME": str(tmp_path)}
        command = [str(kubectl.path), "port-forward", "pod/web", "0:80", "--address=127.0.0.1"]
        async with await anyio.open_process(command, env=environment) as process:
            assert process.stdout is not None
            with anyio.fail_after(20):
                line = (await process.stdout.receive()).decode()
            port = int(line.partition("127.0.0.1:")[2].partition(" ")[0])
            data = os.urandom(300_000)
            for _ in range(3):
                assert await _echoed(port, data) == data
            process.kill()


async def _echoed(port: int, data: bytes) -> bytes:
    received = b""
    with anyio.fail_after(20):
        async with await anyio.connect_tcp("127.0.0.1", port) as stream, anyio.create_task_group() as tasks:
            tasks.start_soon(stream.send, data)
            while len(received) < len(data):
                received += await stream.receive()
    return received
