"""Whole lives of pods on a simulated node, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial, wraps
from itertools import pairwise
from typing import Any

import anyio
import pytest
from msgspec.structs import replace

from kubelite.actor.clock import SeededClock
from kubelite.api.core_v1 import (
    ConfigMap,
    ConfigMapKeySelector,
    Container,
    ContainerStatus,
    EnvVar,
    EnvVarSource,
    Event,
    ExecAction,
    Lifecycle,
    LifecycleHandler,
    Pod,
    PodReadinessGate,
    Probe,
    SleepAction,
)
from kubelite.api.meta import ObjectMeta
from kubelite.kubelet.runtime import State
from kubelite.kubelet.storage import MountFailed, NoStorage
from kubelite.testing.virtual import run_virtually
from tests.kubelet.nodes import bench, is_ready, pod, running

PREFIX = "simulated.kubelite.io/"


def virtually(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Runs a test on a loop whose time jumps."""

    @wraps(test)
    def run() -> None:
        run_virtually(test())

    del run.__wrapped__  # pytest would take it for a coroutine function
    return run


def clock() -> SeededClock:
    return SeededClock(1)


def app(name: str = "app", **settings: Any) -> Container:
    return Container(**{"name": name, "image": "busybox:1", "image_pull_policy": "IfNotPresent", **settings})


def first(seen: Pod) -> ContainerStatus:
    return seen.status.container_statuses[0]


def waiting_reason(status: ContainerStatus) -> str:
    return status.state.waiting.reason if status.state.waiting else ""


def conditions(seen: Pod) -> dict[str, str]:
    return {each.type: each.status for each in seen.status.conditions}


@virtually
async def test_a_pod_becomes_ready_and_is_gone_after_its_deletion() -> None:
    async with bench(clock()) as node, running(node.kubelet()):
        await node.create(pod())
        seen = await node.until("web", is_ready)
        assert seen.status.phase == "Running"
        assert seen.status.pod_ip == "10.244.0.2"
        assert seen.status.host_ip == "192.168.0.10"
        assert seen.status.qos_class == "BestEffort"
        assert first(seen).container_id.startswith("simulated://")
        await node.delete()
        await node.until_gone()
        assert await node.runtime.list_pod_sandboxes() == []
        assert node.left == ["10.244.0.2", "10.244.0.2!"]
        assert node.entered == ["10.244.0.2"]
        events = await node.events()
        for expected in (
            ("Pulled", 'Container image "busybox:1" already present on machine'),
            ("Created", "Created container: app"),
            ("Started", "Started container app"),
            ("Killing", "Stopping container app"),
        ):
            assert expected in events


@virtually
async def test_the_conditions_come_in_upstreams_order() -> None:
    async with bench(clock()) as node, running(node.kubelet()):
        await node.create(pod())
        seen = await node.until("web", is_ready)
        assert [each.type for each in seen.status.conditions] == [
            "PodReadyToStartContainers",
            "Initialized",
            "Ready",
            "ContainersReady",
            "PodScheduled",
        ]


@virtually
async def test_a_crashing_container_is_restarted_at_once_and_then_after_10_20_40_seconds() -> None:
    async with bench(clock()) as node, running(node.kubelet()):
        annotations = {PREFIX + "run-for": "1s", PREFIX + "exit-code": "3"}
        await node.create(pod(annotations=annotations))
        starts = []
        for count in range(5):
            seen = await node.until("web", partial(_runs_as, count), within_s=100)
            assert first(seen).restart_count == count
            starts.append(node.clock.monotonic())
        gaps = [round(after - before) for before, after in pairwise(starts)]
        assert gaps == [1, 11, 21, 41]
        seen = await node.until("web", lambda each: waiting_reason(first(each)) == "CrashLoopBackOff")
        state, last = first(seen).state.waiting, first(seen).last_state.terminated
        assert state is not None
        assert last is not None
        meta = seen.metadata
        assert state.message == f"back-off 1m20s restarting failed container=app pod=web_default({meta.uid})"
        assert (last.exit_code, last.reason) == (3, "Error")
        assert seen.status.phase == "Running"
        assert conditions(seen)["Ready"] == "False"
        assert (
            node.left.count(f"{seen.status.pod_ip}!") == 5
        )  # out of its Services at each death, and back before each Ready
        assert node.entered == [seen.status.pod_ip] * 5
        kept = await node.runtime.list_containers()
        assert len(kept) == 1  # of the dead ones only the last
        (told,) = (each for each in (await node.client.list(Event, "default")).items if each.reason == "BackOff")
        assert told.count >= 8  # at every look at a waiting pod
        assert told.message == f"Back-off restarting failed container app in pod web_default({meta.uid})"
        assert told.involved_object.field_path == "spec.containers{app}"


