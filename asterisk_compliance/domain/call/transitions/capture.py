"""The recording of one call: how it begins, is muted, stops, and is judged.

A recording runs in *segments*, each a pair of files. What the running capture must do follows
from the whole state of a call, however it came about, in one place (:func:`align_capture`):

Rule 6: while a participant is not covered, or somebody may be joining, nothing of the others is
        kept. What came in before Asterisk muted it is blanked before the file is digested.
Rule 7: while anybody has paused, nothing is kept.
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
from asterisk_compliance.domain.call.decision import Decision, Status
from asterisk_compliance.domain.call.events import (
    RecordingJudged,
    RecordingRemoved,
    SpoolKept,
    SpoolRemoved,
)
from asterisk_compliance.domain.call.state import (
    SLIP_BEFORE_MS,
    Call,
    CallCapture,
    CallPhase,
    CallStep,
    Decided,
    FileClock,
    Segment,
    UnmutedSpan,
    capture_options,
)
from asterisk_compliance.domain.call.transitions.decision import then
from asterisk_compliance.domain.policy.notice import Policy
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
    RecordingVerdict,
    Tracks,
)
from asterisk_compliance.ids import RecordingId

TakenIn: TypeAlias = RecordingJudged | SpoolRemoved | SpoolKept | RecordingRemoved


SLIP_AFTER_MS = 200
"""A mute has taken hold this long after Asterisk's answer, on the clock of the file's end.

