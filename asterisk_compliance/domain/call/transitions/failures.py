"""What happens when something the service relies on fails: the recorder, or the store of the rows.

Rule 15: a recording that should run and does not is reported at once, and the policy says what
         follows for the call. Where recording is mandatory, it never goes on unrecorded.
Rule 16: nobody waits for a slow store who can go on without. What the log says is known before
         more is written, so that a call never has two decisions.
"""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call.audit_rows import (
    anomaly_row,
    decision_row,
    recording_row,
    result,
)
from asterisk_compliance.domain.call.commands import (
    Announce,
    AppendRow,
    AwaitRows,
    ClearDeadline,
    Command,
    Continue,
    Deadline,
    Forget,
    HandOver,
    Mute,
    RemoveRecording,
    RemoveSpooled,
    StartSegment,
    StopPlayback,
)
from asterisk_compliance.domain.call.decision import Decision, Reason, Status
from asterisk_compliance.domain.call.events import LateRowsSettled, RowsLate, RowsRefused
from asterisk_compliance.domain.call.state import (
    AfterDecision,
    Call,
    CallPhase,
    CallStep,
    Decided,
    Segment,
    Stage,
    Undecided,
)
from asterisk_compliance.domain.call.transitions.capture import segment_did_not_begin, stop
from asterisk_compliance.domain.call.transitions.decision import (
    decide,
    records_at_once,
    then,
    unrecorded,
)
from asterisk_compliance.domain.call.transitions.notice import NO_MORE_WAITING, stop_and_give_up
from asterisk_compliance.domain.call.transitions.participants import say
from asterisk_compliance.domain.policy.notice import OnProblem
from asterisk_compliance.domain.recording.interruption_reasons import StopReason
from asterisk_compliance.domain.recording.verdict import Capture


def stalled(call: Call, decided: Decided) -> CallStep:
    stalled = replace(call, capture=replace(call.capture, state=Capture.STALLED))
    row = recording_row(call, Kind.RECORDING_STALLED)
    if decided.policy.on_recording_failure is OnProblem.CONTINUE:
        return stalled, (row, Announce(Status.FAILED))
    return failed_with(stalled, decided, StopReason.NOT_GROWING, row)


def stopped_growing(call: Call, decided: Decided, at_ms: int) -> CallStep:
    """The files grew, and do not any more: a full disk, or a recorder that died."""
    bridged_at_ms = call.file_clock.bridged_at_ms
    heard = call.file_clock.keeps_all or (
        bridged_at_ms is not None and at_ms - bridged_at_ms >= call.limits.growth_ms
    )
    if not heard or call.capture.stopping or call.capture.state is not Capture.GROWING:
        return call, ()
    return stalled(call, decided)


def storage_changed(call: Call, stage: Stage, reason: Reason | None) -> CallStep:
    """What may not begin any more, and what ends where the call may not go on without it.

    A recording that runs goes on while there is room, unless its policy does not let a call go on
    unrecorded. Open files can be written to although the directory cannot.
    """
    changed = replace(call, storage=replace(call.storage, no_storage=reason))
    match stage:
        case Undecided(policy=policy) if reason is not None and records_at_once(call, policy):
            return stop_and_give_up(changed, stage, reason)
        case Decided(policy=policy) if (
            reason is Reason.DISK_LOW
            and call.capture.is_wanted
            and policy.on_recording_failure is not OnProblem.CONTINUE
        ):
            return failed_with(changed, stage, StopReason.DISK_LOW)
        case _:
            return changed, ()


def not_begun(call: Call, stage: AfterDecision, requested: Segment, at_ms: int) -> CallStep:
    """A new segment did not begin: what ran before goes on; if nothing did, the recorder failed.

    Without a policy the recording was being stopped, so nothing failed.
    """
    alone, commands = segment_did_not_begin(call, requested, at_ms)
    capture = alone.capture
    if capture.is_open:
        return alone, commands
    if capture.stopping or not isinstance(stage, Decided):
        return replace(alone, capture=replace(capture, stopping=False)), commands
    failed = replace(capture, pauses=frozenset(), ended_as=Status.FAILED)
    said = (ClearDeadline(Deadline.PAUSE), Announce(Status.FAILED))
    return then((*commands, *said), _after_failure(replace(alone, capture=failed), stage))


def mute_refused(call: Call, decided: Decided, mute: Mute, at_ms: int) -> CallStep:
    """Nothing says that the capture is muted, or unmuted, as asked."""
    capture = call.capture
    if not capture.runs:
        return call, ()
    if capture.requested_segment is not None:  # a MixMonitor that is exchanged answers to no name
        segment = replace(capture.segment, mute=Mute.NONE)
        return replace(call, capture=replace(capture, segment=segment)), ()
    if mute is not Mute.NONE:
        return failed_with(call, decided, StopReason.MUTE_FAILED, at_ms=at_ms)
    row = anomaly_row("UNMUTE_FAILED")
    if decided.policy.on_recording_failure is OnProblem.CONTINUE:
        return call, (row, Announce(Status.FAILED))
    return failed_with(call, decided, StopReason.MUTE_FAILED, row)


def failed_with(
    call: Call, decided: Decided, reason: StopReason, *rows: AppendRow, at_ms: int | None = None
) -> CallStep:
    """End a recording that cannot go on, and do what the policy wants then."""
    stopped, commands = stop(call, reason, *rows, at_ms=at_ms)
    return then(commands, _after_failure(stopped, decided))


