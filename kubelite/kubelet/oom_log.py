"""Which containers the kernel killed for want of memory, read from its log.

The engine says so too, but forgets it where it hears of the container's end first. Without the right to read the log nothing
is heard. Source: Linux Documentation/ABI/testing/dev-kmsg, mm/oom_kill.c (dump_oom_summary), upstream's pkg/kubelet/oom
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable

_LOG = "/dev/kmsg"
_RECORD_BYTES = 8192
_KILLED = re.compile(r"oom-kill:.*,task_memcg=([^,]*/(?:docker-)?([0-9a-f]{64})(?:\.scope)?),")


def parse_kill(record: str) -> tuple[str, str] | None:
    """(cgroup, container id) of a record that tells of a kill in a container.

    >>> path = "/kubelite-1a/kubepods/podx/" + "ab" * 32
    >>> parse_kill(f"4,1,2,-;oom-kill:constraint=CONSTRAINT_MEMCG,task_memcg={path},task=tail,pid=7") == (path, "ab" * 32)
    True
    """
    found = _KILLED.search(record)
    return (found[1], found[2]) if found else None


class OomLog:
    """`heard` gets cgroup and container id of every kill between `open` and `close`."""

    def __init__(self, heard: Callable[[str, str], None]) -> None:
        self._heard = heard
        self._descriptor = -1

    def open(self) -> None:
        """To be called in the event loop."""
        try:
            self._descriptor = os.open(_LOG, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.lseek(self._descriptor, 0, os.SEEK_END)
            asyncio.get_running_loop().add_reader(self._descriptor, self._read)
        except OSError:
            self.close()

    def close(self) -> None:
        if self._descriptor >= 0:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _read(self) -> None:
        while True:
            try:
                record = os.read(self._descriptor, _RECORD_BYTES)
            except BrokenPipeError:
                continue  # the kernel has overwritten what was next
            except OSError:
                return
            if killed := parse_kill(record.decode(errors="replace")):
                self._heard(*killed)
