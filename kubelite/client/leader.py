"""Who of several servers on one store runs a component: the holder of its Lease.

`compute_claim` decides, **pure**: what to write into the Lease, if anything, and when to look again. The actor carries it out
and runs the component while the Lease is ours. Clocks of different hosts are never compared: a Lease is stale when its content
has not changed for its duration of *our* time. Who cannot renew in time stops before somebody else may begin.

Source: client-go tools/leaderelection (algorithm, durations); the Leases' names are those of upstream's components
"""

from __future__ import annotations

from collections.abc import Callable

import anyio
import msgspec
from anyio.abc import TaskStatus
from msgspec.structs import replace

from kubelite.actor.actor import Actor
from kubelite.actor.clock import Clock
from kubelite.actor.log import get_logger
from kubelite.api.coordination_v1 import Lease, LeaseSpec
from kubelite.api.errors import AlreadyExists, Conflict, NotFound, StatusError
from kubelite.api.meta import ObjectMeta
from kubelite.api.timestamp import rfc3339_micro
from kubelite.client.interface import Client

LEASE_DURATION_S = 15.0
RENEW_DEADLINE_S = 10.0
RETRY_S = 2.0
RELEASE_TIMEOUT_S = 1.0
NAMESPACE = "kube-system"

log = get_logger(__name__)


class Seen(msgspec.Struct, frozen=True):
    """A Lease's content, and when (seconds of our monotonic time) we first saw it so."""

    spec: LeaseSpec | None
    at: float


def observe(seen: Seen | None, lease: Lease | None, monotonic: float) -> Seen:
    """What is known after reading `lease`."""
    spec = lease.spec if lease else None
    return seen if seen is not None and seen.spec == spec else Seen(spec, monotonic)


def compute_claim(seen: Seen, me: str, *, now: float, monotonic: float) -> LeaseSpec | None:
    """What `me` should write; None while somebody else holds the Lease.

    >>> compute_claim(Seen(None, 0), "a", now=1, monotonic=0).holder_identity
    'a'
    >>> held = LeaseSpec(holder_identity="b", lease_duration_seconds=15)
    >>> compute_claim(Seen(held, 0), "a", now=1, monotonic=14.9) is None
    True
    >>> compute_claim(Seen(held, 0), "a", now=1, monotonic=15).lease_transitions
    1
    """
    time = rfc3339_micro(now)
    spec = seen.spec or LeaseSpec()
    if spec.holder_identity == me:
        return replace(spec, renew_time=time)
    duration_s = spec.lease_duration_seconds or 0
    if spec.holder_identity and monotonic < seen.at + duration_s:
        return None
    return LeaseSpec(
        holder_identity=me,
        lease_duration_seconds=int(LEASE_DURATION_S),
        acquire_time=time,
        renew_time=time,
        lease_transitions=(spec.lease_transitions or 0) + (seen.spec is not None),
    )


class Leader:
    """Runs a component, made anew each time, while the Lease `name` is ours. Started at once: waiting is a way to run."""

    def __init__(
        self, name: str, component: Callable[[], Actor], client: Client, clock: Clock, *, identity: str
    ) -> None:
        self.name = f"leader/{name}"
        self._lease = name
        self._component = component
        self._client = client
        self._clock = clock
        self._me = identity
        self._seen: Seen | None = None
        self._renewed = 0.0  # when the newest claim that was written was made

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        while True:
            while not await self._claim():
                await self._clock.sleep(RETRY_S)
            log.info("Became leader", lease=self._lease, identity=self._me)
            try:
                async with anyio.create_task_group() as group:
                    await group.start(self._component().run)
                    await self._hold()
                    group.cancel_scope.cancel()
            finally:
                with anyio.CancelScope(shield=True), anyio.move_on_after(RELEASE_TIMEOUT_S):
                    await self._release()
            log.warning("Lost the leadership", lease=self._lease, identity=self._me)

    async def _hold(self) -> None:
        """Renews; returns when the Lease is somebody else's, or may be soon."""
        while True:
            await self._clock.sleep(RETRY_S)
            left_s = self._renewed + RENEW_DEADLINE_S - self._clock.monotonic()
            ours: bool | None = None
            with anyio.move_on_after(max(left_s, 0)):
                ours = await self._claim()
            overdue = self._clock.monotonic() >= self._renewed + RENEW_DEADLINE_S
            held_by = self._seen.spec.holder_identity if self._seen and self._seen.spec else None
            if overdue or (not ours and held_by != self._me):
                return

    async def _claim(self) -> bool:
        """Takes or renews the Lease; whether that was written."""
        began = self._clock.monotonic()
        try:
            lease = await self._read()
            self._seen = observe(self._seen, lease, self._clock.monotonic())
            spec = compute_claim(self._seen, self._me, now=self._clock.now(), monotonic=self._clock.monotonic())
            if spec is None:
                return False
            await self._write(lease, spec)
        except (Conflict, AlreadyExists):
            return False  # somebody was faster
        except StatusError as error:
            log.warning("Could not claim the lease", lease=self._lease, error=str(error))
            return False
        self._renewed = began
        return True

    async def _read(self) -> Lease | None:
        try:
            return await self._client.get(Lease, self._lease, NAMESPACE)
        except NotFound:
            return None

    async def _write(self, lease: Lease | None, spec: LeaseSpec) -> None:
        if lease is None:
            lease = await self._client.create(
                Lease(metadata=ObjectMeta(name=self._lease, namespace=NAMESPACE), spec=spec)
            )
        else:
            lease = await self._client.update(replace(lease, spec=spec))
        self._seen = Seen(lease.spec, self._clock.monotonic())

    async def _release(self) -> None:
        """Lets the next one begin at once."""
        try:
            lease = await self._read()
            if lease is not None and lease.spec.holder_identity == self._me:
                await self._write(lease, replace(lease.spec, holder_identity="", lease_duration_seconds=1))
        except StatusError as error:
            log.warning("Could not release the lease", lease=self._lease, error=str(error))
