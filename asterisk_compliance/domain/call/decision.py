"""The decision about a call, and its stable vocabulary.

Every call has exactly one initial decision (guarantee G2); "not recorded" is a fact too.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from asterisk_compliance.domain.policy.notice import ToldBy
from asterisk_compliance.domain.purposes import PurposeCode


class Status(StrEnum):
    """Values of ``COMPLIANCE_STATUS``: what the dialplan and the agent are told."""

    ALLOWED = "ALLOWED"
    """May be recorded; MixMonitor was asked for."""
    RECORDING = "RECORDING"
    """Seen to be recorded: bytes arrived on disk."""
    PAUSED = "PAUSED"
    """Nothing is kept until somebody resumes."""
    NOT_RECORDED = "NOT_RECORDED"
    REFUSED = "REFUSED"
    FAILED = "FAILED"
    """Was to be recorded, and the recording does not grow."""


class Reason(StrEnum):
    """Why a decision is what it is. Stored in rows: never renamed, never reused.

    ``docs/audit-kinds.md`` explains each.
    """

    NOTICE_COMPLETED = "NOTICE_COMPLETED"
    CONSENT_NOT_REFUSED = "CONSENT_NOT_REFUSED"
    CONSENT_GIVEN = "CONSENT_GIVEN"
    CONSENT_REFUSED = "CONSENT_REFUSED"
    CONSENT_NOT_GIVEN = "CONSENT_NOT_GIVEN"
    NOTICE_FAILED = "NOTICE_FAILED"
    NOTICE_CUT_SHORT = "NOTICE_CUT_SHORT"
    NOTICE_TIMED_OUT = "NOTICE_TIMED_OUT"
    HANGUP_IN_NOTICE = "HANGUP_IN_NOTICE"
    DIALLER_GONE = "DIALLER_GONE"
    TAKEN_BACK = "TAKEN_BACK"
    POLICY_MISSING = "POLICY_MISSING"
    POLICY_UNKNOWN = "POLICY_UNKNOWN"
    RULES_CONFLICT = "RULES_CONFLICT"
    ARGUMENTS_INVALID = "ARGUMENTS_INVALID"
    ASTERISK_REFUSED = "ASTERISK_REFUSED"
    CONNECTION_LOST = "CONNECTION_LOST"
    SERVICE_RESTARTED = "SERVICE_RESTARTED"
    SERVICE_STOPPING = "SERVICE_STOPPING"
    SERVICE_HUNG = "SERVICE_HUNG"
    STORE_FAILED = "STORE_FAILED"
    DISK_LOW = "DISK_LOW"
    STORAGE_NOT_WRITABLE = "STORAGE_NOT_WRITABLE"
    OVERLOADED = "OVERLOADED"
    EVENTS_OVERFLOWED = "EVENTS_OVERFLOWED"
    NOT_PUBLISHED = "NOT_PUBLISHED"
    PARTY_LEFT = "PARTY_LEFT"
    FALLBACK_NOTICE = "FALLBACK_NOTICE"


ALLOWING = frozenset(
    {
        Reason.NOTICE_COMPLETED,
        Reason.CONSENT_NOT_REFUSED,
        Reason.CONSENT_GIVEN,
        Reason.FALLBACK_NOTICE,
    }
)
REFUSING = frozenset({Reason.CONSENT_REFUSED, Reason.CONSENT_NOT_GIVEN})
UNSTORABLE = frozenset({Reason.DISK_LOW, Reason.STORAGE_NOT_WRITABLE})
"""There is no place for a recording: what follows is that of a recorder that failed."""

DIALPLAN_REASONS = ("SERVICE_UNAVAILABLE", "SERVICE_TIMED_OUT", "EMERGENCY", "HEARING")
"""Reasons that only the dialplan gives, when the service gave none; they never stand in a row."""


class Next(StrEnum):
    """What the dialplan does when the routine is done: ``COMPLIANCE_NEXT``."""

    CONTINUE = "continue"
    ALTERNATIVE = "alternative"
    END = "end"


class Decision(Struct, frozen=True):
    """The result of deciding. All but status, reason and ``next`` are empty unless it is allowed.

    ``told_by``: by what its parties are told the purposes.
    """

    status: Status
    reason: Reason
    purposes: tuple[PurposeCode, ...] = ()
    notice: str = ""
    next: Next = Next.CONTINUE
    told_by: ToldBy | None = None

    @property
    def allowed(self) -> bool:
        return self.status is Status.ALLOWED