def _runs_as(count: int, seen: Pod) -> bool:
    statuses = seen.status.container_statuses
    return bool(statuses) and statuses[0].restart_count == count and statuses[0].state.running is not None


@pytest.mark.parametrize(
    ("policy", "code", "phase"),
    [("Never", "0", "Succeeded"), ("Never", "1", "Failed"), ("OnFailure", "0", "Succeeded")],
)
def test_a_pod_that_is_done_has_a_terminal_phase(policy: str, code: str, phase: str) -> None:
    async def main() -> None:
        async with bench(clock()) as node, running(node.kubelet()):
            annotations = {PREFIX + "run-for": "1s", PREFIX + "exit-code": code}
            await node.create(pod(restart_policy=policy, annotations=annotations))
            seen = await node.until("web", lambda each: each.status.phase == phase)
            assert first(seen).restart_count == 0
            assert conditions(seen)["Ready"] == "False"
            kept = await node.runtime.list_containers()
            assert [each.state for each in kept] == [State.EXITED]  # for its logs
            await node.delete()
            await node.until_gone()
            assert await node.runtime.list_containers() == []

    run_virtually(main())


@virtually
async def test_init_containers_run_one_after_the_other_and_sidecars_stay() -> None:
    async with bench(clock()) as node, running(node.kubelet()):
        init = (app("one"), app("side", restart_policy="Always"), app("two"))
        annotations = {PREFIX + "one.run-for": "1s", PREFIX + "two.run-for": "1s"}
        await node.create(pod("web", app(), init_containers=init, annotations=annotations))
        seen = await node.until("web", lambda each: len(each.status.init_container_statuses) == 3)
        assert waiting_reason(first(seen)) == "PodInitializing"
        seen = await node.until("web", is_ready)
        one, side, two = seen.status.init_container_statuses
        assert (one.ready, side.ready, two.ready) == (True, True, True)
        assert one.state.terminated is not None
        assert side.state.running is not None
        assert two.state.terminated is not None
        assert two.state.terminated.reason == "Completed"


@virtually
async def test_sidecars_end_with_the_last_main_container() -> None:
    async with bench(clock()) as node, running(node.kubelet()):
        init = (app("side", restart_policy="Always"),)
        annotations = {PREFIX + "app.run-for": "5s"}
        await node.create(pod("web", app(), init_containers=init, restart_policy="Never", annotations=annotations))
        seen = await node.until("web", lambda each: each.status.phase == "Succeeded")
        assert seen.status.init_container_statuses[0].state.terminated is not None


@virtually
async def test_an_init_container_that_fails_is_tried_again_unless_the_policy_is_never() -> None:
    async with bench(clock()) as node, running(node.kubelet()):
        annotations = {PREFIX + "one.run-for": "1s", PREFIX + "one.exit-code": "1"}
        for name, policy in (("web", "Never"), ("again", "Always")):
            await node.create(
                pod(name, app(), init_containers=(app("one"),), restart_policy=policy, annotations=annotations)
            )
        seen = await node.until("web", lambda each: each.status.phase == "Failed")
        assert seen.status.init_container_statuses[0].restart_count == 0
        seen = await node.until(
            "again", lambda each: any(x.restart_count == 1 for x in each.status.init_container_statuses)
        )
        assert seen.status.phase == "Pending"


