"""The recording of one call: it begins, is muted while it must, stops, and is judged.

A recording runs in *segments*, each a pair of files of its own. What is wanted follows from the
whole state of a call, however it came about, in one place (:func:`settle`):

Rule 6: while somebody is there who is not covered, or may be coming, nothing of the others is
        kept; what came in before Asterisk muted it is blanked before the file is digested.
Rule 7: while anybody paused, nothing is kept.
Rule 8: a capture begins, and goes on after a mute, only behind the durable row that says so.

    REQUESTED ──▶ STARTED ──▶ GROWING ──▶ judged, taken in, removed from the spool
                     └──▶ STALLED ──▶ GROWING
"""

from __future__ import annotations

from dataclasses import replace

from asterisk_compliance.domain.call_notice import Stepped, then
from asterisk_compliance.domain.call_rows import anomaly_row, recording_row, verdict_rows
from asterisk_compliance.domain.call_state import Call, Phase, Segment, Slip
from asterisk_compliance.domain.commands import (
    Announce,
    AppendRow,
    CancelSegment,
    ClearDeadline,
    Command,
    Commit,
    Forget,
    Judge,
    Mute,
    RemoveRecording,
    RemoveSpooled,
    SetDeadline,
    SetMute,
    StartSegment,
    StopCapture,
)
from asterisk_compliance.domain.decision import Status
from asterisk_compliance.domain.events import (
    By,
    Event,
    Judged,
    RecordingRemoved,
    SpoolKept,
    SpoolRemoved,
)
from asterisk_compliance.domain.names import Deadline
from asterisk_compliance.domain.notice import OnWithdrawal
from asterisk_compliance.domain.reasons import FAILURES, PauseReason, StopReason
from asterisk_compliance.domain.recording import Blank, Capture, Doubt, Expected, Outcome, Tracks
from asterisk_compliance.domain.rows import Kind
from asterisk_compliance.ids import recording_id

SLIP_BEFORE_MS = 100
"""What we hear of a bridge is younger than its first sample by less than this."""
SLIP_AFTER_MS = 60
"""A mute has taken hold so long after Asterisk's answer."""

_SAID = {StopReason.WITHDRAWN: Status.REFUSED, **dict.fromkeys(FAILURES, Status.FAILED)}


def settle(call: Call, at_ms: int, *, by: By | None = None) -> Stepped:
    """Bring the running capture to what the state of the call wants; nothing if it is so.

    ``by``: who asked for it and has a row of his own already.
    """
    if not call.capture_runs:
        return call, ()
    wanted = _wanted(call)
    if call.coming is None and wanted is Mute.NONE and _must_begin_anew(call):
        return begin_segment(replace(call, heal_due=False))
    if wanted is call.segment.mute:
        return call, ()
    if wanted.level > call.segment.mute.level:
        return _mute(call, wanted, at_ms)
    if call.coming is not None:
        return call, ()  # what is muted has an end already: the new segment
    muted = replace(call, segment=replace(call.segment, mute=wanted))
    resumed = recording_row(call, Kind.CAPTURE_RESUMED, mute=wanted)
    status = () if call.pauses else (Announce(_shown(call)),)
    return muted, (*((resumed,) if by is None else ()), Commit(), SetMute(wanted), *status)


def _wanted(call: Call) -> Mute:
    if call.pauses:
        return Mute.ALL
    if call.segment.others and _why_not_others(call) is not None:
        return Mute.OTHERS
    return Mute.NONE


def _why_not_others(call: Call) -> PauseReason | None:
    if call.company.uncovered:
        return PauseReason.JOINED
    if call.transfer_seen:
        return PauseReason.TRANSFER
    if call.company.peers and not call.may_keep_others:
        return PauseReason.AGENT_CONSENT
    return None


def _must_begin_anew(call: Call) -> bool:
    """After a transfer, to heal; and where the others were not captured and now may be."""
    unheard = call.may_keep_others and not call.segment.others
    return call.wiring.segments and bool(call.company.peers) and (call.heal_due or unheard)


def _mute(call: Call, wanted: Mute, at_ms: int) -> Stepped:
    since = call.segment.slipping_since_ms
    segment = replace(
        call.segment,
        mute=wanted,
        slipping_since_ms=call.file_ms(at_ms) if since is None else since,
    )
    muted = replace(call, segment=segment)
    if wanted is Mute.ALL:
        return muted, (SetMute(wanted),)
    reason = _why_not_others(call)
    assert reason is not None
    row = recording_row(call, Kind.CAPTURE_PAUSED, reason=reason, mute=wanted)
    return muted, (SetMute(wanted), row)


