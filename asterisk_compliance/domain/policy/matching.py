"""What rules may ask about a call, and whether a call is as they ask. Pure.

1. A match is met when everything that it asks for is so; what it does not ask for is free.
2. What is not known of the party outside (number, country, language) meets every match that asks
   for it: knowing less never makes a call laxer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum
from typing import Any

from asterisk_compliance.domain.phone_numbers import COUNTRIES


class CallDirection(StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"
    CALLBACK = "callback"
    INTERNAL = "internal"


class Weekday(StrEnum):
    """From Monday on, as :meth:`datetime.date.weekday` counts."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What rules may ask about a call.

    Attributes:
        policy: The name that the dialplan asked for.
        did: The dialled number as Asterisk has it; empty on a call that has none.
        queue: Empty if none.
        number: Of the party outside, E.164 digits without the plus; empty if unknown.
        countries: Where that party may be; empty if unknown.
        language: Of the channel, possibly regional: ``ja_JP`` means ``ja``. Empty if unknown.
        at: When the call arrived; must have a time zone.
    """

    policy: str
    direction: CallDirection
    at: datetime
    did: str = ""
    queue: str = ""
    number: str = ""
    countries: frozenset[str] = frozenset()
    language: str = ""

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError("at: must have a time zone")

    @property
    def primary_language(self) -> str:
        return re.split(r"[-_.]", self.language, maxsplit=1)[0].lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What a rule asks for. ``None`` asks for nothing; of several values, any will do.

    Attributes:
        did: Exact, or ending in ``*`` for everything that begins so.
        country: ISO 3166-1 alpha-2.
        prefix: Beginning of an E.164 number, digits only: ``"1"``, ``"8150"``.
        hours: From, until but not including; over midnight if until is the earlier.
    """

    policy: frozenset[str] | None = None
    direction: frozenset[CallDirection] | None = None
    did: frozenset[str] | None = None
    queue: frozenset[str] | None = None
    country: frozenset[str] | None = None
    prefix: frozenset[str] | None = None
    language: frozenset[str] | None = None
    weekdays: frozenset[Weekday] | None = None
    hours: tuple[time, time] | None = None

    def __post_init__(self) -> None:
        for name in ("policy", "direction", "did", "queue", "weekdays", *_SHAPES):
            if getattr(self, name) == frozenset():
                raise ValueError(f"{name}: is empty; leave it out to match all calls")
        for name, (is_right, what) in _SHAPES.items():
            if not all(map(is_right, getattr(self, name) or ())):
                raise ValueError(f"{name}: {what}")
        if self.hours is not None and self.hours[0] == self.hours[1]:
            raise ValueError("hours: from and until are the same")

    def is_met_by(self, facts: CallFacts, local: datetime) -> bool:
        """``local``: the time of the call in the rule's time zone."""
        return (
            _is_among(facts.policy, self.policy)
            and _is_among(facts.direction, self.direction)
            and (self.did is None or any(_did_fits(facts.did, want) for want in self.did))
            and _is_among(facts.queue, self.queue)
            and (
                self.country is None or not facts.countries or bool(self.country & facts.countries)
            )
            and (
                self.prefix is None
                or not facts.number
                or facts.number.startswith(tuple(self.prefix))
            )
            and (not facts.primary_language or _is_among(facts.primary_language, self.language))
            and _is_among(tuple(Weekday)[local.weekday()], self.weekdays)
            and (self.hours is None or _is_within(local.time(), *self.hours))
        )

    def overlaps(self, other: Match, *, same_zone: bool) -> bool:
        """Whether one call can meet both. In doubt (hours of two time zones) it can.

        Country, prefix and language never part two rules: an unknown party meets both.
        """
        chosen = ("policy", "direction", "queue")
        return (
            all(_share(getattr(self, name), getattr(other, name)) for name in chosen)
            and (
                self.did is None
                or other.did is None
                or any(_dids_meet(one, two) for one in self.did for two in other.did)
            )
            and not (same_zone and not _share(self.weekdays, other.weekdays))
            and not (same_zone and not _hours_meet(self.hours, other.hours))
        )


_SHAPES: Mapping[str, tuple[Callable[[str], object], str]] = {
    "country": (COUNTRIES.__contains__, "is no ISO 3166-1 country code"),
    "prefix": (
        re.compile(r"[1-9][0-9]{0,14}").fullmatch,
        "is not the beginning of an E.164 number",
    ),
    "language": (re.compile(r"[a-z]{2,3}").fullmatch, "is not a language code such as ja"),
}


ALL_CALLS = Match()


def _is_among(value: Any, wanted: frozenset[Any] | None) -> bool:
    return wanted is None or value in wanted


def _did_fits(did: str, wanted: str) -> bool:
    return did.startswith(wanted[:-1]) if wanted.endswith("*") else did == wanted


def _is_within(at: time, start: time, end: time) -> bool:
    return start <= at < end if start < end else at >= start or at < end


def _share(one: frozenset[Any] | None, other: frozenset[Any] | None) -> bool:
    return one is None or other is None or bool(one & other)


def _dids_meet(one: str, other: str) -> bool:
    if one.endswith("*") and other.endswith("*"):
        return one.startswith(other[:-1]) or other.startswith(one[:-1])
    return _did_fits(one, other) or _did_fits(other, one)


def _hours_meet(one: tuple[time, time] | None, other: tuple[time, time] | None) -> bool:
    if one is None or other is None:
        return True
    return _is_within(one[0], *other) or _is_within(other[0], *one)
