"""How long to wait after failures: doubling from a base to a cap, per key. Pure."""

from __future__ import annotations

from collections.abc import Hashable


class Backoff:
    """Counts failures per key and gives the next delay in seconds; `forget` starts a key afresh.

    >>> backoff = Backoff(base_s=1, cap_s=5)
    >>> [backoff.next("a") for _ in range(4)]
    [1.0, 2.0, 4.0, 5]
    >>> backoff.forget("a"); backoff.next("a")
    1.0
    """

    def __init__(self, *, base_s: float, cap_s: float) -> None:
        self._base_s = base_s
        self._cap_s = cap_s
        self._failures: dict[Hashable, int] = {}

    def next(self, key: Hashable = None) -> float:
        """The delay before the next try of `key`."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        return min(self._cap_s, self._base_s * float(1 << min(failures, 62)))

    def forget(self, key: Hashable = None) -> None:
        self._failures.pop(key, None)
