"""The life of a call as traces, from its way back into the dialplan to its end."""

from __future__ import annotations

import pytest

from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call.commands import (
    Announce,
    AppendRow,
    ClearDeadline,
    CommandStep,
    CommitCommand,
    Continue,
    Deadline,
    Forget,
    HandOver,
    Judge,
    RemoveSpooled,
    SetDeadline,
)
from asterisk_compliance.domain.call.decision import Status
from asterisk_compliance.domain.call.events import (
    Bridged,
    CallEvent,
    CaptureGoesOn,
    CommandFailed,
    Continued,
    EventsOverflowed,
    HangupRequested,
    LeftStasis,
    MixMonitorStarted,
    RecordingJudged,
    Reentered,
    RowsRefused,
    ServiceStopping,
    SpoolKept,
    SpoolRemoved,
    Unbridged,
)
from asterisk_compliance.domain.call.recovery import expected_of
from asterisk_compliance.domain.call.state import CallPhase
from asterisk_compliance.domain.policy.notice import CaptureFrom
from asterisk_compliance.domain.recording.interruption_reasons import StopReason
from asterisk_compliance.domain.recording.verdict import (
    AudioDirection,
    Blank,
    CaptureOutcome,
    Doubt,
    Expected,
    Length,
    RecordingVerdict,
    Tracks,
)
from domain.simulator import LIMITS, policy
from domain.traces import (
    ALLOWED,
    APPEARED,
    CLOSING,
    CONTINUED,
    EMPTY,
    FAILED,
    GONE,
    GREW,
    GROWTH_IS_LATE,
    HEARD,
    IN_DIALPLAN,
    JUDGED,
    MISSING,
    NOTICE_IS_LATE,
    RECORDED,
    RECORDING,
    STARTED,
    TOLD,
    UNJUDGED,
    UNREMOVED,
    anomaly,
    arrived,
    ended,
    of_recording,
    stopped,
    told,
)
from values import replace


def test_a_released_call_waits_for_its_bridge() -> None:
    call, commands = told(arrived(), *TOLD, CONTINUED)
    assert commands == (AppendRow(Kind.CALL_CONTINUED),)
    assert told(call, LeftStasis())[1] == ()
    call, commands = told(call, Bridged(2_000))
    assert commands == (SetDeadline(Deadline.GROWTH, LIMITS.growth_ms),)
    assert told(call, Unbridged(2_100))[1] == (ClearDeadline(Deadline.GROWTH),)


def test_capture_from_the_notice_on_must_grow_at_once() -> None:
    _, commands = told(arrived(policy=policy(CaptureFrom.NOTICE)), *TOLD, CONTINUED)
    wait = SetDeadline(Deadline.GROWTH, LIMITS.growth_ms)
    assert commands == (AppendRow(Kind.CALL_CONTINUED), wait)


def test_an_unrecorded_call_waits_for_no_audio() -> None:
    call, commands = told(arrived(), STARTED, FAILED, CONTINUED, Bridged(2_000))
    assert commands == ()
    for event in (MixMonitorStarted(1_030), APPEARED, GREW, GROWTH_IS_LATE):
        assert told(call, event) == (call, ())
    assert told(call, EventsOverflowed())[1] == ()


@pytest.mark.parametrize("step", [CommandStep.HAND_OVER, CommandStep.CONTINUE])
def test_a_release_that_asterisk_refuses(step: CommandStep) -> None:
    call, commands = told(arrived(), *TOLD, CommandFailed(step))
    assert commands == (anomaly("CONTINUE_REFUSED", step=step),)
    assert call.phase is CallPhase.DIALPLAN


def test_a_release_that_came_too_late_for_a_caller_who_hangs_up_is_no_anomaly() -> None:
    call, commands = told(arrived(), *TOLD, HangupRequested(), CommandFailed(CommandStep.CONTINUE))
    assert commands == ()
    assert call.phase is CallPhase.DIALPLAN


def test_an_answer_that_failed_late_means_nothing() -> None:
    call, _ = told(arrived(), *TOLD)
    assert told(call, CommandFailed(CommandStep.ANSWER)) == (call, ())


def test_a_channel_that_comes_back_before_it_left_is_told_again() -> None:
    _, commands = told(arrived(), *TOLD, Reentered())
    assert commands == (ALLOWED, Continue())


def test_a_recording_that_was_stopped_meanwhile_is_not_started_by_coming_back() -> None:
    _, commands = told(arrived(), *TOLD, RowsRefused(), Reentered())
    standing = replace(ALLOWED, status=Status.FAILED, start=False, options=None)
    assert commands == (AppendRow(Kind.CALL_REENTERED), standing, Continue())


