"""What only a shared store has: several servers on it, members that die, addresses."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from kubelite.actor.clock import SystemClock
from kubelite.store.etcd import EtcdStore
from kubelite.store.etcd_client import EtcdConfig
from kubelite.store.store import Compare, Put, Txn, Unavailable
from tests.store.etcd_server import Member, etcd
from tests.store.sinks import Recorder


def opened(members: list[Member]) -> EtcdStore:
    return EtcdStore(EtcdConfig(endpoints=tuple(member.endpoint for member in members)), SystemClock())


async def test_two_servers_see_one_store(etcd_single: list[Member]) -> None:
    async with opened(etcd_single) as one, opened(etcd_single) as other:
        sink = Recorder()
        other.watch("/shared/", "/shared0", sink)
        written = await one.txn(Txn(success=(Put("/shared/k", b"1"),)))
        await other.reached(written.revision)
        await sink.until(written.revision)
        assert (await other.range("/shared/k")).records[0].value == b"1"
        taken = Compare("/shared/k", "mod_revision", "=", 0)
        assert not (await other.txn(Txn((taken,), (Put("/shared/k", b"2"),)))).succeeded


async def test_a_member_may_die_and_return_under_load(tmp_path: Path) -> None:
    """Every acknowledged increment is there, and the watch misses and repeats nothing."""
    with etcd(tmp_path, 3) as members:
        async with opened(members) as store:
            sink = Recorder()
            start = (await store.txn(Txn(success=(Put("/n", b"0"),)))).revision
            store.watch("/n", None, sink, start_revision=start)
            done = acknowledged = unknown = 0

            async def increment() -> None:
                nonlocal acknowledged, unknown
                while not done:
                    try:
                        record = (await store.range("/n")).records[0]
                        unchanged = Compare("/n", "mod_revision", "=", record.mod_revision)
                        value = b"%d" % (int(record.value) + 1)
                        if (await store.txn(Txn((unchanged,), (Put("/n", value),)))).succeeded:
                            acknowledged += 1
                    except Unavailable:
                        unknown += 1
                        await anyio.lowlevel.checkpoint()

            async with anyio.create_task_group() as tasks:
                for _ in range(4):
                    tasks.start_soon(increment)
                for victim in (members[0], members[1]):
                    await sink.until(sink.revision + 50)
                    victim.kill()
                    await sink.until(sink.revision + 50)
                    victim.start()
                    await sink.until(sink.revision + 50)
                done = 1
            final = (await store.range("/n")).records[0]
            await sink.until(final.mod_revision)
            assert acknowledged <= int(final.value) <= acknowledged + unknown
            assert [event.revision for event in sink.events] == list(range(start, final.mod_revision + 1))
            assert [int(event.record.value) for event in sink.events if event.record] == list(
                range(int(final.value) + 1)
            )


@pytest.mark.parametrize(
    "url", ["etcd://host", "http://host:1", "etcd://host:1/path", "etcd://host:1?token=x", "etcd://host:1,other"]
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="not an etcd URL"):
        EtcdConfig.parse(url)


def test_an_address_names_members_credentials_and_certificates() -> None:
    config = EtcdConfig.parse("etcd://me:p%40ss@a:1,b:2?ca=/ca.crt&cert=/c.crt&key=/c.key")
    assert (config.endpoints, config.user, config.password) == (("a:1", "b:2"), "me", "p@ss")
    assert (config.ca_file, config.cert_file, config.key_file) == ("/ca.crt", "/c.crt", "/c.key")
