"""What shall be done for a call: imperative, plain values, performed in order by the shell.

The shell starts each command in its turn without waiting for Asterisk's answer, with one
exception: :class:`Commit` waits until every row before it is durable. What follows a commit
is what cannot be taken back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from asterisk_compliance.domain.decision import Next, Status
from asterisk_compliance.domain.events import Deadline
from asterisk_compliance.domain.rows import Actor, Detail, Kind, PersonalFact
from asterisk_compliance.ids import CallId, ChannelId, PartyId, PlaybackId, RecordingId


@dataclass(frozen=True, slots=True)
class AppendRow:
    kind: Kind
    detail: Mapping[str, Detail] = field(default_factory=dict)
    actor: str = Actor.SERVICE
    party: PartyId | None = None
    facts: tuple[PersonalFact, ...] = ()


@dataclass(frozen=True, slots=True)
class Commit:
    """Go on only when every row before this is durable; else the event is ``RowsRefused``."""


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
class HandOver:
    """Give the dialplan routine the result, in one variable (``docs/dialplan.md``).

    ``start``: the routine shall run MixMonitor now, on ``channel`` and on no other: a result
    that was copied to another channel starts nothing there.
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
    bridged_only: bool = True


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
class StopCapture:
    """End this recording's MixMonitor."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Wait until Asterisk closed the files, look at them, and join the two directions.

    ``expected_ms`` is how long both parties were bridged; ``None`` if nobody told us.
    """

    recording: RecordingId
    expected_ms: int | None


@dataclass(frozen=True, slots=True)
class RemoveSpooled:
    """Delete what the recording left in the spool, and look that it is gone."""

    recording: RecordingId


@dataclass(frozen=True, slots=True)
class Forget:
    """Nothing more will be done for this call."""


Command: TypeAlias = (
    AppendRow
    | Commit
    | Answer
    | Play
    | StopPlayback
    | HandOver
    | Continue
    | SetDeadline
    | ClearDeadline
    | Announce
    | StopCapture
    | Judge
    | RemoveSpooled
    | Forget
)
