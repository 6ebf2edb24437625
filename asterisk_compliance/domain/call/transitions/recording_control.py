"""What people ask of a recording while the call runs: pause, resume, withdraw, start, stop.

Rule 12: a pause takes hold at once, and its row follows; a resume waits for its row.
Rule 13: each who paused resumes their own pause; the capture goes on when the last one has.
Rule 14: after a withdrawal the call is not recorded again, whoever asks.
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
from asterisk_compliance.domain.call.decision import Decision, Status
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
from asterisk_compliance.domain.call.state import Call, CallStep, Decided
from asterisk_compliance.domain.call.transitions.capture import align_capture, stop, wanted_mute
from asterisk_compliance.domain.call.transitions.decision import then
from asterisk_compliance.domain.call.transitions.participants import (
    apply_participants,
    say,
    stop_reason,
)
from asterisk_compliance.domain.policy.notice import (
    OnPauseForgotten,
    OnWithdrawal,
    Policy,
    RecordingDuty,
)
from asterisk_compliance.domain.recording.interruption_reasons import StopReason


def asked(call: Call, decided: Decided, event: Asked) -> CallStep:
    if isinstance(event, DoNotCallAsked) or not decided.decision.allowed:
        return asked_of_unrecorded(call, event)
    match event:
        case PauseAsked():
            return _pause(call, decided.policy, event)
        case ResumeAsked():
            return _resume(call, decided, event)
        case WithdrawalAsked():
            return _withdraw(call, decided, event)
        case StartAsked():
            return _start(call, decided, event)
        case StopAsked():
            return _stop(call, decided.policy, event)
        case _ as never:
            assert_never(never)


def asked_of_unrecorded(call: Call, event: Asked) -> CallStep:
    """A call that may not be recorded: only the list of numbers not to call is of use to it."""
    match event:
        case DoNotCallAsked(by=who):
            listed = call.consent.on_do_not_call_list
            row = () if listed else (by(do_not_call_row(call, "asked"), who),)
            return replace(call, consent=replace(call.consent, on_do_not_call_list=True)), row
        case StartAsked():
            return call, (anomaly_row("START_REFUSED"),)
        case _:
            return call, ()


def _pause(call: Call, policy: Policy, event: PauseAsked) -> CallStep:
    source = event.by.source
    if not call.capture.is_wanted or source in call.capture.pauses:
        return call, ()
    row = by(recording_row(call, Kind.CAPTURE_PAUSED, reason=event.reason, mute="all"), event.by)
    limit = SetDeadline(Deadline.PAUSE, policy.pause_max_ms)
    capture = replace(call.capture, pauses=call.capture.pauses | {source})
    muted, commands = align_capture(replace(call, capture=capture), event.at_ms)
    return muted, (*commands, row, limit, Announce(Status.PAUSED))


def _resume(call: Call, decided: Decided, event: ResumeAsked) -> CallStep:
    pauses = call.capture.pauses
    left = frozenset() if event.everybody else pauses - {event.by.source}
    if left == pauses:
        return call, ()
    return _goes_on(call, decided.decision, left, event.at_ms, event.by)


def _goes_on(
    call: Call, decision: Decision, left: frozenset[str], at_ms: int, who: AskedBy
) -> CallStep:
    """``left``: who still pauses. The others may have to stay muted for other reasons."""
    resumed = replace(call, capture=replace(call.capture, pauses=left))
    row = by(recording_row(call, Kind.CAPTURE_RESUMED, mute=wanted_mute(resumed)), who)
    clear = () if left else (ClearDeadline(Deadline.PAUSE),)
    settled, commands = align_capture(resumed, at_ms, said=True)
    said = () if left else (Announce(standing_status(settled, decision)),)
    return settled, (row, *clear, CommitCommand(), *commands, *said)


def pause_is_forgotten(call: Call, decided: Decided, at_ms: int) -> CallStep:
    """Nobody resumed in time: the policy says whether the service does, or the recording ends."""
    row = anomaly_row("PAUSE_FORGOTTEN", recording=call.subject)
    if decided.policy.on_pause_forgotten is OnPauseForgotten.END:
        return stop(call, StopReason.PAUSE_FORGOTTEN, row, at_ms=at_ms)
    service = AskedBy(Actor.SERVICE)
    return then((row,), _goes_on(call, decided.decision, frozenset(), at_ms, service))


def _withdraw(call: Call, decided: Decided, event: WithdrawalAsked) -> CallStep:
    policy = decided.policy
    if call.consent.withdrawn:
        return call, ()
    if call.capture.pauses and event.by.actor == Actor.CALLER:
        return call, (anomaly_row("WITHDRAWAL_IN_PAUSE"),)  # perhaps a part of a card's number
    row = by(consent_row("withdrawn", earlier=policy.on_withdrawal), event.by)
    deletes = policy.on_withdrawal is OnWithdrawal.DELETE
    consent = replace(call.consent, withdrawn=True, deletes_recordings=deletes)
    withdrawn = replace(call, consent=consent)
    stopped, commands = stop(withdrawn, StopReason.WITHDRAWN, at_ms=event.at_ms)
    shown = () if call.capture.is_wanted else (Announce(Status.REFUSED),)
    told, said = say(stopped, decided, policy.on_refusal, refused=True)
    removed, removing = _remove_earlier(told)
    return removed, (*commands, row, *shown, *said, *removing)


def _remove_earlier(call: Call) -> CallStep:
    """Remove what is in the vault behind the row; what is still being taken in follows it."""
    recordings = call.recordings
    deletes = call.consent.deletes_recordings
    earlier = recordings.vaulted - recordings.pending if deletes else frozenset()
    if not earlier:
        return call, ()
    removing = (RemoveRecording(recording) for recording in sorted(earlier))
    pending = replace(recordings, pending=recordings.pending | earlier)
    return replace(call, recordings=pending), (CommitCommand(), *removing)


def _start(call: Call, decided: Decided, event: StartAsked) -> CallStep:
    """A recording on demand, under the rules of every other: who is not covered is told first."""
    wanted = replace(call, capture=replace(call.capture, start_wanted=True))
    alone = not call.participants.peers
    if call.storage.no_storage or _is_barred(call) or alone or stop_reason(wanted, decided.policy):
        return call, (anomaly_row("START_REFUSED"),)
    row = by(AppendRow(Kind.CAPTURE_ASKED, {"what": "start"}), event.by)
    return then((row,), apply_participants(wanted, decided, event.at_ms))


def _is_barred(call: Call) -> bool:
    running = call.capture.is_wanted or call.capture.stopping
    lost = call.storage.store_failed or call.visibility.events_lost
    unsafe = lost or not call.wiring.segments
    said_no = call.whispering is not None and call.whispering.wording is None
    over = call.hanging_up or call.consent.withdrawn or said_no
    return running or unsafe or over or call.joins


def _stop(call: Call, policy: Policy, event: StopAsked) -> CallStep:
    if not call.capture.is_wanted:
        return call, ()
    if policy.duty is RecordingDuty.MANDATORY:
        return call, (anomaly_row("STOP_REFUSED"),)
    row = by(AppendRow(Kind.CAPTURE_ASKED, {"what": "stop"}), event.by)
    return stop(call, StopReason.ASKED, row, at_ms=event.at_ms)


def by(row: AppendRow, who: AskedBy) -> AppendRow:
    """The same row, caused by ``who``."""
    return replace(row, actor=who.actor, party=who.party, facts=who.facts)