@pytest.mark.parametrize(
    ("so_far", "status"),
    [
        (IN_DIALPLAN, Status.ALLOWED),
        (RECORDED, Status.RECORDING),
        ((*IN_DIALPLAN, Bridged(2_000), GROWTH_IS_LATE), Status.FAILED),
    ],
)
def test_the_standing_decision_starts_no_second_capture(
    so_far: tuple[CallEvent, ...], status: Status
) -> None:
    _, commands = told(arrived(), *so_far, Reentered())
    standing = replace(ALLOWED, status=status, start=False, options=None)
    assert commands == (AppendRow(Kind.CALL_REENTERED), standing, Continue())


def test_asterisk_starts_the_recording_and_it_grows() -> None:
    call, commands = told(arrived(), *IN_DIALPLAN, MixMonitorStarted(1_030))
    assert commands == (of_recording(Kind.RECORDING_STARTED, evidence="mixmonitor_start"),)
    assert told(call, APPEARED) == (call, ())
    call, commands = told(call, GREW)
    assert commands == (
        of_recording(Kind.RECORDING_GROWING),
        ClearDeadline(Deadline.GROWTH),
        Announce(Status.RECORDING),
    )
    assert told(call, GREW) == (call, ())
    assert told(call, GROWTH_IS_LATE) == (call, ())


def test_a_file_proves_a_recording_that_nobody_announced() -> None:
    started = of_recording(Kind.RECORDING_STARTED, evidence="file")
    call, commands = told(arrived(), *IN_DIALPLAN, APPEARED)
    assert commands == (started,)
    call, commands = told(call, MixMonitorStarted(1_050))
    assert commands == (), "AMI was only later"
    assert told(call, MixMonitorStarted(1_060)) == (call, ())
    _, commands = told(arrived(), *IN_DIALPLAN, GREW)
    assert commands[:2] == (started, of_recording(Kind.RECORDING_GROWING))


def test_a_recording_that_does_not_grow_is_said_and_may_still_come() -> None:
    call, commands = told(arrived(), *IN_DIALPLAN, Bridged(2_000), GROWTH_IS_LATE)
    assert commands == (of_recording(Kind.RECORDING_STALLED), Announce(Status.FAILED))
    assert told(call, GREW)[1][-1] == Announce(Status.RECORDING)


def test_events_that_overflow_stop_the_capture() -> None:
    _, commands = told(arrived(), *RECORDED, EventsOverflowed())
    assert commands == (anomaly("EVENTS_OVERFLOWED"), *stopped(StopReason.EVENTS_OVERFLOWED))


def test_a_store_that_fails_stops_the_capture() -> None:
    call, commands = told(arrived(), *RECORDED, RowsRefused())
    assert commands == (anomaly("STORE_FAILED"), *stopped(StopReason.STORE_FAILED))
    assert told(call, RowsRefused()) == (call, ())
    _, commands = told(arrived(), STARTED, FAILED, CONTINUED, RowsRefused())
    assert commands == (anomaly("STORE_FAILED"),)


def test_a_notice_that_ended_long_ago_means_nothing() -> None:
    call, _ = told(arrived(), *RECORDED)
    for event in (STARTED, HEARD, NOTICE_IS_LATE, ServiceStopping(), JUDGED):
        assert told(call, event) == (call, ())


def test_the_end_of_an_unrecorded_call() -> None:
    call, commands = told(arrived(), STARTED, FAILED, CONTINUED, LeftStasis(), GONE)
    assert commands == (*ended(0), Forget())
    assert call.phase is CallPhase.OVER
    assert told(call, GONE, GREW, JUDGED, RowsRefused()) == (call, ())


def test_the_time_in_bridges_is_what_must_have_been_recorded() -> None:
    spans = (Bridged(2_000), Bridged(2_500), Unbridged(3_000), Unbridged(3_500), Bridged(5_000))
    _, commands = told(arrived(), *IN_DIALPLAN, *spans, GONE)
    assert commands == (*ended(5_000), Judge(RECORDING, Expected(5_000)))


def test_bridges_are_counted_however_early_they_are_told() -> None:
    _, commands = told(arrived(), STARTED, Bridged(500), Unbridged(600), HEARD, GONE)
    assert commands == (*ended(100), Judge(RECORDING, Expected(100)))


def test_nobody_told_of_bridges() -> None:
    _, commands = told(arrived(), *IN_DIALPLAN, GONE)
    assert commands == (*ended(0), Judge(RECORDING, Expected(None)))


@pytest.mark.parametrize(
    ("so_far", "expected_ms"),
    [
        (TOLD, None),
        (IN_DIALPLAN, 9_000 - 1_020),
        ((*IN_DIALPLAN, Reentered(), Continued(5_000)), 9_000 - 1_020),
    ],
    ids=["never released", "released", "came a second time"],
)
def test_capture_from_the_notice_on_lasts_from_the_release(
    so_far: tuple[CallEvent, ...], expected_ms: int | None
) -> None:
    _, commands = told(arrived(policy=policy(CaptureFrom.NOTICE)), *so_far, GONE)
    assert commands[-1] == Judge(RECORDING, Expected(expected_ms))


