"""What people ask of a recording in mid-call: pause, resume, withdraw, start, stop.

Rule 12: a pause takes hold at once, its row follows; a resume waits for its row.
Rule 13: each who paused resumes for himself; the capture goes on when the last has.
Rule 14: who withdrew is not recorded again in this call, whoever asks.
"""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from asterisk_compliance.domain.audit.rows import Actor, Kind
from asterisk_compliance.domain.call.audit_rows import (
    anomaly_row,
    consent_row,
    do_not_call_row,
    recording_row,
    standing_status,
)
from asterisk_compliance.domain.call.commands import (
    Announce,
    AppendRow,
    ClearDeadline,
    CommitCommand,
    Deadline,
    RemoveRecording,
    SetDeadline,
)
from asterisk_compliance.domain.call.decision import Status
from asterisk_compliance.domain.call.events import (
    Asked,
    AskedBy,
    DoNotCallAsked,
    PauseAsked,
    ResumeAsked,
    StartAsked,
    StopAsked,
    WithdrawalAsked,
)
from asterisk_compliance.domain.call.state import Call, CallStep
from asterisk_compliance.domain.call.transitions.capture import align_capture, stop, wanted_mute
from asterisk_compliance.domain.call.transitions.decision import then
from asterisk_compliance.domain.call.transitions.participants import (
    apply_participants,
    say,
    stop_reason,
)
from asterisk_compliance.domain.policy.notice import OnPauseForgotten, OnWithdrawal, RecordingDuty
from asterisk_compliance.domain.recording.interruption_reasons import StopReason


def asked(call: Call, event: Asked) -> CallStep:
    if isinstance(event, DoNotCallAsked):  # recorded or not
        row = () if call.listed else (by(do_not_call_row(call, "asked"), event.by),)
        return replace(call, listed=True), row
    if call.decision is None or not call.decision.allowed or call.policy is None:
        refused = isinstance(event, StartAsked)
        return call, (anomaly_row("START_REFUSED"),) if refused else ()
    match event:
        case PauseAsked():
            return _pause(call, event)
        case ResumeAsked():
            return _resume(call, event)
        case WithdrawalAsked():
            return _withdraw(call, event)
        case StartAsked():
            return _start(call, event)
        case StopAsked():
            return _stop(call, event)
        case _ as never:
            assert_never(never)


def _pause(call: Call, event: PauseAsked) -> CallStep:
    assert call.policy is not None
    source = event.by.source
    if not call.is_recorded or source in call.pauses:
        return call, ()
    row = by(recording_row(call, Kind.CAPTURE_PAUSED, reason=event.reason, mute="all"), event.by)
    limit = SetDeadline(Deadline.PAUSE, call.policy.pause_max_ms)
    paused = replace(call, pauses=call.pauses | {source})
    muted, commands = align_capture(paused, event.at_ms)
    return muted, (*commands, row, limit, Announce(Status.PAUSED))


def _resume(call: Call, event: ResumeAsked) -> CallStep:
    left = frozenset() if event.everybody else call.pauses - {event.by.source}
    if left == call.pauses:
        return call, ()
    return _goes_on(call, left, event.at_ms, event.by)


def _goes_on(call: Call, left: frozenset[str], at_ms: int, who: AskedBy) -> CallStep:
    """``left``: who still pauses. Others may have to stay muted for other reasons."""
    resumed = replace(call, pauses=left)
    row = by(recording_row(call, Kind.CAPTURE_RESUMED, mute=wanted_mute(resumed)), who)
    clear = () if left else (ClearDeadline(Deadline.PAUSE),)
    settled, commands = align_capture(resumed, at_ms, said=True)
    said = () if left else (Announce(standing_status(settled)),)
    return settled, (row, *clear, CommitCommand(), *commands, *said)


def pause_is_forgotten(call: Call, at_ms: int) -> CallStep:
    """Nobody resumed in time: the policy says whether we do, or whether it was the end."""
    assert call.policy is not None
    row = anomaly_row("PAUSE_FORGOTTEN", recording=call.subject)
    if call.policy.on_pause_forgotten is OnPauseForgotten.END:
        return stop(call, StopReason.PAUSE_FORGOTTEN, row, at_ms=at_ms)
    return then((row,), _goes_on(call, frozenset(), at_ms, AskedBy(Actor.SERVICE)))


def _withdraw(call: Call, event: WithdrawalAsked) -> CallStep:
    assert call.policy is not None
    if call.withdrawn:
        return call, ()
    if call.pauses and event.by.actor == Actor.CALLER:
        return call, (anomaly_row("WITHDRAWAL_IN_PAUSE"),)  # perhaps a part of a card's number
    row = by(consent_row("withdrawn", earlier=call.policy.on_withdrawal), event.by)
    erases = call.policy.on_withdrawal is OnWithdrawal.DELETE
    withdrawn = replace(call, withdrawn=True, erases=erases)
    stopped, commands = stop(withdrawn, StopReason.WITHDRAWN, at_ms=event.at_ms)
    shown = () if call.is_recorded else (Announce(Status.REFUSED),)
    told, said = say(stopped, call.policy.on_refusal, refused=True)
    removed, removing = _remove_earlier(told)
    return removed, (*commands, row, *shown, *said, *removing)


def _remove_earlier(call: Call) -> CallStep:
    """What is in the vault goes behind the row; what is still being taken in follows it."""
    earlier = call.kept - call.closing if call.erases else frozenset()
    if not earlier:
        return call, ()
    removing = (RemoveRecording(recording) for recording in sorted(earlier))
    return replace(call, closing=call.closing | earlier), (CommitCommand(), *removing)


def _start(call: Call, event: StartAsked) -> CallStep:
    """A recording on demand, under the rules of every other: who is not covered is told first."""
    wanted = replace(call, start_wanted=True)
    if call.no_storage or _is_barred(call) or not call.company.peers or stop_reason(wanted):
        return call, (anomaly_row("START_REFUSED"),)
    row = by(AppendRow(Kind.CAPTURE_ASKED, {"what": "start"}), event.by)
    return then((row,), apply_participants(wanted, event.at_ms))


def _is_barred(call: Call) -> bool:
    running = call.is_recorded or call.stopping
    unsafe = call.store_failed or call.events_lost or not call.wiring.segments
    said_no = call.whispering is not None and call.whispering.wording is None
    over = call.hanging_up or call.withdrawn or said_no
    return running or unsafe or over or call.joins


def _stop(call: Call, event: StopAsked) -> CallStep:
    assert call.policy is not None
    if not call.is_recorded:
        return call, ()
    if call.policy.duty is RecordingDuty.MANDATORY:
        return call, (anomaly_row("STOP_REFUSED"),)
    row = by(AppendRow(Kind.CAPTURE_ASKED, {"what": "stop"}), event.by)
    return stop(call, StopReason.ASKED, row, at_ms=event.at_ms)


def by(row: AppendRow, who: AskedBy) -> AppendRow:
    """The same row, caused by ``who``."""
    return replace(row, actor=who.actor, party=who.party, facts=who.facts)
