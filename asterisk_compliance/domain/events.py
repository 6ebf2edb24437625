"""What has happened to a call: past tense, plain values, time as a number.

``at_ms`` is this host's monotonic clock in milliseconds; ``asterisk_ms`` is the time stamp
that Asterisk put on the event (Unix milliseconds), ``None`` where the wire carries none.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from asterisk_compliance.domain.recording import Verdict
from asterisk_compliance.ids import PlaybackId


class Deadline(StrEnum):
    """The named waits of a call. Each has one length, from the settings."""

    NOTICE = "notice"
    """The playback must be over."""
    GROWTH = "growth"
    """The recording must have bytes on disk."""
    GRACE = "grace"
    """A digit still counts."""
    TELL = "tell"
    """The announcement must be over."""
    STOP = "stop"
    """The service is stopping and does not wait longer for this notice."""


class Entry(StrEnum):
    """How a call reached us."""

    ARI = "ari"
    AGI = "agi"


class Step(StrEnum):
    """A command that can fail, as a name."""

    ANSWER = "answer"
    PLAY = "play"
    HAND_OVER = "hand_over"
    CONTINUE = "continue"


@dataclass(frozen=True, slots=True)
class Reentered:
    """The same channel entered the routine again (or Asterisk said ``StasisStart`` twice)."""


@dataclass(frozen=True, slots=True)
class PlaybackStarted:
    playback: PlaybackId
    at_ms: int
    asterisk_ms: int | None = None


@dataclass(frozen=True, slots=True)
class PlaybackFinished:
    """A playback is over. ``done`` is Asterisk's word; it says nothing about having been heard."""

    playback: PlaybackId
    done: bool
    at_ms: int
    asterisk_ms: int | None = None


@dataclass(frozen=True, slots=True)
class DigitReceived:
    """A key was released. The digit is compared and forgotten: it stands in no row."""

    digit: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class HangupRequested:
    pass


@dataclass(frozen=True, slots=True)
class LeftStasis:
    """The channel left our application: it hung up, we let it go on, or the dialplan took it."""


@dataclass(frozen=True, slots=True)
class Continued:
    """Asterisk accepted to go on in the dialplan."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class CommandFailed:
    """Asterisk refused a command, or cannot be reached (``reachable`` is then false)."""

    step: Step
    reachable: bool = True


@dataclass(frozen=True, slots=True)
class RowsRefused:
    """Rows could not be made durable.

    ``at_commit``: a :class:`~.commands.Commit` waited for them, so none of the rows of that
    step is stored and nothing that stood behind the commit was done.
    """

    at_commit: bool = False


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    deadline: Deadline
    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class ServiceStopping:
    pass


@dataclass(frozen=True, slots=True)
class EventsOverflowed:
    """More events came for this call than its queue holds; some are lost."""


@dataclass(frozen=True, slots=True)
class MixMonitorStarted:
    """AMI's ``MixMonitorStart``. It proves that the application ran, not that audio is kept."""


@dataclass(frozen=True, slots=True)
class Bridged:
    at_ms: int


@dataclass(frozen=True, slots=True)
class Unbridged:
    at_ms: int


@dataclass(frozen=True, slots=True)
class FileAppeared:
    pass


@dataclass(frozen=True, slots=True)
class FileGrew:
    """Audio is on disk: a file of this recording is longer than a WAV header."""


@dataclass(frozen=True, slots=True)
class ChannelGone:
    at_ms: int


@dataclass(frozen=True, slots=True)
class Judged:
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class SpoolRemoved:
    """The raw files of the recording are gone from the spool, seen by a failed look."""

    files: int


@dataclass(frozen=True, slots=True)
class CaptureGoesOn:
    """A recording was told to stop, and nothing says that it did."""


@dataclass(frozen=True, slots=True)
class SpoolKept:
    """The raw files could not be removed."""


Event: TypeAlias = (
    Reentered
    | PlaybackStarted
    | PlaybackFinished
    | DigitReceived
    | HangupRequested
    | LeftStasis
    | Continued
    | CommandFailed
    | RowsRefused
    | DeadlinePassed
    | ServiceStopping
    | EventsOverflowed
    | MixMonitorStarted
    | Bridged
    | Unbridged
    | FileAppeared
    | FileGrew
    | ChannelGone
    | Judged
    | SpoolRemoved
    | SpoolKept
    | CaptureGoesOn
)
