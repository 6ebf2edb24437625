"""What shall be done for a call: imperative, plain values, performed in order by the shell.

The shell starts each command in its turn without waiting for Asterisk's answer, with one
exception: :class:`CommitCommand` waits until every row before it is durable. What follows a commit
is what cannot be taken back.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct, field

from asterisk_compliance.domain.audit.rows import Actor, Detail, Kind, PersonalFact
from asterisk_compliance.domain.call.decision import Next, Status
from asterisk_compliance.domain.recording.verdict import Expected
from asterisk_compliance.ids import CallId, ChannelId, PartyId, PlaybackId, RecordingId


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
    WHISPER = "whisper"
    """What is said to one party of a running call must be over."""
    SEGMENT = "segment"
    """The recording must have begun anew."""
    PAUSE = "pause"
    """Nobody pauses for longer."""


class CommandStep(StrEnum):
    """A command that can fail, as a name."""

    ANSWER = "answer"
    PLAY = "play"
    HAND_OVER = "hand_over"
    CONTINUE = "continue"
    WHISPER = "whisper"


class Mute(StrEnum):
    """Which directions of a running capture are silence in the file; time in it goes on."""

    NONE = "none"
    OTHERS = "others"
    """Everybody but the told party."""
    ALL = "all"

    @property
    def level(self) -> int:
        return tuple(Mute).index(self)


class AppendRow(Struct, frozen=True):
    """One row; ``listed`` as in :class:`~.rows.Draft`."""

    kind: Kind
    detail: Mapping[str, Detail] = field(default_factory=dict)
    actor: str = Actor.SERVICE
    party: PartyId | None = None
    facts: tuple[PersonalFact, ...] = ()
    listed: str = ""


class CommitCommand(Struct, frozen=True):
    """Go on only when every row before this is durable; else the event is ``RowsRefused``.

    A wait that is too long ends with ``RowsLate``.
    """


class AwaitRows(Struct, frozen=True):
    """Do nothing more for this call before ``LateRowsSettled`` says what became of late rows."""


class AnswerCommand(Struct, frozen=True):
    pass


class Play(Struct, frozen=True):
    playback: PlaybackId
    media: str


class StopPlayback(Struct, frozen=True):
    playback: PlaybackId


class CaptureOptions(Struct, frozen=True):
    """How MixMonitor shall capture.

    Attributes:
        bridged_only: Only while the channel is bridged.
        others: Also what is said to the told party; else that party alone is captured.
        beep_s: A tone to everybody every so many seconds, never in the file.
    """

    bridged_only: bool = True
    others: bool = True
    beep_s: int | None = None


class HandOver(Struct, frozen=True):
    """Give the dialplan routine the result, in one variable (``docs/dialplan.md``).

    ``start``: the routine shall run MixMonitor now, on ``channel`` and on no other: a result
    that was copied to another channel starts nothing there. ``withdrawal``: the caller may end
    the recording by the site's sequence of digits.
    """

    call: CallId
    status: Status
    reason: str
    purposes: tuple[str, ...] = ()
    notice: str = ""
    next: Next = Next.CONTINUE
    recording: RecordingId | None = None
    channel: ChannelId | None = None
    start: bool = False
    options: CaptureOptions | None = None
    withdrawal: bool = False


class Continue(Struct, frozen=True):
    """Go on in the dialplan, behind ``Stasis()``."""


class SetDeadline(Struct, frozen=True):
    deadline: Deadline
    after_ms: int


class ClearDeadline(Struct, frozen=True):
    deadline: Deadline


class Announce(Struct, frozen=True):
    """Raise ``COMPLIANCE_STATUS`` on the live channel; best effort, the row is the proof."""

    status: Status


class FollowAgain(Struct, frozen=True):
    """Hear of the channel and of its recording's files: an earlier life of the service did."""


class Show(Struct, frozen=True):
    """Show the status of the call to agents who just came, on their own channels; best effort."""

    status: Status
    channels: tuple[ChannelId, ...]


class StopCapture(Struct, frozen=True):
    """End this recording's MixMonitor."""

    recording: RecordingId


class StartSegment(Struct, frozen=True):
    """Begin to capture into a new pair of files; a MixMonitor that still runs is stopped first."""

    recording: RecordingId
    options: CaptureOptions


class CancelSegment(Struct, frozen=True):
    """What was asked by :class:`StartSegment` and did not happen shall not happen any more."""


class SetMute(Struct, frozen=True):
    mute: Mute


class Whisper(Struct, frozen=True):
    """Play to one party of a running call, heard by nobody else."""

    channel: ChannelId
    playback: PlaybackId
    media: str


class EndWhisper(Struct, frozen=True):
    """The whisper is over, or shall be."""


class Redirect(Struct, frozen=True):
    """Take the call's channel to the dialplan's other way, ``[compliance-alternative]``."""


class HangUp(Struct, frozen=True):
    """Hang up the call's own channel."""


class Judge(Struct, frozen=True):
    """Wait until Asterisk closed the files, look at them, and join the two directions."""

    recording: RecordingId
    expected: Expected


class RemoveSpooled(Struct, frozen=True):
    """Delete what the recording left in the spool, and look that it is gone."""

    recording: RecordingId


class RemoveRecording(Struct, frozen=True):
    """Delete the recording from the vault, and look that it is gone."""

    recording: RecordingId


class Forget(Struct, frozen=True):
    """Nothing more will be done for this call."""


Command: TypeAlias = (
    AppendRow
    | CommitCommand
    | AwaitRows
    | AnswerCommand
    | Play
    | StopPlayback
    | HandOver
    | Continue
    | SetDeadline
    | ClearDeadline
    | Announce
    | Show
    | FollowAgain
    | StopCapture
    | StartSegment
    | CancelSegment
    | SetMute
    | Whisper
    | EndWhisper
    | Redirect
    | HangUp
    | Judge
    | RemoveSpooled
    | RemoveRecording
    | Forget
)
