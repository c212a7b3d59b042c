"""Two daemons on one etcd: one cluster, one leader, and what happens when that is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.daemon import Daemon
from tests.store.etcd_server import Member, etcd

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: example.test/web}]}
"""
#: A Lease lives 15 s, and who waits looks every 2 s.
TAKE_OVER_S = 40


@pytest.fixture
def member(tmp_path: Path) -> Iterator[Member]:
    with etcd(tmp_path) as (member,):
        yield member


@pytest.fixture
def pair(member: Member, new_daemon: Callable[..., Daemon]) -> tuple[Daemon, Daemon]:
    """Two servers with a node each."""
    settings = ("--runtime", "simulated", "--store", f"etcd://{member.endpoint}", "--service-cidr", "10.96.0.0/16")
    return new_daemon(*settings, "--node-name", "one"), new_daemon(*settings, "--node-name", "other")


def holders(daemon: Daemon) -> tuple[str, str]:
    leases = ("kube-controller-manager", "kube-scheduler")
    first, second = (daemon.get("lease", "-n", "kube-system", name)["spec"]["holderIdentity"] for name in leases)
    return first, second


def test_two_servers_are_one_cluster_and_a_killed_leader_is_replaced(pair: tuple[Daemon, Daemon]) -> None:
    one, other = pair
    one.start()
    other.start()
    first = holders(other)
    assert first[0] == first[1]
    one.kubectl("create", "configmap", "shared", "--from-literal=from=one")
    assert other.get("configmap", "shared")["data"] == {"from": "one"}
    one.kubectl("create", "service", "nodeport", "first", "--tcp=80", "--node-port=30777")
    address = other.get("service", "first")["spec"]["clusterIP"]
    refused = other.run("create", "service", "clusterip", "second", "--tcp=80", f"--clusterip={address}")
    assert "provided IP is already allocated" in refused.stderr
    refused = other.run("create", "service", "nodeport", "second", "--tcp=80", "--node-port=30777")
    assert "provided port is already allocated" in refused.stderr
    other.kubectl("wait", "--for=condition=Ready", "node/one", "node/other")
    other.kubectl("apply", "-f", "-", stdin=DEPLOYMENT)  # only the leader's controllers can act on it
    one.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    assert len(other.get("replicasets")["items"]) == 1
    assert len(one.pods("app=web")) == 2
    assert holders(other) == first
    one.stop(signal.SIGKILL)
    other.kubectl("scale", "deployment/web", "--replicas=4")
    for name in ("lease/kube-controller-manager", "lease/kube-scheduler"):
        taken = "jsonpath={.spec.leaseTransitions}=1"
        other.wait(taken, name, "-n", "kube-system", timeout_s=TAKE_OVER_S)
    assert not set(holders(other)) & set(first)
    other.wait("jsonpath={.status.replicas}=4", "deployment/web")


def test_an_orderly_end_hands_over_at_once(pair: tuple[Daemon, Daemon]) -> None:
    one, other = pair
    one.start()
    other.start()
    before = holders(other)
    assert one.stop() < 3
    other.wait("jsonpath={.spec.leaseTransitions}=1", "lease/kube-scheduler", "-n", "kube-system", timeout_s=6)
    assert holders(other)[1] != before[1]


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:1/path", "127.0.0.1:1?ca=/absent/ca.crt"])
def test_an_address_that_cannot_work_is_one_line(tmp_path: Path, address: str) -> None:
    words = ("--runtime", "simulated", "--secure-port", "0", "--data-dir", str(tmp_path / "data"))
    command = [sys.executable, "-m", "kubelite", *words, "--store", f"etcd://{address}"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert "etcd" in line
