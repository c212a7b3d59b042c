"""The one door for time, ids and randomness.

Everything that reads a clock, waits, names or draws does it through a `Clock`, so that a whole cluster can run on virtual
time and a run can be repeated from a seed. Lint forbids `time`, `random`, `uuid` and `secrets` everywhere else.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
import uuid
from typing import Protocol

#: The alphabet of generated names: no vowels and no look-alikes, so that no word appears by accident.
#: Source: k8s.io/apimachinery/pkg/util/rand
SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
#: A digit with the upper two bits set to 10. Source: RFC 9562, section 4.1
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


class Clock(Protocol):
    """Time, ids and randomness. `now` is wall time in unix seconds; `monotonic` never goes back."""

    def now(self) -> float: ...
    def monotonic(self) -> float: ...
    async def sleep(self, seconds: float) -> None: ...
    def uid(self) -> str: ...
    def random(self) -> float: ...
    def randrange(self, stop: int) -> int: ...
    def token(self, size_bytes: int) -> bytes: ...
    def suffix(self, length: int = 5) -> str: ...


class SystemClock:
    """The real clock and the system's randomness."""

    def __init__(self) -> None:
        self._random = random.SystemRandom()

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def uid(self) -> str:
        digits = os.urandom(16).hex()  # as uuid4 does, which takes thrice as long by way of an object
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{_VARIANT[digits[16]]}{digits[17:20]}-{digits[20:]}"

    def random(self) -> float:
        return self._random.random()

    def randrange(self, stop: int) -> int:
        return self._random.randrange(stop)

    def token(self, size_bytes: int) -> bytes:
        return os.urandom(size_bytes)

    def suffix(self, length: int = 5) -> str:
        return "".join(self._random.choices(SUFFIX_ALPHABET, k=length))


class SeededClock(SystemClock):
    """Repeatable ids and randomness from a seed, and a time that only moves with the event loop's clock from `start`."""

    def __init__(self, seed: int = 0, *, start: float = 1_700_000_000.0) -> None:
        self._random = random.Random(seed)  # type: ignore[assignment]  # same draws, seeded
        self._offset: float | None = None
        self._start = start

    def now(self) -> float:
        return self._start + self.monotonic()

    def monotonic(self) -> float:
        loop_time = asyncio.get_running_loop().time()
        if self._offset is None:
            self._offset = loop_time
        return loop_time - self._offset

    def uid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def token(self, size_bytes: int) -> bytes:
        return self._random.randbytes(size_bytes)
