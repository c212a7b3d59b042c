"""Durations and points in time. Pure.

Source: cel-spec doc/langdef.md (Timezones, Abstract types), cel-go common/types/{duration,timestamp}.go
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from kubelite.api.cel.errors import CelError
from kubelite.api.cel.values import SECOND, Duration, Timestamp, duration, go_float, timestamp

_UNITS = {
    "ns": 1,
    "us": 1000,
    "µs": 1000,
    "μs": 1000,
    "ms": 1_000_000,
    "s": SECOND,
    "m": 60 * SECOND,
    "h": 3600 * SECOND,
}
_PART = re.compile(r"(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_TIME = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:[.,](\d+))?(?:([Zz])|([+-])(\d{2}):(\d{2}))", re.ASCII
)
_OFFSET = re.compile(r"([+-]?)(\d{1,2}):(\d{2})", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_duration(text: str) -> Duration:
    """Raises: CelError.

    >>> parse_duration("1h30m").nanos // SECOND, parse_duration("-1.5s").nanos
    (5400, -1500000000)
    """
    sign, rest = (-1 if text[:1] == "-" else 1), text[1:] if text[:1] in ("+", "-") else text
    if rest == "0":
        return Duration(0)
    total, at = 0, 0
    while at < len(rest):
        match = _PART.match(rest, at)
        if match is None or not (match[1] or match[2]) or len(match[1]) > 20 or len(match[2] or "") > 40:
            break
        unit, fraction = _UNITS[match[3]], match[2] or ""
        total += int(match[1] or "0") * unit + int(fraction or "0") * unit // 10 ** len(fraction)
        at = match.end()
    if not rest or at < len(rest):
        raise CelError(f'time: invalid duration "{text}"')
    return duration(sign * total)


def parse_timestamp(text: str) -> Timestamp:
    """Raises: CelError."""
    match = _TIME.fullmatch(text)
    problem = CelError(f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse "{text}" as "2006"')
    if match is None:
        raise problem
    try:
        moment = datetime(*(int(part) for part in match.groups()[:6]), tzinfo=UTC)  # type: ignore[arg-type, misc]  # six ints
    except ValueError:
        raise problem from None
    delta = moment - _EPOCH
    nanos = (delta.days * 86400 + delta.seconds) * SECOND + int((match[7] or "").ljust(9, "0")[:9])
    offset_s = int(match[10]) * 3600 + int(match[11]) * 60 if match[9] else 0
    offset_s = -offset_s if match[9] == "-" else offset_s
    return timestamp(nanos - offset_s * SECOND, offset_s)


def show_duration(value: Duration) -> str:
    return f"{go_float(value.nanos / SECOND, 'f')}s"


def show_timestamp(value: Timestamp) -> str:
    seconds, nanos = divmod(value.nanos + value.offset_s * SECOND, SECOND)
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        raise CelError("timestamp overflow") from None
    fraction = f".{nanos:09d}".rstrip("0") if nanos else ""
    away = abs(value.offset_s) // 60
    zone = f"{'-' if value.offset_s < 0 else '+'}{away // 60:02d}:{away % 60:02d}" if away else "Z"
    return f"{moment.year:04d}-{moment:%m-%dT%H:%M:%S}{fraction}{zone}"


def _zone(name: str) -> Any:
    if match := _OFFSET.fullmatch(name):
        away = timedelta(hours=int(match[2]), minutes=int(match[3]))
        return timezone(-away if match[1] == "-" else away)
    try:
        return UTC if name in ("UTC", "") else ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise CelError(f"unknown time zone {name}") from None


def _local(value: Timestamp, zone: str = "UTC") -> datetime:
    """Raises: CelError."""
    try:
        return (_EPOCH + timedelta(seconds=value.nanos // SECOND)).astimezone(_zone(zone))
    except OverflowError:
        raise CelError("timestamp overflow") from None


def _getter(part: Callable[[datetime], int]) -> Callable[..., int]:
    return lambda value, zone="UTC": part(_local(value, zone))


_PARTS: dict[str, Callable[..., int]] = {
    "getFullYear": _getter(lambda moment: moment.year),
    "getMonth": _getter(lambda moment: moment.month - 1),
    "getDayOfYear": _getter(lambda moment: moment.timetuple().tm_yday - 1),
    "getDate": _getter(lambda moment: moment.day),
    "getDayOfMonth": _getter(lambda moment: moment.day - 1),
    "getDayOfWeek": _getter(lambda moment: moment.isoweekday() % 7),
    "getHours": _getter(lambda moment: moment.hour),
    "getMinutes": _getter(lambda moment: moment.minute),
    "getSeconds": _getter(lambda moment: moment.second),
    "getMilliseconds": lambda value, zone="UTC": value.nanos % SECOND // 1_000_000,
}


def _whole(nanos: int, unit: int) -> int:
    return nanos // unit if nanos >= 0 else -(-nanos // unit)


TIMES: dict[str, Callable[..., Any]] = {
    "duration(string): duration": parse_duration,
    "duration(duration): duration": lambda a: a,
    "timestamp(string): timestamp": parse_timestamp,
    "timestamp(timestamp): timestamp": lambda a: a,
    "timestamp(int): timestamp": lambda seconds: timestamp(seconds * SECOND),
    "int(timestamp): int": lambda a: a.nanos // SECOND,
    "string(timestamp): string": show_timestamp,
    "string(duration): string": show_duration,
    "_+_(timestamp, duration): timestamp": lambda a, b: timestamp(a.nanos + b.nanos, a.offset_s),
    "_+_(duration, timestamp): timestamp": lambda a, b: timestamp(a.nanos + b.nanos, b.offset_s),
    "_+_(duration, duration): duration": lambda a, b: duration(a.nanos + b.nanos),
    "_-_(timestamp, timestamp): duration": lambda a, b: duration(a.nanos - b.nanos),
    "_-_(timestamp, duration): timestamp": lambda a, b: timestamp(a.nanos - b.nanos, a.offset_s),
    "_-_(duration, duration): duration": lambda a, b: duration(a.nanos - b.nanos),
    **{f"timestamp.{name}(): int": part for name, part in _PARTS.items()},
    **{f"timestamp.{name}(string): int": part for name, part in _PARTS.items()},
    "duration.getHours(): int": lambda a: _whole(a.nanos, 3600 * SECOND),
    "duration.getMinutes(): int": lambda a: _whole(a.nanos, 60 * SECOND),
    "duration.getSeconds(): int": lambda a: _whole(a.nanos, SECOND),
    "duration.getMilliseconds(): int": lambda a: _whole(a.nanos, 1_000_000),
}
