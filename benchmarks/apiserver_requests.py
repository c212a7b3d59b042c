"""What a request to the API server costs: GET, create and LIST of 500 over one plain connection, client included.

Needs nothing: `python -m benchmarks.apiserver_requests`.
"""

from __future__ import annotations

import asyncio
import json
import time

import anyio

from benchmarks.figures import Figure, arguments, progress, show
from kubelite.actor.clock import SystemClock
from kubelite.apiserver.admission import Admission, standard_plugins
from kubelite.apiserver.allocator import ServiceAllocator
from kubelite.apiserver.authn import Authenticator
from kubelite.apiserver.authz import RbacAuthorizer
from kubelite.apiserver.bootstrap import bootstrap
from kubelite.apiserver.http import ApiServer
from kubelite.apiserver.interface import User
from kubelite.apiserver.registry import ObjectRegistry
from kubelite.store.memory import MemoryStore

OBJECTS = 500
REQUESTS = 300
PATH = "/api/v1/namespaces/default/configmaps"
BODY = {"kind": "ConfigMap", "apiVersion": "v1", "data": {f"key-{number}": "x" * 60 for number in range(20)}}


class Connection:
    """A bare HTTP/1.1 client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, method: str, path: str, body: bytes = b"") -> None:
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        assert answer.split(b" ", 2)[1] in (b"200", b"201"), answer
        length = answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await self._reader.readexactly(int(length))


async def measure(rounds: int) -> list[Figure]:
    clock = SystemClock()
    async with MemoryStore(clock) as store, anyio.create_task_group() as tasks:
        allocator = ServiceAllocator(clock)
        registry = ObjectRegistry(store, clock, admission=Admission(standard_plugins()), allocator=allocator)
        await bootstrap(registry, service_ip=allocator.first_ip, address="192.0.2.1", port=6443)
        authenticator = Authenticator({"t": User(name="admin", groups=("system:masters",))})
        server = ApiServer(
            registry, authenticator, RbacAuthorizer(registry), lambda node: None, clock, ssl_context=None
        )
        await tasks.start(server.run)
        client = Connection(*await asyncio.open_connection("127.0.0.1", server.port))
        samples: dict[str, list[float]] = {"GET": [], "create": [], "LIST of 500": []}
        made = 0
        for number in range(rounds):
            progress(f"round {number + 1} of {rounds}")
            count = OBJECTS if not made else REQUESTS
            bodies = [json.dumps({**BODY, "metadata": {"name": f"c-{made + at}"}}).encode() for at in range(count)]
            begun = time.perf_counter()
            for body in bodies:
                await client.ask("POST", PATH, body)
            samples["create"].append((time.perf_counter() - begun) / count * 1e6)
            made += count
            begun = time.perf_counter()
            for at in range(REQUESTS):
                await client.ask("GET", f"{PATH}/c-{at}")
            samples["GET"].append((time.perf_counter() - begun) / REQUESTS * 1e6)
            begun = time.perf_counter()
            await client.ask("GET", f"{PATH}?limit={OBJECTS}")
            samples["LIST of 500"].append((time.perf_counter() - begun) * 1e6)
        tasks.cancel_scope.cancel()
    return [Figure(name, "us", tuple(found)) for name, found in samples.items()]


def main() -> None:
    options = arguments(__doc__ or "", rounds=7).parse_args()
    show(asyncio.run(measure(options.rounds)), as_json=options.json)


if __name__ == "__main__":
    main()
