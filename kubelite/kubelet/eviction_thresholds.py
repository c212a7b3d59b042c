"""When a node is short of something: thresholds, how long they have been crossed, and the pressures that follow. Pure.

    hard   memory.available<100Mi      crossed: somebody goes now
    soft   memory.available<300Mi, for 1m30s

A threshold that was crossed holds until there is its minimum reclaim above it, and a pressure is reported for a while after its
last threshold has been left, so that a node does not swing to and fro.
Source: https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/, pkg/kubelet/eviction/helpers.go
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from kubelite.api.quantity import parse, value
from kubelite.kubelet.node_status import Health, Reserved, Shortage, Signal, binary_quantity

#: Signal to (resource as messages name it, pressure); the order is that in which they are relieved.
SIGNALS: Mapping[str, tuple[str, str]] = {
    "memory.available": ("memory", "MemoryPressure"),
    "allocatableMemory.available": ("memory", "MemoryPressure"),
    "nodefs.available": ("ephemeral-storage", "DiskPressure"),
    "imagefs.available": ("ephemeral-storage", "DiskPressure"),
    "nodefs.inodesFree": ("inodes", "DiskPressure"),
    "imagefs.inodesFree": ("inodes", "DiskPressure"),
    "pid.available": ("pids", "PIDPressure"),
}
#: Upstream's for memory. Disk: nearly full, not upstream's 10 and 5 percent, since the host is not kubelite's alone.
DEFAULT_HARD = (
    "memory.available<100Mi,nodefs.available<512Mi,nodefs.inodesFree<1%,imagefs.available<512Mi,imagefs.inodesFree<1%,"
    "pid.available<100"
)
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")


class Amount(msgspec.Struct, frozen=True):
    """An absolute amount, or a share of the capacity."""

    number: int = 0
    share: float | None = None

    def of(self, capacity: int) -> int:
        return self.number if self.share is None else int(capacity * self.share)


class Threshold(msgspec.Struct, frozen=True, kw_only=True):
    signal: str
    least: Amount
    grace_s: float = 0.0
    is_soft: bool = False
    reclaim: Amount = Amount()


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """`max_grace_s`: what a pod may take to end after a soft threshold."""

    thresholds: tuple[Threshold, ...]
    transition_s: float = 300.0
    max_grace_s: float = 0.0


def parse_policy(
    *,
    hard: str = DEFAULT_HARD,
    soft: str = "",
    soft_grace: str = "",
    minimum_reclaim: str = "",
    transition_s: float = 300.0,
    max_grace_s: float = 0.0,
) -> Policy:
    """Settings in the words of the kubelet's flags. Raises: ValueError that says what is wrong.

    >>> parse_policy(hard="nodefs.available<10%", minimum_reclaim="nodefs.available=1Gi").thresholds[0].reclaim.number
    1073741824
    """
    graces = {name: _seconds(text) for name, text in _pairs(soft_grace, "=")}
    reclaims = {name: _amount(text) for name, text in _pairs(minimum_reclaim, "=")}
    made = []
    for text, is_soft in ((hard, False), (soft, True)):
        for name, least in _pairs(text, "<"):
            if is_soft and name not in graces:
                raise ValueError(f"the soft threshold of {name} has no grace period")
            amount, reclaim = _amount(least), reclaims.get(name, Amount())
            threshold = Threshold(
                signal=name,
                least=amount,
                grace_s=graces.get(name, 0.0) if is_soft else 0.0,
                is_soft=is_soft,
                reclaim=reclaim,
            )
            made.append(threshold)
            if name == "memory.available" and not is_soft:  # what pods together may use, by the same measure
                made.append(replace(threshold, signal="allocatableMemory.available"))
    return Policy(thresholds=tuple(made), transition_s=transition_s, max_grace_s=max_grace_s)


def _pairs(text: str, between: str) -> list[tuple[str, str]]:
    found = []
    for part in text.split(",") if text else ():
        name, sign, amount = part.strip().partition(between)
        if not sign or not amount or name not in SIGNALS:
            known = ", ".join(SIGNALS)
            raise ValueError(f"{part.strip()!r} is not SIGNAL{between}VALUE with a signal of {known}")
        found.append((name, amount))
    return found


def _amount(text: str) -> Amount:
    if text.endswith("%"):
        try:
            share = float(text[:-1]) / 100
        except ValueError:
            share = -1.0
        if not 0 <= share <= 1:
            raise ValueError(f"{text!r} is no percentage between 0% and 100%")
        return Amount(share=share)
    parse(text)
    return Amount(value(text))


def _seconds(text: str) -> float:
    found = _DURATION.fullmatch(text)
    if not text or found is None:
        raise ValueError(f"{text!r} is no duration such as 1m30s")
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds


def reserved(policy: Policy, memory_bytes: int, disk_bytes: int) -> Reserved:
    """What hard thresholds keep back of a machine. Source: pkg/kubelet/cm/node_container_manager_linux.go"""
    kept = {each.signal: each.least for each in policy.thresholds if not each.is_soft}
    return Reserved(
        memory_bytes=kept.get("memory.available", Amount()).of(memory_bytes),
        disk_bytes=kept.get("nodefs.available", Amount()).of(disk_bytes),
    )


class State(msgspec.Struct, frozen=True):
    """Since when thresholds are crossed, and when pressures were seen last, in unix seconds."""

    crossed: Mapping[Threshold, float] = msgspec.field(default_factory=dict)
    seen: Mapping[str, float] = msgspec.field(default_factory=dict)


def step(state: State, health: Health, policy: Policy, now: float) -> tuple[State, Health]:
    """`health` with its pressures and what has to be relieved, the most urgent first."""
    crossed = {
        each: state.crossed.get(each, now)
        for each in policy.thresholds
        if each.signal in health.signals and _holds(each, health.signals[each.signal], was=each in state.crossed)
    }
    pressures = {SIGNALS[each.signal][1] for each in crossed}
    seen = {**state.seen, **dict.fromkeys(pressures, now)}
    held = {name for name, at in seen.items() if name in pressures or 0 <= now - at < policy.transition_s}
    order = list(SIGNALS)
    due = [each for each, since in crossed.items() if now - since >= each.grace_s]
    due.sort(key=lambda each: (order.index(each.signal), each.is_soft))
    reported = replace(
        health,
        signals={},
        memory_pressure="MemoryPressure" in held,
        disk_pressure="DiskPressure" in held,
        pid_pressure="PIDPressure" in held,
        shortages=tuple(_shortage(each, health.signals[each.signal]) for each in due),
    )
    return State(crossed, {name: at for name, at in seen.items() if name in held}), reported


def _holds(threshold: Threshold, signal: Signal, *, was: bool) -> bool:
    more = threshold.reclaim.of(signal.capacity) if was else 0
    return signal.available < threshold.least.of(signal.capacity) + more


def _shortage(threshold: Threshold, signal: Signal) -> Shortage:
    return Shortage(
        resource=SIGNALS[threshold.signal][0],
        threshold=binary_quantity(threshold.least.of(signal.capacity)),
        available=binary_quantity(signal.available),
        is_soft=threshold.is_soft,
    )
