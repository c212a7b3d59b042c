"""How every benchmark prints: a table for people, JSON with `--json` for scripts."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence

import msgspec


class Figure(msgspec.Struct, frozen=True):
    """Samples of one claim; `limit` is the most (or with `at_least` the least) that the median may be."""

    name: str
    unit: str
    samples: tuple[float, ...]
    limit: float | None = None
    at_least: bool = False

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    @property
    def holds(self) -> bool:
        if self.limit is None:
            return True
        return self.median >= self.limit if self.at_least else self.median <= self.limit


def arguments(description: str, *, rounds: int) -> argparse.ArgumentParser:
    """The options that all benchmarks share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--rounds", type=int, default=rounds, help=f"samples of each figure (default: {rounds})")
    return parser


def progress(text: str) -> None:
    """Says what is going on, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def show(figures: Sequence[Figure], *, as_json: bool) -> None:
    """Prints the figures."""
    progress("")
    if as_json:
        rows = [
            {**msgspec.to_builtins(each), "min": min(each.samples), "median": each.median, "max": max(each.samples)}
            for each in figures
        ]
        print(json.dumps(rows))
        return
    width = max(len(each.name) for each in figures)
    print(f"{'':{width}}  {'min':>9}  {'median':>9}  {'max':>9}  unit   limit")
    for each in figures:
        low, middle, high = min(each.samples), each.median, max(each.samples)
        limit = "" if each.limit is None else f"{'>=' if each.at_least else '<='} {each.limit:g}"
        verdict = "" if each.limit is None else ("  holds" if each.holds else "  MISSED")
        print(f"{each.name:{width}}  {low:9.3f}  {middle:9.3f}  {high:9.3f}  {each.unit:5}  {limit}{verdict}")
