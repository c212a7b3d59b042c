"""Point 1: the node is Ready, with capacity, addresses and versions; the standard objects exist."""

from __future__ import annotations

import os

from tests.e2e.daemon import Daemon


def test_the_node_is_ready_with_capacity_addresses_and_versions(daemon: Daemon) -> None:
    table = daemon.kubectl("get", "nodes").splitlines()
    assert table[0].split() == ["NAME", "STATUS", "ROLES", "AGE", "VERSION"]
    assert table[1].split()[1] == "Ready"
    node = daemon.get("nodes")["items"][0]
    assert int(node["status"]["capacity"]["cpu"]) == os.cpu_count()
    assert node["status"]["capacity"]["memory"].endswith("Ki")
    assert node["status"]["capacity"]["pods"] == "110"
    assert node["status"]["allocatable"].keys() >= {"cpu", "memory", "pods", "ephemeral-storage"}
    assert {address["type"] for address in node["status"]["addresses"]} == {"InternalIP", "Hostname"}
    assert node["status"]["nodeInfo"]["kubeletVersion"].startswith("v1.33.")
    assert node["status"]["nodeInfo"]["containerRuntimeVersion"].startswith("docker://")
    ready = {condition["type"]: condition["status"] for condition in node["status"]["conditions"]}
    assert ready == {"Ready": "True", "MemoryPressure": "False", "DiskPressure": "False", "PIDPressure": "False"}


def test_the_standard_namespaces_and_the_kubernetes_service_exist(daemon: Daemon) -> None:
    names = set(daemon.kubectl("get", "namespaces", "-o", "name").split())
    assert names >= {f"namespace/{name}" for name in ("default", "kube-system", "kube-public", "kube-node-lease")}
    service = daemon.get("service", "kubernetes")
    assert service["spec"]["ports"][0]["port"] == 443
    assert service["spec"]["clusterIP"].endswith(".1")


def test_the_node_keeps_a_lease(daemon: Daemon) -> None:
    leases = daemon.get("leases", "-n", "kube-node-lease")["items"]
    assert [lease["spec"]["holderIdentity"] for lease in leases] == [
        daemon.get("nodes")["items"][0]["metadata"]["name"]
    ]
