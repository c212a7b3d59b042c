"""One fixture per backend."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kubelite.actor.clock import SystemClock
from kubelite.store.etcd import EtcdStore
from kubelite.store.etcd_client import EtcdConfig
from kubelite.store.memory import MemoryStore
from kubelite.store.sqlite import SqliteStore
from kubelite.store.store import Put, Store, Txn
from tests.store.backends import Backend
from tests.store.etcd_server import Member, etcd as run_etcd


@pytest.fixture
def memory() -> Backend:
    return Backend("memory", lambda: MemoryStore(SystemClock()), "/t/", 0.02)


@pytest.fixture
def sqlite(tmp_path: Path) -> Backend:
    return Backend("sqlite", lambda: SqliteStore(tmp_path / "store.db", SystemClock()), "/t/", 0.02)


@pytest.fixture
def fork() -> Backend:
    """A branch, whose base goes on writing."""

    @asynccontextmanager
    async def branch() -> AsyncIterator[Store]:
        async with MemoryStore(SystemClock()) as base:
            await base.txn(Txn(success=(Put("/before", b""),)))
            async with base.fork() as store:
                await base.txn(Txn(success=(Put("/t/k", b"only in the base"),)))
                yield store

    return Backend("fork", branch, "/t/", 0.02)


@pytest.fixture(scope="session")
def etcd_single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Member]]:
    with run_etcd(tmp_path_factory.mktemp("etcd")) as members:
        yield members


@pytest.fixture(scope="session")
def etcd_three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Member]]:
    with run_etcd(tmp_path_factory.mktemp("etcd3"), 3) as members:
        yield members


def _on_etcd(name: str, members: list[Member], request: pytest.FixtureRequest) -> Backend:
    config = EtcdConfig(endpoints=tuple(member.endpoint for member in members))
    return Backend(name, lambda: EtcdStore(config, SystemClock()), f"/{request.node.name}/", 1)


@pytest.fixture
def etcd(etcd_single: list[Member], request: pytest.FixtureRequest) -> Backend:
    return _on_etcd("etcd", etcd_single, request)


@pytest.fixture
def etcd_cluster(etcd_three: list[Member], request: pytest.FixtureRequest) -> Backend:
    """Three members behind one balanced channel."""
    return _on_etcd("etcd_cluster", etcd_three, request)
