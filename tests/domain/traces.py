"""Traces of one call: its constants, and what follows from events, in few words."""

from __future__ import annotations

from asterisk_compliance.domain.audit.rows import Actor, Kind
from asterisk_compliance.domain.call import machine as rules
from asterisk_compliance.domain.call.commands import (
    Announce,
    AppendRow,
    CaptureOptions,
    ClearDeadline,
    Command,
    Continue,
    Deadline,
    HandOver,
    Play,
    RemoveSpooled,
    SetDeadline,
    StopCapture,
)
from asterisk_compliance.domain.call.decision import Next, Reason, Status
from asterisk_compliance.domain.call.events import (
    Bridged,
    CallEvent,
    ChannelGone,
    Continued,
    DeadlinePassed,
    DigitReceived,
    FileAppeared,
    FileGrew,
    LeftStasis,
    MixMonitorStarted,
    PlaybackFinished,
    PlaybackStarted,
    RecordingJudged,
    RowsRefused,
    Unbridged,
)
from asterisk_compliance.domain.call.state import Call
from asterisk_compliance.domain.policy.notice import Consent, OnProblem
from asterisk_compliance.domain.recording.interruption_reasons import StopReason
from asterisk_compliance.domain.recording.verdict import (
    AudioDirection,
    CaptureOutcome,
    Length,
    RecordingVerdict,
)
from asterisk_compliance.ids import RecordingId, party_id, playback_id, recording_id
from domain.simulator import ANNOUNCEMENT_MS, CALL, CHANNEL, LIMITS, arrival, policy
from values import replace

PLAYBACK = playback_id(CALL, 1)
RECORDING = recording_id(CALL, 1)
PARTY = party_id(CALL, 1)

STARTED = PlaybackStarted(PLAYBACK, at_ms=10, asterisk_ms=5_000)
HEARD = PlaybackFinished(PLAYBACK, done=True, at_ms=1_010, asterisk_ms=6_000)
FAILED = PlaybackFinished(PLAYBACK, done=False, at_ms=60, asterisk_ms=5_050)
CUT = PlaybackFinished(PLAYBACK, done=True, at_ms=500, asterisk_ms=5_490)
CONTINUED = Continued(at_ms=1_020)
GONE = ChannelGone(at_ms=9_000)
APPEARED = FileAppeared(RECORDING, 1_040)
GREW = FileGrew(RECORDING, 2_500)
NOTICE_IS_LATE = DeadlinePassed(Deadline.NOTICE)
STOP_IS_LATE = DeadlinePassed(Deadline.STOP)
GROWTH_IS_LATE = DeadlinePassed(Deadline.GROWTH)

NO_MORE_WAITING = (
    ClearDeadline(Deadline.NOTICE),
    ClearDeadline(Deadline.GRACE),
    ClearDeadline(Deadline.STOP),
)
TOLD: tuple[CallEvent, ...] = (STARTED, HEARD)
GRACE_IS_OVER = DeadlinePassed(Deadline.GRACE, at_ms=1_300)
TELL_IS_LATE = DeadlinePassed(Deadline.TELL)
ASKED: tuple[CallEvent, ...] = TOLD
"""With a policy that asks: the notice was completed, and a key is waited for."""
IN_DIALPLAN: tuple[CallEvent, ...] = (*TOLD, CONTINUED, LeftStasis())
RECORDED: tuple[CallEvent, ...] = (*IN_DIALPLAN, MixMonitorStarted(1_030), Bridged(2_000), GREW)
CLOSING: tuple[CallEvent, ...] = (*RECORDED, Unbridged(8_000), GONE)

WHOLE = RecordingVerdict(
    CaptureOutcome.CLOSED,
    expected_ms=6_000,
    length_ms=6_100,
    length=Length.OK,
    rx=AudioDirection.HEARD,
    tx=AudioDirection.HEARD,
    sha256="5" * 64,
    rx_sha256="r" * 64,
    tx_sha256="t" * 64,
)
EMPTY = RecordingVerdict(CaptureOutcome.EMPTY, expected_ms=None)
MISSING = RecordingVerdict(CaptureOutcome.MISSING, expected_ms=6_000)
UNJUDGED = RecordingVerdict(CaptureOutcome.UNJUDGED, problem="NOT_PCM")
JUDGED = RecordingJudged(RECORDING, WHOLE)
UNREMOVED = RowsRefused(at_commit=True, undone=(RemoveSpooled(RECORDING),))
"""The row of the verdict could not be stored."""