@virtually
async def test_an_image_that_cannot_be_pulled_is_held_back() -> None:
    async with bench(clock()) as node, running(node.kubelet()):
        await node.create(pod("web", app(image="registry.invalid/x:1")))
        await node.until("web", lambda each: _reason(each) == "ErrImagePull")
        seen = await node.until("web", lambda each: _reason(each) == "ImagePullBackOff")
        assert seen.status.phase == "Pending"
        await node.until("web", lambda each: _reason(each) == "ErrImagePull")
        events = [reason for reason, _ in await node.events()]
        assert {"Pulling", "Failed", "BackOff"} <= set(events)


@virtually
async def test_a_missing_image_that_may_not_be_pulled_says_so() -> None:
    async with bench(clock()) as node, running(node.kubelet()):
        await node.create(pod("web", app(image="registry.invalid/x:1", image_pull_policy="Never")))
        seen = await node.until("web", lambda each: _reason(each) == "ErrImageNeverPull")
        waiting = first(seen).state.waiting
        assert waiting is not None
        assert waiting.message == 'Container image "registry.invalid/x:1" is not present with pull policy of Never'


def _reason(seen: Pod) -> str:
    return waiting_reason(first(seen)) if seen.status.container_statuses else ""


@virtually
async def test_a_container_waits_for_its_config_map_and_starts_when_it_comes() -> None:
    async with bench(clock()) as node, running(node.kubelet()):
        source = EnvVarSource(config_map_key_ref=ConfigMapKeySelector(name="settings", key="a"))
        await node.create(pod("web", app(env=(EnvVar(name="A", value_from=source),))))
        seen = await node.until("web", lambda each: _reason(each) == "CreateContainerConfigError")
        waiting = first(seen).state.waiting
        assert waiting is not None
        assert waiting.message == 'configmap "settings" not found'
        before = node.clock.monotonic()
        await node.client.create(ConfigMap(metadata=ObjectMeta(name="settings", namespace="default"), data={"a": "1"}))
        await node.until("web", is_ready)
        assert node.clock.monotonic() - before < 0.1


@virtually
async def test_a_failing_liveness_probe_restarts_the_container() -> None:
    async with bench(clock()) as node, running(node.kubelet()):
        probe = Probe(exec=ExecAction(command=("true",)), period_seconds=5, failure_threshold=3, timeout_seconds=1)
        await node.create(pod("web", app(liveness_probe=probe), annotations={PREFIX + "fail-probe": "liveness"}))
        await node.until("web", is_ready)
        before = node.clock.monotonic()
        await node.until("web", lambda each: first(each).restart_count == 1)
        assert round(node.clock.monotonic() - before) == 10
        messages = [message for _, message in await node.events()]
        assert "Container app failed liveness probe, will be restarted" in messages
        assert "Liveness probe failed: simulated" in messages


@virtually
async def test_a_pod_is_ready_only_while_its_readiness_probe_and_gates_say_so() -> None:
    async with bench(clock()) as node:
        answers = {"readiness": False}

        class Answers:
            async def probe(self, target: Any, kind: str, handler: Any, *, timeout_s: float) -> Any:
                from kubelite.kubelet.handlers import Outcome

                return Outcome(ok=answers.get(kind, True))

        async with running(node.kubelet(probes=Answers())):
            probe = Probe(exec=ExecAction(command=("true",)), period_seconds=5, failure_threshold=1)
            await node.create(pod("web", app(readiness_probe=probe, startup_probe=probe)))
            await node.until("web", lambda each: _runs_as(0, each) and first(each).started is True)
            await node.clock.sleep(30)
            assert not is_ready(await node.get())
            answers["readiness"] = True
            await node.until("web", is_ready)
            answers["readiness"] = False
            await node.until("web", lambda each: not is_ready(each))


@virtually
async def test_readiness_gates_hold_the_pod_back() -> None:
    async with bench(clock()) as node, running(node.kubelet()):
        await node.create(pod("web", app(), readiness_gates=(PodReadinessGate(condition_type="x/y"),)))
        seen = await node.until("web", lambda each: conditions(each).get("ContainersReady") == "True")
        ready = next(each for each in seen.status.conditions if each.type == "Ready")
        assert ready.reason == "ReadinessGatesNotReady"
        assert ready.message == 'corresponding condition of pod readiness gate "x/y" does not exist.'


