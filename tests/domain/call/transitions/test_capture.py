"""The recording of a call in mid-call, as traces: muted, begun anew, stopped, judged, taken in."""

from __future__ import annotations

import pytest

from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call.commands import (
    Announce,
    AppendRow,
    CancelSegment,
    ClearDeadline,
    CommitCommand,
    Deadline,
    Forget,
    Judge,
    Mute,
    RemoveSpooled,
    SetDeadline,
    SetMute,
    StopCapture,
)
from asterisk_compliance.domain.call.decision import Status
from asterisk_compliance.domain.call.events import (
    CallEvent,
    CaptureGoesOn,
    CaptureStopped,
    FileAppeared,
    MixMonitorStarted,
    MuteChanged,
    PauseAsked,
    RecordingJudged,
    RowsRefused,
    SegmentRefused,
    SpoolRemoved,
    StopAsked,
)
from asterisk_compliance.domain.call.transitions.capture import SLIP_AFTER_MS
from asterisk_compliance.domain.policy.notice import CaptureFrom, OnJoin
from asterisk_compliance.domain.recording.interruption_reasons import StopReason
from asterisk_compliance.domain.recording.verdict import Doubt, Expected, Tracks
from asterisk_compliance.ids import recording_id
from domain.call_builder import with_segment
from domain.leg_traces import (
    AGENT,
    BRIDGED,
    MET,
    NEXT_RECORDING,
    OTHER,
    PAUSE,
    RESUME,
    SEGMENT_IS_LATE,
    SHOWN,
    START,
    THIRD,
    begins,
    blank,
    company,
    grew,
    joined,
    muted_others,
    on_demand,
    row,
    with_agent,
)
from domain.simulator import CALL, LIMITS, policy
from domain.traces import (
    GONE,
    IN_DIALPLAN,
    RECORDED,
    RECORDING,
    WHOLE,
    arrived,
    ended,
    stopped,
    told,
)
from values import replace

TRANSFERRED = company(3_000, OTHER)
"""On whoever is kept without being told: a new segment is asked for at once."""
BEGAN = MixMonitorStarted(3_200)
APPEARED_LATE = FileAppeared(NEXT_RECORDING, 5_000)
PAUSED_OTHERS = MuteChanged(Mute.OTHERS, 3_010)
MUTED = MuteChanged(Mute.ALL, 3_010)
STOP = StopAsked(4_000)


def transferred(*events: CallEvent, **changed: object):
    """A company that is kept as it comes has changed, and a new segment is coming."""
    return with_agent(TRANSFERRED, *events, on_join=OnJoin.CONTINUE, **changed)


def judged_at_the_end(so_far: tuple[CallEvent, ...]) -> Expected:
    _, commands = told(arrived(), *so_far, GONE)
    (judge,) = [command for command in commands if isinstance(command, Judge)]
    return judge.expected


# -- what must not be kept is muted, and blanked until that holds --------------------------------


def test_what_came_in_until_asterisk_muted_is_blanked() -> None:
    so_far = (*RECORDED, PAUSE, MUTED, RESUME, MuteChanged(Mute.NONE, 6_010))
    slip = blank(1_000, 1_010, of_ms=7_000, tracks=Tracks.BOTH)
    assert judged_at_the_end(so_far) == Expected(7_000, blanks=(slip,))


def test_a_mute_that_was_not_answered_blanks_all_that_follows() -> None:
    slip = blank(1_000, of_ms=7_000, tracks=Tracks.BOTH)
    assert judged_at_the_end((*RECORDED, PAUSE)) == Expected(7_000, blanks=(slip,))


def test_a_mute_that_is_answered_after_the_resume_blanks_until_then() -> None:
    so_far = (*RECORDED, PAUSE, RESUME, MuteChanged(Mute.ALL, 6_100))
    slip = blank(1_000, 4_100, of_ms=7_000, tracks=Tracks.BOTH)
    assert judged_at_the_end(so_far) == Expected(7_000, blanks=(slip,))


