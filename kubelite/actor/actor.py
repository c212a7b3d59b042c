"""The one interface of everything that runs: an actor has a name, says when it is ready, and never returns."""

from __future__ import annotations

from typing import Protocol

from anyio.abc import TaskStatus


class Actor(Protocol):
    """A component of the cluster.

    `run` calls `task_status.started()` once it is ready (cache synced, socket bound), owns all of its state and tasks, and
    ends only by cancellation or by failing; the supervisor decides what a failure means.
    """

    @property
    def name(self) -> str: ...

    async def run(self, *, task_status: TaskStatus[None]) -> None: ...
