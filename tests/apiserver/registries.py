"""A registry over a memory store, bootstrapped, for the tests of this room."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from kubelite.actor.clock import SeededClock
from kubelite.api import core_v1 as core
from kubelite.api.meta import ObjectMeta
from kubelite.apiserver.allocator import ServiceAllocator
from kubelite.apiserver.bootstrap import bootstrap
from kubelite.apiserver.interface import Change, Context, User
from kubelite.apiserver.local import LocalClient
from kubelite.apiserver.plugins import standard_admission
from kubelite.apiserver.registry import ObjectRegistry
from kubelite.store.memory import MemoryStore

ADMIN = Context(user=User(name="admin", groups=("system:masters",)))


class Cluster:
    """What a test reaches into."""

    def __init__(self, registry: ObjectRegistry, client: LocalClient) -> None:
        self.registry = registry
        self.client = client
        self.scheme = registry.scheme
        self.store = registry.store


@asynccontextmanager
async def cluster() -> AsyncIterator[Cluster]:
    clock = SeededClock(7)
    async with MemoryStore(clock) as store:
        allocator = ServiceAllocator(clock, cidr="10.96.0.0/24", node_ports=(30000, 30063))
        registry = ObjectRegistry(store, clock, admission=standard_admission(clock), allocator=allocator)
        await bootstrap(registry, service_cidr="10.96.0.0/24", address="192.0.2.1", port=6443)
        client = LocalClient(registry)
        await client.create(core.ServiceAccount(metadata=ObjectMeta(name="default", namespace="default")))
        yield Cluster(registry, client)


class Sink:
    """Collects what a watch delivers."""

    def __init__(self) -> None:
        self.deliveries: list[list[Change]] = []
        self.error: Exception | None = None

    def deliver(self, changes: Any, revision: int) -> None:
        self.deliveries.append(list(changes))

    def lost(self, error: Exception) -> None:
        self.error = error

    @property
    def seen(self) -> list[tuple[str, str]]:
        """(type, name) of every change."""
        return [(change.type, change.entry.object.metadata.name) for batch in self.deliveries for change in batch]


def pod(name: str = "web", *, node: str = "", **labels: str) -> core.Pod:
    return core.Pod(
        metadata=ObjectMeta(name=name, namespace="default", labels=labels),
        spec=core.PodSpec(containers=(core.Container(name="app", image="app:1"),), node_name=node),
    )


def config(name: str = "settings", **data: str) -> core.ConfigMap:
    return core.ConfigMap(metadata=ObjectMeta(name=name, namespace="default"), data=data)


def service(name: str = "web", **spec: Any) -> core.Service:
    ports = (core.ServicePort(port=80),)
    return core.Service(
        metadata=ObjectMeta(name=name, namespace="default"), spec=core.ServiceSpec(**{"ports": ports, **spec})
    )
