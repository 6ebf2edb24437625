"""What a call that is not recorded leads to, as traces: what is said, and when it goes on."""

from __future__ import annotations

import pytest

from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call import machine as rules
from asterisk_compliance.domain.call.commands import (
    AppendRow,
    ClearDeadline,
    CommandStep,
    Continue,
    Deadline,
    Forget,
    HandOver,
    Play,
    SetDeadline,
    StopPlayback,
)
from asterisk_compliance.domain.call.decision import Reason
from asterisk_compliance.domain.call.events import (
    CallEvent,
    ChannelGone,
    CommandFailed,
    Continued,
    DeadlinePassed,
    EntryWire,
    EventsOverflowed,
    HangupRequested,
    LeftStasis,
    PlaybackFinished,
    PlaybackStarted,
    Reentered,
    RowsRefused,
    ServiceStopping,
)
from asterisk_compliance.domain.call.state import Call, CallPhase
from asterisk_compliance.domain.policy.notice import Consent, OnProblem
from domain.simulator import CALL, LIMITS, arrival, policy
from domain.traces import (
    CUT,
    FAILED,
    GONE,
    PLAYBACK,
    SECOND,
    STARTED,
    STOP_IS_LATE,
    TELL_IS_LATE,
    anomaly,
    asked,
    ended_with,
    incomplete,
    key,
    told,
)

NO_MORE_TELLING = (ClearDeadline(Deadline.TELL), ClearDeadline(Deadline.STOP))


# -- while we tell -----------------------------------------------------------------------------


def telling(consent: Consent = Consent.OPT_OUT) -> Call:
    call, _ = told(asked(consent, OnProblem.TELL), STARTED, key("9"))
    assert call.phase is CallPhase.TELLING
    return call


def test_the_call_goes_on_after_the_announcement() -> None:
    call, commands = told(telling(), PlaybackFinished(SECOND, True, 1_000))
    assert commands == (*NO_MORE_TELLING, Continue())
    assert call.phase is CallPhase.CONTINUING


@pytest.mark.parametrize("late", [TELL_IS_LATE, STOP_IS_LATE])
def test_an_announcement_that_takes_too_long_is_stopped(late: CallEvent) -> None:
    call, commands = told(telling(), late)
    assert commands == (StopPlayback(SECOND), *NO_MORE_TELLING, Continue())
    assert call.phase is CallPhase.CONTINUING


def test_a_stopping_service_waits_for_an_announcement() -> None:
    assert told(telling(), ServiceStopping())[1] == (SetDeadline(Deadline.STOP, LIMITS.stop_ms),)


@pytest.mark.parametrize("step", [CommandStep.HAND_OVER, CommandStep.PLAY])
def test_asterisk_refuses_the_result_or_the_announcement(step: CommandStep) -> None:
    commands = told(telling(), CommandFailed(step))[1]
    assert commands == (anomaly("CONTINUE_REFUSED", step=step), *NO_MORE_TELLING, Continue())
    commands = told(telling(), HangupRequested(), CommandFailed(step))[1]
    assert commands == (*NO_MORE_TELLING, Continue())


def test_events_that_overflow_in_the_announcement() -> None:
    assert told(telling(), EventsOverflowed())[1] == (*NO_MORE_TELLING, Continue())


def test_the_dialplan_takes_the_call_back_in_the_announcement() -> None:
    """The result is there already, so the dialplan knows; nothing is released twice."""
    call, commands = told(telling(), LeftStasis())
    assert commands == (ClearDeadline(Deadline.TELL),)
    assert call.phase is CallPhase.DIALPLAN


def test_who_hangs_up_in_the_announcement_is_decided_already() -> None:
    call, commands = told(telling(), HangupRequested(), GONE)
    assert commands == (
        AppendRow(Kind.CALL_ENDED, {"bridged_ms": 0}),
        ClearDeadline(Deadline.GROWTH),
        Forget(),
    )
    assert call.phase is CallPhase.OVER


@pytest.mark.parametrize(
    "event",
    [
        STARTED,
        PlaybackStarted(SECOND, 600),
        PlaybackFinished(PLAYBACK, True, 600),
        key("1", 600),
        Reentered(),
        CommandFailed(CommandStep.ANSWER),
        DeadlinePassed(Deadline.NOTICE, 600),
        Continued(600),
    ],
)
def test_nothing_else_ends_the_announcement(event: CallEvent) -> None:
    call = telling()
    assert told(call, event) == (call, ())


def test_a_store_that_fails_in_the_announcement() -> None:
    call, commands = told(telling(), RowsRefused())
    assert commands == (anomaly("STORE_FAILED"),)
    assert call.phase is CallPhase.TELLING


# -- a notice that fails -----------------------------------------------------------------------

NOT_COMPLETED = {
    Reason.NOTICE_FAILED: (FAILED, 50),
    Reason.NOTICE_CUT_SHORT: (CUT, 490),
    Reason.NOTICE_TIMED_OUT: (PlaybackFinished(PLAYBACK, True, 3_000, 7_990), 2_990),
}


@pytest.mark.parametrize(
    ("on_problem", "said"),
    [
        (OnProblem.CONTINUE, None),
        (OnProblem.TELL, "not-recorded"),
        (OnProblem.ALTERNATIVE, "required"),
        (OnProblem.END, "required"),
    ],
)
@pytest.mark.parametrize("reason", NOT_COMPLETED)
@pytest.mark.parametrize("consent", Consent)
def test_a_notice_that_fails_leads_where_the_policy_wants(
    consent: Consent, reason: Reason, on_problem: OnProblem, said: str | None
) -> None:
    finished, lasted_ms = NOT_COMPLETED[reason]
    _, commands = told(asked(consent, on_problem), STARTED, finished)
    assert commands == (*incomplete(reason, lasted_ms), *ended_with(reason, on_problem, said))


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (CommandFailed(CommandStep.PLAY), Reason.ASTERISK_REFUSED),
        (STOP_IS_LATE, Reason.SERVICE_STOPPING),
        (EventsOverflowed(), Reason.EVENTS_OVERFLOWED),
    ],
)
def test_nothing_is_announced_where_nothing_can_be(event: CallEvent, reason: Reason) -> None:
    _, commands = told(asked(Consent.NOTICE, OnProblem.END), STARTED, event)
    assert commands[-3:] == ended_with(reason, OnProblem.END, None)


def test_who_has_hung_up_is_told_nothing() -> None:
    call, commands = told(asked(Consent.OPT_OUT, OnProblem.END), STARTED, ChannelGone(500))
    assert not [c for c in commands if isinstance(c, Play | HandOver | Continue)]
    assert call.phase is CallPhase.OVER


@pytest.mark.parametrize("consent", Consent)
def test_fastagi_plays_and_asks_like_ari(consent: Consent) -> None:
    value = arrival(policy=policy(consent=consent), entry=EntryWire.AGI)
    _, commands = rules.arrive(CALL, value, LIMITS)
    assert Play(PLAYBACK, "sound:/prompts/ja/notice") in commands
