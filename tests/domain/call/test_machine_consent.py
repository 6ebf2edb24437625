"""A call that is asked, as traces: keys in the notice and after it, silence, and being late.

Keys are 1 (yes), 9 (no), * (again) and # (another language); see ``simulator.policy``.
"""

from __future__ import annotations

import pytest

from asterisk_compliance.domain.audit.rows import Actor, Kind
from asterisk_compliance.domain.call.commands import (
    AppendRow,
    ClearDeadline,
    Command,
    CommandStep,
    CommitCommand,
    Continue,
    Deadline,
    Forget,
    Play,
    SetDeadline,
    StopPlayback,
)
from asterisk_compliance.domain.call.decision import Reason, Status
from asterisk_compliance.domain.call.events import (
    Bridged,
    CallEvent,
    CommandFailed,
    DeadlinePassed,
    EventsOverflowed,
    HangupRequested,
    LeftStasis,
    PlaybackFinished,
    PlaybackStarted,
    RowsRefused,
    ServiceStopping,
)
from asterisk_compliance.domain.call.state import CallPhase
from asterisk_compliance.domain.policy.notice import Consent, ConsentKeys, OnProblem
from asterisk_compliance.domain.recording.verdict import Capture
from domain.call_builder import undecided
from domain.simulator import LIMITS, NOTICE_MS
from domain.traces import (
    ALLOWED,
    ASKED,
    ASKING,
    CUT,
    FAILED,
    GONE,
    GRACE_IS_OVER,
    HEARD,
    NO_MORE_WAITING,
    NOTICE_IS_LATE,
    PLAYBACK,
    SAID,
    SECOND,
    STARTED,
    STOP_IS_LATE,
    THIRD,
    arrived,
    asked,
    consent_row,
    decided,
    ended_with,
    key,
    told,
)
from values import replace

# -- a no --------------------------------------------------------------------------------------


@pytest.mark.parametrize("on_problem", OnProblem)
@pytest.mark.parametrize("consent", ASKING)
def test_a_no_during_the_notice_counts_at_once(consent: Consent, on_problem: OnProblem) -> None:
    call, commands = told(asked(consent, on_problem), STARTED, key("9"))
    said = SAID.get(on_problem)
    assert commands == (
        StopPlayback(PLAYBACK),
        consent_row("refused", Actor.CALLER),
        *NO_MORE_WAITING,
        *ended_with(Reason.CONSENT_REFUSED, on_problem, said),
    )
    assert call.phase is (CallPhase.TELLING if said else CallPhase.CONTINUING)
    assert call.capture.state is Capture.NONE


def test_a_no_comes_before_the_playback_is_reported() -> None:
    _, commands = told(asked(Consent.OPT_OUT), key("9"))
    assert commands[0] == StopPlayback(PLAYBACK)
    assert commands[-3:] == ended_with(Reason.CONSENT_REFUSED, OnProblem.CONTINUE, None)


@pytest.mark.parametrize("consent", ASKING)
def test_a_no_after_the_notice_stops_nothing(consent: Consent) -> None:
    _, commands = told(asked(consent), *ASKED, key("9", 1_100))
    assert commands == (
        consent_row("refused", Actor.CALLER),
        *NO_MORE_WAITING,
        *ended_with(Reason.CONSENT_REFUSED, OnProblem.CONTINUE, None),
    )


def test_a_no_takes_a_yes_back() -> None:
    _, commands = told(asked(Consent.OPT_IN), STARTED, key("1"), key("9", 600))
    assert ended_with(Reason.CONSENT_REFUSED, OnProblem.CONTINUE, None) == commands[-3:]


def test_the_end_of_a_notice_that_was_refused_changes_nothing() -> None:
    call, _ = told(asked(Consent.OPT_OUT), STARTED, key("9"))
    assert told(call, HEARD) == (call, ())
    assert told(call, key("1")) == (call, ())


# -- a yes -------------------------------------------------------------------------------------


def allowed(reason: Reason, commands: tuple[Command, ...], language: str = "ja") -> bool:
    result = replace(ALLOWED, reason=reason, notice=f"standard/1/{language}")
    return commands[-3:] == (CommitCommand(), result, Continue())


