from __future__ import annotations

import anyio
import pytest
from anyio.abc import TaskStatus

from kubelite.actor.clock import SystemClock
from kubelite.actor.supervisor import MAX_RESTARTS, Stage, StartTimeout, Supervisor


class Patient(SystemClock):
    """A clock whose waits are over at once."""

    async def sleep(self, seconds: float) -> None:
        await anyio.lowlevel.checkpoint()


class Probe:
    """Writes down when it starts and stops; fails `failures` times when told to go on."""

    def __init__(self, name: str, journal: list[str], *, failures: int = 0, starts: bool = True) -> None:
        self.name = name
        self.journal = journal
        self.failures = failures
        self.starts = starts
        self.again = anyio.Event()

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        self.journal.append(f"{self.name} up")
        if self.starts:
            task_status.started()
        if self.failures:
            self.failures -= 1
            raise RuntimeError(f"{self.name} broke")
        self.again.set()
        try:
            await anyio.sleep_forever()
        finally:
            self.journal.append(f"{self.name} down")


async def test_stages_start_in_order_and_stop_in_reverse() -> None:
    journal: list[str] = []
    first, second = Probe("first", journal), Probe("second", journal)
    supervisor = Supervisor("test", [Stage((first,)), Stage((second,))], SystemClock())
    async with anyio.create_task_group() as group:
        await group.start(supervisor.run)
        assert journal == ["first up", "second up"]
        group.cancel_scope.cancel()
    assert journal == ["first up", "second up", "second down", "first down"]


async def test_an_actor_that_fails_is_restarted_and_its_neighbours_are_not() -> None:
    journal: list[str] = []
    weak, strong = Probe("weak", journal, failures=3), Probe("strong", journal)
    async with anyio.create_task_group() as group:
        await group.start(Supervisor("test", [Stage((strong, weak))], Patient()).run)
        await weak.again.wait()
        assert journal.count("weak up") == 4
        assert journal.count("strong up") == 1
        group.cancel_scope.cancel()


async def test_too_many_failures_escalate_after_an_orderly_stop() -> None:
    journal: list[str] = []
    weak, strong = Probe("weak", journal, failures=MAX_RESTARTS + 1), Probe("strong", journal)
    with pytest.raises(RuntimeError, match="weak broke"):
        await Supervisor("test", [Stage((strong,)), Stage((weak,))], Patient()).run()
    assert journal[-1] == "strong down"


async def test_a_stage_that_does_not_start_in_time_is_an_error_that_names_it() -> None:
    stage = Stage((Probe("late", [], starts=False),), start_timeout_s=0.01)
    with pytest.raises(StartTimeout, match="late"):
        await Supervisor("test", [stage], SystemClock()).run()
