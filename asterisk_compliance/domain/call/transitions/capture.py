"""The recording of one call: it begins, is muted while it must, stops, and is judged.

A recording runs in *segments*, each a pair of files of its own. What is wanted follows from the
whole state of a call, however it came about, in one place (:func:`align_capture`):

Rule 6: while somebody is there who is not covered, or may be coming, nothing of the others is
        kept; what came in before Asterisk muted it is blanked before the file is digested.
Rule 7: while anybody paused, nothing is kept.
Rule 8: a capture begins, and goes on after a mute, only behind the durable row that says so.

What cannot be muted yet (Asterisk has not begun) or any more (it was told to stop) is blanked too.

    REQUESTED ──▶ STARTED ──▶ GROWING ──▶ judged, taken in, removed from the spool
                     └──▶ STALLED ──▶ GROWING
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, assert_never

from msgspec.structs import replace

from asterisk_compliance.domain.audit.rows import Detail, Kind
from asterisk_compliance.domain.call.audit_rows import anomaly_row, recording_row, verdict_rows
from asterisk_compliance.domain.call.commands import (
    Announce,
    AppendRow,
    CancelSegment,
    ClearDeadline,
    Command,
    CommitCommand,
    Deadline,
    EndWhisper,
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
from asterisk_compliance.domain.call.decision import Status
from asterisk_compliance.domain.call.events import (
    RecordingJudged,
    RecordingRemoved,
    SpoolKept,
    SpoolRemoved,
)
from asterisk_compliance.domain.call.state import (
    SLIP_BEFORE_MS,
    Call,
    CallPhase,
    CallStep,
    Segment,
    UnmutedSpan,
)
from asterisk_compliance.domain.call.transitions.decision import then
from asterisk_compliance.domain.recording.interruption_reasons import (
    FAILURES,
    PauseReason,
    StopReason,
)
from asterisk_compliance.domain.recording.verdict import (
    Blank,
    Capture,
    CaptureOutcome,
    Doubt,
    Expected,
    Tracks,
)
from asterisk_compliance.ids import RecordingId, recording_id

TakenIn: TypeAlias = RecordingJudged | SpoolRemoved | SpoolKept | RecordingRemoved


SLIP_AFTER_MS = 200
"""A mute has taken hold so long after Asterisk's answer, on the clock of the file's end.