It takes a frame to hold. Blanks are measured back from the end of the file, and we see that end
late: by :data:`SLIP_BEFORE_MS` of AMI, and by the pause between two segments (40 ms). The margin
costs nothing, since the file holds silence then.
"""

_TRACKS = {Mute.OTHERS: Tracks.OTHERS, Mute.ALL: Tracks.BOTH}

_SAID: Mapping[str, Status] = {
    StopReason.WITHDRAWN: Status.REFUSED,
    **dict.fromkeys(FAILURES, Status.FAILED),
}


def align_capture(call: Call, at_ms: int, *, said: bool = False) -> CallStep:
    """Bring the running capture to what the state of the call wants; nothing if it is so.

    ``said``: the row that says that the capture goes on is durable already.
    """
    capture = call.capture
    if not capture.runs:
        return _noted(call, at_ms), ()
    wanted, segment = wanted_mute(call), capture.segment
    begins = wanted is Mute.NONE and capture.requested_segment is None and _must_begin_anew(call)
    if begins and isinstance(call.stage, Decided):
        return begin_segment(call, call.stage.policy)
    if wanted is segment.mute:
        return call, ()
    if wanted.level > segment.mute.level:
        return _mute(call, wanted, at_ms)
    if capture.requested_segment is not None:
        return call, ()  # what is muted ends with the new segment
    if segment.mute is Mute.OTHERS and not call.participants.peers:
        return call, ()  # nobody can be heard; who comes next decides
    resumed = recording_row(call, Kind.CAPTURE_RESUMED, mute=wanted)
    behind = () if said else (resumed, CommitCommand())
    return _with_segment(call, replace(segment, mute=wanted)), (*behind, SetMute(wanted))


def _with_segment(call: Call, segment: Segment) -> Call:
    return replace(call, capture=replace(call.capture, segment=segment))


def _noted(call: Call, at_ms: int) -> Call:
    """Note what must not be kept of a capture that has not begun, or was told to stop."""
    if not call.capture.is_open:
        return call
    wanted, segment = wanted_mute(call), call.capture.segment
    if wanted is not Mute.NONE:
        since_ms = call.file_clock.file_ms(at_ms)
        return _with_segment(call, slipping(segment, since_ms, _TRACKS[wanted]))
    return call if call.capture.stopping else _slipped(call, at_ms)


def wanted_mute(call: Call) -> Mute:
    """What must not be kept now, by the rules above."""
    if call.capture.pauses:
        return Mute.ALL
    if call.capture.segment.others and why_not_others(call) is not None:
        return Mute.OTHERS
    return Mute.NONE


def why_not_others(call: Call) -> PauseReason | None:
    """Why nothing of the others may be kept now; ``None`` if it may."""
    participants = call.participants
    if participants.uncovered:
        return PauseReason.JOINED
    if participants.transfer_seen:
        return PauseReason.TRANSFER
    if participants.peers and not _agents_may_be_kept(call):
        return PauseReason.AGENT_CONSENT
    return None


def _agents_may_be_kept(call: Call) -> bool:
    """Nobody can tell that they may where the policy is not known any more."""
    match call.stage:
        case Decided(policy=policy):
            return call.participants.may_keep_others(policy.agent_consent)
        case _:
            return False


def _must_begin_anew(call: Call) -> bool:
    """After a transfer, to capture everybody; and where the others now may be captured."""
    if not call.wiring.segments or not call.participants.peers:
        return False
    if call.capture.segment.others:
        return call.capture.restart_due
    return why_not_others(call) is None


def _mute(call: Call, wanted: Mute, at_ms: int) -> CallStep:
    heard = slipping(call.capture.segment, call.file_clock.file_ms(at_ms), _TRACKS[wanted])
    muted = _with_segment(call, replace(heard, mute=wanted))
    reason = why_not_others(call)
    if wanted is Mute.ALL or reason is None:  # who paused has a row of its own
        return muted, (SetMute(wanted),)
    row = recording_row(
        call,
        Kind.CAPTURE_PAUSED,
        reason=reason,
        mute=wanted,
        **unseen_detail(call, at_ms),
    )
    return muted, (SetMute(wanted), row)


def unseen_detail(call: Call, at_ms: int) -> Mapping[str, Detail]:
    """For how long somebody may have been there before the row that says so."""
    since_ms = call.visibility.view_gap_since_ms
    return {} if since_ms is None else {"unseen_ms": at_ms - since_ms}


def mute_changed(call: Call, mute: Mute, at_ms: int) -> CallStep:
    """Asterisk has muted: what must not be kept came in from our request until now."""
    if call.capture.stopping or mute.level < call.capture.segment.mute.level:
        return call, ()
    return _slipped(call, at_ms), ()


def slipping(segment: Segment, since_ms: int, tracks: Tracks) -> Segment:
    """What comes in from ``since_ms`` of the file on (or earlier, if known) must not be kept."""
    if segment.slipping_since_ms is not None:
        since_ms = min(since_ms, segment.slipping_since_ms)
        tracks = max(tracks, segment.slipping, key=tuple(Tracks)[::-1].index)
    return replace(segment, slipping_since_ms=since_ms, slipping=tracks)


def _slipped(call: Call, at_ms: int) -> Call:
    """From now on nothing comes in that must not be kept."""
    segment = call.capture.segment
    if segment.slipping_since_ms is None:
        return call
    since_ms = segment.slipping_since_ms
    to_ms = max(since_ms, call.file_clock.file_ms(at_ms))  # wires have clocks of their own
    slip = UnmutedSpan(since_ms - SLIP_BEFORE_MS, to_ms + SLIP_AFTER_MS, segment.slipping)
    closed = replace(segment, slipping_since_ms=None, slips=(*segment.slips, slip))
    return _with_segment(call, closed)


# -- segments ----------------------------------------------------------------------------------


def begin_segment(call: Call, policy: Policy) -> CallStep:
    """Ask for a new pair of files; a segment that runs goes on until Asterisk began the new one."""
    others = call.participants.may_keep_others(policy.agent_consent)
    requested = Segment(call.capture.next_number, others=others)
    recording = call.recording_of(requested)
    capture = replace(
        call.capture,
        requested_segment=requested,
        restart_due=False,
        start_wanted=False,
        ended_as=None,
    )
    row = AppendRow(
        Kind.RECORDING_REQUESTED,
        {
            "recording": recording,
            "capture": policy.capture,
            "others": others,
            "policy": policy.name,
            "retention": policy.retention,
        },
    )
    start = StartSegment(recording, capture_options(policy, others=others))
    limit = SetDeadline(Deadline.SEGMENT, call.limits.segment_ms)
    return replace(call, capture=capture), (row, CommitCommand(), start, limit)


def segment_began(call: Call, requested: Segment, at_ms: int, evidence: str) -> CallStep:
    """Asterisk writes the new files: what ran before has ended."""
    segment = replace(requested, since_ms=call.file_clock.file_ms(at_ms))
    before, ended = close_segment(call, at_ms) if call.capture.is_open else (call, ())
    capture = replace(
        before.capture,
        state=Capture.REQUESTED,
        segment=segment,
        requested_segment=None,
        late_segment=None,
        unused_numbers=0,
    )
    running, commands = started(replace(before, capture=capture), at_ms, evidence)
    expecting = () if call.file_clock.bridged_at_ms is None else expect_audio(running)
    return running, (ClearDeadline(Deadline.SEGMENT), *ended, *commands, *expecting)


def began_late(call: Call, late: Segment, at_ms: int) -> CallStep:
    """A segment that was given up began: it takes the place of what ran, or is stopped."""
    capture = replace(call.capture, stopping=not call.capture.runs)
    return segment_began(replace(call, capture=capture), late, at_ms, "file")


def segment_did_not_begin(call: Call, requested: Segment, at_ms: int) -> CallStep:
    """A new segment is missing. One that runs goes on, perhaps without the others."""
    row = AppendRow(
        Kind.RECORDING_MISSING,
        {"recording": call.recording_of(requested), "expected_ms": 0},
    )
    clear = ClearDeadline(Deadline.SEGMENT)
    capture = replace(call.capture, requested_segment=None, late_segment=requested)
    if capture.is_open:
        capture = mark_others_uncertain(capture, call.file_clock.file_ms(at_ms))
    alone = replace(call, capture=capture, wiring=replace(call.wiring, segments=False))
    return then((row, CancelSegment(), clear), align_capture(alone, at_ms))


def mark_others_uncertain(capture: CallCapture, file_ms: int) -> CallCapture:
    """From here on the others may be missing in the file, though the caller hears them."""
    segment = capture.segment
    if segment.doubtful_since_ms is None:
        segment = replace(segment, doubtful_since_ms=file_ms)
    return replace(capture, restart_due=False, segment=segment)


def started(call: Call, at_ms: int, evidence: str) -> CallStep:
    """A capture runs. What must not be kept of it is blanked from its first sample on."""
    row = recording_row(call, Kind.RECORDING_STARTED, evidence=evidence)
    state = call.capture.state
    segment = replace(call.capture.segment, began=True)
    begun = replace(
        call,
        capture=replace(
            call.capture,
            state=Capture.STARTED if state is Capture.REQUESTED else state,
            segment=segment,
        ),
    )
    if begun.capture.stopping:
        unkept = _with_segment(begun, _from_its_beginning(segment, Tracks.BOTH))
        return unkept, (row, StopCapture(call.recording))
    wanted = wanted_mute(begun)
    if wanted is not Mute.NONE:
        begun = _with_segment(begun, _from_its_beginning(segment, _TRACKS[wanted]))
    return then((row,), align_capture(begun, at_ms))


def _from_its_beginning(segment: Segment, tracks: Tracks) -> Segment:
    """... or since we knew, while it had not been seen to run."""
    known = segment.slipping_since_ms
    return slipping(segment, segment.since_ms if known is None else known, tracks)


def expect_audio(call: Call) -> tuple[Command, ...]:
    """From now on samples come in: they must be on disk in time."""
    wait = SetDeadline(Deadline.GROWTH, call.limits.growth_ms)
    return (wait,) if call.capture.awaits_audio and not call.capture.stopping else ()


# -- the end of a capture ----------------------------------------------------------------------


def stop(call: Call, reason: StopReason, *rows: AppendRow, at_ms: int | None = None) -> CallStep:
    """End a capture that must not go on, and announce the new status of the call.

    ``at_ms``: from when on nothing is kept, however long Asterisk goes on; ``None`` where what
    comes in until then is as good as what came before.
    """
    capture = replace(call.capture, start_wanted=False)
    if capture.is_open and at_ms is not None:
        since_ms = call.file_clock.file_ms(at_ms)
        capture = replace(capture, segment=slipping(capture.segment, since_ms, Tracks.BOTH))
    quiet, ended = _not_told_any_more(replace(call, capture=capture))
    if not call.capture.is_wanted:
        return quiet, (*rows, *ended)
    end = (StopCapture(call.recording),) if capture.is_open else ()
    said = ended_status(reason)
    there = capture.is_open or capture.requested_segment is not None
    stopping = replace(capture, stopping=there, pauses=frozenset(), ended_as=said)
    row = (recording_row(call, Kind.CAPTURE_STOPPED, reason=reason),) if there else ()
    cancel = (CancelSegment(),) if capture.requested_segment else ()
    clear = (ClearDeadline(Deadline.GROWTH), ClearDeadline(Deadline.PAUSE))
    commands = (*rows, *ended, *cancel, *end, *row, Announce(said), *clear)
    return replace(quiet, capture=stopping), commands


def ended_status(reason: str) -> Status:
    """The status of a call whose recording ended for this :class:`StopReason`, by its value."""
    return _SAID.get(reason, Status.NOT_RECORDED)


def _not_told_any_more(call: Call) -> CallStep:
    """End a notice that somebody hears of a recording which ends: it is not true any more."""
    if call.whispering is None or call.whispering.wording is None:
        return call, ()
    return replace(call, whispering=None), (EndWhisper(), ClearDeadline(Deadline.WHISPER))


def close_segment(call: Call, at_ms: int) -> CallStep:
    """Asterisk has finished the files: judge them and take them in, while the call goes on."""
    judged = Judge(call.recording, _expected(call.capture.segment, call.file_clock, at_ms))
    recordings = replace(call.recordings, pending=call.recordings.pending | {call.recording})
    capture = replace(call.capture, state=Capture.NONE)
    return replace(call, capture=capture, recordings=recordings), (judged,)


def close_requested(call: Call, requested: Segment, at_ms: int) -> CallStep:
    """The call ended before Asterisk said that a segment began: the files will tell."""
    segment = replace(requested, since_ms=call.file_clock.file_ms(at_ms))
    capture = replace(call.capture, segment=segment, requested_segment=None)
    ended = replace(call, capture=capture)
    if capture.stopping or wanted_mute(ended) is not Mute.NONE:
        ended = _with_segment(ended, _from_its_beginning(segment, Tracks.BOTH))
    return close_segment(ended, at_ms)


def _expected(segment: Segment, clock: FileClock, ended_at_ms: int) -> Expected:
    """What the files must be. Asterisk's own clock is known at their end alone."""
    end = clock.file_ms(ended_at_ms)
    slips = segment.slips
    if segment.slipping_since_ms is not None:
        slips = (
            *slips,
            UnmutedSpan(segment.slipping_since_ms - SLIP_BEFORE_MS, end, segment.slipping),
        )
    return Expected(
        _length_ms(segment, clock, end),
        others=segment.others,
        blanks=tuple(
            Blank(max(0, end - slip.from_ms), max(0, end - slip.to_ms), slip.tracks)
            for slip in slips
        ),
        doubts=()
        if segment.doubtful_since_ms is None
        else (Doubt(max(0, end - segment.doubtful_since_ms), 0),),
    )