def test_a_yes_during_the_notice_counts_when_the_notice_is_completed() -> None:
    call, commands = told(asked(Consent.OPT_IN), STARTED, key("1"))
    assert commands == ()
    assert call.phase is CallPhase.NOTICE
    call, commands = told(call, HEARD)
    assert [c.kind for c in commands if isinstance(c, AppendRow)] == [
        Kind.NOTICE_COMPLETED,
        Kind.CONSENT,
        Kind.DECISION,
        Kind.RECORDING_REQUESTED,
    ]
    assert consent_row("given", Actor.CALLER) in commands
    assert allowed(Reason.CONSENT_GIVEN, commands)
    assert call.capture.state is Capture.REQUESTED


@pytest.mark.parametrize("finished", [CUT, FAILED])
def test_a_yes_to_a_notice_that_was_not_completed_is_worth_nothing(finished: CallEvent) -> None:
    call, commands = told(asked(Consent.OPT_IN), STARTED, key("1"), finished)
    assert call.decision is not None
    assert call.decision.status is Status.NOT_RECORDED
    assert CommitCommand() not in commands


def test_a_yes_in_the_grace() -> None:
    call, commands = told(asked(Consent.OPT_IN), *ASKED)
    assert call.phase is CallPhase.ASKING
    assert commands[1:] == (
        ClearDeadline(Deadline.NOTICE),
        SetDeadline(Deadline.GRACE, 200),
    )
    _, commands = told(call, key("1", 1_200))
    assert commands[:4] == (consent_row("given", Actor.CALLER), *NO_MORE_WAITING)
    assert allowed(Reason.CONSENT_GIVEN, commands)


@pytest.mark.parametrize("before", [(STARTED,), ASKED])
def test_there_is_no_yes_where_only_a_no_is_asked_for(before: tuple[CallEvent, ...]) -> None:
    call, _ = told(asked(Consent.OPT_OUT), *before)
    assert told(call, key("1", 1_100)) == (call, ())


# -- silence -----------------------------------------------------------------------------------


def test_silence_is_no_objection() -> None:
    _, commands = told(asked(Consent.OPT_OUT), *ASKED, GRACE_IS_OVER)
    assert commands[:4] == (consent_row("not_refused", Actor.SERVICE), *NO_MORE_WAITING)
    assert allowed(Reason.CONSENT_NOT_REFUSED, commands)


@pytest.mark.parametrize("on_problem", OnProblem)
def test_silence_is_no_consent(on_problem: OnProblem) -> None:
    call, commands = told(asked(Consent.OPT_IN, on_problem), *ASKED, GRACE_IS_OVER)
    assert commands == (
        consent_row("expired", Actor.SERVICE),
        *NO_MORE_WAITING,
        *ended_with(Reason.CONSENT_NOT_GIVEN, on_problem, SAID.get(on_problem)),
    )
    assert call.capture.state is Capture.NONE


def test_the_grace_of_an_earlier_time_does_not_end_the_notice() -> None:
    call, _ = told(asked(Consent.OPT_IN), STARTED)
    assert told(call, GRACE_IS_OVER) == (call, ())
    call, _ = told(call, HEARD)
    assert told(call, NOTICE_IS_LATE) == (call, ())


# -- keys that mean nothing --------------------------------------------------------------------


@pytest.mark.parametrize("digit", "019*#")
def test_a_policy_that_does_not_ask_hears_no_key(digit: str) -> None:
    call, _ = told(arrived(), STARTED)
    assert told(call, key(digit)) == (call, ())


@pytest.mark.parametrize("before", [(STARTED,), ASKED])
@pytest.mark.parametrize("consent", ASKING)
def test_any_other_key_means_nothing(consent: Consent, before: tuple[CallEvent, ...]) -> None:
    call, _ = told(asked(consent), *before)
    assert told(call, key("5", 1_100)) == (call, ())
    call, _ = told(asked(consent, keys=ConsentKeys(accept="1", refuse="9")), *before)
    for digit in "*#":
        assert told(call, key(digit, 1_100)) == (call, ())


# -- once more, and in another language --------------------------------------------------------


