"""The life of one call, as a pure function of what has happened.

Rule 1: every transition is in ``machine.py``, ``recovery.py`` or a module of ``transitions/``.
Rule 2: nothing here awaits, reads a clock, or knows that ARI, AMI and AGI exist. Facts come
        in as events; what shall be done goes out as commands, in order.
Rule 3 (the notice) is in ``transitions/notice.py``, 4 (the decision) in
        ``transitions/decision.py``, 6 to 8 (what is captured) in ``transitions/capture.py``, 9 to
        11 (everybody else) in ``transitions/participants.py``, 12 to 14 (what people ask for in
        mid-call) in ``transitions/recording_control.py``, 15 and 16 (what fails) in
        ``transitions/failures.py``, 17 and 18 (what nobody saw) in ``recovery.py``, and the rule
        for what is published in ``domain/disclosure/publication.py``.
Rule 5: what cannot be taken back stands behind a ``Commit``, its row before it.

The *phase* says where the channel is; what is known of the recording runs beside it, and follows
from files, bridges and people in whatever order they come:

    NOTICE ··▶ CONTINUING ──▶ DIALPLAN ──▶ CLOSING ──▶ OVER
"""

from __future__ import annotations

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
    Arrival,
    Call,
    CallLimits,
    CallPhase,
    CallStep,
    Segment,
)
from asterisk_compliance.domain.call.transitions.capture import (
    align_capture,
    began_late,
    close_coming,
    close_segment,
    expect_audio,
    mute_changed,
    segment_began,
    started,
    taking_in,
)
from asterisk_compliance.domain.call.transitions.decision import decide, then
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
    whispered,
)
from asterisk_compliance.domain.call.transitions.recording_control import asked, pause_is_forgotten
from asterisk_compliance.domain.call.transitions.visibility_gaps import (
    blind_ms,
    ended_unseen,
    gap_began,
)
from asterisk_compliance.domain.policy.notice import CaptureFrom, Policy, ToldBy
from asterisk_compliance.domain.recording.verdict import Capture
from asterisk_compliance.ids import CallId, RecordingId, recording_id


def arrive(call_id: CallId, arrival: Arrival, limits: CallLimits) -> CallStep:
    """Begin a call: its first row, and either the notice or at once the way back."""
    policy = arrival.policy if isinstance(arrival.policy, Policy) else None
    wording = policy.wording_for(arrival.language) if policy else None
    on_demand = policy is not None and policy.capture is CaptureFrom.ON_DEMAND
    call = Call(
        id=call_id,
        channel=arrival.channel,
        entry=arrival.entry,
        limits=limits,
        arrived_at_ms=arrival.at_ms,
        leg=arrival.leg,
        joins=arrival.joins,
        synthetic=arrival.synthetic,
        erases=arrival.synthetic,
        wiring=arrival.wiring,
        outside=arrival.outside,
        policy=policy,
        wording=wording,
        segment=Segment(0) if on_demand else Segment(),
        no_storage=arrival.no_storage,
    )
    arrived = arrived_row(call, arrival)
    if not isinstance(arrival.policy, Policy):
        return then((arrived,), decide(call, arrival.policy))
    if arrival.stopping:
        return then((arrived,), decide(call, Reason.SERVICE_STOPPING))
    if not _purposes_are_told(arrival, arrival.policy):
        return then((arrived,), _answered(arrival, decide(call, Reason.NOT_PUBLISHED)))
    if call.records_at_once and arrival.no_storage is not None:
        return then((arrived,), _answered(arrival, decide(call, arrival.no_storage)))
    if arrival.overloaded:
        return then((arrived,), decide(call, Reason.OVERLOADED))
    assert wording is not None
    answer = () if arrival.answered else (AnswerCommand(),)
    begun = replace(call, introducing=arrival.policy.introduction is not None)
    return begun, (arrived, *answer, *opening(begun))


def _purposes_are_told(arrival: Arrival, policy: Policy) -> bool:
    """By the notice that follows, or by the page that it names (rule 21)."""
    return policy.told_by is ToldBy.NOTICE or arrival.published


def _answered(arrival: Arrival, decided: CallStep) -> CallStep:
    """Who is told something is answered first."""
    answers = decided[0].phase is CallPhase.TELLING and not arrival.answered
    return then((AnswerCommand(),) if answers else (), decided)


