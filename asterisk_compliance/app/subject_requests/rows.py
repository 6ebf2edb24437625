"""The rows of requests. What identifies people stands beside them, as facts of a party."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from asterisk_compliance.app.shared.marks import staff
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.config.consistency import SERVICE_NODE
from asterisk_compliance.domain.audit.encoding import timestamp
from asterisk_compliance.domain.audit.rows import Actor, Detail, Draft, Kind, PersonalFact
from asterisk_compliance.domain.call.events import AskedBy as Doer
from asterisk_compliance.domain.deadlines import Regime, ResponseDeadline
from asterisk_compliance.domain.subject_requests.codes import Requester, Right, SearchBasis
from asterisk_compliance.domain.subject_requests.requests import SubjectRequest
from asterisk_compliance.domain.subject_requests.steps import RequestDecision
from asterisk_compliance.ids import CallId, NodeName, PartyId, RequestId, call_id, party_id

REQUESTER = "requester"
"""The role of who asks."""
CORRECTION = "correction"
"""The personal field that holds what a person says is right."""


@dataclass(frozen=True, slots=True)
class RequestOpening:
    """A request that reached us.

    Attributes:
        due: When an answer is late.
        fee: That it costs.
        values: What identifies who asks, by field; empty ones are not kept.
    """

    request: RequestId
    right: Right
    regime: Regime
    by: Requester
    received_ms: int
    due: ResponseDeadline
    fee: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Search:
    """For which calls somebody looked, and what he found.

    Attributes:
        since, until: As in rows; empty: without a limit.
        calls: With each, the party in it that is the person; empty if that is not known.
    """

    by: SearchBasis
    since: str
    until: str
    calls: Mapping[CallId, str]


def opened(one: RequestOpening, searches: Sequence[Search], user: str) -> list[Draft]:
    """The rows that open a request, with the calls that it is about."""
    who = staff(user)
    requester = party_id(call_id(unix_ms(), secrets.token_bytes(8)), 1)
    facts = tuple(PersonalFact(field, value) for field, value in one.values.items() if value)
    first = _draft(
        Kind.REQUEST_OPENED,
        who,
        basis=one.due.basis,
        by=one.by,
        due_at=timestamp(one.due.at_ms),
        fee=one.fee,
        legal_at=None if one.due.legal_ms is None else timestamp(one.due.legal_ms),
        received_at=timestamp(one.received_ms),
        regime=one.regime,
        request=one.request,
        requester=requester,
        right=one.right,
    )
    second = Draft(
        Kind.REQUEST_REQUESTER,
        unix_ms(),
        NodeName(SERVICE_NODE),
        actor=who.actor,
        detail={"request": one.request},
        party=requester,
        role=REQUESTER,
        facts=facts,
    )
    return [first, second, *searched(one.request, {}, searches, user)]


def searched(
    request: RequestId, known: Mapping[CallId, str], searches: Iterable[Search], user: str
) -> list[Draft]:
    """The rows of searches; of calls that the request is about already there is none more."""
    drafts: list[Draft] = []
    about = set(known)
    for one in searches:
        who = staff(user)
        new = {call: person for call, person in one.calls.items() if call not in about}
        about |= set(new)
        drafts.append(
            _draft(
                Kind.REQUEST_SEARCHED,
                who,
                by=one.by,
                found=len(one.calls),
                new=len(new),
                request=request,
                since=one.since,
                until=one.until,
            )
        )
        drafts += [_call(request, call, person, one.by, who) for call, person in new.items()]
    return drafts


def _call(request: RequestId, call: CallId, person: str, by: SearchBasis, who: Doer) -> Draft:
    return Draft(
        Kind.REQUEST_CALL,
        unix_ms(),
        NodeName(SERVICE_NODE),
        call=call,
        actor=who.actor,
        detail={"by": by, "request": request},
        party=PartyId(person) if person else None,
    )


def identified(request: RequestId, how: str, authority: str, user: str) -> Draft:
    who = staff(user)
    return _draft(Kind.REQUEST_IDENTIFIED, who, authority=authority, how=how, request=request)


def extended(request: RequestId, due_ms: int, reason: str, means: str, user: str) -> Draft:
    """``means``: how the person was told."""
    return _draft(
        Kind.REQUEST_EXTENDED,
        staff(user),
        due_at=timestamp(due_ms),
        means=means,
        reason=reason,
        request=request,
    )


def decided(request: RequestId, wish: RequestDecision, who: Doer) -> Draft:
    return _draft(
        Kind.REQUEST_DECIDED,
        who,
        cause=wish.cause,
        excepted=tuple(sorted(wish.excepted)),
        ground=wish.ground,
        matters=tuple(sorted({matter for matters in wish.held.values() for matter in matters})),
        purposes=wish.purposes,
        reason=wish.reason,
        request=request,
        verdict=wish.verdict,
    )


def use_stopped(
    request: RequestId, calls: Iterable[CallId], purposes: tuple[str, ...], who: Doer
) -> list[Draft]:
    """One row for each call that may not be used any longer; for no purpose, if none is named."""
    return [
        Draft(
            Kind.USE_STOPPED,
            unix_ms(),
            NodeName(SERVICE_NODE),
            call=call,
            actor=who.actor,
            detail={"purposes": purposes, "request": request},
        )
        for call in sorted(calls)
    ]


def use_resumed(request: SubjectRequest, who: Doer) -> list[Draft]:
    """What :func:`use_stopped` stopped may be used again."""
    return [
        Draft(
            Kind.USE_RESUMED,
            unix_ms(),
            NodeName(SERVICE_NODE),
            call=call,
            actor=who.actor,
            detail={"purposes": request.purposes, "request": request.request},
        )
        for call in sorted(request.granted)
    ]


def annotated(
    request: RequestId, persons: Mapping[CallId, PartyId], text: str, who: Doer
) -> list[Draft]:
    """What the person says is right, beside each call; a value of that person, not of the row.

    Args:
        request: Where it was asked for.
        persons: Of each call, the party with whom the text goes when it is erased.
        text: In the person's words.
        who: Of the staff.
    """
    return [
        Draft(
            Kind.CALL_ANNOTATED,
            unix_ms(),
            NodeName(SERVICE_NODE),
            call=call,
            actor=who.actor,
            detail={"request": request},
            party=person,
            facts=(PersonalFact(CORRECTION, text),),
        )
        for call, person in sorted(persons.items())
    ]


def begun(request: RequestId, recordings: int, parties: int, who: Doer) -> Draft:
    return _draft(Kind.REQUEST_BEGUN, who, parties=parties, recordings=recordings, request=request)


def carried_out(
    request: RequestId,
    kept: Mapping[CallId, tuple[str, ...]],
    who: Doer,
) -> Draft:
    """``kept``: the calls that a hold saved, with its matters; the rest is gone."""
    return Draft(
        Kind.REQUEST_CARRIED_OUT,
        unix_ms(),
        NodeName(SERVICE_NODE),
        actor=who.actor,
        detail={
            "kept": tuple(sorted(kept)),
            "matters": tuple(sorted({one for matters in kept.values() for one in matters})),
            "request": request,
        },
    )


def answered(
    request: RequestId, means: str, given: Sequence[str], receipt: str, package: str, user: str
) -> Draft:
    """``receipt``, ``package``: SHA-256 of what was handed over; empty: it was not."""
    return _draft(
        Kind.REQUEST_ANSWERED,
        staff(user),
        given=tuple(sorted(given)),
        means=means,
        package=package,
        receipt=receipt,
        request=request,
    )


def withdrawn(request: RequestId, reason: str, who: Doer) -> Draft:
    return _draft(Kind.REQUEST_WITHDRAWN, who, reason=reason, request=request)


def overdue(request: SubjectRequest) -> Draft:
    """Written by the service, once."""
    return Draft(
        Kind.REQUEST_OVERDUE,
        unix_ms(),
        NodeName(SERVICE_NODE),
        actor=Actor.SERVICE,
        detail={"due_at": timestamp(request.due_ms), "request": request.request},
    )


def _draft(kind: Kind, who: Doer, **detail: Detail) -> Draft:
    return Draft(
        kind,
        unix_ms(),
        NodeName(SERVICE_NODE),
        actor=who.actor,
        detail=detail,
        party=who.party,
        role="staff",
        facts=who.facts,
    )
