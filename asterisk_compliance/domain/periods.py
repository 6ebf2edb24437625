"""Periods of a calendar, and the days on which they end. Pure.

1. A period is counted in whole days of the site: its first day is the one after the event, and it
   has passed when its last day has, at midnight. So an hour of summer time more or less is nothing.
2. Months and years end on the day of the same number; where the month has none, on its last day:
   a month from January 31 ends with February 28, or 29.
"""

from __future__ import annotations

import calendar
import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

LONGEST_YEARS: Final = 100


class Unit(StrEnum):
    DAY = "day"
    MONTH = "month"
    YEAR = "year"


_LONGEST = {Unit.DAY: LONGEST_YEARS * 365, Unit.MONTH: LONGEST_YEARS * 12, Unit.YEAR: LONGEST_YEARS}
_SHORTEST_DAYS = {Unit.DAY: 1, Unit.MONTH: 28, Unit.YEAR: 365}
_WRITTEN = re.compile(r"(0|[1-9][0-9]{0,4}) (day|week|month|year)s?")


@dataclass(frozen=True, slots=True)
class Period:
    """``count`` days, months or years; a year is twelve months, and a week seven days."""

    count: int
    unit: Unit

    def __post_init__(self) -> None:
        if not 0 <= self.count <= _LONGEST[self.unit]:
            raise ValueError(f"must be at most {LONGEST_YEARS} years")

    def __str__(self) -> str:
        return f"{self.count} {self.unit}{'' if self.count == 1 else 's'}"

    @property
    def shortest_days(self) -> int:
        """At least so long, in whichever month it begins."""
        return self.count * _SHORTEST_DAYS[self.unit]

    def last_day(self, event: date) -> date:
        """The last day of the period after something that happened on ``event``."""
        if self.unit is Unit.DAY:
            return event + timedelta(days=self.count)
        months = self.count * (12 if self.unit is Unit.YEAR else 1)
        years, month = divmod(event.month - 1 + months, 12)
        year = event.year + years
        longest = calendar.monthrange(year, month + 1)[1]
        return date(year, month + 1, min(event.day, longest))


def days(count: int) -> Period:
    return Period(count, Unit.DAY)


def read_period(text: str) -> Period:
    """The inverse of ``str(period)``; weeks are days.

    Raises:
        ValueError: it is none, or longer than a hundred years.
    """
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise ValueError('is no period: write "90 days", "6 months" or "3 years"')
    count = int(match[1])
    return days(count * 7) if match[2] == "week" else Period(count, Unit(match[2]))


def day_of(unix_ms: int, zone: ZoneInfo) -> date:
    """The day on which something happened, where the site is."""
    return datetime.fromtimestamp(unix_ms // 1_000, zone).date()


def end_of(day: date, zone: ZoneInfo) -> int:
    """When ``day`` is over: the first moment of the next one, in Unix milliseconds.

    Where clocks leave midnight out, that is the moment at which they are set; where midnight comes
    twice, it is the first one.
    """
    midnight = datetime.combine(day + timedelta(days=1), time.min, zone)
    return int(midnight.timestamp()) * 1_000


def last_event_over(last_day: Callable[[date], date], at: date) -> date | None:
    """The newest event whose period has ended on ``at`` or before, among those not after ``at``.

    Args:
        last_day: Of the period, by day of the event; a later event never ends earlier.
        at: Inclusive, so this is a day more than has passed on ``at``.
    """
    earliest = at.toordinal() - 2 * LONGEST_YEARS * 366
    span = range(max(earliest, 1), at.toordinal() + 1)
    found = bisect_right(span, at, key=lambda one: last_day(date.fromordinal(one)))
    return date.fromordinal(span[found - 1]) if found else None


def over_before(period: Period, at_ms: int, zone: ZoneInfo) -> int | None:
    """Before which moment something happened if the period after it is over at ``at_ms``.

    It lets events of one day too many be looked at, and never of one too few; ``None``: nothing.
    """
    last = last_event_over(period.last_day, day_of(at_ms, zone))
    return None if last is None else end_of(last, zone)