def _length_ms(segment: Segment, clock: FileClock, end: int) -> int | None:
    """How long the recording must be; ``None`` where nobody told us."""
    if segment.partly_seen:
        return None
    if clock.keeps_all:
        began = segment.since_ms or clock.continued_at_ms
        return None if began is None else end - began
    return end - segment.since_ms if clock.bridges_seen else None


def taking_in(call: Call, decision: Decision, event: TakenIn) -> CallStep:
    """What became of a recording that has ended: judged, removed from the spool, or not."""
    if event.recording not in call.recordings.pending:
        return call, ()
    match event:
        case RecordingJudged(recording=recording, verdict=verdict):
            rows = verdict_rows(decision.purposes, recording, verdict)
            return _judged(call, recording, verdict, rows)
        case SpoolRemoved(recording=recording, files=files):
            row = AppendRow(Kind.SPOOL_REMOVED, {"recording": recording, "files": files})
            return _taken_in(call, recording, row)
        case SpoolKept(recording=recording):
            row = anomaly_row("SPOOL_NOT_REMOVED", recording=recording)
            return _taken_in(call, recording, row)
        case RecordingRemoved(recording=recording, gone=gone):
            removed = AppendRow(Kind.RECORDING_REMOVED, {"recording": recording})
            still_there = anomaly_row("RECORDING_NOT_REMOVED", recording=recording)
            vaulted = call.recordings.vaulted - {recording}
            less = replace(call, recordings=replace(call.recordings, vaulted=vaulted))
            return _dealt_with(less, recording, removed if gone else still_there)
        case _ as never:
            assert_never(never)


