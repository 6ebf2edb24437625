"""No place for a recording, one that stops growing, a service that hung: traces."""

from __future__ import annotations

import pytest

from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call import machine as rules
from asterisk_compliance.domain.call.commands import (
    Announce,
    AnswerCommand,
    AppendRow,
    Continue,
    HandOver,
    Play,
    StopPlayback,
)
from asterisk_compliance.domain.call.decision import Next, Reason, Status
from asterisk_compliance.domain.call.events import (
    Bridged,
    CallEvent,
    FileGrew,
    FileStopped,
    MixMonitorStarted,
    ServiceHung,
    StorageChanged,
    Unbridged,
)
from asterisk_compliance.domain.call.state import Call, CallPhase, StorageProblems
from asterisk_compliance.domain.policy.notice import CaptureFrom, Consent, OnProblem
from asterisk_compliance.domain.recording.interruption_reasons import StopReason
from domain.call.transitions.test_failures import said
from domain.leg_traces import START, on_demand, row, with_agent
from domain.simulator import CALL, CHANNEL, LIMITS, arrival, policy
from domain.traces import (
    ASKED,
    CLOSING,
    CONTINUED,
    GREW,
    IN_DIALPLAN,
    PLAYBACK,
    RECORDED,
    RECORDING,
    STARTED,
    TOLD,
    anomaly,
    arrived,
    incomplete,
    refused,
    refused_row,
    stopped,
    told,
)
from values import replace

LOW, UNWRITABLE, MENDED = (
    StorageChanged(Reason.DISK_LOW),
    StorageChanged(Reason.STORAGE_NOT_WRITABLE),
    StorageChanged(None),
)
SHORT_OF = (LOW, UNWRITABLE)


def why(call: Call) -> Reason | None:
    return call.decision.reason if call.decision else None


# -- no place, before the call is decided ------------------------------------------------------


@pytest.mark.parametrize("short", SHORT_OF)
def test_who_comes_while_there_is_no_place_hears_no_notice_and_goes_on(
    short: StorageChanged,
) -> None:
    call = arrived(no_storage=short.reason)
    assert (why(call), call.phase) == (short.reason, CallPhase.CONTINUING)
    assert call.decision is not None
    assert (call.decision.status, call.decision.next) == (Status.NOT_RECORDED, Next.CONTINUE)


@pytest.mark.parametrize("answered", [True, False])
def test_who_is_told_that_there_is_no_recording_is_answered_first(answered: bool) -> None:
    terms = replace(policy(), on_recording_failure=OnProblem.TELL)
    coming = arrival(policy=terms, no_storage=Reason.DISK_LOW, answered=answered)
    call, commands = rules.arrive(CALL, coming, LIMITS)
    assert call.phase is CallPhase.TELLING
    answers = () if answered else (AnswerCommand(),)
    handed = HandOver(CALL, Status.NOT_RECORDED, Reason.DISK_LOW)
    assert commands[1:-2] == (*answers, refused_row(Reason.DISK_LOW), handed)
    assert commands[-2] == Play(call.playback, "sound:/prompts/ja/not-recorded")


def test_what_follows_is_what_follows_from_a_recorder_that_failed() -> None:
    """... and not what follows from a notice that failed."""
    terms = replace(policy(on_problem=OnProblem.END), on_recording_failure=OnProblem.ALTERNATIVE)
    call = arrived(policy=terms, no_storage=Reason.DISK_LOW)
    assert call.decision is not None
    assert call.decision.next is Next.ALTERNATIVE


@pytest.mark.parametrize(
    "without",
    [
        {"policy": policy(CaptureFrom.ON_DEMAND)},
        {"joins": True},
        {"policy": Reason.POLICY_UNKNOWN},
    ],
)
def test_whose_call_needs_no_place_of_its_own_is_dealt_with_as_always(
    without: dict[str, object],
) -> None:
    assert why(arrived(no_storage=Reason.DISK_LOW, **without)) is why(arrived(**without))


@pytest.mark.parametrize("short", SHORT_OF)
def test_a_notice_of_a_recording_that_cannot_be_is_stopped(short: StorageChanged) -> None:
    call, commands = told(arrived(), STARTED, short)
    assert short.reason is not None
    assert commands == (
        StopPlayback(PLAYBACK),
        *incomplete(short.reason),
        *refused(short.reason),
    )
    assert call.phase is CallPhase.CONTINUING


def test_who_is_asked_is_asked_no_more() -> None:
    call, _ = told(arrived(policy=policy(consent=Consent.OPT_OUT)), *ASKED, LOW)
    assert why(call) is Reason.DISK_LOW


def test_a_notice_of_a_call_that_needs_no_place_goes_on() -> None:
    call = arrived(policy=policy(CaptureFrom.ON_DEMAND))
    short, commands = told(call, STARTED, LOW)
    assert (short.phase, commands) == (CallPhase.NOTICE, ())


# -- no place, in mid-call ---------------------------------------------------------------------


def test_a_recording_that_runs_goes_on_where_the_call_may_go_on_without() -> None:
    call, _ = with_agent()
    short, commands = told(call, LOW)
    assert commands == ()
    assert replace(short, storage=StorageProblems()) == call