def test_a_weaker_mute_than_the_one_that_is_wanted_settles_nothing() -> None:
    """Somebody came, and before Asterisk answered somebody paused."""
    paused = PauseAsked("CARD", 3_050)
    call, _ = with_agent(company(3_000, AGENT, OTHER), paused)
    assert told(call, PAUSED_OTHERS) == (call, ())
    _, commands = told(call, MuteChanged(Mute.ALL, 3_060), GONE)
    slip = blank(1_000, 1_060, of_ms=7_000, tracks=Tracks.BOTH)
    assert commands[-1] == Judge(RECORDING, Expected(7_000, blanks=(slip,)))


def test_time_outside_a_bridge_is_not_in_the_file() -> None:
    call, _ = with_agent(PAUSE, MUTED)
    assert call.capture.segment.slips[0].to_ms == 1_010 + SLIP_AFTER_MS
    kept = arrived(policy=policy(CaptureFrom.NOTICE))
    call, _ = told(kept, *RECORDED, PAUSE, MUTED)
    assert call.capture.segment.slips[0].to_ms == 3_010 + SLIP_AFTER_MS, "where all is kept"


# -- before Asterisk said that it runs -----------------------------------------------------------

UNSEEN: tuple[CallEvent, ...] = (*IN_DIALPLAN, BRIDGED)
STARTED_ROW = row(Kind.RECORDING_STARTED, evidence="mixmonitor_start")


def test_a_pause_before_the_recording_runs_takes_hold_when_it_does() -> None:
    call, commands = told(arrived(), *UNSEEN, PAUSE)
    assert commands == (
        row(Kind.CAPTURE_PAUSED, actor="agent", reason="CARD", mute="all"),
        SetDeadline(Deadline.PAUSE, 600_000),
        Announce(Status.PAUSED),
    )
    call, commands = told(call, MixMonitorStarted(3_500))
    assert commands == (STARTED_ROW, SetMute(Mute.ALL))
    _, commands = told(call, MuteChanged(Mute.ALL, 3_510), GONE)
    slip = blank(1_000, 1_510, of_ms=7_000, tracks=Tracks.BOTH)
    assert commands[-1] == Judge(RECORDING, Expected(7_000, blanks=(slip,)))


def test_a_pause_that_ended_before_the_recording_was_seen_is_blanked_as_well() -> None:
    call, commands = told(arrived(), *UNSEEN, PAUSE, RESUME)
    assert commands == (
        row(Kind.CAPTURE_RESUMED, actor="agent", mute="none"),
        ClearDeadline(Deadline.PAUSE),
        CommitCommand(),
        Announce(Status.ALLOWED),
    )
    call, commands = told(call, MixMonitorStarted(6_500))
    assert commands == (STARTED_ROW,)
    slip = blank(1_000, 4_000, of_ms=7_000, tracks=Tracks.BOTH)
    assert told(call, GONE)[1][-1] == Judge(RECORDING, Expected(7_000, blanks=(slip,)))


@pytest.mark.parametrize("evidence", [MixMonitorStarted(3_500), FileAppeared(RECORDING, 3_500)])
def test_a_pause_holds_in_a_recording_that_seemed_to_have_failed(evidence: CallEvent) -> None:
    late = (replace(SEGMENT_IS_LATE, deadline=Deadline.GROWTH), PAUSE)
    call, commands = told(arrived(), *UNSEEN, *late, evidence)
    assert commands[1:] == (SetMute(Mute.ALL),)
    assert told(call, MuteChanged(Mute.ALL, 3_600), grew(RECORDING, 4_000))[1] == (
        row(Kind.RECORDING_GROWING),
        ClearDeadline(Deadline.GROWTH),
    ), "nobody is told that it records while it is paused"


def test_who_is_there_uncovered_when_a_recording_begins_is_muted_from_its_first_sample_on() -> None:
    call, _ = told(arrived(), *UNSEEN, MET, company(2_500, AGENT, OTHER))
    call, commands = told(call, MixMonitorStarted(2_600))
    assert commands == (STARTED_ROW, SetMute(Mute.OTHERS), muted_others("JOINED"))
    assert call.capture.segment.slipping_since_ms == 500, "since he was seen"
    unseen = with_segment(call, began=False, slipping_since_ms=None, mute=Mute.NONE)
    again, _ = told(unseen, MixMonitorStarted(2_600))
    assert again.capture.segment.slipping_since_ms == 0, "or from its beginning"


