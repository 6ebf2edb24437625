"""What people may ask of a live call, by the words of the dialplan and of the command line."""

from __future__ import annotations

from asterisk_compliance.domain.call_asked import Asked
from asterisk_compliance.domain.events import (
    By,
    PauseAsked,
    ResumeAsked,
    StartAsked,
    StopAsked,
    WithdrawalAsked,
)
from asterisk_compliance.domain.reasons import PauseReason

ASKABLE = (PauseReason.CARD, PauseReason.PRIVATE)
"""Reasons for which somebody may pause; the others are the service's own."""


def asked_event(
    name: str, reason: str, at_ms: int, by: By, *, everybody: bool = False
) -> Asked | None:
    """The event that ``name`` stands for; ``None`` if there is no such name or reason.

    Args:
        name: ``CompliancePause``, ``ComplianceResume``, ``ComplianceWithdraw``,
            ``ComplianceStart`` or ``ComplianceStop``.
        reason: Of a pause: ``CARD`` unless it is given.
        at_ms: When we heard of it, on the monotonic clock.
        by: Who asks.
        everybody: A resume ends the pauses of all who paused.
    """
    match name:
        case "CompliancePause":
            known = reason or PauseReason.CARD
            return PauseAsked(known, at_ms, by) if known in ASKABLE else None
        case "ComplianceResume":
            return ResumeAsked(at_ms, by, everybody)
        case "ComplianceWithdraw":
            return WithdrawalAsked(at_ms, by)
        case "ComplianceStart":
            return StartAsked(at_ms, by)
        case "ComplianceStop":
            return StopAsked(at_ms, by)
        case _:
            return None
