"""How an object came to be as it is, told from the history that the store keeps."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kubelite import Cluster
from kubelite.api.apps_v1 import Deployment
from kubelite.api.core_v1 import ConfigMap, Pod
from kubelite.api.meta import ObjectMeta

HELLO = Path(__file__).parents[1] / "config" / "examples" / "hello.yaml"


def available(deployment: Deployment) -> bool:
    return deployment.status.available_replicas == deployment.spec.replicas


async def test_a_pod_is_traced_back_to_the_user_and_to_what_the_scheduler_weighed() -> None:
    async with Cluster(nodes=2) as cluster:
        await cluster.apply(HELLO)
        await cluster.wait_for(Deployment, "hello", available)
        pod = next(iter(cluster.view.list(Pod, "default")))
        text = await cluster.why(f"pod/{pod.metadata.name}")
    lines = text.splitlines()
    assert lines[0] == f"pods/default/{pod.metadata.name}"
    chain = [line.strip() for line in lines[1:4]]
    assert re.fullmatch(r"\d+ \S+Z created by replicaset-controller default/hello-\w+ @\d+", chain[0])
    assert re.search(
        r"replicasets.apps/default/hello-\w+ created by deployment-controller default/hello @\d+$", chain[1]
    )
    assert re.search(r"<- \d+ \S+Z deployments.apps/default/hello created by system:apiserver$", chain[2])
    (bound,) = [line for line in lines if "spec.nodeName" in line]
    assert "by default-scheduler" in bound
    assert re.search(r"node-\d chosen of 2: node-\d \d+ \(.*NodeResourcesFit \d+.*\), node-\d \d+", bound)
    assert any("status.phase" in line and "by kubelet/" in line for line in lines)


async def test_writers_who_fight_over_a_field_are_a_loop() -> None:
    async with Cluster(components="apiserver") as cluster:
        config = ConfigMap(metadata=ObjectMeta(name="prize", namespace="default"), data={"owner": "nobody"})
        await cluster.client.create(config)
        for _ in range(3):
            for name in ("alice", "bob"):
                patch = {"data": {"owner": name}}
                await cluster.client.because(name).patch(ConfigMap, "prize", "default", patch=patch)
        text = await cluster.why("cm/prize")
    assert text.splitlines()[-1].startswith("loop: data.owner went to and fro 4 times")
    assert 'alice sets "alice", bob sets "bob"' in text


@pytest.mark.parametrize("what", ["nonsense/x", "pod", "pod/nobody"])
async def test_what_is_not_known_is_said(what: str) -> None:
    async with Cluster(components="apiserver") as cluster:
        with pytest.raises(ValueError, match=what.partition("/")[2] or "KIND/NAME"):
            await cluster.why(what)
