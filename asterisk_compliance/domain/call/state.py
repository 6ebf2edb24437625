"""What is known of one call: values only, no behaviour beyond what follows from them."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from asterisk_compliance.domain.audit.rows import PersonalFact
from asterisk_compliance.domain.call.commands import CaptureOptions, Command, Mute
from asterisk_compliance.domain.call.decision import Decision, Reason, Status
from asterisk_compliance.domain.call.events import CompanyChanged, EntryWire, Leg, PlaybackStarted
from asterisk_compliance.domain.call.participants import ALONE, Participants
from asterisk_compliance.domain.policy.notice import (
    AgentConsent,
    CaptureFrom,
    Policy,
    Prompt,
    Wording,
)
from asterisk_compliance.domain.recording.verdict import Capture, Tracks
from asterisk_compliance.ids import (
    CallId,
    ChannelId,
    PartyId,
    PlaybackId,
    RecordingId,
    party_id,
    playback_id,
    recording_id,
)


class CallPhase(StrEnum):
    NOTICE = "notice"
    ASKING = "asking"
    TELLING = "telling"
    CONTINUING = "continuing"
    DIALPLAN = "dialplan"
    CLOSING = "closing"
    OVER = "over"


class CallLimits(Struct, frozen=True):
    """How long a call waits, in milliseconds.

    Attributes:
        notice_margin_ms: Beyond the prompt's own length, until the notice has failed.
        dialplan_ms: The routine's own limit; after it the dialplan has taken the call back.
        growth_ms: From the bridge until audio must be on disk.
        stop_ms: A stopping service waits this long for notices that play.
        segment_ms: From the request to begin a recording anew until Asterisk says that it did.
    """

    notice_margin_ms: int = 3_000
    dialplan_ms: int = 30_000
    growth_ms: int = 3_000
    stop_ms: int = 5_000
    segment_ms: int = 2_000


class DialplanWiring(Struct, frozen=True):
    """What the site has wired, beside the routine itself.

    Attributes:
        segments: ``features.conf`` lets us begin a recording anew in mid-call.
        staff_known: The site lists its staff's endpoints, so that everybody else is outside.
        shows: An agent who comes is shown what the call is, also if his dialplan did not say it.
    """

    segments: bool = True
    staff_known: bool = False
    shows: bool = False


class Arrival(Struct, frozen=True):
    """A channel that entered the routine.

    Attributes:
        answered: The channel is up already.
        policy: What applies, or the reason why nothing does.
        policy_name: As the dialplan asked for it, bounded, for the row.
        language: Asterisk's channel language.
        facts: What identifies the caller: number, name, dialled number.
        rules: Ids of the rules that made the policy what it is.
        leg: Whose leg it is.
        joins: It is about to join a call of ours that is recorded: it is told, and needs no
            recording of its own.
        outside: The number of the party outside in one comparable form; empty if it has none.
        overloaded: So many notices play that this one cannot.
        no_storage: Why nothing new can be kept.
        published: The purposes stand on their page, on the day of the call.
        synthetic: The service itself placed it, to see whether everything works.
        queue: As the dialplan names it; empty if none.
    """

    channel: ChannelId
    linkedid: str
    entry: EntryWire
    at_ms: int
    policy: Policy | Reason
    policy_name: str = ""
    language: str = ""
    answered: bool = False
    stopping: bool = False
    overloaded: bool = False
    no_storage: Reason | None = None
    published: bool = True
    facts: tuple[PersonalFact, ...] = ()
    rules: tuple[str, ...] = ()
    leg: Leg = Leg.CALLER
    joins: bool = False
    wiring: DialplanWiring = DialplanWiring()
    outside: str = ""
    synthetic: bool = False
    queue: str = ""


class AfterWhisper(StrEnum):
    """What follows when something was said to one party of a running call."""

    NOTHING = "nothing"
    REDIRECT = "redirect"
    HANG_UP = "hang-up"


class WhisperInProgress(Struct, frozen=True):
    """What is being said to one party of a running call.

    Attributes:
        wording: Of the notice, if it is one: it covers the party if it is whole.
        then: What follows otherwise, when it was said.
        failed: Why it does not count; whether the party is still there will be seen.
    """

    channel: ChannelId
    playback: PlaybackId
    length_ms: int
    wording: Wording | None = None
    then: AfterWhisper = AfterWhisper.NOTHING
    started: PlaybackStarted | None = None
    failed: Reason | None = None


class UnmutedSpan(Struct, frozen=True):
    """Audio that came in although it must not be kept, on the clock of the recording's file."""

    from_ms: int
    to_ms: int
    tracks: Tracks


