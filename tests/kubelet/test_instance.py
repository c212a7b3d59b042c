"""Names of one data directory are stable, and fit the kernel's limits."""

from __future__ import annotations

from pathlib import Path

from kubelite.kubelet.instance import cgroup_root, instance_id, link_prefix


def test_a_directory_has_one_id_and_another_has_another() -> None:
    assert instance_id(Path("/a")) == instance_id(Path("/a")) != instance_id(Path("/b"))


def test_a_relative_path_names_the_same_directory() -> None:
    assert instance_id(Path("x")) == instance_id(Path.cwd() / "x")


def test_interface_names_leave_room_for_a_sandbox() -> None:
    assert len(link_prefix(instance_id(Path("/a")))) + 7 == 15


def test_the_control_group_is_one_directory_at_the_root() -> None:
    assert cgroup_root("1a2b3c4d") == "/kubelite-1a2b3c4d"
