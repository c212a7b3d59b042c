"""What a store says of itself: a typed value, and the same as Prometheus text."""

from __future__ import annotations

from bisect import bisect_left

import msgspec

#: Upper bounds in seconds. Source: etcd's etcd_disk_wal_fsync_duration_seconds (doubling from 1 ms), begun earlier here.
LATENCY_BOUNDS_S = tuple(0.00025 * 2**i for i in range(14))
BATCH_BOUNDS = tuple(float(2**i) for i in range(13))


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """`counts[i]` observations were at most `bounds[i]` and above the bound before; the last count is beyond all bounds."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float

    def quantile(self, share: float) -> float:
        """An upper bound of the `share` quantile; 0 when nothing was observed."""
        left = share * sum(self.counts)
        for bound, count in zip(self.bounds, self.counts, strict=False):
            left -= count
            if left <= 0:
                return bound if sum(self.counts) else 0.0
        return float("inf")


class Histogram:
    """Collects a Distribution."""

    __slots__ = ("_bounds", "_counts", "_total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def value(self) -> Distribution:
        return Distribution(bounds=self._bounds, counts=tuple(self._counts), total=self._total)


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """`slowest_cursor` is the least revision that some watcher has been delivered (the newest one if there are none)."""

    revision: int
    compact_revision: int
    keys: int
    leases: int
    window_events: int
    window_bytes: int
    log_bytes: int
    watchers: int
    slowest_cursor: int
    commit_latency_s: Distribution
    batch_sizes: Distribution


def encode_prometheus(stats: Stats) -> str:
    """`stats` in Prometheus' text format."""
    lines: list[str] = []
    for name in Stats.__struct_fields__:
        value = getattr(stats, name)
        metric = "kubelite_store_" + (name.removesuffix("_s") + "_seconds" if name.endswith("latency_s") else name)
        if not isinstance(value, Distribution):
            lines += [f"# TYPE {metric} gauge", f"{metric} {value}"]
            continue
        lines.append(f"# TYPE {metric} histogram")
        cumulative = 0
        for bound, count in zip((*value.bounds, "+Inf"), value.counts, strict=True):
            cumulative += count
            lines.append(f'{metric}_bucket{{le="{bound}"}} {cumulative}')
        lines += [f"{metric}_sum {value.total}", f"{metric}_count {cumulative}"]
    return "\n".join(lines) + "\n"
