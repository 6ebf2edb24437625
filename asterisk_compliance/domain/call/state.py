"""What is known of one call: frozen values, one for each concern.

What must exist for a step is a type: a :class:`Stage` has the policy and the decision that hold
at that point of the call (``docs/decisions/0025-call-stages.md``).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from asterisk_compliance.domain.audit.rows import PersonalFact
from asterisk_compliance.domain.call.commands import CaptureOptions, Command, Mute
from asterisk_compliance.domain.call.decision import Decision, Reason, Status
from asterisk_compliance.domain.call.events import CompanyChanged, EntryWire, Leg, PlaybackStarted
from asterisk_compliance.domain.call.participants import ALONE, Participants
from asterisk_compliance.domain.policy.notice import (
    CaptureFrom,
    Policy,
    Prompt,
    Wording,
)
from asterisk_compliance.domain.recording.verdict import Capture, Tracks
from asterisk_compliance.ids import (
    CallId,
    ChannelId,
    PlaybackId,
    RecordingId,
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
        notice_margin_ms: A notice has failed this long after its prompt's own length.
        dialplan_ms: The routine's own limit. After it the dialplan has taken the call back.
        growth_ms: From the bridge until audio must be on disk.
        stop_ms: A stopping service waits this long for notices that play.
        segment_ms: From the request for a new segment until Asterisk says that it began.
    """

    notice_margin_ms: int = 3_000
    dialplan_ms: int = 30_000
    growth_ms: int = 3_000
    stop_ms: int = 5_000
    segment_ms: int = 2_000


class DialplanWiring(Struct, frozen=True):
    """What the site has set up in Asterisk, beside the routine itself.

    Attributes:
        segments: ``features.conf`` lets the service begin a new segment while the call runs.
        staff_known: The site lists its staff's endpoints, so everybody else is outside.
        shows: An agent who joins is shown the status of the call on their own channel.
    """

    segments: bool = True
    staff_known: bool = False
    shows: bool = False


class Arrival(Struct, frozen=True):
    """A channel that entered the routine.

    Attributes:
        policy: The policy that applies, or the reason why none does.
        policy_name: The name that the dialplan asked for, bounded, for the row.
        language: Asterisk's channel language.
        answered: The channel is up already.
        stopping: The service is stopping.
        overloaded: Too many notices play for this one to begin.
        no_storage: Why no recording can begin; ``None`` if one can.
        published: The purposes are on the published page, on the day of the call.
        facts: What identifies the caller: number, name, dialled number.
        rules: Ids of the rules that made the policy what it is.
        leg: Whose leg it is.
        joins: The channel is about to join a recorded call of ours. Its party hears the notice,
            and the channel needs no recording of its own.
        wiring: What the site has set up.
        outside: The number of the party outside in one comparable form; empty if it has none.
        synthetic: The service itself placed the call, to see whether everything works.
        queue: The name of the queue in the dialplan; empty if there is none.
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
    """What happens after something was said to one party of a running call."""

    NOTHING = "nothing"
    REDIRECT = "redirect"
    HANG_UP = "hang-up"


class WhisperInProgress(Struct, frozen=True):
    """What is being said to one party of a running call.

    Attributes:
        wording: The notice, if the whisper is one; hearing it whole covers the party.
            ``None`` for an announcement to the told party.
        then: What happens after an announcement.
        failed: Why the notice does not count. A moment later we know whether the party left.
    """

    channel: ChannelId
    playback: PlaybackId
    length_ms: int
    wording: Wording | None = None
    then: AfterWhisper = AfterWhisper.NOTHING
    started: PlaybackStarted | None = None
    failed: Reason | None = None


class UnmutedSpan(Struct, frozen=True):
    """Audio in the file that must not be kept, on the file's clock."""

    from_ms: int
    to_ms: int
    tracks: Tracks


