"""Leadership: one holder at a time, handed over when released or stale."""

from __future__ import annotations

import anyio
from anyio.abc import TaskStatus

from kubelite.actor.clock import SeededClock, SystemClock
from kubelite.api.coordination_v1 import Lease, LeaseSpec
from kubelite.api.core_v1 import Namespace
from kubelite.api.meta import ObjectMeta
from kubelite.apiserver.local import LocalClient
from kubelite.client.leader import LEASE_DURATION_S, NAMESPACE, Leader, Seen, compute_claim, observe
from tests.api_server import local_client

HELD = LeaseSpec(holder_identity="b", lease_duration_seconds=15, lease_transitions=3, acquire_time="then")


class Board:
    """What happened, in order; can be waited for."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._changed = anyio.Event()

    def write(self, line: str) -> None:
        self.lines.append(line)
        self._changed.set()
        self._changed = anyio.Event()

    async def until(self, line: str) -> None:
        with anyio.fail_after(60):
            while line not in self.lines:
                await self._changed.wait()


class Component:
    name = "component"

    def __init__(self, board: Board, who: str) -> None:
        self._board, self._who = board, who

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        self._board.write(self._who)
        task_status.started()
        try:
            await anyio.sleep_forever()
        finally:
            self._board.write(f"{self._who} ended")


def test_a_free_lease_is_taken_a_held_one_is_left_until_it_is_stale() -> None:
    taken = compute_claim(Seen(None, 0), "a", now=1, monotonic=0)
    assert taken is not None
    assert (taken.holder_identity, taken.lease_transitions) == ("a", 0)
    assert compute_claim(Seen(HELD, 5), "a", now=1, monotonic=5 + 14.9) is None
    taken = compute_claim(Seen(HELD, 5), "a", now=1, monotonic=5 + 15)
    assert taken is not None
    assert (taken.holder_identity, taken.lease_transitions) == ("a", 4)


def test_renewing_keeps_when_it_was_acquired() -> None:
    renewed = compute_claim(Seen(HELD, 0), "b", now=1, monotonic=100)
    assert renewed is not None
    assert (renewed.acquire_time, renewed.lease_transitions) == ("then", 3)
    assert renewed.renew_time == "1970-01-01T00:00:01.000000Z"


def test_only_a_change_of_the_lease_counts_as_a_sign_of_life() -> None:
    lease = Lease(metadata=ObjectMeta(name="x", namespace=NAMESPACE), spec=HELD)
    seen = observe(None, lease, 10)
    assert observe(seen, lease, 20).at == 10
    assert observe(seen, None, 20) == Seen(None, 20)


async def make_namespace(client: LocalClient) -> None:
    await client.create(Namespace(metadata=ObjectMeta(name=NAMESPACE)))


def leader(client: LocalClient, board: Board, who: str, clock: SystemClock) -> Leader:
    return Leader("part", lambda: Component(board, who), client, clock, identity=who)


class QuickClock(SeededClock):
    """A hundred times as fast."""

    def monotonic(self) -> float:
        return super().monotonic() * 100

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds / 100)


async def test_one_leads_and_the_other_takes_over_when_it_lets_go() -> None:
    clock, board = QuickClock(), Board()
    async with local_client() as client, anyio.create_task_group() as group:
        await make_namespace(client)
        first = anyio.CancelScope()

        async def run_first() -> None:
            with first:
                await leader(client, board, "a", clock).run()

        group.start_soon(run_first)
        await board.until("a")
        group.start_soon(leader(client, board, "b", clock).run)
        await clock.sleep(3 * LEASE_DURATION_S)  # long enough for b to be wrong
        assert board.lines == ["a"]
        first.cancel()
        await board.until("b")
        assert board.lines == ["a", "a ended", "b"]
        lease = await client.get(Lease, "part", NAMESPACE)
        assert (lease.spec.holder_identity, lease.spec.lease_transitions) == ("b", 1)
        group.cancel_scope.cancel()


async def test_who_finds_the_lease_in_other_hands_stops() -> None:
    clock, board = QuickClock(), Board()
    async with local_client() as client, anyio.create_task_group() as group:
        await make_namespace(client)
        group.start_soon(leader(client, board, "a", clock).run)
        await board.until("a")
        await client.patch(Lease, "part", NAMESPACE, patch={"spec": {"holderIdentity": "thief"}})
        await board.until("a ended")
        group.cancel_scope.cancel()


async def test_a_lease_left_behind_is_waited_out() -> None:
    clock, board = QuickClock(), Board()
    async with local_client() as client, anyio.create_task_group() as group:
        await make_namespace(client)
        spec = LeaseSpec(holder_identity="gone", lease_duration_seconds=15)
        await client.create(Lease(metadata=ObjectMeta(name="part", namespace=NAMESPACE), spec=spec))
        before = clock.monotonic()
        group.start_soon(leader(client, board, "a", clock).run)
        await board.until("a")
        assert clock.monotonic() - before >= 15
        group.cancel_scope.cancel()
