"""What has happened to a call: past tense, plain values, time as a number.

``at_ms`` is this host's monotonic clock in milliseconds; ``asterisk_ms`` is the time stamp
that Asterisk put on the event (Unix milliseconds), ``None`` where the wire carries none.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct, field

from asterisk_compliance.domain.audit.rows import Actor, PersonalFact
from asterisk_compliance.domain.call.commands import Command, CommandStep, Deadline, Mute
from asterisk_compliance.domain.call.decision import Reason
from asterisk_compliance.domain.call.participants import Participant
from asterisk_compliance.domain.recording.verdict import RecordingVerdict
from asterisk_compliance.ids import PartyId, PlaybackId, RecordingId


class EntryWire(StrEnum):
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


class AskedBy(Struct, frozen=True):
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


class Reentered(Struct, frozen=True):
    """The same channel entered the routine again (or Asterisk said ``StasisStart`` twice)."""


class PlaybackStarted(Struct, frozen=True):
    playback: PlaybackId
    at_ms: int
    asterisk_ms: int | None = None


class PlaybackFinished(Struct, frozen=True):
    """A playback is over. ``done`` is Asterisk's word; it says nothing about having been heard."""

    playback: PlaybackId
    done: bool
    at_ms: int
    asterisk_ms: int | None = None


class DigitReceived(Struct, frozen=True):
    """A key was released. The digit is compared and forgotten: it stands in no row."""

    digit: str
    at_ms: int


class HangupRequested(Struct, frozen=True):
    pass


class LeftStasis(Struct, frozen=True):
    """The channel left our application: it hung up, we let it go on, or the dialplan took it."""


class Continued(Struct, frozen=True):
    """Asterisk accepted to go on in the dialplan."""

    at_ms: int


class CommandFailed(Struct, frozen=True):
    """Asterisk refused a command, or cannot be reached (``reachable`` is then false)."""

    step: CommandStep
    reachable: bool = True


class RowsRefused(Struct, frozen=True):
    """Rows could not be made durable.

    ``at_commit``: a :class:`~.commands.Commit` waited for them, so none of the rows of that
    step is stored, and ``undone``, which stood behind the commit, was not done.
    """

    at_commit: bool = False
    undone: tuple[Command, ...] = ()


class RowsLate(Struct, frozen=True):
    """A :class:`~.commands.Commit` waited as long as it may; its rows may be stored yet.

    ``undone`` stood behind it, and was not done. :class:`LateRowsSettled` follows.
    """

    undone: tuple[Command, ...] = ()


class LateRowsSettled(Struct, frozen=True):
    """What became of the rows that were late; ``undone`` as in :class:`RowsLate`."""

    stored: bool
    undone: tuple[Command, ...] = ()


class DeadlinePassed(Struct, frozen=True):
    deadline: Deadline
    at_ms: int = 0


class ServiceStopping(Struct, frozen=True):
    pass


class EventsOverflowed(Struct, frozen=True):
    """More events came for this call than its queue holds; some are lost."""


class MixMonitorStarted(Struct, frozen=True):
    """AMI's ``MixMonitorStart``. It proves that the application ran, not that audio is kept."""

    at_ms: int = 0


class Bridged(Struct, frozen=True):
    at_ms: int


class Unbridged(Struct, frozen=True):
    at_ms: int


class CompanyChanged(Struct, frozen=True):
    """Who is heard on the call's channel from now on; empty: nobody.

    ``two_party``: the bridge is an ordinary one, whose features can be reached by a digit.
    """

    at_ms: int
    peers: tuple[Participant, ...]
    two_party: bool = True


class TransferSeen(Struct, frozen=True):
    """The first sign that somebody else may come: a transfer, or a new leg dialled for the call."""

    at_ms: int


class LookedAway(Struct, frozen=True):
    """Who is there was not known since ``since_ms``; a :class:`CompanyChanged` follows.

    Attributes:
        blind: Nobody told us of bridges, so who came and left nobody will ever say. Otherwise all
            is told, in order, and only late: we stood still, and our connections lived on.
    """

    since_ms: int
    blind: bool = False


class DiallerGone(Struct, frozen=True):
    """Who dialled this leg has given up while it heard the notice."""

    at_ms: int


class FileAppeared(Struct, frozen=True):
    recording: RecordingId
    at_ms: int = 0


class FileGrew(Struct, frozen=True):
    """Audio is on disk: a file of this recording is longer than a WAV header."""

    recording: RecordingId
    at_ms: int = 0


class MuteChanged(Struct, frozen=True):
    """Asterisk muted, or stopped muting, as asked."""

    mute: Mute
    at_ms: int


class MuteRefused(Struct, frozen=True):
    """Nothing says that the capture is muted as asked."""

    mute: Mute
    at_ms: int


class PauseAsked(Struct, frozen=True):
    reason: str
    at_ms: int
    by: AskedBy = AskedBy()


class ResumeAsked(Struct, frozen=True):
    """``everybody``: end the pauses of all who paused, not only one's own."""

    at_ms: int
    by: AskedBy = AskedBy()
    everybody: bool = False


class WithdrawalAsked(Struct, frozen=True):
    at_ms: int
    by: AskedBy = AskedBy()


class StartAsked(Struct, frozen=True):
    """A recording is wanted from now on."""

    at_ms: int
    by: AskedBy = AskedBy()


class StopAsked(Struct, frozen=True):
    at_ms: int
    by: AskedBy = AskedBy()


class DoNotCallAsked(Struct, frozen=True):
    """The party outside does not want to be called again."""

    at_ms: int
    by: AskedBy = AskedBy()


class ChannelGone(Struct, frozen=True):
    at_ms: int


class CaptureStopped(Struct, frozen=True):
    """Asterisk stopped this recording's MixMonitor, as asked."""

    recording: RecordingId
    at_ms: int


class CaptureGoesOn(Struct, frozen=True):
    """A recording was told to stop, and nothing says that it did."""

    recording: RecordingId


class SegmentRefused(Struct, frozen=True):
    """Asterisk did not take the request to begin this recording."""

    recording: RecordingId
    at_ms: int


class RecordingJudged(Struct, frozen=True):
    recording: RecordingId
    verdict: RecordingVerdict


class SpoolRemoved(Struct, frozen=True):
    """The raw files of the recording are gone from the spool, seen by a failed look."""

    recording: RecordingId
    files: int


class SpoolKept(Struct, frozen=True):
    """The raw files could not be removed."""

    recording: RecordingId


class RecordingRemoved(Struct, frozen=True):
    """The recording is gone from the vault, seen by a failed look; or it could not be removed."""

    recording: RecordingId
    gone: bool


class FileStopped(Struct, frozen=True):
    """The files of this recording do not grow any more, though packets pass on its channel."""

    recording: RecordingId
    at_ms: int


class StorageChanged(Struct, frozen=True):
    """Why nothing new can be kept from now on; ``None`` where it can be again."""

    reason: Reason | None


class ServiceHung(Struct, frozen=True):
    """We did nothing for so long that our watchdog may have let the channel go on."""


CallEvent: TypeAlias = (
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
    | RecordingJudged
    | SpoolRemoved
    | SpoolKept
    | RecordingRemoved
)


Asked = PauseAsked | ResumeAsked | WithdrawalAsked | StartAsked | StopAsked | DoNotCallAsked
