"""What a call reports: its rows, and the result that the dialplan is handed."""

from __future__ import annotations

from typing import assert_never

import msgspec
from msgspec.structs import replace

from asterisk_compliance.domain.audit.rows import Actor, Detail, Kind
from asterisk_compliance.domain.call.commands import AppendRow, HandOver
from asterisk_compliance.domain.call.decision import Decision, Status
from asterisk_compliance.domain.call.events import PlaybackFinished, PlaybackStarted
from asterisk_compliance.domain.call.state import (
    AfterDecision,
    Arrival,
    Call,
    Decided,
    Undecided,
    capture_options,
)
from asterisk_compliance.domain.policy.notice import Policy, Prompt, Withdrawal
from asterisk_compliance.domain.purposes import PurposeCode
from asterisk_compliance.domain.recording.verdict import Capture, CaptureOutcome, RecordingVerdict
from asterisk_compliance.ids import RecordingId, party_id


def arrived_row(call: Call, arrival: Arrival) -> AppendRow:
    digest = arrival.policy.digest if isinstance(arrival.policy, Policy) else ""
    return AppendRow(
        Kind.CALL_ARRIVED,
        {
            "channel": arrival.channel,
            "entry": arrival.entry,
            "leg": arrival.leg,
            "linkedid": arrival.linkedid,
            "policy": arrival.policy_name,
            "policy_digest": digest,
            "queue": arrival.queue,
            "rules": arrival.rules,
            "synthetic": arrival.synthetic,
        },
        actor=Actor.CALLER,
        party=party_id(call.id, 1),
        facts=arrival.facts,
    )


def completed_row(undecided: Undecided, lasted_ms: int) -> AppendRow:
    notice, wording = undecided.policy.notice, undecided.wording
    return AppendRow(
        Kind.NOTICE_COMPLETED,
        {
            "audio_digest": wording.audio_digest,
            "lasted_ms": lasted_ms,
            "length_ms": wording.length_ms,
            "notice": notice.label(wording.language),
            "purposes": notice.purposes,
            "text_digest": wording.text_digest,
        },
    )


def introduced_row(introduction: Prompt, lasted_ms: int) -> AppendRow:
    return AppendRow(
        Kind.INTRODUCTION_COMPLETED,
        {
            "audio_digest": introduction.audio_digest,
            "lasted_ms": lasted_ms,
            "length_ms": introduction.length_ms,
        },
    )


def do_not_call_row(call: Call, why: str) -> AppendRow:
    """The party outside refused (``refusal``) or asked (``asked``) not to be called again.

    Without a number there is nothing to put on the list.
    """
    if not call.outside:
        return anomaly_row("DO_NOT_CALL_UNKNOWN")
    row = AppendRow(Kind.DO_NOT_CALL_ADDED, {"by": why}, actor=Actor.CALLER)
    return replace(row, listed=call.outside)


def consent_row(state: str, **detail: Detail) -> AppendRow:
    """``state`` is ``given``, ``refused``, ``expired`` (silence where a key was asked for),
    ``not_refused`` or ``withdrawn``.
    """
    by = Actor.SERVICE if state in {"expired", "not_refused"} else Actor.CALLER
    return AppendRow(Kind.CONSENT, {"state": state, **detail}, actor=by)


def decision_row(decision: Decision) -> AppendRow:
    return AppendRow(
        Kind.DECISION,
        {
            "notice": decision.notice,
            "purposes": decision.purposes,
            "reason": decision.reason,
            "status": decision.status,
            "told_by": decision.told_by or "",
        },
    )


def verdict_rows(
    purposes: tuple[PurposeCode, ...], recording: RecordingId, verdict: RecordingVerdict
) -> tuple[AppendRow, ...]:
    """What became of a recording, how it was sealed, and what of it was lost.

    ``purposes``: of the decision under which it was made.
    """
    lost = tuple(
        AppendRow(Kind.AUDIO_LOST, {"recording": recording, "from_ms": begin, "to_ms": end})
        for begin, end in verdict.lost
    )
    return (_verdict_row(purposes, recording, verdict), *_sealed_rows(recording, verdict), *lost)