def arrived(**changed: object) -> Call:
    call, _ = rules.arrive(CALL, arrival(**changed), LIMITS)
    return call


def told(call: Call, *events: CallEvent) -> tuple[Call, tuple[Command, ...]]:
    """The call after ``events``, and the commands that followed from the last of them."""
    commands: tuple[Command, ...] = ()
    for event in events:
        call, commands = rules.step(call, event)
    return call, commands


def anomaly(code: str, **detail: str) -> AppendRow:
    return AppendRow(Kind.ANOMALY, {"code": code, **detail})


def incomplete(reason: Reason, lasted_ms: int = 0) -> tuple[Command, ...]:
    row = AppendRow(Kind.NOTICE_INCOMPLETE, {"reason": reason, "lasted_ms": lasted_ms})
    return (row, *NO_MORE_WAITING)


def refused_row(reason: Reason) -> AppendRow:
    return decided(Status.NOT_RECORDED, reason)


def refused(reason: Reason) -> tuple[Command, ...]:
    """Decided not to record, and on the way back."""
    return refused_row(reason), HandOver(CALL, Status.NOT_RECORDED, reason), Continue()


def key(digit: str, at_ms: int = 500) -> DigitReceived:
    return DigitReceived(digit, at_ms)


def of_recording(kind: Kind, **detail: object) -> AppendRow:
    return AppendRow(kind, {"recording": RECORDING, **detail})  # type: ignore[dict-item]


ALLOWED = HandOver(
    CALL,
    Status.ALLOWED,
    Reason.NOTICE_COMPLETED,
    purposes=("SERVICE",),
    notice="standard/1/ja",
    recording=RECORDING,
    channel=CHANNEL,
    start=True,
    options=CaptureOptions(),
)


def stopped(
    reason: StopReason, said: Status = Status.FAILED, recording: str = RECORDING
) -> tuple[Command, ...]:
    """A running capture is told to stop, and it is said."""
    row = AppendRow(Kind.CAPTURE_STOPPED, {"recording": recording, "reason": reason})
    clear = (ClearDeadline(Deadline.GROWTH), ClearDeadline(Deadline.PAUSE))
    return StopCapture(RecordingId(recording)), row, Announce(said), *clear


def ended(bridged_ms: int) -> tuple[Command, ...]:
    row = AppendRow(Kind.CALL_ENDED, {"bridged_ms": bridged_ms})
    return row, ClearDeadline(Deadline.GROWTH)


# -- a call that is asked ----------------------------------------------------------------------

SECOND, THIRD = playback_id(CALL, 2), playback_id(CALL, 3)
ASKING = [Consent.OPT_OUT, Consent.OPT_IN]
NEXT = {OnProblem.ALTERNATIVE: Next.ALTERNATIVE, OnProblem.END: Next.END}
SAID = {
    OnProblem.TELL: "refused",
    OnProblem.ALTERNATIVE: "required",
    OnProblem.END: "required",
}


def asked(consent: Consent, on_problem: OnProblem = OnProblem.CONTINUE, **changed: object) -> Call:
    return arrived(policy=replace(policy(consent=consent, on_problem=on_problem), **changed))


def consent_row(state: str, actor: Actor) -> AppendRow:
    return AppendRow(Kind.CONSENT, {"state": state}, actor=actor)


def decided(status: Status, reason: Reason) -> AppendRow:
    detail = {"notice": "", "purposes": (), "reason": reason, "status": status, "told_by": ""}
    return AppendRow(Kind.DECISION, detail)


def ended_with(
    reason: Reason, on_problem: OnProblem, said: str | None, *, language: str = "ja", nth: int = 2
) -> tuple[Command, ...]:
    """The decision, its result, and only then what the caller is told."""
    no = reason in {Reason.CONSENT_REFUSED, Reason.CONSENT_NOT_GIVEN}
    status = Status.REFUSED if no else Status.NOT_RECORDED
    result = HandOver(CALL, status, reason, next=NEXT.get(on_problem, Next.CONTINUE))
    if said is None:
        return decided(status, reason), result, Continue()
    return (
        decided(status, reason),
        result,
        Play(playback_id(CALL, nth), f"sound:/prompts/{language}/{said}"),
        SetDeadline(Deadline.TELL, ANNOUNCEMENT_MS + LIMITS.notice_margin_ms),
    )
