"""Who withdraws in mid-call is not recorded any more, and what was recorded before may go."""

from __future__ import annotations

import pytest

from asterisk_compliance.domain.audit.rows import Actor, Kind
from asterisk_compliance.domain.call.commands import (
    Announce,
    AppendRow,
    ClearDeadline,
    CommitCommand,
    Deadline,
    HandOver,
    Judge,
    Mute,
    RemoveRecording,
    RemoveSpooled,
)
from asterisk_compliance.domain.call.decision import Status
from asterisk_compliance.domain.call.events import (
    AskedBy,
    CallEvent,
    CaptureStopped,
    MixMonitorStarted,
    MuteChanged,
    RecordingJudged,
    RecordingRemoved,
    Reentered,
    RowsRefused,
    SpoolKept,
    SpoolRemoved,
    WithdrawalAsked,
)
from asterisk_compliance.domain.policy.notice import (
    OnJoin,
    OnProblem,
    OnWithdrawal,
)
from asterisk_compliance.domain.recording.interruption_reasons import StopReason
from asterisk_compliance.domain.recording.verdict import Expected, Tracks
from domain.leg_traces import (
    AGENT,
    CALLER,
    NEXT_RECORDING,
    OTHER,
    PAUSE,
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
from domain.simulator import CHANNEL
from domain.traces import (
    GONE,
    RECORDING,
    UNJUDGED,
    WHOLE,
    anomaly,
    stopped,
    told,
)
from values import replace

MUTED = MuteChanged(Mute.ALL, 3_010)
WITHDRAW = WithdrawalAsked(3_000, CALLER)
CONFIRMED = CaptureStopped(RECORDING, 3_020)


def withdrew(earlier: str = "keep", actor: str = "caller") -> AppendRow:
    return AppendRow(Kind.CONSENT, {"state": "withdrawn", "earlier": earlier}, actor=actor)


def test_a_withdrawal_ends_the_recording() -> None:
    call, commands = with_agent(WITHDRAW, on_refusal=OnProblem.CONTINUE)
    assert commands == (*stopped(StopReason.WITHDRAWN, Status.REFUSED), withdrew())
    assert told(call, WITHDRAW) == (call, ())
    _, commands = told(call, CONFIRMED)
    after = blank(1_000, of_ms=1_020, tracks=Tracks.BOTH)
    assert commands == (Judge(RECORDING, Expected(1_020, blanks=(after,))),)
    _, (_, standing, _) = told(call, Reentered())
    assert isinstance(standing, HandOver)
    assert (standing.status, standing.start) == (Status.REFUSED, False)


@pytest.mark.parametrize(
    ("on_refusal", "said"),
    [
        (OnProblem.TELL, "refused"),
        (OnProblem.ALTERNATIVE, "required"),
        (OnProblem.END, "required"),
    ],
)
def test_who_withdrew_is_told_what_follows(on_refusal: OnProblem, said: str) -> None:
    _, commands = with_agent(WITHDRAW, on_refusal=on_refusal)
    end = stopped(StopReason.WITHDRAWN, Status.REFUSED)
    assert commands == (*end, withdrew(), *whisper(CHANNEL, 2, said))


@pytest.mark.parametrize("actor", [Actor.AGENT, Actor.DIALPLAN])
def test_somebody_else_can_withdraw_for_the_caller_in_a_pause(actor: Actor) -> None:
    _, commands = with_agent(PAUSE, MUTED, replace(WITHDRAW, by=AskedBy(actor)))
    assert withdrew(actor=actor) in commands


def test_digits_of_a_card_number_are_no_withdrawal() -> None:
    call, _ = with_agent(PAUSE, MUTED)
    assert told(call, WITHDRAW) == (call, (anomaly("WITHDRAWAL_IN_PAUSE"),))


def test_a_withdrawal_while_somebody_is_told_ends_that_too() -> None:
    call, commands = with_agent(company(2_900, AGENT, OTHER), WITHDRAW)
    assert commands[:2] == WHISPER_ENDS
    assert told(call, *whispered(2, 2_950, 3_950)) == (call, ())


def test_a_call_that_is_not_recorded_can_be_withdrawn_from() -> None:
    call, commands = on_demand(WITHDRAW)
    assert commands == (withdrew(), Announce(Status.REFUSED))
    assert told(call, START) == (call, (anomaly("START_REFUSED"),))


def test_a_start_that_waits_for_somebody_to_be_told_is_withdrawn_as_well() -> None:
    call, _ = on_demand(company(2_500, AGENT, OTHER), START)
    assert call.capture.start_wanted
    call, commands = told(call, WITHDRAW)
    assert commands == (
        *WHISPER_ENDS,
        Announce(Status.REFUSED),
        ClearDeadline(Deadline.GROWTH),
        ClearDeadline(Deadline.PAUSE),
        withdrew(),
    )
    assert told(call, *whispered(2, 3_100, 4_100)) == (call, ())
    assert told(call, company(5_000, AGENT))[1] == ()


DELETE = {"on_withdrawal": OnWithdrawal.DELETE, "on_join": OnJoin.CONTINUE}
TWO_SEGMENTS: tuple[CallEvent, ...] = (
    company(2_700, OTHER),
    MixMonitorStarted(2_800),
    RecordingJudged(RECORDING, WHOLE),
)
REMOVED = SpoolRemoved(RECORDING, 2)
REMOVED_ROW = row(Kind.SPOOL_REMOVED, files=2)


def test_what_is_in_the_vault_is_deleted_behind_the_row() -> None:
    call, commands = with_agent(*TWO_SEGMENTS, REMOVED, WITHDRAW, **DELETE)
    removing = (CommitCommand(), RemoveRecording(RECORDING))
    end = stopped(StopReason.WITHDRAWN, Status.REFUSED, NEXT_RECORDING)
    assert commands == (*end, withdrew("delete"), *removing)
    call, commands = told(call, RecordingRemoved(RECORDING, gone=True))
    assert commands == (row(Kind.RECORDING_REMOVED),)
    assert told(call, RecordingRemoved(RECORDING, gone=True)) == (call, ())
    call, _ = told(
        call, CaptureStopped(NEXT_RECORDING, 3_020), RecordingJudged(NEXT_RECORDING, WHOLE)
    )
    call, commands = told(call, SpoolRemoved(NEXT_RECORDING, 2))
    assert commands[1:] == (CommitCommand(), RemoveRecording(NEXT_RECORDING))
    _, commands = told(call, GONE, RecordingRemoved(NEXT_RECORDING, gone=False))
    assert commands[0] == anomaly("RECORDING_NOT_REMOVED", recording=NEXT_RECORDING)


@pytest.mark.parametrize("taken_in", [REMOVED, SpoolKept(RECORDING)])
def test_what_is_being_taken_in_is_deleted_once_when_it_has_been(taken_in: CallEvent) -> None:
    call, commands = with_agent(*TWO_SEGMENTS, WITHDRAW, **DELETE)
    assert not [command for command in commands if isinstance(command, RemoveRecording)]
    _, (_, *rest) = told(call, taken_in)
    assert rest == [CommitCommand(), RemoveRecording(RECORDING)]


@pytest.mark.parametrize(("earlier", "stays"), [("keep", True), ("hold", True), ("delete", False)])
def test_what_cannot_be_judged_stays_unless_it_must_go(earlier: str, stays: bool) -> None:
    call, _ = with_agent(WITHDRAW, CONFIRMED, on_withdrawal=OnWithdrawal(earlier))
    _, commands = told(call, RecordingJudged(RECORDING, UNJUDGED))
    unjudged = row(Kind.RECORDING_UNJUDGED, expected=None, problem="NOT_PCM")
    assert commands == (
        (unjudged,) if stays else (unjudged, CommitCommand(), RemoveSpooled(RECORDING))
    )


def test_what_cannot_be_deleted_because_its_row_was_refused_stays() -> None:
    call, _ = with_agent(*TWO_SEGMENTS, REMOVED, WITHDRAW, **DELETE)
    undone = RowsRefused(at_commit=True, undone=(RemoveRecording(RECORDING),))
    call, commands = told(call, undone)
    assert commands == (anomaly("STORE_FAILED"),), "it was told to stop before"
    assert call.recordings.pending == frozenset()
