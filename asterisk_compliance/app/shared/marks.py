"""Marks that staff put into the log to find a moment again, and staff as an actor of rows."""

from __future__ import annotations

import secrets
from enum import StrEnum

from asterisk_compliance.clock import unix_ms
from asterisk_compliance.config.consistency import SERVICE_NODE
from asterisk_compliance.domain.audit.rows import Draft, Kind, PersonalFact
from asterisk_compliance.domain.call.events import AskedBy
from asterisk_compliance.errors import ComplianceError
from asterisk_compliance.ids import NodeName, call_id, party_id


class Mark(StrEnum):
    """Why the log was marked."""

    INSPECTION = "INSPECTION"
    MAINTENANCE = "MAINTENANCE"
    INCIDENT = "INCIDENT"
    TEST = "TEST"


class UnknownMark(ComplianceError):
    exit_code = 2


def mark_draft(code: str, user: str) -> Draft:
    """A ``mark`` row by a member of the staff.

    ``user`` is the operating system's; it stands only in the table of persons.

    Raises:
        UnknownMark: ``code`` is not one of :class:`Mark`.
    """
    if code not in set(Mark):
        raise UnknownMark("there is no such mark", hint=f"one of {', '.join(Mark)}")
    who = staff(user)
    return Draft(
        Kind.MARK,
        unix_ms(),
        NodeName(SERVICE_NODE),
        actor=who.actor,
        detail={"code": code},
        party=who.party,
        role="staff",
        facts=who.facts,
    )


def staff(user: str) -> AskedBy:
    """A member of the staff, as rows name one: the user stands in the table of persons alone."""
    party = party_id(call_id(unix_ms(), secrets.token_bytes(8)), 1)
    return AskedBy(party, party, (PersonalFact("user", user, user),))
