"""Point 4: a Service answers on its address and by its names, from everywhere, balanced over the ready endpoints only."""

from __future__ import annotations

import json
import urllib.request
from collections import Counter

from tests.e2e.daemon import Daemon
from tests.e2e.test_sandbox import manifest

SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {"selector": {"tier": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
}


def web(name: str) -> str:
    """A pod that answers with its name; it is ready while /tmp/www/ready exists."""
    serve = "mkdir -p /tmp/www; hostname > /tmp/www/name; touch /tmp/www/ready; exec httpd -f -p 8080 -h /tmp/www"
    pod = json.loads(
        manifest(
            name,
            {
                "name": "web",
                "command": ["sh", "-c", serve],
                "readinessProbe": {
                    "exec": {"command": ["test", "-e", "/tmp/www/ready"]},
                    "periodSeconds": 1,
                    "failureThreshold": 1,
                },
            },
        )
    )
    pod["metadata"]["labels"]["tier"] = "web"
    return json.dumps(pod)


def start(daemon: Daemon, namespace: str) -> str:
    """Three web pods, a client and the Service; returns the ClusterIP."""
    for name in ("a", "b", "c"):
        daemon.kubectl("apply", "-n", namespace, "-f", "-", stdin=web(f"web-{name}"))
    daemon.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(SERVICE))
    daemon.kubectl(
        "apply", "-n", namespace, "-f", "-", stdin=manifest("client", {"name": "client", "command": ["sleep", "1000"]})
    )
    daemon.wait("condition=Ready", "pod/web-a", "pod/web-b", "pod/web-c", "pod/client", "-n", namespace)
    address: str = daemon.get("service", "web", "-n", namespace)["spec"]["clusterIP"]
    return address


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode().strip()  # type: ignore[no-any-return]


def test_a_service_balances_over_ready_endpoints_and_no_other(daemon: Daemon, namespace: str) -> None:
    address = start(daemon, namespace)
    counted = Counter(fetch(f"http://{address}/name") for _ in range(90))
    assert counted.keys() == {"web-a", "web-b", "web-c"}
    assert min(counted.values()) >= 10
    daemon.kubectl("exec", "-n", namespace, "web-a", "--", "rm", "/tmp/www/ready")
    daemon.wait("condition=Ready=false", "pod/web-a", "-n", namespace)
    daemon.wait("jsonpath={.subsets[0].notReadyAddresses[0].targetRef.name}=web-a", "endpoints/web", "-n", namespace)
    assert {fetch(f"http://{address}/name") for _ in range(60)} == {"web-b", "web-c"}


def test_a_service_answers_pods_by_address_and_by_every_name(daemon: Daemon, namespace: str) -> None:
    address = start(daemon, namespace)
    hosts = (address, "web", f"web.{namespace}", f"web.{namespace}.svc", f"web.{namespace}.svc.cluster.local")
    for host in hosts:
        got = daemon.kubectl("exec", "-n", namespace, "client", "--", "wget", "-qO-", f"http://{host}/name")
        assert got.startswith("web-")
    # From an endpoint itself: in 30 tries it is sent to itself sooner or later.
    script = "for i in $(seq 30); do wget -qO- http://web/name; done | sort | uniq -c"
    seen = daemon.kubectl("exec", "-n", namespace, "web-a", "--", "sh", "-c", script)
    assert {line.split()[1] for line in seen.splitlines()} == {"web-a", "web-b", "web-c"}
    resolved = daemon.kubectl("exec", "-n", namespace, "client", "--", "nslookup", f"web.{namespace}.svc.cluster.local")
    assert address in resolved


def test_a_service_without_endpoints_refuses_at_once(daemon: Daemon, namespace: str) -> None:
    daemon.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(SERVICE))
    address = daemon.get("service", "web", "-n", namespace)["spec"]["clusterIP"]
    daemon.kubectl(
        "apply", "-n", namespace, "-f", "-", stdin=manifest("client", {"name": "client", "command": ["sleep", "1000"]})
    )
    daemon.wait("condition=Ready", "pod/client", "-n", namespace)
    done = daemon.run("exec", "-n", namespace, "client", "--", "wget", "-qO-", f"http://{address}/")
    assert "Connection refused" in done.stderr


def test_pods_reach_the_api_server_through_its_service(daemon: Daemon, namespace: str) -> None:
    daemon.kubectl(
        "apply", "-n", namespace, "-f", "-", stdin=manifest("client", {"name": "client", "command": ["sleep", "1000"]})
    )
    daemon.wait("condition=Ready", "pod/client", "-n", namespace)
    command = "nc -w 5 kubernetes.default 443 < /dev/null && echo open; echo $KUBERNETES_SERVICE_HOST"
    said = daemon.kubectl("exec", "-n", namespace, "client", "--", "sh", "-c", command).split()
    assert said == ["open", daemon.get("service", "kubernetes")["spec"]["clusterIP"]]
