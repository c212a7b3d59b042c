"""The wall clock is set, by a day, forward or back: nothing restarts for that, and nothing waits for the old time."""

from __future__ import annotations

import pytest

from kubelite.actor.clock import SeededClock
from kubelite.api.coordination_v1 import Lease
from kubelite.api.core_v1 import Container, Event, ExecAction, Pod, Probe
from kubelite.api.timestamp import parse_rfc3339
from kubelite.kubelet.env import Addresses
from kubelite.kubelet.handlers import SimulatedProbes
from kubelite.kubelet.storage import NoStorage
from kubelite.testing.virtual import run_virtually
from tests.kubelet.nodes import NODE, Bench, bench, is_ready, pod, running

DAY_S = 86400.0
SIMULATED = "simulated.kubelite.io/"


class SettableClock(SeededClock):
    """A wall clock that is `ahead_s` seconds ahead of what it would be; the steady one does not notice."""

    ahead_s = 0.0

    def now(self) -> float:
        return super().now() + self.ahead_s


class Tokens(NoStorage):
    """Wants to be asked again an hour later."""

    def __init__(self, clock: SettableClock) -> None:
        self.clock = clock
        self.asked: list[float] = []

    async def prepare(self, pod: Pod, addresses: Addresses) -> float | None:
        self.asked.append(self.clock.now())
        return self.clock.now() + 3600


def probed(initial_delay_s: int = 0) -> Container:
    asked = ExecAction(command=("true",))
    probe = Probe(exec=asked, initial_delay_seconds=initial_delay_s, period_seconds=5, failure_threshold=1)
    return Container(name="app", image="busybox:1", image_pull_policy="IfNotPresent", liveness_probe=probe)


def restarts(seen: Pod) -> int:
    return seen.status.container_statuses[0].restart_count if seen.status.container_statuses else 0


def is_held(seen: Pod) -> bool:
    waiting = seen.status.container_statuses[0].state.waiting if seen.status.container_statuses else None
    return waiting is not None and waiting.reason in {"CrashLoopBackOff", "ImagePullBackOff"}


@pytest.mark.parametrize("jump_s", [DAY_S, -DAY_S])
def test_what_runs_stays_and_is_probed_and_the_lease_renewed(jump_s: float) -> None:
    async def main() -> None:
        clock = SettableClock()
        async with bench(clock) as node, running(node.kubelet()):
            await node.create(pod("web", probed()))
            before = await node.until("web", is_ready)
            clock.ahead_s += jump_s
            await clock.sleep(60)
            after = await node.get()
            assert after.status == before.status
            lease = await node.client.get(Lease, NODE, "kube-node-lease")
            assert abs(parse_rfc3339(lease.spec.renew_time or "") - clock.now()) <= 11
            (container,) = await node.runtime.list_containers()
            node.simulated.kill(container.id, 9)
            await node.until("web", lambda each: restarts(each) == 1 and is_ready(each))
            await node.delete()
            await node.until_gone()

    run_virtually(main())


@pytest.mark.parametrize("jump_s", [DAY_S, 3.0, -3.0, -DAY_S])
def test_a_container_that_waits_for_its_back_off_is_restarted_within_it(jump_s: float) -> None:
    async def main() -> None:
        clock = SettableClock()
        async with bench(clock) as node, running(node.kubelet()):
            await node.create(pod(annotations={f"{SIMULATED}run-for": "1s", f"{SIMULATED}exit-code": "1"}))
            await node.until("web", lambda each: restarts(each) == 2 and is_held(each), within_s=120)
            clock.ahead_s += jump_s
            await node.until("web", lambda each: restarts(each) >= 3, within_s=45)  # the back-off is 20 s

    run_virtually(main())


@pytest.mark.parametrize("jump_s", [DAY_S, -DAY_S])
def test_a_failed_pull_is_tried_again_within_its_back_off(jump_s: float) -> None:
    async def main() -> None:
        clock = SettableClock()
        async with bench(clock) as node, running(node.kubelet()):
            missing = Container(name="app", image="nosuch.invalid/x:1", image_pull_policy="IfNotPresent")
            await node.create(pod("web", missing))
            await node.until("web", is_held, within_s=120)
            clock.ahead_s += jump_s
            counted = await pulls(node)
            await clock.sleep(45)
            assert await pulls(node) > counted > 0

    run_virtually(main())


async def pulls(node: Bench) -> int:
    return sum(each.count for each in (await node.client.list(Event, "default")).items if each.reason == "Pulling")


@pytest.mark.parametrize("jump_s", [DAY_S, -DAY_S])
def test_a_probe_of_an_adopted_container_does_not_wait_for_the_old_time(jump_s: float) -> None:
    async def main() -> None:
        clock = SettableClock()
        async with bench(clock) as node:
            async with running(node.kubelet()):
                await node.create(pod("web", probed(initial_delay_s=10)))
                await node.until("web", is_ready)
            clock.ahead_s += jump_s
            failing = node.simulated.probe
            asked: list[str] = []

            def answer(container_id: str, kind: str) -> bool:
                asked.append(kind)
                return failing(container_id, kind)

            async with running(node.kubelet(probes=SimulatedProbes(answer))):
                await clock.sleep(30)
                assert len(asked) >= 4
                assert restarts(await node.get()) == 0

    run_virtually(main())


def test_what_expires_is_renewed_soon_after_the_clock_was_set_forward() -> None:
    async def main() -> None:
        clock = SettableClock()
        storage = Tokens(clock)
        async with bench(clock) as node, running(node.kubelet(storage=storage)):
            await node.create(pod())
            await node.until("web", is_ready)
            asked = len(storage.asked)
            await clock.sleep(60)
            assert len(storage.asked) == asked
            clock.ahead_s += DAY_S
            await clock.sleep(30)
            assert len(storage.asked) == asked + 1

    run_virtually(main())