A frame until it holds, and what the end of a file is seen late: blanks are measured back from it.
That is :data:`SLIP_BEFORE_MS` of AMI, and the pause between two segments (40 ms). It costs nothing,
since the file holds silence then.
"""

_TRACKS = {Mute.OTHERS: Tracks.OTHERS, Mute.ALL: Tracks.BOTH}

_SAID: Mapping[str, Status] = {
    StopReason.WITHDRAWN: Status.REFUSED,
    **dict.fromkeys(FAILURES, Status.FAILED),
}


def align_capture(call: Call, at_ms: int, *, said: bool = False) -> CallStep:
    """Bring the running capture to what the state of the call wants; nothing if it is so.

    ``said``: the row that says that it goes on is durable already.
    """
    if not call.capture_runs:
        return _noted(call, at_ms), ()
    wanted = wanted_mute(call)
    if call.coming is None and wanted is Mute.NONE and _must_begin_anew(call):
        return begin_segment(call)
    if wanted.level > call.segment.mute.level:
        return _mute(call, wanted, at_ms)
    if wanted is call.segment.mute or call.coming is not None:
        return call, ()  # what is muted has an end already: the new segment
    if call.segment.mute is Mute.OTHERS and not call.company.peers:
        return call, ()  # there is nobody to be heard; who comes next decides
    resumed = recording_row(call, Kind.CAPTURE_RESUMED, mute=wanted)
    behind = () if said else (resumed, CommitCommand())
    unmuted = replace(call, segment=replace(call.segment, mute=wanted))
    return unmuted, (*behind, SetMute(wanted))


def _noted(call: Call, at_ms: int) -> Call:
    """What a capture must not keep that has not begun, or that was told to stop."""
    if not call.capture_is_open:
        return call
    wanted = wanted_mute(call)
    if wanted is not Mute.NONE:
        return slipping(call, call.file_ms(at_ms), _TRACKS[wanted])
    return call if call.stopping else _slipped(call, at_ms)


def wanted_mute(call: Call) -> Mute:
    """What must not be kept now, as far as the rules go."""
    if call.pauses:
        return Mute.ALL
    if call.segment.others and why_not_others(call) is not None:
        return Mute.OTHERS
    return Mute.NONE


def why_not_others(call: Call) -> PauseReason | None:
    if call.company.uncovered:
        return PauseReason.JOINED
    if call.transfer_seen:
        return PauseReason.TRANSFER
    if call.company.peers and not call.may_keep_others:
        return PauseReason.AGENT_CONSENT
    return None


def _must_begin_anew(call: Call) -> bool:
    """After a transfer, to heal; and where the others were not captured and now may be."""
    if not call.wiring.segments or not call.company.peers:
        return False
    return call.heal_due if call.segment.others else why_not_others(call) is None


def _mute(call: Call, wanted: Mute, at_ms: int) -> CallStep:
    heard = slipping(call, call.file_ms(at_ms), _TRACKS[wanted])
    muted = replace(heard, segment=replace(heard.segment, mute=wanted))
    if wanted is Mute.ALL:
        return muted, (SetMute(wanted),)
    reason = why_not_others(call)
    assert reason is not None
    row = recording_row(
        call,
        Kind.CAPTURE_PAUSED,
        reason=reason,
        mute=wanted,
        **unseen_detail(call, at_ms),
    )
    return muted, (SetMute(wanted), row)


def unseen_detail(call: Call, at_ms: int) -> Mapping[str, Detail]:
    """Of a row about somebody who may have been there before it, for so long."""
    return {} if call.unseen_since_ms is None else {"unseen_ms": at_ms - call.unseen_since_ms}


def mute_changed(call: Call, mute: Mute, at_ms: int) -> CallStep:
    """Asterisk obeyed: what must not be kept came in from the wish until now."""
    if call.stopping or mute.level < call.segment.mute.level:
        return call, ()
    return _slipped(call, at_ms), ()


def slipping(call: Call, since_ms: int, tracks: Tracks) -> Call:
    """From ``since_ms`` of the file on, unless since earlier, what comes in must not be kept."""
    segment = call.segment
    if segment.slipping_since_ms is not None:
        since_ms = min(since_ms, segment.slipping_since_ms)
        tracks = max(tracks, segment.slipping, key=tuple(Tracks)[::-1].index)
    return replace(call, segment=replace(segment, slipping_since_ms=since_ms, slipping=tracks))


def _slipped(call: Call, at_ms: int) -> Call:
    """It comes in no more, or may be kept again."""
    segment = call.segment
    if segment.slipping_since_ms is None:
        return call
    since_ms = segment.slipping_since_ms
    to_ms = max(since_ms, call.file_ms(at_ms))  # wires have clocks of their own
    slip = UnmutedSpan(since_ms - SLIP_BEFORE_MS, to_ms + SLIP_AFTER_MS, segment.slipping)
    closed = replace(segment, slipping_since_ms=None, slips=(*segment.slips, slip))
    return replace(call, segment=closed)


# -- segments ----------------------------------------------------------------------------------


def begin_segment(call: Call) -> CallStep:
    """Ask for a new pair of files; a segment that runs goes on until Asterisk began the new one."""
    assert call.policy is not None
    coming = Segment(call.next_number, others=call.may_keep_others)
    asked = replace(call, coming=coming, heal_due=False, start_wanted=False, ended_as=None)
    recording = recording_id(call.id, coming.number)
    requested = AppendRow(
        Kind.RECORDING_REQUESTED,
        {
            "recording": recording,
            "capture": call.policy.capture,
            "others": coming.others,
            "policy": call.policy.name,
            "retention": call.policy.retention,
        },
    )
    start = StartSegment(recording, call.options(others=coming.others))
    limit = SetDeadline(Deadline.SEGMENT, call.limits.segment_ms)
    return asked, (requested, CommitCommand(), start, limit)


def segment_began(call: Call, at_ms: int, evidence: str) -> CallStep:
    """The new files are written: what ran before has ended."""
    assert call.coming is not None
    segment = replace(call.coming, since_ms=call.file_ms(at_ms))
    before, ended = close_segment(call, at_ms) if call.capture_is_open else (call, ())
    began = replace(before, segment=segment, coming=None, missed=None, skipped=0)
    requested = replace(began, capture=Capture.REQUESTED)
    running, commands = started(requested, at_ms, evidence)
    expecting = expect_audio(running) if call.bridged_at_ms is not None else ()
    return running, (ClearDeadline(Deadline.SEGMENT), *ended, *commands, *expecting)


def began_late(call: Call, at_ms: int) -> CallStep:
    """It was given up, and runs all the same: it takes the place of what ran, or is stopped."""
    late = replace(call, coming=call.missed, stopping=not call.capture_runs)
    return segment_began(late, at_ms, "file")


def segment_did_not_begin(call: Call, at_ms: int) -> CallStep:
    """What was asked for is missing. A segment that runs goes on, perhaps without the others."""
    assert call.coming is not None
    row = AppendRow(
        Kind.RECORDING_MISSING,
        {"recording": recording_id(call.id, call.coming.number), "expected_ms": 0},
    )
    clear = ClearDeadline(Deadline.SEGMENT)
    wiring = replace(call.wiring, segments=False)
    alone = replace(call, coming=None, missed=call.coming, wiring=wiring)
    doubtful = mark_others_uncertain(alone, at_ms) if alone.capture_is_open else alone
    return then((row, CancelSegment(), clear), align_capture(doubtful, at_ms))


def mark_others_uncertain(call: Call, at_ms: int) -> Call:
    """From now on the others may be missing in the file, though they are heard on the line."""
    since = call.segment.doubtful_since_ms
    first = call.file_ms(at_ms) if since is None else since
    return replace(call, heal_due=False, segment=replace(call.segment, doubtful_since_ms=first))


def started(call: Call, at_ms: int, evidence: str) -> CallStep:
    """It runs. What must not be kept of it is not, from its first sample on."""
    row = recording_row(call, Kind.RECORDING_STARTED, evidence=evidence)
    capture = Capture.STARTED if call.capture is Capture.REQUESTED else call.capture
    begun = replace(call, capture=capture, segment=replace(call.segment, began=True))
    if call.stopping:
        return _from_its_beginning(begun, Tracks.BOTH), (row, StopCapture(call.recording))
    wanted = wanted_mute(begun)
    safe = begun if wanted is Mute.NONE else _from_its_beginning(begun, _TRACKS[wanted])
    return then((row,), align_capture(safe, at_ms))


def _from_its_beginning(call: Call, tracks: Tracks) -> Call:
    """... or since we knew, while it had not been seen to run."""
    known = call.segment.slipping_since_ms
    return slipping(call, call.segment.since_ms if known is None else known, tracks)


def expect_audio(call: Call) -> tuple[Command, ...]:
    """From now on samples come in: they must be on disk in time."""
    wait = SetDeadline(Deadline.GROWTH, call.limits.growth_ms)
    return (wait,) if call.awaits_audio and not call.stopping else ()


# -- the end of a capture ----------------------------------------------------------------------


def stop(call: Call, reason: StopReason, *rows: AppendRow, at_ms: int | None = None) -> CallStep:
    """End a capture that must not go on, and say what the call is from now on.

    ``at_ms``: from when on nothing is kept, however long Asterisk goes on; ``None`` where what
    comes in until then is as good as what came before.
    """
    quiet, ended = _not_told_any_more(replace(call, start_wanted=False))
    if call.capture_is_open and at_ms is not None:
        quiet = slipping(quiet, call.file_ms(at_ms), Tracks.BOTH)
    if not call.is_recorded:
        return quiet, (*rows, *ended)
    end = (StopCapture(call.recording),) if call.capture_is_open else ()
    said = ended_status(reason)
    there = call.capture_is_open or call.coming is not None
    stopping = replace(quiet, stopping=there, pauses=frozenset(), ended_as=said)
    row = (recording_row(call, Kind.CAPTURE_STOPPED, reason=reason),) if there else ()
    cancel = (CancelSegment(),) if call.coming else ()
    clear = (ClearDeadline(Deadline.GROWTH), ClearDeadline(Deadline.PAUSE))
    return stopping, (*rows, *ended, *cancel, *end, *row, Announce(said), *clear)


def ended_status(reason: str) -> Status:
    """What a call is called whose recording ended for this :class:`StopReason`, by its value."""
    return _SAID.get(reason, Status.NOT_RECORDED)


def _not_told_any_more(call: Call) -> CallStep:
    """A notice that somebody hears of a recording which ends is not true any more."""
    if call.whispering is None or call.whispering.wording is None:
        return call, ()
    return replace(call, whispering=None), (EndWhisper(), ClearDeadline(Deadline.WHISPER))


def close_segment(call: Call, at_ms: int) -> CallStep:
    """Asterisk writes no more to it: judge it and take it in, while the call goes on."""
    judged = Judge(call.recording, _expected(call, at_ms))
    closing = call.closing | {call.recording}
    return replace(call, capture=Capture.NONE, closing=closing), (judged,)


def close_coming(call: Call, at_ms: int) -> CallStep:
    """The call ended before Asterisk said that it began: the files will tell whether it did."""
    assert call.coming is not None
    segment = replace(call.coming, since_ms=call.file_ms(at_ms))
    ended = replace(call, segment=segment, coming=None)
    if call.stopping or wanted_mute(call) is not Mute.NONE:
        ended = _from_its_beginning(ended, Tracks.BOTH)
    return close_segment(ended, at_ms)


def _expected(call: Call, ended_at_ms: int) -> Expected:
    """What the files must be. Asterisk's own clock is known at their end alone."""
    segment = call.segment
    end = call.file_ms(ended_at_ms)
    slips = segment.slips
    if segment.slipping_since_ms is not None:
        slips = (
            *slips,
            UnmutedSpan(segment.slipping_since_ms - SLIP_BEFORE_MS, end, segment.slipping),
        )
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
    if call.segment.partly_seen:
        return None
    if call.keeps_all:
        began = call.segment.since_ms or call.continued_at_ms
        return None if began is None else end - began
    return end - call.segment.since_ms if call.bridges_seen else None