@pytest.mark.parametrize("on_failure", [OnProblem.TELL, OnProblem.ALTERNATIVE, OnProblem.END])
def test_a_recording_that_runs_ends_where_the_policy_wants_more(on_failure: OnProblem) -> None:
    _, commands = with_agent(LOW, on_recording_failure=on_failure)
    assert commands == (*stopped(StopReason.DISK_LOW), *said(on_failure))


@pytest.mark.parametrize("on_failure", OnProblem)
def test_files_that_are_open_are_written_to_though_the_directory_cannot_be(
    on_failure: OnProblem,
) -> None:
    call, commands = with_agent(UNWRITABLE, on_recording_failure=on_failure)
    assert commands == ()
    assert not call.capture.stopping


@pytest.mark.parametrize("so_far", [CLOSING, (STARTED, ServiceHung(), CONTINUED)])
def test_what_is_not_recorded_is_not_stopped(so_far: tuple[CallEvent, ...]) -> None:
    terms = replace(policy(), on_recording_failure=OnProblem.END)
    call, _ = told(arrived(policy=terms), *so_far)
    assert told(call, LOW)[1] == ()


@pytest.mark.parametrize("short", SHORT_OF)
def test_nobody_begins_a_recording_on_demand_without_a_place(short: StorageChanged) -> None:
    call, commands = on_demand(short, START)
    assert commands == (anomaly("START_REFUSED"),)
    _, commands = told(call, MENDED, START)
    assert commands[0] != anomaly("START_REFUSED")


# -- it grew, and does not any more ------------------------------------------------------------

STOPPED = FileStopped(RECORDING, 2_000 + LIMITS.growth_ms)


def test_a_recording_that_stops_growing_is_said_and_taken_back_when_it_grows_again() -> None:
    call, commands = told(arrived(), *RECORDED, STOPPED)
    assert commands == (row(Kind.RECORDING_STALLED), Announce(Status.FAILED))
    assert told(call, STOPPED) == (call, ()), "said once"
    _, commands = told(call, FileGrew(RECORDING, 9_000))
    assert commands[0] == row(Kind.RECORDING_GROWING)


@pytest.mark.parametrize("on_failure", [OnProblem.TELL, OnProblem.ALTERNATIVE, OnProblem.END])
def test_it_is_a_failure_where_the_policy_wants_more(on_failure: OnProblem) -> None:
    _, commands = with_agent(STOPPED, on_recording_failure=on_failure)
    rows = (row(Kind.RECORDING_STALLED),)
    assert commands == (*rows, *stopped(StopReason.NOT_GROWING), *said(on_failure))


@pytest.mark.parametrize(
    ("so_far", "at_ms"),
    [
        (RECORDED, STOPPED.at_ms - 1),
        ((*RECORDED, Unbridged(3_000)), 9_000),
        ((*RECORDED, Unbridged(3_000), Bridged(9_001 - LIMITS.growth_ms)), 9_000),
        ((*IN_DIALPLAN, MixMonitorStarted(1_030), Bridged(2_000)), 9_000),
        (CLOSING, 9_000),
    ],
    ids=["bridged too late", "not bridged", "bridged again", "never grew", "over"],
)
def test_who_is_not_heard_for_so_long_need_not_be_kept(
    so_far: tuple[CallEvent, ...], at_ms: int
) -> None:
    call, _ = told(arrived(), *so_far)
    assert told(call, FileStopped(RECORDING, at_ms)) == (call, ())


def test_waiting_music_grows_as_well_where_all_is_kept() -> None:
    call = arrived(policy=policy(CaptureFrom.NOTICE))
    _, commands = told(call, *IN_DIALPLAN, MixMonitorStarted(1_030), GREW, STOPPED)
    assert commands[0] == row(Kind.RECORDING_STALLED)


def test_what_was_told_to_stop_need_not_grow() -> None:
    call, _ = with_agent(LOW, on_recording_failure=OnProblem.TELL)
    assert told(call, STOPPED) == (call, ())


def test_another_recording_of_the_call_is_not_this_one() -> None:
    call, _ = told(arrived(), *RECORDED)
    other = FileStopped(RECORDING.replace("-1", "-2"), STOPPED.at_ms)  # type: ignore[arg-type]
    assert told(call, other) == (call, ())


# -- we did nothing for too long ---------------------------------------------------------------


@pytest.mark.parametrize("consent", [Consent.OPT_OUT, Consent.OPT_IN])
def test_who_may_have_been_let_go_is_not_recorded_whatever_he_heard(consent: Consent) -> None:
    call, commands = told(arrived(policy=policy(consent=consent)), *ASKED, ServiceHung())
    assert why(call) is Reason.SERVICE_HUNG
    assert commands[-1] == Continue()


def test_nothing_of_a_notice_counts_that_nobody_listened_to() -> None:
    call, commands = told(arrived(), STARTED, ServiceHung())
    assert commands[0] == StopPlayback(PLAYBACK)
    assert why(call) is Reason.SERVICE_HUNG
    later, commands = told(call, *TOLD)
    assert (later.decision, commands) == (call.decision, ())


def test_who_was_decided_stays_so() -> None:
    for so_far in (TOLD, RECORDED):
        call, _ = told(arrived(), *so_far)
        assert told(call, ServiceHung()) == (call, ())


def test_rows_of_such_a_call_say_no_channel() -> None:
    _, commands = told(arrived(), STARTED, ServiceHung())
    rows = [command for command in commands if isinstance(command, AppendRow)]
    assert CHANNEL not in str([one.detail for one in rows])
