"""What is known of one call: values only, no behaviour beyond what follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from asterisk_compliance.domain.decision import Decision, Reason
from asterisk_compliance.domain.events import Entry, PlaybackStarted
from asterisk_compliance.domain.notice import Policy, Wording
from asterisk_compliance.domain.recording import Capture
from asterisk_compliance.domain.rows import PersonalFact
from asterisk_compliance.ids import (
    CallId,
    ChannelId,
    PlaybackId,
    RecordingId,
    playback_id,
    recording_id,
)


class Phase(StrEnum):
    NOTICE = "notice"
    ASKING = "asking"
    TELLING = "telling"
    CONTINUING = "continuing"
    DIALPLAN = "dialplan"
    CLOSING = "closing"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a call waits, in milliseconds.

    Attributes:
        notice_margin_ms: Beyond the prompt's own length, until the notice has failed.
        dialplan_ms: The routine's own limit; after it the dialplan has taken the call back.
        growth_ms: From the bridge until audio must be on disk.
        stop_ms: A stopping service waits this long for notices that play.
    """

    notice_margin_ms: int = 3_000
    dialplan_ms: int = 20_000
    growth_ms: int = 3_000
    stop_ms: int = 5_000


@dataclass(frozen=True, slots=True)
class Arrival:
    """A channel that entered the routine.

    Attributes:
        answered: The channel is up already.
        policy: What applies, or the reason why nothing does.
        policy_name: As the dialplan asked for it, bounded, for the row.
        language: Asterisk's channel language.
        facts: What identifies the caller: number, name, dialled number.
    """

    channel: ChannelId
    linkedid: str
    entry: Entry
    at_ms: int
    policy: Policy | Reason
    policy_name: str = ""
    language: str = ""
    answered: bool = False
    stopping: bool = False
    facts: tuple[PersonalFact, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """One call. A value: :func:`step` returns the next one."""

    id: CallId
    channel: ChannelId
    entry: Entry
    limits: Limits
    arrived_at_ms: int
    phase: Phase = Phase.NOTICE
    policy: Policy | None = None
    wording: Wording | None = None
    playbacks: int = 1
    started: PlaybackStarted | None = None
    accepted: bool = False
    hanging_up: bool = False
    decision: Decision | None = None
    capture: Capture = Capture.NONE
    continued_at_ms: int | None = None
    bridged_at_ms: int | None = None
    bridged_ms: int = 0
    bridges_seen: bool = False
    store_failed: bool = False
    stopped: bool = False

    @property
    def playback(self) -> PlaybackId:
        """The playback that counts now: the last one that was begun."""
        return playback_id(self.id, self.playbacks)

    @property
    def recording(self) -> RecordingId:
        return recording_id(self.id, 1)

    @property
    def undecided(self) -> bool:
        return self.phase in {Phase.NOTICE, Phase.ASKING}

    @property
    def awaits_audio(self) -> bool:
        return self.capture in {Capture.REQUESTED, Capture.STARTED}

    @property
    def capture_is_open(self) -> bool:
        return self.capture not in {Capture.NONE, Capture.ENDED}