def test_a_closed_recording_leaves_the_spool_behind_its_row() -> None:
    call, commands = told(arrived(), *CLOSING, JUDGED)
    assert commands == (
        of_recording(
            Kind.RECORDING_CLOSED,
            blanked_ms=0,
            encryption="off",
            expected_ms=6_000,
            header_closed=True,
            length=Length.OK,
            length_ms=6_100,
            lost_ms=0,
            purposes=("SERVICE",),
            rx=AudioDirection.HEARD,
            rx_sha256="r" * 64,
            sha256="5" * 64,
            tx=AudioDirection.HEARD,
            tx_sha256="t" * 64,
            whole=True,
        ),
        CommitCommand(),
        RemoveSpooled(RECORDING),
    )
    call, commands = told(call, SpoolRemoved(RECORDING, 2))
    assert commands == (of_recording(Kind.SPOOL_REMOVED, files=2), Forget())
    assert call.phase is CallPhase.OVER


def test_an_empty_recording_leaves_the_spool_too() -> None:
    _, commands = told(arrived(), *CLOSING, RecordingJudged(RECORDING, EMPTY))
    row = of_recording(Kind.RECORDING_EMPTY, expected_ms=None, length=Length.UNKNOWN)
    assert commands == (row, CommitCommand(), RemoveSpooled(RECORDING))


def test_a_missing_recording_is_said() -> None:
    call, commands = told(arrived(), *CLOSING, RecordingJudged(RECORDING, MISSING))
    assert commands == (of_recording(Kind.RECORDING_MISSING, expected_ms=6_000), Forget())
    assert call.phase is CallPhase.OVER


def test_what_cannot_be_judged_stays_where_it_is() -> None:
    call, commands = told(arrived(), *CLOSING, RecordingJudged(RECORDING, UNJUDGED))
    unjudged = of_recording(Kind.RECORDING_UNJUDGED, expected=None, problem="NOT_PCM")
    assert commands == (unjudged, Forget())
    assert call.phase is CallPhase.OVER


def test_what_it_is_to_be_judged_by_again_stands_in_its_row() -> None:
    """The next life reads it out of there, and judges by just that."""
    expected = Expected(
        9_000, blanks=(Blank(700, 200, Tracks.OTHERS),), doubts=(Doubt(50, 0),), asked_unix_ms=7
    )
    verdict = RecordingVerdict(CaptureOutcome.UNJUDGED, problem="DISK", again=expected)
    _, commands = told(arrived(), *CLOSING, RecordingJudged(RECORDING, verdict))
    (row,) = (one for one in commands if isinstance(one, AppendRow))
    assert row.kind is Kind.RECORDING_UNJUDGED
    assert expected_of(row.detail) == expected


def test_a_spool_that_cannot_be_emptied_is_said() -> None:
    call, commands = told(arrived(), *CLOSING, JUDGED, SpoolKept(RECORDING))
    assert commands == (anomaly("SPOOL_NOT_REMOVED", recording=RECORDING), Forget())
    assert call.phase is CallPhase.OVER


def test_a_channel_ends_once() -> None:
    call, _ = told(arrived(), *CLOSING)
    for event in (GONE, GREW, Bridged(9_000), Reentered(), EventsOverflowed()):
        assert told(call, event) == (call, ())


@pytest.mark.parametrize("so_far", [CLOSING, (*RECORDED, RowsRefused(), GONE)])
def test_files_stay_when_their_row_cannot_be_stored(so_far: tuple[CallEvent, ...]) -> None:
    """Also when the store failed before: the call must come to its end."""
    call, commands = told(arrived(), *so_far, JUDGED, UNREMOVED)
    assert commands == (anomaly("STORE_FAILED"), Forget())
    assert call.phase is CallPhase.OVER


def test_a_row_lost_while_the_recording_closes_is_said_and_the_judgement_waited_for() -> None:
    call, commands = told(arrived(), *CLOSING, RowsRefused())
    assert commands == (anomaly("STORE_FAILED"),)
    assert told(call, RowsRefused()) == (call, ())
    _, commands = told(call, JUDGED)
    assert commands[1:] == (CommitCommand(), RemoveSpooled(RECORDING))


def test_what_was_stopped_is_not_called_a_recording() -> None:
    """Stopping flushes Asterisk's buffer: the file grows once more."""
    call, _ = told(arrived(), *IN_DIALPLAN, APPEARED, EventsOverflowed())
    assert told(call, GREW) == (call, ())
    _, commands = told(call, Reentered())
    standing = next(command for command in commands if isinstance(command, HandOver))
    assert standing.status is Status.FAILED


def test_a_recording_that_cannot_be_stopped_is_said() -> None:
    _, commands = told(arrived(), *RECORDED, RowsRefused(), CaptureGoesOn(RECORDING))
    assert commands == (anomaly("CAPTURE_NOT_STOPPED", recording=RECORDING),)
