"""The life of one call, as a pure function of what has happened.

Rule 1: every transition is in ``machine.py``, ``recovery.py`` or a module of ``transitions/``.
Rule 2: nothing here awaits, reads a clock, or knows that ARI, AMI and AGI exist. Facts come
        in as events; what shall be done goes out as commands, in order.
Rule 3 (the notice) is in ``transitions/notice.py``, 4 (the decision) in
        ``transitions/decision.py``, 6 to 8 (what is captured) in ``transitions/capture.py``, 9 to
        11 (the participants) in ``transitions/participants.py``, 12 to 14 (what people ask for
        while the call runs) in ``transitions/recording_control.py``, 15 and 16 (what fails) in
        ``transitions/failures.py``, 17 and 18 (what nobody saw) in ``recovery.py``, and the rule
        for what is published in ``domain/disclosure/publication.py``.
Rule 5: what cannot be taken back stands behind a ``CommitCommand``, its row before it.

The *stage* of a call says what must exist: an undecided call has a policy and a notice, a decided
one a decision. :func:`step` matches it once, and hands its parts to who needs them. The *phase*
says where the channel is; what is known of the recording stands beside it, and follows from files,
bridges and people in whatever order they come:

    Undecided             Decided, or WithoutPolicy
    NOTICE ──▶ ASKING ──▶ TELLING ──▶ CONTINUING ──▶ DIALPLAN ──▶ CLOSING ──▶ OVER
"""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call.audit_rows import (
    anomaly_row,
    arrived_row,
    recording_row,
    result,
    standing_result,
)
from asterisk_compliance.domain.call.commands import (
    Announce,
    AnswerCommand,
    AppendRow,
    ClearDeadline,
    Command,
    CommandStep,
    Continue,
    Deadline,
    EndWhisper,
    Forget,
)
from asterisk_compliance.domain.call.decision import Reason, Status
from asterisk_compliance.domain.call.events import (
    Asked,
    Bridged,
    CallEvent,
    CaptureGoesOn,
    CaptureStopped,
    ChannelGone,
    CommandFailed,
    CompanyChanged,
    Continued,
    DeadlinePassed,
    EntryWire,
    EventsOverflowed,
    FileAppeared,
    FileGrew,
    FileStopped,
    HangupRequested,
    LateRowsSettled,
    LeftStasis,
    LookedAway,
    MixMonitorStarted,
    MuteChanged,
    MuteRefused,
    RecordingJudged,
    RecordingRemoved,
    Reentered,
    RowsLate,
    RowsRefused,
    SegmentRefused,
    SpoolKept,
    SpoolRemoved,
    StorageChanged,
    TransferSeen,
    Unbridged,
)
from asterisk_compliance.domain.call.state import (
    AfterDecision,
    Arrival,
    Call,
    CallCapture,
    CallerConsent,
    CallLimits,
    CallPhase,
    CallStep,
    Decided,
    FileClock,
    Segment,
    Stage,
    StorageProblems,
    Undecided,
    WithoutPolicy,
    clock_of_file,
)
from asterisk_compliance.domain.call.transitions.capture import (
    align_capture,
    began_late,
    close_requested,
    close_segment,
    expect_audio,
    mute_changed,
    segment_began,
    started,
    taking_in,
)
from asterisk_compliance.domain.call.transitions.decision import (
    decide,
    let_go_on,
    records_at_once,
    then,
    unrecorded,
)
from asterisk_compliance.domain.call.transitions.failures import (
    events_lost,
    mute_refused,
    not_begun,
    rows_late,
    rows_refused,
    stalled,
    stopped_growing,
    storage_changed,
)
from asterisk_compliance.domain.call.transitions.notice import (
    abandon_notice,
    before_decision,
    opening,
    telling,
)
from asterisk_compliance.domain.call.transitions.participants import (
    company_changed,
    is_of_whisper,
    seen_before_decision,
    whispered,
)
from asterisk_compliance.domain.call.transitions.recording_control import (
    asked,
    asked_of_unrecorded,
    pause_is_forgotten,
)
from asterisk_compliance.domain.call.transitions.visibility_gaps import (
    ami_gap_ms,
    ended_unseen,
    gap_began,
)
from asterisk_compliance.domain.policy.notice import CaptureFrom, Policy, ToldBy
from asterisk_compliance.domain.recording.verdict import Capture
from asterisk_compliance.ids import CallId


def arrive(call_id: CallId, arrival: Arrival, limits: CallLimits) -> CallStep:
    """Begin a call: its first row, and either the notice or at once the way back."""
    policy = arrival.policy
    if isinstance(policy, Policy):
        return _arrive_with_policy(call_id, arrival, policy, limits)
    stage = WithoutPolicy(unrecorded(None, policy))
    call = _arrived(call_id, arrival, limits, stage)
    return then((arrived_row(call, arrival),), let_go_on(call, stage))