def events_lost(call: Call, stage: AfterDecision) -> CallStep:
    """A lost event may have said that somebody joined: nothing is recorded from now on."""
    unsure = replace(call, visibility=replace(call.visibility, events_lost=True))
    if not call.capture.is_wanted or not isinstance(stage, Decided):
        return unsure, ()
    row = anomaly_row("EVENTS_OVERFLOWED")
    return failed_with(unsure, stage, StopReason.EVENTS_OVERFLOWED, row)


def _after_failure(call: Call, decided: Decided) -> CallStep:
    return say(call, decided, decided.policy.on_recording_failure, refused=False)


def rows_refused(call: Call, event: RowsRefused) -> CallStep:
    """The store failed: what stands behind the commit does not happen, what runs is stopped.

    This is reported once: the rows that report it may fail as well.
    """
    recorded, stage = call.capture.is_wanted, call.stage
    call = _undone(call, event.undone)
    if stage.phase is CallPhase.CLOSING:
        return _closing_refused(call, event)
    if call.storage.store_failed:
        return call, ()
    call = _with_failed_store(call)
    match stage:
        case Undecided():
            ending = (StopPlayback(call.playback), *NO_MORE_WAITING)
            return then(ending, decide(call, stage, Reason.STORE_FAILED))
        case Decided() if _hands_over(event.undone):
            unstored, failed = _unrecorded_after_all(call, stage)
            commands = (decision_row(failed.decision), result(unstored, failed), Continue())
            return unstored, commands
        case Decided() if recorded:
            return failed_with(call, stage, StopReason.STORE_FAILED, anomaly_row("STORE_FAILED"))
        case _:
            return call, (anomaly_row("STORE_FAILED"),)


def rows_late(call: Call, event: RowsLate | LateRowsSettled) -> CallStep:
    """The store is slow, and the rows that we waited for may be stored yet."""
    undone, stage = event.undone, call.stage
    hands_over = _hands_over(undone)
    removals = tuple(c for c in undone if isinstance(c, RemoveSpooled | RemoveRecording))
    match event:
        case RowsLate() if isinstance(stage, Decided) and hands_over:
            passed, failed = _unrecorded_after_all(call, stage)
            return passed, (result(passed, failed), Continue(), AwaitRows())
        case RowsLate() if removals:
            return call, ()  # files can wait
        case RowsLate():
            return _not_in_time(call, stage, undone)
        case LateRowsSettled(stored=stored) if isinstance(stage, Decided) and hands_over:
            return _decision_settled(call, stage.decision, undone, stored=stored)
        case LateRowsSettled(stored=False) if removals:
            return rows_refused(call, RowsRefused(at_commit=True, undone=removals))
        case LateRowsSettled():
            return call, removals
        case _ as never:
            assert_never(never)


def _not_in_time(call: Call, stage: Stage, undone: tuple[Command, ...]) -> CallStep:
    missing = _never_begun(undone)
    rows = (anomaly_row("STORE_SLOW"), *missing)
    less = _undone(call, undone)
    unused = less.capture.unused_numbers + len(missing)
    less = replace(less, capture=replace(less.capture, unused_numbers=unused))
    if not call.capture.is_wanted or not isinstance(stage, Decided):
        return less, rows
    return failed_with(less, stage, StopReason.STORE_FAILED, *rows)


def _hands_over(undone: tuple[Command, ...]) -> bool:
    return any(isinstance(command, HandOver) for command in undone)


def _unrecorded_after_all(call: Call, decided: Decided) -> tuple[Call, Decided]:
    """The row of the decision is not stored, so nothing is recorded."""
    failed = replace(decided, decision=unrecorded(decided.policy, Reason.STORE_FAILED))
    capture = replace(call.capture, state=Capture.NONE)
    return replace(call, stage=failed, capture=capture), failed


def _decision_settled(
    call: Call, decision: Decision, undone: tuple[Command, ...], *, stored: bool
) -> CallStep:
    """Where the log says ALLOWED after all, it says too that nothing came of it."""
    if stored:
        return call, (anomaly_row("STORE_SLOW"), *_never_begun(undone))
    return _with_failed_store(call), (decision_row(decision),)


def _with_failed_store(call: Call) -> Call:
    return replace(call, storage=replace(call.storage, store_failed=True))


def _never_begun(undone: tuple[Command, ...]) -> tuple[AppendRow, ...]:
    """Of recordings that late rows promise."""
    promised = [c.recording for c in undone if isinstance(c, HandOver | StartSegment)]
    return tuple(
        AppendRow(Kind.RECORDING_MISSING, {"recording": recording, "expected_ms": 0})
        for recording in promised
        if recording is not None
    )


def _undone(call: Call, undone: tuple[Command, ...]) -> Call:
    """Take back what was not done because its row was refused. Files stay where they are."""
    for command in undone:
        match command:
            case RemoveSpooled(recording=recording) | RemoveRecording(recording=recording):
                pending = call.recordings.pending - {recording}
                call = replace(call, recordings=replace(call.recordings, pending=pending))
            case StartSegment():
                capture = replace(
                    call.capture,
                    requested_segment=None,
                    start_wanted=not call.capture.is_open,
                )
                call = replace(call, capture=capture)
            case _:
                pass
    return call


def _closing_refused(call: Call, event: RowsRefused) -> CallStep:
    # A verdict that is lost is reported each time.
    said = call.storage.store_failed and not event.at_commit
    first = () if said else (anomaly_row("STORE_FAILED"),)
    failed = _with_failed_store(call)
    if failed.recordings.pending:
        return failed, first
    return failed.in_phase(CallPhase.OVER), (*first, Forget())
