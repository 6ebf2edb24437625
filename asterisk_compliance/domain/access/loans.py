"""Which copies are lent for hearing by telephone, folded from rows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from asterisk_compliance.domain.access.hearing_state import LoanEnd
from asterisk_compliance.domain.audit.encoding import Row
from asterisk_compliance.domain.audit.rows import Detail, Kind

KINDS = (
    Kind.HEARING_LENT,
    Kind.HEARING_REMOVED,
    Kind.HEARING_BEGUN,
    Kind.HEARING_COMPLETED,
    Kind.HEARING_ENDED,
)
"""The kinds that :func:`left_open` reads."""


@dataclass(frozen=True, slots=True)
class LeftOpen:
    """What a service that died owes the log.

    Attributes:
        lent: Rows of copies that nobody removed.
        begun: Rows of hearings of which nobody says how they ended.
    """

    lent: tuple[Row, ...]
    begun: tuple[Row, ...]


def left_open(rows: Iterable[Row]) -> LeftOpen:
    """Args: ``rows``: in order of ``seq``; other kinds may be among them."""
    lent: dict[Detail, Row] = {}
    begun: dict[tuple[Detail, Detail], Row] = {}
    for row in rows:
        loan, channel = row.detail.get("loan"), row.detail.get("channel")
        match row.kind:
            case Kind.HEARING_LENT:
                lent[loan] = row
            case Kind.HEARING_REMOVED:
                lent.pop(loan, None)
            case Kind.HEARING_BEGUN:
                begun[loan, channel] = row
            case Kind.HEARING_COMPLETED | Kind.HEARING_ENDED:
                begun.pop((loan, channel), None)
            case _:
                pass
    return LeftOpen(tuple(lent.values()), tuple(begun.values()))


@dataclass(frozen=True, slots=True)
class Ending:
    """What takes copies with it: one recording, or one request; the other one is empty."""

    why: LoanEnd
    recording: str = ""
    request: str = ""

    def ends(self, recording: str, request: str) -> bool:
        """Whether the copy of ``recording`` that was lent for ``request`` has to go."""
        return recording == self.recording or request == self.request


def ended_by(kind: Kind, detail: Mapping[str, Detail]) -> Ending | None:
    """What a row means for copies: with a recording goes every copy of it (APPI Article 22)."""
    match kind:
        case Kind.DISPOSAL_BEGUN | Kind.RECORDING_REMOVED:
            return Ending(LoanEnd.DISPOSED, recording=str(detail.get("recording")))
        case Kind.REQUEST_WITHDRAWN:
            return Ending(LoanEnd.WITHDRAWN, request=str(detail.get("request")))
        case _:
            return None