class Segment(Struct, frozen=True):
    """The running recording: one pair of files.

    Attributes:
        number: From 1 on.
        since_ms: When it began, on the file's clock.
        others: Whether the others' direction is captured at all.
        mute: What Asterisk was last asked to mute.
        began: Asterisk, or a file on disk, says that it runs.
        partly_seen: The service did not see all of it, so how long it must be is not known.
        slipping_since_ms: Since when audio that must not be kept may arrive in the file.
        slipping: Whose audio that is.
        slips: Spans to blank before the file is digested.
        doubtful_since_ms: Since when the others may be missing in the file
            (docs/asterisk-facts.md).
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


class Undecided(Struct, frozen=True):
    """The channel waits for us: the notice plays, or the caller is asked for a key.

    Attributes:
        policy: The policy that applies to this call.
        wording: The notice in the language that the caller hears now.
        phase: ``ASKING`` after the notice was completed, while a key is awaited.
        started: The start of the current playback, once Asterisk has reported it.
        introduction: The prompt that the policy puts before the notice, while it plays.
        accepted: The caller pressed the accepting key during the notice.
    """

    policy: Policy
    wording: Wording
    phase: Literal[CallPhase.NOTICE, CallPhase.ASKING] = CallPhase.NOTICE
    started: PlaybackStarted | None = None
    introduction: Prompt | None = None
    accepted: bool = False

    @property
    def playing(self) -> Prompt | Wording:
        """The prompt that plays now: the introduction, then the notice."""
        return self.introduction or self.wording


class Decided(Struct, frozen=True):
    """A call with its decision, made under a policy that is known.

    Attributes:
        policy: The policy that applies to this call.
        wording: The notice in the language in which the caller was last addressed.
        decision: The decision that holds.
        phase: Where the channel is.
    """

    policy: Policy
    wording: Wording
    decision: Decision
    phase: CallPhase = CallPhase.CONTINUING


class WithoutPolicy(Struct, frozen=True):
    """A call with its decision, and no policy: none applies, or nobody knows it any more.

    The second is a call that an earlier run of the service decided, under a policy that the
    configuration no longer has. Its recording, if it has one, is being stopped. No recording
    begins, nobody is told anything, and no request of a party is granted.
    """

    decision: Decision
    phase: CallPhase = CallPhase.CONTINUING


AfterDecision: TypeAlias = Decided | WithoutPolicy
Stage: TypeAlias = Undecided | AfterDecision


class FileTime(StrEnum):
    """When samples arrive in the file of a recording."""

    WHILE_BRIDGED = "while-bridged"
    ALWAYS = "always"
    UNKNOWN = "unknown"
    """The policy is not known any more. The file's clock is then taken to run all the time."""


class FileClock(Struct, frozen=True):
    """The clock of the recording's file. It stands still while nothing is captured.

    Attributes:
        runs: When it runs.
        continued_at_ms: When the call first went on in the dialplan.
        bridged_at_ms: Since when the channel is in a bridge; ``None`` while it is in none.
        bridged_ms: The time in earlier bridges.
        bridges_seen: Asterisk has reported a bridge of this call.
    """

    runs: FileTime = FileTime.WHILE_BRIDGED
    continued_at_ms: int | None = None
    bridged_at_ms: int | None = None
    bridged_ms: int = 0
    bridges_seen: bool = False

    @property
    def keeps_all(self) -> bool:
        """Audio is kept also while the channel is not bridged."""
        return self.runs is FileTime.ALWAYS

    def file_ms(self, at_ms: int) -> int:
        """Where in the file the moment ``at_ms`` of the monotonic clock is."""
        if self.runs is not FileTime.WHILE_BRIDGED:
            return at_ms
        running = 0 if self.bridged_at_ms is None else at_ms - self.bridged_at_ms
        return self.bridged_ms + running


class CallCapture(Struct, frozen=True):
    """The running recording, the one that follows it, and what was asked of either.

    Attributes:
        state: Of the running segment; ``NONE`` while there is none.
        segment: The running segment, or the last one.
        stopping: The running segment must end; Asterisk has not confirmed it yet.
        requested_segment: The segment that was asked for and has not begun.
        late_segment: The segment that did not begin in time; it may still begin.
        unused_numbers: How many segment numbers after the running one were promised in a row
            and never begun.
        ended_as: The status that was announced when the last recording ended before the call.
        unconfirmed_starts: For so many recordings the file was seen before AMI reported the
            start. The reports are still to come.
        start_wanted: Somebody asked for a recording, which waits until everybody is covered.
        restart_due: Participants changed under a running capture, so a new segment must begin
            (docs/asterisk-facts.md, "Transfers").
        pauses: Who paused, by actor, and has not resumed.
    """

    state: Capture = Capture.NONE
    segment: Segment = Segment()
    stopping: bool = False
    requested_segment: Segment | None = None
    late_segment: Segment | None = None
    unused_numbers: int = 0
    ended_as: Status | None = None
    unconfirmed_starts: int = 0
    start_wanted: bool = False
    restart_due: bool = False
    pauses: frozenset[str] = frozenset()

    @property
    def is_open(self) -> bool:
        return self.state is not Capture.NONE and self.state is not Capture.ENDED

    @property
    def runs(self) -> bool:
        """MixMonitor was seen to run, and nobody asked it to stop."""
        return self.is_open and self.segment.began and not self.stopping

    @property
    def is_unseen(self) -> bool:
        """MixMonitor was asked for, and nothing says yet that it runs."""
        return self.is_open and not self.segment.began

    @property
    def awaits_audio(self) -> bool:
        return self.state is Capture.REQUESTED or self.state is Capture.STARTED

    @property
    def is_wanted(self) -> bool:
        """A recording runs and shall go on, or will begin as soon as it may."""
        there = self.is_open or self.requested_segment is not None or self.start_wanted
        return there and not self.stopping

    @property
    def next_number(self) -> int:
        """The number of the segment that begins next."""
        return self.segment.number + 1 + self.unused_numbers


class Recordings(Struct, frozen=True):
    """What became of this call's recordings.

    Attributes:
        vaulted: Recordings that are in the vault.
        pending: Recordings that have ended and are being judged, taken in or removed.
    """

    vaulted: frozenset[RecordingId] = frozenset()
    pending: frozenset[RecordingId] = frozenset()


