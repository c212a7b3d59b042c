"""Volumes on a real file system: atomic contents, host paths, groups, paths that try to escape."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from kubelite.api.core_v1 import Container, EmptyDirVolumeSource, VolumeMount
from kubelite.kubelet.atomic_writer import BadPath, File, write_atomically
from kubelite.kubelet.env import ConfigFailed
from kubelite.kubelet.mounts import Place, file_mounts, volume_mounts
from kubelite.kubelet.runtime import Mount
from kubelite.kubelet.storage import MountFailed
from kubelite.kubelet.syscalls import make_beneath, open_beneath
from kubelite.kubelet.volume_places import check_host_path, give_to_group, make_empty_dir

NAMES = st.sampled_from(["a", "b", "dir/c", "dir/d", "deep/er/e"])


def contents(root: Path) -> dict[str, bytes]:
    """The files as a container sees them."""
    found: dict[str, bytes] = {}
    for top in root.iterdir():
        if not top.name.startswith(".."):
            paths = [top] if top.is_file() else [each for each in top.rglob("*") if each.is_file()]
            found |= {str(each.relative_to(root)): each.read_bytes() for each in paths}
    return found


@given(st.lists(st.dictionaries(NAMES, st.binary(max_size=8)), min_size=1, max_size=5))
def test_a_volume_shows_exactly_what_was_written_last(
    tmp_path_factory: pytest.TempPathFactory, versions: list[dict[str, bytes]]
) -> None:
    root = tmp_path_factory.mktemp("volume")
    for at, files in enumerate(versions):
        made = {path: File(content, 0o644) for path, content in files.items()}
        write_atomically(root, made, stamp=f"v{at}")
        assert contents(root) == files
        assert not write_atomically(root, made, stamp=f"again{at}")
    hidden = [each.name for each in root.iterdir() if each.name.startswith("..")]
    assert len(hidden) == 2  # ..data and the one directory that it points to


def test_a_write_that_fails_leaves_what_was_and_a_writer_that_died_leaves_nothing_for_long(tmp_path: Path) -> None:
    write_atomically(tmp_path, {"a": File(b"1", 0o644)}, stamp="one")
    with pytest.raises(OSError, match="File name too long"):
        write_atomically(tmp_path, {"a": File(b"2", 0o644), "b" * 300: File(b"", 0o644)}, stamp="two")
    assert sorted(os.listdir(tmp_path)) == ["..data", "..one", "a"]
    assert contents(tmp_path) == {"a": b"1"}
    (tmp_path / "..died").mkdir()
    (tmp_path / "..died" / "a").write_bytes(b"3")
    write_atomically(tmp_path, {"a": File(b"4", 0o644)}, stamp="four")
    assert sorted(os.listdir(tmp_path)) == ["..data", "..four", "a"]
    assert contents(tmp_path) == {"a": b"4"}


def test_the_switch_replaces_a_link_and_keeps_modes(tmp_path: Path) -> None:
    write_atomically(tmp_path, {"a": File(b"1", 0o400)}, stamp="one")
    assert os.readlink(tmp_path / "..data") == "..one"
    assert os.readlink(tmp_path / "a") == "..data/a"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o400


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "..x", ""])
def test_a_file_cannot_leave_its_volume(tmp_path: Path, path: str) -> None:
    with pytest.raises(BadPath):
        write_atomically(tmp_path, {path: File(b"", 0o644)}, stamp="x")


def test_host_path_types(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    check_host_path(str(tmp_path), "Directory")
    check_host_path(str(tmp_path / "file"), "File")
    check_host_path(str(tmp_path / "new"), "DirectoryOrCreate")
    check_host_path(str(tmp_path / "fresh"), "FileOrCreate")
    check_host_path("/dev/null", "CharDevice")
    assert (tmp_path / "new").is_dir()
    assert (tmp_path / "fresh").is_file()
    for path, kind, name in (
        ("file", "Directory", "directory"),
        ("none", "File", "file"),
        ("file", "Socket", "socket file"),
        ("file", "BlockDevice", "block device"),
    ):
        with pytest.raises(MountFailed, match=f"hostPath type check failed: .* is not a {name}"):
            check_host_path(str(tmp_path / path), kind)


def test_an_empty_dir_is_everybodys(tmp_path: Path) -> None:
    make_empty_dir(tmp_path / "v", EmptyDirVolumeSource())
    assert (tmp_path / "v").stat().st_mode & 0o777 == 0o777


def test_a_group_gets_everything_and_what_comes_later(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir(mode=0o700)
    (tmp_path / "d" / "f").write_text("x")
    (tmp_path / "link").symlink_to("/etc/passwd")
    give_to_group(tmp_path, 4242, policy="Always")
    assert (tmp_path / "d" / "f").stat().st_gid == 4242
    assert (tmp_path / "d").stat().st_mode & 0o7777 == 0o2770
    assert os.stat("/etc/passwd").st_gid != 4242
    (tmp_path / "d" / "late").touch()
    assert (tmp_path / "d" / "late").stat().st_gid == 4242


def test_links_do_not_lead_out_of_a_volume(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").symlink_to("/etc")
    (tmp_path / "up").symlink_to("../..")
    os.close(open_beneath(str(tmp_path), "in"))
    for path in ("out/passwd", "up", "out"):
        with pytest.raises(OSError) as caught:
            os.close(open_beneath(str(tmp_path), path))
        assert caught.value.errno == errno.EXDEV
    make_beneath(str(tmp_path), "in/a/b")
    assert (tmp_path / "in/a/b").is_dir()
    with pytest.raises(OSError):
        make_beneath(str(tmp_path), "out/kubelite-was-here")


def test_mounts_of_a_container() -> None:
    places = {"v": Place(path="/data/v"), "config": Place(path="/data/config", readonly=True)}
    container = Container(
        name="c",
        volume_mounts=(
            VolumeMount(name="v", mount_path="rel", mount_propagation="HostToContainer"),
            VolumeMount(name="config", mount_path="/etc/hosts"),
            VolumeMount(name="v", mount_path="/sub", sub_path_expr="$(POD)/x"),
        ),
    )
    plain, config, sub = volume_mounts(container, places, {"POD": "p"})
    assert plain.mount == Mount(host_path="/data/v", container_path="/rel", propagation="rslave")
    assert config.mount.readonly
    assert sub.sub_path is not None
    assert sub.sub_path.path == "p/x"
    files = {"/etc/hosts": "/h", "/etc/resolv.conf": "/r"}
    own = [each.mount for each in (plain, config, sub)]
    assert file_mounts(files, own) == [Mount(host_path="/r", container_path="/etc/resolv.conf")]


@pytest.mark.parametrize(
    ("mount", "text"),
    [
        (VolumeMount(name="none", mount_path="/x"), 'cannot find volume "none" to mount'),
        (VolumeMount(name="v", mount_path="/x", sub_path="../up"), "must not contain"),
        (VolumeMount(name="v", mount_path="/x", sub_path="/abs"), "must not be an absolute path"),
        (VolumeMount(name="v", mount_path="/x", sub_path_expr="$(NONE)"), "missing value for subPathExpr"),
    ],
)
def test_bad_mounts_are_named(mount: VolumeMount, text: str) -> None:
    with pytest.raises(ConfigFailed, match=text):
        volume_mounts(Container(name="c", volume_mounts=(mount,)), {"v": Place(path="/v")}, {})
