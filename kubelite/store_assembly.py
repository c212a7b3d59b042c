"""The store put together: which backend a configuration names, and what goes with it on this host.

Part of the composition root. `make_store` starts what takes time by itself (the writer of the sqlite store), `enter_store`
waits for it. Beside the sqlite store of a daemon stands the socket where `python -m kubelite store` reaches it.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AsyncExitStack

import anyio

from kubelite.actor.clock import Clock
from kubelite.actor.log import get_logger
from kubelite.config import Config, ConfigError
from kubelite.data_dir import DataDir, HostProblem
from kubelite.store.store import Store, StoreError


def make_store(config: Config, data: DataDir | None, clock: Clock) -> AbstractAsyncContextManager[Store]:
    """The store, to be entered with `enter_store`. Raises: ConfigError, HostProblem."""
    if config.store == "memory":
        from kubelite.store.memory import MemoryStore

        return MemoryStore(clock)
    if config.store.startswith("etcd://"):
        try:
            from kubelite.store.etcd import EtcdStore
            from kubelite.store.etcd_client import EtcdConfig
        except ImportError as error:
            raise HostProblem("an etcd store needs grpcio and protobuf: pip install 'kubelite[etcd]'") from error
        try:
            return EtcdStore(EtcdConfig.parse(config.store), clock)
        except ValueError as error:
            raise ConfigError(f"bad setting: store: {error}") from error
    from kubelite.store.sqlite import SqliteStore

    assert data is not None
    store = SqliteStore(data.store, clock)
    store.spawn()
    return store


async def enter_store(
    stack: AsyncExitStack, store: AbstractAsyncContextManager[Store], data: DataDir | None, *, embedded: bool
) -> Store:
    """Opens `store` until the stack is left. Raises: HostProblem."""
    try:
        opened = await stack.enter_async_context(store)
    except StoreError as error:
        raise HostProblem(str(error)) from error
    if data is not None and not embedded:
        await _look_after(stack, opened, data)
    return opened


async def _look_after(stack: AsyncExitStack, store: Store, data: DataDir) -> None:
    """Says what was repaired, and lets an operator in."""
    from kubelite.store.control import serve
    from kubelite.store.sqlite import SqliteStore

    if not isinstance(store, SqliteStore):
        return
    if store.torn_frames:
        get_logger(__name__).warning(
            "Left out the torn tail of the log", path=str(store.path), frames=store.torn_frames, revision=store.revision
        )
    group = await stack.enter_async_context(anyio.create_task_group())
    stack.callback(group.cancel_scope.cancel)
    await group.start(serve, store, data.control)
