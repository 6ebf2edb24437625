"""When something we rely on fails: the recorder, or the store of the rows.

Rule 15: a recording that should run and does not is said at once, and the policy says what follows
         for the call; where recording is mandatory, it never goes on unrecorded.
Rule 16: nobody waits for a slow store who can go on without; what the log says then is known before
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
from asterisk_compliance.domain.call.decision import Reason, Status
from asterisk_compliance.domain.call.events import LateRowsSettled, RowsLate, RowsRefused
from asterisk_compliance.domain.call.state import Call, CallPhase, CallStep
from asterisk_compliance.domain.call.transitions.capture import segment_did_not_begin, stop
from asterisk_compliance.domain.call.transitions.decision import decide, then, unrecorded
from asterisk_compliance.domain.call.transitions.notice import NO_MORE_WAITING, stop_and_give_up
from asterisk_compliance.domain.call.transitions.participants import say
from asterisk_compliance.domain.policy.notice import OnProblem
from asterisk_compliance.domain.recording.interruption_reasons import StopReason
from asterisk_compliance.domain.recording.verdict import Capture


def stalled(call: Call) -> CallStep:
    assert call.policy is not None
    stalled = replace(call, capture=Capture.STALLED)
    row = recording_row(call, Kind.RECORDING_STALLED)
    if call.policy.on_recording_failure is OnProblem.CONTINUE:
        return stalled, (row, Announce(Status.FAILED))
    return failed_with(stalled, StopReason.NOT_GROWING, row)


def stopped_growing(call: Call, at_ms: int) -> CallStep:
    """It grew, and does not any more: a full disk, or a recorder that died."""
    heard = call.keeps_all or (
        call.bridged_at_ms is not None and at_ms - call.bridged_at_ms >= call.limits.growth_ms
    )
    if not heard or call.stopping or call.capture is not Capture.GROWING:
        return call, ()
    return stalled(call)


def storage_changed(call: Call, reason: Reason | None) -> CallStep:
    """What may not begin any more, and what ends where the call may not go on without it.

    A recording that runs goes on while there is room, unless the policy wants more of a call
    without one; files that are open can be written to although the directory cannot.
    """
    changed = replace(call, no_storage=reason)
    if reason is None:
        return changed, ()
    if call.undecided and call.records_at_once:
        return stop_and_give_up(changed, reason)
    if not call.is_recorded or reason is not Reason.DISK_LOW:
        return changed, ()
    assert call.policy is not None
    if call.policy.on_recording_failure is OnProblem.CONTINUE:
        return changed, ()
    return failed_with(changed, StopReason.DISK_LOW)


def not_begun(call: Call, at_ms: int) -> CallStep:
    """A new segment did not begin: what ran before goes on; if nothing did, the recorder failed."""
    alone, commands = segment_did_not_begin(call, at_ms)
    if alone.capture_is_open:
        return alone, commands
    if alone.stopping:
        return replace(alone, stopping=False), commands
    failed = replace(alone, pauses=frozenset(), ended_as=Status.FAILED)
    said = (ClearDeadline(Deadline.PAUSE), Announce(Status.FAILED))
    return then((*commands, *said), _after_failure(failed))


def mute_refused(call: Call, mute: Mute, at_ms: int) -> CallStep:
    """Nothing says that the capture is as it was asked to be."""
    if not call.capture_runs:
        return call, ()
    if call.coming is not None:  # a MixMonitor that is exchanged answers to no name
        return replace(call, segment=replace(call.segment, mute=Mute.NONE)), ()
    if mute is not Mute.NONE:
        return failed_with(call, StopReason.MUTE_FAILED, at_ms=at_ms)
    assert call.policy is not None
    row = anomaly_row("UNMUTE_FAILED")
    if call.policy.on_recording_failure is OnProblem.CONTINUE:
        return call, (row, Announce(Status.FAILED))
    return failed_with(call, StopReason.MUTE_FAILED, row)


def failed_with(
    call: Call, reason: StopReason, *rows: AppendRow, at_ms: int | None = None
) -> CallStep:
    """End a recording that cannot go on, and do what the policy wants then."""
    stopped, commands = stop(call, reason, *rows, at_ms=at_ms)
    return then(commands, _after_failure(stopped))


def events_lost(call: Call) -> CallStep:
    """Perhaps one of them said that somebody came: nothing is recorded from now on."""
    deaf = replace(call, events_lost=True)
    if not call.is_recorded:
        return deaf, ()
    return failed_with(deaf, StopReason.EVENTS_OVERFLOWED, anomaly_row("EVENTS_OVERFLOWED"))


def _after_failure(call: Call) -> CallStep:
    assert call.policy is not None
    return say(call, call.policy.on_recording_failure, refused=False)


def rows_refused(call: Call, event: RowsRefused) -> CallStep:
    """The store failed: what stands behind the commit does not happen, what runs is stopped.

    Said once: the rows that report it may fail as well.
    """
    recorded = call.is_recorded
    call = _undone(call, event.undone)
    if call.phase is CallPhase.CLOSING:
        return _closing_refused(call, event)
    if call.store_failed:
        return call, ()
    call = replace(call, store_failed=True)
    if call.undecided:
        ending = (StopPlayback(call.playback), *NO_MORE_WAITING)
        return then(ending, decide(call, Reason.STORE_FAILED))
    if any(isinstance(command, HandOver) for command in event.undone):
        failed = unrecorded(call, Reason.STORE_FAILED)
        decided = replace(call, decision=failed, capture=Capture.NONE)
        return decided, (decision_row(failed), result(decided), Continue())
    row = anomaly_row("STORE_FAILED")
    return failed_with(call, StopReason.STORE_FAILED, row) if recorded else (call, (row,))


def rows_late(call: Call, event: RowsLate | LateRowsSettled) -> CallStep:
    """The store is slow, and the rows that we waited for may be stored yet."""
    undone = event.undone
    hands_over = any(isinstance(command, HandOver) for command in undone)
    removals = tuple(c for c in undone if isinstance(c, RemoveSpooled | RemoveRecording))
    match event:
        case RowsLate() if hands_over:
            failed = unrecorded(call, Reason.STORE_FAILED)
            passed = replace(call, decision=failed, capture=Capture.NONE)
            return passed, (result(passed), Continue(), AwaitRows())
        case RowsLate() if removals:
            return call, ()  # files can wait
        case RowsLate():
            missing = _never_begun(undone)
            rows = (anomaly_row("STORE_SLOW"), *missing)
            less = replace(_undone(call, undone), skipped=call.skipped + len(missing))
            if not call.is_recorded:
                return less, rows
            return failed_with(less, StopReason.STORE_FAILED, *rows)
        case LateRowsSettled(stored=stored) if hands_over:
            return _decision_settled(call, undone, stored=stored)
        case LateRowsSettled(stored=False) if removals:
            return rows_refused(call, RowsRefused(at_commit=True, undone=removals))
        case LateRowsSettled():
            return call, removals
        case _ as never:
            assert_never(never)


def _decision_settled(call: Call, undone: tuple[Command, ...], *, stored: bool) -> CallStep:
    """Where the log says ALLOWED after all, it says too that nothing came of it."""
    assert call.decision is not None
    if stored:
        return call, (anomaly_row("STORE_SLOW"), *_never_begun(undone))
    return replace(call, store_failed=True), (decision_row(call.decision),)


def _never_begun(undone: tuple[Command, ...]) -> tuple[AppendRow, ...]:
    """Of recordings that late rows promise."""
    promised = [c.recording for c in undone if isinstance(c, HandOver | StartSegment)]
    return tuple(
        AppendRow(Kind.RECORDING_MISSING, {"recording": recording, "expected_ms": 0})
        for recording in promised
        if recording is not None
    )


def _undone(call: Call, undone: tuple[Command, ...]) -> Call:
    """What was not done because its row was refused. Files stay where they are: nothing is lost."""
    for command in undone:
        match command:
            case RemoveSpooled(recording=recording) | RemoveRecording(recording=recording):
                call = replace(call, closing=call.closing - {recording})
            case StartSegment():
                call = replace(call, coming=None, start_wanted=not call.capture_is_open)
            case _:
                pass
    return call


def _closing_refused(call: Call, event: RowsRefused) -> CallStep:
    said = call.store_failed and not event.at_commit  # a verdict that is lost is said each time
    first = () if said else (anomaly_row("STORE_FAILED"),)
    failed = replace(call, store_failed=True)
    if failed.closing:
        return failed, first
    return replace(failed, phase=CallPhase.OVER), (*first, Forget())
