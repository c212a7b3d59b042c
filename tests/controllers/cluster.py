"""A naive cluster for tests: plans change a dict of objects at once, changes wake controllers, pods get ready by a rule."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from kubelite.api.apps_v1 import Deployment
from kubelite.api.core_v1 import ObjectReference, Pod, PodCondition
from kubelite.api.errors import Conflict
from kubelite.api.meta import Object
from kubelite.api.timestamp import rfc3339
from kubelite.client.cache import Cache
from kubelite.client.plan import Bind, Create, Delete, Patch, Plan, Update, Write
from kubelite.client.view import Controller
from kubelite.controllers import INDEXES

O = TypeVar("O", bound=Object)  # noqa: E741
START = 1_700_000_000.0


class Cluster:
    def __init__(self, *controllers: Controller, indexes: dict[Any, Any] | None = None) -> None:
        self.view = Cache({**INDEXES, **(indexes or {})})
        self.now = START
        self.revision = 0
        self.events: list[tuple[str, str]] = []  #: (reason, message)
        self.plans: list[Plan] = []
        self.controllers = controllers
        self.at_every_revision: Callable[[], None] = lambda: None
        self.refuse_after: int | None = None  #: so many writes succeed before one is refused, once
        self._queue: deque[tuple[Controller, str]] = deque()
        self._due: dict[tuple[Controller, str], float] = {}

    # The API

    def put(self, obj: O) -> O:
        """Creates or replaces, as a user."""
        meta = obj.metadata
        old = self.view.get(type(obj), meta.name, meta.namespace)
        return self._store(obj, old)

    def _store(self, obj: O, old: O | None) -> O:
        self.revision += 1
        meta = obj.metadata
        name = meta.name or f"{meta.generate_name}{self.revision}"
        generation = meta.generation or 1
        if old is not None and getattr(old, "spec", None) != getattr(obj, "spec", None):
            generation = old.metadata.generation + 1
        obj = replace(
            obj,
            metadata=replace(
                meta,
                name=name,
                uid=meta.uid or f"uid-{self.revision:06}",
                resource_version=str(self.revision),
                generation=generation,
                creation_timestamp=meta.creation_timestamp or rfc3339(self.now),
            ),
        )
        self.view.put(obj)
        self._changed(old, obj)
        return obj

    def remove(self, obj: Object) -> None:
        """Ends the object, as a kubelet or the server does once nothing holds it."""
        if self.view.remove(obj) is not None:
            self.revision += 1
            self._changed(obj, None)

    def delete(self, obj: Object) -> None:
        """Starts the deletion; pods that run, and objects with finalizers, take a while."""
        running = isinstance(obj, Pod) and obj.spec.node_name and obj.status.phase not in ("Succeeded", "Failed")
        if obj.metadata.finalizers or running:
            if not obj.metadata.deletion_timestamp:
                self.put(replace(obj, metadata=replace(obj.metadata, deletion_timestamp=rfc3339(self.now))))
        else:
            self.remove(obj)

    def _changed(self, old: Any, new: Any) -> None:
        for controller in self.controllers:
            for watch in controller.watches:
                if watch.type is type(old if old is not None else new):
                    self._wake(controller, watch.keys(self.view, old, new))
        self.at_every_revision()

    def restart(self, *controllers: Controller) -> None:
        """Nothing is left but what is stored: new controllers see it in the order in which kinds happen to arrive."""
        self.controllers = controllers
        self._queue.clear()
        self._due.clear()
        for controller in controllers:
            for watch in controller.watches:
                for obj in self.view.list(watch.type):
                    self._wake(controller, watch.keys(self.view, None, obj))

    def _wake(self, controller: Controller, keys: Iterable[str]) -> None:
        for key in keys:
            if (controller, key) not in self._queue:
                self._queue.append((controller, key))

    # Carrying out plans

    def carry_out(self, plan: Plan) -> None:
        for write in plan.writes:
            self._write(write)
        self.events += [(report.reason, report.message) for report in plan.reports]

    def _write(self, write: Write) -> None:
        if self.refuse_after is not None:
            self.refuse_after -= 1
            if self.refuse_after < 0:
                self.refuse_after = None
                raise Conflict("refused by the test")
        match write:
            case Create():
                meta = write.obj.metadata
                if meta.name and self.view.get(type(write.obj), meta.name, meta.namespace) is not None:
                    raise Conflict(f"{meta.name} already exists")
                made = self._store(write.obj, None)
                if write.report:
                    message = write.report.message.replace("{name}", made.metadata.name)
                    self.events.append((write.report.reason, message))
            case Update():
                old = self._current(write.obj)
                if write.subresource in ("status", "approval"):
                    merged: Any = replace(old, status=write.obj.status)  # type: ignore[attr-defined]
                    if isinstance(old, Deployment):
                        meta = replace(old.metadata, annotations=write.obj.metadata.annotations)
                        merged = replace(merged, metadata=meta)
                else:
                    merged = write.obj
                    if hasattr(old, "status") and write.subresource != "finalize":
                        merged = replace(merged, status=old.status)
                done = self._store(merged, old)
                if done.metadata.deletion_timestamp and not done.metadata.finalizers and not isinstance(done, Pod):
                    spec = getattr(done, "spec", None)
                    if not getattr(spec, "finalizers", ()):
                        self.remove(done)
            case Patch():
                before = self.view.get(write.type, write.name, write.namespace)
                if before is not None:
                    patch = _without_guards(write.patch)
                    done = self._store(msgspec.convert(_merged(msgspec.to_builtins(before), patch), write.type), before)
                    if done.metadata.deletion_timestamp and not done.metadata.finalizers and not isinstance(done, Pod):
                        self.remove(done)
            case Delete():
                doomed = self.view.get(write.type, write.name, write.namespace)
                if doomed is not None and write.uid in ("", doomed.metadata.uid):
                    if write.propagation_policy == "Foreground":
                        finalizers = (*doomed.metadata.finalizers, "foregroundDeletion")
                        doomed = self.put(replace(doomed, metadata=replace(doomed.metadata, finalizers=finalizers)))
                    self.delete(doomed) if write.grace_period_seconds != 0 else self.remove(doomed)
            case Bind():
                meta = write.binding.metadata
                pod = self.view.get(Pod, meta.name, meta.namespace)
                assert pod is not None
                target: ObjectReference = write.binding.target
                self._store(replace(pod, spec=replace(pod.spec, node_name=target.name)), pod)

    def _current(self, obj: O) -> O:
        old = self.view.get(type(obj), obj.metadata.name, obj.metadata.namespace)
        assert old is not None, f"updated {obj.metadata.name}, which is gone"
        if old.metadata.resource_version != obj.metadata.resource_version:
            raise Conflict(f"{obj.metadata.name} was changed")
        return old

    # Time

    def step(self) -> bool:
        """Decides one key; whether there was one."""
        if not self._queue:
            return False
        controller, key = self._queue.popleft()
        plan = controller.decide(self.view, key, self.now)
        self.plans.append(plan)
        try:
            self.carry_out(plan)
        except Conflict:
            self._queue.append((controller, key))
        self._due.pop((controller, key), None)
        if plan.requeue_after_s is not None:
            self._due[controller, key] = self.now + plan.requeue_after_s
        return True

    def settle(self, after_step: Callable[[], None] = lambda: None) -> int:
        """Decides until nothing is left to do now; how many decisions it took."""
        count = 0
        while self.step():
            after_step()
            count += 1
            assert count < 5000, "decisions never end"
        return count

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        for (controller, key), due in list(self._due.items()):
            if due <= self.now:
                del self._due[controller, key]
                self._wake(controller, (key,))

    def wait_for_due(self, at_most_s: float = 2000.0) -> bool:
        """Lets time pass until something is due, if that is soon; whether anything was."""
        if not self._due or min(self._due.values()) - self.now > at_most_s:
            return False
        self.pass_time(max(0.0, min(self._due.values()) - self.now))
        return True

    def advance(self, seconds: float) -> None:
        """Lets time pass; what is due is decided."""
        self.pass_time(seconds)
        self.settle()

    # The kubelet's part

    def run_pod(self, pod: Pod, *, ready: bool = True, node: str = "node-1") -> Pod:
        at = rfc3339(self.now)
        ready_condition = PodCondition(type="Ready", status="True" if ready else "False", last_transition_time=at)
        ip = pod.status.pod_ip or f"10.1.0.{self.revision % 250 + 1}"
        others = tuple(c for c in pod.status.conditions if c.type != "Ready")
        status = replace(pod.status, phase="Running", pod_ip=ip, conditions=(*others, ready_condition))
        return self.put(replace(pod, spec=replace(pod.spec, node_name=pod.spec.node_name or node), status=status))

    def run_pods(self, chosen: Callable[[Pod], bool] = lambda pod: True) -> int:
        """Ends what is being deleted and makes all other chosen pods ready; how many changed."""
        count = 0
        for pod in self.view.list(Pod):
            if pod.metadata.deletion_timestamp:
                self.remove(pod)
            elif pod.status.phase in ("", "Pending") and chosen(pod):
                self.run_pod(pod)
            else:
                continue
            count += 1
        return count

    def converge(self) -> None:
        """Lets controllers and kubelet work until both rest."""
        for _ in range(200):
            self.settle()
            if not self.run_pods():
                return
        raise AssertionError("never rests")


def _without_guards(patch: dict[str, Any]) -> dict[str, Any]:
    meta = {k: v for k, v in patch.get("metadata", {}).items() if k not in ("uid", "resourceVersion")}
    return {**patch, "metadata": meta}


def _merged(old: Any, patch: Any) -> Any:
    if not isinstance(patch, dict) or not isinstance(old, dict):
        return patch
    result = dict(old)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key, {}) if isinstance(value, dict) else None, value)
    return result
