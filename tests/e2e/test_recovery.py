"""Point 6: killed containers and sandboxes come back; a killed kubelite adopts what runs and catches up."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.conftest import HELLO
from tests.e2e.daemon import Daemon
from tests.e2e.test_sandbox import manifest


def docker(*words: str) -> str:
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout.strip()


def container_id(pod: dict[str, Any], index: int = 0) -> str:
    identity: str = pod["status"]["containerStatuses"][index]["containerID"]
    return identity.removeprefix("docker://")


def sandbox_of(container: str) -> str:
    return docker("inspect", "--format", "{{.HostConfig.NetworkMode}}", container).removeprefix("container:")


def test_a_killed_container_is_restarted_in_the_same_pod(daemon: Daemon, namespace: str) -> None:
    daemon.kubectl(
        "apply", "-n", namespace, "-f", "-", stdin=manifest("one", {"name": "main", "command": ["sleep", "1000"]})
    )
    daemon.wait("condition=Ready", "pod/one", "-n", namespace)
    before = daemon.get("pod", "one", "-n", namespace)
    docker("kill", container_id(before))
    daemon.wait("jsonpath={.status.containerStatuses[0].restartCount}=1", "pod/one", "-n", namespace)
    daemon.wait("condition=Ready", "pod/one", "-n", namespace)
    after = daemon.get("pod", "one", "-n", namespace)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["status"]["podIP"] == before["status"]["podIP"]
    assert after["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 137


def test_a_killed_sandbox_is_replaced_and_the_pod_recovers(daemon: Daemon, namespace: str) -> None:
    daemon.kubectl(
        "apply", "-n", namespace, "-f", "-", stdin=manifest("one", {"name": "main", "command": ["sleep", "1000"]})
    )
    daemon.wait("condition=Ready", "pod/one", "-n", namespace)
    before = daemon.get("pod", "one", "-n", namespace)
    docker("kill", sandbox_of(container_id(before)))
    daemon.wait("jsonpath={.status.containerStatuses[0].restartCount}=1", "pod/one", "-n", namespace)
    daemon.wait("condition=Ready", "pod/one", "-n", namespace)
    after = daemon.get("pod", "one", "-n", namespace)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert sandbox_of(container_id(after)) != sandbox_of(container_id(before))
    assert "SandboxChanged" in daemon.kubectl("get", "events", "-n", namespace)


@pytest.mark.usefixtures("engine")
def test_a_killed_kubelite_adopts_its_containers_and_catches_up(new_daemon: Callable[..., Daemon]) -> None:
    daemon = new_daemon()
    daemon.start()
    daemon.kubectl("apply", "-f", str(HELLO))
    daemon.kubectl("rollout", "status", "deployment/hello", "--timeout=60s", timeout_s=70)
    daemon.kubectl("apply", "-f", "-", stdin=manifest("lone", {"name": "main", "command": ["sleep", "1000"]}))
    daemon.wait("condition=Ready", "pod/lone")
    before = {pod["metadata"]["name"]: pod for pod in daemon.pods("app")}

    daemon.stop(signal.SIGKILL)
    docker("kill", container_id(before["lone"]))
    daemon.start()
    daemon.wait("jsonpath={.status.containerStatuses[0].restartCount}=1", "pod/lone")
    daemon.kubectl("rollout", "status", "deployment/hello", "--timeout=60s", timeout_s=70)
    after = {pod["metadata"]["name"]: pod for pod in daemon.pods("app")}
    assert after.keys() == before.keys()
    for name in before.keys() - {"lone"}:
        assert container_id(after[name]) == container_id(before[name])
        assert after[name]["status"]["containerStatuses"][0]["restartCount"] == 0
        assert after[name]["status"]["podIP"] == before[name]["status"]["podIP"]

    # An edit that no kubelet was there to see: the API alone runs, then everything again.
    daemon.kubectl("scale", "deployment/hello", "--replicas=1")
    daemon.stop(signal.SIGKILL)
    daemon.start()
    daemon.wait("jsonpath={.status.replicas}=1", "deployment/hello")
    running = docker("ps", "--filter", "label=io.kubernetes.container.name=web", "--format", "{{.ID}}").split()
    names = {pod["metadata"]["name"] for pod in daemon.pods("app=hello")}
    assert len(names) == 1
    assert names < before.keys()
    assert running


@pytest.mark.usefixtures("engine")
def test_stopping_leaves_pods_running_and_cleanup_removes_them(new_daemon: Callable[..., Daemon]) -> None:
    daemon = new_daemon()
    daemon.start()
    daemon.kubectl("apply", "-f", "-", stdin=manifest("one", {"name": "main", "command": ["sleep", "1000"]}))
    daemon.wait("condition=Ready", "pod/one")
    container = container_id(daemon.get("pod", "one"))
    assert daemon.stop() < 2
    assert daemon.exit_code == 0
    assert json.loads(docker("inspect", container))[0]["State"]["Running"]
    daemon.cleanup()
    assert container not in docker("ps", "-aq", "--no-trunc")
    assert not daemon.data_dir.exists()