def resume_stranded_call(
    call_id: CallId, arrival: Arrival, limits: CallLimits, *, decided: bool
) -> CallStep:
    """Take up a call that an earlier life of this service left in our application.

    It goes on in the dialplan, unrecorded. Where that life had not decided, this is the decision.
    """
    call = Call(
        id=call_id,
        channel=arrival.channel,
        entry=arrival.entry,
        limits=limits,
        arrived_at_ms=arrival.at_ms,
    )
    gone_on, commands = decide(call, Reason.SERVICE_RESTARTED)
    if not decided:
        return gone_on, commands
    return gone_on, (anomaly_row("STRANDED"), *commands[1:])


def step(call: Call, event: CallEvent) -> CallStep:  # noqa: C901, PLR0912 - one arm a phase
    """Apply one fact to a call: the next call, and the commands to perform in order.

    Total: every event is possible in every phase, since Asterisk, the disk and the caller do
    not wait for each other. What means nothing now changes nothing.
    """
    if call.phase is CallPhase.OVER:
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
        case RecordingJudged() | SpoolRemoved() | SpoolKept() | RecordingRemoved():
            return taking_in(call, event)
        case _ if call.phase is CallPhase.CLOSING:
            return call, ()
        case StorageChanged(reason=reason):
            return storage_changed(call, reason)
        case LookedAway():
            return gap_began(call, event), ()
        case CompanyChanged():
            return company_changed(call, event)
        case Bridged() | Unbridged() if call.undecided:
            return _bridging(call, event), ()
        case _ if call.undecided:
            return before_decision(call, event)
        case _ if call.phase is CallPhase.TELLING:
            return telling(call, event)
        case _ if call.whispering is not None and is_of_whisper(call, event):
            return whispered(call, event)
        case MuteChanged() | MuteRefused() | CaptureStopped() | CaptureGoesOn() | SegmentRefused():
            return _capture_answered(call, event)
        case _ if isinstance(event, Asked):
            return asked(call, event)
        case _:
            return _in_dialplan(call, event)


def _in_dialplan(call: Call, event: CallEvent) -> CallStep:  # noqa: C901, PLR0912 - one arm a fact
    match event:
        case Continued(at_ms=at_ms):
            first = at_ms if call.continued_at_ms is None else call.continued_at_ms
            gone_on = replace(call, phase=CallPhase.DIALPLAN, continued_at_ms=first)
            expecting = expect_audio(call) if call.keeps_all else ()
            commands = (AppendRow(Kind.CALL_CONTINUED), *expecting)
            if call.early is None:
                return gone_on, commands
            return then(commands, company_changed(gone_on, replace(call.early, at_ms=at_ms)))

        case CommandFailed(step=CommandStep.HAND_OVER | CommandStep.CONTINUE as failed):
            gone_on = replace(call, phase=CallPhase.DIALPLAN)
            refused = (anomaly_row("CONTINUE_REFUSED", step=failed),)
            return gone_on, () if call.hanging_up else refused

        case LeftStasis():
            return replace(call, phase=CallPhase.DIALPLAN), ()

        case Reentered() if call.phase is CallPhase.DIALPLAN or call.stopping:
            return call, (AppendRow(Kind.CALL_REENTERED), standing_result(call), Continue())

        case Reentered():
            return call, (result(call), Continue())

        case Bridged():
            return _bridging(call, event), expect_audio(call)

        case Unbridged():
            clear = () if call.keeps_all else (ClearDeadline(Deadline.GROWTH),)
            return _bridging(call, event), clear

        case MixMonitorStarted() if call.starts_owed:
            return replace(call, starts_owed=call.starts_owed - 1), ()

        case MixMonitorStarted(at_ms=at_ms) if call.coming is not None:
            return segment_began(ended_unseen(call, at_ms), at_ms, "mixmonitor_start")

        case MixMonitorStarted(at_ms=at_ms) if _is_unseen(call):
            return started(call, at_ms, "mixmonitor_start")

        case FileAppeared(recording=recording, at_ms=at_ms) if _is(call, call.coming, recording):
            return segment_began(_owed_a_start(ended_unseen(call, at_ms)), at_ms, "file")

        case FileAppeared(recording=recording, at_ms=at_ms) if _is(call, call.missed, recording):
            return began_late(_owed_a_start(ended_unseen(call, at_ms)), at_ms)

        case FileAppeared(at_ms=at_ms) if _is_unseen(call):
            return started(_owed_a_start(call), at_ms, "file")

        case FileGrew(recording=recording) if call.stopping or recording != call.recording:
            return call, ()  # what was in Asterisk's buffer when it was stopped

        case FileGrew(at_ms=at_ms) if _is_unseen(call):
            return _then_step(started(_owed_a_start(call), at_ms, "file"), event)

        case FileGrew() if call.capture in {Capture.STARTED, Capture.STALLED}:
            growing = replace(call, capture=Capture.GROWING)
            row = recording_row(call, Kind.RECORDING_GROWING)
            shown = () if call.pauses else (Announce(Status.RECORDING),)
            return growing, (row, ClearDeadline(Deadline.GROWTH), *shown)

        case FileStopped(recording=recording, at_ms=at_ms) if recording == call.recording:
            return stopped_growing(call, at_ms)

        case DeadlinePassed(deadline=Deadline.GROWTH) if call.awaits_audio and not call.stopping:
            return stalled(call)

        case DeadlinePassed(deadline=Deadline.SEGMENT, at_ms=at_ms) if call.coming is not None:
            return not_begun(call, at_ms)

        case DeadlinePassed(deadline=Deadline.PAUSE, at_ms=at_ms) if call.pauses:
            return pause_is_forgotten(call, at_ms)

        case TransferSeen(at_ms=at_ms) if call.company.met:
            return align_capture(replace(call, transfer_seen=True), at_ms)

        case EventsOverflowed():
            return events_lost(call)

        case _:
            return call, ()


