"""Calls that began before this run of the service, or that ended while it could not see them.

Rule 17: what was not seen is not taken for granted (``visibility_gaps.py``).
Rule 18: recovery can die at any moment and begin again: what is removed has its row already, and
         everything else can be done twice.

A row is dated by the wall clock. A file has its own clock, which may stand still and never runs
faster. So what came in after a row lies in at most that many last milliseconds of the file. If
nobody saw the file end, they are counted from its last write (``Expected.ended``).
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import assert_never

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from asterisk_compliance.domain.audit.encoding import StoredDetail
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call.audit_rows import decision_row
from asterisk_compliance.domain.call.commands import (
    Announce,
    AppendRow,
    CancelSegment,
    Command,
    Deadline,
    FollowAgain,
    Forget,
    Judge,
    Mute,
    RemoveRecording,
    RemoveSpooled,
    SetDeadline,
    SetMute,
    StopCapture,
)
from asterisk_compliance.domain.call.decision import Decision, Reason, Status
from asterisk_compliance.domain.call.events import Leg
from asterisk_compliance.domain.call.participants import Participants
from asterisk_compliance.domain.call.replay import Left, ReplayedCall
from asterisk_compliance.domain.call.state import (
    SLIP_BEFORE_MS,
    Call,
    CallCapture,
    CallerConsent,
    CallLimits,
    CallPhase,
    CallStep,
    Decided,
    DialplanWiring,
    FileClock,
    FileTime,
    Recordings,
    Segment,
    UnmutedSpan,
    Visibility,
    WithoutPolicy,
    clock_of_file,
)
from asterisk_compliance.domain.call.transitions.capture import SLIP_AFTER_MS, ended_status
from asterisk_compliance.domain.policy.notice import AgentConsent, CaptureFrom, Policy
from asterisk_compliance.domain.recording.interruption_reasons import StopReason
from asterisk_compliance.domain.recording.verdict import Blank, Capture, Expected, Tracks
from asterisk_compliance.ids import RecordingId, segment_of

_EVER_MS = 10_000_000_000
"""Longer than any call."""

_PLAYBACKS_A_LIFE = 1_000
"""No run uses the numbers of another: a playback of an earlier run may still end."""

NOT_SEEN = Decision(Status.NOT_RECORDED, Reason.SERVICE_RESTARTED)


class ClockSetBack(Struct, frozen=True):
    """The wall clock was set back.

    Attributes:
        seen_unix_ms: What it showed when the service noticed: when it was set, or later.
        by_ms: By how much it was set back.
        before_seq: Rows from this one on were written after that.
    """

    seen_unix_ms: int
    by_ms: int
    before_seq: int = 0


class Clock(Struct, frozen=True):
    """Now, on two clocks.

    Attributes:
        at_ms: Monotonic, as in events.
        unix_ms: As rows are dated.
        set_back: When the wall clock was set back, the oldest first.
    """

    at_ms: int
    unix_ms: int
    set_back: tuple[ClockSetBack, ...] = ()

    def from_row(self, seq: int) -> Clock:
        """The same clock, for facts from that row on: what was set back before does not count."""
        return replace(self, set_back=tuple(one for one in self.set_back if seq < one.before_seq))

    def since_ms(self, unix_ms: int) -> int:
        """How long ago that was, or longer; longer than any call, if it is still to come.

        A clock that was set back shows a time twice: the first of the two is meant.
        """
        for one in self.set_back:
            if unix_ms <= one.seen_unix_ms + one.by_ms:
                unix_ms -= one.by_ms
        return self.unix_ms - unix_ms if unix_ms <= self.unix_ms else _EVER_MS


def follow_again(
    known: ReplayedCall,
    policy: Policy | None,
    *,
    limits: CallLimits,
    wiring: DialplanWiring,
    now: Clock,
    unseen_ms: int,
) -> CallStep:
    """Follow a call whose channel still lives in the dialplan.

    What ran and what was asked for goes on, or goes on to end. Participants and bridge are not
    known before Asterisk reports them.

    Args:
        known: What the log says of the call.
        policy: The policy under which it was decided; ``None`` if the configuration does not have
            it any more. Then the recording ends, since nobody knows what it needs to go on.
        limits: The waits of the settings.
        wiring: What the site has set up.
        now: The moment.
        unseen_ms: How long nobody looked.
    """
    call = _as_it_was(known, policy, limits, wiring, now)
    if policy is None:  # its purposes bind what is taken in; nobody looks any more who is there
        decision = replace(known.decision or NOT_SEEN, status=Status.NOT_RECORDED)
        call = replace(call, stage=WithoutPolicy(decision, CallPhase.DIALPLAN))
    decided = () if known.decision else (decision_row(NOT_SEEN),)
    row = AppendRow(Kind.CALL_FOLLOWED, {"unseen_ms": unseen_ms})
    taking = _taking_in(known, now, unseen_ms, but={known.running, known.coming})
    pending = frozenset(one.recording for one in taking)
    since_ms = now.at_ms - unseen_ms
    call = replace(
        call,
        recordings=replace(call.recordings, pending=pending),
        visibility=Visibility(since_ms, since_ms, ami_gap_is_logged=True),
    )
    stopped = _stopped_now(call, known) if policy is None else ()
    first = (*decided, row, *stopped, FollowAgain(), *taking)
    if call.capture.is_open and known.stopped_at_ms is not None:
        call = _not_kept(call, now.since_ms(known.stopped_at_ms), now)
    steered = _stopped_again(call) if policy is None else _steered_again(call, policy)
    return call, (*first, *steered)


def _stopped_now(call: Call, known: ReplayedCall) -> tuple[Command, ...]:
    """The row of a recording that ends because nobody knows its policy."""
    there = call.capture.is_open or call.capture.requested_segment is not None
    if not there or known.stopped_at_ms is not None:
        return ()
    detail = {"recording": call.subject, "reason": StopReason.POLICY_UNKNOWN}
    return AppendRow(Kind.CAPTURE_STOPPED, detail), Announce(Status.NOT_RECORDED)


def _not_kept(call: Call, ago_ms: int, now: Clock) -> Call:
    """Nothing is kept since that long ago, until the recording has ended."""
    since_ms = call.file_clock.file_ms(now.at_ms) - ago_ms
    segment = replace(call.capture.segment, slipping_since_ms=since_ms, slipping=Tracks.BOTH)
    return replace(call, capture=replace(call.capture, segment=segment))


def _steered_again(call: Call, policy: Policy) -> tuple[Command, ...]:
    """Tell Asterisk again what it was told last, as far as that is known."""
    capture = call.capture
    if capture.stopping:
        return _stopped_again(call)
    mute = (SetMute(capture.segment.mute),) if capture.is_open else ()
    begins = _segment_limit(call)
    pause = (SetDeadline(Deadline.PAUSE, policy.pause_max_ms),) if capture.pauses else ()
    return (*mute, *begins, *pause)


def _stopped_again(call: Call) -> tuple[Command, ...]:
    """The same, for a recording that is to end, if there is one."""
    cancel = (CancelSegment(),) if call.capture.requested_segment is not None else ()
    end = (StopCapture(call.recording),) if call.capture.is_open else ()
    return (*_segment_limit(call), *cancel, *end)


def _segment_limit(call: Call) -> tuple[Command, ...]:
    if call.capture.requested_segment is None:
        return ()
    return (SetDeadline(Deadline.SEGMENT, call.limits.segment_ms),)


def finish(known: ReplayedCall, *, limits: CallLimits, now: Clock, unseen_ms: int) -> CallStep:
    """Deal with what a call left whose channel is gone; arguments as in :func:`follow_again`."""
    taking = _taking_in(known, now, unseen_ms, but=set())
    over = _over(known, {command.recording for command in taking}, limits, now)
    decided = () if known.decision else (decision_row(NOT_SEEN),)
    ended = AppendRow(
        Kind.CALL_ENDED, {"bridged_ms": None, "observed_late": True, "unseen_ms": unseen_ms}
    )
    rows = (*decided, *(() if known.ended else (ended,)))
    if not taking:
        return over.in_phase(CallPhase.OVER), (*rows, Forget())
    return over, (*rows, *taking)


def try_again(
    known: ReplayedCall,
    recording: RecordingId,
    expected: Expected,
    *,
    limits: CallLimits,
    now: Clock,
) -> CallStep:
    """Judge a recording that could not be taken in, by what was expected of it then.

    Its call is over, and its files were closed: nothing has changed since but the disk.
    """
    return _over(known, {recording}, limits, now), (Judge(recording, expected),)


def expected_of(detail: Mapping[str, StoredDetail]) -> Expected | None:
    """What a row says to judge a recording by once more.

    ``None`` if it must not be judged again, or if an older version wrote the row.

    Raises:
        ValueError: the row says something else.
    """
    said = detail.get("expected")
    return None if said is None else msgspec.json.decode(str(said), type=Expected)


def _over(
    known: ReplayedCall, pending: AbstractSet[RecordingId], limits: CallLimits, now: Clock
) -> Call:
    call = _as_it_was(known, None, limits, DialplanWiring(), now)
    capture = replace(call.capture, state=Capture.NONE, requested_segment=None)
    recordings = replace(call.recordings, pending=frozenset(pending))
    closing = replace(call, capture=capture, recordings=recordings)
    return closing.in_phase(CallPhase.CLOSING)


_CAPTURES = {Left.REQUESTED: Capture.REQUESTED, Left.RUNNING: Capture.STARTED}


def _as_it_was(
    known: ReplayedCall,
    policy: Policy | None,
    limits: CallLimits,
    wiring: DialplanWiring,
    now: Clock,
) -> Call:
    decision = known.decision or NOT_SEEN
    stage: Decided | WithoutPolicy = WithoutPolicy(decision, CallPhase.DIALPLAN)
    clock = FileClock(FileTime.UNKNOWN)
    if policy is not None:
        wording = policy.wording_for(known.language)
        stage = Decided(policy, wording, decision, CallPhase.DIALPLAN)
        clock = clock_of_file(policy)
    return Call(
        id=known.id,
        channel=known.channel,
        entry=known.entry,
        limits=limits,
        arrived_at_ms=now.at_ms,
        stage=stage,
        leg=known.leg,
        joins=known.leg is Leg.CALLEE and not known.recordings and not _is_on_demand(policy),
        wiring=wiring,
        playbacks=_PLAYBACKS_A_LIFE * (known.lives + 1),
        consent=CallerConsent(known.withdrawn, known.erases),
        file_clock=clock,
        capture=_capture(known, policy, wiring, clock, now),
        recordings=Recordings(vaulted=known.kept),
        participants=Participants(
            covered=known.covered,
            controller=known.controller if wiring.staff_known else known.covered,
            met=known.parties > 1,
            transfer_seen=known.mute is Mute.OTHERS,
            numbered=known.parties,
        ),
    )


def _capture(
    known: ReplayedCall,
    policy: Policy | None,
    wiring: DialplanWiring,
    clock: FileClock,
    now: Clock,
) -> CallCapture:
    there = known.running is not None or known.coming is not None
    number = _number_before(known)
    next_number = known.last_number + 1 if known.coming is None else segment_of(known.coming)
    segment = _segment(known, known.running, number, clock, now)
    if known.changed_at_ms is not None and not wiring.segments:
        since_ms = clock.file_ms(now.at_ms) - now.since_ms(known.changed_at_ms)
        segment = replace(segment, doubtful_since_ms=since_ms)
    capture = CallCapture(
        state=Capture.NONE if known.running is None else _CAPTURES[known.recordings[known.running]],
        segment=segment,
        stopping=there and (known.stopped_at_ms is not None or policy is None),
        unused_numbers=next_number - number - 1,
        ended_as=ended_status(known.stopped_for) if known.stopped_for else None,
        restart_due=known.changed_at_ms is not None and wiring.segments,
        pauses=known.pauses if there else frozenset(),
    )
    if known.coming is None:
        return capture
    return replace(
        capture, requested_segment=_requested(known, known.coming, capture, policy, clock, now)
    )


def _requested(
    known: ReplayedCall,
    recording: RecordingId,
    capture: CallCapture,
    policy: Policy | None,
    clock: FileClock,
    now: Clock,
) -> Segment:
    """A segment that was asked for: it may have begun while nobody looked, and nobody muted it."""
    requested = _segment(known, recording, segment_of(recording), clock, now)
    slips = requested.slips
    if capture.pauses or capture.stopping:
        slips = (_until_now(_EVER_MS, clock, now, Tracks.BOTH),)
    elif policy is not None and policy.agent_consent is not AgentConsent.NONE:
        slips = (_until_now(_EVER_MS, clock, now, Tracks.OTHERS),)
    return replace(requested, mute=Mute.NONE, slips=slips)


def _number_before(known: ReplayedCall) -> int:
    """The number of the running segment, or of the last one that was not only asked for."""
    if known.running is not None:
        return segment_of(known.running)
    return known.last_number - (known.coming is not None)


def _is_on_demand(policy: Policy | None) -> bool:
    return policy is not None and policy.capture is CaptureFrom.ON_DEMAND


def _segment(
    known: ReplayedCall,
    recording: RecordingId | None,
    number: int,
    clock: FileClock,
    now: Clock,
) -> Segment:
    slips: tuple[UnmutedSpan, ...] = ()
    if recording is not None and recording in known.tainted:
        ago_ms = now.since_ms(known.tainted[recording])
        slips = (_until_now(ago_ms, clock, now, Tracks.OTHERS),)
    return Segment(
        number,
        since_ms=-_EVER_MS,
        others=recording not in known.told_only,
        mute=Mute.ALL if known.pauses else known.mute,
        began=recording is not None and known.recordings[recording] is Left.RUNNING,
        partly_seen=True,
        slips=slips,
    )


def _until_now(ago_ms: int, clock: FileClock, now: Clock, tracks: Tracks) -> UnmutedSpan:
    at_ms = clock.file_ms(now.at_ms)
    return UnmutedSpan(at_ms - ago_ms - SLIP_BEFORE_MS, at_ms + SLIP_AFTER_MS, tracks)


_Taking = Judge | RemoveSpooled | RemoveRecording


def _taking_in(
    known: ReplayedCall, now: Clock, unseen_ms: int, *, but: set[RecordingId | None]
) -> tuple[_Taking, ...]:
    """What to do with each recording that is not dealt with, except for those in ``but``."""
    ended = (one for one in known.recordings.items() if one[0] not in but)
    taking = (_take_in(known, recording, left, now, unseen_ms) for recording, left in ended)
    return tuple(one for one in taking if one is not None)


def _take_in(
    known: ReplayedCall, recording: RecordingId, left: Left, now: Clock, unseen_ms: int
) -> _Taking | None:
    match left:
        case Left.DEALT_WITH if known.erases and recording in known.kept:
            return RemoveRecording(recording)
        case Left.DEALT_WITH:
            return None
        case Left.JUDGED:
            return RemoveSpooled(recording)
        case Left.REQUESTED | Left.RUNNING:
            return Judge(recording, _expected(known, recording, now, unseen_ms))
        case _ as never:
            assert_never(never)


def _expected(known: ReplayedCall, recording: RecordingId, now: Clock, unseen_ms: int) -> Expected:
    """Nobody saw it end, and nobody can tell who was there since we last looked."""
    others = recording not in known.told_only
    blanks = []
    if others:
        ago_ms = unseen_ms
        if recording in known.tainted:
            ago_ms = max(ago_ms, now.since_ms(known.tainted[recording]))
        blanks.append(Blank(ago_ms + SLIP_BEFORE_MS, 0, Tracks.OTHERS))
    if recording in {known.running, known.coming} and known.stopped_at_ms is not None:
        blanks.append(Blank(now.since_ms(known.stopped_at_ms), 0))
    return Expected(None, others=others, blanks=tuple(blanks), asked_unix_ms=now.unix_ms)
