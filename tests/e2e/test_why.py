"""`python -m kubelite why …` beside a running daemon, on what it leaves, and on an etcd."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.daemon import Daemon
from tests.store.etcd_server import etcd

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: example.test/web}]}
"""
PRIZE = """
apiVersion: v1
kind: ConfigMap
metadata: {{name: prize}}
data: {{owner: {owner}}}
"""


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kubelite", "why", *words]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def why(*words: str) -> str:
    done = run(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def chain(step: dict[str, Any] | None) -> list[tuple[str, str]]:
    """(object, who) from a change back to where it began."""
    found = []
    while step is not None:
        found.append((step["object"].partition("/")[0], step["by"].partition(" ")[0]))
        step = step["because"]
    return found


def check_pod(story: dict[str, Any]) -> None:
    created = story["changes"][0]
    assert created["what"] == "created"
    assert chain(created) == [
        ("pods", "replicaset-controller"),
        ("replicasets.apps", "deployment-controller"),
        ("deployments.apps", "kubernetes-admin"),
    ]
    revisions = [created["revision"], created["because"]["revision"], created["because"]["because"]["revision"]]
    assert revisions == sorted(revisions, reverse=True)
    assert all(re.fullmatch(r"\d{4}-.+Z", step["at"]) for step in story["changes"])
    (bound,) = [step for step in story["changes"] if "spec.nodeName" in step["fields"]]
    assert re.search(r"default-scheduler .*chosen of 1", bound["by"])
    assert any("status.phase" in step["fields"] and step["by"].startswith("kubelet") for step in story["changes"])


def deploy(daemon: Daemon) -> str:
    daemon.kubectl("apply", "-f", "-", stdin=WEB)
    daemon.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    (pod,) = daemon.pods("app=web")
    return f"pod/{pod['metadata']['name']}"


def test_a_running_daemon_and_its_data_directory_tell_the_same(new_daemon: Callable[..., Daemon]) -> None:
    daemon = new_daemon("--runtime", "simulated")
    daemon.start()
    place = ("--data-dir", str(daemon.data_dir))
    pod = deploy(daemon)
    story = json.loads(why(pod, "--json", *place))
    check_pod(story)
    lines = why(pod, *place).splitlines()
    assert lines[0] == story["object"]
    assert sum(line.lstrip().startswith("<- ") for line in lines) >= 2

    for _ in range(3):
        for owner in ("alice", "bob"):
            words = ("apply", "--server-side", "--force-conflicts", f"--field-manager={owner}", "-f", "-")
            daemon.kubectl(*words, stdin=PRIZE.format(owner=owner))
    (loop,) = json.loads(why("cm/prize", "--json", *place))["loops"]
    assert loop["field"] == "data.owner"
    assert {side["writer"]: side["value"] for side in loop["sides"]} == {"alice": "alice", "bob": "bob"}
    assert "loop: data.owner went to and fro" in why("cm/prize", *place)

    daemon.kubectl("delete", "deployment", "web", "--cascade=foreground")
    daemon.stop()
    ended = json.loads(why(pod, "--json", *place))
    assert ended["changes"][: len(story["changes"])] == story["changes"]
    assert ended["changes"][-1]["what"] == "deleted"


def test_an_etcd_tells_it_too(new_daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    with etcd(tmp_path) as (member,):
        store = f"etcd://{member.endpoint}"
        daemon = new_daemon("--runtime", "simulated", "--store", store)
        daemon.start()
        pod = deploy(daemon)
        check_pod(json.loads(why(pod, "--json", "--store", store)))
        daemon.stop()
        check_pod(json.loads(why(pod, "--json", "--store", store)))


@pytest.mark.parametrize("what", ["nonsense/x", "pod", "pod/nobody"])
def test_what_cannot_be_told_is_one_line(tmp_path: Path, what: str) -> None:
    done = run(what, "--data-dir", str(tmp_path))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
