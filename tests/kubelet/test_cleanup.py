"""After a cleanup nothing of the instance is left, and nothing of another has changed."""

from __future__ import annotations

import tempfile
from pathlib import Path

import anyio

from kubelite.kubelet.cleanup import Removed, cleanup, mount_points
from kubelite.kubelet.engine import DEFAULT_SOCKET
from kubelite.kubelet.instance import cgroup_root, link_prefix
from tests.kubelet.runtimes import app, running


async def left(instance: str) -> list[str]:
    traces = [str(path) async for path in anyio.Path("/sys/fs/cgroup").glob(f"*{cgroup_root(instance)}")]
    traces += [str(path) async for path in anyio.Path("/sys/class/net").glob(f"{link_prefix(instance)}*")]
    rules = (await anyio.run_process(["iptables-save"])).stdout.decode()
    return traces + [line for line in rules.splitlines() if link_prefix(instance) in line]


async def test_everything_of_the_instance_goes_and_the_other_stays() -> None:
    async with running("docker") as node, running("docker") as other:
        await node.run(node.pod("uid-1"), app("a"), app("b"))
        await node.run(node.pod("uid-2"), app())
        _, (kept,) = await other.run(other.pod(), app())
        with tempfile.TemporaryDirectory() as directory:
            target = anyio.Path(directory, "pods", "a b")
            await target.mkdir(parents=True)
            await anyio.run_process(["mount", "-t", "tmpfs", "none", str(target)])
            removed = await cleanup(instance=node.instance, socket=DEFAULT_SOCKET, data_dir=Path(directory))
            assert (removed.containers, removed.mounts) == (5, 1)
            assert await left(node.instance) == []
            again = await cleanup(instance=node.instance, socket=DEFAULT_SOCKET, data_dir=Path(directory))
            assert again == Removed(containers=0, interfaces=0, mounts=0)
        assert await other.container(kept)
        assert await other.run_to_end(kept, "echo", "alive") == ("alive\n", 0)


def test_mount_points_are_found_below_the_directory_only() -> None:
    line = "36 35 98:0 / {} rw,noatime master:1 - tmpfs none rw"
    points = ["/data", "/data/pods/x", "/database", "/data/pods/x\\040y", "/other"]
    mountinfo = "\n".join(line.format(point) for point in points)
    assert mount_points(mountinfo, Path("/data")) == ["/data", "/data/pods/x", "/data/pods/x y"]
