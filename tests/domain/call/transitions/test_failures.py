"""When the recorder or the store fails in mid-call, as traces: what stops, and what is said."""

from __future__ import annotations

import pytest

from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call.commands import (
    Announce,
    AppendRow,
    CancelSegment,
    ClearDeadline,
    Command,
    CommandStep,
    CommitCommand,
    Continue,
    Deadline,
    Forget,
    HandOver,
    HangUp,
    Judge,
    Mute,
    Redirect,
    RemoveRecording,
    RemoveSpooled,
    SetMute,
    StartSegment,
    StopCapture,
)
from asterisk_compliance.domain.call.decision import Next, Reason, Status
from asterisk_compliance.domain.call.events import (
    CallEvent,
    CaptureStopped,
    CommandFailed,
    EventsOverflowed,
    FileAppeared,
    HangupRequested,
    MixMonitorStarted,
    MuteChanged,
    MuteRefused,
    PauseAsked,
    PlaybackFinished,
    RecordingJudged,
    Reentered,
    RowsRefused,
    SpoolRemoved,
    WithdrawalAsked,
)
from asterisk_compliance.domain.call.state import CallPhase
from asterisk_compliance.domain.policy.notice import OnJoin, OnProblem, OnWithdrawal
from asterisk_compliance.domain.recording.interruption_reasons import StopReason
from asterisk_compliance.domain.recording.verdict import Expected, Tracks
from asterisk_compliance.ids import playback_id
from domain.leg_traces import (
    AGENT,
    CALLER,
    NEXT_RECORDING,
    OTHER,
    PAUSE,
    RESUME,
    SEGMENT_IS_LATE,
    START,
    WHISPER_ENDS,
    blank,
    company,
    on_demand,
    row,
    whisper,
    whispered,
    with_agent,
)
from domain.simulator import CALL, CHANNEL
from domain.traces import (
    CONTINUED,
    GONE,
    GROWTH_IS_LATE,
    IN_DIALPLAN,
    RECORDING,
    TOLD,
    WHOLE,
    anomaly,
    arrived,
    asked,
    decided,
    stopped,
    told,
)

DIVERTED = {
    OnProblem.ALTERNATIVE: (AppendRow(Kind.CALL_DIVERTED, {"to": "alternative"}), Redirect()),
    OnProblem.END: (AppendRow(Kind.CALL_DIVERTED, {"to": "end"}), HangUp()),
}
SAID = {
    OnProblem.CONTINUE: None,
    OnProblem.TELL: "not-recorded",
    OnProblem.ALTERNATIVE: "required",
    OnProblem.END: "required",
}
MUTED = MuteChanged(Mute.ALL, 3_010)
UNMUTE_REFUSED = MuteRefused(Mute.NONE, 6_010)


def said(on_failure: OnProblem, nth: int = 2) -> tuple[Command, ...]:
    kind = SAID[on_failure]
    return whisper(CHANNEL, nth, kind) if kind else ()


def refused(*undone: Command) -> RowsRefused:
    return RowsRefused(at_commit=True, undone=undone)


# -- the recorder ----------------------------------------------------------------------------------

FAILURES: dict[str, tuple[tuple[CallEvent, ...], tuple[AppendRow, ...], StopReason]] = {
    "the store": ((RowsRefused(),), (anomaly("STORE_FAILED"),), StopReason.STORE_FAILED),
    "events lost": (
        (EventsOverflowed(),),
        (anomaly("EVENTS_OVERFLOWED"),),
        StopReason.EVENTS_OVERFLOWED,
    ),
    "not muted": ((PAUSE, MuteRefused(Mute.ALL, 3_010)), (), StopReason.MUTE_FAILED),
}


@pytest.mark.parametrize("on_failure", OnProblem)
@pytest.mark.parametrize("what", FAILURES)
def test_a_failure_ends_the_recording_and_leads_where_the_policy_wants(
    what: str, on_failure: OnProblem
) -> None:
    events, rows, reason = FAILURES[what]
    _, commands = with_agent(*events, on_recording_failure=on_failure)
    assert commands == (*rows, *stopped(reason), *said(on_failure))


