"""Why a capture was paused or stopped: closed lists, stored in rows, never renamed, never reused.

``docs/audit-kinds.md`` explains each.
"""

from __future__ import annotations

from enum import StrEnum


class PauseReason(StrEnum):
    CARD = "CARD"
    """Card data are being given (PCI DSS 3.3.1)."""
    PRIVATE = "PRIVATE"
    """Something that the told purposes do not need."""
    JOINED = "JOINED"
    """Somebody joined who is not covered; the others' direction only."""
    TRANSFER = "TRANSFER"
    """A sign that somebody may join; the others' direction only."""
    AGENT_CONSENT = "AGENT_CONSENT"
    """An agent without consent on file is there; the others' direction only."""


class StopReason(StrEnum):
    ASKED = "ASKED"
    WITHDRAWN = "WITHDRAWN"
    JOINED = "JOINED"
    """Somebody joined who is not covered, and the policy stops then."""
    PARTY_NOT_TOLD = "PARTY_NOT_TOLD"
    PARTY_REFUSED = "PARTY_REFUSED"
    CONTROLLER_LEFT = "CONTROLLER_LEFT"
    """Nobody of the controller's side is on the line (secrecy of communications)."""
    PAUSE_FORGOTTEN = "PAUSE_FORGOTTEN"
    POLICY_UNKNOWN = "POLICY_UNKNOWN"
    """The service was away, and the configuration does not have its policy any more."""
    MUTE_FAILED = "MUTE_FAILED"
    STORE_FAILED = "STORE_FAILED"
    EVENTS_OVERFLOWED = "EVENTS_OVERFLOWED"
    NOT_GROWING = "NOT_GROWING"
    """No audio reached the disk, and the policy does not go on unrecorded."""
    DISK_LOW = "DISK_LOW"
    """The disk is about to be full, and the policy does not go on unrecorded."""


FAILURES = frozenset(
    {
        StopReason.MUTE_FAILED,
        StopReason.STORE_FAILED,
        StopReason.EVENTS_OVERFLOWED,
        StopReason.NOT_GROWING,
        StopReason.DISK_LOW,
    }
)
"""Stops that are a failure of the recorder: ``on_recording_failure`` says what follows."""