def _arrive_with_policy(
    call_id: CallId, arrival: Arrival, policy: Policy, limits: CallLimits
) -> CallStep:
    undecided = Undecided(policy, policy.wording_for(arrival.language))
    call = _arrived(call_id, arrival, limits, undecided)
    on_demand = policy.capture is CaptureFrom.ON_DEMAND
    capture = CallCapture(segment=Segment(0)) if on_demand else CallCapture()
    call = replace(call, file_clock=clock_of_file(policy), capture=capture)
    arrived = arrived_row(call, arrival)
    if arrival.stopping:
        return then((arrived,), decide(call, undecided, Reason.SERVICE_STOPPING))
    if not _purposes_are_told(arrival, policy):
        decided = decide(call, undecided, Reason.NOT_PUBLISHED)
        return then((arrived,), _answered(arrival, decided))
    if arrival.no_storage is not None and records_at_once(call, policy):
        decided = decide(call, undecided, arrival.no_storage)
        return then((arrived,), _answered(arrival, decided))
    if arrival.overloaded:
        return then((arrived,), decide(call, undecided, Reason.OVERLOADED))
    if policy.introduction is not None:
        introduction = policy.introduction[undecided.wording.language]
        undecided = replace(undecided, introduction=introduction)
        call = replace(call, stage=undecided)
    answer = () if arrival.answered else (AnswerCommand(),)
    return call, (arrived, *answer, *opening(call, undecided))


def _arrived(call_id: CallId, arrival: Arrival, limits: CallLimits, stage: Stage) -> Call:
    return Call(
        id=call_id,
        channel=arrival.channel,
        entry=arrival.entry,
        limits=limits,
        arrived_at_ms=arrival.at_ms,
        stage=stage,
        leg=arrival.leg,
        joins=arrival.joins,
        synthetic=arrival.synthetic,
        wiring=arrival.wiring,
        outside=arrival.outside,
        consent=CallerConsent(deletes_recordings=arrival.synthetic),
        storage=StorageProblems(no_storage=arrival.no_storage),
    )


def _purposes_are_told(arrival: Arrival, policy: Policy) -> bool:
    """By the notice that follows, or by the page that it names (rule 21)."""
    return policy.told_by is ToldBy.NOTICE or arrival.published


def _answered(arrival: Arrival, decided: CallStep) -> CallStep:
    """Answer the channel first, if something is played on it."""
    answers = decided[0].phase is CallPhase.TELLING and not arrival.answered
    return then((AnswerCommand(),) if answers else (), decided)


def resume_stranded_call(
    call_id: CallId, arrival: Arrival, limits: CallLimits, *, decided: bool
) -> CallStep:
    """Resume a call that an earlier run of this service left in our application.

    It goes on in the dialplan, unrecorded. If that run had not decided, this is the decision.
    """
    stage = WithoutPolicy(unrecorded(None, Reason.SERVICE_RESTARTED))
    call = Call(
        id=call_id,
        channel=arrival.channel,
        entry=arrival.entry,
        limits=limits,
        arrived_at_ms=arrival.at_ms,
        stage=stage,
    )
    gone_on, commands = let_go_on(call, stage)
    if not decided:
        return gone_on, commands
    return gone_on, (anomaly_row("STRANDED"), *commands[1:])


def step(call: Call, event: CallEvent) -> CallStep:  # noqa: C901, PLR0912 - one arm a stage
    """Apply one fact to a call: the next call, and the commands to perform in order.

    Total: every event is possible in every stage, since Asterisk, the disk and the caller do
    not wait for each other. An event that means nothing now changes nothing.
    """
    stage = call.stage
    if stage.phase is CallPhase.OVER:
        return call, ()
    match event:
        case HangupRequested():
            return replace(call, hanging_up=True), ()
        case ChannelGone(at_ms=at_ms):
            return _end(call, at_ms)
        case RowsRefused():
            return rows_refused(call, event)
        case RowsLate() | LateRowsSettled():
            return rows_late(call, event)
        case LookedAway() if stage.phase is not CallPhase.CLOSING:
            return replace(call, visibility=gap_began(call.visibility, event)), ()
        case StorageChanged(reason=reason) if stage.phase is not CallPhase.CLOSING:
            return storage_changed(call, stage, reason)
        case _:
            pass
    match stage:
        case Undecided():
            return _undecided(call, stage, event)
        case _:
            pass
    match event:
        case RecordingJudged() | SpoolRemoved() | SpoolKept() | RecordingRemoved():
            return taking_in(call, stage.decision, event)
        case _ if stage.phase is CallPhase.CLOSING:
            return call, ()
        case CompanyChanged():
            return company_changed(call, stage, event)
        case _ if stage.phase is CallPhase.TELLING:
            return telling(call, event)
        case _:
            pass
    match stage:
        case Decided():
            return _decided(call, stage, event)
        case WithoutPolicy():
            return _without_policy(call, stage, event)
        case _ as never:
            assert_never(never)