def test_a_slip_of_both_directions_stays_one_while_somebody_uncovered_is_there() -> None:
    paused = (MET, PAUSE, company(3_500, AGENT, OTHER), RESUME)
    call, _ = told(arrived(), *UNSEEN, *paused, MixMonitorStarted(6_500))
    _, commands = told(call, MuteChanged(Mute.OTHERS, 6_510), GONE)
    slip = blank(1_000, 4_510, of_ms=7_000, tracks=Tracks.BOTH)
    assert commands[-1] == Judge(RECORDING, Expected(7_000, blanks=(slip,)))


# -- a new segment -------------------------------------------------------------------------------


def test_a_new_segment_takes_the_place_of_the_old_one() -> None:
    call, commands = transferred()
    assert commands == (joined(OTHER, "accepted", 3), SHOWN, *begins())
    assert told(call, grew(RECORDING, 3_100)) == (call, ()), "the old one still runs"
    call, commands = told(call, BEGAN)
    assert commands == (
        ClearDeadline(Deadline.SEGMENT),
        Judge(RECORDING, Expected(1_200)),
        row(Kind.RECORDING_STARTED, NEXT_RECORDING, evidence="mixmonitor_start"),
        SetDeadline(Deadline.GROWTH, LIMITS.growth_ms),
    )
    call, commands = told(call, grew(NEXT_RECORDING, 3_400))
    assert commands[-1] == Announce(Status.RECORDING)
    assert told(call, GONE)[1] == (*ended(7_000), Judge(NEXT_RECORDING, Expected(5_800)))


def test_the_file_of_a_new_segment_proves_it_as_well() -> None:
    _, commands = transferred(FileAppeared(NEXT_RECORDING, 3_200))
    assert row(Kind.RECORDING_STARTED, NEXT_RECORDING, evidence="file") in commands


def test_a_new_segment_outside_a_bridge_waits_for_audio_when_there_is_a_bridge() -> None:
    call, _ = transferred()
    _, commands = told(
        replace(call, file_clock=replace(call.file_clock, bridged_at_ms=None)), BEGAN
    )
    assert SetDeadline(Deadline.GROWTH, LIMITS.growth_ms) not in commands


def test_a_pause_while_a_segment_comes_holds_in_both() -> None:
    call, commands = transferred(PauseAsked("CARD", 3_100))
    assert commands[0] == SetMute(Mute.ALL)
    call, commands = told(call, BEGAN)
    slip = blank(1_100, of_ms=1_200, tracks=Tracks.BOTH)
    assert commands[1] == Judge(RECORDING, Expected(1_200, blanks=(slip,)))
    assert SetMute(Mute.ALL) in commands
    _, commands = told(call, GONE)
    from_its_beginning = blank(0, of_ms=5_800, tracks=Tracks.BOTH)
    assert commands[-1] == Judge(NEXT_RECORDING, Expected(5_800, blanks=(from_its_beginning,)))


def test_a_resume_while_a_segment_comes_stands_behind_its_row() -> None:
    call, commands = transferred(PauseAsked("CARD", 3_050), MUTED, replace(RESUME, at_ms=3_100))
    assert commands == (
        row(Kind.CAPTURE_RESUMED, actor="agent", mute="none"),
        ClearDeadline(Deadline.PAUSE),
        CommitCommand(),
        Announce(Status.RECORDING),
    ), "the old one stays muted until the new one runs"
    assert SetMute(Mute.ALL) not in told(call, BEGAN)[1]


def test_another_transfer_while_a_segment_comes_begins_once_more() -> None:
    call, commands = transferred(company(3_100, THIRD))
    assert commands == (joined(THIRD, "accepted", 4), SHOWN)
    _, commands = told(call, BEGAN)
    assert commands[-5:-1] == begins(recording_id(CALL, 3))