def mute_changed(call: Call, mute: Mute, at_ms: int) -> Stepped:
    """Asterisk obeyed: what must not be kept came in from the wish until now."""
    segment = call.segment
    if segment.slipping_since_ms is None or mute.level < segment.mute.level:
        return call, ()
    slip = Slip(
        segment.slipping_since_ms - SLIP_BEFORE_MS,
        call.file_ms(at_ms) + SLIP_AFTER_MS,
        Tracks.BOTH if mute is Mute.ALL else Tracks.OTHERS,
    )
    settled = replace(segment, slipping_since_ms=None, slips=(*segment.slips, slip))
    return replace(call, segment=settled), ()


def mute_refused(call: Call, mute: Mute) -> Stepped:
    if call.capture_runs and mute is Mute.NONE:
        return call, (anomaly_row("UNMUTE_FAILED"), Announce(Status.FAILED))
    return stop(call, StopReason.MUTE_FAILED)


# -- segments ----------------------------------------------------------------------------------


def begin_segment(call: Call) -> Stepped:
    """Ask for a new pair of files; a segment that runs goes on until Asterisk began the new one."""
    assert call.policy is not None
    coming = Segment(call.segment.number + 1, others=call.may_keep_others)
    asked = replace(call, coming=coming)
    recording = recording_id(call.id, coming.number)
    requested = AppendRow(
        Kind.RECORDING_REQUESTED, {"recording": recording, "capture": call.policy.capture}
    )
    start = StartSegment(recording, call.options(others=coming.others))
    limit = SetDeadline(Deadline.SEGMENT, call.limits.segment_ms)
    return asked, (requested, Commit(), start, limit)


def segment_began(call: Call, at_ms: int, evidence: str) -> Stepped:
    """The new files are written: what ran before has ended."""
    assert call.coming is not None
    call, ended = close_segment(call, at_ms) if call.capture_is_open else (call, ())
    assert call.coming is not None
    segment = replace(call.coming, since_ms=call.file_ms(at_ms))
    began = replace(call, segment=segment, coming=None, capture=Capture.STARTED)
    row = recording_row(began, Kind.RECORDING_STARTED, evidence=evidence)
    first = (ClearDeadline(Deadline.SEGMENT), row, *ended)
    if call.stopping:
        return began, (*first, StopCapture(began.recording))
    expecting = expect_audio(began) if call.bridged_at_ms is not None else ()
    return then((*first, *expecting), settle(began, at_ms))


def segment_did_not_begin(call: Call, at_ms: int) -> Stepped:
    """What was asked for is missing. A segment that runs goes on, perhaps without the others."""
    assert call.coming is not None
    row = AppendRow(
        Kind.RECORDING_MISSING,
        {"recording": recording_id(call.id, call.coming.number), "expected_ms": 0},
    )
    clear = ClearDeadline(Deadline.SEGMENT)
    alone = replace(call, coming=None, wiring=replace(call.wiring, segments=False))
    doubtful = doubt(alone, at_ms) if alone.capture_is_open else alone
    return then((row, CancelSegment(), clear), settle(doubtful, at_ms))


def doubt(call: Call, at_ms: int) -> Call:
    """From now on the others may be missing in the file, though they are heard on the line."""
    since = call.segment.doubtful_since_ms
    first = call.file_ms(at_ms) if since is None else since
    return replace(call, heal_due=False, segment=replace(call.segment, doubtful_since_ms=first))


def started(call: Call, at_ms: int, evidence: str) -> Stepped:
    row = recording_row(call, Kind.RECORDING_STARTED, evidence=evidence)
    begun = replace(call, capture=Capture.STARTED)
    if call.stopping:
        return begun, (row, StopCapture(call.recording))
    return then((row,), settle(begun, at_ms))


def expect_audio(call: Call) -> tuple[Command, ...]:
    """From now on samples come in: they must be on disk in time."""
    wait = SetDeadline(Deadline.GROWTH, call.limits.growth_ms)
    return (wait,) if call.awaits_audio and not call.stopping else ()


# -- the end of a capture ----------------------------------------------------------------------


