"""One call folded from its rows, as far as a reconciliation needs it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from asterisk_compliance.domain.audit.encoding import milliseconds
from asterisk_compliance.domain.audit.rows import Kind

_NO_LINKEDID = frozenset({"", "none"})
"""What stands in a row where the routine passed none."""

_OUTCOMES = {
    Kind.RECORDING_CLOSED: "closed",
    Kind.RECORDING_EMPTY: "empty",
    Kind.RECORDING_MISSING: "missing",
    Kind.RECORDING_UNJUDGED: "unjudged",
}


class RowDetail(msgspec.Struct, frozen=True):
    """The details that are compared; a row can have many others."""

    channel: Any = None
    linkedid: Any = None
    status: Any = None
    reason: Any = None
    recording: Any = None
    sha256: Any = None
    observed_late: Any = None


class RowFact(msgspec.Struct, frozen=True):
    """The part of a row that is compared: quicker to read than a whole one."""

    kind: str
    at: str
    detail: RowDetail = RowDetail()


@dataclass(frozen=True, slots=True)
class LoggedDecision:
    """Both empty: the call is known, and has no decision."""

    status: str = ""
    reason: str = ""


@dataclass(slots=True)
class LoggedRecording:
    """One recording.

    Attributes:
        outcome: ``closed``, ``empty``, ``missing``, ``unjudged``, or empty: not concluded.
        sha256: Of the file in the vault, if it is ``closed``: of the ciphertext, if it is sealed.
        sealed: It was encrypted.
        removed: The log says that it was deleted from the vault.
        disposing: Its disposal has begun, and nobody has written that it is over.
    """

    requested: bool = False
    outcome: str = ""
    sha256: str = ""
    sealed: bool = False
    removed: bool = False
    disposing: bool = False


@dataclass(slots=True)
class LoggedCall:
    """One call.

    Attributes:
        channel: ``uniqueid`` of its channel; empty if no row says that it arrived.
        linkedid: Empty where none is known.
        told: A row says that a notice was completed, as far as the dialplan can tell at least.
        reentered: The routine was entered again, and got the standing decision.
        ended_ms: Unix milliseconds; ``None``: not ended, as far as the log knows.
        ended_late: It ended at some time before that, and nobody saw it.
        recordings: By id.
    """

    call: str
    channel: str = ""
    linkedid: str = ""
    decisions: list[LoggedDecision] = field(default_factory=list)
    told: bool = False
    reentered: bool = False
    ended_ms: int | None = None
    ended_late: bool = False
    recordings: dict[str, LoggedRecording] = field(default_factory=dict)

    @property
    def arrived_ms(self) -> int:
        return minted_ms(self.call)

    @property
    def names(self) -> tuple[str, ...]:
        """What a CDR can call it: our id, its channel, and the first channel of its group."""
        return tuple(name for name in (self.call, self.channel, self.linkedid) if name)

    def over_for(self, ms: int, now_ms: int) -> bool:
        """Whether it ended at least so long ago."""
        return self.ended_ms is not None and now_ms - self.ended_ms >= ms


def minted_ms(call: str) -> int:
    """When the id of a call was made, as the id says: Unix milliseconds."""
    return int(call[2:14], 16)


def fold(call: str, rows: Iterable[RowFact]) -> LoggedCall:
    """A call from all of its rows, in order. Kinds that are not compared change nothing."""
    logged = LoggedCall(call)
    for row in rows:
        detail = row.detail
        match row.kind:
            case Kind.CALL_ARRIVED:
                logged.channel = _text(detail.channel)
                linkedid = _text(detail.linkedid)
                logged.linkedid = "" if linkedid in _NO_LINKEDID else linkedid
            case Kind.NOTICE_COMPLETED | Kind.RECORDING_ADOPTED:
                logged.told = True
            case Kind.DECISION:
                logged.decisions.append(LoggedDecision(_text(detail.status), _text(detail.reason)))
            case Kind.CALL_REENTERED:
                logged.reentered = True
            case Kind.CALL_ENDED:
                logged.ended_ms = milliseconds(row.at)
                logged.ended_late = detail.observed_late is True
            case _:
                pass
        if recording := _text(detail.recording):
            _fold_recording(logged.recordings.setdefault(recording, LoggedRecording()), row)
    return logged


def _fold_recording(recording: LoggedRecording, row: RowFact) -> None:
    match row.kind:
        case Kind.RECORDING_REQUESTED | Kind.RECORDING_ADOPTED:
            recording.requested = True
        case Kind.RECORDING_REMOVED | Kind.RECORDING_DISPOSED:
            recording.removed = True
        case Kind.DISPOSAL_BEGUN:
            recording.disposing = True
        case Kind.RECORDING_SEALED:
            recording.sealed = True
            recording.sha256 = _text(row.detail.sha256)
        case Kind.RECORDING_RELEASED | Kind.RECORDING_DRILLED | Kind.DISPOSAL_FAILED:
            pass
        case _:
            recording.outcome = _OUTCOMES.get(row.kind, recording.outcome)  # type: ignore[call-overload]
            recording.sha256 = _text(row.detail.sha256) or recording.sha256


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
