"""The life of one call, as a pure function of what has happened.

Rule 1: every transition lives in this file and in ``call_notice.py``, and nowhere else.
Rule 2: nothing here awaits, reads a clock, or knows that ARI, AMI and AGI exist. Facts come
        in as events; what shall be done goes out as commands, in order.
Rules 3 and 4 are at the top of ``call_notice.py``.
Rule 5: what cannot be taken back stands behind a ``Commit``, its row before it.

Two machines run side by side. The *phase* says where the channel is; the *capture* says what
is known of the recording, and follows from files and bridges in whatever order they come:

    NOTICE ··▶ CONTINUING ──▶ DIALPLAN ──▶ CLOSING ──▶ OVER
    NONE | REQUESTED ──▶ STARTED ──▶ GROWING ──▶ ENDED
                         └──▶ STALLED ──▶ GROWING
"""

from __future__ import annotations

from dataclasses import replace

from asterisk_compliance.domain.call_notice import (
    NO_MORE_WAITING,
    Stepped,
    before_decision,
    decide,
    give_up,
    telling,
    then,
    unrecorded,
)
from asterisk_compliance.domain.call_rows import (
    anomaly_row,
    arrived_row,
    decision_row,
    recording_row,
    result,
    standing_result,
    verdict_row,
)
from asterisk_compliance.domain.call_state import Arrival, Call, Limits, Phase
from asterisk_compliance.domain.commands import (
    Announce,
    Answer,
    AppendRow,
    ClearDeadline,
    Command,
    Commit,
    Continue,
    Forget,
    Judge,
    Play,
    RemoveSpooled,
    SetDeadline,
    StopCapture,
    StopPlayback,
)
from asterisk_compliance.domain.decision import Reason, Status
from asterisk_compliance.domain.events import (
    Bridged,
    CaptureGoesOn,
    ChannelGone,
    CommandFailed,
    Continued,
    Deadline,
    DeadlinePassed,
    Entry,
    Event,
    EventsOverflowed,
    FileAppeared,
    FileGrew,
    HangupRequested,
    Judged,
    LeftStasis,
    MixMonitorStarted,
    Reentered,
    RowsRefused,
    SpoolKept,
    SpoolRemoved,
    Step,
    Unbridged,
)
from asterisk_compliance.domain.notice import CaptureFrom, Consent, Policy
from asterisk_compliance.domain.recording import Capture, Outcome
from asterisk_compliance.domain.rows import Kind
from asterisk_compliance.ids import CallId


def arrive(call_id: CallId, arrival: Arrival, limits: Limits) -> Stepped:
    """Begin a call: its first row, and either the notice or at once the way back."""
    policy = arrival.policy if isinstance(arrival.policy, Policy) else None
    wording = policy.wording_for(arrival.language) if policy else None
    call = Call(
        id=call_id,
        channel=arrival.channel,
        entry=arrival.entry,
        limits=limits,
        arrived_at_ms=arrival.at_ms,
        policy=policy,
        wording=wording,
    )
    arrived = arrived_row(call, arrival)
    if not isinstance(arrival.policy, Policy):
        return then((arrived,), decide(call, arrival.policy))
    if arrival.entry is Entry.AGI and arrival.policy.consent is not Consent.NOTICE:
        return then((arrived,), decide(call, Reason.ENTRY_CANNOT_ASK))
    if arrival.stopping:
        return then((arrived,), decide(call, Reason.SERVICE_STOPPING))
    assert wording is not None
    answer = () if arrival.answered else (Answer(),)
    limit = SetDeadline(Deadline.NOTICE, wording.length_ms + limits.notice_margin_ms)
    return call, (arrived, *answer, Play(call.playback, wording.media), limit)


def strand(call_id: CallId, arrival: Arrival, limits: Limits, *, decided: bool) -> Stepped:
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


