"""The rows about incidents, and what a command says of them, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from hashlib import sha256
from typing import TypeVar

import msgspec

from asterisk_compliance.config.consistency import SERVICE_NODE
from asterisk_compliance.domain.audit.encoding import milliseconds, timestamp
from asterisk_compliance.domain.audit.rows import Detail, Draft, Kind, PersonalFact
from asterisk_compliance.domain.call.events import AskedBy
from asterisk_compliance.domain.incidents.exposure import Assessment, Window
from asterisk_compliance.domain.incidents.notification_duties import NotificationDuty, ReportStep
from asterisk_compliance.domain.incidents.state import (
    COUNTS,
    IncidentOutcome,
    IncidentPlace,
    ReportItem,
)
from asterisk_compliance.errors import ComplianceError
from asterisk_compliance.ids import NodeName

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_E = TypeVar("_E", bound=StrEnum)


class BadIncident(ComplianceError):
    """What was asked for makes no sense."""

    exit_code = 2


class AssessmentInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an assessment found, as a command says it; fields as of the row."""

    since_at: str
    until_at: str
    size: int
    places: tuple[str, ...]
    counts: dict[str, int]
    recipients: tuple[str, ...]
    encrypted: bool
    digest: str


def handed_over(found: Assessment) -> str:
    """An assessment as the verb takes it: its numbers, and a digest of the list."""
    numbers = AssessmentInput(
        _at(found.window.since_ms),
        _at(found.window.until_ms),
        found.size,
        found.places,
        found.counts(),
        found.recipients,
        found.all_sealed,
        list_digest(found),
    )
    return msgspec.json.encode(numbers).decode()


def read_found(text: str) -> AssessmentInput:
    try:
        found = msgspec.json.decode(text, type=AssessmentInput)
    except msgspec.MsgspecError:
        raise BadIncident("this is no assessment", hint="is the service older than you?") from None
    wrong = (
        set(found.counts) != set(COUNTS)
        or min((found.size, *found.counts.values())) < 0
        or not set(found.places) <= set(IncidentPlace)
        or not all(map(_FINGERPRINT.fullmatch, found.recipients))
        or not _FINGERPRINT.fullmatch(found.digest)
    )
    if wrong:
        raise BadIncident("this is no assessment", hint="is the service older than you?")
    read_window({"since": found.since_at, "until": found.until_at})
    return found


def list_digest(found: Assessment) -> str:
    """SHA-256 of what was reached and lost, as ``assess --json`` lists it, hex."""
    listed = {"lost": found.lost, "reached": [one.as_json() for one in found.reached]}
    return sha256(msgspec.json.encode(listed, order="deterministic")).hexdigest()


# -- rows ---------------------------------------------------------------------------------------


def opened(
    who: AskedBy,
    now_ms: int,
    *,
    known_ms: int,
    window: Window,
    categories: tuple[str, ...],
    regimes: tuple[str, ...],
    contractor: bool,
    key_affected: bool,
) -> Draft:
    """Something leaked, or may have; its number is that of this row."""
    return _draft(
        Kind.INCIDENT_OPENED,
        who,
        now_ms,
        categories=categories,
        contractor=contractor,
        key_affected=key_affected,
        known_at=timestamp(known_ms),
        regimes=regimes,
        since_at=_at(window.since_ms),
        until_at=_at(window.until_ms),
    )


def amended(
    who: AskedBy,
    now_ms: int,
    number: int,
    *,
    known_ms: int,
    categories: tuple[str, ...],
    regimes: tuple[str, ...],
    contractor: bool,
    key_affected: bool,
    not_sent: str,
) -> Draft:
    """Something about it is otherwise; the facts whole, as they are known now."""
    return _draft(
        Kind.INCIDENT_AMENDED,
        who,
        now_ms,
        categories=categories,
        contractor=contractor,
        incident=number,
        key_affected=key_affected,
        known_at=timestamp(known_ms),
        not_sent=not_sent,
        regimes=regimes,
    )