def stop(call: Call, reason: StopReason, *rows: AppendRow) -> Stepped:
    """End a capture that must not go on, and say what the call is from now on."""
    if call.stopping or not (call.capture_is_open or call.coming):
        return call, rows
    said = Announce(_SAID.get(reason, Status.NOT_RECORDED))
    clear = (ClearDeadline(Deadline.GROWTH), ClearDeadline(Deadline.PAUSE))
    stopping = replace(call, stopping=True, pauses=frozenset())
    row = recording_row(call, Kind.CAPTURE_STOPPED, reason=reason)
    cancel = (CancelSegment(),) if call.coming else ()
    end = (StopCapture(call.recording),) if call.capture_is_open else ()
    return stopping, (*rows, *cancel, *end, row, said, *clear)


def slipping(call: Call, at_ms: int) -> Call:
    """From now on the others must not be kept, and come in until the capture has stopped."""
    if call.segment.slipping_since_ms is not None:
        return call
    return replace(call, segment=replace(call.segment, slipping_since_ms=call.file_ms(at_ms)))


def close_segment(call: Call, at_ms: int) -> Stepped:
    """Asterisk writes no more to it: judge it and take it in, while the call goes on."""
    judged = Judge(call.recording, _expected(call, at_ms))
    closing = call.closing | {call.recording}
    return replace(call, capture=Capture.NONE, closing=closing), (judged,)


def _expected(call: Call, ended_at_ms: int) -> Expected:
    """What the files must be. Asterisk's own clock is known at their end alone."""
    segment = call.segment
    end = call.file_ms(ended_at_ms)
    slips = segment.slips
    if segment.slipping_since_ms is not None:
        tracks = Tracks.BOTH if segment.mute is Mute.ALL else Tracks.OTHERS
        slips = (*slips, Slip(segment.slipping_since_ms - SLIP_BEFORE_MS, end, tracks))
    return Expected(
        _length_ms(call, end),
        others=segment.others,
        blanks=tuple(
            Blank(max(0, end - slip.from_ms), max(0, end - slip.to_ms), slip.tracks)
            for slip in slips
        ),
        doubts=()
        if segment.doubtful_since_ms is None
        else (Doubt(max(0, end - segment.doubtful_since_ms), 0),),
    )


def _length_ms(call: Call, end: int) -> int | None:
    """How long the recording must be; ``None`` where nobody told us."""
    if call.keeps_all:
        began = call.segment.since_ms or call.continued_at_ms
        return None if began is None else end - began
    return end - call.segment.since_ms if call.bridges_seen else None


def taking_in(call: Call, event: Event) -> Stepped:
    """What became of a recording that has ended: judged, removed from the spool, or not."""
    match event:
        case Judged(recording=recording, verdict=verdict):
            rows = verdict_rows(call, recording, verdict)
            if verdict.outcome in {Outcome.MISSING, Outcome.UNJUDGED}:
                return _dealt_with(call, recording, *rows)
            kept = call.kept | ({recording} if verdict.outcome is Outcome.CLOSED else set())
            # The row says what the files were; only when it is durable may they go.
            return replace(call, kept=kept), (*rows, Commit(), RemoveSpooled(recording))
        case SpoolRemoved(recording=recording, files=files):
            row = AppendRow(Kind.SPOOL_REMOVED, {"recording": recording, "files": files})
            if recording in call.kept and deletes(call):
                return call, (row, RemoveRecording(recording))
            return _dealt_with(call, recording, row)
        case SpoolKept(recording=recording):
            row = anomaly_row("SPOOL_NOT_REMOVED", recording=recording)
            return _dealt_with(call, recording, row)
        case RecordingRemoved(recording=recording, gone=gone):
            removed = AppendRow(Kind.RECORDING_REMOVED, {"recording": recording})
            kept_on = anomaly_row("RECORDING_NOT_REMOVED", recording=recording)
            less = replace(call, kept=call.kept - {recording})
            return _dealt_with(less, recording, removed if gone else kept_on)
        case _:
            raise AssertionError(event)


def deletes(call: Call) -> bool:
    """The caller withdrew, and the policy does not keep what was recorded before."""
    return (
        call.withdrawn
        and call.policy is not None
        and call.policy.on_withdrawal is OnWithdrawal.DELETE
    )


def _dealt_with(call: Call, recording: str, *rows: AppendRow) -> Stepped:
    left = replace(call, closing=frozenset(one for one in call.closing if one != recording))
    if left.phase is not Phase.CLOSING or left.closing:
        return left, rows
    return replace(left, phase=Phase.OVER), (*rows, Forget())


def _shown(call: Call) -> Status:
    return Status.RECORDING if call.capture is Capture.GROWING else Status.ALLOWED
