"""Control groups of both versions read from captured trees, and from this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kubelite.kubelet.stats_cgroups import parse_interfaces, read_usage, same_path
from kubelite.kubelet.stats_host import HostMeter, parse_groups, pod_groups

#: A container of a cgroup v1 host (Docker 20.10, kernel 6.18), as far as it is read.
V1 = {
    "memory/pod/abc/memory.usage_in_bytes": "5242880\n",
    "memory/pod/abc/memory.stat": "cache 1\nrss 2\nhierarchical_memory_limit 67108864\ntotal_cache 4096000\ntotal_rss 1048576\n"
    "total_pgfault 1201\ntotal_pgmajfault 3\ntotal_inactive_file 2097152\n",
    "cpu/pod/abc/cpu.stat": "nr_periods 120\nnr_throttled 7\nthrottled_time 350000000\n",
    "cpuacct/pod/abc/cpuacct.usage": "123456789\n",
    "pids/pod/abc/pids.current": "4\n",
}
#: The same of a cgroup v2 host (Debian 12, kernel 6.1).
V2 = {
    "cgroup.controllers": "cpuset cpu io memory hugetlb pids rdma misc\n",
    "pod/abc/memory.current": "5242880\n",
    "pod/abc/memory.max": "67108864\n",
    "pod/abc/memory.stat": "anon 1048576\nfile 4096000\ninactive_anon 0\ninactive_file 2097152\npgfault 1201\npgmajfault 3\n",
    "pod/abc/cpu.stat": "usage_usec 123456\nuser_usec 100000\nsystem_usec 23456\nnr_periods 120\nnr_throttled 7\n"
    "throttled_usec 350000\n",
    "pod/abc/pids.current": "4\n",
}


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(("files", "cpu_ns"), [(V1, 123456789), (V2, 123456000)], ids=["v1", "v2"])
def test_both_versions_tell_the_same(tmp_path: Path, files: dict[str, str], cpu_ns: int) -> None:
    usage = read_usage(tree(tmp_path, files), same_path("/pod/abc"))
    assert usage.cpu_usage_ns == cpu_ns
    assert (usage.cpu_periods, usage.cpu_throttled_periods, usage.cpu_throttled_ns) == (120, 7, 350_000_000)
    assert usage.memory_usage_bytes == 5242880
    assert usage.memory_working_set_bytes == 5242880 - 2097152
    assert (usage.memory_rss_bytes, usage.memory_cache_bytes) == (1048576, 4096000)
    assert usage.memory_limit_bytes == 64 << 20
    assert (usage.page_faults, usage.major_page_faults, usage.processes) == (1201, 3, 4)


def test_no_limit_is_none(tmp_path: Path) -> None:
    first = tree(tmp_path / "1", V1 | {"memory/pod/abc/memory.stat": "hierarchical_memory_limit 9223372036854771712\n"})
    second = tree(tmp_path / "2", V2 | {"pod/abc/memory.max": "max\n"})
    for root in (first, second):
        assert read_usage(root, same_path("/pod/abc")).memory_limit_bytes == 0


def test_the_root_of_version_2_counts_memory_by_its_parts(tmp_path: Path) -> None:
    files = {
        "cgroup.controllers": "cpu memory\n",
        "memory.stat": "anon 1000\nfile 500\ninactive_file 100\n",
        "cpu.stat": "usage_usec 5\n",
    }
    usage = read_usage(tree(tmp_path, files), same_path("/"))
    assert (usage.memory_usage_bytes, usage.memory_working_set_bytes, usage.processes) == (1500, 1400, 0)


def test_a_group_that_vanished_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nosuch"):
        read_usage(tree(tmp_path, V2), same_path("/nosuch"))


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/kubelite-1/kubepods/besteffort/pod1-2/abc", "/kubelite-1/kubepods/besteffort/pod1-2"),
        ("/a.slice/a-pod1_2.slice/docker-abc.scope", "/a.slice/a-pod1_2.slice"),
        ("/docker/abc", ""),
    ],
)
def test_a_pods_group_is_the_one_above_its_container(path: str, found: str) -> None:
    groups = pod_groups(parse_groups(f"4:cpu,cpuacct:{path}\n3:memory:{path}\n"), "1-2")
    assert groups == (dict.fromkeys(("cpu", "cpuacct", "memory"), found) if found else {})


def test_the_loopback_is_no_interface() -> None:
    text = "Inter-|\n face |\n    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n  eth0: 11 2 3 0 0 0 0 0 22 4 5 0 0 0 0 0\n"
    (eth0,) = parse_interfaces(text)
    assert (eth0.name, eth0.rx_bytes, eth0.rx_errors, eth0.tx_bytes, eth0.tx_errors) == ("eth0", 11, 3, 22, 5)


def test_this_machine_can_be_measured(tmp_path: Path) -> None:
    meter = HostMeter(tmp_path)
    before = meter.node()
    while meter.node().cpu_usage_ns == before.cpu_usage_ns:  # the kernel counts in ticks
        sum(range(100_000))
    assert meter.node().cpu_usage_ns > before.cpu_usage_ns > 0
    assert before.memory_working_set_bytes > 0
    assert meter.file_system().capacity_bytes >= meter.file_system().available_bytes > 0
    running, most = meter.processes()
    assert 0 < running < most
    assert meter.pod(os.getpid(), "no-pod") is None