@pytest.mark.parametrize(
    "failed", [SEGMENT_IS_LATE, SegmentRefused(NEXT_RECORDING, SEGMENT_IS_LATE.at_ms)]
)
def test_a_segment_that_does_not_begin_leaves_the_old_one_running(failed: CallEvent) -> None:
    call, commands = transferred(failed)
    assert commands == (
        row(Kind.RECORDING_MISSING, NEXT_RECORDING, expected_ms=0),
        CancelSegment(),
        ClearDeadline(Deadline.SEGMENT),
    )
    assert told(call, failed) == (call, ())
    _, commands = told(call, company(6_000, AGENT, OTHER), GONE)
    doubt = Doubt(7_000 - 2_800, 0)
    assert commands[-1] == Judge(RECORDING, Expected(7_000, doubts=(doubt,)))


def test_what_was_muted_for_a_segment_that_does_not_begin_is_unmuted_behind_a_row() -> None:
    _, commands = transferred(
        PauseAsked("CARD", 3_050), MUTED, replace(RESUME, at_ms=3_100), SEGMENT_IS_LATE
    )
    assert commands[-3:] == (
        row(Kind.CAPTURE_RESUMED, mute="none"),
        CommitCommand(),
        SetMute(Mute.NONE),
    )


def test_a_segment_that_begins_after_all_takes_its_place() -> None:
    call, commands = transferred(SEGMENT_IS_LATE, APPEARED_LATE)
    assert Judge(RECORDING, Expected(3_000, doubts=(Doubt(200, 0),))) in commands
    assert call.recording == NEXT_RECORDING
    assert told(call, APPEARED_LATE) == (call, ())


# -- the end of a capture ------------------------------------------------------------------------


def test_a_stopped_recording_is_judged_when_asterisk_confirmed_it() -> None:
    call, commands = with_agent(STOP)
    asked = AppendRow(Kind.CAPTURE_ASKED, {"what": "stop"}, actor="agent")
    assert commands == (asked, *stopped(StopReason.ASKED, Status.NOT_RECORDED))
    call, commands = told(call, CaptureStopped(RECORDING, 4_020))
    after = blank(2_000, of_ms=2_020, tracks=Tracks.BOTH)
    assert commands == (Judge(RECORDING, Expected(2_020, blanks=(after,))),)
    assert (call.capture.stopping, call.capture.is_open) == (False, False)
    assert told(call, CaptureStopped(RECORDING, 4_030)) == (call, ())
    call, commands = told(call, RecordingJudged(RECORDING, WHOLE))
    assert commands[-2:] == (CommitCommand(), RemoveSpooled(RECORDING))
    call, commands = told(call, SpoolRemoved(RECORDING, 2))
    assert commands == (row(Kind.SPOOL_REMOVED, files=2),)
    assert told(call, GONE)[1] == (*ended(7_000), Forget())


def test_nothing_is_kept_of_a_recording_that_goes_on_after_it_was_stopped() -> None:
    call, _ = with_agent(STOP, CaptureGoesOn(RECORDING), MuteChanged(Mute.ALL, 4_100))
    after = blank(2_000, of_ms=7_000, tracks=Tracks.BOTH)
    assert told(call, GONE)[1][-1] == Judge(RECORDING, Expected(7_000, blanks=(after,)))


def test_who_comes_while_a_recording_cannot_be_stopped_is_not_kept() -> None:
    """Whatever came in before was covered: the store failed, not a party's cover."""
    call, commands = with_agent(RowsRefused(), CaptureGoesOn(RECORDING), company(5_000, OTHER))
    shown = Announce(Status.FAILED)
    assert commands == (joined(OTHER, "unknown", 3), shown), "nothing can be asked of it any more"
    call, _ = told(call, company(6_000, AGENT))
    newcomer = blank(3_000, of_ms=7_000)
    assert told(call, GONE)[1][-1] == Judge(RECORDING, Expected(7_000, blanks=(newcomer,)))


