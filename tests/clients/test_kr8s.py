"""kr8s, sync and async: objects that wait, scale, log and execute. Source: https://docs.kr8s.org"""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import kr8s
import kr8s.asyncio
import pytest
from kr8s import objects
from kr8s.asyncio import objects as async_objects

from tests.clients.manifests import config_map, deployment, pod


def within(namespace: str, body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "metadata": {**body["metadata"], "namespace": namespace}}


def test_objects_wait_label_log_and_execute(kubeconfig: str, namespace: str) -> None:
    api = kr8s.api(kubeconfig=kubeconfig)
    assert api.whoami() == "kubernetes-admin"  # type: ignore[no-untyped-call]  # the library leaves it out
    made = objects.Pod(within(namespace, pod("p", a="1")), api=api)
    made.create()
    made.wait("condition=Ready", timeout=20)
    assert list(made.logs()) == ["Started simulated container main"]
    assert made.exec(["echo", "hi"]).stdout == b"hi\n"
    made.label(b="2")
    assert made.labels == {"a": "1", "b": "2"}
    found = kr8s.get("pods", namespace=namespace, label_selector={"b": "2"}, api=api)
    assert [each.name for each in found] == ["p"]
    made.delete()
    made.wait("delete", timeout=20)
    with pytest.raises(kr8s.NotFoundError):
        objects.Pod.get("p", namespace=namespace, api=api, timeout=0)


def test_a_deployment_becomes_available_and_scales(kubeconfig: str, namespace: str) -> None:
    api = kr8s.api(kubeconfig=kubeconfig)
    made = objects.Deployment(within(namespace, deployment("web")), api=api)
    made.create()
    made.wait("condition=Available", timeout=20)
    made.scale(2)
    assert made.replicas == 2
    assert len(list(made.pods())) == 2


async def test_watch_and_patch_in_async_code(kubeconfig: str, namespace: str) -> None:
    api = await kr8s.asyncio.api(kubeconfig=kubeconfig)
    made = await async_objects.ConfigMap(within(namespace, config_map("a", k="1")), api=api)
    await made.create()
    await made.patch({"data": {"k": "2"}})
    async with aclosing(api.async_watch("configmaps", namespace=namespace)) as changes:
        async for change, seen in changes:
            if seen.name == "a":
                assert (change, seen.raw["data"].to_dict()) == ("ADDED", {"k": "2"})
                break
