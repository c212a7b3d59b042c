"""No room left where the kubelet keeps the files of its pods."""

from __future__ import annotations

import os

import anyio
from msgspec.structs import replace

from kubelite.api.core_v1 import (
    ConfigMap,
    ConfigMapVolumeSource,
    EmptyDirVolumeSource,
    Event,
    Pod,
    Volume,
    VolumeMount,
)
from tests.kubelet.docker_node import DockerBench, docker_bench, shell
from tests.kubelet.nodes import is_ready, pod, running
from tests.kubelet.test_kubelet_docker import inside, meta, restarts


async def test_a_full_disk_holds_pods_back_until_there_is_room_and_harms_no_other() -> None:
    async with docker_bench() as node:
        pods = node.root / "pods"
        pods.mkdir()
        await anyio.run_process(["mount", "-t", "tmpfs", "-o", "size=512k", "none", str(pods)])
        config = ConfigMap(metadata=meta("config"), data={"key": "small"})
        await node.client.create(config)
        await node.client.create(ConfigMap(metadata=meta("large"), data={"key": "x" * 100_000}))

        def user(name: str, source: str) -> Pod:
            volumes = (
                Volume(name="config", config_map=ConfigMapVolumeSource(name=source)),
                Volume(name="scratch", empty_dir=EmptyDirVolumeSource()),
            )
            mounts = (VolumeMount(name="config", mount_path="/config"), VolumeMount(name="scratch", mount_path="/s"))
            return pod(name, shell(volume_mounts=mounts), volumes=volumes)

        async with running(node.docker_kubelet()):
            await node.create(user("web", "config"))
            steady = await node.until("web", is_ready)
            await inside(node, "cat /dev/zero >/s/ballast; true")
            await node.create(user("late", "large"))
            await told(node, "FailedMount", "No space left on device")
            await node.client.update(replace(config, data={"key": "y" * 100_000}))
            await told(node, "FailedMount", "No space left on device", about="web")
            assert await inside(node, "cat /config/key") == "small"
            await inside(node, "rm /s/ballast")
            seen = await node.until("late", is_ready, within_s=60)
            assert restarts(seen) == [0]
            with anyio.fail_after(60):
                await inside(node, 'until [ "$(wc -c </config/key)" = 100000 ]; do sleep 0.1; done')
            after = await node.get("web")
            assert after.status.container_statuses == steady.status.container_statuses
            for name in ("web", "late"):
                await node.delete(name, 1)
                await node.until_gone(name)
            assert os.listdir(pods) == []


async def told(node: DockerBench, reason: str, text: str, *, about: str = "") -> None:
    """Returns when an Event says so."""
    listing = await node.client.list(Event, "default")
    known = list(listing.items)
    with anyio.fail_after(30):
        async with node.client.watch(Event, "default", resource_version=listing.resource_version) as batches:
            while not any(
                each.reason == reason and text in each.message and each.involved_object.name.startswith(about)
                for each in known
            ):
                known += [each.object for each in await anext(batches)]
