"""The rows of copies that are lent, and what a service that died owes of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from asterisk_compliance.app.shared.marks import staff
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.domain.access.hearing_state import HearingReason, LoanEnd, TelephoneLoan
from asterisk_compliance.domain.access.loans import KINDS, left_open
from asterisk_compliance.domain.audit.encoding import Row, decode, timestamp
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.ids import CallId, LoanId, NodeName, RecordingId
from asterisk_compliance.storage.log.reader import RowQuery, StoreReader


@dataclass(frozen=True, slots=True)
class Lending:
    """What is lent, before it is there.

    Attributes:
        node: From which Asterisk the recording is.
        directions: Whose voices: ``own`` or ``both``.
        user: Who lends it, as the kernel knows him.
    """

    recording: RecordingId
    call: CallId
    node: NodeName
    request: str
    directions: str
    user: str


def lent_draft(what: Lending, loan: LoanId, length_ms: int, sha256: str, expires_ms: int) -> Draft:
    who = staff(what.user)
    return Draft(
        Kind.HEARING_LENT,
        unix_ms(),
        what.node,
        call=what.call,
        actor=who.actor,
        detail={
            "directions": what.directions,
            "expires_at": timestamp(expires_ms),
            "length_ms": length_ms,
            "loan": loan,
            "recording": what.recording,
            "request": what.request,
            "sha256": sha256,
        },
        party=who.party,
        role="staff",
        facts=who.facts,
    )


def removed_draft(loan: TelephoneLoan, node: NodeName, why: LoanEnd) -> Draft:
    return Draft(
        Kind.HEARING_REMOVED,
        unix_ms(),
        node,
        call=loan.call,
        detail={
            "loan": loan.id,
            "reason": why,
            "recording": loan.recording,
            "request": loan.request,
        },
    )


def owed_drafts(store: Path, *, gone: bool) -> list[Draft]:
    """What a service that died left unsaid: how hearings ended, and that copies are gone.

    Args:
        store: Where the log is.
        gone: The copies are; else nothing is said of them.

    Raises:
        StoreError: the log cannot be read.
    """
    rows: list[Row] = []
    with StoreReader(store) as reader:
        for kind in KINDS:
            rows += [decode(row.data) for row in reader.rows(RowQuery(kind=kind))]
    owed = left_open(sorted(rows, key=lambda row: row.seq))
    return [*map(_died, owed.begun), *(map(_gone, owed.lent) if gone else ())]


def _died(row: Row) -> Draft:
    return Draft(
        Kind.HEARING_ENDED,
        unix_ms(),
        row.node,
        call=row.call,
        detail={
            "channel": row.detail["channel"],
            "heard_ms": None,
            "loan": row.detail["loan"],
            "reason": HearingReason.SERVICE_DIED,
            "recording": row.detail["recording"],
            "request": row.detail["request"],
        },
    )


def _gone(row: Row) -> Draft:
    return Draft(
        Kind.HEARING_REMOVED,
        unix_ms(),
        row.node,
        call=row.call,
        detail={
            "loan": row.detail["loan"],
            "reason": LoanEnd.SERVICE_RESTARTED,
            "recording": row.detail["recording"],
            "request": row.detail["request"],
        },
    )
