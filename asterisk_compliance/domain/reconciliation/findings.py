"""Ids of reconciliation findings, with meaning and remedy (``docs/reconcile.md``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple


class ReconciliationFindingId(StrEnum):
    """Stable: programs may look for one. ``docs/reconcile.md`` explains each."""

    CALL_NEVER_TOLD = "CALL_NEVER_TOLD"
    CDR_WITHOUT_ROW = "CDR_WITHOUT_ROW"
    ROW_WITHOUT_CDR = "ROW_WITHOUT_CDR"
    DECISION_DIFFERS = "DECISION_DIFFERS"
    CDR_UNREADABLE = "CDR_UNREADABLE"
    CALL_WITHOUT_DECISION = "CALL_WITHOUT_DECISION"
    CALL_WITH_TWO_DECISIONS = "CALL_WITH_TWO_DECISIONS"
    CALL_NOT_ENDED = "CALL_NOT_ENDED"
    RECORDING_NOT_CONCLUDED = "RECORDING_NOT_CONCLUDED"
    FILE_UNKNOWN = "FILE_UNKNOWN"
    FILE_LEFT = "FILE_LEFT"
    FILE_MISSING = "FILE_MISSING"
    FILE_CHANGED = "FILE_CHANGED"
    FILE_WITHOUT_NOTICE = "FILE_WITHOUT_NOTICE"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    SERVICE_TIMED_OUT = "SERVICE_TIMED_OUT"
    EMERGENCY = "EMERGENCY"
    HEARING = "HEARING"
    FILE_QUARANTINED = "FILE_QUARANTINED"
    FALLBACK_NOTICE = "FALLBACK_NOTICE"
    FALLBACK_NOT_ADOPTED = "FALLBACK_NOT_ADOPTED"


EXPLAINED: Final = frozenset(
    {
        ReconciliationFindingId.SERVICE_UNAVAILABLE,
        ReconciliationFindingId.SERVICE_TIMED_OUT,
        ReconciliationFindingId.EMERGENCY,
        ReconciliationFindingId.HEARING,
        ReconciliationFindingId.FILE_QUARANTINED,
        ReconciliationFindingId.FALLBACK_NOTICE,
    }
)


@dataclass(frozen=True, slots=True)
class ReconciliationFinding:
    """One thing that was found. It holds ids only, never a number or a name.

    Attributes:
        call: Our id, or empty.
        channel: Asterisk's ``uniqueid``, or empty.
        file: Name of a file, made of ids, or empty.
        at_ms: When the call began; ``None`` if nobody told.
        detail: What differs, where that is not the same for every such finding.
    """

    id: ReconciliationFindingId
    call: str = ""
    channel: str = ""
    recording: str = ""
    file: str = ""
    at_ms: int | None = None
    detail: str = ""

    @property
    def explained(self) -> bool:
        return self.id in EXPLAINED

    @property
    def subject(self) -> str:
        """The same for two findings that say the same; empty if nothing identifies it."""
        about = self.file or self.recording or self.call or self.channel
        return f"{self.id} {about}" if about else ""


class FindingWords(NamedTuple):
    """One sentence each, without a full stop."""

    what: str
    todo: str


WORDS: dict[ReconciliationFindingId, FindingWords] = {
    ReconciliationFindingId.CALL_NEVER_TOLD: FindingWords(
        "answered, and never reached the service",
        "call the routine before Queue() or Dial() in its context, or name the contexts that count",
    ),
    ReconciliationFindingId.CDR_WITHOUT_ROW: FindingWords(
        "the CDR names a call that the log does not know",
        "is this the right store? else verify the log: rows of a call were lost",
    ),
    ReconciliationFindingId.ROW_WITHOUT_CDR: FindingWords(
        "decided, and Asterisk has no CDR of it",
        "name every CDR file of the time, rotated ones too; else look why Asterisk wrote none",
    ),
    ReconciliationFindingId.DECISION_DIFFERS: FindingWords(
        "the CDR says another decision than the log",
        "look for what else sets CDR(userfield), and at calls show",
    ),
    ReconciliationFindingId.CDR_UNREADABLE: FindingWords(
        "records that cannot be compared",
        "set loguniqueid and loguserfield in cdr.conf, or name the columns",
    ),
    ReconciliationFindingId.CALL_WITHOUT_DECISION: FindingWords(
        "arrived, and has no decision",
        "look at calls show and at the service's log of that time",
    ),
    ReconciliationFindingId.CALL_WITH_TWO_DECISIONS: FindingWords(
        "has more than one initial decision",
        "verify the log; this is a defect of ours: report it",
    ),
    ReconciliationFindingId.CALL_NOT_ENDED: FindingWords(
        "began more than an hour ago, and has not ended",
        "ask Asterisk whether the channel is there; if not, the service did not see its end",
    ),
    ReconciliationFindingId.RECORDING_NOT_CONCLUDED: FindingWords(
        "the call is over, and nothing says what became of its recording",
        "look for its files in the spool and at the service's log of that time",
    ),
    ReconciliationFindingId.FILE_UNKNOWN: FindingWords(
        "a file of which no row speaks",
        "let nobody hear it; find out who put it there; is this the right store?",
    ),
    ReconciliationFindingId.FILE_LEFT: FindingWords(
        "a file that should not be there any more",
        "look at the outcome and at calls show; take it out of the spool by hand",
    ),
    ReconciliationFindingId.FILE_MISSING: FindingWords(
        "was closed and never removed, and is not in the vault",
        "restore it from a backup, or record why it is gone",
    ),
    ReconciliationFindingId.FILE_CHANGED: FindingWords(
        "is not the file whose digest the log holds",
        "do not rely on it; restore it from a backup",
    ),
    ReconciliationFindingId.FILE_WITHOUT_NOTICE: FindingWords(
        "a file of a call without a completed notice",
        "quarantine it: let nobody hear it, and decide with the compliance officer",
    ),
    ReconciliationFindingId.SERVICE_UNAVAILABLE: FindingWords(
        "the service was not there, and the call went on unrecorded",
        "look whether the service was down as long as you think",
    ),
    ReconciliationFindingId.SERVICE_TIMED_OUT: FindingWords(
        "the service did not answer in time, and the call went on unrecorded",
        "look why: the service's log, the load of the machine",
    ),
    ReconciliationFindingId.EMERGENCY: FindingWords(
        "an emergency number was dialled; neither told nor recorded",
        "nothing",
    ),
    ReconciliationFindingId.HEARING: FindingWords(
        "somebody wanted to hear a recording; such a call is neither told nor recorded",
        "nothing",
    ),
    ReconciliationFindingId.FILE_QUARANTINED: FindingWords(
        "a file that no call of the log knows, set aside by the service",
        "decide with the compliance officer what becomes of it",
    ),
    ReconciliationFindingId.FALLBACK_NOTICE: FindingWords(
        "told and recorded by the dialplan alone, and adopted",
        "look whether the service was down as long as you think",
    ),
    ReconciliationFindingId.FALLBACK_NOT_ADOPTED: FindingWords(
        "told and recorded by the dialplan alone, and the log has no such recording",
        "start the service; is its file in the spool or in quarantine? could Asterisk write it?",
    ),
}