class CallerConsent(Struct, frozen=True):
    """What the caller decided after, or beside, the answer to the notice.

    Attributes:
        withdrawn: The caller withdrew: the call is not recorded again.
        deletes_recordings: What was recorded is deleted: the caller withdrew under a policy
            that says so, or the call is synthetic.
        on_do_not_call_list: The number outside goes on the list of numbers not to call again.
    """

    withdrawn: bool = False
    deletes_recordings: bool = False
    on_do_not_call_list: bool = False


class Visibility(Struct, frozen=True):
    """What the service could not see.

    Attributes:
        view_gap_since_ms: Since when the service has not looked at who is there; ``None`` while
            it does.
        ami_gap_since_ms: Since when AMI has not reported bridges, so that somebody may have come
            and left; ``None`` while it does.
        ami_gap_is_logged: The log has a row of that gap.
        events_lost: Events of this call were lost, so who is there is not certain any more.
    """

    view_gap_since_ms: int | None = None
    ami_gap_since_ms: int | None = None
    ami_gap_is_logged: bool = False
    events_lost: bool = False


class StorageProblems(Struct, frozen=True):
    """What cannot be stored.

    Attributes:
        store_failed: Rows of this call could not be stored.
        no_storage: Why no recording can begin; ``None`` if one can.
    """

    store_failed: bool = False
    no_storage: Reason | None = None


class Call(Struct, frozen=True):
    """One call. A value: :func:`~.machine.step` returns the next one.

    Its own fields say which call it is; each other concern is a value of its own.

    Attributes:
        leg, joins, synthetic, wiring, outside: As in :class:`Arrival`.
        stage: How far the call is, with what must exist then: a policy, a decision.
        playbacks: How many playbacks were begun on this call; each has a number in its id.
        hanging_up: Asterisk has reported a request to hang up.
        participants_before_decision: Who was seen to be there before the call was decided. It
            counts when the call goes on.
        whispering: What is being said to one party while the call runs.
    """

    id: CallId
    channel: ChannelId
    entry: EntryWire
    limits: CallLimits
    arrived_at_ms: int
    stage: Stage
    leg: Leg = Leg.CALLER
    joins: bool = False
    synthetic: bool = False
    wiring: DialplanWiring = DialplanWiring()
    outside: str = ""
    playbacks: int = 1
    hanging_up: bool = False
    consent: CallerConsent = CallerConsent()
    file_clock: FileClock = FileClock()
    capture: CallCapture = CallCapture()
    recordings: Recordings = Recordings()
    participants: Participants = ALONE
    participants_before_decision: CompanyChanged | None = None
    whispering: WhisperInProgress | None = None
    visibility: Visibility = Visibility()
    storage: StorageProblems = StorageProblems()

    @property
    def phase(self) -> CallPhase:
        return self.stage.phase

    @property
    def undecided(self) -> bool:
        return isinstance(self.stage, Undecided)

    @property
    def waits_for_us(self) -> bool:
        """The channel waits for us."""
        return self.undecided or self.stage.phase is CallPhase.TELLING

    @property
    def policy(self) -> Policy | None:
        return None if isinstance(self.stage, WithoutPolicy) else self.stage.policy

    @property
    def decision(self) -> Decision | None:
        return None if isinstance(self.stage, Undecided) else self.stage.decision

    @property
    def playback(self) -> PlaybackId:
        """The playback that counts now: the last one that was begun."""
        return playback_id(self.id, self.playbacks)

    @property
    def recording(self) -> RecordingId:
        """The running recording, or the last one."""
        return recording_id(self.id, self.capture.segment.number)

    @property
    def subject(self) -> RecordingId:
        """The recording that people talk about: the running one, or the next."""
        if self.capture.is_open:
            return self.recording
        return recording_id(self.id, self.capture.next_number)

    def recording_of(self, segment: Segment) -> RecordingId:
        return recording_id(self.id, segment.number)

    def in_phase(self, phase: CallPhase) -> Call:
        return replace(self, stage=replace(self.stage, phase=phase))


CallStep = tuple[Call, tuple[Command, ...]]


def capture_options(policy: Policy, *, others: bool) -> CaptureOptions:
    """How MixMonitor captures under this policy; ``others`` as in :class:`Segment`."""
    return CaptureOptions(policy.capture is not CaptureFrom.NOTICE, others, policy.beep_s)


def clock_of_file(policy: Policy) -> FileClock:
    """The clock of a recording under this policy, before anything is captured."""
    always = policy.capture is CaptureFrom.NOTICE
    return FileClock(FileTime.ALWAYS if always else FileTime.WHILE_BRIDGED)


EARLY_TOLERANCE_MS = 40
"""A playback may seem this much shorter than its prompt: two frames, one at either end."""


SLIP_BEFORE_MS = 100
"""We hear of a bridge less than this after its first sample."""
