"""Which container's log is meant, and upstream's words when there is none."""

from __future__ import annotations

import pytest

from kubelite.api.core_v1 import (
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
)
from kubelite.api.errors import BadRequest, NotFound
from kubelite.client.streams import LogOptions
from kubelite.kubelet.streams import log_container_id
from tests.kubelet.nodes import bench, is_ready, pod, running

DEAD = ContainerState(terminated=ContainerStateTerminated(container_id="docker://old"))


def status(**given: object) -> ContainerStatus:
    return ContainerStatus(**{"name": "c", **given})  # type: ignore[arg-type]


def waiting(reason: str) -> ContainerStatus:
    return status(state=ContainerState(waiting=ContainerStateWaiting(reason=reason)))


def test_the_present_run_is_meant_or_the_last() -> None:
    now = status(state=ContainerState(running=ContainerStateRunning()), container_id="docker://new", last_state=DEAD)
    assert log_container_id("p", "c", now, previous=False) == "new"
    assert log_container_id("p", "c", now, previous=True) == "old"
    assert log_container_id("p", "c", status(state=DEAD), previous=False) == "old"
    held = status(state=ContainerState(waiting=ContainerStateWaiting(reason="CrashLoopBackOff")), last_state=DEAD)
    assert log_container_id("p", "c", held, previous=False) == "old"


@pytest.mark.parametrize(
    ("given", "previous", "text"),
    [
        (None, False, 'container "c" in pod "p" is not available'),
        (status(), True, 'previous terminated container "c" in pod "p" not found'),
        (waiting("ContainerCreating"), False, 'container "c" in pod "p" is waiting to start: ContainerCreating'),
        (waiting("ErrImagePull"), False, 'container "c" in pod "p" is waiting to start: image can\'t be pulled'),
        (
            waiting("ImagePullBackOff"),
            False,
            'container "c" in pod "p" is waiting to start: trying and failing to pull image',
        ),
    ],
)
def test_why_there_is_no_log(given: ContainerStatus | None, previous: bool, text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        log_container_id("p", "c", given, previous=previous)
    assert caught.value.message == text


async def test_streams_of_a_simulated_pod() -> None:
    async with bench() as node:
        kubelet = node.kubelet()
        async with running(kubelet):
            await node.create(pod())
            await node.until("web", is_ready)
            async with kubelet.streams.logs("default", "web", "app", LogOptions()) as chunks:
                assert b"Started simulated container app" in b"".join([chunk async for chunk in chunks])
            with pytest.raises(BadRequest, match="container nope is not valid for pod web"):
                async with kubelet.streams.logs("default", "web", "nope", LogOptions()):
                    pass
            with pytest.raises(NotFound, match='pods "none" not found'):
                async with kubelet.streams.exec("default", "none", "app", ("x",), stdin=False, tty=False):
                    pass