@virtually
async def test_a_pod_is_ended_at_its_active_deadline() -> None:
    async with bench(clock()) as node, running(node.kubelet()):
        await node.create(pod(active_deadline_seconds=60))
        await node.until("web", is_ready)
        seen = await node.until("web", lambda each: each.status.phase == "Failed", within_s=100)
        assert seen.status.reason == "DeadlineExceeded"
        assert round(node.clock.monotonic()) in range(59, 62)


@virtually
async def test_deletion_runs_pre_stop_before_the_stop_signal_within_the_grace_period() -> None:
    async with bench(clock()) as node, running(node.kubelet()):
        hook = Lifecycle(pre_stop=LifecycleHandler(sleep=SleepAction(seconds=7)))
        await node.create(pod("web", app(lifecycle=hook), annotations={PREFIX + "stop-delay": "2s"}))
        await node.until("web", is_ready)
        before = node.clock.monotonic()
        await node.delete()
        await node.until_gone()
        assert round(node.clock.monotonic() - before) == 9


@virtually
async def test_a_shorter_grace_period_counts_even_after_the_deletion_began() -> None:
    async with bench(clock()) as node, running(node.kubelet()):
        await node.create(pod(annotations={PREFIX + "stop-delay": "1000s"}, termination_grace_period_seconds=600))
        await node.until("web", is_ready)
        before = node.clock.monotonic()
        await node.delete()
        await node.clock.sleep(5)
        await node.delete(grace_s=3)
        await node.until_gone()
        assert round(node.clock.monotonic() - before) == 8


@virtually
async def test_a_dead_sandbox_is_replaced_and_its_containers_counted() -> None:
    async with bench(clock()) as node, running(node.kubelet()):
        await node.create(pod("web", app("a"), app("b")))
        await node.until("web", is_ready)
        (sandbox,) = await node.runtime.list_pod_sandboxes()
        node.simulated.kill(sandbox.id)
        seen = await node.until("web", lambda each: is_ready(each) and first(each).restart_count == 1)
        assert [each.restart_count for each in seen.status.container_statuses] == [1, 1]
        assert "SandboxChanged" in [reason for reason, _ in await node.events()]
        assert seen.status.pod_ip != sandbox.ip


@virtually
async def test_a_restarted_kubelet_adopts_what_runs() -> None:
    async with bench(clock()) as node:
        async with running(node.kubelet()):
            await node.create(pod())
            await node.create(pod("other"))
            before = await node.until("web", is_ready)
            await node.until("other", is_ready)
        (victim,) = [each for each in await node.runtime.list_containers() if each.pod_uid != before.metadata.uid]
        node.simulated.kill(victim.id, 9)
        async with running(node.kubelet()):
            seen = await node.until("other", lambda each: is_ready(each) and first(each).restart_count == 1)
            assert first(seen).last_state.terminated is not None
            after = await node.get()
            assert after.status == before.status
            assert len(await node.runtime.list_pod_sandboxes()) == 2


@virtually
async def test_what_was_deleted_meanwhile_is_removed_at_start() -> None:
    async with bench(clock()) as node:
        async with running(node.kubelet()):
            await node.create(pod())
            await node.until("web", is_ready)
        await node.delete(grace_s=0)
        await node.until_gone()
        assert len(await node.runtime.list_containers()) == 1
        async with running(node.kubelet()):
            with anyio.fail_after(10):
                while await node.runtime.list_pod_sandboxes():
                    await node.clock.sleep(0.1)


@virtually
async def test_a_failed_post_start_hook_kills_the_container() -> None:
    async with bench(clock()) as node, running(node.kubelet()):
        hook = Lifecycle(post_start=LifecycleHandler(exec=ExecAction(command=("false",))))
        await node.create(pod("web", app(lifecycle=hook)))
        await node.until("web", lambda each: bool(each.status.container_statuses) and first(each).restart_count >= 1)
        assert "FailedPostStartHook" in [reason for reason, _ in await node.events()]


