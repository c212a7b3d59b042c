"""The API server's proxy into running pods and Services, and an aggregated API server that is a pod's neighbour: by kubectl."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request

import pytest

from tests import kubectls
from tests.e2e.daemon import Daemon


def test_pods_and_services_are_read_through_the_api_server(daemon: Daemon, hello: str) -> None:
    pod = daemon.pods("app=hello", hello)[0]["metadata"]["name"]
    paths = (
        "services/hello:80/proxy/",
        "services/http:hello:http/proxy/index.html?any=query",
        f"pods/{pod}/proxy/",
        f"pods/{pod}:8080/proxy/",
    )
    root = f"/api/v1/namespaces/{hello}"
    for version in kubectls.find():
        for path in paths:
            said = daemon.kubectl("get", "--raw", f"{root}/{path}", version=version.path)
            assert "Hello from kubelite" in said, (path, version)
        missing = daemon.run("get", "--raw", f"{root}/services/hello:81/proxy/", version=version.path)
        assert 'no service port 81 found for service "hello"' in missing.stderr


def test_a_nodes_kubelet_is_asked_through_the_api_server(daemon: Daemon) -> None:
    node = daemon.kubectl("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}")
    port = daemon.get("node", node)["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"]
    assert daemon.kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/healthz") == "ok"
    told = json.loads(daemon.kubectl("get", "--raw", f"/api/v1/nodes/{node}:{port}/proxy/stats/summary"))
    assert told["node"]["nodeName"] == node


def test_kubectl_proxy_leads_a_browser_into_a_service(daemon: Daemon, hello: str) -> None:
    command = daemon.kubectl_command("proxy", "--port=0")
    with subprocess.Popen(command, env=daemon.environment(), stdout=subprocess.PIPE, text=True) as proxy:
        assert proxy.stdout is not None
        address = proxy.stdout.readline().rpartition(" ")[2].strip()
        # without its last slash the path is redirected to the one with it, and the browser follows
        url = f"http://{address}/api/v1/namespaces/{hello}/services/hello:80/proxy"
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert answer.url == f"{url}/"
            assert "Hello from kubelite" in answer.read().decode()
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{url}/none", timeout=10)
        with refused.value as error:
            assert error.code == 404
        proxy.kill()
