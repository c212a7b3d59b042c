"""What control groups say of CPU and memory, in both versions, and what /proc says of networks: files to values.

The hierarchies' root is given, so that trees of other machines can be read. A pod's working set leaves out what the kernel
could drop at once: inactive file pages. Source: Linux Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst,
proc_net(5), github.com/google/cadvisor container/libcontainer/handler.go (which figure is called what)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from kubelite.kubelet.runtime import GroupUsage

#: Version 1 tells "no limit" as the largest multiple of a page.
_UNLIMITED = 1 << 60


class Interface(msgspec.Struct, frozen=True, kw_only=True):
    """The counters of one network interface."""

    name: str
    rx_bytes: int
    rx_errors: int
    tx_bytes: int
    tx_errors: int


def read_usage(root: Path, groups: Mapping[str, str]) -> GroupUsage:
    """`groups`: the path by controller, as /proc/PID/cgroup names it; version 2's is empty. Raises: OSError, KeyError."""
    if (root / "cgroup.controllers").exists():
        return _read_v2(root / groups[""].strip("/"))
    return _read_v1({name: root / name / groups[name].strip("/") for name in ("cpu", "cpuacct", "memory", "pids")})


def same_path(path: str) -> dict[str, str]:
    """The groups of something that has one path in every hierarchy."""
    return dict.fromkeys(("", "cpu", "cpuacct", "memory", "pids"), path)


def _read_v1(at: Mapping[str, Path]) -> GroupUsage:
    usage, facts = _number(at["memory"] / "memory.usage_in_bytes"), _table(at["memory"] / "memory.stat")
    limit = facts.get("hierarchical_memory_limit", 0)
    cpu = _table(at["cpu"] / "cpu.stat")
    return GroupUsage(
        cpu_usage_ns=_number(at["cpuacct"] / "cpuacct.usage"),
        cpu_periods=cpu.get("nr_periods", 0),
        cpu_throttled_periods=cpu.get("nr_throttled", 0),
        cpu_throttled_ns=cpu.get("throttled_time", 0),
        memory_usage_bytes=usage,
        memory_working_set_bytes=max(0, usage - facts.get("total_inactive_file", 0)),
        memory_rss_bytes=facts.get("total_rss", 0),
        memory_cache_bytes=facts.get("total_cache", 0),
        memory_limit_bytes=limit if limit < _UNLIMITED else 0,
        page_faults=facts.get("total_pgfault", 0),
        major_page_faults=facts.get("total_pgmajfault", 0),
        processes=_processes(at["pids"]),
    )


def _read_v2(at: Path) -> GroupUsage:
    facts, cpu = _table(at / "memory.stat"), _table(at / "cpu.stat")
    try:
        usage = _number(at / "memory.current")
    except FileNotFoundError:  # the root group has none
        usage = facts["anon"] + facts["file"]
    try:
        limit = (at / "memory.max").read_text().strip()
    except FileNotFoundError:
        limit = "max"
    return GroupUsage(
        cpu_usage_ns=cpu["usage_usec"] * 1000,
        cpu_periods=cpu.get("nr_periods", 0),
        cpu_throttled_periods=cpu.get("nr_throttled", 0),
        cpu_throttled_ns=cpu.get("throttled_usec", 0) * 1000,
        memory_usage_bytes=usage,
        memory_working_set_bytes=max(0, usage - facts.get("inactive_file", 0)),
        memory_rss_bytes=facts.get("anon", 0),
        memory_cache_bytes=facts.get("file", 0),
        memory_limit_bytes=0 if limit == "max" else int(limit),
        page_faults=facts.get("pgfault", 0),
        major_page_faults=facts.get("pgmajfault", 0),
        processes=_processes(at),
    )


def _processes(at: Path) -> int:
    """Zero at the root, which does not count them."""
    try:
        return _number(at / "pids.current")
    except FileNotFoundError:
        return 0


def parse_interfaces(text: str) -> tuple[Interface, ...]:
    """/proc/PID/net/dev, without the loopback.

    >>> parse_interfaces("head\\nhead\\n  eth0: 9 1 2 0 0 0 0 0 7 1 3 0 0 0 0 0\\n")[0].tx_errors
    3
    """
    found = []
    for line in text.splitlines()[2:]:
        name, _, rest = line.partition(":")
        if name.strip() != "lo":
            fields = [int(each) for each in rest.split()]
            found.append(
                Interface(
                    name=name.strip(),
                    rx_bytes=fields[0],
                    rx_errors=fields[2],
                    tx_bytes=fields[8],
                    tx_errors=fields[10],
                )
            )
    return tuple(found)


def _number(path: Path) -> int:
    return int(path.read_text())


def _table(path: Path) -> dict[str, int]:
    return {key: int(value) for key, value in (line.split() for line in path.read_text().splitlines())}
