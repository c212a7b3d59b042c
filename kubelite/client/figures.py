"""What a node and its pods use of CPU and memory, as the metrics API and autoscalers ask for it.

Like streams these do not go through the store: the composition root hands every node's `NodeMeter` to those who ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec


class Use(msgspec.Struct, frozen=True):
    """CPU averaged over a window, in billionths of a core, and the working set."""

    cpu_nanocores: int
    memory_bytes: int


class PodFigures(msgspec.Struct, frozen=True, kw_only=True):
    """`at` (unix seconds) is the end of the window."""

    namespace: str
    name: str
    uid: str
    at: float
    window_s: float
    containers: Mapping[str, Use]


class NodeFigures(msgspec.Struct, frozen=True, kw_only=True):
    at: float
    window_s: float
    use: Use
    pods: tuple[PodFigures, ...]


class NodeMeter(Protocol):
    async def figures(self) -> NodeFigures:
        """Measured now, or a moment ago. Raises: StatusError when the node cannot tell."""