def step(call: Call, event: Event) -> Stepped:
    """Apply one fact to a call: the next call, and the commands to perform in order.

    Total: every event is possible in every phase, since Asterisk, the disk and the caller do
    not wait for each other. What means nothing now changes nothing.
    """
    if call.phase is Phase.OVER:
        return call, ()
    if isinstance(event, HangupRequested):
        return replace(call, hanging_up=True), ()
    if isinstance(event, ChannelGone):
        return _end(call, event.at_ms)
    if isinstance(event, RowsRefused):
        return _rows_refused(call, event)
    if isinstance(event, Bridged | Unbridged) and call.undecided:
        return _bridging(call, event), ()
    if call.undecided:
        return before_decision(call, event)
    if call.phase is Phase.TELLING:
        return telling(call, event)
    if call.phase is Phase.CLOSING:
        return _in_closing(call, event)
    return _in_dialplan(call, event)


def _in_dialplan(call: Call, event: Event) -> Stepped:  # noqa: C901, PLR0912 - one arm a fact
    match event:
        case Continued(at_ms=at_ms):
            first = at_ms if call.continued_at_ms is None else call.continued_at_ms
            gone_on = replace(call, phase=Phase.DIALPLAN, continued_at_ms=first)
            return gone_on, (AppendRow(Kind.CALL_CONTINUED), *_expect_audio_at_once(call))

        case CommandFailed(step=Step.HAND_OVER | Step.CONTINUE as failed):
            gone_on = replace(call, phase=Phase.DIALPLAN)
            refused = (anomaly_row("CONTINUE_REFUSED", step=failed),)
            return gone_on, () if call.hanging_up else refused

        case LeftStasis():
            return replace(call, phase=Phase.DIALPLAN), ()

        case Reentered() if call.phase is Phase.DIALPLAN:
            return call, (AppendRow(Kind.CALL_REENTERED), standing_result(call), Continue())

        case Reentered():
            return call, (result(call), Continue())

        case Bridged():
            return _bridging(call, event), _expect_audio(call)

        case Unbridged():
            clear = () if _keeps_all(call) else (ClearDeadline(Deadline.GROWTH),)
            return _bridging(call, event), clear

        case MixMonitorStarted() if call.capture is Capture.REQUESTED:
            return _started(call, "mixmonitor_start")

        case FileAppeared() if call.capture is Capture.REQUESTED:
            return _started(call, "file")

        case FileGrew() if call.stopped:
            return call, ()  # what was in Asterisk's buffer when it was stopped

        case CaptureGoesOn():
            return call, (anomaly_row("CAPTURE_NOT_STOPPED"),)

        case FileGrew() if call.capture is Capture.REQUESTED:
            return _then_step(_started(call, "file"), event)

        case FileGrew() if call.capture in {Capture.STARTED, Capture.STALLED}:
            growing = replace(call, capture=Capture.GROWING)
            row = recording_row(call, Kind.RECORDING_GROWING)
            return growing, (row, ClearDeadline(Deadline.GROWTH), Announce(Status.RECORDING))

        case DeadlinePassed(deadline=Deadline.GROWTH) if call.awaits_audio:
            stalled = replace(call, capture=Capture.STALLED)
            row = recording_row(call, Kind.RECORDING_STALLED)
            return stalled, (row, Announce(Status.FAILED))

        case EventsOverflowed() if call.capture_is_open:
            return _stop_capture(call, anomaly_row("EVENTS_OVERFLOWED"))

        case _:
            return call, ()


def _in_closing(call: Call, event: Event) -> Stepped:
    match event:
        case Judged(verdict=verdict):
            row = verdict_row(call, verdict)
            if verdict.outcome in {Outcome.MISSING, Outcome.UNJUDGED}:
                return replace(call, phase=Phase.OVER, capture=Capture.ENDED), (row, Forget())
            # The row says what the files were; only when it is durable may they go.
            return replace(call, capture=Capture.ENDED), (
                row,
                Commit(),
                RemoveSpooled(call.recording),
            )
        case SpoolRemoved(files=files):
            row = recording_row(call, Kind.SPOOL_REMOVED, files=files)
            return replace(call, phase=Phase.OVER), (row, Forget())
        case SpoolKept():
            return replace(call, phase=Phase.OVER), (anomaly_row("SPOOL_NOT_REMOVED"), Forget())
        case _:
            return call, ()