@virtually
async def test_a_container_that_cannot_start_backs_off() -> None:
    async with bench(clock()) as node, running(node.kubelet()):
        await node.create(pod(annotations={PREFIX + "start-error": "no such file"}))
        seen = await node.until("web", lambda each: _reason(each) == "RunContainerError")
        waiting = first(seen).state.waiting
        assert waiting is not None
        assert waiting.message == "no such file"
        seen = await node.until("web", lambda each: _reason(each) == "CrashLoopBackOff")
        last = first(seen).last_state.terminated
        assert last is not None
        assert (last.reason, last.exit_code) == ("StartError", 128)


@virtually
async def test_a_pod_with_a_finalizer_is_ended_once_and_waits_for_it() -> None:
    async with bench(clock()) as node, running(node.kubelet()):
        held = pod()
        await node.create(replace(held, metadata=replace(held.metadata, finalizers=("x/y",))))
        await node.until("web", is_ready)
        await node.delete()
        seen = await node.until("web", lambda each: each.metadata.deletion_grace_period_seconds == 0)
        await node.clock.sleep(60)
        left = await node.get()
        assert await node.runtime.list_pod_sandboxes() == []
        assert int(left.metadata.resource_version) - int(seen.metadata.resource_version) < 10  # no endless rewriting
        await node.client.update(replace(left, metadata=replace(left.metadata, finalizers=())))
        await node.until_gone()


@virtually
async def test_a_pod_of_the_same_name_is_another_pod() -> None:
    async with bench(clock()) as node, running(node.kubelet()):
        await node.create(pod())
        old = await node.until("web", is_ready)
        await node.delete(grace_s=0)
        await node.create(pod())
        new = await node.until("web", lambda each: is_ready(each) and each.metadata.uid != old.metadata.uid)
        with anyio.fail_after(30):
            while [each.uid for each in await node.runtime.list_pod_sandboxes()] != [new.metadata.uid]:
                await node.clock.sleep(0.1)


@virtually
async def test_a_forced_image_change_restarts_only_that_container() -> None:
    async with bench(clock()) as node, running(node.kubelet()):
        await node.create(pod("web", app("a"), app("b")))
        seen = await node.until("web", is_ready)
        changed = replace(seen.spec.containers[0], image="busybox:2")
        spec = replace(seen.spec, containers=(changed, seen.spec.containers[1]))
        await node.client.update(replace(await node.get(), spec=spec))
        seen = await node.until("web", lambda each: is_ready(each) and first(each).image == "busybox:2")
        assert [each.restart_count for each in seen.status.container_statuses] == [1, 0]


@virtually
async def test_the_kubelet_survives_a_worker_that_fails() -> None:
    async with bench(clock()) as node:

        class Broken(NoStorage):
            async def prepare(self, pod: Pod, addresses: Any) -> float | None:
                if pod.metadata.name == "bad":
                    raise LookupError("a defect")
                return None

        async with running(node.kubelet(storage=Broken())):
            await node.create(pod("bad"))
            await node.create(pod("good"))
            await node.until("good", is_ready)
            await node.clock.sleep(100)
            assert (await node.get("bad")).status.phase == "Pending"


@virtually
async def test_a_volume_that_cannot_be_mounted_is_told_and_tried_again() -> None:
    async with bench(clock()) as node:

        class Slow(NoStorage):
            tries = 0

            async def prepare(self, pod: Pod, addresses: Any) -> float | None:
                self.tries += 1
                if self.tries < 4:
                    raise MountFailed('MountVolume.SetUp failed for volume "v" : not yet')
                return None

        async with running(node.kubelet(storage=Slow())):
            await node.create(pod())
            await node.until("web", is_ready)
            assert 3 < node.clock.monotonic() < 5  # 0.5 + 1 + 2 seconds
            assert ("FailedMount", 'MountVolume.SetUp failed for volume "v" : not yet') in await node.events()


@virtually
async def test_thirty_pods_need_little_of_the_kubelet() -> None:
    async with bench(clock()) as node, running(node.kubelet()):
        for number in range(30):
            await node.create(pod(f"web-{number}"))
        for number in range(30):
            await node.until(f"web-{number}", is_ready)
        assert node.clock.monotonic() < 1