def _sealed_rows(recording: RecordingId, verdict: RecordingVerdict) -> tuple[AppendRow, ...]:
    if verdict.sealed is None:
        return ()
    row = AppendRow(
        Kind.RECORDING_SEALED,
        {
            "recording": recording,
            "bytes": verdict.sealed.size_bytes,
            "recipients": verdict.sealed.recipients,
            "sha256": verdict.sealed.sha256,
        },
    )
    return (row,)


def _verdict_row(
    purposes: tuple[PurposeCode, ...], recording: RecordingId, verdict: RecordingVerdict
) -> AppendRow:
    def of_recording(kind: Kind, **detail: Detail) -> AppendRow:
        return AppendRow(kind, {"recording": recording, **detail})

    match verdict.outcome:
        case CaptureOutcome.MISSING:
            return of_recording(Kind.RECORDING_MISSING, expected_ms=verdict.expected_ms)
        case CaptureOutcome.UNJUDGED:
            return of_recording(
                Kind.RECORDING_UNJUDGED,
                expected=None
                if verdict.again is None
                else msgspec.json.encode(verdict.again).decode(),
                problem=verdict.problem,
            )
        case CaptureOutcome.EMPTY:
            return of_recording(
                Kind.RECORDING_EMPTY,
                expected_ms=verdict.expected_ms,
                length=verdict.length,
            )
        case CaptureOutcome.CLOSED:
            return of_recording(
                Kind.RECORDING_CLOSED,
                blanked_ms=verdict.blanked_ms,
                encryption="off" if verdict.sealed is None else "age",
                expected_ms=verdict.expected_ms,
                header_closed=verdict.header_closed,
                length=verdict.length,
                length_ms=verdict.length_ms,
                lost_ms=verdict.lost_ms,
                purposes=purposes,
                rx=verdict.rx,
                rx_sha256=verdict.rx_sha256,
                sha256=verdict.sha256,
                tx=verdict.tx,
                tx_sha256=verdict.tx_sha256,
                whole=verdict.whole,
            )
        case _ as never:
            assert_never(never)


def recording_row(call: Call, kind: Kind, **detail: Detail) -> AppendRow:
    return AppendRow(kind, {"recording": call.subject, **detail})


def anomaly_row(code: str, **detail: Detail) -> AppendRow:
    return AppendRow(Kind.ANOMALY, {"code": code, **detail})


def result(call: Call, stage: AfterDecision) -> HandOver:
    """What the dialplan is told, and, where the call may be recorded, what it is to run."""
    decision = stage.decision
    if not isinstance(stage, Decided) or not decision.allowed:
        return HandOver(call.id, decision.status, decision.reason, next=decision.next)
    told = HandOver(
        call.id,
        decision.status,
        decision.reason,
        purposes=decision.purposes,
        notice=decision.notice,
        channel=call.channel,
        withdrawal=stage.policy.withdrawal is Withdrawal.ON and not call.joins,
    )
    if not call.capture.is_open:
        return told
    options = capture_options(stage.policy, others=call.capture.segment.others)
    return replace(told, recording=call.recording, start=True, options=options)


def standing_result(call: Call, stage: AfterDecision) -> HandOver:
    """The decision again, for a channel that comes a second time: it starts nothing."""
    status = standing_status(call, stage.decision)
    return replace(result(call, stage), status=status, start=False, options=None)


def standing_status(call: Call, decision: Decision) -> Status:
    """What the dialplan and the agent are told of a decided call, as it is now."""
    if call.consent.withdrawn:
        return Status.REFUSED
    if call.capture.ended_as is not None:
        return call.capture.ended_as
    if call.capture.pauses:
        return Status.PAUSED
    status = {Capture.GROWING: Status.RECORDING, Capture.STALLED: Status.FAILED}
    return status.get(call.capture.state, decision.status)


def lasted_ms(started: PlaybackStarted | None, finished: PlaybackFinished) -> int:
    """How long a playback took; where two clocks saw it, the shorter time is believed."""
    if started is None:
        return 0
    ours = finished.at_ms - started.at_ms
    if started.asterisk_ms is None or finished.asterisk_ms is None:
        return ours
    return min(ours, finished.asterisk_ms - started.asterisk_ms)
