"""How long a container that ended waits before it is started again. Pure.

The first restart is immediate; then the delay doubles from 10 s to 300 s, counted from the end of the container. It starts
afresh when a container ended more than 10 minutes after the last decision.
Source: client-go util/flowcontrol/backoff.go, pkg/kubelet/kubelet.go (MaxContainerBackOff)
"""

from __future__ import annotations

import msgspec

INITIAL_S = 10.0
MAX_S = 300.0
RESET_S = 2 * MAX_S


class Delay(msgspec.Struct, frozen=True):
    """A delay in seconds and when it was decided."""

    delay_s: float
    decided_at: float


def held_until(known: Delay | None, ended_at: float, now: float) -> float:
    """Until when a container that ended at `ended_at` has to wait; 0: not any more.

    An end that lies far in the future means that the clock was set back since: then nobody knows how long it has waited.

    >>> held_until(None, 100.0, 100.0), held_until(Delay(10.0, 99.0), 100.0, 101.0), held_until(Delay(10.0, 99.0), 100.0, 110.0)
    (0.0, 110.0, 0.0)
    >>> held_until(Delay(10.0, 99.0), 1000.0, 1000.0), held_until(Delay(10.0, 3600.0), 3600.0, 50.0)
    (0.0, 0.0)
    """
    if known is None or ended_at - known.decided_at > RESET_S:
        return 0.0
    until = ended_at + known.delay_s
    return until if now < until <= now + 2 * known.delay_s else 0.0


def next_delay(known: Delay | None, ended_at: float, now: float) -> Delay:
    """What to remember when a container that ended at `ended_at` is started again at `now`.

    >>> next_delay(None, 5.0, 5.0).delay_s, next_delay(Delay(200.0, 5.0), 9.0, 9.0).delay_s
    (10.0, 300.0)
    """
    if known is None or ended_at - known.decided_at > RESET_S:
        return Delay(INITIAL_S, now)
    return Delay(min(known.delay_s * 2, MAX_S), now)


def duration(seconds: float) -> str:
    """Seconds as Go prints a duration.

    >>> duration(10), duration(80), duration(300)
    ('10s', '1m20s', '5m0s')
    """
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
