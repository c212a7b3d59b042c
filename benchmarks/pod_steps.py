"""Claims about single steps of pods on Docker, image present: a pod of one container is Ready 200 ms after it was made (p50),
30 made at once within 5 s, and 30 deleted without grace are gone within 4 s, containers and all; an exec over the API, from
the dial to the exit code, takes 60 ms; a container's death is in the pod's status 20 ms after the engine's event.

Run as root with a Docker engine and the example's image: `python -m benchmarks.pod_steps`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio

from benchmarks.figures import Figure, arguments, progress, show
from kubelite import Cluster
from kubelite.api import core_v1 as core
from kubelite.api.meta import DeleteOptions, ObjectMeta
from kubelite.config import Config

ALONE_MS, EXEC_MS, STATUS_MS = 200, 60, 20
MANY, START_S, DELETE_S = 30, 5, 4


def pod(name: str) -> core.Pod:
    container = core.Container(
        name="main",
        image="kubelite.test/busybox:1",
        command=(
            "sh",
            "-c",
            "trap exit TERM; sleep 100000 & wait",
        ),  # one that does not listen gets two seconds, as upstream
        image_pull_policy="IfNotPresent",
    )
    spec = core.PodSpec(containers=(container,), termination_grace_period_seconds=0)
    return core.Pod(metadata=ObjectMeta(name=name, namespace="default"), spec=spec)


def is_ready(seen: core.Pod) -> bool:
    return any(each.type == "Ready" and each.status == "True" for each in seen.status.conditions)


class Bench:
    def __init__(self, cluster: Cluster, instance: str) -> None:
        self.cluster = cluster
        self._label = f"kubelite.io/instance={instance}"

    async def start(self, *names: str) -> float:
        """Seconds until all are Ready."""
        begun = time.perf_counter()
        async with anyio.create_task_group() as group:
            for name in names:
                group.start_soon(self.cluster.client.create, pod(name))
        for name in names:
            await self.cluster.wait_for(core.Pod, name, is_ready)
        return time.perf_counter() - begun

    async def delete(self, *names: str) -> float:
        """Seconds until the engine has removed everything of them."""
        options = DeleteOptions(grace_period_seconds=0)
        async with self._events("destroy") as gone:
            begun = time.perf_counter()
            async with anyio.create_task_group() as group:
                for name in names:
                    delete = partial(self.cluster.client.delete, core.Pod, name, "default", options=options)
                    group.start_soon(delete)
            for _ in range(2 * len(names)):
                await gone()
            return time.perf_counter() - begun

    async def death_to_status(self, name: str) -> float:
        """Seconds from the engine's stamp of a container's death to the status that tells of it."""
        before = await self.cluster.client.get(core.Pod, name, "default")
        status = before.status.container_statuses[0]
        container = status.container_id.partition("://")[2]
        listing = await self.cluster.client.list(core.Pod, "default")
        async with (
            self._events("die") as died,
            self.cluster.client.watch(core.Pod, "default", resource_version=listing.resource_version) as batches,
        ):
            os.kill(int(await _output("docker", "inspect", "--format", "{{.State.Pid}}", container)), 9)
            async for batch in batches:
                if any(each.object.status.container_statuses[0].state != status.state for each in batch):
                    told = time.time_ns()
                    break
            stamp = await died()
        await self.cluster.wait_for(core.Pod, name, lambda each: is_ready(each) and each != before)
        return (told - stamp) / 1e9

    @asynccontextmanager
    async def _events(self, action: str) -> AsyncIterator[Callable[[], Awaitable[int]]]:
        """Reads the stamps of this cluster's events, one by one; entered when the engine is listened to."""
        label = {"type": ["container"], "label": [self._label], "event": [action]}
        reader, writer = await asyncio.open_unix_connection("/var/run/docker.sock", limit=1 << 20)
        query = urllib.parse.quote(json.dumps(label))
        writer.write(f"GET /v1.41/events?filters={query} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")

        async def stamp() -> int:
            return int(json.loads(await reader.readline())["timeNano"])

        try:
            yield stamp
        finally:
            writer.close()


async def _output(*words: str) -> str:
    return (await anyio.run_process(list(words))).stdout.decode().strip()


async def exec_round_trips(cluster: Cluster, name: str, rounds: int) -> tuple[float, ...]:
    """Milliseconds from the dial to the exit code of `true`, each on a connection of its own."""
    import aiohttp
    import yaml

    assert cluster.kubeconfig is not None
    config = yaml.safe_load(await anyio.Path(cluster.kubeconfig).read_text())
    authority, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    context = ssl.create_default_context(cadata=_pem(authority["certificate-authority-data"]))
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(_pem(user["client-certificate-data"]) + _pem(user["client-key-data"]))
        file.flush()
        context.load_cert_chain(file.name)
    url = f"{authority['server']}/api/v1/namespaces/default/pods/{name}/exec?command=true&stdout=1&stderr=1"
    samples = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context, force_close=True)) as session:
        for _ in range(rounds):
            begun = time.perf_counter()
            async with session.ws_connect(url, protocols=("v5.channel.k8s.io",)) as socket:
                messages = [message.data async for message in socket]
            samples.append((time.perf_counter() - begun) * 1000)
            assert json.loads(messages[-1][1:])["status"] == "Success"
    return tuple(samples)


def _pem(data: str) -> str:
    return base64.b64decode(data).decode()


async def measure(directory: str, rounds: int) -> list[Figure]:
    from kubelite.kubelet.instance import instance_id

    config = Config(
        data_dir=directory,
        bind_address="127.0.0.1",
        secure_port=0,
        kubelet_port=0,
        pod_cidr="10.253.0.0/17",
        service_cidr="10.253.128.0/20",
    )
    async with Cluster(config, serve=True) as cluster:
        bench = Bench(cluster, instance_id(Path(directory)))
        await bench.start("warm")
        alone, started, deleted, told = [], [], [], []
        for number in range(rounds * 5):
            progress(f"a pod alone, {number + 1} of {rounds * 5}")
            alone.append(await bench.start(f"alone-{number}") * 1000)
        progress("exec")
        execs = await exec_round_trips(cluster, "warm", rounds * 10)
        await bench.delete(*(f"alone-{number}" for number in range(rounds * 5)))
        progress("deaths")
        told.append(await bench.death_to_status("warm") * 1000)
        for number in range(rounds):
            progress(f"{MANY} pods, {number + 1} of {rounds}")
            names = [f"pod-{number}-{each}" for each in range(MANY)]
            started.append(await bench.start(*names))
            told += [await bench.death_to_status(name) * 1000 for name in names[:3]]
            deleted.append(await bench.delete(*names))
        await bench.delete("warm")
    return [
        Figure("a pod alone, created to Ready", "ms", tuple(alone), ALONE_MS),
        Figure(f"{MANY} pods at once, created to all Ready", "s", tuple(started), START_S),
        Figure(f"{MANY} pods, deleted to all containers gone", "s", tuple(deleted), DELETE_S),
        Figure("exec over the API, dial to exit code", "ms", execs, EXEC_MS),
        Figure("death of a container, engine's event to status", "ms", tuple(told), STATUS_MS),
    ]


def main() -> None:
    options = arguments(__doc__ or "", rounds=4).parse_args()
    with tempfile.TemporaryDirectory() as directory:
        try:
            figures = asyncio.run(measure(directory, options.rounds))
        finally:
            subprocess.run([sys.executable, "-m", "kubelite", "cleanup", "--data-dir", directory, "--all"], check=True)
    show(figures, as_json=options.json)


if __name__ == "__main__":
    main()
