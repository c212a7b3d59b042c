"""Two API servers on one store: whatever they do at once, no address or port has two Services, and none is left behind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import anyio.lowlevel
from hypothesis import given, settings, strategies as st

from kubelite.actor.clock import SeededClock
from kubelite.api import codec, core_v1 as core, errors, networking_v1 as networking
from kubelite.api.meta import ObjectMeta
from kubelite.api.service_addresses import addresses_of
from kubelite.apiserver.allocator import IP_ADDRESSES, NODE_PORTS, ServiceAllocator
from kubelite.apiserver.bootstrap import bootstrap
from kubelite.apiserver.local import LocalClient
from kubelite.apiserver.plugins import standard_admission
from kubelite.apiserver.registry import ObjectRegistry
from kubelite.store.memory import MemoryStore
from kubelite.store.store import Range, Txn, TxnResult, prefix_end

CIDR = "10.96.0.0/29"
PORTS = (30000, 30003)
SERVICES = "/registry/services/"
TYPES = ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName", "None")
NAMES = st.sampled_from("abcdef")
SPECS = st.fixed_dictionaries(
    {"type": st.sampled_from(TYPES)},
    optional={"ip": st.integers(2, 4), "port": st.integers(30000, 30001)},
)
STEPS = st.lists(
    st.tuples(st.sampled_from(["create", "create", "update", "delete"]), NAMES, SPECS), min_size=6, max_size=12
)


class FarStore(MemoryStore):
    """Others go on while one asks, as with a store behind a network."""

    async def range(
        self, key: str, end: str | None = None, *, revision: int = 0, limit: int = 0, keys_only: bool = False
    ) -> Range:
        await anyio.lowlevel.checkpoint()
        return await super().range(key, end, revision=revision, limit=limit, keys_only=keys_only)

    async def txn(self, txn: Txn) -> TxnResult:
        await anyio.lowlevel.checkpoint()
        return await super().txn(txn)


def wanted(name: str, choice: dict[str, Any]) -> core.Service:
    type_ = choice["type"]
    is_local, is_open = type_ == "LoadBalancer", type_ in ("LoadBalancer", "NodePort")
    spec = core.ServiceSpec(
        type="ClusterIP" if type_ == "None" else type_,
        ports=(core.ServicePort(port=80, node_port=choice.get("port", 0) if is_open else 0),),
        cluster_ip="None" if type_ == "None" else f"10.96.0.{choice['ip']}" if "ip" in choice else "",
        external_name="example.com" if type_ == "ExternalName" else "",
        external_traffic_policy="Local" if is_local else "",
    )
    return core.Service(metadata=ObjectMeta(name=name, namespace="default"), spec=spec)


async def run(client: LocalClient, steps: Sequence[tuple[str, str, dict[str, Any]]]) -> None:
    for action, name, choice in steps:
        try:
            match action:
                case "create":
                    await client.create(wanted(name, choice))
                case "update":
                    await client.update(wanted(name, choice))
                case _:
                    await client.delete(core.Service, name, "default")
        except errors.InternalError as error:
            assert "range is full" in error.message
        except (errors.Invalid, errors.AlreadyExists, errors.NotFound, errors.Conflict):
            continue


async def check(store: MemoryStore, revision: int) -> None:
    """What Services have is what is taken, and by them."""
    services = await store.range(SERVICES, prefix_end(SERVICES), revision=revision)
    had = [codec.decode_stored(core.Service, record.value, record.mod_revision) for record in services.records]
    mine = {address: service.metadata.name for service in had for address in addresses_of(service)}
    assert len(mine) == sum(len(list(addresses_of(service))) for service in had)
    objects = await store.range(IP_ADDRESSES.prefix, prefix_end(IP_ADDRESSES.prefix), revision=revision)
    taken = [codec.decode_stored(networking.IPAddress, each.value, each.mod_revision) for each in objects.records]
    assert {each.metadata.name: each.spec.parent_ref.name for each in taken if each.spec.parent_ref} == mine
    used: dict[int, str] = {}
    for service in had:
        numbers = {port.node_port for port in service.spec.ports} | {service.spec.health_check_node_port}
        for number in numbers - {0}:
            assert number not in used
            used[number] = f"default/{service.metadata.name}"
    keys = await store.range(NODE_PORTS, prefix_end(NODE_PORTS), revision=revision)
    assert {int(record.key.removeprefix(NODE_PORTS)): record.value.decode() for record in keys.records} == used


@given(one=STEPS, other=STEPS, third=STEPS, seed=st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_at_no_revision_has_anything_two_owners_or_none(one: Any, other: Any, third: Any, seed: int) -> None:
    async def story() -> None:
        clock = SeededClock(seed)
        async with FarStore(clock) as store:
            clients = []
            for _ in range(2):
                allocator = ServiceAllocator(clock, cidr=CIDR, node_ports=PORTS)
                registry = ObjectRegistry(store, clock, admission=standard_admission(clock), allocator=allocator)
                await bootstrap(registry, service_cidr=CIDR, address="192.0.2.1", port=6443)
                clients.append(LocalClient(registry))
            start = store.revision
            async with anyio.create_task_group() as group:
                group.start_soon(run, clients[0], one)
                group.start_soon(run, clients[1], other)
                group.start_soon(run, clients[1], third)
            for revision in range(start, store.revision + 1):
                await check(store, revision)

    anyio.run(story)
