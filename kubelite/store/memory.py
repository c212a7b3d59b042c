"""The store without a disk: the whole contract, durable as long as the process lives. For embedding, tests and forks.

A transaction is committed before `txn` returns control to the loop; only the watchers hear of it in the next turn.
"""

from __future__ import annotations

import anyio.lowlevel

from kubelite.store import mvcc
from kubelite.store.local import PATIENCE, LocalStore
from kubelite.store.store import Txn, TxnResult


class MemoryStore(LocalStore):
    """Costs nothing to start: no thread, no process, no file."""

    async def txn(self, txn: Txn) -> TxnResult:
        self._require_open()
        self._require_leases(txn)
        succeeded, events, results = mvcc.run(self._keys, txn, self._window.revision)
        if events:
            self._publish(events)
        revision = self._window.revision
        if self._bus.behind >= PATIENCE:
            await anyio.lowlevel.checkpoint()
        return TxnResult(succeeded, revision, results)

    async def _record_lease(self, number: int, ttl_s: float) -> None:
        """A lease lives as long as the process."""

    async def _settled(self) -> None:
        """Everything always is."""

    def _log_bytes(self) -> int:
        return 0
