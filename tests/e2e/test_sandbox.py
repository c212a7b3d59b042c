"""Point 3: the containers of a pod share one sandbox; pods reach each other and are reached from the host."""

from __future__ import annotations

import ipaddress
import json
import urllib.request
from typing import Any

from tests.e2e.daemon import Daemon

IMAGE = "kubelite.test/busybox:1"


def manifest(name: str, *containers: dict[str, Any], **spec: Any) -> str:
    """A Pod of busybox containers that end at once when told to."""
    full = [{"image": IMAGE, **container} for container in containers]
    body = {"terminationGracePeriodSeconds": 0, "containers": full, **spec}
    return json.dumps(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": body}
    )


def test_two_containers_share_network_ipc_hostname_and_a_volume(daemon: Daemon, namespace: str) -> None:
    mount = [{"name": "scratch", "mountPath": "/scratch"}]
    pod = manifest(
        "pair",
        {"name": "server", "command": ["httpd", "-f", "-p", "8080", "-h", "/scratch"], "volumeMounts": mount},
        {"name": "other", "command": ["sleep", "1000"], "volumeMounts": mount},
        volumes=[{"name": "scratch", "emptyDir": {}}],
    )
    daemon.kubectl("apply", "-n", namespace, "-f", "-", stdin=pod)
    daemon.wait("condition=Ready", "pod/pair", "-n", namespace)

    def run(container: str, command: str) -> str:
        return daemon.kubectl("exec", "-n", namespace, "pair", "-c", container, "--", "sh", "-c", command).strip()

    run("other", "echo shared > /scratch/file")
    assert run("other", "wget -qO- http://127.0.0.1:8080/file") == "shared"
    assert run("server", "hostname") == run("other", "hostname") == "pair"
    run("server", "echo note > /dev/shm/note")
    assert run("other", "cat /dev/shm/note") == "note"
    for kind in ("net", "ipc"):
        assert run("server", f"readlink /proc/self/ns/{kind}") == run("other", f"readlink /proc/self/ns/{kind}")
    assert run("other", "httpd -p 8080 2>&1 || true").endswith("Address already in use")
    address = daemon.get("pod", "pair", "-n", namespace)["status"]["podIP"]
    assert address in run("other", "ip -4 addr show eth0")
    assert address in run("server", "cat /etc/hosts")


def test_pod_addresses_come_from_the_pod_network_and_are_reached_from_everywhere(
    daemon: Daemon, namespace: str
) -> None:
    for name in ("one", "two"):
        pod = manifest(name, {"name": "web", "command": ["sh", "-c", f"echo {name} > /tmp/x; exec httpd -f -h /tmp"]})
        daemon.kubectl("apply", "-n", namespace, "-f", "-", stdin=pod)
    daemon.wait("condition=Ready", "pod/one", "pod/two", "-n", namespace)
    network = ipaddress.ip_network(daemon.get("nodes")["items"][0]["spec"]["podCIDR"])
    addresses = {name: daemon.get("pod", name, "-n", namespace)["status"]["podIP"] for name in ("one", "two")}
    assert len(set(addresses.values())) == 2
    for name, address in addresses.items():
        assert ipaddress.ip_address(address) in network
        with urllib.request.urlopen(f"http://{address}/x", timeout=5) as answer:
            assert answer.read().decode() == f"{name}\n"
    got = daemon.kubectl("exec", "-n", namespace, "one", "--", "wget", "-qO-", f"http://{addresses['two']}/x")
    assert got == "two\n"