def assessed(
    who: AskedBy,
    now_ms: int,
    number: int,
    found: AssessmentInput,
    categories: tuple[str, ...],
    key_affected: bool,
) -> Draft:
    """What could have been reached, as a command found it."""
    counts = found.counts
    return _draft(
        Kind.INCIDENT_ASSESSED,
        who,
        now_ms,
        calls=counts["calls"],
        categories=categories,
        copies_before=counts["copies_before"],
        digest=found.digest,
        documents=counts["documents"],
        encrypted=found.encrypted,
        incident=number,
        key_affected=key_affected,
        lent=counts["lent"],
        lost=counts["lost"],
        persons=counts["persons"],
        persons_least=counts["persons_least"],
        persons_most=counts["persons_most"],
        places=found.places,
        plain=counts["plain"],
        recipients=found.recipients,
        recordings=counts["recordings"],
        released=counts["released"],
        sealed=counts["sealed"],
        since_at=found.since_at,
        size=found.size,
        spooled=counts["spooled"],
        strangers=counts["strangers"],
        until_at=found.until_at,
        values=counts["values"],
    )


def reported(
    who: AskedBy,
    now_ms: int,
    number: int,
    step: ReportStep,
    sent_ms: int,
    sha256_hex: str,
    reference: str,
) -> Draft:
    """Somebody was told."""
    return _draft(
        Kind.INCIDENT_REPORTED,
        who,
        now_ms,
        incident=number,
        reference=reference,
        sent_at=timestamp(sent_ms),
        sha256=sha256_hex,
        step=step,
    )


def noted(who: AskedBy, now_ms: int, number: int, item: ReportItem, text: str) -> Draft:
    """Something for the report; the text stands beside the row."""
    facts = AskedBy(who.actor, who.party, (*who.facts, PersonalFact("text", text)))
    return _draft(Kind.INCIDENT_NOTED, facts, now_ms, incident=number, item=item)


def closed(who: AskedBy, now_ms: int, number: int, outcome: IncidentOutcome) -> Draft:
    """It is over."""
    return _draft(Kind.INCIDENT_CLOSED, who, now_ms, incident=number, outcome=outcome)


def overdue(number: int, duty: NotificationDuty, now_ms: int) -> Draft:
    """A duty became overdue; nobody asked."""
    return _draft(
        Kind.INCIDENT_OVERDUE,
        None,
        now_ms,
        due_at=_at(duty.due_ms),
        incident=number,
        rule=duty.rule,
        step=duty.step,
    )


def _draft(kind: Kind, who: AskedBy | None, now_ms: int, /, **detail: Detail) -> Draft:
    node = NodeName(SERVICE_NODE)
    if who is None:
        return Draft(kind, now_ms, node, detail=detail)
    return Draft(
        kind,
        now_ms,
        node,
        actor=who.actor,
        detail=detail,
        party=who.party,
        role="staff",
        facts=who.facts,
    )


# -- words of a request -------------------------------------------------------------------------


def read_window(arguments: Mapping[str, str]) -> Window:
    """``since`` and ``until``, as in rows.

    Raises:
        BadIncident: it ends before it begins.
    """
    window = Window(moment(arguments, "since"), moment(arguments, "until"))
    since_ms, until_ms = window.since_ms, window.until_ms
    if since_ms is not None and until_ms is not None and since_ms >= until_ms:
        raise BadIncident("it ends before it begins", hint="--since comes before --until")
    return window


def moment(arguments: Mapping[str, str], name: str) -> int | None:
    text = arguments.get(name, "")
    try:
        return milliseconds(text) if text else None
    except (ValueError, TypeError):
        raise BadIncident(f"{name} is no time") from None


def _at(ms: int | None) -> str:
    return "" if ms is None else timestamp(ms)


def words(kind: type[_E], arguments: Mapping[str, str], name: str) -> tuple[_E, ...]:
    given = [word for word in arguments.get(name, "").split(",") if word]
    if not set(given) <= set(kind):
        raise BadIncident(f"{name}: there is no such word", hint=f"one of {', '.join(kind)}")
    return tuple(sorted({kind(word) for word in given}))


def word(kind: type[_E], arguments: Mapping[str, str], name: str) -> _E | None:
    """One word; ``None``: nothing was said."""
    given = arguments.get(name, "")
    if given and given not in set(kind):
        raise BadIncident(f"{name}: there is no such word", hint=f"one of {', '.join(kind)}")
    return kind(given) if given else None


def truth(arguments: Mapping[str, str], name: str, *, otherwise: bool = False) -> bool:
    match arguments.get(name, ""):
        case "":
            return otherwise
        case "yes":
            return True
        case "no":
            return False
        case _:
            raise BadIncident(f"{name} is yes or no")