def _capture_answered(call: Call, event: CallEvent) -> CallStep:
    """What Asterisk made of what we asked of MixMonitor."""
    match event:
        case MuteChanged(mute=mute, at_ms=at_ms):
            return mute_changed(call, mute, at_ms)
        case MuteRefused(mute=mute, at_ms=at_ms):
            return mute_refused(call, mute, at_ms)
        case CaptureStopped(recording=recording, at_ms=at_ms) if (
            call.stopping and recording == call.recording and call.capture_is_open
        ):
            ended = replace(ended_unseen(call, at_ms), stopping=call.coming is not None)
            return close_segment(ended, at_ms)
        case CaptureGoesOn(recording=recording):
            return call, (anomaly_row("CAPTURE_NOT_STOPPED", recording=recording),)
        case SegmentRefused(recording=recording, at_ms=at_ms) if _is(call, call.coming, recording):
            return not_begun(call, at_ms)
        case _:
            return call, ()


def _owed_a_start(call: Call) -> Call:
    """The file was seen before AMI told: its ``MixMonitorStart``, which names none, is to come."""
    return replace(call, starts_owed=call.starts_owed + 1)


def _is(call: Call, segment: Segment | None, recording: RecordingId) -> bool:
    return segment is not None and recording == recording_id(call.id, segment.number)


def _is_unseen(call: Call) -> bool:
    """It was asked for, and nothing says yet that it runs."""
    return call.capture_is_open and not call.segment.began


# -- the end, and the clock --------------------------------------------------------------------


def _end(call: Call, at_ms: int) -> CallStep:
    if call.phase is CallPhase.CLOSING:
        return call, ()
    commands: tuple[Command, ...] = ()
    if call.decision is None:
        call, commands = abandon_notice(call, Reason.HANGUP_IN_NOTICE, gone=True)
    if call.whispering is not None:
        commands = (*commands, EndWhisper())
    call = _bridging(ended_unseen(call, at_ms), Unbridged(at_ms))
    told = call.bridges_seen or call.entry is not EntryWire.APPLICATION
    bridged_ms = call.bridged_ms if told else None
    ended = AppendRow(Kind.CALL_ENDED, {"bridged_ms": bridged_ms})
    if call.blind_since_ms is not None:
        unseen_ms = blind_ms(call, at_ms)
        ended = AppendRow(Kind.CALL_ENDED, {"bridged_ms": bridged_ms, "unseen_ms": unseen_ms})
    commands = (*commands, ended, ClearDeadline(Deadline.GROWTH))
    if call.capture_is_open:
        call, judging = close_segment(call, at_ms)
        commands = (*commands, *judging)
    if call.coming is not None:
        call, judging = close_coming(call, at_ms)
        commands = (*commands, *judging)
    if not call.closing:
        return replace(call, phase=CallPhase.OVER), (*commands, Forget())
    return replace(call, phase=CallPhase.CLOSING), commands


def _bridging(call: Call, event: Bridged | Unbridged) -> Call:
    """Keep the sum of the time in bridges: what a bridged recording must be long."""
    if isinstance(event, Bridged):
        since = call.bridged_at_ms if call.bridged_at_ms is not None else event.at_ms
        return replace(call, bridged_at_ms=since, bridges_seen=True)
    if call.bridged_at_ms is None:
        return call
    total = call.bridged_ms + event.at_ms - call.bridged_at_ms
    return replace(call, bridged_at_ms=None, bridged_ms=total)


def _then_step(first: CallStep, event: CallEvent) -> CallStep:
    call, commands = first
    return then(commands, step(call, event))
