"""Times on the wire: metav1.Time and MicroTime as text, and back. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


def rfc3339(now: float) -> str:
    """`now` (unix seconds) as metav1.Time prints it: whole seconds, UTC.

    >>> rfc3339(0)
    '1970-01-01T00:00:00Z'
    """
    return _whole_seconds(int(now))


@lru_cache(maxsize=64)  # most times that are printed are of this second
def _whole_seconds(now: int) -> str:
    return datetime.fromtimestamp(now, UTC).isoformat()[:19] + "Z"


def rfc3339_micro(now: float) -> str:
    """`now` (unix seconds) as metav1.MicroTime prints it.

    >>> rfc3339_micro(1.5)
    '1970-01-01T00:00:01.500000Z'
    """
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="microseconds")[:26] + "Z"


def parse_rfc3339(text: str) -> float:
    """Unix seconds of an RFC 3339 time.

    Raises: ValueError when `text` is not one.

    >>> parse_rfc3339("1970-01-01T00:00:01Z")
    1.0
    """
    return datetime.fromisoformat(text).timestamp()
