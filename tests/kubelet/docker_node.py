"""A node of real containers over a real API server in memory, with nothing left of it afterwards."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from kubelite.actor.clock import SystemClock
from kubelite.api.core_v1 import Container
from kubelite.kubelet.addresses import AddressPool
from kubelite.kubelet.cleanup import cleanup
from kubelite.kubelet.docker import DockerRuntime
from kubelite.kubelet.engine import DEFAULT_SOCKET
from kubelite.kubelet.handlers import RuntimeProbes
from kubelite.kubelet.instance import cgroup_root
from kubelite.kubelet.kubelet import Kubelet
from kubelite.kubelet.machine import read_machine
from kubelite.kubelet.network import PodNetwork
from kubelite.kubelet.pod_storage import PodStorage, StorageSettings, Token, TokenRequest
from tests.images import BUSYBOX, bring_up_engine
from tests.kubelet.nodes import Bench, bench_of

#: Ends with 7 when asked to.
SERVE = "trap 'exit 7' TERM; while true; do sleep 1000 & wait; done"


class DockerBench(Bench):
    """A bench whose kubelets run real containers; each `docker_kubelet` is one more start of the same node."""

    root: Path
    instance: str
    pod_cidr: str

    def storage(self) -> PodStorage:
        async def token(request: TokenRequest) -> Token:
            return Token(f"token-of-{request.pod.metadata.name}", self.clock.now() + request.lifetime_s)

        settings = StorageSettings(
            root=self.root,
            cgroup_root=cgroup_root(self.instance),
            cluster_dns="10.96.0.10",
            cluster_domain="cluster.local",
        )
        return PodStorage(settings, self.informers.view, self.clock, token)

    def docker_kubelet(self) -> Kubelet:
        network = PodNetwork(instance=self.instance, pod_cidr=self.pod_cidr)
        self.runtime = DockerRuntime(instance=self.instance, socket=DEFAULT_SOCKET, clock=self.clock, network=network)
        self.addresses = AddressPool(self.pod_cidr)
        return self.kubelet(storage=self.storage(), probes=RuntimeProbes(self.runtime), machine=read_machine(self.root))


@asynccontextmanager
async def docker_bench() -> AsyncIterator[DockerBench]:
    """Everything but the kubelet itself."""
    await bring_up_engine()
    clock = SystemClock()
    first, second, *_ = token = clock.token(4)
    root = Path(tempfile.mkdtemp(prefix="kubelite-test-"))
    try:
        async with bench_of(DockerBench) as made:
            made.root, made.instance = root, token.hex()
            made.pod_cidr = f"10.{150 + first % 50}.{second}.0/24"
            yield made
    finally:
        with anyio.CancelScope(shield=True):
            await cleanup(instance=token.hex(), socket=DEFAULT_SOCKET, data_dir=root)
        shutil.rmtree(root)


def shell(script: str = SERVE, name: str = "app", **settings: Any) -> Container:
    """A container of busybox's shell."""
    facts: dict[str, Any] = {
        "name": name,
        "image": BUSYBOX,
        "command": ("sh", "-c", script),
        "image_pull_policy": "IfNotPresent",
    }
    return Container(**{**facts, **settings})
