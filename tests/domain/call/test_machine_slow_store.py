"""A store that takes long: nobody waits for it, and the log never has two decisions of a call."""

from __future__ import annotations

import pytest

from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call.commands import (
    AppendRow,
    AwaitRows,
    CaptureOptions,
    Command,
    CommitCommand,
    Continue,
    Forget,
    HandOver,
    RemoveSpooled,
    SetMute,
    StartSegment,
    StopCapture,
)
from asterisk_compliance.domain.call.decision import Next, Reason, Status
from asterisk_compliance.domain.call.events import (
    CallEvent,
    CaptureStopped,
    LateRowsSettled,
    PauseAsked,
    ResumeAsked,
    RowsLate,
    StopAsked,
    TransferSeen,
)
from asterisk_compliance.domain.call.state import Call, CallPhase
from asterisk_compliance.domain.policy.notice import CaptureFrom, Consent, OnProblem
from asterisk_compliance.domain.recording.interruption_reasons import StopReason
from asterisk_compliance.domain.recording.verdict import Capture
from asterisk_compliance.ids import recording_id
from domain.simulator import CALL, arrival, policy
from domain.traces import (
    CLOSING,
    CONTINUED,
    GONE,
    JUDGED,
    RECORDED,
    RECORDING,
    TOLD,
    anomaly,
    arrived,
    refused_row,
    stopped,
    told,
)

STOPPED = (StopAsked(3_000), CaptureStopped(RECORDING, 3_100))
MISSING_ROW = AppendRow(Kind.RECORDING_MISSING, {"recording": RECORDING, "expected_ms": 0})


def behind_commit(call: Call, *events: CallEvent) -> tuple[Call, tuple[Command, ...]]:
    """The call, and what stands behind the commit of its last step."""
    call, commands = told(call, *events)
    return call, commands[commands.index(CommitCommand()) + 1 :]


def test_a_caller_does_not_wait_for_a_slow_store() -> None:
    call, undone = behind_commit(arrived(), *TOLD)
    call, commands = told(call, RowsLate(undone))
    handed = HandOver(CALL, Status.NOT_RECORDED, Reason.STORE_FAILED)
    assert commands == (handed, Continue(), AwaitRows())
    assert call.capture.state is Capture.NONE
    assert call.decision is not None
    assert not call.decision.allowed, "nothing that follows takes it for a recorded call"


def test_where_recording_is_mandatory_a_slow_store_does_not_let_it_go_on_unrecorded() -> None:
    ends = policy(on_problem=OnProblem.END)
    call, undone = behind_commit(arrived(policy=ends), *TOLD)
    _, (handed, *_) = told(call, RowsLate(undone))
    assert isinstance(handed, HandOver)
    assert (handed.status, handed.next) == (Status.NOT_RECORDED, Next.END)


def test_a_late_decision_that_is_stored_stays_the_only_one() -> None:
    call, undone = behind_commit(arrived(), *TOLD)
    call, commands = told(call, RowsLate(undone), LateRowsSettled(stored=True, undone=undone))
    assert commands == (anomaly("STORE_SLOW"), MISSING_ROW)
    assert told(call, CONTINUED, GONE)[1][-1] == Forget()


def test_a_late_decision_without_a_recording_promises_none() -> None:
    on_demand = policy(CaptureFrom.ON_DEMAND)
    call, undone = behind_commit(arrived(policy=on_demand), *TOLD)
    _, commands = told(call, RowsLate(undone), LateRowsSettled(stored=True, undone=undone))
    assert commands == (anomaly("STORE_SLOW"),)


def test_a_late_decision_that_is_not_stored_is_made_again() -> None:
    call, undone = behind_commit(arrived(), *TOLD)
    call, commands = told(call, RowsLate(undone), LateRowsSettled(stored=False, undone=undone))
    assert commands == (refused_row(Reason.STORE_FAILED),)
    assert call.storage.store_failed


@pytest.mark.parametrize("so_far", [CLOSING, (*RECORDED, *STOPPED)])
def test_files_wait_for_a_slow_store_as_long_as_it_takes(so_far: tuple[CallEvent, ...]) -> None:
    """When the call is over, and when it goes on."""
    call, undone = behind_commit(arrived(), *so_far, JUDGED)
    assert undone == (RemoveSpooled(RECORDING),)
    assert told(call, RowsLate(undone)) == (call, ())
    assert told(call, LateRowsSettled(stored=True, undone=undone)) == (call, undone)
    call, commands = told(call, LateRowsSettled(stored=False, undone=undone))
    assert commands[0] == anomaly("STORE_FAILED")
    assert not call.recordings.pending


def test_a_recording_that_cannot_go_on_behind_its_row_is_stopped() -> None:
    call, undone = behind_commit(
        arrived(), *RECORDED, PauseAsked("CARD", 3_000), ResumeAsked(4_000)
    )
    assert any(isinstance(command, SetMute) for command in undone)
    call, commands = told(call, RowsLate(undone))
    assert commands[0] == anomaly("STORE_SLOW")
    assert commands[1:] == stopped(StopReason.STORE_FAILED)
    assert StopCapture(RECORDING) in commands
    assert told(call, LateRowsSettled(stored=True, undone=undone)) == (call, ())


def test_a_segment_that_was_promised_late_and_not_begun_is_said_to_be_missing() -> None:
    asked = arrived(policy=policy(CaptureFrom.ON_DEMAND))
    call, _ = told(asked, *TOLD)
    starting = StartSegment(RECORDING, CaptureOptions())
    call, commands = told(call, CONTINUED, RowsLate((starting,)))
    assert commands[:2] == (anomaly("STORE_SLOW"), MISSING_ROW)
    assert call.subject == recording_id(CALL, 2), "its number is not promised again"


def test_a_slow_store_beside_a_call_that_is_not_recorded_is_only_said() -> None:
    unrecorded, _ = told(arrived(policy=Reason.POLICY_UNKNOWN), CONTINUED, TransferSeen(2_000))
    assert told(unrecorded, RowsLate()) == (unrecorded, (anomaly("STORE_SLOW"),))


# -- overload ----------------------------------------------------------------------------------


def test_a_call_that_comes_while_too_many_are_told_goes_on_at_once() -> None:
    call = arrived(overloaded=True)
    assert call.decision is not None
    assert (call.decision.status, call.decision.reason) == (
        Status.NOT_RECORDED,
        Reason.OVERLOADED,
    )
    assert call.phase is CallPhase.CONTINUING


@pytest.mark.parametrize("on_problem", [OnProblem.ALTERNATIVE, OnProblem.END])
def test_an_overloaded_service_does_what_the_policy_says_of_a_call_without_notice(
    on_problem: OnProblem,
) -> None:
    call = arrived(policy=policy(consent=Consent.NOTICE, on_problem=on_problem), overloaded=True)
    assert call.decision is not None
    assert call.decision.next is not Next.CONTINUE


def test_an_arrival_is_not_overloaded_unless_it_says_so() -> None:
    assert not arrival().overloaded
