"""Point 5: updates and scaling under load lose no request; an update that cannot succeed stops by itself."""

from __future__ import annotations

import json

from tests.e2e.daemon import Daemon
from tests.e2e.load import Load, resolve

CONNECTIONS = 16
REQUESTS = 5000


def template(**container: object) -> str:
    return json.dumps({"spec": {"template": {"spec": {"containers": [{"name": "web", **container}]}}}})


def rolled_out(daemon: Daemon, namespace: str) -> None:
    daemon.kubectl("rollout", "status", "-n", namespace, "deployment/hello", "--timeout=90s", timeout_s=100)


def test_two_updates_and_scaling_lose_no_request(daemon: Daemon, hello: str) -> None:
    address = daemon.get("service", "hello", "-n", hello)["spec"]["clusterIP"]
    dns = daemon.get("service", "kube-dns", "-n", "kube-system")["spec"]["clusterIP"]
    name = f"hello.{hello}.svc.cluster.local"
    before = {pod["metadata"]["uid"] for pod in daemon.pods("app=hello", hello)}
    with Load(CONNECTIONS, [lambda: address, lambda: resolve(name, dns)], "/index.html") as load:
        load.until(500, timeout_s=60)
        for number in (1, 2):
            patch = template(env=[{"name": "ROUND", "value": str(number)}])
            daemon.kubectl("patch", "-n", hello, "deployment/hello", "--patch", patch)
            rolled_out(daemon, hello)
        for replicas in (3, 6, 2):
            daemon.kubectl("scale", "-n", hello, "deployment/hello", f"--replicas={replicas}")
            rolled_out(daemon, hello)
            daemon.wait(f"jsonpath={{.status.replicas}}={replicas}", "deployment/hello", "-n", hello)
        load.until(REQUESTS, timeout_s=120)
    assert load.failures == []
    assert load.answers.keys() == {"Hello from kubelite"}
    assert not before & {pod["metadata"]["uid"] for pod in daemon.pods("app=hello", hello)}


def test_an_update_that_never_becomes_ready_stops_and_is_undone(daemon: Daemon, hello: str) -> None:
    before = {pod["metadata"]["uid"] for pod in daemon.pods("app=hello", hello)}
    daemon.kubectl("patch", "-n", hello, "deployment/hello", "-p", '{"spec": {"progressDeadlineSeconds": 3}}')
    broken = template(readinessProbe={"httpGet": {"path": "/no-such-file", "port": "http"}})
    daemon.kubectl("patch", "-n", hello, "deployment/hello", "--patch", broken)
    daemon.wait("condition=Progressing=false", "deployment/hello", "-n", hello)
    said = daemon.run("rollout", "status", "-n", hello, "deployment/hello", "--timeout=20s")
    assert said.returncode != 0
    assert "exceeded its progress deadline" in said.stderr
    conditions = daemon.get("deployment", "hello", "-n", hello)["status"]["conditions"]
    reasons = {condition["type"]: (condition["status"], condition["reason"]) for condition in conditions}
    assert reasons["Progressing"] == ("False", "ProgressDeadlineExceeded")
    assert reasons["Available"] == ("True", "MinimumReplicasAvailable")
    serving = [pod for pod in daemon.pods("app=hello", hello) if pod["metadata"]["uid"] in before]
    assert len(serving) >= 2
    daemon.kubectl("rollout", "undo", "-n", hello, "deployment/hello")
    rolled_out(daemon, hello)
    after = {pod["metadata"]["uid"] for pod in daemon.pods("app=hello", hello)}
    assert len(after) == 3
    assert len(after & before) >= 2


def test_rollout_history_keeps_the_revisions(daemon: Daemon, hello: str) -> None:
    daemon.kubectl("patch", "-n", hello, "deployment/hello", "--patch", template(env=[{"name": "A", "value": "1"}]))
    rolled_out(daemon, hello)
    history = daemon.kubectl("rollout", "history", "-n", hello, "deployment/hello")
    assert [line.split()[0] for line in history.splitlines() if line[:1].isdigit()] == ["1", "2"]
