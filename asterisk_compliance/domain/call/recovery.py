"""Calls that were there before this life of the service, or while it looked away.

Rule 17: what was not seen is not taken for granted (``visibility_gaps.py``).
Rule 18: recovery can die at any moment and begin again: what is removed has its row already, and
         everything else can be done twice.

A row is dated by the clock on the wall, a file by its own, which may stand still and never runs
faster. So what came in behind a row lies in that many last milliseconds of the file. Of one that
nobody saw end these are counted from its last write (``Expected.ended``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    CallLimits,
    CallPhase,
    CallStep,
    DialplanWiring,
    Segment,
    UnmutedSpan,
)
from asterisk_compliance.domain.call.transitions.capture import SLIP_AFTER_MS, ended_status
from asterisk_compliance.domain.call.transitions.decision import then
from asterisk_compliance.domain.policy.notice import AgentConsent, CaptureFrom, Policy
from asterisk_compliance.domain.recording.interruption_reasons import StopReason
from asterisk_compliance.domain.recording.verdict import Blank, Capture, Expected, Tracks
from asterisk_compliance.ids import RecordingId, segment_of

_EVER_MS = 10_000_000_000
"""Longer than any call."""

_PLAYBACKS_A_LIFE = 1_000
"""No life uses the numbers of another: what that one plays may still end."""

NOT_SEEN = Decision(Status.NOT_RECORDED, Reason.SERVICE_RESTARTED)


class ClockSetBack(Struct, frozen=True):
    """The clock on the wall was set back.

    Attributes:
        seen_unix_ms: What it showed when somebody saw that: when it was set, or later.
        by_ms: By how much.
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
        set_back: What is known of that, the oldest first.
    """

    at_ms: int
    unix_ms: int
    set_back: tuple[ClockSetBack, ...] = ()

    def from_row(self, seq: int) -> Clock:
        """The same for whoever knows nothing of what was before that row."""
        return replace(self, set_back=tuple(one for one in self.set_back if seq < one.before_seq))

    def since_ms(self, unix_ms: int) -> int:
        """How long ago that was, or longer; ever, if it is still to come.

        What a clock showed that was set back, it showed twice: the first time is meant.
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

    What ran and what was asked for goes on, or goes on to end. Company and bridge are not known
    before they are told.

    Args:
        known: What the log says of it.
        policy: Under which it was decided; ``None`` if nobody knows any more what that said. Then
            its recording ends, since nobody knows what it needs to go on.
        limits: The waits of the settings.
        wiring: What the site has wired.
        now: The moment.
        unseen_ms: How long nobody looked.
    """
    call = _as_it_was(known, policy, limits, wiring, now)
    decided = () if known.decision else (decision_row(NOT_SEEN),)
    row = AppendRow(Kind.CALL_FOLLOWED, {"unseen_ms": unseen_ms})
    taking = _taking_in(known, now, unseen_ms, but={known.running, known.coming})
    call = replace(
        call,
        closing=frozenset(one.recording for one in taking),
        unseen_since_ms=now.at_ms - unseen_ms,
        blind_since_ms=now.at_ms - unseen_ms,
        blind_is_logged=True,
    )
    first = (*decided, row, *_stopped_now(call, known), FollowAgain(), *taking)
    if call.capture_is_open and known.stopped_at_ms is not None:
        call = _not_kept(call, now.since_ms(known.stopped_at_ms), now)
    if policy is None:
        call = _without_policy(call)
    return then(first, _steered_again(call))


def _without_policy(call: Call) -> Call:
    """Its purposes bind what is taken in; nobody looks any more who is there."""
    assert call.decision is not None
    return replace(call, decision=replace(call.decision, status=Status.NOT_RECORDED))


def _stopped_now(call: Call, known: ReplayedCall) -> tuple[Command, ...]:
    """The row of a recording that ends because nobody knows its policy."""
    there = call.capture_is_open or call.coming is not None
    if call.policy is not None or not there or known.stopped_at_ms is not None:
        return ()
    detail = {"recording": call.subject, "reason": StopReason.POLICY_UNKNOWN}
    return AppendRow(Kind.CAPTURE_STOPPED, detail), Announce(Status.NOT_RECORDED)


def _not_kept(call: Call, ago_ms: int, now: Clock) -> Call:
    """Since that long ago, until it has ended."""
    since_ms = call.file_ms(now.at_ms) - ago_ms
    segment = replace(call.segment, slipping_since_ms=since_ms, slipping=Tracks.BOTH)
    return replace(call, segment=segment)


def _steered_again(call: Call) -> CallStep:
    """Say again what Asterisk was told last, as far as it is known."""
    commands: tuple[Command, ...] = ()
    if call.coming is not None:
        cancel = (CancelSegment(),) if call.stopping else ()
        commands = (SetDeadline(Deadline.SEGMENT, call.limits.segment_ms), *cancel)
    if call.stopping:
        return call, (*commands, *((StopCapture(call.recording),) if call.capture_is_open else ()))
    if call.pauses:
        assert call.policy is not None
        commands = (*commands, SetDeadline(Deadline.PAUSE, call.policy.pause_max_ms))
    if call.capture_is_open:
        commands = (SetMute(call.segment.mute), *commands)
    return call, commands


def finish(known: ReplayedCall, *, limits: CallLimits, now: Clock, unseen_ms: int) -> CallStep:
    """Deal with what a call left whose channel is gone; arguments as of :func:`follow_again`."""
    taking = _taking_in(known, now, unseen_ms, but=set())
    over = _over(known, {command.recording for command in taking}, limits, now)
    decided = () if known.decision else (decision_row(NOT_SEEN),)
    ended = AppendRow(
        Kind.CALL_ENDED, {"bridged_ms": None, "observed_late": True, "unseen_ms": unseen_ms}
    )
    rows = (*decided, *(() if known.ended else (ended,)))
    if not taking:
        return replace(over, phase=CallPhase.OVER), (*rows, Forget())
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
    """What a row says to try again by; ``None`` if it must not be, or an older version wrote it.

    Raises:
        ValueError: it says something, and not that.
    """
    said = detail.get("expected")
    return None if said is None else msgspec.json.decode(str(said), type=Expected)


def _over(
    known: ReplayedCall, closing: AbstractSet[RecordingId], limits: CallLimits, now: Clock
) -> Call:
    call = _as_it_was(known, None, limits, DialplanWiring(), now)
    return replace(
        call,
        phase=CallPhase.CLOSING,
        capture=Capture.NONE,
        coming=None,
        closing=frozenset(closing),
    )


_CAPTURES = {Left.REQUESTED: Capture.REQUESTED, Left.RUNNING: Capture.STARTED}


def _as_it_was(
    known: ReplayedCall,
    policy: Policy | None,
    limits: CallLimits,
    wiring: DialplanWiring,
    now: Clock,
) -> Call:
    there = known.running is not None or known.coming is not None
    number = _number_before(known)
    capture = Capture.NONE if known.running is None else _CAPTURES[known.recordings[known.running]]
    next_number = known.last_number + 1 if known.coming is None else segment_of(known.coming)
    call = Call(
        id=known.id,
        channel=known.channel,
        entry=known.entry,
        limits=limits,
        arrived_at_ms=now.at_ms,
        leg=known.leg,
        joins=known.leg is Leg.CALLEE and not known.recordings and not _is_on_demand(policy),
        wiring=wiring,
        phase=CallPhase.DIALPLAN,
        policy=policy,
        wording=policy.wording_for(known.language) if policy else None,
        playbacks=_PLAYBACKS_A_LIFE * (known.lives + 1),
        decision=known.decision or NOT_SEEN,
        capture=capture,
        segment=Segment(number),
        stopping=there and (known.stopped_at_ms is not None or policy is None),
        skipped=next_number - number - 1,
        ended_as=ended_status(known.stopped_for) if known.stopped_for else None,
        kept=known.kept,
        company=Participants(
            covered=known.covered,
            controller=known.controller if wiring.staff_known else known.covered,
            met=known.parties > 1,
        ),
        pauses=known.pauses if there else frozenset(),
        transfer_seen=known.mute is Mute.OTHERS,
        heal_due=known.changed_at_ms is not None and wiring.segments,
        parties=known.parties,
        withdrawn=known.withdrawn,
        erases=known.erases,
    )
    segment = _segment(known, known.running, number, call.file_ms, now)
    if known.changed_at_ms is not None and not wiring.segments:
        since_ms = call.file_ms(now.at_ms) - now.since_ms(known.changed_at_ms)
        segment = replace(segment, doubtful_since_ms=since_ms)
    return replace(call, segment=segment, coming=_coming(known, call, now))


def _number_before(known: ReplayedCall) -> int:
    """Of the running segment, or of the last one that was not only asked for."""
    if known.running is not None:
        return segment_of(known.running)
    return known.last_number - (known.coming is not None)


def _is_on_demand(policy: Policy | None) -> bool:
    return policy is not None and policy.capture is CaptureFrom.ON_DEMAND


def _coming(known: ReplayedCall, call: Call, now: Clock) -> Segment | None:
    """It may have begun while nobody looked, and then nobody muted it."""
    if known.coming is None:
        return None
    coming = _segment(known, known.coming, segment_of(known.coming), call.file_ms, now)
    slips = coming.slips
    if call.pauses or call.stopping:
        slips = (_until_now(_EVER_MS, call.file_ms, now, Tracks.BOTH),)
    elif call.policy is not None and call.policy.agent_consent is not AgentConsent.NONE:
        slips = (_until_now(_EVER_MS, call.file_ms, now, Tracks.OTHERS),)
    return replace(coming, mute=Mute.NONE, slips=slips)


def _segment(
    known: ReplayedCall,
    recording: RecordingId | None,
    number: int,
    file_ms: Callable[[int], int],
    now: Clock,
) -> Segment:
    slips: tuple[UnmutedSpan, ...] = ()
    if recording is not None and recording in known.tainted:
        ago_ms = now.since_ms(known.tainted[recording])
        slips = (_until_now(ago_ms, file_ms, now, Tracks.OTHERS),)
    return Segment(
        number,
        since_ms=-_EVER_MS,
        others=recording not in known.told_only,
        mute=Mute.ALL if known.pauses else known.mute,
        began=recording is not None and known.recordings[recording] is Left.RUNNING,
        partly_seen=True,
        slips=slips,
    )


def _until_now(
    ago_ms: int, file_ms: Callable[[int], int], now: Clock, tracks: Tracks
) -> UnmutedSpan:
    at_ms = file_ms(now.at_ms)
    return UnmutedSpan(at_ms - ago_ms - SLIP_BEFORE_MS, at_ms + SLIP_AFTER_MS, tracks)


_Taking = Judge | RemoveSpooled | RemoveRecording


def _taking_in(
    known: ReplayedCall, now: Clock, unseen_ms: int, *, but: set[RecordingId | None]
) -> tuple[_Taking, ...]:
    """What is to be done with each recording that is not dealt with, ``but`` for those."""
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
    """Nobody saw it end, and who was there since we looked away nobody will ever say."""
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
