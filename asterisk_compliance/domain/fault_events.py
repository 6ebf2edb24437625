"""What has happened to a call because something that we rely on failed; the rest: ``events.py``."""

from __future__ import annotations

from dataclasses import dataclass

from asterisk_compliance.domain.decision import Reason
from asterisk_compliance.ids import RecordingId


@dataclass(frozen=True, slots=True)
class FileStopped:
    """The files of this recording do not grow any more, though packets pass on its channel."""

    recording: RecordingId
    at_ms: int


@dataclass(frozen=True, slots=True)
class StorageChanged:
    """Why nothing new can be kept from now on; ``None`` where it can be again."""

    reason: Reason | None


@dataclass(frozen=True, slots=True)
class ServiceHung:
    """We did nothing for so long that our watchdog may have let the channel go on."""
