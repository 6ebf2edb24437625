"""What shall be done for a call: imperative, plain values, performed in order by the shell.

The shell starts each command in its turn without waiting for Asterisk's answer, with one
exception: :class:`Commit` waits until every row before it is durable. What follows a commit
is what cannot be taken back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from asterisk_compliance.domain.decision import Next, Status
from asterisk_compliance.domain.names import Deadline
from asterisk_compliance.domain.recording import Expected
from asterisk_compliance.domain.rows import Actor, Detail, Kind, PersonalFact
from asterisk_compliance.ids import CallId, ChannelId, PartyId, PlaybackId, RecordingId


class Mute(StrEnum):
    """Which directions of a running capture are silence in the file; time in it goes on."""

    NONE = "none"
    OTHERS = "others"
    """Everybody but the told party."""
    ALL = "all"

    @property
    def level(self) -> int:
        return tuple(Mute).index(self)


@dataclass(frozen=True, slots=True)
class AppendRow:
    """One row; ``listed`` as in :class:`~.rows.Draft`."""

    kind: Kind
    detail: Mapping[str, Detail] = field(default_factory=dict)
    actor: str = Actor.SERVICE
    party: PartyId | None = None
    facts: tuple[PersonalFact, ...] = ()
    listed: str = ""


@dataclass(frozen=True, slots=True)
class Commit:
    """Go on only when every row before this is durable; else the event is ``RowsRefused``.

    A wait that is too long ends with ``RowsLate``.
    """


@dataclass(frozen=True, slots=True)
class AwaitRows:
    """Do nothing more for this call before ``LateRowsSettled`` says what became of late rows."""


@dataclass(frozen=True, slots=True)
class Answer:
    pass


@dataclass(frozen=True, slots=True)
class Play:
    playback: PlaybackId
    media: str


@dataclass(frozen=True, slots=True)
class StopPlayback:
    playback: PlaybackId


@dataclass(frozen=True, slots=True)
class CaptureOptions:
    """How MixMonitor shall capture.

    Attributes:
        bridged_only: Only while the channel is bridged.
        others: Also what is said to the told party; else that party alone is captured.
        beep_s: A tone to everybody every so many seconds, never in the file.
    """

    bridged_only: bool = True
    others: bool = True
    beep_s: int | None = None


@dataclass(frozen=True, slots=True)
class HandOver:
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


@dataclass(frozen=True, slots=True)
class Continue:
    """Go on in the dialplan, behind ``Stasis()``."""


@dataclass(frozen=True, slots=True)
class SetDeadline:
    deadline: Deadline
    after_ms: int


@dataclass(frozen=True, slots=True)
class ClearDeadline:
    deadline: Deadline


@dataclass(frozen=True, slots=True)
class Announce:
    """Raise ``COMPLIANCE_STATUS`` on the live channel; best effort, the row is the proof."""

    status: Status


@dataclass(frozen=True, slots=True)
class FollowAgain:
    """Hear of the channel and of its recording's files: an earlier life of the service did."""


@dataclass(frozen=True, slots=True)
class Show:
    """Show the status of the call to agents who just came, on their own channels; best effort."""

    status: Status
    channels: tuple[ChannelId, ...]


@dataclass(frozen=True, slots=True)
class StopCapture:
    """End this recording's MixMonitor."""

    recording: RecordingId


@dataclass(frozen=True, slots=True)
class StartSegment:
    """Begin to capture into a new pair of files; a MixMonitor that still runs is stopped first."""

    recording: RecordingId
    options: CaptureOptions


@dataclass(frozen=True, slots=True)
class CancelSegment:
    """What was asked by :class:`StartSegment` and did not happen shall not happen any more."""


@dataclass(frozen=True, slots=True)
class SetMute:
    mute: Mute


@dataclass(frozen=True, slots=True)
class Whisper:
    """Play to one party of a running call, heard by nobody else."""

    channel: ChannelId
    playback: PlaybackId
    media: str


@dataclass(frozen=True, slots=True)
class EndWhisper:
    """The whisper is over, or shall be."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """Take the call's channel to the dialplan's other way, ``[compliance-alternative]``."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """Hang up the call's own channel."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Wait until Asterisk closed the files, look at them, and join the two directions."""

    recording: RecordingId
    expected: Expected


@dataclass(frozen=True, slots=True)
class RemoveSpooled:
    """Delete what the recording left in the spool, and look that it is gone."""

    recording: RecordingId


@dataclass(frozen=True, slots=True)
class RemoveRecording:
    """Delete the recording from the vault, and look that it is gone."""

    recording: RecordingId


@dataclass(frozen=True, slots=True)
class Forget:
    """Nothing more will be done for this call."""


Command: TypeAlias = (
    AppendRow
    | Commit
    | AwaitRows
    | Answer
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
