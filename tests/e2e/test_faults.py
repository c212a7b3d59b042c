"""What happens behind the kubelet's back: it ends where the spec says, restarts only what upstream would, and leaves nothing.

`KUBELITE_FAULT_ROUNDS=20` repeats the rounds of many pods (60 then, not 30) and of kills; by default each is done once.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kubelite.kubelet.instance import instance_id, link_prefix
from tests.e2e.daemon import Daemon
from tests.e2e.load import request
from tests.e2e.socket_proxy import SocketProxy
from tests.e2e.test_recovery import container_id, docker, sandbox_of
from tests.e2e.test_sandbox import manifest

ROUNDS = int(os.environ.get("KUBELITE_FAULT_ROUNDS", "1"))
MANY = 60 if ROUNDS > 1 else 30
SERVE = {"name": "web", "command": ["httpd", "-f", "-p", "8080", "-h", "/etc"]}
SLEEP = {"name": "main", "command": ["sleep", "1000"]}


def service(name: str) -> str:
    spec = {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]}
    return json.dumps({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec})


def answers_within(address: str, seconds: float) -> float:
    """How long it takes until the address answers. Raises: AssertionError."""
    begun = time.monotonic()
    while (taken := time.monotonic() - begun) < seconds:
        try:
            request(address, 80, "/passwd")
        except (OSError, ValueError):
            continue
        return taken
    raise AssertionError(f"{address} did not answer within {seconds:g} s")


def run_one(daemon: Daemon, namespace: str, container: dict[str, Any] = SLEEP) -> dict[str, Any]:
    """The pod "one", ready."""
    daemon.kubectl("apply", "-n", namespace, "-f", "-", stdin=manifest("one", container))
    daemon.wait("condition=Ready", "pod/one", "-n", namespace)
    pod: dict[str, Any] = daemon.get("pod", "one", "-n", namespace)
    return pod


def restarted(daemon: Daemon, namespace: str) -> dict[str, Any]:
    """The pod "one", once it is ready again after one restart."""
    daemon.wait("jsonpath={.status.containerStatuses[0].restartCount}=1", "pod/one", "-n", namespace)
    daemon.wait("condition=Ready", "pod/one", "-n", namespace)
    pod: dict[str, Any] = daemon.get("pod", "one", "-n", namespace)
    return pod


def leftovers(daemon: Daemon) -> list[str]:
    """What a daemon without pods still has on the machine and should not have."""
    instance = instance_id(daemon.data_dir)
    links = [each for each in os.listdir("/sys/class/net") if each.startswith(link_prefix(instance))]
    rules = subprocess.run(
        ["nft", "list", "table", "ip", f"kubelite_{instance}"], check=False, capture_output=True, text=True
    ).stdout
    network = str(daemon.get("nodes")["items"][0]["spec"]["podCIDR"]).rsplit(".", 2)[0]
    routes = subprocess.run(["ip", "-4", "route"], check=False, capture_output=True, text=True).stdout.splitlines()
    return [
        *docker("ps", "-aq", "--filter", f"label=kubelite.io/instance={instance}").split(),
        *(link for link in links if link != link_prefix(instance)),
        *(line for line in routes if line.startswith(f"{network}.") and f"{link_prefix(instance)}_" in line),
        *(line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f"{daemon.data_dir}/pods/" in line),
        *_cgroups(instance),
        *os.listdir(daemon.data_dir / "pods"),
        *(line.strip() for line in rules.splitlines() if f"{network}." in line and "hairpin" in line),
    ]


def until_nothing_is_left(daemon: Daemon, within_s: float = 10) -> None:
    """Interfaces go some time after their namespace."""
    deadline = time.monotonic() + within_s
    while (left := leftovers(daemon)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []


def until_removed(*containers: str, within_s: float = 10) -> None:
    """A pod that is deleted without grace is gone from the API before its containers are."""
    deadline = time.monotonic() + within_s
    while (left := set(docker("ps", "-aq", "--no-trunc").split()) & set(containers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left


def test_a_killed_container_is_back_in_its_service_at_once(daemon: Daemon, namespace: str) -> None:
    names = [f"web-{number}" for number in range(5)]
    for name in names:
        daemon.kubectl("apply", "-n", namespace, "-f", "-", stdin=manifest(name, SERVE))
        daemon.kubectl("apply", "-n", namespace, "-f", "-", stdin=service(name))
    daemon.wait("condition=Ready", *(f"pod/{name}" for name in names), "-n", namespace)
    addresses = {name: daemon.get("service", name, "-n", namespace)["spec"]["clusterIP"] for name in names}
    for name in names:
        answers_within(addresses[name], 5)
        docker("kill", container_id(daemon.get("pod", name, "-n", namespace)))
        answers_within(addresses[name], 2)
        daemon.wait("jsonpath={.status.containerStatuses[0].restartCount}=1", f"pod/{name}", "-n", namespace)
        answers_within(addresses[name], 1)


def test_a_removed_container_is_made_again(daemon: Daemon, namespace: str) -> None:
    before = run_one(daemon, namespace)
    sandbox = sandbox_of(container_id(before))
    docker("rm", "-f", container_id(before))
    after = restarted(daemon, namespace)
    assert after["status"]["podIP"] == before["status"]["podIP"]
    assert sandbox_of(container_id(after)) == sandbox


def test_a_removed_sandbox_is_made_again(daemon: Daemon, namespace: str) -> None:
    sandbox = sandbox_of(container_id(run_one(daemon, namespace)))
    docker("rm", "-f", sandbox)
    assert sandbox_of(container_id(restarted(daemon, namespace))) != sandbox


def test_a_renamed_container_is_still_the_pods(daemon: Daemon, namespace: str) -> None:
    before = run_one(daemon, namespace)
    docker("rename", container_id(before), f"other-{before['metadata']['uid']}")
    daemon.kubectl("exec", "-n", namespace, "one", "--", "true")
    docker("kill", container_id(before))
    after = restarted(daemon, namespace)
    daemon.kubectl("delete", "-n", namespace, "pod", "one")
    until_removed(container_id(before), container_id(after))


def test_a_paused_container_runs_until_its_liveness_probe_says_otherwise(daemon: Daemon, namespace: str) -> None:
    probe = {"exec": {"command": ["true"]}, "periodSeconds": 1, "failureThreshold": 1, "timeoutSeconds": 1}
    before = run_one(daemon, namespace, SLEEP | {"livenessProbe": probe})
    docker("pause", container_id(before))
    restarted(daemon, namespace)


def test_a_paused_container_can_be_deleted(daemon: Daemon, namespace: str) -> None:
    before = run_one(daemon, namespace)
    docker("pause", container_id(before))
    daemon.kubectl("delete", "-n", namespace, "pod", "one", "--timeout=20s")
    until_removed(container_id(before))


@pytest.mark.usefixtures("engine")
def test_many_pods_made_and_deleted_at_once_leave_nothing(new_daemon: Callable[..., Daemon]) -> None:
    daemon = new_daemon()
    daemon.start()
    for _ in range(ROUNDS):
        mounts = [{"name": "scratch", "mountPath": "/scratch"}]
        volumes = [{"name": "scratch", "emptyDir": {"medium": "Memory"}}]
        names = [f"pod-{number}" for number in range(MANY)]
        made = "\n---\n".join(manifest(name, SERVE | {"volumeMounts": mounts}, volumes=volumes) for name in names)
        daemon.kubectl("apply", "-f", "-", stdin=f"{made}\n---\n{service('pod-1')}", timeout_s=60)
        daemon.wait("condition=Ready", "pod", "--all")
        counts = [pod["status"]["containerStatuses"][0]["restartCount"] for pod in daemon.get("pods")["items"]]
        assert counts == [0] * MANY
        daemon.kubectl("delete", "pod,service", "-l", "app", "--wait=true", "--timeout=60s", timeout_s=70)
        daemon.kubectl("delete", "service", "pod-1")
        until_nothing_is_left(daemon)


@pytest.mark.usefixtures("engine")
def test_kill_9_at_any_time_restarts_nothing_and_leaves_nothing(new_daemon: Callable[..., Daemon]) -> None:
    daemon = new_daemon()
    daemon.start()
    names = [f"pod-{number}" for number in range(8)]
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)

    def killed(*, times: int) -> None:
        for _ in range(times):
            time.sleep(chance.uniform(0.0, 0.8))
            daemon.stop(signal.SIGKILL)
            daemon.start()

    for _ in range(ROUNDS):
        made = "\n---\n".join(manifest(name, SLEEP, SLEEP | {"name": "other"}) for name in names)
        daemon.kubectl("apply", "-f", "-", stdin=made)
        killed(times=2)
        daemon.wait("condition=Ready", "pod", "--all")
        for pod in daemon.get("pods")["items"]:
            assert [each["restartCount"] for each in pod["status"]["containerStatuses"]] == [0, 0], f"seed {seed}"
        daemon.kubectl("delete", "pods", "--all", "--grace-period=1", "--wait=false")
        killed(times=2)
        daemon.kubectl("wait", "--for=delete", "pod", "--all", "--timeout=60s", timeout_s=70)
        until_nothing_is_left(daemon)


@pytest.mark.usefixtures("engine")
def test_a_slow_and_breaking_engine_delays_pods_and_restarts_none(
    new_daemon: Callable[..., Daemon], tmp_path: Path
) -> None:
    with SocketProxy(tmp_path / "docker.sock", "/var/run/docker.sock") as proxy:
        daemon = new_daemon("--docker-socket", str(proxy.path))
        daemon.start()
        daemon.kubectl("apply", "-f", "-", stdin=manifest("steady", SLEEP))
        daemon.wait("condition=Ready", "pod/steady")
        proxy.delay_s = 0.1
        names = [f"pod-{number}" for number in range(6)]
        daemon.kubectl("apply", "-f", "-", stdin="\n---\n".join(manifest(name, SLEEP) for name in names))
        for _ in range(4):
            time.sleep(0.4)
            proxy.cut()
        proxy.delay_s = 0.0
        daemon.wait("condition=Ready", "pod", "--all")
        proxy.closed = True
        proxy.cut()
        died = container_id(daemon.get("pod", "pod-0"))
        docker("kill", died)
        proxy.closed = False
        daemon.wait("jsonpath={.status.containerStatuses[0].restartCount}=1", "pod/pod-0")
        for pod in daemon.get("pods")["items"]:
            expected = 1 if pod["metadata"]["name"] == "pod-0" else 0
            assert pod["status"]["containerStatuses"][0]["restartCount"] == expected, pod["metadata"]["name"]
        daemon.kubectl("delete", "pods", "--all", "--wait=false")
        proxy.cut()
        daemon.kubectl("wait", "--for=delete", "pod", "--all", "--timeout=60s", timeout_s=70)
        until_nothing_is_left(daemon)


def _cgroups(instance: str) -> list[str]:
    """The pods' cgroups; they vanish while they are walked."""
    return [
        directory
        for directory, _, _ in os.walk("/sys/fs/cgroup")
        if f"/kubelite-{instance}/kubepods/" in directory and Path(directory).name.startswith("pod")
    ]
