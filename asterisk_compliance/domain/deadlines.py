"""Until when a request is answered, by which law or promise. Pure.

1. Where the law sets a time, it is that one, or our own promise, whichever is over first.
2. Where the law sets none, it is our promise, and is called so.
3. Days are those of the site, the day of arrival is not counted, and a time is over when its last
   day is (``periods.py``). No Sunday or holiday makes it longer.

``jp``: APPI Article 33(2) says *without delay*, which is no number. Article 39: who asked may go to
court when two weeks have passed since the request arrived. ``eu``: GDPR Article 12(3), one month;
two more where it is needed, if the person is told so, and why, within the first month. ``own``: no
law that we know of.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from asterisk_compliance.domain.periods import Period, Unit, day_of, days, end_of


class Regime(StrEnum):
    """By whose rules a request is answered. Values stand in rows: never renamed, never reused."""

    JP = "jp"
    EU = "eu"
    OWN = "own"


class Basis(StrEnum):
    """What makes an answer late."""

    STATUTORY = "STATUTORY"
    PROMISE = "PROMISE"


LEGAL: Final = {Regime.EU: Period(1, Unit.MONTH)}
"""How long the law gives, where it says it."""
EXTENDED: Final = {Regime.EU: Period(3, Unit.MONTH)}
"""How long altogether, where it can be made longer."""
SUIT: Final = {Regime.JP: days(14)}
"""After which a person may go to court."""
SOURCES: Final = {
    Regime.JP: "APPI Art. 33(2), 39",
    Regime.EU: "GDPR Art. 12(3)",
    Regime.OWN: "",
}


@dataclass(frozen=True, slots=True)
class ResponseDeadline:
    """When an answer is late, in Unix milliseconds.

    Attributes:
        at_ms: The first moment of it.
        legal_ms: The first moment that is too late by law; ``None``: it says none.
    """

    at_ms: int
    basis: Basis
    legal_ms: int | None = None


def due(
    regime: Regime, promise: Period | None, received_ms: int, zone: ZoneInfo
) -> ResponseDeadline:
    """When the answer to a request is late that arrived at ``received_ms``.

    Args:
        regime: Whose rules.
        promise: Our own; without it, two weeks where the law says nothing.
        received_ms: Unix milliseconds.
        zone: Of the site.
    """
    legal = LEGAL.get(regime)
    if legal is None:
        own = promise or SUIT[Regime.JP]
        return ResponseDeadline(over_ms(own, received_ms, zone), Basis.PROMISE)
    legal_ms = over_ms(legal, received_ms, zone)
    if promise is not None and (promised_ms := over_ms(promise, received_ms, zone)) < legal_ms:
        return ResponseDeadline(promised_ms, Basis.PROMISE, legal_ms)
    return ResponseDeadline(legal_ms, Basis.STATUTORY, legal_ms)


def extended_ms(regime: Regime, received_ms: int, zone: ZoneInfo) -> int | None:
    """The same, made longer as far as the law lets us; ``None``: it cannot be."""
    longest = EXTENDED.get(regime)
    return None if longest is None else over_ms(longest, received_ms, zone)


def suit_ms(regime: Regime, received_ms: int, zone: ZoneInfo) -> int | None:
    """From when on the person may go to court; ``None``: no law that we know says it."""
    wait = SUIT.get(regime)
    return None if wait is None else over_ms(wait, received_ms, zone)


def last_day(due_ms: int, zone: ZoneInfo) -> date:
    """The last day on which an answer is not late."""
    return day_of(due_ms - 1, zone)


def soon_ms(due_ms: int, remind_days: int, zone: ZoneInfo) -> int:
    """When the first of the last ``remind_days`` days before ``due_ms`` begins."""
    return end_of(last_day(due_ms, zone) - timedelta(days=remind_days), zone)


def over_ms(period: Period, event_ms: int, zone: ZoneInfo) -> int:
    """When ``period`` is over that began with an event: its last day is."""
    return end_of(period.last_day(day_of(event_ms, zone)), zone)