def _rows_refused(call: Call, event: RowsRefused) -> Stepped:
    """The store failed: what stands behind the commit does not happen, what runs is stopped.

    Said once: the rows that report it may fail as well.
    """
    if call.phase is Phase.CLOSING and event.at_commit:
        # The files stay in the spool, whatever became of the row: nothing is lost.
        over = replace(call, phase=Phase.OVER, store_failed=True)
        return over, (anomaly_row("STORE_FAILED"), Forget())
    if call.store_failed:
        return call, ()
    call = replace(call, store_failed=True)
    if call.undecided:
        stop = (StopPlayback(call.playback), *NO_MORE_WAITING)
        return then(stop, decide(call, Reason.STORE_FAILED))
    if call.phase is Phase.CONTINUING and event.at_commit:
        failed = unrecorded(call, Reason.STORE_FAILED)
        decided = replace(call, decision=failed, capture=Capture.NONE)
        return decided, (decision_row(failed), result(decided), Continue())
    if call.phase is Phase.CLOSING or not call.capture_is_open:
        return call, (anomaly_row("STORE_FAILED"),)
    return _stop_capture(call, anomaly_row("STORE_FAILED"))


def _stop_capture(call: Call, why: AppendRow) -> Stepped:
    """End a recording that must not go on; once more when it begins only now."""
    stopped = replace(call, stopped=True)
    return stopped, (why, StopCapture(), Announce(Status.FAILED))


def _end(call: Call, at_ms: int) -> Stepped:
    if call.phase is Phase.CLOSING:
        return call, ()
    commands: tuple[Command, ...] = ()
    if call.decision is None:
        call, commands = give_up(call, Reason.HANGUP_IN_NOTICE, gone=True)
    call = _bridging(call, Unbridged(at_ms))
    ended = AppendRow(Kind.CALL_ENDED, {"bridged_ms": call.bridged_ms})
    clear = ClearDeadline(Deadline.GROWTH)
    if not call.capture_is_open:
        return replace(call, phase=Phase.OVER), (*commands, ended, clear, Forget())
    judge = Judge(call.recording, _expected_ms(call, at_ms))
    return replace(call, phase=Phase.CLOSING), (*commands, ended, clear, judge)


def _bridging(call: Call, event: Bridged | Unbridged) -> Call:
    """Keep the sum of the time in bridges: what a bridged recording must be long."""
    if isinstance(event, Bridged):
        since = call.bridged_at_ms if call.bridged_at_ms is not None else event.at_ms
        return replace(call, bridged_at_ms=since, bridges_seen=True)
    if call.bridged_at_ms is None:
        return call
    total = call.bridged_ms + event.at_ms - call.bridged_at_ms
    return replace(call, bridged_at_ms=None, bridged_ms=total)


def _expected_ms(call: Call, ended_at_ms: int) -> int | None:
    """How long the recording must be; ``None`` where nobody told us."""
    if _keeps_all(call):
        return None if call.continued_at_ms is None else ended_at_ms - call.continued_at_ms
    return call.bridged_ms if call.bridges_seen else None


def _started(call: Call, evidence: str) -> Stepped:
    row = recording_row(call, Kind.RECORDING_STARTED, evidence=evidence)
    stop = (StopCapture(),) if call.stopped else ()
    return replace(call, capture=Capture.STARTED), (row, *stop)


def _then_step(first: Stepped, event: Event) -> Stepped:
    call, commands = first
    return then(commands, step(call, event))


def _expect_audio(call: Call) -> tuple[Command, ...]:
    """From now on samples come in: they must be on disk in time."""
    wait = SetDeadline(Deadline.GROWTH, call.limits.growth_ms)
    return (wait,) if call.awaits_audio else ()


def _expect_audio_at_once(call: Call) -> tuple[Command, ...]:
    return _expect_audio(call) if _keeps_all(call) else ()


def _keeps_all(call: Call) -> bool:
    return call.policy is not None and call.policy.capture is CaptureFrom.NOTICE
