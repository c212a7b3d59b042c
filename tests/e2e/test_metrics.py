"""What real containers use, as kubectl top, the kubelet's API and a HorizontalPodAutoscaler see it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import kubectls
from tests.e2e.daemon import Daemon, DaemonFailed

BUSY = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: busy}}
spec:
  selector: {{matchLabels: {{app: busy}}}}
  template:
    metadata: {{labels: {{app: busy}}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: app
        image: kubelite.test/busybox:1
        command: [sh, -c, "while [ ! -e /flag/idle ]; do :; done; exec sleep 1000000"]
        resources: {{requests: {{cpu: 50m}}, limits: {{cpu: 100m, memory: 64Mi}}}}
        volumeMounts: [{{name: flag, mountPath: /flag}}]
      volumes: [{{name: flag, hostPath: {{path: {flag}}}}}]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: busy}}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: busy}}
  minReplicas: 1
  maxReplicas: 2
  metrics: [{{type: Resource, resource: {{name: cpu, target: {{type: Utilization, averageUtilization: 5}}}}}}]
  behavior:
    scaleUp: {{stabilizationWindowSeconds: 0}}
    scaleDown: {{stabilizationWindowSeconds: 0, policies: [{{type: Pods, value: 4, periodSeconds: 5}}]}}
"""


def test_a_busy_container_scales_its_deployment_up_and_idleness_brings_it_down(
    daemon: Daemon, namespace: str, tmp_path: Path
) -> None:
    daemon.kubectl("apply", "-n", namespace, "-f", "-", stdin=BUSY.format(flag=tmp_path))
    daemon.wait("jsonpath={.spec.replicas}=2", "deployment/busy", "-n", namespace)
    (tmp_path / "idle").touch()
    daemon.wait("jsonpath={.spec.replicas}=1", "deployment/busy", "-n", namespace, timeout_s=90)
    scaler = daemon.get("hpa", "busy", "-n", namespace)
    assert scaler["status"]["currentMetrics"][0]["resource"]["name"] == "cpu"
    assert {each["type"]: each["status"] for each in scaler["status"]["conditions"]}["ScalingActive"] == "True"


def test_every_kubectl_shows_what_nodes_and_pods_use(daemon: Daemon, hello: str) -> None:
    (node,) = daemon.get("nodes")["items"]
    for version in kubectls.find():
        assert node["metadata"]["name"] in daemon.kubectl("top", "node", version=version.path)
        words = ("top", "pod", "-n", hello, "--containers", "--no-headers")
        rows = daemon.kubectl(*words, version=version.path).splitlines()
        assert len(rows) == 3
        assert all(row.split()[1] == "web" and row.split()[3].endswith("Mi") for row in rows)


def test_a_taken_port_of_the_kubelet_is_one_line(daemon: Daemon, new_daemon: Callable[..., Daemon]) -> None:
    (node,) = daemon.get("nodes")["items"]
    port = node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"]
    second = new_daemon("--kubelet-port", str(port))
    with pytest.raises(DaemonFailed, match="exited with 2"):
        second.start()
    (line,) = second.log().splitlines()
    assert line == (
        f"kubelite: the kubelet's port {port} is taken by another process: choose another port with --kubelet-port"
    )


def test_the_kubelets_api_is_reached_through_the_api_server(daemon: Daemon, hello: str) -> None:
    (node,) = daemon.get("nodes")["items"]
    assert node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"] > 0
    base = f"/api/v1/nodes/{node['metadata']['name']}/proxy"
    summary = json.loads(daemon.kubectl("get", "--raw", f"{base}/stats/summary"))
    assert summary["node"]["memory"]["workingSetBytes"] > 0
    mine = [each for each in summary["pods"] if each["podRef"]["namespace"] == hello]
    assert len(mine) == 3
    for pod in mine:
        assert pod["network"]["rxBytes"] >= 0
        assert pod["memory"]["workingSetBytes"] >= pod["containers"][0]["memory"]["workingSetBytes"] > 0
    assert f'container_memory_working_set_bytes{{container="web",namespace="{hello}"' in daemon.kubectl(
        "get", "--raw", f"{base}/metrics/resource"
    )
