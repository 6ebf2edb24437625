"""What has happened to a call: past tense, plain values, time as a number.

``at_ms`` is this host's monotonic clock in milliseconds; ``asterisk_ms`` is the time stamp
that Asterisk put on the event (Unix milliseconds), ``None`` where the wire carries none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from asterisk_compliance.domain.commands import Command, Mute
from asterisk_compliance.domain.company import Peer
from asterisk_compliance.domain.fault_events import FileStopped, ServiceHung, StorageChanged
from asterisk_compliance.domain.names import Deadline, Step
from asterisk_compliance.domain.recording import Verdict
from asterisk_compliance.domain.rows import Actor, PersonalFact
from asterisk_compliance.ids import PartyId, PlaybackId, RecordingId


class Entry(StrEnum):
    """How a call reached us."""

    ARI = "ari"
    AGI = "agi"
    DIALPLAN = "dialplan"
    """Not at all: the dialplan did alone what it could, and we hear of it afterwards."""
    APPLICATION = "application"
    """Through a Stasis application that is not ours, which runs our notice (``api/``)."""


class Leg(StrEnum):
    """Whose leg entered the routine."""

    CALLER = "caller"
    """Dialled into the dialplan, which waits in ``Stasis()``."""
    CALLEE = "callee"
    """Was dialled by somebody, and is told inside ``Dial``'s ``U()`` before the bridge."""


@dataclass(frozen=True, slots=True)
class By:
    """Who asked for something in mid-call.

    Attributes:
        actor: A value of :class:`~.rows.Actor`, or for staff ``party``.
        party, facts: Of a member of the staff, as in :class:`~.rows.Draft`.
    """

    actor: str = Actor.AGENT
    party: PartyId | None = None
    facts: tuple[PersonalFact, ...] = field(default=())

    @property
    def source(self) -> str:
        """Who can end what he began: staff count as one, whoever of them it is."""
        return "staff" if self.party else self.actor


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
    step is stored, and ``undone``, which stood behind the commit, was not done.
    """

    at_commit: bool = False
    undone: tuple[Command, ...] = ()


@dataclass(frozen=True, slots=True)
class RowsLate:
    """A :class:`~.commands.Commit` waited as long as it may; its rows may be stored yet.

    ``undone`` stood behind it, and was not done. :class:`LateRowsSettled` follows.
    """

    undone: tuple[Command, ...] = ()


@dataclass(frozen=True, slots=True)
class LateRowsSettled:
    """What became of the rows that were late; ``undone`` as in :class:`RowsLate`."""

    stored: bool
    undone: tuple[Command, ...] = ()


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

    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Bridged:
    at_ms: int


@dataclass(frozen=True, slots=True)
class Unbridged:
    at_ms: int


@dataclass(frozen=True, slots=True)
class CompanyChanged:
    """Who is heard on the call's channel from now on; empty: nobody.

    ``two_party``: the bridge is an ordinary one, whose features can be reached by a digit.
    """

    at_ms: int
    peers: tuple[Peer, ...]
    two_party: bool = True


@dataclass(frozen=True, slots=True)
class TransferSeen:
    """The first sign that somebody else may come: a transfer, or a new leg dialled for the call."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class LookedAway:
    """Who is there was not known since ``since_ms``; a :class:`CompanyChanged` follows.

    Attributes:
        blind: Nobody told us of bridges, so who came and left nobody will ever say. Otherwise all
            is told, in order, and only late: we stood still, and our connections lived on.
    """

    since_ms: int
    blind: bool = False


@dataclass(frozen=True, slots=True)
class DiallerGone:
    """Who dialled this leg has given up while it heard the notice."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class FileAppeared:
    recording: RecordingId
    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class FileGrew:
    """Audio is on disk: a file of this recording is longer than a WAV header."""

    recording: RecordingId
    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class MuteChanged:
    """Asterisk muted, or stopped muting, as asked."""

    mute: Mute
    at_ms: int


@dataclass(frozen=True, slots=True)
class MuteRefused:
    """Nothing says that the capture is muted as asked."""

    mute: Mute
    at_ms: int


@dataclass(frozen=True, slots=True)
class PauseAsked:
    reason: str
    at_ms: int
    by: By = By()


@dataclass(frozen=True, slots=True)
class ResumeAsked:
    """``everybody``: end the pauses of all who paused, not only one's own."""

    at_ms: int
    by: By = By()
    everybody: bool = False


@dataclass(frozen=True, slots=True)
class WithdrawalAsked:
    at_ms: int
    by: By = By()


@dataclass(frozen=True, slots=True)
class StartAsked:
    """A recording is wanted from now on."""

    at_ms: int
    by: By = By()


@dataclass(frozen=True, slots=True)
class StopAsked:
    at_ms: int
    by: By = By()


@dataclass(frozen=True, slots=True)
class DoNotCallAsked:
    """The party outside does not want to be called again."""

    at_ms: int
    by: By = By()


@dataclass(frozen=True, slots=True)
class ChannelGone:
    at_ms: int


@dataclass(frozen=True, slots=True)
class CaptureStopped:
    """Asterisk stopped this recording's MixMonitor, as asked."""

    recording: RecordingId
    at_ms: int


@dataclass(frozen=True, slots=True)
class CaptureGoesOn:
    """A recording was told to stop, and nothing says that it did."""

    recording: RecordingId


@dataclass(frozen=True, slots=True)
class SegmentRefused:
    """Asterisk did not take the request to begin this recording."""

    recording: RecordingId
    at_ms: int


@dataclass(frozen=True, slots=True)
class Judged:
    recording: RecordingId
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class SpoolRemoved:
    """The raw files of the recording are gone from the spool, seen by a failed look."""

    recording: RecordingId
    files: int


@dataclass(frozen=True, slots=True)
class SpoolKept:
    """The raw files could not be removed."""

    recording: RecordingId


@dataclass(frozen=True, slots=True)
class RecordingRemoved:
    """The recording is gone from the vault, seen by a failed look; or it could not be removed."""

    recording: RecordingId
    gone: bool


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
    | RowsLate
    | LateRowsSettled
    | DeadlinePassed
    | ServiceStopping
    | ServiceHung
    | EventsOverflowed
    | MixMonitorStarted
    | Bridged
    | Unbridged
    | CompanyChanged
    | TransferSeen
    | LookedAway
    | DiallerGone
    | FileAppeared
    | FileGrew
    | FileStopped
    | StorageChanged
    | MuteChanged
    | MuteRefused
    | PauseAsked
    | ResumeAsked
    | WithdrawalAsked
    | StartAsked
    | StopAsked
    | DoNotCallAsked
    | ChannelGone
    | CaptureStopped
    | CaptureGoesOn
    | SegmentRefused
    | Judged
    | SpoolRemoved
    | SpoolKept
    | RecordingRemoved
)