@pytest.mark.parametrize("on_failure", [OnProblem.ALTERNATIVE, OnProblem.END])
@pytest.mark.parametrize(
    "over",
    [
        PlaybackFinished(playback_id(CALL, 2), True, 3_500),
        PlaybackFinished(playback_id(CALL, 2), False, 3_100),
        CommandFailed(CommandStep.WHISPER),
        SEGMENT_IS_LATE.__class__(Deadline.WHISPER, 4_000),
    ],
)
def test_when_it_was_said_or_could_not_be_the_call_does_not_go_on(
    on_failure: OnProblem, over: CallEvent
) -> None:
    call, _ = with_agent(EventsOverflowed(), on_recording_failure=on_failure)
    call, commands = told(call, over)
    assert commands == (*WHISPER_ENDS, *DIVERTED[on_failure])
    assert told(call, over) == (call, ())


def test_when_it_was_only_told_the_call_goes_on() -> None:
    call, _ = with_agent(EventsOverflowed(), on_recording_failure=OnProblem.TELL)
    assert told(call, *whispered(2, 3_000, 3_400))[1] == WHISPER_ENDS


def test_what_has_no_prompt_follows_at_once() -> None:
    values = {"on_recording_failure": OnProblem.END, "announcements": {}}
    _, commands = with_agent(EventsOverflowed(), **values)
    assert commands[-2:] == DIVERTED[OnProblem.END]


def test_who_hangs_up_is_told_nothing() -> None:
    events = (HangupRequested(), EventsOverflowed())
    _, commands = with_agent(*events, on_recording_failure=OnProblem.END)
    assert commands[1:] == stopped(StopReason.EVENTS_OVERFLOWED)


def test_a_call_that_is_about_to_end_ends_whatever_else_is_to_be_said() -> None:
    values = {"on_recording_failure": OnProblem.END, "on_refusal": OnProblem.TELL}
    call, _ = with_agent(EventsOverflowed(), **values)
    call, commands = told(call, WithdrawalAsked(3_000, CALLER))
    assert [c for c in commands if not isinstance(c, AppendRow)] == [Announce(Status.REFUSED)]
    assert told(call, *whispered(2, 3_100, 3_500))[1][-1] == HangUp()


def test_what_is_said_takes_the_place_of_what_was_said_before() -> None:
    values = {"on_recording_failure": OnProblem.TELL, "on_refusal": OnProblem.END}
    call, _ = with_agent(EventsOverflowed(), **values)
    _, commands = told(call, WithdrawalAsked(3_000, CALLER))
    assert commands[-4:] == (*WHISPER_ENDS, *whisper(CHANNEL, 3, "required"))


def test_a_recording_that_does_not_grow_goes_on_where_the_call_may_go_on_unrecorded() -> None:
    call, _ = told(arrived(), *IN_DIALPLAN, MixMonitorStarted(1_030))
    call, commands = told(call, GROWTH_IS_LATE)
    assert commands == (row(Kind.RECORDING_STALLED), Announce(Status.FAILED))
    assert not call.capture.stopping


@pytest.mark.parametrize("on_failure", [OnProblem.TELL, OnProblem.ALTERNATIVE, OnProblem.END])
def test_a_recording_that_does_not_grow_is_a_failure_elsewhere(on_failure: OnProblem) -> None:
    terms = asked(consent=arrived().policy.consent, on_recording_failure=on_failure)  # type: ignore[union-attr]
    call, commands = told(terms, *IN_DIALPLAN, MixMonitorStarted(1_030), GROWTH_IS_LATE)
    rows = (row(Kind.RECORDING_STALLED),)
    assert commands == (*rows, *stopped(StopReason.NOT_GROWING), *said(on_failure))
    assert told(call, GROWTH_IS_LATE) == (call, ())


def test_what_was_stopped_need_not_grow() -> None:
    call, _ = told(arrived(), *IN_DIALPLAN, RowsRefused())
    assert told(call, GROWTH_IS_LATE) == (call, ())


# -- mutes that are refused ------------------------------------------------------------------------


def test_nothing_is_kept_of_what_could_not_be_muted() -> None:
    call, _ = with_agent(PAUSE, MuteRefused(Mute.ALL, 3_010))
    _, commands = told(call, CaptureStopped(RECORDING, 3_100))
    slip = blank(1_000, of_ms=1_100, tracks=Tracks.BOTH)
    assert commands == (Judge(RECORDING, Expected(1_100, blanks=(slip,))),)


def test_a_recording_that_stays_muted_is_said() -> None:
    call, commands = with_agent(PAUSE, MUTED, RESUME, UNMUTE_REFUSED)
    assert commands == (anomaly("UNMUTE_FAILED"), Announce(Status.FAILED))
    assert call.capture.runs


