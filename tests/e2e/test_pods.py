"""Pods in full: ports of the host, debugging a container from another, changed resources, images without a registry."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.e2e.daemon import Daemon
from tests.e2e.load import request
from tests.e2e.test_recovery import container_id, docker
from tests.e2e.test_sandbox import IMAGE, manifest

SLEEP = {"name": "main", "command": ["sleep", "1000"]}


def test_ports_of_the_host_lead_to_the_pod_until_it_ends(daemon: Daemon, namespace: str) -> None:
    def on(number: int, **port: Any) -> dict[str, Any]:
        ports = [{"containerPort": 8080, "hostPort": number, **port}]
        return {"name": "web", "command": ["httpd", "-f", "-p", "8080", "-h", "/etc"], "ports": ports}

    pods = (manifest("all", on(38080)), manifest("local", on(38081, hostIP="127.0.0.1")))
    daemon.kubectl("apply", "-n", namespace, "-f", "-", stdin="\n---\n".join(pods))
    daemon.wait("condition=Ready", "pod/all", "pod/local", "-n", namespace)
    address = daemon.get("nodes")["items"][0]["status"]["addresses"][0]["address"]
    for host, port in ((address, 38080), ("127.0.0.1", 38080), ("127.0.0.1", 38081)):
        assert "root" in request(host, port, "/passwd")
    daemon.kubectl("delete", "-n", namespace, "pod", "all", "local", "--wait=true")
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            request("127.0.0.1", 38080, "/passwd")
        except OSError:
            return
    raise AssertionError("the port still leads somewhere")


def test_kubectl_debug_sees_the_processes_of_the_target(daemon: Daemon, namespace: str) -> None:
    daemon.kubectl("apply", "-n", namespace, "-f", "-", stdin=manifest("one", SLEEP))
    daemon.wait("condition=Ready", "pod/one", "-n", namespace)
    words = (
        "debug",
        "-n",
        namespace,
        "one",
        "--target=main",
        "--container=look",
        f"--image={IMAGE}",
        "--profile=general",
    )
    daemon.kubectl(*words, "--", "sh", "-c", "ps; sleep 1000")
    daemon.wait("jsonpath={.status.ephemeralContainerStatuses[0].state.running}", "pod/one", "-n", namespace)
    assert "sleep 1000" in daemon.kubectl(
        "exec", "-n", namespace, "one", "-c", "look", "--", "cat", "/proc/1/cmdline"
    ).replace("\0", " ")


def test_resources_change_in_place_or_by_a_restart_or_wait(daemon: Daemon, namespace: str) -> None:
    policy = [{"resourceName": "memory", "restartPolicy": "RestartContainer"}]
    resources = {"requests": {"cpu": "100m", "memory": "32Mi"}, "limits": {"cpu": "200m", "memory": "64Mi"}}
    pod = manifest("one", SLEEP | {"resources": resources, "resizePolicy": policy})
    daemon.kubectl("apply", "-n", namespace, "-f", "-", stdin=pod)
    daemon.wait("condition=Ready", "pod/one", "-n", namespace)
    before = daemon.get("pod", "one", "-n", namespace)

    def ask(**requests_and_limits: dict[str, str]) -> None:
        patch = {"spec": {"containers": [{"name": "main", "resources": requests_and_limits}]}}
        daemon.kubectl("patch", "-n", namespace, "pod", "one", "--subresource=resize", "-p", json.dumps(patch))

    def limit(path: str) -> str:
        return f"jsonpath={{.status.containerStatuses[0].resources.limits.{path}}}"

    ask(requests={"cpu": "150m"}, limits={"cpu": "300m"})
    daemon.wait(f"{limit('cpu')}=300m", "pod/one", "-n", namespace)
    quota = docker("inspect", "--format", "{{.HostConfig.CpuQuota}} {{.HostConfig.CpuShares}}", container_id(before))
    assert quota == "30000 153"
    assert daemon.get("pod", "one", "-n", namespace)["status"]["containerStatuses"][0]["restartCount"] == 0
    ask(limits={"memory": "80Mi"})
    daemon.wait("jsonpath={.status.containerStatuses[0].restartCount}=1", "pod/one", "-n", namespace)
    daemon.wait("condition=Ready", "pod/one", "-n", namespace)
    after = daemon.get("pod", "one", "-n", namespace)
    assert docker("inspect", "--format", "{{.HostConfig.Memory}}", container_id(after)) == str(80 << 20)
    ask(requests={"cpu": "1000"}, limits={"cpu": "1000"})
    daemon.wait("condition=PodResizePending", "pod/one", "-n", namespace)
    waiting = daemon.get("pod", "one", "-n", namespace)["status"]
    (condition,) = (each for each in waiting["conditions"] if each["type"] == "PodResizePending")
    assert condition["reason"] == "Infeasible"
    assert condition["message"].startswith("Node didn't have enough capacity: cpu, requested: 1000000, capacity: ")
    assert waiting["containerStatuses"][0]["resources"]["limits"]["cpu"] == "300m"


def test_images_come_from_an_archive(daemon: Daemon, tmp_path: Path) -> None:
    docker("tag", IMAGE, "kubelite.test/copy:1")
    docker("save", "-o", str(tmp_path / "image.tar"), "kubelite.test/copy:1")
    docker("rmi", "kubelite.test/copy:1")

    def image(*words: str) -> str:
        done = subprocess.run(daemon.command("image", *words), check=True, capture_output=True, text=True)
        return done.stdout

    assert image("import", str(tmp_path / "image.tar")) == "imported kubelite.test/copy:1\n"
    assert any(line.startswith("kubelite.test/copy:1 ") for line in image("list").splitlines())
    docker("rmi", "kubelite.test/copy:1")


def test_a_static_pod_runs_while_its_manifest_is_there(daemon: Daemon) -> None:
    manifests = daemon.data_dir / "manifests"
    node = daemon.get("nodes")["items"][0]["metadata"]["name"]
    name = f"still-{node}"
    (manifests / "still.yaml").write_text(manifest("still", SLEEP))
    daemon.wait("create", f"pod/{name}")
    daemon.wait("condition=Ready", f"pod/{name}")
    before = daemon.get("pod", name)
    assert before["metadata"]["ownerReferences"][0]["kind"] == "Node"
    assert daemon.kubectl("exec", name, "--", "echo", "hi") == "hi\n"
    daemon.kubectl("delete", "pod", name, "--wait=false")
    deadline = time.monotonic() + 10
    while daemon.run("get", "pod", name, "-o", "jsonpath={.metadata.uid}").stdout in {"", before["metadata"]["uid"]}:
        assert time.monotonic() < deadline
    daemon.wait("condition=Ready", f"pod/{name}")
    assert container_id(daemon.get("pod", name)) == container_id(before)
    daemon.stop(signal.SIGKILL)
    daemon.start()
    daemon.wait("condition=Ready", f"pod/{name}")
    assert container_id(daemon.get("pod", name)) == container_id(before)
    (manifests / "still.yaml").unlink()
    daemon.wait("delete", f"pod/{name}")
    while container_id(before) in docker("ps", "-aq", "--no-trunc"):
        assert time.monotonic() < deadline + 60
