"""The store's door: read this file first.

A store is one ordered history of revisions over a flat map from string keys to bytes, and the bus that tells everybody about
it. Two facts carry the whole house:

* **One commit point.** A transaction becomes visible, is appended to the window of recent events and wakes its watchers
  only after it is durable; so nobody ever sees what a crash then takes back, and order of delivery is order of commit.
* **A watcher is a cursor.** Watchers share one window of recent events; a slow one falls off its end and is told so
  (`Compacted`), and costs the writer and its neighbours nothing.

The semantics are those of etcd v3, with their boundary cases:

* One 64-bit revision for the whole store, contiguous from 1; a transaction with at least one effective write takes exactly
  one revision, one without any takes none. Deleting an absent key is no effective write.
* A record knows the revision that created it, the one that modified it last, and its version (1 at creation; a deletion
  ends the count).
* A read at revision 0 is a read of now; at a retained past revision it answers as it would have then; before the compact
  revision it raises `Compacted` (reading *at* the compact revision still works); after the current one, `Future`.
* A watch from revision R delivers every event with revision >= R (0: only what comes after now), each once, in order, and
  never part of a revision; R at or below the compact revision raises `Compacted`.

Who may call: `apiserver/` and the composition root. The store knows nothing of Kubernetes.
Source: https://etcd.io/docs/v3.5/learning/api/
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import msgspec


class Record(msgspec.Struct, frozen=True, gc=False):
    """A key's value at a revision. Shared by all readers; `value` is never changed."""

    key: str
    value: bytes
    create_revision: int
    mod_revision: int
    version: int
    lease: int = 0
    cause: str = ""  #: who wrote it and why, an opaque text (see apiserver/registry)


class Event(msgspec.Struct, frozen=True, gc=False):
    """What a revision did to one key. `record` is None for a deletion; `prev` is None for a creation."""

    revision: int
    key: str
    record: Record | None
    prev: Record | None
    cause: str = ""


class Compare(msgspec.Struct, frozen=True, gc=False):
    """One condition of a transaction. An absent key compares as version, create and mod revision 0 and has no value.

    Example: "the key is absent" is `Compare("k", "mod_revision", "=", 0)`.
    """

    key: str
    target: Literal["mod_revision", "create_revision", "version", "value"]
    op: Literal["=", "!=", "<", ">"]
    operand: int | bytes


class Put(msgspec.Struct, frozen=True, gc=False):
    key: str
    value: bytes
    lease: int = 0


class Delete(msgspec.Struct, frozen=True, gc=False):
    """Delete `key`, or with `end` the interval [key, end)."""

    key: str
    end: str | None = None


class Get(msgspec.Struct, frozen=True, gc=False):
    """Read [key, end) (only `key` if `end` is None) within a transaction; `limit` 0 is no limit."""

    key: str
    end: str | None = None
    limit: int = 0


Op = Put | Delete | Get


class Range(msgspec.Struct, frozen=True):
    """Records in key order as of `revision`. `count` is how many keys the interval holds in all; `more` when `limit` cut."""

    records: tuple[Record, ...]
    revision: int
    count: int
    more: bool = False


class Txn(msgspec.Struct, frozen=True):
    """If all of `compare` hold, run `success`, else `failure`. One transaction must not write a key twice."""

    compare: tuple[Compare, ...] = ()
    success: tuple[Op, ...] = ()
    failure: tuple[Op, ...] = ()
    cause: str = ""


class TxnResult(msgspec.Struct, frozen=True):
    """`revision` is the store's revision after the transaction; `results` has one entry per operation that ran:

    a Range for Get; for Put the record written, as a Range of one; for Delete the records deleted, as a Range.
    """

    succeeded: bool
    revision: int
    results: tuple[Range, ...]


class StoreError(Exception):
    """The store could not do what was asked."""


class Compacted(StoreError):
    """The revision asked for is no longer retained."""

    def __init__(self, compact_revision: int) -> None:
        super().__init__(f"required revision has been compacted; the oldest retained is {compact_revision}")
        self.compact_revision = compact_revision


class Future(StoreError):
    """The revision asked for does not exist yet."""

    def __init__(self, revision: int) -> None:
        super().__init__(f"required revision is a future revision; the newest is {revision}")
        self.revision = revision


class Unavailable(StoreError):
    """The store takes no writes (disk full, no quorum, closed). Nothing was written, unless it is `OutcomeUnknown`."""


class OutcomeUnknown(Unavailable):
    """The answer to a write was lost: it may have been written, or still be, or not. Only a remote store raises it."""


class Sink(Protocol):
    """Where a watch delivers. Both calls are synchronous, short, and made on the event loop."""

    def deliver(self, events: Sequence[Event], revision: int) -> None:
        """All matching events up to and including `revision`, whole revisions only; `events` may be empty (progress)."""

    def lost(self, error: StoreError) -> None:
        """The watch is over: it fell off the window (`Compacted`) or the store went away (`Unavailable`)."""


class Subscription(Protocol):
    """The handle of a watch. A paused one gets nothing and keeps its place as long as the window reaches back to it."""

    @property
    def revision(self) -> int:
        """Everything up to here has been delivered."""

    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def close(self) -> None: ...


class Store(Protocol):
    """The contract of every backend: `memory`, `sqlite`, `etcd`. All calls belong to one event loop."""

    @property
    def revision(self) -> int:
        """The newest durable, visible revision; 0 when empty."""

    @property
    def compact_revision(self) -> int:
        """Reads at this revision and later work; 0 when never compacted."""

    async def range(
        self, key: str, end: str | None = None, *, revision: int = 0, limit: int = 0, keys_only: bool = False
    ) -> Range:
        """[key, end), or only `key`. Use `prefix_end` for a prefix. Raises: Compacted, Future, Unavailable."""

    def present(
        self, key: str, end: str | None, show: Callable[[Range], None], lost: Callable[[StoreError], None]
    ) -> None:
        """Calls `show` with [key, end) as it is now: at once where it is in memory, else later on the loop, or then `lost`.

        What happens after the revision shown is what a watch begun within `show` delivers.
        """

    async def txn(self, txn: Txn) -> TxnResult:
        """Runs `txn`; returns when it is durable and visible. Raises: Unavailable, OutcomeUnknown."""

    def watch(self, key: str, end: str | None, sink: Sink, *, start_revision: int = 0) -> Subscription:
        """Delivers events of [key, end) to `sink`, first those retained from `start_revision` on. Raises: Compacted."""

    async def compact(self, revision: int) -> None:
        """Forgets superseded versions up to `revision`. Raises: Compacted (already done), Future."""

    async def grant_lease(self, ttl_s: float) -> int:
        """A new lease; keys put with its id are deleted in one revision when it expires or is revoked."""

    async def keep_alive(self, lease: int) -> None:
        """Starts the lease's TTL again. Raises: KeyError when there is no such lease."""

    async def revoke(self, lease: int) -> None: ...


def prefix_end(prefix: str) -> str:
    """The end of the interval that holds exactly the keys starting with `prefix`.

    >>> prefix_end("/pods/")
    '/pods0'
    """
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)