def taking_in(call: Call, event: TakenIn) -> CallStep:
    """What became of a recording that has ended: judged, removed from the spool, or not."""
    match event:
        case _ if event.recording not in call.closing:
            return call, ()
        case RecordingJudged(recording=recording, verdict=verdict):
            rows = verdict_rows(call, recording, verdict)
            stays = verdict.outcome is CaptureOutcome.UNJUDGED and not call.erases
            if stays or verdict.outcome is CaptureOutcome.MISSING:
                return _dealt_with(call, recording, *rows)
            kept = call.kept | ({recording} if verdict.outcome is CaptureOutcome.CLOSED else set())
            # The row says what the files were; only when it is durable may they go.
            return replace(call, kept=kept), (*rows, CommitCommand(), RemoveSpooled(recording))
        case SpoolRemoved(recording=recording, files=files):
            row = AppendRow(Kind.SPOOL_REMOVED, {"recording": recording, "files": files})
            return _taken_in(call, recording, row)
        case SpoolKept(recording=recording):
            row = anomaly_row("SPOOL_NOT_REMOVED", recording=recording)
            return _taken_in(call, recording, row)
        case RecordingRemoved(recording=recording, gone=gone):
            removed = AppendRow(Kind.RECORDING_REMOVED, {"recording": recording})
            kept_on = anomaly_row("RECORDING_NOT_REMOVED", recording=recording)
            less = replace(call, kept=call.kept - {recording})
            return _dealt_with(less, recording, removed if gone else kept_on)
        case _ as never:
            assert_never(never)


def _taken_in(call: Call, recording: RecordingId, row: AppendRow) -> CallStep:
    if recording in call.kept and call.erases:
        return call, (row, CommitCommand(), RemoveRecording(recording))
    return _dealt_with(call, recording, row)


def _dealt_with(call: Call, recording: RecordingId, *rows: AppendRow) -> CallStep:
    left = replace(call, closing=call.closing - {recording})
    if left.phase is not CallPhase.CLOSING or left.closing:
        return left, rows
    return replace(left, phase=CallPhase.OVER), (*rows, Forget())
