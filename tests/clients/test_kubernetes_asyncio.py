"""kubernetes_asyncio: typed and dynamic calls, watches and exec over a WebSocket.

Source: https://github.com/tomplus/kubernetes_asyncio
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from kubernetes_asyncio import client, config, watch
from kubernetes_asyncio.client.exceptions import ApiException
from kubernetes_asyncio.dynamic import DynamicClient
from kubernetes_asyncio.stream import WsApiClient

from tests.clients.manifests import config_map, pod


@asynccontextmanager
async def connected(kubeconfig: str, kind: Any = client.ApiClient) -> AsyncIterator[Any]:
    settings = client.Configuration()
    await config.load_kube_config(kubeconfig, client_configuration=settings)
    async with kind(settings) as connection:
        yield connection


async def wait_until_running(core: Any, namespace: str) -> None:
    async with watch.Watch() as watching:
        async for event in watching.stream(core.list_namespaced_pod, namespace, timeout_seconds=20):
            if event["object"].status.phase == "Running":
                return
    raise AssertionError("the watch ended first")


async def test_pods_run_and_log(kubeconfig: str, namespace: str) -> None:
    async with connected(kubeconfig) as connection:
        core = client.CoreV1Api(connection)
        await core.create_namespaced_pod(namespace, pod("p"))
        await wait_until_running(core, namespace)
        assert await core.read_namespaced_pod_log("p", namespace) == "Started simulated container main\n"
        patched = await core.patch_namespaced_pod("p", namespace, {"metadata": {"labels": {"a": "b"}}})
        assert patched.metadata.labels == {"a": "b"}
        with pytest.raises(ApiException, match="AlreadyExists"):
            await core.create_namespaced_pod(namespace, pod("p"))
    async with connected(kubeconfig, WsApiClient) as connection:
        call = client.CoreV1Api(connection).connect_get_namespaced_pod_exec
        said = await call("p", namespace, command=["echo", "hi"], stdout=True, stderr=True, stdin=False, tty=False)
        assert said == "hi\n"


async def test_the_dynamic_client_applies_and_lists(kubeconfig: str, namespace: str) -> None:
    async with connected(kubeconfig) as connection:
        maps = await (await DynamicClient(connection)).resources.get(api_version="v1", kind="ConfigMap")
        body = config_map("a", {"mine": "yes"}, k="1")
        applied = await maps.server_side_apply(body=body, name="a", namespace=namespace, field_manager="one")
        assert applied.data.to_dict() == {"k": "1"}
        listed = await maps.get(namespace=namespace, label_selector="mine=yes")
        assert [item.metadata.name for item in listed.items] == ["a"]
