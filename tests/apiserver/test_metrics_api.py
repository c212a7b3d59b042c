"""metrics.k8s.io: computed, selected, discovered and printed like anything else, and neither written nor watched."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from kubelite import Cluster
from kubelite.api.core_v1 import Container, Node, Pod, PodSpec, ServiceAccount
from kubelite.api.errors import NotFound, ServiceUnavailable
from kubelite.api.meta import ObjectMeta
from kubelite.api.metrics_v1beta1 import NodeMetrics, PodMetrics
from kubelite.apiserver.local import LocalClient
from kubelite.apiserver.metrics_api import MetricsApi
from kubelite.apiserver.table_metrics import NODE_METRICS, POD_METRICS
from kubelite.client.figures import NodeFigures, NodeMeter, PodFigures, Use
from tests.api_server import local_client


class Meter:
    """A node that runs these pods."""

    def __init__(self, *pods: Pod) -> None:
        self._pods = pods

    async def figures(self) -> NodeFigures:
        figures = tuple(
            PodFigures(
                namespace=pod.metadata.namespace,
                name=pod.metadata.name,
                uid=pod.metadata.uid,
                at=1_700_000_000.0,
                window_s=15.0,
                containers={"app": Use(250_000_000, 3 << 20), "sidecar": Use(0, 1 << 20)},
            )
            for pod in self._pods
        )
        return NodeFigures(at=1_700_000_000.0, window_s=15.0, use=Use(1_500_000_000, 1 << 30), pods=figures)


class Silent:
    async def figures(self) -> NodeFigures:
        raise ServiceUnavailable("no answer")


@asynccontextmanager
async def metered() -> AsyncIterator[LocalClient]:
    """Two nodes, of which one does not answer; pods `a` (app=web) and `b` on the first, `c` on the second."""
    async with local_client() as client:
        pods = {}
        account = ObjectMeta(name="default", namespace="default")
        await client.create(ServiceAccount(metadata=account, automount_service_account_token=False))
        for name in ("node-1", "node-2"):
            await client.create(Node(metadata=ObjectMeta(name=name, labels={"zone": name[-1]})))
        for name, node in (("a", "node-1"), ("b", "node-1"), ("c", "node-2")):
            meta = ObjectMeta(name=name, namespace="default", labels={"app": "web"} if name == "a" else {})
            containers = (Container(name="app", image="busybox"),)
            spec = PodSpec(node_name=node, containers=containers)
            pods[name] = await client.create(Pod(metadata=meta, spec=spec))
        meters: dict[str, NodeMeter] = {"node-1": Meter(pods["a"], pods["b"]), "node-2": Silent()}
        registry: Any = client._registry
        registry.serve_computed(MetricsApi(registry, lambda: meters))
        yield client


async def test_nodes_and_pods_that_tell_have_metrics() -> None:
    async with metered() as client:
        (node,) = (await client.list(NodeMetrics)).items
        assert (node.metadata.name, node.usage) == ("node-1", {"cpu": "1500000000n", "memory": "1048576Ki"})
        pods = (await client.list(PodMetrics)).items
        assert [each.metadata.name for each in pods] == ["a", "b"]
        assert pods[0].window == "15s"
        assert pods[0].timestamp == "2023-11-14T22:13:20Z"
        assert [(each.name, each.usage["cpu"]) for each in pods[0].containers] == [
            ("app", "250000000n"),
            ("sidecar", "0"),
        ]


async def test_labels_and_names_select() -> None:
    async with metered() as client:
        assert [each.metadata.name for each in (await client.list(PodMetrics, label_selector="app=web")).items] == ["a"]
        assert not (await client.list(NodeMetrics, label_selector="zone=2")).items
        found = (await client.list(PodMetrics, "default", field_selector="metadata.name=b")).items
        assert [each.metadata.name for each in found] == ["b"]
        assert (await client.get(PodMetrics, "b", "default")).metadata.name == "b"


@pytest.mark.parametrize(("name", "namespace"), [("c", "default"), ("nosuch", "default"), ("a", "other")])
async def test_what_has_no_figures_is_not_found(name: str, namespace: str) -> None:
    async with metered() as client:
        with pytest.raises(NotFound, match=f'podmetrics.metrics.k8s.io "{namespace}/{name}" not found'):
            await client.get(PodMetrics, name, namespace)


async def test_tables_show_sums() -> None:
    async with metered() as client:
        (node,) = (await client.list(NodeMetrics)).items
        assert NODE_METRICS.cells(node, 0.0) == ["node-1", "1500000000n", "1048576Ki", "15s"]
        assert POD_METRICS.cells(await client.get(PodMetrics, "a", "default"), 0.0) == [
            "a",
            "250000000n",
            "4096Ki",
            "15s",
        ]


async def test_a_cluster_discovers_and_serves_them() -> None:
    async with Cluster(serve=True) as cluster, aiohttp.ClientSession() as session:
        assert cluster.kubeconfig is not None
        pki = cluster.kubeconfig.parent / "pki"
        context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        context.load_cert_chain(pki / "admin.crt", pki / "admin.key")

        async def ask(method: str, path: str) -> tuple[int, Any]:
            async with session.request(method, cluster.server + path, ssl=context) as response:
                return response.status, await response.json()

        base = "/apis/metrics.k8s.io/v1beta1"
        _, listed = await ask("GET", base)
        assert {each["name"]: each["verbs"] for each in listed["resources"]} == {
            "nodes": ["get", "list"],
            "pods": ["get", "list"],
        }
        code, nodes = await ask("GET", f"{base}/nodes")
        assert (code, nodes["kind"], nodes["items"][0]["metadata"]["name"]) == (200, "NodeMetricsList", "node-1")
        assert (await ask("GET", f"{base}/nodes?watch=true"))[0] == 405
        assert (await ask("DELETE", f"{base}/nodes/node-1"))[0] == 405
