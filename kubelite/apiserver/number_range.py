"""Ranges of numbers that are given out: addresses and ports. Pure.

The lower part of a range is left to users' choice while the upper one has anything.
Source: KEP-3070 (addresses), KEP-3668 (node ports), k8s.io/kubernetes pkg/registry/core/service/ipallocator (sizes)
"""

from __future__ import annotations

from collections.abc import Container
from typing import Protocol

import msgspec

from kubelite.api.service_addresses import Network


class Randomness(Protocol):
    """What is needed of a clock."""

    def randrange(self, stop: int) -> int: ...


class NumberRange(msgspec.Struct, frozen=True):
    """`first` to `first + size - 1`; those before `first + reserved` are given only when all others are taken."""

    first: int
    size: int
    reserved: int = 0

    def __contains__(self, number: int) -> bool:
        return self.first <= number < self.first + self.size

    def draw(self, random: Randomness) -> int:
        """Any number of the upper part, taken or not."""
        return self.first + self.reserved + random.randrange(self.size - self.reserved)

    def free(self, taken: Container[int], random: Randomness) -> int | None:
        """A number that is not taken, from the upper part if there is one; None when all are.

        >>> class Zero:
        ...     def randrange(self, stop): return 0
        >>> [NumberRange(10, 4, 2).free(taken, Zero()) for taken in ({10, 12}, {10, 12, 13}, {10, 11, 12, 13})]
        [13, 11, None]
        """
        for start, count in ((self.reserved, self.size - self.reserved), (0, self.reserved)):
            at = random.randrange(count) if count else 0
            for step in range(count):
                number = self.first + start + (at + step) % count
                if number not in taken:
                    return number
        return None


def address_range(network: Network) -> NumberRange:
    """The addresses that Services may have, as numbers.

    >>> from ipaddress import IPv4Network
    >>> address_range(IPv4Network("10.96.0.0/24"))
    NumberRange(first=174063617, size=254, reserved=16)
    """
    total = network.num_addresses
    size = max(total - (2 if network.version == 4 else 1), 0)
    reserved = min(max(16, total // 16), 256)
    return NumberRange(int(network.network_address) + 1, size, reserved if reserved < size else 0)


def port_range(low: int, high: int) -> NumberRange:
    """The ports from `low` to `high`.

    >>> port_range(30000, 32767).reserved
    86
    """
    size = high - low + 1
    return NumberRange(low, size, min(max(16, size // 32), 128) if size >= 32 else 0)
