"""Point 2: the example, as a user works with it, with kubectl of every generation found."""

from __future__ import annotations

import json
import os
import pty
import selectors
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from tests import kubectls
from tests.e2e.conftest import HELLO
from tests.e2e.daemon import Daemon

EVERY_KUBECTL = pytest.mark.parametrize("version", kubectls.find(), ids=str)
#: One of each generation of streaming protocols: SPDY/3.1, and WebSocket.
GENERATIONS = pytest.mark.parametrize("version", [kubectls.find()[0], kubectls.find()[-1]], ids=str)


def one_pod(daemon: Daemon, namespace: str) -> str:
    name: str = daemon.pods("app=hello", namespace)[0]["metadata"]["name"]
    return name


def read_until(stream: int, wanted: bytes, timeout_s: float = 20) -> bytes:
    """What a file descriptor gives up to and including `wanted`."""
    seen = b""
    deadline = time.monotonic() + timeout_s
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while wanted not in seen:
            assert selector.select(max(0.0, deadline - time.monotonic())), f"no {wanted!r} in {seen!r}"
            try:
                chunk = os.read(stream, 4096)
            except OSError:  # a pty's end
                chunk = b""
            assert chunk, f"ended before {wanted!r}: {seen!r}"
            seen += chunk
    return seen


@EVERY_KUBECTL
def test_every_kubectl_applies_shows_and_deletes_the_example(
    daemon: Daemon, namespace: str, version: kubectls.Kubectl
) -> None:
    def kubectl(*words: str) -> str:
        return daemon.kubectl(*words, "-n", namespace, version=version.path, timeout_s=90)

    applied = kubectl("apply", "-f", str(HELLO))
    assert applied.splitlines() == ["configmap/hello created", "deployment.apps/hello created", "service/hello created"]
    assert "successfully rolled out" in kubectl("rollout", "status", "deployment/hello", "--timeout=60s")
    assert "unchanged" in kubectl("apply", "-f", str(HELLO))
    wide = kubectl("get", "pods", "-o", "wide").splitlines()
    assert wide[0].split()[:7] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE"]
    assert len(wide) == 4
    assert all(" 1/1 " in row and " Running " in row for row in wide[1:])
    described = kubectl("describe", "pods", "-l", "app=hello")
    for event in ("Successfully assigned", "Created container", "Started container"):
        assert event in described
    assert "deleted" in kubectl("delete", "-f", str(HELLO), "--timeout=60s")
    kubectl("wait", "--for=delete", "pod", "-l", "app=hello", "--timeout=60s")
    assert kubectl("get", "all") == ""


def test_logs_are_followed_until_the_container_ends(daemon: Daemon, hello: str) -> None:
    pod = one_pod(daemon, hello)
    command = daemon.kubectl_command("logs", "-f", "-n", hello, pod)
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=daemon.environment()) as following:
        assert following.stdout is not None
        assert f"Hello from kubelite, I am {pod}".encode() in read_until(following.stdout.fileno(), b"\n")
        daemon.kubectl("delete", "pod", "-n", hello, pod)
        assert following.wait(20) == 0


@GENERATIONS
def test_exec_passes_streams_and_exit_codes(daemon: Daemon, hello: str, version: kubectls.Kubectl) -> None:
    pod = one_pod(daemon, hello)

    def execute(*words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        flags = ["-i"] if stdin is not None else []
        return daemon.run("exec", *flags, "-n", hello, pod, "--", *words, stdin=stdin, version=version.path)

    assert execute("cat", stdin="through and back\n").stdout == "through and back\n"
    both = execute("sh", "-c", "echo out; echo err >&2; exit 7")
    assert (both.stdout, both.returncode) == ("out\n", 7)
    assert "err\n" in both.stderr
    assert execute("cat", "/www/index.html").stdout == "Hello from kubelite\n"
    assert execute("sh", "-c", "echo $GREETING").stdout == "Hello from kubelite\n"
    missing = execute("no-such-program")
    assert missing.returncode != 0
    assert "no-such-program" in missing.stderr


@GENERATIONS
def test_exec_with_a_terminal_is_interactive(daemon: Daemon, hello: str, version: kubectls.Kubectl) -> None:
    master, slave = pty.openpty()
    command = daemon.kubectl_command(
        "exec", "-it", "-n", hello, one_pod(daemon, hello), "--", "sh", version=version.path
    )
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=daemon.environment()) as shell:
        os.close(slave)
        read_until(master, b"# ")
        os.write(master, b"echo $((40 + 2)); tty\n")
        seen = read_until(master, b"/dev/pts/")
        assert b"42" in seen
        os.write(master, b"exit 3\n")
        assert shell.wait(20) == 3
    os.close(master)