def test_a_recording_that_begins_after_it_was_stopped_is_stopped_again() -> None:
    call, _ = told(arrived(), *UNSEEN, StopAsked(2_500), CaptureGoesOn(RECORDING))
    call, commands = told(call, MixMonitorStarted(2_600))
    assert commands == (STARTED_ROW, StopCapture(RECORDING))
    _, commands = told(call, CaptureStopped(RECORDING, 2_620))
    nothing = blank(500, of_ms=620, tracks=Tracks.BOTH)
    assert commands == (Judge(RECORDING, Expected(620, blanks=(nothing,))),)


def test_a_stop_while_a_segment_comes_ends_both() -> None:
    call, commands = transferred(StopAsked(3_100))
    stop, *rest = stopped(StopReason.ASKED, Status.NOT_RECORDED)
    assert commands[1:] == (CancelSegment(), stop, *rest)
    call, commands = told(call, CaptureStopped(RECORDING, 3_120))
    assert [type(command) for command in commands] == [Judge]
    assert call.capture.stopping, "the new one may begin yet"
    call, commands = told(call, SEGMENT_IS_LATE)
    assert row(Kind.RECORDING_MISSING, NEXT_RECORDING, expected_ms=0) in commands
    assert (call.capture.stopping, call.capture.is_wanted) == (False, False)


@pytest.mark.parametrize("old", [(), (CaptureStopped(RECORDING, 3_120),)])
@pytest.mark.parametrize(
    "begins_late", [(BEGAN,), (SEGMENT_IS_LATE, APPEARED_LATE)], ids=["in time", "later"]
)
def test_a_segment_that_begins_after_the_stop_is_stopped_and_nothing_of_it_kept(
    old: tuple[CallEvent, ...], begins_late: tuple[CallEvent, ...]
) -> None:
    call, commands = transferred(StopAsked(3_100), *old, *begins_late)
    assert commands[-1] == StopCapture(NEXT_RECORDING)
    assert len([c for c in commands if isinstance(c, Judge)]) == (0 if old else 1)
    call, (judge,) = told(call, CaptureStopped(NEXT_RECORDING, 6_000))
    assert isinstance(judge, Judge)
    length_ms = judge.expected.length_ms
    assert length_ms is not None
    assert judge.expected.blanks == (blank(0, of_ms=length_ms, tracks=Tracks.BOTH),)
    assert not call.capture.is_wanted


def test_the_call_ends_while_a_segment_comes() -> None:
    """It may have begun: the files will tell. Nothing of it is kept that was not to be."""
    nothing_yet = Judge(NEXT_RECORDING, Expected(0))
    _, commands = transferred(GONE)
    assert commands == (*ended(7_000), Judge(RECORDING, Expected(7_000)), nothing_yet)
    _, commands = transferred(PauseAsked("CARD", 3_100), GONE)
    nothing = blank(0, of_ms=0, tracks=Tracks.BOTH)
    assert commands[-1] == Judge(NEXT_RECORDING, Expected(0, blanks=(nothing,)))
    _, commands = on_demand(START, StopAsked(3_100), GONE)
    assert commands[-1] == Judge(RECORDING, Expected(0, blanks=(nothing,)))


# -- taken in ------------------------------------------------------------------------------------


def test_every_segment_is_taken_in_before_the_call_is_forgotten() -> None:
    call, _ = transferred(BEGAN, RecordingJudged(RECORDING, WHOLE), GONE)
    assert call.recordings.pending == {RECORDING, NEXT_RECORDING}
    call, commands = told(call, SpoolRemoved(RECORDING, 2))
    assert commands == (row(Kind.SPOOL_REMOVED, files=2),)
    call, _ = told(call, RecordingJudged(NEXT_RECORDING, WHOLE))
    _, commands = told(call, SpoolRemoved(NEXT_RECORDING, 2))
    assert commands == (row(Kind.SPOOL_REMOVED, NEXT_RECORDING, files=2), Forget())


def test_what_was_lost_is_said() -> None:
    lost = replace(WHOLE, lost=((1_000, 2_500), (4_000, 6_000)))
    _, commands = transferred(BEGAN, RecordingJudged(RECORDING, lost))
    assert commands[1:3] == (
        row(Kind.AUDIO_LOST, from_ms=1_000, to_ms=2_500),
        row(Kind.AUDIO_LOST, from_ms=4_000, to_ms=6_000),
    )