class Segment(Struct, frozen=True):
    """The running recording: one pair of files.

    Attributes:
        number: From 1 on.
        since_ms: When it began, on the file's clock.
        others: Whether the others' direction is captured at all.
        mute: What Asterisk was last asked for.
        began: Asterisk said, or its files do, that it runs.
        partly_seen: Nobody looked for a while, or an earlier life of the service saw its
            beginning; how long it must be is not known.
        slipping_since_ms: Since when audio that must not be kept may come in.
        slipping: Of whom.
        slips: Stretches to be blanked before the file is digested.
        doubtful_since_ms: Since when the others may be missing (docs/asterisk-facts.md).
    """

    number: int = 1
    since_ms: int = 0
    others: bool = True
    mute: Mute = Mute.NONE
    began: bool = False
    partly_seen: bool = False
    slipping_since_ms: int | None = None
    slipping: Tracks = Tracks.OTHERS
    slips: tuple[UnmutedSpan, ...] = ()
    doubtful_since_ms: int | None = None


class Call(Struct, frozen=True):
    """One call. A value: :func:`step` returns the next one.

    Attributes:
        introducing: What the policy says before the notice is being said.
        outside: As in :class:`Arrival`.
        listed: It goes on the list of numbers that are not called again.
        capture: Of the running segment; ``NONE`` while there is none.
        stopping: The running segment must end; Asterisk has not confirmed it yet.
        coming: The segment that was asked for and has not begun.
        missed: The segment that did not begin in time; it may do so yet.
        skipped: How many numbers of segments after the running one were promised and not begun.
        ended_as: What was said of the last recording when it ended before the call did.
        kept: Recordings of this call that are in the vault.
        closing: Recordings that have ended and are being judged and taken in.
        pauses: Who paused, by actor, and has not resumed.
        transfer_seen: Somebody else may come; nobody has yet.
        early: Who was there before the decision; it counts when the call goes on.
        heal_due: The company changed under a running capture, which must begin anew
            (docs/asterisk-facts.md, "Transfers").
        starts_owed: Of so many recordings the file was seen, and AMI has not told the beginning.
        parties: How many have been numbered.
        start_wanted: Somebody asked for a recording, which waits until all are covered.
        unseen_since_ms: Nobody looked since then, and who is there now may have come since.
        blind_since_ms: Since then nobody told of bridges: somebody may have come and left.
        blind_is_logged: There is a row of that already.
        erases: The caller withdrew, or is synthetic; what was recorded is deleted.
        events_lost: Who is there is not known for certain any more.
        no_storage: As in :class:`Arrival`.
    """

    id: CallId
    channel: ChannelId
    entry: EntryWire
    limits: CallLimits
    arrived_at_ms: int
    leg: Leg = Leg.CALLER
    joins: bool = False
    synthetic: bool = False
    wiring: DialplanWiring = DialplanWiring()
    phase: CallPhase = CallPhase.NOTICE
    policy: Policy | None = None
    wording: Wording | None = None
    playbacks: int = 1
    started: PlaybackStarted | None = None
    introducing: bool = False
    outside: str = ""
    listed: bool = False
    accepted: bool = False
    hanging_up: bool = False
    decision: Decision | None = None
    continued_at_ms: int | None = None
    bridged_at_ms: int | None = None
    bridged_ms: int = 0
    bridges_seen: bool = False
    store_failed: bool = False
    capture: Capture = Capture.NONE
    segment: Segment = Segment()
    stopping: bool = False
    coming: Segment | None = None
    missed: Segment | None = None
    skipped: int = 0
    ended_as: Status | None = None
    kept: frozenset[RecordingId] = frozenset()
    closing: frozenset[RecordingId] = frozenset()
    company: Participants = ALONE
    pauses: frozenset[str] = frozenset()
    transfer_seen: bool = False
    early: CompanyChanged | None = None
    heal_due: bool = False
    whispering: WhisperInProgress | None = None
    starts_owed: int = 0
    parties: int = 1
    start_wanted: bool = False
    unseen_since_ms: int | None = None
    blind_since_ms: int | None = None
    blind_is_logged: bool = False
    withdrawn: bool = False
    erases: bool = False
    events_lost: bool = False
    no_storage: Reason | None = None

    @property
    def playback(self) -> PlaybackId:
        """The playback that counts now: the last one that was begun."""
        return playback_id(self.id, self.playbacks)

    @property
    def playing(self) -> Prompt | Wording | None:
        """What is played before the decision: the introduction, then the notice."""
        if not self.introducing:
            return self.wording
        assert self.policy is not None
        assert self.policy.introduction is not None
        assert self.wording is not None
        return self.policy.introduction[self.wording.language]

    @property
    def recording(self) -> RecordingId:
        return recording_id(self.id, self.segment.number)

    @property
    def subject(self) -> RecordingId:
        """The recording that people talk about: the running one, or the next."""
        if self.capture_is_open:
            return self.recording
        return recording_id(self.id, self.next_number)

    @property
    def next_number(self) -> int:
        """Of the segment that is begun next."""
        return self.segment.number + 1 + self.skipped

    @property
    def undecided(self) -> bool:
        return self.phase is CallPhase.NOTICE or self.phase is CallPhase.ASKING

    @property
    def waits_for_us(self) -> bool:
        """Its channel waits for us."""
        return self.undecided or self.phase is CallPhase.TELLING

    @property
    def awaits_audio(self) -> bool:
        return self.capture is Capture.REQUESTED or self.capture is Capture.STARTED

    @property
    def capture_is_open(self) -> bool:
        return self.capture is not Capture.NONE and self.capture is not Capture.ENDED

    @property
    def capture_runs(self) -> bool:
        """MixMonitor was seen, and nobody asked it to stop."""
        return self.capture_is_open and self.segment.began and not self.stopping

    @property
    def is_recorded(self) -> bool:
        """A capture is there and shall be, or will be as soon as it may."""
        there = self.capture_is_open or self.coming is not None or self.start_wanted
        return there and not self.stopping

    @property
    def records_at_once(self) -> bool:
        """Its recording begins as soon as it may: nobody has to ask for one, or has another."""
        on_demand = self.policy is None or self.policy.capture is CaptureFrom.ON_DEMAND
        return not self.joins and not on_demand

    @property
    def keeps_all(self) -> bool:
        """Audio is kept also while the channel is not bridged."""
        return self.policy is not None and self.policy.capture is CaptureFrom.NOTICE

    @property
    def may_keep_others(self) -> bool:
        """The others' direction may be captured, as far as consent of agents goes."""
        assert self.policy is not None
        return self.policy.agent_consent is AgentConsent.NONE or (
            bool(self.company.peers) and self.company.all_consent
        )

    def file_ms(self, at_ms: int) -> int:
        """The clock of the recording's file: it stands still while nothing is captured.

        Where nobody knows when that is, since the policy is not known any more, it never does.
        """
        if self.keeps_all or self.policy is None:
            return at_ms
        running = 0 if self.bridged_at_ms is None else at_ms - self.bridged_at_ms
        return self.bridged_ms + running

    def options(self, *, others: bool) -> CaptureOptions:
        assert self.policy is not None
        return CaptureOptions(not self.keeps_all, others, self.policy.beep_s)

    def party(self, number: int) -> PartyId:
        return party_id(self.id, number)


CallStep = tuple[Call, tuple[Command, ...]]


EARLY_TOLERANCE_MS = 40
"""A playback may seem this much shorter than its prompt: two frames, one at either end."""


SLIP_BEFORE_MS = 100
"""What we hear of a bridge is younger than its first sample by less than this."""