@GENERATIONS
def test_a_forwarded_port_reaches_the_pod(daemon: Daemon, hello: str, version: kubectls.Kubectl) -> None:
    command = daemon.kubectl_command("port-forward", "-n", hello, "service/hello", ":80", version=version.path)
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=daemon.environment()) as forward:
        assert forward.stdout is not None
        line = read_until(forward.stdout.fileno(), b"\n").decode()
        address = line.split("Forwarding from ")[1].split(" ->")[0]
        for _ in range(5):
            with urllib.request.urlopen(f"http://{address}/index.html", timeout=10) as answer:
                assert answer.read() == b"Hello from kubelite\n"
        forward.terminate()


def test_scale_label_and_delete(daemon: Daemon, hello: str) -> None:
    daemon.kubectl("scale", "-n", hello, "deployment/hello", "--replicas=5")
    daemon.wait("jsonpath={.status.availableReplicas}=5", "deployment/hello", "-n", hello)
    daemon.kubectl("scale", "-n", hello, "deployment/hello", "--replicas=1")
    daemon.wait("jsonpath={.status.replicas}=1", "deployment/hello", "-n", hello)
    daemon.kubectl("label", "-n", hello, "deployment/hello", "tier=web")
    assert "hello" in daemon.kubectl("get", "deployments", "-n", hello, "-l", "tier=web")
    daemon.kubectl("delete", "-n", hello, "deployment/hello")
    daemon.wait("delete", "pod", "-l", "app=hello", "-n", hello)


def test_a_deleted_pod_is_replaced(daemon: Daemon, hello: str) -> None:
    before = {pod["metadata"]["uid"] for pod in daemon.pods("app=hello", hello)}
    daemon.kubectl("delete", "pod", "-n", hello, one_pod(daemon, hello))
    daemon.wait("jsonpath={.status.availableReplicas}=3", "deployment/hello", "-n", hello)
    after = {pod["metadata"]["uid"] for pod in daemon.pods("app=hello", hello)}
    assert len(after) == 3
    assert len(after - before) == 1


def test_a_crashing_container_is_restarted_with_back_off_and_counted(daemon: Daemon, namespace: str) -> None:
    daemon.kubectl("run", "crash", "-n", namespace, "--image=kubelite.test/busybox:1", "--", "sh", "-c", "exit 3")
    daemon.wait("jsonpath={.status.containerStatuses[0].restartCount}=2", "pod/crash", "-n", namespace)
    daemon.wait(
        "jsonpath={.status.containerStatuses[0].state.waiting.reason}=CrashLoopBackOff", "pod/crash", "-n", namespace
    )
    status = daemon.get("pod", "crash", "-n", namespace)["status"]["containerStatuses"][0]
    assert status["lastState"]["terminated"]["exitCode"] == 3
    assert status["lastState"]["terminated"]["reason"] == "Error"
    assert "Back-off restarting failed container" in daemon.kubectl("describe", "pod", "crash", "-n", namespace)


def test_every_example_is_applied_and_becomes_ready(daemon: Daemon, namespace: str) -> None:
    examples = sorted(Path(HELLO).parent.glob("*.yaml"))
    assert examples
    for example in examples:
        done = json.loads(daemon.kubectl("apply", "-n", namespace, "-f", str(example), "-o", "json"))
        items = done.get("items", [done])
        for item in items:
            if item["kind"] == "Deployment":
                daemon.wait("condition=Available", f"deployment/{item['metadata']['name']}", "-n", namespace)
