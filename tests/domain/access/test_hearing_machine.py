"""A call that hears a recording: every transition, and what may never happen in any order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.domain.access.hearing_machine import (
    LONGEST_ENTRY,
    arrive,
    step,
    turned_away,
)
from asterisk_compliance.domain.access.hearing_state import (
    CheckCode,
    CodeAccepted,
    CodeRefused,
    GiveBack,
    Hearing,
    HearingCommand,
    HearingEvent,
    HearingOutcome,
    HearingPhase,
    HearingReason,
    HearingTerms,
    Leave,
    LoanGone,
    Said,
    TelephoneLoan,
    Wait,
    Waited,
)
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call.commands import (
    AnswerCommand,
    AppendRow,
    CommandStep,
    Play,
    StopPlayback,
)
from asterisk_compliance.domain.call.events import (
    CommandFailed,
    DigitReceived,
    HangupRequested,
    LeftStasis,
    PlaybackFinished,
    PlaybackStarted,
    RowsRefused,
    ServiceStopping,
)
from asterisk_compliance.domain.policy.notice import Prompt
from asterisk_compliance.ids import CallId, ChannelId, LoanId, PlaybackId, RecordingId
from values import replace

NAME = "0193a5c2f7e14b6d90f1a2b3c4d5"
CHANNEL = ChannelId("1764033536.12")
CODE, WRONG = Prompt("sound:code", 3_000), Prompt("sound:wrong", 2_000)
BEGINS, ENDS = Prompt("sound:begins", 1_000), Prompt("sound:ends", 1_500)
SAID = Said(CODE, WRONG, BEGINS, ENDS)
TERMS = HearingTerms(attempts=2, wait_ms=10_000, margin_ms=2_000)
LOAN = TelephoneLoan(
    LoanId(f"l-{NAME}"),
    CallId(f"c-{NAME}"),
    RecordingId(f"r-{NAME}-1"),
    f"q-{NAME}",
    "sound:/memory/l-0193",
    60_000,
)
SECRET = "4711081500"


class Caller:
    """Somebody who hears: the state, and everything that was done for him so far."""

    def __init__(self, terms: HearingTerms = TERMS) -> None:
        self.done: list[HearingCommand] = []
        self.now_ms = 0
        self.hearing, commands = arrive(NAME, CHANNEL, SAID, terms)
        self.done += commands

    def does(self, event: HearingEvent) -> tuple[HearingCommand, ...]:
        self.hearing, commands = step(self.hearing, event)
        self.done += commands
        return commands

    def enters(self, code: str = SECRET) -> None:
        for digit in f"{code}#":
            self.does(DigitReceived(digit, self.now_ms))

    def hears(self, *, lasts_ms: int, done: bool = True) -> tuple[HearingCommand, ...]:
        """What plays now begins, and is over after so long."""
        playback = self.hearing.playback
        self.does(PlaybackStarted(playback, self.now_ms))
        self.now_ms += lasts_ms
        return self.does(PlaybackFinished(playback, done, self.now_ms))

    def opens(self) -> None:
        self.enters()
        self.does(CodeAccepted(LOAN))

    def begins(self) -> tuple[HearingCommand, ...]:
        self.opens()
        return self.hears(lasts_ms=BEGINS.length_ms)

    def rows(self) -> list[tuple[str, str | None]]:
        """Kind and reason of every row."""
        rows = [one for one in self.done if isinstance(one, AppendRow)]
        return [(row.kind, _reason(row)) for row in rows]


def _reason(row: AppendRow) -> str | None:
    reason = row.detail.get("reason")
    return None if reason is None else str(reason)


def test_who_comes_is_asked_for_a_code() -> None:
    caller = Caller()
    assert caller.done == [
        AnswerCommand(),
        Play(PlaybackId(f"p-{NAME}-1"), "sound:code"),
        Wait(13_000),
    ]
    assert caller.hears(lasts_ms=3_000) == ()
    assert caller.hearing.phase is HearingPhase.CODE


def test_who_is_not_welcome_gets_a_row_and_goes_on() -> None:
    row, leave = turned_away(CHANNEL, HearingReason.BUSY)
    assert isinstance(row, AppendRow)
    assert row.kind is Kind.HEARING_REFUSED
    assert row.detail == {"attempt": 0, "channel": CHANNEL, "reason": "BUSY"}
    assert leave == Leave(HearingOutcome.REFUSED)


def test_the_first_key_ends_what_is_said_and_the_code_is_forgotten_when_it_is_looked_at() -> None:
    caller = Caller()
    first = caller.does(DigitReceived("4", 0))
    assert first == (StopPlayback(PlaybackId(f"p-{NAME}-1")), Wait(10_000))
    assert caller.does(DigitReceived("7", 0)) == (Wait(10_000),)
    assert caller.does(DigitReceived("#", 0)) == (CheckCode("47"),)
    assert caller.hearing.entered == ""
    assert caller.hearing.phase is HearingPhase.CHECKING


def test_what_was_entered_is_in_no_representation() -> None:
    caller = Caller()
    for digit in "4711":
        caller.does(DigitReceived(digit, 0))
    assert caller.hearing.entered == "4711"
    assert "4711" not in repr(caller.hearing)
    assert "4711" not in repr(CheckCode("4711"))


def test_star_begins_anew_and_an_empty_code_is_none() -> None:
    caller = Caller()
    caller.does(DigitReceived("4", 0))
    assert caller.does(DigitReceived("*", 0)) == ()
    assert caller.does(DigitReceived("#", 0)) == ()
    assert caller.hearing.phase is HearingPhase.CODE


def test_more_digits_than_any_code_has_are_not_kept() -> None:
    caller = Caller()
    for _ in range(LONGEST_ENTRY):
        assert Wait(10_000) in caller.does(DigitReceived("1", 0))
    assert caller.does(DigitReceived("1", 0)) == ()
    assert caller.does(DigitReceived("#", 0)) == (CheckCode("1" * LONGEST_ENTRY),)


def test_silence_behind_digits_enters_them() -> None:
    caller = Caller()
    caller.does(DigitReceived("4", 0))
    assert caller.does(Waited()) == (CheckCode("4"),)
    assert caller.does(Waited()) == (), "what is looked at is answered at once"


def test_silence_alone_ends_the_call() -> None:
    caller = Caller()
    silent = caller.does(Waited())
    assert silent[0] == StopPlayback(PlaybackId(f"p-{NAME}-1"))
    assert caller.rows() == [(Kind.HEARING_REFUSED, "NO_CODE")]
    assert caller.done[-1] == Leave(HearingOutcome.REFUSED)
    assert caller.hearing.phase is HearingPhase.OVER


@pytest.mark.parametrize(("locked", "reason"), [(False, "WRONG_CODE"), (True, "LOCKED")])
def test_a_wrong_code_and_a_locked_one_sound_the_same(locked: bool, reason: str) -> None:
    caller = Caller()
    caller.enters()
    said = caller.does(CodeRefused(locked))
    assert said[1:] == (Play(PlaybackId(f"p-{NAME}-2"), "sound:wrong"), Wait(4_000))
    assert caller.rows() == [(Kind.HEARING_REFUSED, reason)]
    again = caller.hears(lasts_ms=2_000)
    assert again == (Play(PlaybackId(f"p-{NAME}-3"), "sound:code"), Wait(13_000))


def test_after_so_many_wrong_codes_it_is_over() -> None:
    caller = Caller()
    for _ in range(TERMS.attempts):
        caller.enters()
        caller.does(CodeRefused())
        caller.hears(lasts_ms=2_000)
    assert caller.done[-1] == Leave(HearingOutcome.REFUSED)
    attempts = [one.detail["attempt"] for one in caller.done if isinstance(one, AppendRow)]
    assert attempts == [1, 2]


def test_a_prompt_that_takes_too_long_is_stopped_and_it_goes_on() -> None:
    caller = Caller()
    caller.opens()
    stopped, row, play, _ = caller.does(Waited())
    assert stopped == StopPlayback(PlaybackId(f"p-{NAME}-2"))
    assert isinstance(row, AppendRow)
    assert row.kind is Kind.HEARING_BEGUN
    assert play == Play(PlaybackId(f"p-{NAME}-3"), LOAN.media)


def test_the_row_stands_before_the_recording() -> None:
    row, play, limit = Caller().begins()
    assert isinstance(row, AppendRow)
    assert row.kind is Kind.HEARING_BEGUN
    assert row.actor == "caller"
    assert row.detail == {
        "channel": CHANNEL,
        "loan": LOAN.id,
        "recording": LOAN.recording,
        "request": LOAN.request,
    }
    assert play == Play(PlaybackId(f"p-{NAME}-3"), LOAN.media)
    assert limit == Wait(62_000)


@pytest.mark.parametrize("lasts_ms", [LOAN.length_ms, LOAN.length_ms - 40])
def test_heard_to_the_end(lasts_ms: int) -> None:
    caller = Caller()
    caller.begins()
    row, back, play, _ = caller.hears(lasts_ms=lasts_ms)
    assert isinstance(row, AppendRow)
    assert row.kind is Kind.HEARING_COMPLETED
    assert row.detail["heard_ms"] == lasts_ms
    assert back == GiveBack(begun=True, heard=True)
    assert play == Play(PlaybackId(f"p-{NAME}-4"), "sound:ends")
    assert caller.hears(lasts_ms=1_500) == (Leave(HearingOutcome.HEARD),)


@pytest.mark.parametrize(
    ("lasts_ms", "done", "hangs_up", "reason"),
    [
        (LOAN.length_ms - 41, True, False, "CUT_SHORT"),
        (LOAN.length_ms, False, False, "NOT_PLAYED"),
        (5_000, False, True, "LEFT"),
    ],
)
def test_not_heard_to_the_end(lasts_ms: int, done: bool, hangs_up: bool, reason: str) -> None:
    caller = Caller()
    caller.begins()
    if hangs_up:
        caller.does(HangupRequested())
    caller.hears(lasts_ms=lasts_ms, done=done)
    assert caller.rows()[-1] == (Kind.HEARING_ENDED, reason)
    assert caller.done[-2:] == [GiveBack(begun=True), Leave(HearingOutcome.ENDED)]


def test_a_recording_of_which_no_beginning_was_told_was_not_heard() -> None:
    caller = Caller()
    caller.begins()
    caller.does(PlaybackFinished(caller.hearing.playback, True, LOAN.length_ms))
    assert caller.rows()[-1] == (Kind.HEARING_ENDED, "CUT_SHORT")


@pytest.mark.parametrize(
    ("event", "reason", "leaves"),
    [
        (LeftStasis(), "LEFT", False),
        (CommandFailed(CommandStep.PLAY), "LOST", True),
        (ServiceStopping(), "SERVICE_STOPPING", True),
        (LoanGone(), "TAKEN_BACK", True),
        (Waited(), "NOT_PLAYED", True),
    ],
)
def test_what_ends_a_recording_early(event: HearingEvent, reason: str, leaves: bool) -> None:
    caller = Caller()
    caller.begins()
    commands = caller.does(event)
    assert commands[0] == StopPlayback(PlaybackId(f"p-{NAME}-3"))
    assert caller.rows()[-1] == (Kind.HEARING_ENDED, reason)
    assert (commands[-1] == Leave(HearingOutcome.ENDED)) is leaves
    assert GiveBack(begun=True) in commands
    assert caller.does(event) == ()


def test_who_hangs_up_while_a_command_fails_has_left() -> None:
    caller = Caller()
    caller.begins()
    caller.does(HangupRequested())
    caller.does(CommandFailed(CommandStep.PLAY))
    assert caller.rows()[-1] == (Kind.HEARING_ENDED, "LEFT")


def test_what_was_only_announced_goes_back_unused_and_has_its_row() -> None:
    caller = Caller()
    caller.opens()
    assert GiveBack(begun=False) in caller.does(LeftStasis())
    assert caller.rows() == [(Kind.HEARING_ENDED, "LEFT")]
    (row,) = [one for one in caller.done if isinstance(one, AppendRow)]
    assert (row.detail["loan"], row.detail["heard_ms"]) == (LOAN.id, 0)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (LeftStasis(), "LEFT"),
        (ServiceStopping(), "SERVICE_STOPPING"),
        (CommandFailed(CommandStep.PLAY), "LOST"),
    ],
)
def test_who_leaves_before_any_code_has_a_row(event: HearingEvent, reason: str) -> None:
    caller = Caller()
    caller.does(event)
    assert caller.rows() == [(Kind.HEARING_REFUSED, reason)]
    (row,) = [one for one in caller.done if isinstance(one, AppendRow)]
    assert row.detail["attempt"] == 0
    assert caller.hearing.phase is HearingPhase.OVER


def test_who_leaves_behind_a_wrong_code_has_the_row_of_that() -> None:
    caller = Caller()
    caller.enters()
    caller.does(CodeRefused())
    caller.hears(lasts_ms=2_000)
    caller.does(LeftStasis())
    assert caller.rows() == [(Kind.HEARING_REFUSED, "WRONG_CODE")]
    assert caller.hearing.phase is HearingPhase.OVER


def test_who_has_heard_all_and_leaves_in_the_goodbye_has_heard() -> None:
    caller = Caller()
    caller.begins()
    caller.hears(lasts_ms=LOAN.length_ms)
    stop, leave = caller.does(ServiceStopping())
    assert stop == StopPlayback(PlaybackId(f"p-{NAME}-4"))
    assert leave == Leave(HearingOutcome.HEARD)


def test_where_the_row_of_the_beginning_is_not_stored_nothing_is_heard() -> None:
    caller = Caller()
    caller.begins()
    assert caller.does(RowsRefused()) == (GiveBack(begun=False), Leave(HearingOutcome.REFUSED))
    assert caller.hearing.phase is HearingPhase.OVER


def test_what_was_heard_goes_also_where_its_row_is_not_stored() -> None:
    caller = Caller()
    caller.begins()
    caller.hears(lasts_ms=LOAN.length_ms)
    back = GiveBack(begun=True, heard=True)
    assert caller.does(RowsRefused()) == (back, Leave(HearingOutcome.HEARD))


def test_where_the_row_of_an_early_end_is_not_stored_the_copy_goes_back_as_begun() -> None:
    ended = Caller()
    ended.begins()
    ended.does(LeftStasis())
    assert ended.does(RowsRefused()) == (GiveBack(begun=True), Leave(HearingOutcome.ENDED))


def test_where_the_row_of_a_refusal_is_not_stored_the_caller_goes_on() -> None:
    caller = Caller()
    caller.enters()
    caller.does(CodeRefused())
    assert caller.does(RowsRefused()) == (Leave(HearingOutcome.REFUSED),)


def test_what_belongs_to_no_playback_of_this_call_changes_nothing() -> None:
    caller = Caller()
    before = caller.hearing
    for event in (
        PlaybackStarted(PlaybackId("p-other-1"), 0),
        PlaybackFinished(PlaybackId("p-other-1"), True, 0),
        CodeAccepted(LOAN),
        CodeRefused(),
    ):
        assert caller.does(event) == ()
    assert caller.hearing == before
    caller.begins()
    assert caller.does(DigitReceived("1", 0)) == ()


EVENTS = st.one_of(
    st.sampled_from("0123456789*#").map(lambda digit: DigitReceived(digit, 0)),
    st.sampled_from(
        [
            CodeAccepted(LOAN),
            CodeRefused(),
            CodeRefused(locked=True),
            Waited(),
            LoanGone(),
            RowsRefused(),
            LeftStasis(),
            HangupRequested(),
            ServiceStopping(),
            CommandFailed(CommandStep.PLAY),
            "started",
            "finished",
            "failed",
        ]
    ),
)


@given(st.lists(st.tuples(EVENTS, st.integers(0, 70_000)), max_size=60))
def test_in_any_order_nothing_is_heard_without_its_row_and_code(
    story: list[tuple[HearingEvent | str, int]],
) -> None:
    caller = Caller(replace(TERMS, attempts=5))
    for event, passed_ms in story:
        caller.now_ms += passed_ms
        caller.does(_told(caller.hearing, event, caller.now_ms))
    plays = [at for at, one in enumerate(caller.done) if _plays_recording(one)]
    begun = [at for at, one in enumerate(caller.done) if _is_row(one, Kind.HEARING_BEGUN)]
    assert plays == [at + 1 for at in begun], "each is played right behind its row"
    completed = [one for one in caller.done if _is_row(one, Kind.HEARING_COMPLETED)]
    assert all(one.detail["heard_ms"] >= LOAN.length_ms - 40 for one in completed)
    leaves = [one for one in caller.done if isinstance(one, Leave)]
    assert (caller.hearing.phase is HearingPhase.OVER) or not leaves
    refused = [one for one in caller.done if _is_row(one, Kind.HEARING_REFUSED)]
    assert len(refused) <= 7
    if caller.hearing.phase is HearingPhase.OVER and not any(
        isinstance(event, RowsRefused) for event, _ in story
    ):
        assert any(isinstance(one, AppendRow) for one in caller.done), "who came has a row"


def _told(hearing: Hearing, event: HearingEvent | str, now_ms: int) -> HearingEvent:
    match event:
        case "started":
            return PlaybackStarted(hearing.playback, now_ms)
        case "finished":
            return PlaybackFinished(hearing.playback, True, now_ms)
        case "failed":
            return PlaybackFinished(hearing.playback, False, now_ms)
        case _:
            return event


def _plays_recording(command: HearingCommand) -> bool:
    return isinstance(command, Play) and command.media == LOAN.media


def _is_row(command: HearingCommand, kind: Kind) -> bool:
    return isinstance(command, AppendRow) and command.kind is kind
