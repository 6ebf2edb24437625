"""What has to be reported after a leak, to whom and until when. Pure; every rule is a value.

1. A rule is of one law under one revision. It applies to what became known while it was in force,
   from midnight of ``valid_from`` until midnight of ``valid_to`` in its own time zone.
2. It asks for something where one of its cases is met: a category of data from one person on, or
   more persons than a number. Until somebody looked how many there are, they count as too many.
3. A step within days ends with its last day, where the law is at home; one within hours to the
   millisecond. ``counts_first_day``: the day on which it became known is the first one.
4. What frees from it is said: everything that was reached is sealed, and its key is elsewhere; or,
   for who works for a client, the client was told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from asterisk_compliance.domain.deadlines import Regime
from asterisk_compliance.domain.periods import day_of, end_of
from asterisk_compliance.domain.policy.rules import Source

HOUR_MS = 3_600_000
_WITHIN = re.compile(r"([1-9][0-9]{0,2}) (hour|day)s?")


class Category(StrEnum):
    """What makes a leak worse. Values stand in rows: never renamed, never reused."""

    SENSITIVE = "SENSITIVE"
    """Data that need special care: health, creed, crime."""
    PROPERTY = "PROPERTY"
    """Somebody may lose property: numbers of cards, passwords of a bank."""
    WRONGFUL = "WRONGFUL"
    """It may have been done for a wrongful purpose: an intrusion, or taken out by staff."""
    NUMEROUS = "NUMEROUS"
    """More persons than the law lets pass. Follows from the count, or from what else is known."""
    OTHER = "OTHER"


class ReportStep(StrEnum):
    """What somebody has to be told. Values stand in rows: never renamed, never reused."""

    PRELIMINARY = "PRELIMINARY"
    """The authority, what is known so far."""
    FINAL = "FINAL"
    """The authority, everything."""
    NOTIFICATION = "NOTIFICATION"
    """The authority, once, with more to follow."""
    PERSONS = "PERSONS"
    """The persons."""
    CLIENT = "CLIENT"
    """The client for whom the data are handled."""


class Freed(StrEnum):
    """Why a step need not be taken."""

    ENCRYPTED = "ENCRYPTED"
    CLIENT_TOLD = "CLIENT_TOLD"


class Bound(StrEnum):
    """Whom a step binds."""

    EVERYBODY = "everybody"
    CONTRACTOR = "contractor"
    CONTROLLER = "controller"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRule:
    """One step that a rule asks for.

    Attributes:
        within: ``5 days`` or ``72 hours``; empty: without delay, and no number.
        aim: As ``within``, where a range is given: its earlier end.
        guideline: The number is that of a guideline; the law has a word only.
        where: Only where one of these is met; empty: always. The first that fits holds.
    """

    step: ReportStep
    within: str = ""
    aim: str = ""
    guideline: bool = False
    where: tuple[Category, ...] = ()
    binds: Bound = Bound.EVERYBODY

    def __post_init__(self) -> None:
        for written in filter(None, (self.within, self.aim)):
            if not _WITHIN.fullmatch(written):
                raise ValueError('is no time: write "5 days" or "72 hours"')


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakRule:
    """One law under one revision; a new revision is a new rule.

    Attributes:
        text: What it asks, in plain words.
        warning: What an officer must know before relying on it.
        valid_from, valid_to: Days in ``time_zone``; ``valid_to`` is the first day without it.
        cases: Categories that are reportable from one person on.
        more_than: Reportable with more persons than this, whatever the data are.
        frees: What frees from it.
    """

    id: str
    regime: Regime
    text: str
    source: tuple[Source, ...]
    time_zone: ZoneInfo
    step: tuple[StepRule, ...]
    more_than: int
    cases: tuple[Category, ...] = ()
    frees: tuple[Freed, ...] = ()
    counts_first_day: bool = False
    warning: str = ""
    valid_from: date | None = None
    valid_to: date | None = None

    def is_in_force_on(self, day: date) -> bool:
        return (self.valid_from or day) <= day and (self.valid_to is None or day < self.valid_to)

    def is_about(self, known_ms: int) -> bool:
        """Whether it applies to what became known at ``known_ms`` (Unix milliseconds)."""
        return self.is_in_force_on(day_of(known_ms, self.time_zone))

    def ends(self, within: str, known_ms: int) -> int:
        """The first moment at which it is too late, in Unix milliseconds."""
        match = _WITHIN.fullmatch(within)
        assert match is not None
        count = int(match[1])
        if match[2] == "hour":
            return known_ms + count * HOUR_MS
        last = day_of(known_ms, self.time_zone) + timedelta(days=count - self.counts_first_day)
        return end_of(last, self.time_zone)


@dataclass(frozen=True, slots=True)
class LeakFacts:
    """What a leak is, as far as it is known.

    Attributes:
        known_ms: When somebody of the site came to know.
        persons: How many, unknown numbers counted one each; ``None``: nobody looked yet.
        persons_most: At most so many, each call counted as somebody else.
        encrypted: Everything that was reached is sealed, and the officer's key was not.
        contractor: The data are handled for a client.
        told: Which steps were taken, and when.
    """

    known_ms: int
    regimes: frozenset[Regime]
    categories: frozenset[Category]
    persons: int | None = None
    persons_most: int | None = None
    encrypted: bool = False
    contractor: bool = False
    told: Mapping[ReportStep, int] | None = None

    def told_ms(self, step: ReportStep) -> int | None:
        return None if self.told is None else self.told.get(step)


@dataclass(frozen=True, slots=True)
class NotificationDuty:
    """One step that somebody has to take, and why.

    Attributes:
        rule: Whose id says so.
        due_ms: The first moment at which it is too late; ``None``: without delay, and no number.
        aim_ms: When the guideline would rather have it.
        because: Which categories are met; empty: it is certain only in doubt.
        in_doubt: It depends on how many persons there are, and that is not sure.
        freed: Why it need not be taken; ``None``: it must.
        done_ms: When it was taken.
    """

    rule: str
    regime: Regime
    step: ReportStep
    due_ms: int | None
    aim_ms: int | None = None
    guideline: bool = False
    because: tuple[Category, ...] = ()
    in_doubt: bool = False
    freed: Freed | None = None
    done_ms: int | None = None

    @property
    def is_open(self) -> bool:
        return self.freed is None and self.done_ms is None


class Standing(StrEnum):
    """How urgent an open step is."""

    OPEN = "open"
    DUE_SOON = "due_soon"
    OVERDUE = "overdue"
    DONE = "done"
    FREED = "freed"


def standing(duty: NotificationDuty, now_ms: int, remind_ms: int) -> Standing:
    """How a duty stands at ``now_ms``; it is due soon from its aim on, or ``remind_ms`` before."""
    if duty.done_ms is not None:
        return Standing.DONE
    if duty.freed is not None:
        return Standing.FREED
    if duty.due_ms is None:
        return Standing.OPEN
    if now_ms >= duty.due_ms:
        return Standing.OVERDUE
    soon_ms = min(duty.due_ms - remind_ms, duty.due_ms if duty.aim_ms is None else duty.aim_ms)
    return Standing.DUE_SOON if now_ms >= soon_ms else Standing.OPEN


def duties(facts: LeakFacts, rules: Iterable[LeakRule]) -> tuple[NotificationDuty, ...]:
    """Every step that the rules ask for, the most urgent first; those without a number last."""
    found = [
        duty
        for rule in rules
        if rule.regime in facts.regimes and rule.is_about(facts.known_ms)
        for duty in _duties(facts, rule)
    ]
    return tuple(sorted(found, key=lambda one: (one.due_ms is None, one.due_ms or 0, one.step)))


def _duties(facts: LeakFacts, rule: LeakRule) -> Iterator[NotificationDuty]:
    because, in_doubt = _cases(facts, rule)
    if not because and not in_doubt:
        return
    taken: set[ReportStep] = set()
    for one in rule.step:
        if one.step in taken or not _binds(one, facts) or not _fits(one, because):
            continue
        taken.add(one.step)
        yield NotificationDuty(
            rule.id,
            rule.regime,
            one.step,
            rule.ends(one.within, facts.known_ms) if one.within else None,
            rule.ends(one.aim, facts.known_ms) if one.aim else None,
            one.guideline,
            because,
            in_doubt and not because,
            _freed(facts, rule, one.step),
            facts.told_ms(one.step),
        )


def _cases(facts: LeakFacts, rule: LeakRule) -> tuple[tuple[Category, ...], bool]:
    """Which cases are met, and whether the number of persons leaves it in doubt."""
    met = {one for one in rule.cases if one in facts.categories}
    many = facts.persons is not None and facts.persons > rule.more_than
    if many or Category.NUMEROUS in facts.categories:
        met.add(Category.NUMEROUS)
    most = facts.persons_most if facts.persons is not None else rule.more_than + 1
    return tuple(sorted(met)), not met and most is not None and most > rule.more_than


def _binds(one: StepRule, facts: LeakFacts) -> bool:
    match one.binds:
        case Bound.CONTRACTOR:
            return facts.contractor
        case Bound.CONTROLLER:
            return not facts.contractor
        case _:
            return True


def _fits(one: StepRule, because: tuple[Category, ...]) -> bool:
    return not one.where or not set(one.where).isdisjoint(because)


def _freed(facts: LeakFacts, rule: LeakRule, step: ReportStep) -> Freed | None:
    if facts.encrypted and Freed.ENCRYPTED in rule.frees:
        return Freed.ENCRYPTED
    told = facts.contractor and facts.told_ms(ReportStep.CLIENT) is not None
    if told and step is not ReportStep.CLIENT and Freed.CLIENT_TOLD in rule.frees:
        return Freed.CLIENT_TOLD
    return None
