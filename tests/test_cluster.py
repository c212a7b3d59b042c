"""The embedded cluster: Point 7 of what kubelite is for, with no Docker, no root and no socket."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import anyio
import pytest

from kubelite import Cluster
from kubelite.api.apps_v1 import Deployment
from kubelite.api.batch_v1 import Job
from kubelite.api.core_v1 import ConfigMap, Namespace, Node, Pod, Service
from kubelite.api.errors import Invalid, NotFound
from kubelite.api.meta import DeleteOptions, ObjectMeta
from kubelite.config import ConfigError

HELLO = Path(__file__).parents[1] / "config" / "examples" / "hello.yaml"

JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: long}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: busybox, command: [sleep, "1000"]}]
"""


def available(deployment: Deployment) -> bool:
    return deployment.status.available_replicas == deployment.spec.replicas


async def test_the_example_is_applied_becomes_available_and_is_read_back() -> None:
    async with Cluster() as cluster:
        applied = await cluster.apply(HELLO)
        assert [type(obj) for obj in applied] == [ConfigMap, Deployment, Service]
        hello = await cluster.wait_for(Deployment, "hello", available)
        assert hello.status.ready_replicas == 3
        pods = await cluster.client.list(Pod, "default", label_selector="app=hello")
        assert len(pods.items) == 3
        for pod in pods.items:
            assert (pod.status.phase, pod.spec.node_name) == ("Running", "node-1")
            assert pod.status.pod_ip


async def test_applying_again_changes_what_differs_and_nothing_else() -> None:
    async with Cluster() as cluster:
        await cluster.apply(HELLO)
        before = await cluster.client.get(ConfigMap, "hello", "default")
        await cluster.apply(HELLO)
        assert await cluster.client.get(ConfigMap, "hello", "default") == before
        await cluster.apply(HELLO.read_text().replace("GREETING: Hello", "GREETING: Good morning"))
        after = await cluster.client.get(ConfigMap, "hello", "default")
        assert after.data["GREETING"] == "Good morning from kubelite"


async def test_a_cluster_starts_with_its_standard_objects_and_ready_nodes() -> None:
    async with Cluster(nodes=3) as cluster:
        namespaces = await cluster.client.list(Namespace)
        names = {namespace.metadata.name for namespace in namespaces.items}
        assert names >= {"default", "kube-system", "kube-public", "kube-node-lease"}
        assert (await cluster.client.get(Service, "kubernetes", "default")).spec.cluster_ip == "10.96.0.1"
        nodes = (await cluster.client.list(Node)).items
        assert [node.metadata.name for node in nodes] == ["node-1", "node-2", "node-3"]
        for node in nodes:
            assert any(c.type == "Ready" and c.status == "True" for c in node.status.conditions)


async def test_the_service_of_the_api_comes_back_when_somebody_deletes_it() -> None:
    async with Cluster() as cluster:
        first = await cluster.client.get(Service, "kubernetes", "default")
        await cluster.client.delete(Service, "kubernetes", "default")
        again = await cluster.wait_for(
            Service, "kubernetes", lambda service: service.metadata.uid != first.metadata.uid
        )
        assert again.spec == first.spec


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
async def test_a_deleted_job_takes_its_running_pods_with_it(policy: str) -> None:
    async with Cluster() as cluster, cluster.client.watch(Pod, resource_version="0") as batches:
        await cluster.apply(JOB)
        await cluster.wait_for(Job, "long", lambda job: job.status.active == 1)
        await cluster.client.delete(Job, "long", "default", options=DeleteOptions(propagation_policy=policy))
        with anyio.fail_after(20):
            async for batch in batches:
                if any(change.type == "DELETED" for change in batch):
                    break
        assert not (await cluster.client.list(Pod, "default")).items


async def test_errors_are_those_of_the_api() -> None:
    async with Cluster() as cluster:
        with pytest.raises(NotFound):
            await cluster.client.get(Pod, "nowhere", "default")
        with pytest.raises(Invalid, match=r"spec\.containers"):
            await cluster.client.create(Pod(metadata=ObjectMeta(name="empty", namespace="default")))


async def test_waiting_for_what_never_comes_ends_with_a_timeout_that_names_it() -> None:
    async with Cluster() as cluster:
        with pytest.raises(TimeoutError, match="Pod default/nobody"):
            await cluster.wait_for(Pod, "nobody", timeout_s=0.05)


async def test_many_clusters_live_side_by_side() -> None:
    async with Cluster() as one, Cluster() as two, Cluster() as three:
        for number, cluster in enumerate((one, two, three)):
            config = ConfigMap(metadata=ObjectMeta(name="which", namespace="default"), data={"number": str(number)})
            await cluster.client.create(config)
        for number, cluster in enumerate((one, two, three)):
            assert (await cluster.client.get(ConfigMap, "which", "default")).data["number"] == str(number)


async def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    def traces() -> tuple[set[str], int, list[str]]:
        descriptors = {os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if _is_open(fd)}
        return descriptors, threading.active_count(), os.listdir(tmp_path)

    async with Cluster():
        pass  # what is loaded once per process is loaded now
    before, tasks = traces(), len(asyncio.all_tasks())
    async with Cluster(serve=True) as cluster:
        await cluster.apply(HELLO)
        await cluster.wait_for(Deployment, "hello", available)
    assert traces() == before
    assert len(asyncio.all_tasks()) == tasks


def _is_open(descriptor: str) -> bool:
    return os.path.exists(f"/proc/self/fd/{descriptor}")


async def test_a_failure_in_the_body_leaves_the_cluster_cleanly() -> None:
    with pytest.raises(BaseException) as caught:
        async with Cluster():
            raise RuntimeError("the body's own")
    assert "the body's own" in repr(caught.value)


async def test_a_cluster_can_be_cancelled_while_it_starts() -> None:
    with anyio.move_on_after(0.001):
        async with Cluster() as cluster:
            await cluster.wait_for(Pod, "never")


async def test_the_api_server_runs_alone() -> None:
    async with Cluster(components="apiserver") as cluster:
        assert (await cluster.client.list(Node)).items == ()
        await cluster.apply(HELLO)
        hello = await cluster.wait_for(Deployment, "hello")
        assert hello.status.observed_generation == 0


async def test_single_controllers_run_by_their_name() -> None:
    async with Cluster(components="apiserver,controllers/deployment-controller") as cluster:
        await cluster.apply(HELLO)
        await cluster.wait_for(Deployment, "hello", lambda deployment: deployment.status.observed_generation == 1)
        assert (await cluster.client.list(Pod, "default")).items == ()


async def test_a_controller_that_does_not_exist_is_a_wrong_setting() -> None:
    with pytest.raises(ConfigError, match="controllers/deploy"):
        async with Cluster(components="apiserver,controllers/deploy"):
            pass