@pytest.mark.parametrize(("digit", "language"), [("*", "ja"), ("#", "en")])
@pytest.mark.parametrize("consent", ASKING)
def test_the_notice_again_while_it_plays(consent: Consent, digit: str, language: str) -> None:
    call, commands = told(asked(consent), STARTED, key("1"), key(digit, 600))
    assert commands == (
        StopPlayback(PLAYBACK),
        ClearDeadline(Deadline.GRACE),
        Play(SECOND, f"sound:/prompts/{language}/notice"),
        SetDeadline(Deadline.NOTICE, NOTICE_MS + LIMITS.notice_margin_ms),
    )
    again = undecided(call)
    assert (again.started, again.accepted) == (None, False), "all that was so far counts no more"
    assert told(call, HEARD) == (call, ()), "the first playback"


@pytest.mark.parametrize(("digit", "language"), [("*", "ja"), ("#", "en")])
def test_the_notice_again_after_it(digit: str, language: str) -> None:
    call, commands = told(asked(Consent.OPT_IN), *ASKED, key(digit, 1_100))
    assert commands == (
        ClearDeadline(Deadline.GRACE),
        Play(SECOND, f"sound:/prompts/{language}/notice"),
        SetDeadline(Deadline.NOTICE, NOTICE_MS + LIMITS.notice_margin_ms),
    )
    assert call.phase is CallPhase.NOTICE
    started, heard = PlaybackStarted(SECOND, 1_150), PlaybackFinished(SECOND, True, 2_150)
    call, commands = told(call, started)
    detail = {"notice": f"standard/1/{language}", "playback": SECOND}
    assert commands == (AppendRow(Kind.NOTICE_STARTED, detail),)
    _, commands = told(call, heard, key("1", 2_200))
    assert allowed(Reason.CONSENT_GIVEN, commands, language)


def test_the_first_language_comes_after_the_last() -> None:
    call, _ = told(asked(Consent.OPT_OUT, repeats_max=2), STARTED, key("#", 100))
    _, commands = told(call, key("#", 200))
    assert Play(THIRD, "sound:/prompts/ja/notice") in commands


@pytest.mark.parametrize("digit", "*#")
def test_the_notice_is_not_played_for_ever(digit: str) -> None:
    call, _ = told(asked(Consent.OPT_IN), STARTED, key(digit))
    assert told(call, key(digit, 600)) == (call, ())
    call, _ = told(asked(Consent.OPT_IN, repeats_max=0), STARTED)
    assert told(call, key(digit)) == (call, ())


def test_what_does_not_fit_before_the_dialplans_limit_is_not_played_again() -> None:
    last = LIMITS.dialplan_ms - NOTICE_MS - LIMITS.notice_margin_ms - 200
    call, _ = told(asked(Consent.OPT_OUT), *ASKED)
    assert told(call, key("*", last)) == (call, ())
    assert Play(SECOND, "sound:/prompts/ja/notice") in told(call, key("*", last - 1))[1]


@pytest.mark.parametrize("on_problem", [OnProblem.TELL, OnProblem.END])
def test_the_announcement_is_in_the_language_last_spoken(on_problem: OnProblem) -> None:
    call, commands = told(asked(Consent.OPT_OUT, on_problem), STARTED, key("#"), key("9", 600))
    assert commands == (
        StopPlayback(SECOND),
        consent_row("refused", Actor.CALLER),
        *NO_MORE_WAITING,
        *ended_with(Reason.CONSENT_REFUSED, on_problem, SAID[on_problem], language="en", nth=3),
    )
    assert told(call, PlaybackFinished(SECOND, True, 700)) == (call, ())


# -- too late ----------------------------------------------------------------------------------

LATE = LIMITS.dialplan_ms


@pytest.mark.parametrize(
    ("consent", "event"),
    [
        (Consent.OPT_IN, key("1", LATE)),
        (Consent.OPT_IN, DeadlinePassed(Deadline.GRACE, LATE)),
        (Consent.OPT_OUT, DeadlinePassed(Deadline.GRACE, LATE)),
    ],
)
def test_nothing_is_decided_for_a_dialplan_that_waits_no_longer(
    consent: Consent, event: CallEvent
) -> None:
    _, commands = told(asked(consent), *ASKED, event)
    late = ended_with(Reason.NOTICE_TIMED_OUT, OnProblem.CONTINUE, None)
    assert commands == (*NO_MORE_WAITING, *late)


