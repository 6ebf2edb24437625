"""Placing and releasing legal holds, through the running service or with the store's lock."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from asterisk_compliance.app.retention.disposal import Committer
from asterisk_compliance.app.shared.marks import staff
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.config.consistency import SERVICE_NODE
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.audit.encoding import milliseconds, timestamp
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.domain.phone_numbers import notations
from asterisk_compliance.domain.retention.erasure import authority_problem
from asterisk_compliance.domain.retention.legal_holds import Criteria, HoldProblem
from asterisk_compliance.errors import ComplianceError
from asterisk_compliance.ids import CallId, NodeName, is_call_id
from asterisk_compliance.storage.log.legal_holds import (
    StoredHold,
    calls_held,
    every_hold,
    user_digest,
)
from asterisk_compliance.storage.log.reader import CallQuery, StoreReader

_QUEUE = re.compile(r"[A-Za-z0-9_.-]{0,64}")
"""As a routine passes it on."""
_HINTS = {
    HoldProblem.EMPTY: "say at least one of --call, --number, --queue, --since and --until",
    HoldProblem.ORDER: "--since comes before --until",
}


class BadHold(ComplianceError):
    """What was asked for makes no sense."""

    exit_code = 2


class NoSuchHold(ComplianceError):
    hint = "holds list shows those that hold"


class SamePerson(ComplianceError):
    """Who placed a hold cannot release it alone (``release_by_second``)."""

    hint = "a second person must release it, as another user of the operating system"


@dataclass(frozen=True, slots=True)
class HoldDraft:
    """A hold as somebody asked for it.

    Attributes:
        number: Of a telephone, in any notation; empty: it is about none.
        criteria: Without the number.
    """

    matter: str
    criteria: Criteria
    number: str = ""

    def draft(self, home: str | None, user: str) -> Draft:
        """The row that places it.

        Raises:
            BadHold: the matter could name a person, or the hold is about nothing, or everything.
        """
        if problem := authority_problem(self.matter, [self.number] if self.number else []):
            raise BadHold(f"this is no matter: {problem}", hint="CASE-2026-17")
        held = notations(self.number, home) if self.number else ()
        if self.number and not held:
            raise BadHold("there is no digit in this number")
        if not _QUEUE.fullmatch(self.criteria.queue):
            raise BadHold("no queue of the dialplan is called so")
        said = replace(self.criteria, numbered=bool(held))
        if wrong := said.problem():
            raise BadHold("this is no hold", hint=_HINTS[wrong])
        who = staff(user)
        return Draft(
            Kind.HOLD_PLACED,
            unix_ms(),
            NodeName(SERVICE_NODE),
            call=said.call,
            actor=who.actor,
            detail={
                "matter": self.matter,
                "numbered": said.numbered,
                "queue": said.queue,
                "since_ms": said.since_ms,
                "until_ms": said.until_ms,
            },
            party=who.party,
            role="staff",
            facts=who.facts,
            held=held,
        )


def read_wish(arguments: Mapping[str, str]) -> HoldDraft:
    """A hold as the command line passes it on: empty values say nothing, times are as in rows.

    Raises:
        BadHold: there is no such call, or no such time.
    """
    call = arguments.get("call", "")
    if call and not is_call_id(call):
        raise BadHold("this is no id of a call: c-…")
    try:
        since, until = (_moment_ms(arguments.get(name, "")) for name in ("since", "until"))
    except (ValueError, TypeError):
        raise BadHold("this is no time", hint="2026-11-24T08:00:00.000Z") from None
    criteria = Criteria(
        call=CallId(call) if call else None,
        queue=arguments.get("queue", ""),
        since_ms=since,
        until_ms=until,
    )
    return HoldDraft(arguments.get("matter", ""), criteria, arguments.get("number", ""))


def _moment_ms(text: str) -> int | None:
    """Raises ValueError or TypeError: it is no time that a row can say."""
    if not text:
        return None
    ms = milliseconds(text)
    timestamp(ms)
    return ms


def place(
    settings: Settings, commit: Committer, user: str, arguments: Mapping[str, str]
) -> Mapping[str, Any]:
    """Place a hold in the user's name.

    Returns:
        ``hold``, the number of its row, and ``calls``: how many of the log it is about today.

    Raises:
        BadHold, StoreError: nothing is held.
    """
    draft = read_wish(arguments).draft(settings.rules.home, user)
    with StoreReader(settings.audit.store) as reader:
        if draft.call is not None and not reader.calls(CallQuery(call=draft.call)):
            raise BadHold("no row speaks of this call")
        number = commit(draft)
        placed = _the(reader, number)
        return {"hold": number, "calls": calls_held(reader, placed.hold)}


def release(
    settings: Settings, commit: Committer, user: str, arguments: Mapping[str, str]
) -> Mapping[str, Any]:
    """Release one hold, or all of a matter, in the user's name.

    Args:
        settings: Say whether a second person must do it.
        commit: Of the log.
        user: Of the operating system.
        arguments: ``matter``, and ``hold`` where it is one of several.

    Returns:
        ``released``: the numbers of the holds.

    Raises:
        NoSuchHold: there is none that still holds.
        SamePerson: the same user placed one of them; then none is released.
        StoreError: it could not be written.
    """
    matter, hold = arguments.get("matter", ""), arguments.get("hold", "")
    with StoreReader(settings.audit.store) as reader:
        theirs = [
            one
            for one in every_hold(reader)
            if one.hold.matter == matter
            and not one.released_at
            and hold in {"", str(one.hold.number)}
        ]
        own = user_digest(reader, user)
    if not theirs:
        raise NoSuchHold("nothing is held for this matter")
    if settings.retention.release_by_second and any(one.placed_by == own for one in theirs):
        raise SamePerson("you placed this hold")
    for one in theirs:
        commit(_release_draft(one, user))
    return {"released": [one.hold.number for one in theirs]}


def _release_draft(one: StoredHold, user: str) -> Draft:
    who = staff(user)
    return Draft(
        Kind.HOLD_RELEASED,
        unix_ms(),
        NodeName(SERVICE_NODE),
        call=one.hold.criteria.call,
        actor=who.actor,
        detail={"hold": one.hold.number, "matter": one.hold.matter},
        party=who.party,
        role="staff",
        facts=who.facts,
    )


def _the(reader: StoreReader, number: int) -> StoredHold:
    return next(one for one in every_hold(reader) if one.hold.number == number)


def listed(reader: StoreReader, *, released: bool = False) -> list[Mapping[str, Any]]:
    """Every hold, as the command line shows it: the oldest first."""
    return [
        {
            "hold": one.hold.number,
            "matter": one.hold.matter,
            "placed_at": one.placed_at,
            "released_at": one.released_at or None,
            "call": one.hold.criteria.call,
            "numbered": one.hold.criteria.numbered,
            "queue": one.hold.criteria.queue or None,
            "since": _at(one.hold.criteria.since_ms),
            "until": _at(one.hold.criteria.until_ms),
            "calls": calls_held(reader, one.hold),
        }
        for one in every_hold(reader)
        if released or not one.released_at
    ]


def _at(ms: int | None) -> str | None:
    return None if ms is None else timestamp(ms)
