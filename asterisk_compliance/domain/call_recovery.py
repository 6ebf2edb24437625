"""Calls that were there before this life of the service, or while it looked away.

Rule 16: what was not seen is not taken for granted. Who is there when we look again, and is not
         covered, may have been there since we looked away: nothing of the others is kept from
         that moment on.
Rule 17: recovery can die at any moment and begin again: a row before what cannot be repeated.
"""

from __future__ import annotations

from dataclasses import replace

from asterisk_compliance.domain.call_notice import Stepped, then
from asterisk_compliance.domain.call_rows import decision_row
from asterisk_compliance.domain.call_state import Call, Limits, Phase, Segment, Slip, Wiring
from asterisk_compliance.domain.commands import (
    AppendRow,
    Command,
    Commit,
    FollowAgain,
    Forget,
    Judge,
    Mute,
    RemoveSpooled,
    SetDeadline,
    SetMute,
    StopCapture,
)
from asterisk_compliance.domain.company import Company
from asterisk_compliance.domain.decision import Decision, Reason, Status
from asterisk_compliance.domain.memory import Left, Remembered
from asterisk_compliance.domain.names import Deadline
from asterisk_compliance.domain.notice import Policy
from asterisk_compliance.domain.recording import Blank, Capture, Expected, Tracks
from asterisk_compliance.domain.rows import Kind
from asterisk_compliance.ids import RecordingId, segment_of

_EVER_MS = 10_000_000_000
"""Longer than any call."""

NOT_SEEN = Decision(Status.NOT_RECORDED, Reason.SERVICE_RESTARTED)


def follow_again(
    known: Remembered,
    policy: Policy | None,
    *,
    limits: Limits,
    wiring: Wiring,
    at_ms: int,
    unseen_ms: int,
) -> Stepped:
    """Follow a call whose channel still lives in the dialplan.

    Args:
        known: What the log says of it.
        policy: Under which it was decided; ``None`` if nobody knows any more what that said.
        limits: The waits of the settings.
        wiring: What the site has wired.
        at_ms: Now.
        unseen_ms: How long nobody looked.
    """
    call = _as_it_was(known, policy, limits, wiring, at_ms)
    decided = () if known.decision else (decision_row(NOT_SEEN),)
    row = AppendRow(Kind.CALL_FOLLOWED, {"unseen_ms": unseen_ms})
    taking = _taking_in(known, running=call.capture_is_open)
    call = replace(
        call,
        closing=frozenset(command.recording for command in taking),
        unseen_since_ms=at_ms - unseen_ms,
    )
    commands: tuple[Command, ...] = (*decided, row, Commit(), FollowAgain(), *taking)
    if not call.capture_is_open:
        return call, commands
    if call.stopping or policy is None:
        stopping = replace(call, stopping=True)
        return stopping, (*commands, StopCapture(call.recording))
    # Says again what Asterisk was told last: if it refuses, MixMonitor does not run any more.
    mute = Mute.ALL if call.pauses else Mute.NONE
    muted = replace(call, segment=replace(call.segment, mute=mute))
    pause = (SetDeadline(Deadline.PAUSE, policy.pause_max_ms),) if call.pauses else ()
    return muted, (*commands, SetMute(mute), *pause)


def finish(known: Remembered, *, limits: Limits, at_ms: int) -> Stepped:
    """Deal with what a call left whose channel is gone."""
    call = _as_it_was(known, None, limits, Wiring(), at_ms)
    taking = _taking_in(known, running=False)
    closing = frozenset(command.recording for command in taking)
    over = replace(call, phase=Phase.CLOSING, capture=Capture.NONE, closing=closing)
    decided = () if known.decision else (decision_row(NOT_SEEN),)
    ended = AppendRow(Kind.CALL_ENDED, {"bridged_ms": None, "observed_late": True})
    rows = (*decided, *(() if known.ended else (ended,)))
    if not taking:
        return replace(over, phase=Phase.OVER), (*rows, Forget())
    return then((*rows, Commit()), (over, taking))


def _as_it_was(
    known: Remembered, policy: Policy | None, limits: Limits, wiring: Wiring, at_ms: int
) -> Call:
    last = known.last
    left = None if last is None else known.recordings[last]
    capture = {Left.REQUESTED: Capture.REQUESTED, Left.RUNNING: Capture.STARTED}
    return Call(
        id=known.id,
        channel=known.channel,
        entry=known.entry,
        limits=limits,
        arrived_at_ms=at_ms,
        leg=known.leg,
        wiring=wiring,
        phase=Phase.DIALPLAN,
        policy=policy,
        wording=policy.wording_for(known.language) if policy else None,
        decision=known.decision or NOT_SEEN,
        capture=Capture.NONE if left is None else capture.get(left, Capture.NONE),
        segment=Segment(
            0 if last is None else segment_of(last),
            since_ms=at_ms,
            others=last not in known.told_only,
            slips=(Slip(at_ms - _EVER_MS, at_ms, Tracks.OTHERS),) if last in known.tainted else (),
            began=left is Left.RUNNING,
            partly_seen=True,
        ),
        stopping=known.stopping,
        kept=known.kept,
        company=Company(covered=known.covered, controller=known.controller, met=True),
        pauses=known.pauses,
        parties=known.parties,
        withdrawn=known.withdrawn,
    )


_Taking = Judge | RemoveSpooled


def _taking_in(known: Remembered, *, running: bool) -> tuple[_Taking, ...]:
    """What is to be done with each recording that is not dealt with, but for the running one."""
    return tuple(
        _take_in(known, recording, left)
        for recording, left in known.recordings.items()
        if left is not Left.DEALT_WITH and not (running and recording == known.last)
    )


def _take_in(known: Remembered, recording: RecordingId, left: Left) -> _Taking:
    if left is Left.JUDGED:
        return RemoveSpooled(recording)
    # Nobody knows when the call ended, so nothing in the file can be dated: all of it goes.
    blanks = (Blank(_EVER_MS, 0, Tracks.OTHERS),) if recording in known.tainted else ()
    others = recording not in known.told_only
    return Judge(recording, Expected(None, others=others, blanks=blanks))
