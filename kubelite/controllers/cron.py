"""Cron schedules: when the next time is. Pure; `zoneinfo` supplies the rules of time zones.

A worked example: `*/15 9 * * 1-5` after Friday 09:50 is Monday 09:00. With both a day of month and a day of week, either one
will do, as cron has always had it. Source: github.com/robfig/cron v3 (documentation)
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

import msgspec

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_YEARS = 5  #: how far ahead a time is looked for


class Schedule(msgspec.Struct, frozen=True):
    """The minutes, hours, days, months and weekdays on which a schedule is due."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool  #: neither kind of day was left open

    def _day_fits(self, at: datetime) -> bool:
        day, weekday = at.day in self.days, at.isoweekday() % 7 in self.weekdays
        return day or weekday if self.either_day else day and weekday

    def after(self, now: float, zone: tzinfo = UTC) -> float | None:
        """The first time after `now` (unix seconds); None when there is none in the next years.

        >>> parse_schedule("*/15 9 * * 1-5").after(1_700_000_000.0)  # Tuesday 22:13:20 UTC
        1700038800.0
        """
        local = datetime.fromtimestamp(now, zone).replace(tzinfo=None, second=0, microsecond=0) + timedelta(minutes=1)
        last_year = local.year + _YEARS
        while local.year <= last_year:
            if local.month not in self.months:
                local = (local.replace(day=1, hour=0, minute=0) + timedelta(days=32)).replace(day=1)
            elif not self._day_fits(local):
                local = local.replace(hour=0, minute=0) + timedelta(days=1)
            elif local.hour not in self.hours:
                local = local.replace(minute=0) + timedelta(hours=1)
            elif local.minute not in self.minutes:
                local += timedelta(minutes=1)
            else:
                at = local.replace(tzinfo=zone).timestamp()
                exists = datetime.fromtimestamp(at, zone).replace(tzinfo=None) == local
                if exists and at > now:
                    return at
                local += timedelta(minutes=1)  # this minute does not exist when clocks go forward
        return None


def parse_schedule(text: str) -> Schedule:
    """Raises: ValueError."""
    fields = _ALIASES.get(text.strip(), text).split()
    if len(fields) != 5:
        raise ValueError(f"expected exactly 5 fields, found {len(fields)}: {fields}")
    minutes, hours, days, months, weekdays = fields
    return Schedule(
        minutes=_field(minutes, 0, 59),
        hours=_field(hours, 0, 23),
        days=_field(days, 1, 31),
        months=_field(months, 1, 12, _MONTHS),
        weekdays=frozenset(day % 7 for day in _field(weekdays, 0, 7, _DAYS)),
        either_day=days[0] not in "*?" and weekdays[0] not in "*?",
    )


def _field(text: str, low: int, high: int, names: list[str] | None = None) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        if first in ("*", "?"):
            start, end = low, high
        else:
            start = _number(first, low, names)
            end = _number(last, low, names) if dash else high if step else start
        width = int(step) if step else 1
        if not (low <= start <= end <= high) or width < 1:
            raise ValueError(f"{part!r} is not between {low} and {high}")
        found |= set(range(start, end + 1, width))
    return frozenset(found)


def _number(text: str, low: int, names: list[str] | None) -> int:
    if names and text.lower() in names:
        return names.index(text.lower()) + low
    return int(text)


def zone_of(name: str | None) -> tzinfo:
    """Raises: ValueError when there is no such zone."""
    if not name:
        return UTC
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # only few CronJobs need it

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"unknown time zone {name}") from error


def missed(schedule: Schedule, since: float, now: float, zone: tzinfo) -> tuple[float | None, int]:
    """(the latest time after `since` and not after `now`, about how many there were)."""
    first = schedule.after(since, zone)
    if first is None or first > now:
        return None, 0
    second = schedule.after(first, zone)
    if second is None or second > now:
        return first, 1
    between = second - first
    count = int((now - first) // between) + 1
    latest = first
    at: float | None = schedule.after(first + max(0, count - 2) * between - 1, zone)
    while at is not None and at <= now:
        latest, at = at, schedule.after(at, zone)
    return latest, count
