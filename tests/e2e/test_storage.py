"""Claims on real containers: what a pod wrote is there when the next one comes, and goes when nobody wants it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.e2e.daemon import Daemon

IMAGE = "kubelite.test/busybox:1"
SCRIPT = "[ -f /data/id ] || hostname > /data/id; echo start >> /data/starts; exec sleep 1000"


def stateful_set(replicas: int) -> str:
    container = {
        "name": "db",
        "image": IMAGE,
        "command": ["sh", "-c", SCRIPT],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        "securityContext": {"runAsUser": 65534},
    }
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Mi"}}},
    }
    spec: dict[str, Any] = {
        "serviceName": "db",
        "replicas": replicas,
        "selector": {"matchLabels": {"app": "db"}},
        "template": {
            "metadata": {"labels": {"app": "db"}},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]},
        },
        "volumeClaimTemplates": [claim],
    }
    return json.dumps({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"}, "spec": spec})


def test_what_a_stateful_pod_wrote_outlives_it_and_ends_with_its_claim(daemon: Daemon, namespace: str) -> None:
    def read(pod: str, file: str) -> list[str]:
        return daemon.kubectl("exec", "-n", namespace, pod, "--", "cat", f"/data/{file}").split()

    assert [entry["metadata"]["name"] for entry in daemon.get("storageclass")["items"]] == ["standard"]
    daemon.kubectl("apply", "-n", namespace, "-f", "-", stdin=stateful_set(2))
    daemon.kubectl("rollout", "status", "-n", namespace, "statefulset/db", "--timeout=60s", timeout_s=70)
    claims = daemon.get("pvc", "-n", namespace)["items"]
    assert sorted(entry["metadata"]["name"] for entry in claims) == ["data-db-0", "data-db-1"]
    assert {entry["status"]["phase"] for entry in claims} == {"Bound"}
    volume = daemon.get("pv", claims[1]["spec"]["volumeName"])
    directory = Path(volume["spec"]["hostPath"]["path"])
    assert (directory / "id").read_text() == "db-1\n"

    first = daemon.get("pod", "db-1", "-n", namespace)["metadata"]["uid"]
    daemon.kubectl("delete", "pod", "db-1", "-n", namespace)
    daemon.kubectl("rollout", "status", "-n", namespace, "statefulset/db", "--timeout=60s", timeout_s=70)
    daemon.wait("condition=Ready", "pod/db-1", "-n", namespace)
    assert daemon.get("pod", "db-1", "-n", namespace)["metadata"]["uid"] != first
    assert (read("db-1", "id"), read("db-1", "starts")) == (["db-1"], ["start", "start"])
    assert read("db-0", "id") == ["db-0"]

    # in use: the claim stays until its pod is gone
    daemon.kubectl("delete", "pvc", "data-db-1", "-n", namespace, "--wait=false")
    assert read("db-1", "starts") == ["start", "start"]
    daemon.kubectl("scale", "-n", namespace, "statefulset/db", "--replicas=1")
    daemon.wait("delete", "pvc/data-db-1", "-n", namespace)
    daemon.wait("delete", f"pv/{volume['metadata']['name']}")
    assert not directory.exists()
    kept = daemon.get("pvc", "data-db-0", "-n", namespace)
    assert kept["status"]["phase"] == "Bound"


def test_a_retained_volume_keeps_its_data_and_is_released(daemon: Daemon, namespace: str, tmp_path: Path) -> None:
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"{namespace}-kept"},
        "spec": {
            "capacity": {"storage": "1Mi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
            "hostPath": {"path": str(tmp_path)},
        },
    }
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "kept"},
        "spec": {
            "storageClassName": "",
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Mi"}},
        },
    }
    for each in (volume, claim):
        daemon.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(each))
    daemon.wait("jsonpath={.status.phase}=Bound", "pvc/kept", "-n", namespace)
    (tmp_path / "file").write_text("data")
    daemon.kubectl("delete", "pvc", "kept", "-n", namespace)
    daemon.wait("jsonpath={.status.phase}=Released", f"pv/{namespace}-kept")
    assert (tmp_path / "file").read_text() == "data"
    daemon.kubectl("delete", "pv", f"{namespace}-kept")
