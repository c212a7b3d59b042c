"""Calls on the engine's containers, with what they mean when a container is gone, paused, or there already.

Used by `docker` alone. Source: https://docs.docker.com/reference/api/engine/ (containers), upstream's dockershim (conflicts)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping

import anyio

from kubelite.actor.clock import Clock
from kubelite.actor.log import get_logger
from kubelite.kubelet import docker_state as found
from kubelite.kubelet.docker_client import REQUEST_DEADLINE_S, EngineClient, Refused, filters
from kubelite.kubelet.runtime import RuntimeFailed

_NOT_FOUND, _CONFLICT = 404, 409
#: Between tries to take over the name of a creation that was cut off.
_CUT_OFF_DELAYS_S = (0.0, 0.02, 0.1, 0.5)


class EngineContainers:
    def __init__(self, client: EngineClient, instance: str, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._instance = instance
        self._inspections = anyio.CapacityLimiter(16)
        self._log = get_logger("kubelet.docker")

    async def create(self, name: str, request: dict[str, object], *, reason: str) -> str:
        """The id. A namesake that never ran is the trace of a crash between create and its answer: it is replaced."""

        async def attempt() -> str:
            params = {"name": name}
            answer = await self._client.request(
                "POST", "containers/create", reason=reason, answer=found.Created, params=params, body=request
            )
            return answer.id

        for delay_s in _CUT_OFF_DELAYS_S:
            try:
                return await attempt()
            except Refused as error:
                if error.status != _CONFLICT:
                    raise
                await self._remove_namesake(name, error, reason=reason)
            await self._clock.sleep(delay_s)
        return await attempt()

    async def _remove_namesake(self, name: str, conflict: Refused, *, reason: str) -> None:
        """Raises: `conflict` when the namesake runs."""
        try:
            namesake = await self.inspect(name, reason=reason)
        except Refused as error:
            if error.status != _NOT_FOUND:
                raise
            return  # a creation that was cut off: the engine still has it in hand, and tells nobody when it is done
        if namesake.state.running:
            raise conflict
        await self.remove(namesake.id)

    async def post(
        self,
        container_id: str,
        verb: str,
        *,
        reason: str,
        params: Mapping[str, str] | None = None,
        body: object = None,
        deadline_s: float = REQUEST_DEADLINE_S,
    ) -> None:
        path = f"containers/{container_id}/{verb}"
        await self._client.request("POST", path, reason=reason, params=params, body=body, deadline_s=deadline_s)

    async def kill(self, container_id: str, *, reason: str) -> None:
        await self.end(container_id, "kill", reason=reason, params={"signal": "KILL"}, deadline_s=REQUEST_DEADLINE_S)

    async def end(
        self, container_id: str, verb: str, *, reason: str, params: Mapping[str, str], deadline_s: float
    ) -> None:
        """Stops or kills; what is dead or gone already is no error, and what is paused is thawed first."""
        try:
            await self.post(container_id, verb, reason=reason, params=params, deadline_s=deadline_s)
        except Refused as error:
            inspected = await self.inspect_if_present(container_id)
            if inspected is None or not (inspected.state.running or inspected.state.paused):
                return
            if not inspected.state.paused:
                raise
            self._log.info("Unpausing a container in order to stop it", containerID=container_id, err=error.message)
            await self.post(container_id, "unpause", reason=reason)
            await self.post(container_id, verb, reason=reason, params=params, deadline_s=deadline_s)

    async def ids(self, *, label: str, pod_uid: str = "", alive: bool = False) -> list[str]:
        """With `alive` only of those that run or are paused."""
        labels = [f"{found.INSTANCE}={self._instance}", label]
        if pod_uid:
            labels.append(f"{found.POD_UID}={pod_uid}")
        params = {"all": "0" if alive else "1", "filters": filters(label=labels)}
        answer = await self._client.request(
            "GET", "containers/json", reason="ListError", answer=list[found.Summary], params=params
        )
        return [summary.id for summary in answer]

    async def inspect(self, container_id: str, *, reason: str, sizes: bool = False) -> found.Inspected:
        """With `sizes` the engine walks the container's files."""
        path, params = f"containers/{container_id}/json", {"size": "1"} if sizes else None
        return await self._client.request("GET", path, reason=reason, answer=found.Inspected, params=params)

    async def inspect_if_present(self, container_id: str) -> found.Inspected | None:
        try:
            return await self.inspect(container_id, reason="ContainerStatusError")
        except Refused as error:
            if error.status != _NOT_FOUND:
                raise
            return None

    async def inspect_all(self, container_ids: Iterable[str]) -> list[found.Inspected]:
        """In the given order, without those that were removed meanwhile."""
        ids = list(container_ids)
        answers: dict[str, found.Inspected] = {}

        async def inspect(container_id: str) -> None:
            async with self._inspections:
                if answer := await self.inspect_if_present(container_id):
                    answers[container_id] = answer

        await for_each(ids, inspect)
        return [answers[container_id] for container_id in ids if container_id in answers]

    async def remove(self, container_id: str) -> None:
        """Kills it if need be; its anonymous volumes go with it."""
        try:
            await self._client.request(
                "DELETE", f"containers/{container_id}", reason="RemoveContainerError", params={"force": "1", "v": "1"}
            )
        except Refused as error:
            if error.status not in (_NOT_FOUND, _CONFLICT):  # conflict: another removal is under way
                raise


async def for_each(ids: Iterable[str], call: Callable[[str], Awaitable[None]]) -> None:
    """All at once. Raises: the first failure, after all have ended."""
    failures: list[RuntimeFailed] = []

    async def one(container_id: str) -> None:
        try:
            await call(container_id)
        except RuntimeFailed as error:
            failures.append(error)

    async with anyio.create_task_group() as group:
        for container_id in ids:
            group.start_soon(one, container_id)
    if failures:
        raise failures[0]