@pytest.mark.parametrize(
    ("consent", "event", "reason"),
    [
        (Consent.OPT_IN, key("1", LATE - 1), Reason.CONSENT_GIVEN),
        (
            Consent.OPT_OUT,
            DeadlinePassed(Deadline.GRACE, LATE - 1),
            Reason.CONSENT_NOT_REFUSED,
        ),
    ],
)
def test_just_in_time(consent: Consent, event: CallEvent, reason: Reason) -> None:
    assert allowed(reason, told(asked(consent), *ASKED, event)[1])


def test_who_is_hanging_up_has_not_consented_by_silence() -> None:
    """The grace can end between the hang-up and the channel's leaving."""
    call, _ = told(asked(Consent.OPT_OUT), *ASKED, HangupRequested(), GRACE_IS_OVER)
    assert call.decision is not None
    assert call.decision.reason is Reason.HANGUP_IN_NOTICE
    assert call.capture.state is Capture.NONE


def test_a_no_is_never_too_late() -> None:
    call, _ = told(asked(Consent.OPT_OUT), *ASKED, key("9", LATE + 1))
    assert call.decision is not None
    assert call.decision.reason is Reason.CONSENT_REFUSED


# -- while we ask ------------------------------------------------------------------------------


def test_a_stopping_service_waits_for_an_answer_not_for_ever() -> None:
    call, commands = told(asked(Consent.OPT_IN), *ASKED, ServiceStopping())
    assert commands == (SetDeadline(Deadline.STOP, LIMITS.stop_ms),)
    assert allowed(Reason.CONSENT_GIVEN, told(call, key("1", 1_100))[1])
    stopped = ended_with(Reason.SERVICE_STOPPING, OnProblem.CONTINUE, None)
    assert told(call, STOP_IS_LATE)[1] == (*NO_MORE_WAITING, *stopped)


@pytest.mark.parametrize("consent", ASKING)
def test_who_hangs_up_in_the_grace_has_heard_the_notice(consent: Consent) -> None:
    """So there is no ``notice_incomplete`` row beside ``notice_completed``; no consent either."""
    call, _ = told(asked(consent), *ASKED, HangupRequested())
    reason = Reason.HANGUP_IN_NOTICE
    row = decided(Status.NOT_RECORDED, reason)
    assert told(call, LeftStasis())[1] == (*NO_MORE_WAITING, row)
    assert told(call, GONE)[1] == (
        *NO_MORE_WAITING,
        row,
        AppendRow(Kind.CALL_ENDED, {"bridged_ms": 0}),
        ClearDeadline(Deadline.GROWTH),
        Forget(),
    )


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (CommandFailed(CommandStep.PLAY), Reason.ASTERISK_REFUSED),
        (CommandFailed(CommandStep.PLAY, reachable=False), Reason.CONNECTION_LOST),
        (EventsOverflowed(), Reason.EVENTS_OVERFLOWED),
    ],
)
def test_what_goes_wrong_in_the_grace(event: CallEvent, reason: Reason) -> None:
    _, commands = told(asked(Consent.OPT_OUT), *ASKED, event)
    assert commands == (*NO_MORE_WAITING, *ended_with(reason, OnProblem.CONTINUE, None))


def test_a_store_that_fails_in_the_grace() -> None:
    _, commands = told(asked(Consent.OPT_OUT), *ASKED, RowsRefused())
    assert commands[-3:] == ended_with(Reason.STORE_FAILED, OnProblem.CONTINUE, None)


def test_taken_back_in_the_grace() -> None:
    _, commands = told(asked(Consent.OPT_OUT), *ASKED, LeftStasis())
    assert commands == (*NO_MORE_WAITING, decided(Status.NOT_RECORDED, Reason.TAKEN_BACK))


def test_a_bridge_in_the_grace_is_remembered() -> None:
    call, commands = told(asked(Consent.OPT_OUT), *ASKED, Bridged(1_100))
    assert (call.file_clock.bridged_at_ms, commands) == (1_100, ())
