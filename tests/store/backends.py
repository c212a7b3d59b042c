"""The backends that the contract suite runs on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from kubelite.store.store import Store

BACKENDS = ("memory", "sqlite", "fork", "etcd", "etcd_cluster")


@dataclass(frozen=True)
class Backend:
    """`store` opens it; tests keep to keys under `prefix`."""

    name: str
    store: Callable[[], AbstractAsyncContextManager[Store]]
    prefix: str
    short_ttl_s: float
