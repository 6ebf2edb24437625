"""What happened to a call because something that we rely on failed (the rest: ``events.py``)."""

from __future__ import annotations

from msgspec import Struct

from asterisk_compliance.domain.call.decision import Reason
from asterisk_compliance.ids import RecordingId


class FileStopped(Struct, frozen=True):
    """The files of this recording do not grow any more, though packets pass on its channel."""

    recording: RecordingId
    at_ms: int


class StorageChanged(Struct, frozen=True):
    """Why nothing new can be kept from now on; ``None`` where it can be again."""

    reason: Reason | None


class ServiceHung(Struct, frozen=True):
    """We did nothing for so long that our watchdog may have let the channel go on."""
