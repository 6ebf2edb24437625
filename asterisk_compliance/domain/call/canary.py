"""Whether a synthetic call went through the whole chain, judged by its own rows."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from enum import StrEnum

from asterisk_compliance.domain.audit.rows import Detail, Kind
from asterisk_compliance.domain.call.decision import Reason, Status


class CanaryReason(StrEnum):
    """Why a synthetic call failed: the first link of the chain that did not hold.

    Values go into stored rows: never renamed, never reused.
    """

    ARI_DOWN = "ARI_DOWN"
    AMI_DOWN = "AMI_DOWN"
    NOT_PLACED = "NOT_PLACED"
    NOT_ARRIVED = "NOT_ARRIVED"
    NO_NOTICE = "NO_NOTICE"
    NO_DECISION = "NO_DECISION"
    NOT_ALLOWED = "NOT_ALLOWED"
    NOT_CONTINUED = "NOT_CONTINUED"
    NOT_FOLLOWED = "NOT_FOLLOWED"
    STOPPED = "STOPPED"
    NO_FILE = "NO_FILE"
    NOT_CLOSED = "NOT_CLOSED"
    NOT_WHOLE = "NOT_WHOLE"
    NOT_REMOVED = "NOT_REMOVED"


@dataclass(frozen=True, slots=True)
class Link:
    """A row that must be there, and what its absence means."""

    kind: Kind
    without: CanaryReason


CHAIN = (
    Link(Kind.CALL_ARRIVED, CanaryReason.NOT_ARRIVED),
    Link(Kind.NOTICE_COMPLETED, CanaryReason.NO_NOTICE),
    Link(Kind.DECISION, CanaryReason.NO_DECISION),
    Link(Kind.CALL_CONTINUED, CanaryReason.NOT_CONTINUED),
    Link(Kind.RECORDING_GROWING, CanaryReason.NO_FILE),
    Link(Kind.CALL_ENDED, CanaryReason.NOT_FOLLOWED),
    Link(Kind.RECORDING_CLOSED, CanaryReason.NOT_CLOSED),
    Link(Kind.RECORDING_REMOVED, CanaryReason.NOT_REMOVED),
)
"""In the order in which a call gives these rows. The last one comes only after all the others,
unless one of them never does."""

_FATAL: Mapping[Kind, CanaryReason] = {
    Kind.NOTICE_INCOMPLETE: CanaryReason.NO_NOTICE,
    Kind.CAPTURE_STOPPED: CanaryReason.STOPPED,
    Kind.RECORDING_STALLED: CanaryReason.NO_FILE,
    Kind.RECORDING_EMPTY: CanaryReason.NO_FILE,
    Kind.RECORDING_MISSING: CanaryReason.NO_FILE,
    Kind.RECORDING_UNJUDGED: CanaryReason.NOT_CLOSED,
}
_NOT_REMOVED = frozenset({"SPOOL_NOT_REMOVED", "RECORDING_NOT_REMOVED"})
_NO_TIME_FOR_IT = frozenset({Reason.OVERLOADED, Reason.SERVICE_STOPPING})


def failure(kind: str, detail: Mapping[str, Detail], *, followed: bool) -> CanaryReason | None:
    """What a row of a synthetic call says went wrong, if it says so alone.

    ``followed``: the site has AMI, so that it is known how long the call was bridged.
    """
    match kind:
        case Kind.DECISION if detail.get("status") != Status.ALLOWED:
            return CanaryReason.NOT_ALLOWED
        case Kind.RECORDING_CLOSED if detail.get("whole") is not True:
            return CanaryReason.NOT_WHOLE
        case Kind.RECORDING_CLOSED if followed and detail.get("expected_ms") is None:
            return CanaryReason.NOT_FOLLOWED
        case Kind.ANOMALY if detail.get("code") in _NOT_REMOVED:
            return CanaryReason.NOT_REMOVED
        case _:
            return _FATAL.get(Kind(kind))


def has_no_time(kind: str, detail: Mapping[str, Detail]) -> bool:
    """Real calls come first: a canary that was turned away for them says nothing."""
    return kind == Kind.DECISION and detail.get("reason") in _NO_TIME_FOR_IT


def missing(seen: Container[str]) -> CanaryReason | None:
    """The first link of which there is no row among these kinds; ``None`` if all are there."""
    return next((link.without for link in CHAIN if link.kind not in seen), None)
