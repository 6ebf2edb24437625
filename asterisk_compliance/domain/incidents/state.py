"""Incidents: what is known of a leak, what was done about it, and what is still to be done. Pure.

1. An incident has the number of the row that opened it; everything else about it names that.
2. What was said last holds: an assessment replaces the one before, and it or an amendment what the
   opening said. A step that was not taken after all is open again.
3. The state is a fold over rows (:func:`incidents_of`), so it says nothing that the log does not.
4. It is closed as reported only when every duty is done, as not reportable only when there is none
   left; that nothing leaked, or that nobody is at risk, a person decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from asterisk_compliance.domain.audit.encoding import Row, milliseconds
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.deadlines import Regime
from asterisk_compliance.domain.incidents.notification_duties import (
    Category,
    LeakFacts,
    LeakRule,
    NotificationDuty,
    ReportStep,
    Standing,
    duties,
    standing,
)


class ReportItem(StrEnum):
    """The nine items of a report (APPI Enforcement Rules, Article 8(1)), in their order."""

    OUTLINE = "OUTLINE"
    DATA = "DATA"
    PERSONS = "PERSONS"
    CAUSE = "CAUSE"
    SECONDARY = "SECONDARY"
    MEASURES = "MEASURES"
    PUBLICATION = "PUBLICATION"
    PREVENTION = "PREVENTION"
    OTHER = "OTHER"


class IncidentOutcome(StrEnum):
    """How an incident ended. Values stand in rows: never renamed, never reused."""

    REPORTED = "REPORTED"
    NOT_REPORTABLE = "NOT_REPORTABLE"
    NO_RISK = "NO_RISK"
    """A risk to the persons is unlikely (GDPR Article 33(1)); the officer judged that."""
    NO_HIGH_RISK = "NO_HIGH_RISK"
    """It was reported, and a high risk to the persons is unlikely (GDPR Article 34(1))."""
    NO_LEAK = "NO_LEAK"
    """Nothing was reached, lost or damaged after all."""


class IncidentPlace(StrEnum):
    """Where somebody may have been. Values stand in rows: never renamed, never reused."""

    VAULT = "VAULT"
    SPOOL = "SPOOL"
    HEARING = "HEARING"
    """Copies that were lent for listening by telephone."""
    RELEASES = "RELEASES"
    """What was handed out."""
    STORE = "STORE"
    """The log with what stands beside it: numbers and names, in plain."""


@dataclass(frozen=True, slots=True)
class Assessed:
    """What an assessment found.

    Attributes:
        seq: Its row.
        since_ms, until_ms: The time in which something could be reached; ``None``: any.
        size: So many rows of the log were looked at.
        counts: What was reached, by the names of the row's details.
        recipients: Fingerprints of the keys that open what was sealed.
        encrypted: Everything that was reached is sealed, and the officer's key was not reached.
        digest: SHA-256 of the list of what was reached, hex.
    """

    seq: int
    at_ms: int
    since_ms: int | None
    until_ms: int | None
    size: int
    places: tuple[IncidentPlace, ...]
    counts: Mapping[str, int]
    recipients: tuple[str, ...]
    encrypted: bool
    digest: str


@dataclass(frozen=True, slots=True)
class Reported:
    """Somebody was told: when, and SHA-256 of what was sent (empty: not said)."""

    seq: int
    step: ReportStep
    sent_ms: int
    sha256: str
    reference: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something was written down; the text stands beside its row."""

    seq: int
    item: ReportItem
    at_ms: int


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident as its rows say it is; times in Unix milliseconds.

    Attributes:
        number: The number of the row that opened it.
        known_ms: When somebody of the site came to know.
        since_ms, until_ms: When something could be reached, as far as that was known at first.
        contractor: The data are handled for a client.
        key_affected: The officer's key may have been reached too.
        overdue: Of which duties (rule, step and time) a row says that they became overdue.
        closed: How it ended; ``None``: it has not.
    """

    number: int
    opened_ms: int
    known_ms: int
    since_ms: int | None
    until_ms: int | None
    categories: frozenset[Category]
    regimes: frozenset[Regime]
    contractor: bool = False
    key_affected: bool = False
    assessed: Assessed | None = None
    reported: tuple[Reported, ...] = ()
    notes: tuple[Note, ...] = ()
    overdue: frozenset[tuple[str, ReportStep, int | None]] = field(default_factory=frozenset)
    closed: IncidentOutcome | None = None

    def facts(self) -> LeakFacts:
        """What the rules about leaks ask."""
        found = self.assessed
        told: dict[ReportStep, int] = {}
        for one in self.reported:
            told.setdefault(one.step, one.sent_ms)
        return LeakFacts(
            self.known_ms,
            self.regimes,
            self.categories,
            persons=found.counts["persons"] if found else None,
            persons_most=found.counts["persons_most"] if found else None,
            encrypted=found is not None and found.encrypted and not self.key_affected,
            contractor=self.contractor,
            told=told,
        )

    def duties(self, rules: Iterable[LeakRule]) -> tuple[NotificationDuty, ...]:
        return duties(self.facts(), rules)


COUNTS = (
    "calls",
    "copies_before",
    "documents",
    "lent",
    "lost",
    "persons",
    "persons_least",
    "persons_most",
    "plain",
    "recordings",
    "released",
    "sealed",
    "spooled",
    "strangers",
    "values",
)
"""What an assessment counts; ``docs/audit-kinds.md`` says what each is."""


def incidents_of(rows: Iterable[Row]) -> dict[int, Incident]:
    """Every incident, by its number; ``rows`` in order, of any kinds.

    Rows about an incident that no row opened say nothing.
    """
    found: dict[int, Incident] = {}
    for row in rows:
        if row.kind == Kind.INCIDENT_OPENED:
            found[row.seq] = _opened(row)
            continue
        change = _CHANGES.get(row.kind)
        number: Any = row.detail.get("incident")
        if change is not None and number in found:
            found[number] = change(found[number], row)
    return found


def worst(found: Iterable[NotificationDuty], now_ms: int, remind_ms: int) -> Standing:
    """The most urgent standing of all; ``done`` where nothing is to be done."""
    order = (Standing.OVERDUE, Standing.DUE_SOON, Standing.OPEN)
    there = {standing(duty, now_ms, remind_ms) for duty in found}
    return next((one for one in order if one in there), Standing.DONE)


def counts_by_standing(
    found: Iterable[Incident], rules: Iterable[LeakRule], now_ms: int, remind_ms: int
) -> dict[str, int]:
    """How many incidents are not closed, by their most urgent duty."""
    rules = tuple(rules)
    counted = dict.fromkeys(map(str, Standing), 0)
    del counted[Standing.FREED]
    for one in found:
        if one.closed is None:
            counted[worst(one.duties(rules), now_ms, remind_ms)] += 1
    return counted


def unsaid(one: Incident, rules: Iterable[LeakRule], now_ms: int) -> tuple[NotificationDuty, ...]:
    """The duties that are overdue at ``now_ms`` and of which no row says so yet."""
    if one.closed is not None:
        return ()
    return tuple(
        duty
        for duty in one.duties(rules)
        if standing(duty, now_ms, 0) is Standing.OVERDUE
        and (duty.rule, duty.step, duty.due_ms) not in one.overdue
    )


def hinders(
    outcome: IncidentOutcome, found: Iterable[NotificationDuty]
) -> tuple[NotificationDuty, ...]:
    """The open duties because of which an incident cannot be closed in this way."""
    left = [duty for duty in found if duty.is_open]
    match outcome:
        case IncidentOutcome.REPORTED | IncidentOutcome.NOT_REPORTABLE:
            return tuple(left)
        case IncidentOutcome.NO_RISK:  # whoever works for a client leaves that judgement to him
            return tuple(
                duty
                for duty in left
                if not _is_of(duty, ReportStep.NOTIFICATION, ReportStep.PERSONS)
            )
        case IncidentOutcome.NO_HIGH_RISK:
            return tuple(duty for duty in left if not _is_of(duty, ReportStep.PERSONS))
        case _:
            return ()


def _is_of(duty: NotificationDuty, *steps: ReportStep) -> bool:
    return duty.regime is Regime.EU and duty.step in steps


# -- rows ---------------------------------------------------------------------------------------


def _opened(row: Row) -> Incident:
    detail = row.detail
    return Incident(
        row.seq,
        milliseconds(row.at),
        known_ms=_moment(detail, "known_at") or milliseconds(row.at),
        since_ms=_moment(detail, "since_at"),
        until_ms=_moment(detail, "until_at"),
        categories=_categories(detail),
        regimes=frozenset(map(Regime, _texts(detail, "regimes"))),
        contractor=detail.get("contractor") is True,
        key_affected=detail.get("key_affected") is True,
    )


def _amended(one: Incident, row: Row) -> Incident:
    """The facts as they are known now, whole, and a step that was not taken after all."""
    detail = row.detail
    return replace(
        one,
        known_ms=_moment(detail, "known_at") or one.known_ms,
        categories=_categories(detail),
        regimes=frozenset(map(Regime, _texts(detail, "regimes"))),
        contractor=detail["contractor"] is True,
        key_affected=detail["key_affected"] is True,
        reported=tuple(told for told in one.reported if told.step != detail["not_sent"]),
    )


def _assessed(one: Incident, row: Row) -> Incident:
    detail: Mapping[str, Any] = row.detail
    found = Assessed(
        row.seq,
        milliseconds(row.at),
        _moment(detail, "since_at"),
        _moment(detail, "until_at"),
        int(detail["size"]),
        tuple(map(IncidentPlace, _texts(detail, "places"))),
        {name: int(detail[name]) for name in COUNTS},
        _texts(detail, "recipients"),
        detail["encrypted"] is True,
        str(detail["digest"]),
    )
    return replace(
        one,
        assessed=found,
        categories=_categories(detail),
        key_affected=detail["key_affected"] is True,
    )


def _reported(one: Incident, row: Row) -> Incident:
    told = Reported(
        row.seq,
        ReportStep(str(row.detail["step"])),
        _moment(row.detail, "sent_at") or milliseconds(row.at),
        str(row.detail["sha256"]),
        str(row.detail["reference"]),
    )
    return replace(one, reported=(*one.reported, told))


def _noted(one: Incident, row: Row) -> Incident:
    note = Note(row.seq, ReportItem(str(row.detail["item"])), milliseconds(row.at))
    return replace(one, notes=(*one.notes, note))


def _overdue(one: Incident, row: Row) -> Incident:
    detail = row.detail
    duty = (str(detail["rule"]), ReportStep(str(detail["step"])), _moment(detail, "due_at"))
    return replace(one, overdue=one.overdue | {duty})


def _closed(one: Incident, row: Row) -> Incident:
    return replace(one, closed=IncidentOutcome(str(row.detail["outcome"])))


_CHANGES: Mapping[str, Callable[[Incident, Row], Incident]] = {
    Kind.INCIDENT_AMENDED: _amended,
    Kind.INCIDENT_ASSESSED: _assessed,
    Kind.INCIDENT_REPORTED: _reported,
    Kind.INCIDENT_NOTED: _noted,
    Kind.INCIDENT_OVERDUE: _overdue,
    Kind.INCIDENT_CLOSED: _closed,
}


def _categories(detail: Mapping[str, Any]) -> frozenset[Category]:
    return frozenset(map(Category, _texts(detail, "categories")))


def _texts(detail: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = detail.get(name)
    return value if isinstance(value, tuple) else ()


def _moment(detail: Mapping[str, Any], name: str) -> int | None:
    value = detail.get(name)
    return milliseconds(value) if value else None