def _undecided(call: Call, undecided: Undecided, event: CallEvent) -> CallStep:
    match event:
        case CompanyChanged():
            return seen_before_decision(call, event), ()
        case Bridged() | Unbridged():
            return replace(call, file_clock=_bridging(call.file_clock, event)), ()
        case _:
            return before_decision(call, undecided, event)


def _decided(call: Call, decided: Decided, event: CallEvent) -> CallStep:
    whisper = call.whispering
    if whisper is not None and is_of_whisper(whisper, event):
        return whispered(call, decided, whisper, event)
    if isinstance(event, Asked):
        return asked(call, decided, event)
    match event:
        case MuteRefused(mute=mute, at_ms=at_ms):
            return mute_refused(call, decided, mute, at_ms)
        case FileStopped(recording=recording, at_ms=at_ms) if recording == call.recording:
            return stopped_growing(call, decided, at_ms)
        case DeadlinePassed(deadline=Deadline.GROWTH) if (
            call.capture.awaits_audio and not call.capture.stopping
        ):
            return stalled(call, decided)
        case DeadlinePassed(deadline=Deadline.PAUSE, at_ms=at_ms) if call.capture.pauses:
            return pause_is_forgotten(call, decided, at_ms)
        case _:
            return _in_dialplan(call, decided, event)


def _without_policy(call: Call, stage: WithoutPolicy, event: CallEvent) -> CallStep:
    if isinstance(event, Asked):
        return asked_of_unrecorded(call, event)
    return _in_dialplan(call, stage, event)


def _in_dialplan(  # noqa: C901, PLR0912 - one arm a fact
    call: Call, stage: AfterDecision, event: CallEvent
) -> CallStep:
    """What a fact means for a decided call, whether its policy is known or not."""
    capture = call.capture
    requested, late = capture.requested_segment, capture.late_segment
    match event:
        case Continued(at_ms=at_ms):
            return _continued(call, stage, at_ms)

        case CommandFailed(step=CommandStep.HAND_OVER | CommandStep.CONTINUE as failed):
            refused = (anomaly_row("CONTINUE_REFUSED", step=failed),)
            return call.in_phase(CallPhase.DIALPLAN), () if call.hanging_up else refused

        case LeftStasis() if stage.phase is not CallPhase.DIALPLAN:
            return call.in_phase(CallPhase.DIALPLAN), ()

        case Reentered() if stage.phase is CallPhase.DIALPLAN or capture.stopping:
            return call, (AppendRow(Kind.CALL_REENTERED), standing_result(call, stage), Continue())

        case Reentered():
            return call, (result(call, stage), Continue())

        case Bridged():
            clock = _bridging(call.file_clock, event)
            return replace(call, file_clock=clock), expect_audio(call)

        case Unbridged():
            clear = () if call.file_clock.keeps_all else (ClearDeadline(Deadline.GROWTH),)
            return replace(call, file_clock=_bridging(call.file_clock, event)), clear

        case MixMonitorStarted() if capture.unconfirmed_starts:
            confirmed = replace(capture, unconfirmed_starts=capture.unconfirmed_starts - 1)
            return replace(call, capture=confirmed), ()

        case MixMonitorStarted(at_ms=at_ms) if requested is not None:
            return segment_began(ended_unseen(call, at_ms), requested, at_ms, "mixmonitor_start")

        case MixMonitorStarted(at_ms=at_ms) if capture.is_unseen:
            return started(call, at_ms, "mixmonitor_start")

        case FileAppeared(recording=recording, at_ms=at_ms) if (
            requested is not None and recording == call.recording_of(requested)
        ):
            begun = _expects_a_start(ended_unseen(call, at_ms))
            return segment_began(begun, requested, at_ms, "file")

        case FileAppeared(recording=recording, at_ms=at_ms) if (
            late is not None and recording == call.recording_of(late)
        ):
            return began_late(_expects_a_start(ended_unseen(call, at_ms)), late, at_ms)

        case FileAppeared(at_ms=at_ms) if capture.is_unseen:
            return started(_expects_a_start(call), at_ms, "file")

        case FileGrew(recording=recording) if capture.stopping or recording != call.recording:
            return call, ()  # what was in Asterisk's buffer when it was stopped

        case FileGrew(at_ms=at_ms) if capture.is_unseen:
            begun, commands = started(_expects_a_start(call), at_ms, "file")
            return then(commands, step(begun, event))

        case FileGrew() if capture.state is Capture.STARTED or capture.state is Capture.STALLED:
            growing = replace(call, capture=replace(capture, state=Capture.GROWING))
            row = recording_row(call, Kind.RECORDING_GROWING)
            shown = () if capture.pauses else (Announce(Status.RECORDING),)
            return growing, (row, ClearDeadline(Deadline.GROWTH), *shown)

        case DeadlinePassed(deadline=Deadline.SEGMENT, at_ms=at_ms) if requested is not None:
            return not_begun(call, stage, requested, at_ms)

        case TransferSeen(at_ms=at_ms) if call.participants.met:
            participants = replace(call.participants, transfer_seen=True)
            return align_capture(replace(call, participants=participants), at_ms)

        case EventsOverflowed():
            return events_lost(call, stage)

        case MuteChanged(mute=mute, at_ms=at_ms):
            return mute_changed(call, mute, at_ms)

        case CaptureStopped(recording=recording, at_ms=at_ms) if (
            capture.stopping and recording == call.recording and capture.is_open
        ):
            ended = ended_unseen(call, at_ms)
            stopping = replace(ended.capture, stopping=requested is not None)
            return close_segment(replace(ended, capture=stopping), at_ms)

        case CaptureGoesOn(recording=recording):
            return call, (anomaly_row("CAPTURE_NOT_STOPPED", recording=recording),)

        case SegmentRefused(recording=recording, at_ms=at_ms) if (
            requested is not None and recording == call.recording_of(requested)
        ):
            return not_begun(call, stage, requested, at_ms)

        case _:
            return call, ()


