"""Names of control groups for both drivers, and removal that never reaches further than it was told."""

from __future__ import annotations

import os

import pytest

from kubelite.kubelet.docker_cgroups import (
    cgroup_parent,
    cgroup_path,
    contains_process,
    hierarchies,
    read_stats,
    remove_tree,
)


@pytest.mark.parametrize(
    ("driver", "parent", "path"),
    [
        ("cgroupfs", "/kubelite-1a/kubepods/pod1-2", "/kubelite-1a/kubepods/pod1-2"),
        (
            "systemd",
            "kubelite_1a-kubepods-pod1_2.slice",
            "/kubelite_1a.slice/kubelite_1a-kubepods.slice/kubelite_1a-kubepods-pod1_2.slice",
        ),
    ],
)
def test_a_group_has_the_drivers_name_and_place(driver: str, parent: str, path: str) -> None:
    assert cgroup_parent(driver, "/kubelite-1a/kubepods/pod1-2") == parent
    assert cgroup_path(parent) == path


@pytest.mark.parametrize("driver", ["cgroupfs", "systemd"])
def test_no_group_stays_no_group(driver: str) -> None:
    assert cgroup_parent(driver, "") == ""


def test_a_tree_is_removed_from_every_hierarchy() -> None:
    name = f"kubelite-test-{os.getpid()}"
    for root in hierarchies():
        (root / name / "a" / "b").mkdir(parents=True)
    remove_tree(f"/{name}/a")
    assert [root for root in hierarchies() if not (root / name).exists() or (root / name / "a").exists()] == []
    remove_tree(f"/{name}")
    remove_tree(f"/{name}")
    assert [root for root in hierarchies() if (root / name).exists()] == []


@pytest.mark.parametrize("path", ["", "/"])
def test_the_root_is_never_removed(path: str) -> None:
    before = [sorted(root.iterdir()) for root in hierarchies()]
    remove_tree(path)
    assert [sorted(root.iterdir()) for root in hierarchies()] == before


def test_a_process_of_another_group_has_no_stats() -> None:
    assert read_stats(os.getpid(), "0" * 64, 1.0) is None
    assert not contains_process(os.getpid(), "0" * 64)