@pytest.mark.parametrize("on_failure", [OnProblem.TELL, OnProblem.ALTERNATIVE, OnProblem.END])
def test_a_recording_that_stays_muted_is_a_failure_where_it_matters(on_failure: OnProblem) -> None:
    muted = (PAUSE, MUTED, RESUME, UNMUTE_REFUSED)
    _, commands = with_agent(*muted, on_recording_failure=on_failure)
    end = (*stopped(StopReason.MUTE_FAILED), *said(on_failure))
    assert commands == (anomaly("UNMUTE_FAILED"), *end)


@pytest.mark.parametrize(
    "so_far",
    [(EventsOverflowed(),), (EventsOverflowed(), CaptureStopped(RECORDING, 3_020))],
)
def test_a_mute_that_is_refused_means_nothing_where_nothing_runs(
    so_far: tuple[CallEvent, ...],
) -> None:
    call, _ = with_agent(*so_far)
    assert told(call, MuteRefused(Mute.ALL, 3_050)) == (call, ())


def test_a_mute_can_be_refused_because_mixmonitor_is_being_exchanged() -> None:
    """All that came in since the pause is blanked in the old one; the new one is muted."""
    call, _ = with_agent(company(2_900, OTHER), PAUSE, on_join=OnJoin.CONTINUE)
    call, commands = told(call, MuteRefused(Mute.ALL, 3_010))
    assert commands == ()
    _, began = told(call, MixMonitorStarted(3_050))
    slip = blank(1_000, of_ms=1_050, tracks=Tracks.BOTH)
    assert Judge(RECORDING, Expected(1_050, blanks=(slip,))) in began
    assert SetMute(Mute.ALL) in began
    _, late = told(call, SEGMENT_IS_LATE)
    assert late[-1:] == (SetMute(Mute.ALL),), "or the old one once more"


# -- a segment that does not begin -----------------------------------------------------------------


@pytest.mark.parametrize("on_failure", OnProblem)
def test_a_recording_on_demand_that_does_not_begin_is_a_failure(on_failure: OnProblem) -> None:
    call, commands = on_demand(START, PAUSE, SEGMENT_IS_LATE, on_recording_failure=on_failure)
    assert commands == (
        row(Kind.RECORDING_MISSING, expected_ms=0),
        CancelSegment(),
        ClearDeadline(Deadline.SEGMENT),
        ClearDeadline(Deadline.PAUSE),
        Announce(Status.FAILED),
        *said(on_failure),
    )
    assert call.capture.pauses == frozenset()
    _, (_, standing, _) = told(call, Reentered())
    assert isinstance(standing, HandOver)
    assert standing.status is Status.FAILED


def test_it_is_stopped_if_it_begins_after_all() -> None:
    _, commands = on_demand(START, SEGMENT_IS_LATE, FileAppeared(RECORDING, 5_000))
    started = row(Kind.RECORDING_STARTED, evidence="file")
    assert commands == (ClearDeadline(Deadline.SEGMENT), started, StopCapture(RECORDING))


def test_who_is_being_told_of_it_is_told_no_more() -> None:
    values = {"on_recording_failure": OnProblem.TELL}
    call, _ = on_demand(START, company(3_050, AGENT, OTHER), **values)
    assert call.whispering is not None
    _, commands = told(call, SEGMENT_IS_LATE)
    assert commands[-4:] == (*WHISPER_ENDS, *whisper(CHANNEL, 3, "not-recorded"))


# -- rows that are refused -------------------------------------------------------------------------


@pytest.mark.parametrize("on_problem", OnProblem)
def test_a_decision_that_is_refused_is_none(on_problem: OnProblem) -> None:
    """The row that stands says that it is not recorded, and so does the result."""
    call = asked(arrived().policy.consent, on_problem)  # type: ignore[union-attr]
    call, commands = told(call, *TOLD)
    undone = commands[commands.index(CommitCommand()) + 1 :]
    call, commands = told(call, refused(*undone))
    follows = {OnProblem.ALTERNATIVE: Next.ALTERNATIVE, OnProblem.END: Next.END}
    result = HandOver(
        CALL,
        Status.NOT_RECORDED,
        Reason.STORE_FAILED,
        next=follows.get(on_problem, Next.CONTINUE),
    )
    assert commands == (decided(Status.NOT_RECORDED, Reason.STORE_FAILED), result, Continue())
    call, _ = told(call, CONTINUED)
    assert told(call, MixMonitorStarted(1_100)) == (call, ())