def _continued(call: Call, stage: AfterDecision, at_ms: int) -> CallStep:
    """The channel goes on in the dialplan; who was there before counts from now on."""
    clock = call.file_clock
    if clock.continued_at_ms is None:
        clock = replace(clock, continued_at_ms=at_ms)
    there = replace(stage, phase=CallPhase.DIALPLAN)
    gone_on = replace(call, stage=there, file_clock=clock)
    expecting = expect_audio(call) if clock.keeps_all else ()
    commands = (AppendRow(Kind.CALL_CONTINUED), *expecting)
    early = call.participants_before_decision
    if early is None:
        return gone_on, commands
    return then(commands, company_changed(gone_on, there, replace(early, at_ms=at_ms)))


def _expects_a_start(call: Call) -> Call:
    """A file was seen first: AMI's ``MixMonitorStart``, which names no recording, is to come."""
    starts = call.capture.unconfirmed_starts + 1
    return replace(call, capture=replace(call.capture, unconfirmed_starts=starts))


# -- the end, and the clock --------------------------------------------------------------------


def _end(call: Call, at_ms: int) -> CallStep:
    if call.stage.phase is CallPhase.CLOSING:
        return call, ()
    commands: tuple[Command, ...] = ()
    match call.stage:
        case Undecided() as undecided:
            call, commands = abandon_notice(call, undecided, Reason.HANGUP_IN_NOTICE, gone=True)
        case _:
            pass
    if call.whispering is not None:
        commands = (*commands, EndWhisper())
    call = ended_unseen(call, at_ms)
    clock = _bridging(call.file_clock, Unbridged(at_ms))
    call = replace(call, file_clock=clock)
    told = clock.bridges_seen or call.entry is not EntryWire.APPLICATION
    bridged_ms = clock.bridged_ms if told else None
    ended = AppendRow(Kind.CALL_ENDED, {"bridged_ms": bridged_ms})
    if call.visibility.ami_gap_since_ms is not None:
        unseen_ms = ami_gap_ms(call.visibility, at_ms)
        ended = AppendRow(Kind.CALL_ENDED, {"bridged_ms": bridged_ms, "unseen_ms": unseen_ms})
    commands = (*commands, ended, ClearDeadline(Deadline.GROWTH))
    if call.capture.is_open:
        call, judging = close_segment(call, at_ms)
        commands = (*commands, *judging)
    if call.capture.requested_segment is not None:
        call, judging = close_requested(call, call.capture.requested_segment, at_ms)
        commands = (*commands, *judging)
    if not call.recordings.pending:
        return call.in_phase(CallPhase.OVER), (*commands, Forget())
    return call.in_phase(CallPhase.CLOSING), commands


def _bridging(clock: FileClock, event: Bridged | Unbridged) -> FileClock:
    """Keep the sum of the time in bridges: what a bridged recording must be long."""
    if isinstance(event, Bridged):
        since_ms = event.at_ms if clock.bridged_at_ms is None else clock.bridged_at_ms
        return replace(clock, bridged_at_ms=since_ms, bridges_seen=True)
    if clock.bridged_at_ms is None:
        return clock
    total_ms = clock.bridged_ms + event.at_ms - clock.bridged_at_ms
    return replace(clock, bridged_at_ms=None, bridged_ms=total_ms)
