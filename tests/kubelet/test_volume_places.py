"""Volumes that are mounted: images, layer over layer, and NFS by the host's own command."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from kubelite.api.core_v1 import (
    Container,
    Event,
    ImageVolumeSource,
    NFSVolumeSource,
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    PersistentVolumeClaimStatus,
    PersistentVolumeClaimVolumeSource,
    PersistentVolumeSpec,
    Pod,
    Volume,
    VolumeMount,
)
from kubelite.api.meta import ObjectMeta
from kubelite.client.cache import Cache
from kubelite.client.interface import WatchEvent
from kubelite.client.view import View
from kubelite.kubelet.storage import MountFailed
from kubelite.kubelet.syscalls import mounts_below, unmount
from kubelite.kubelet.volume_places import NfsMount, mount_image, mount_nfs, nfs_mount
from tests.images import BUSYBOX
from tests.kubelet.docker_node import docker_bench, shell
from tests.kubelet.nodes import is_ready, pod, running


def layer(root: Path, name: str, files: dict[str, str]) -> str:
    directory = root / name / "diff"
    directory.mkdir(parents=True)
    for file, text in files.items():
        (directory / file).write_text(text)
    return str(directory)


@pytest.mark.parametrize("count", [1, 3])
def test_layers_are_seen_over_each_other_and_cannot_be_written(tmp_path: Path, count: int) -> None:
    layers = [layer(tmp_path, f"l{at}", {f"own-{at}": "", "all": f"from {at}"}) for at in range(count)]
    (tmp_path / "l").mkdir()
    (tmp_path / "l" / "SHORT").symlink_to("../l0/diff")
    (tmp_path / "l0" / "link").write_text("SHORT\n")
    target = tmp_path / "volume"
    target.mkdir()
    try:
        mount_image(target, layers)
        mount_image(target, layers)
        assert sorted(each.name for each in target.iterdir()) == ["all", *(f"own-{at}" for at in range(count))]
        assert (target / "all").read_text() == "from 0"
        with pytest.raises(OSError, match="Read-only"):
            (target / "new").touch()
    finally:
        unmount(str(target))
    assert str(target) not in mounts_below(tmp_path)


async def test_what_the_mount_command_says_is_the_reason(tmp_path: Path) -> None:
    with pytest.raises(MountFailed) as caught:
        await mount_nfs(
            tmp_path / "v", NfsMount(server="192.0.2.1", path="/x", read_only=True, options=("nosuchoption",))
        )
    text = str(caught.value)
    assert text.startswith("mount failed: exit status ")
    assert f"Mounting arguments: -t nfs -o nosuchoption,ro 192.0.2.1:/x {tmp_path}/v\n" in text


def view_of(*objects: PersistentVolume | PersistentVolumeClaim) -> View:
    view = Cache({})
    for each in objects:
        view.put(each)
    return view


def test_a_claim_may_be_bound_to_nfs() -> None:
    claim = PersistentVolumeClaim(
        metadata=ObjectMeta(name="data", namespace="default"),
        spec=PersistentVolumeClaimSpec(volume_name="pv"),
        status=PersistentVolumeClaimStatus(phase="Bound"),
    )
    source = NFSVolumeSource(server="nas", path="/export")
    volume = PersistentVolume(
        metadata=ObjectMeta(name="pv"), spec=PersistentVolumeSpec(nfs=source, mount_options=("nfsvers=4.1",))
    )
    own = Pod(metadata=ObjectMeta(name="web", namespace="default"))
    claimed = Volume(
        name="v", persistent_volume_claim=PersistentVolumeClaimVolumeSource(claim_name="data", read_only=True)
    )
    wanted = NfsMount(server="nas", path="/export", read_only=True, options=("nfsvers=4.1",))
    assert nfs_mount(own, claimed, view_of(claim, volume)) == wanted
    assert nfs_mount(own, claimed, view_of(claim)) is None
    direct = nfs_mount(own, Volume(name="v", nfs=source), view_of())
    assert direct == NfsMount(server="nas", path="/export", read_only=False)


async def test_a_container_reads_the_files_of_an_image() -> None:
    async with docker_bench() as node, running(node.docker_kubelet()):
        mounts = (
            VolumeMount(name="tools", mount_path="/tools"),
            VolumeMount(name="tools", mount_path="/applets", sub_path="bin"),
        )
        script = "set -e; test -x /tools/bin/busybox; test -x /applets/busybox; ! touch /tools/x; sleep 1000"
        app = shell(script, volume_mounts=mounts)
        volume = Volume(name="tools", image=ImageVolumeSource(reference=BUSYBOX, pull_policy="Never"))
        await node.create(pod("web", app, volumes=(volume,)))
        await node.until("web", is_ready)
        await node.delete("web", grace_s=0)
        await node.until_gone("web")


async def test_nfs_that_cannot_be_mounted_is_told_in_an_event() -> None:
    async with docker_bench() as node, running(node.docker_kubelet()):
        source = NFSVolumeSource(server="no-such-host.invalid", path="/none")
        app = shell(volume_mounts=(VolumeMount(name="share", mount_path="/share"),))
        await node.create(pod("web", app, volumes=(Volume(name="share", nfs=source),)))
        with anyio.fail_after(60):
            async with node.client.watch(Event, "default", resource_version="0") as batches:
                told = [each async for each in _failures(batches)]
        assert told[0].startswith('MountVolume.SetUp failed for volume "share" : mount failed: exit status ')


async def _failures(batches: AsyncIterator[list[WatchEvent[Event]]]) -> AsyncIterator[str]:
    """The messages of the first FailedMount."""
    async for batch in batches:
        for change in batch:
            if change.object.reason == "FailedMount":
                yield change.object.message
                return


async def test_an_image_volume_that_is_missing_holds_its_container_back() -> None:
    async with docker_bench() as node, running(node.docker_kubelet()):
        volume = Volume(name="tools", image=ImageVolumeSource(reference="kubelite.test/none:1", pull_policy="Never"))
        app: Container = shell(volume_mounts=(VolumeMount(name="tools", mount_path="/tools"),))
        await node.create(pod("web", app, volumes=(volume,)))

        def waits(seen: Pod) -> bool:
            states = [each.state.waiting for each in seen.status.container_statuses]
            return any(each is not None and each.reason == "ErrImageNeverPull" for each in states)

        await node.until("web", waits)