def test_a_new_segment_whose_row_is_refused_does_not_begin_and_the_old_one_is_stopped() -> None:
    call, commands = with_agent(company(2_900, OTHER), on_join=OnJoin.CONTINUE)
    undone = commands[commands.index(CommitCommand()) + 1 :]
    assert isinstance(undone[0], StartSegment)
    call, commands = told(call, refused(*undone))
    assert commands == (anomaly("STORE_FAILED"), *stopped(StopReason.STORE_FAILED))
    assert call.capture.requested_segment is None
    assert told(call, MixMonitorStarted(3_000)) == (call, ())


@pytest.mark.parametrize("on_failure", OnProblem)
def test_a_recording_on_demand_whose_row_is_refused_is_a_failure(on_failure: OnProblem) -> None:
    call, commands = on_demand(START, on_recording_failure=on_failure)
    undone = commands[commands.index(CommitCommand()) + 1 :]
    call, commands = told(call, refused(*undone))
    clear = (ClearDeadline(Deadline.GROWTH), ClearDeadline(Deadline.PAUSE))
    shown = (anomaly("STORE_FAILED"), Announce(Status.FAILED), *clear)
    assert commands == (*shown, *said(on_failure))
    assert not call.capture.is_wanted


def test_a_store_that_fails_while_a_recording_on_demand_begins_takes_the_wish_back() -> None:
    call, commands = on_demand(START, RowsRefused())
    assert commands[:3] == (
        anomaly("STORE_FAILED"),
        CancelSegment(),
        row(Kind.CAPTURE_STOPPED, reason="STORE_FAILED"),
    )
    assert told(call, MixMonitorStarted(3_100))[1][-1] == StopCapture(RECORDING)


def test_a_store_that_fails_while_somebody_is_told_ends_the_waiting() -> None:
    call, commands = on_demand(company(2_500, AGENT, OTHER), START, RowsRefused())
    assert commands[1:3] == WHISPER_ENDS
    assert told(call, *whispered(2, 3_100, 4_100)) == (call, ())


def test_a_resume_whose_row_is_refused_ends_the_recording_instead() -> None:
    call, commands = with_agent(PAUSE, MUTED, RESUME)
    undone = commands[commands.index(CommitCommand()) + 1 :]
    assert undone == (SetMute(Mute.NONE), Announce(Status.RECORDING))
    _, commands = told(call, refused(*undone))
    assert commands == (anomaly("STORE_FAILED"), *stopped(StopReason.STORE_FAILED))


@pytest.mark.parametrize("phase", [CallPhase.DIALPLAN, CallPhase.CLOSING])
def test_files_stay_where_they_are_when_their_row_is_refused(phase: CallPhase) -> None:
    gone = (GONE,) if phase is CallPhase.CLOSING else ()
    began = (company(2_900, OTHER), MixMonitorStarted(3_000))
    call, _ = with_agent(*began, *gone, RecordingJudged(RECORDING, WHOLE), on_join=OnJoin.CONTINUE)
    assert call.phase is phase
    call, commands = told(call, refused(RemoveSpooled(RECORDING)))
    assert commands[0] == anomaly("STORE_FAILED")
    assert RECORDING not in call.recordings.pending
    assert told(call, SpoolRemoved(RECORDING, 2)) == (call, ())
    end = (RecordingJudged(NEXT_RECORDING, WHOLE), SpoolRemoved(NEXT_RECORDING, 2))
    _, commands = told(call, *(() if gone else (GONE,)), *end)
    assert commands[-1] == Forget(), "and the call comes to its end"


def test_a_withdrawal_whose_row_is_refused_still_ends_the_call_where_the_policy_wants() -> None:
    """Only what is deleted waits for the row."""
    values = {
        "on_join": OnJoin.CONTINUE,
        "on_withdrawal": OnWithdrawal.DELETE,
        "on_refusal": OnProblem.END,
    }
    began = (company(2_700, OTHER), MixMonitorStarted(2_800), RecordingJudged(RECORDING, WHOLE))
    withdraw = (SpoolRemoved(RECORDING, 2), WithdrawalAsked(3_000, CALLER))
    call, commands = with_agent(*began, *withdraw, **values)
    undone = commands[commands.index(CommitCommand()) + 1 :]
    assert undone == (RemoveRecording(RECORDING),)
    call, _ = told(call, refused(*undone))
    assert told(call, *whispered(2, 3_100, 3_500))[1][-1] == HangUp()


def test_a_pause_that_cannot_be_stored_is_still_a_pause() -> None:
    call, _ = with_agent(PauseAsked("PRIVATE", 3_000), MUTED)
    _, commands = told(call, RowsRefused())
    assert commands == (anomaly("STORE_FAILED"), *stopped(StopReason.STORE_FAILED))