def _judged(
    call: Call, recording: RecordingId, verdict: RecordingVerdict, rows: tuple[AppendRow, ...]
) -> CallStep:
    unjudged = verdict.outcome is CaptureOutcome.UNJUDGED
    stays = unjudged and not call.consent.deletes_recordings
    if stays or verdict.outcome is CaptureOutcome.MISSING:
        return _dealt_with(call, recording, *rows)
    if verdict.outcome is CaptureOutcome.CLOSED:
        vaulted = call.recordings.vaulted | {recording}
        call = replace(call, recordings=replace(call.recordings, vaulted=vaulted))
    # The row says what the files were; only when it is durable may they go.
    return call, (*rows, CommitCommand(), RemoveSpooled(recording))


def _taken_in(call: Call, recording: RecordingId, row: AppendRow) -> CallStep:
    if recording in call.recordings.vaulted and call.consent.deletes_recordings:
        return call, (row, CommitCommand(), RemoveRecording(recording))
    return _dealt_with(call, recording, row)


def _dealt_with(call: Call, recording: RecordingId, *rows: AppendRow) -> CallStep:
    pending = call.recordings.pending - {recording}
    left = replace(call, recordings=replace(call.recordings, pending=pending))
    if pending or call.stage.phase is not CallPhase.CLOSING:
        return left, rows
    return left.in_phase(CallPhase.OVER), (*rows, Forget())
