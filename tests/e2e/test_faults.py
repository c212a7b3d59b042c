"""What happens behind the kubelet's back: it ends where the spec says, restarts only what upstream would, and leaves nothing.

`KUBELITE_FAULT_ROUNDS=20` repeats the round of many pods (60 then, not 30), and kills the daemon at every step; by default the
round is done once, and three steps are drawn. Simulated crashes at all steps, clocks that are set and full disks are in
tests/kubelet.
"""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.daemon import Daemon
from tests.e2e.host import containers, docker, until_nothing_is_left, until_removed
from tests.e2e.load import request
from tests.e2e.socket_proxy import SocketProxy
from tests.e2e.test_recovery import container_id, sandbox_of
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
        daemon.kubectl("delete", "service", "pod-1")
        daemon.kubectl("delete", "pod", "--all", "--grace-period=1", "--timeout=60s", timeout_s=70)
        until_nothing_is_left(daemon)


class Deadly:
    """Kills the daemon at one of its requests that change something, before the engine hears it or before the answer."""

    def __init__(self, proxy: SocketProxy) -> None:
        self.proxy = proxy
        self.seen: list[str] = []  #: such requests so far
        self.done = threading.Event()

    def arm(self, daemon: Daemon, nth: int, *, heard: bool) -> None:
        self.seen, self.done = [], threading.Event()
        pid, done = daemon.pid, self.done

        def on_request(request: str) -> None:
            if request.startswith("GET ") or "/containers/" not in request:
                return
            self.seen.append(request)
            if len(self.seen) == nth:
                os.kill(pid, signal.SIGKILL)
                done.set()
                if not heard:
                    raise OSError("the daemon died before it had sent this")

        self.proxy.on_request = on_request

    def after(self, daemon: Daemon) -> None:
        """Waits for the death, and starts the daemon again."""
        assert self.done.wait(30), self.seen
        self.proxy.on_request = lambda request: None
        daemon.stop(signal.SIGKILL)
        daemon.start()


def live(daemon: Daemon, deadly: Deadly, *, start: int = 0, stop: int = 0, heard: bool = False) -> tuple[int, int]:
    """One pod's life, with a death at a step of its start or of its stop; returns how many steps there were of each."""
    deadly.arm(daemon, start, heard=heard)
    daemon.kubectl("apply", "-f", "-", stdin=manifest("one", SLEEP, SLEEP | {"name": "other"}))
    if start:
        deadly.after(daemon)
    daemon.wait("condition=Ready", "pod/one")
    counts = [each["restartCount"] for each in daemon.get("pod", "one")["status"]["containerStatuses"]]
    assert counts == [0, 0], (start, heard, deadly.seen)
    begun = len(deadly.seen)
    deadly.arm(daemon, stop, heard=heard)
    daemon.kubectl("delete", "pod", "one", "--grace-period=1", "--wait=false")
    if stop:
        deadly.after(daemon)
    daemon.kubectl("wait", "--for=delete", "pod/one", "--timeout=60s", timeout_s=70)
    until_nothing_is_left(daemon)
    return begun, len(deadly.seen)


@pytest.mark.usefixtures("engine")
def test_kill_9_at_any_step_restarts_nothing_and_leaves_nothing(
    new_daemon: Callable[..., Daemon], tmp_path: Path
) -> None:
    """Every step with `KUBELITE_FAULT_ROUNDS` above 1, some by default; tests/kubelet/test_crash_points has all, simulated."""
    with SocketProxy(tmp_path / "docker.sock", "/var/run/docker.sock") as proxy:
        daemon, deadly = new_daemon("--docker-socket", str(proxy.path)), Deadly(proxy)
        daemon.start()
        starts, stops = live(daemon, deadly)
        assert min(starts, stops) >= 6
        steps = [(nth, 0) for nth in range(1, starts + 1)] + [(0, nth) for nth in range(1, stops + 1)]
        deaths = [(*step, heard) for step in steps for heard in (False, True)]
        for start, stop, heard in deaths if ROUNDS > 1 else random.sample(deaths, 3):
            live(daemon, deadly, start=start, stop=stop, heard=heard)


@pytest.mark.usefixtures("engine")
def test_an_engine_that_goes_down_with_its_containers_is_followed_by_one_restart_each(
    new_daemon: Callable[..., Daemon], tmp_path: Path
) -> None:
    with SocketProxy(tmp_path / "docker.sock", "/var/run/docker.sock") as proxy:
        daemon = new_daemon("--docker-socket", str(proxy.path))
        daemon.start()
        names = [f"pod-{number}" for number in range(3)]
        once = manifest("once", {"name": "main", "command": ["sleep", "1000"]}, restartPolicy="Never")
        daemon.kubectl("apply", "-f", "-", stdin="\n---\n".join([once, *(manifest(name, SLEEP) for name in names)]))
        daemon.wait("condition=Ready", "pod", "--all")
        proxy.closed = True
        proxy.cut()
        docker("kill", *containers(daemon))
        proxy.closed = False
        for name in names:
            daemon.wait("jsonpath={.status.containerStatuses[0].restartCount}=1", f"pod/{name}")
            daemon.wait("condition=Ready", f"pod/{name}")
        daemon.wait("jsonpath={.status.phase}=Failed", "pod/once")
        for pod in daemon.get("pods")["items"]:
            expected = 0 if pod["metadata"]["name"] == "once" else 1
            assert pod["status"]["containerStatuses"][0]["restartCount"] == expected, pod["metadata"]["name"]
        daemon.kubectl("delete", "pods", "--all", "--grace-period=1", "--timeout=60s", timeout_s=70)
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
            proxy.until_requests(12)
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
        daemon.kubectl("delete", "pods", "--all", "--grace-period=1", "--wait=false")
        proxy.cut()
        daemon.kubectl("wait", "--for=delete", "pod", "--all", "--timeout=60s", timeout_s=70)
        until_nothing_is_left(daemon)
