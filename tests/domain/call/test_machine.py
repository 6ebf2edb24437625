"""The life of a call as traces: given a call, when this happens, then exactly these commands.

From the arrival to the decision; ``test_call_in_dialplan.py`` goes on from there. What holds in
*every* order of events is in ``test_call_machine.py``; here each rule is one story.
"""

from __future__ import annotations

import pytest

from asterisk_compliance.domain.audit.rows import Actor, Kind, PersonalFact
from asterisk_compliance.domain.call import machine as rules
from asterisk_compliance.domain.call.commands import (
    AnswerCommand,
    AppendRow,
    ClearDeadline,
    CommandStep,
    CommitCommand,
    Continue,
    Deadline,
    Forget,
    HandOver,
    Play,
    SetDeadline,
    StopPlayback,
)
from asterisk_compliance.domain.call.decision import Reason, Status
from asterisk_compliance.domain.call.events import (
    CallEvent,
    CommandFailed,
    EventsOverflowed,
    HangupRequested,
    LeftStasis,
    PlaybackFinished,
    PlaybackStarted,
    Reentered,
    RowsRefused,
    ServiceStopping,
)
from asterisk_compliance.domain.call.state import CallPhase
from asterisk_compliance.domain.policy.notice import CaptureFrom
from asterisk_compliance.domain.recording.verdict import Capture
from asterisk_compliance.ids import playback_id
from domain.call_builder import undecided
from domain.simulator import CALL, CHANNEL, LIMITS, NOTICE_MS, arrival
from domain.traces import (
    ALLOWED,
    CONTINUED,
    CUT,
    FAILED,
    GONE,
    GROWTH_IS_LATE,
    HEARD,
    NO_MORE_WAITING,
    NOTICE_IS_LATE,
    PARTY,
    PLAYBACK,
    STARTED,
    STOP_IS_LATE,
    TOLD,
    anomaly,
    arrived,
    incomplete,
    of_recording,
    refused,
    refused_row,
    told,
)


def test_a_call_arrives_and_hears_the_notice() -> None:
    facts = (PersonalFact("number", "0312345678", "0312345678"),)
    call, commands = rules.arrive(CALL, arrival(facts=facts), LIMITS)
    assert call.phase is CallPhase.NOTICE
    assert commands == (
        AppendRow(
            Kind.CALL_ARRIVED,
            {
                "channel": CHANNEL,
                "entry": "ari",
                "leg": "caller",
                "linkedid": CHANNEL,
                "policy": "inbound",
                "policy_digest": "p" * 64,
                "queue": "",
                "rules": (),
                "synthetic": False,
            },
            actor=Actor.CALLER,
            party=PARTY,
            facts=facts,
        ),
        AnswerCommand(),
        Play(PLAYBACK, "sound:/prompts/ja/notice"),
        SetDeadline(Deadline.NOTICE, NOTICE_MS + LIMITS.notice_margin_ms),
    )


@pytest.mark.parametrize("synthetic", [True, False])
def test_what_is_recorded_of_a_synthetic_call_goes(synthetic: bool) -> None:
    call, commands = rules.arrive(CALL, arrival(synthetic=synthetic), LIMITS)
    arrived = commands[0]
    assert isinstance(arrived, AppendRow)
    assert arrived.detail["synthetic"] is synthetic
    assert (call.synthetic, call.consent.deletes_recordings) == (synthetic, synthetic)


def test_a_channel_that_is_up_is_not_answered_again() -> None:
    _, commands = rules.arrive(CALL, arrival(answered=True), LIMITS)
    assert [type(command) for command in commands] == [AppendRow, Play, SetDeadline]


@pytest.mark.parametrize(
    "reason", [Reason.POLICY_UNKNOWN, Reason.POLICY_MISSING, Reason.ARGUMENTS_INVALID]
)
def test_a_call_without_a_policy_goes_back_at_once(reason: Reason) -> None:
    call, (row, *rest) = rules.arrive(CALL, arrival(policy=reason), LIMITS)
    assert isinstance(row, AppendRow)
    assert row.detail["policy_digest"] == ""
    assert tuple(rest) == refused(reason)
    assert call.phase is CallPhase.CONTINUING


def test_a_stopping_service_takes_no_call() -> None:
    _, (_, *rest) = rules.arrive(CALL, arrival(stopping=True), LIMITS)
    assert tuple(rest) == refused(Reason.SERVICE_STOPPING)


def test_a_stranded_call_is_decided_if_it_was_not() -> None:
    call, commands = rules.resume_stranded_call(CALL, arrival(), LIMITS, decided=False)
    assert commands == refused(Reason.SERVICE_RESTARTED)
    assert call.phase is CallPhase.CONTINUING


def test_a_stranded_call_is_not_decided_twice() -> None:
    _, commands = rules.resume_stranded_call(CALL, arrival(), LIMITS, decided=True)
    result = HandOver(CALL, Status.NOT_RECORDED, Reason.SERVICE_RESTARTED)
    assert commands == (anomaly("STRANDED"), result, Continue())


def test_the_beginning_of_the_notice_is_a_row() -> None:
    _, commands = told(arrived(), STARTED)
    detail = {"notice": "standard/1/ja", "playback": PLAYBACK}
    assert commands == (AppendRow(Kind.NOTICE_STARTED, detail),)


def test_a_completed_notice_allows_the_recording_behind_a_commit() -> None:
    call, commands = told(arrived(), *TOLD)
    assert commands == (
        AppendRow(
            Kind.NOTICE_COMPLETED,
            {
                "audio_digest": "a" * 64,
                "lasted_ms": 1_000,
                "length_ms": NOTICE_MS,
                "notice": "standard/1/ja",
                "purposes": ("SERVICE",),
                "text_digest": "t" * 64,
            },
        ),
        *NO_MORE_WAITING,
        AppendRow(
            Kind.DECISION,
            {
                "notice": "standard/1/ja",
                "purposes": ("SERVICE",),
                "reason": Reason.NOTICE_COMPLETED,
                "status": Status.ALLOWED,
                "told_by": "notice",
            },
        ),
        of_recording(
            Kind.RECORDING_REQUESTED,
            capture=CaptureFrom.BRIDGED,
            others=True,
            policy="inbound",
            retention=(),
        ),
        CommitCommand(),
        ALLOWED,
        Continue(),
    )
    assert call.capture.state is Capture.REQUESTED


@pytest.mark.parametrize(
    ("finished", "reason", "lasted_ms"),
    [
        (FAILED, Reason.NOTICE_FAILED, 50),
        (CUT, Reason.NOTICE_CUT_SHORT, 490),
        (PlaybackFinished(PLAYBACK, True, 969, 5_959), Reason.NOTICE_CUT_SHORT, 959),
        (PlaybackFinished(PLAYBACK, True, 3_000, 7_990), Reason.NOTICE_TIMED_OUT, 2_990),
    ],
)
def test_a_notice_that_was_not_completed(
    finished: PlaybackFinished, reason: Reason, lasted_ms: int
) -> None:
    call, commands = told(arrived(), STARTED, finished)
    assert commands == (*incomplete(reason, lasted_ms), *refused(reason))
    assert call.capture.state is Capture.NONE


@pytest.mark.parametrize(
    ("finished", "lasted_ms"),
    [
        (PlaybackFinished(PLAYBACK, True, 970, 5_960), 960),
        (PlaybackFinished(PLAYBACK, True, 2_999, None), 2_989),
        (PlaybackFinished(PLAYBACK, True, 1_110, 6_000), 1_000),
    ],
    ids=["two frames early", "just in time, one clock", "told late"],
)
def test_a_notice_that_just_counts(finished: PlaybackFinished, lasted_ms: int) -> None:
    _, commands = told(arrived(), STARTED, finished)
    (row, *_) = commands
    assert isinstance(row, AppendRow)
    assert (row.kind, row.detail["lasted_ms"]) == (Kind.NOTICE_COMPLETED, lasted_ms)
    assert ALLOWED in commands


@pytest.mark.parametrize(
    ("ours_ms", "asterisks_ms"),
    [(1_010, 5_400), (410, 6_000)],
    ids=["asterisk saw less", "we saw less"],
)
def test_both_clocks_must_have_seen_the_whole_prompt(ours_ms: int, asterisks_ms: int) -> None:
    _, commands = told(arrived(), STARTED, PlaybackFinished(PLAYBACK, True, ours_ms, asterisks_ms))
    assert commands[-3:] == refused(Reason.NOTICE_CUT_SHORT)


def test_a_playback_that_never_began_was_not_heard() -> None:
    _, commands = told(arrived(), HEARD)
    reason = Reason.NOTICE_CUT_SHORT
    assert commands == (*incomplete(reason), *refused(reason))


def test_other_playbacks_say_nothing() -> None:
    other = playback_id(CALL, 2)
    call, commands = told(arrived(), PlaybackStarted(other, 10))
    assert (undecided(call).started, commands) == (None, ())
    assert told(call, PlaybackFinished(other, True, 5_000)) == (call, ())


@pytest.mark.parametrize(
    ("deadline", "reason"),
    [(NOTICE_IS_LATE, Reason.NOTICE_TIMED_OUT), (STOP_IS_LATE, Reason.SERVICE_STOPPING)],
)
def test_a_notice_that_takes_too_long_is_stopped(deadline: CallEvent, reason: Reason) -> None:
    _, commands = told(arrived(), STARTED, deadline)
    assert commands == (StopPlayback(PLAYBACK), *incomplete(reason), *refused(reason))


def test_a_stopping_service_waits_for_a_notice_that_plays() -> None:
    call, commands = told(arrived(), STARTED, ServiceStopping())
    assert commands == (SetDeadline(Deadline.STOP, LIMITS.stop_ms),)
    assert ALLOWED in told(call, HEARD)[1]


def test_growth_means_nothing_in_the_notice() -> None:
    call = arrived()
    assert told(call, GROWTH_IS_LATE) == (call, ())


def test_who_hangs_up_in_the_notice_gets_no_result() -> None:
    call, commands = told(arrived(), STARTED, HangupRequested())
    assert commands == ()
    reason = Reason.HANGUP_IN_NOTICE
    assert told(call, LeftStasis())[1] == (*incomplete(reason), refused_row(reason))


@pytest.mark.parametrize("finished", [FAILED, CUT])
def test_a_playback_ends_because_the_caller_hangs_up(finished: CallEvent) -> None:
    _, commands = told(arrived(), STARTED, HangupRequested(), finished)
    assert commands[-3:] == refused(Reason.HANGUP_IN_NOTICE)


def test_the_channel_is_gone_in_the_notice() -> None:
    call, commands = told(arrived(), STARTED, GONE)
    reason = Reason.HANGUP_IN_NOTICE
    assert commands == (
        *incomplete(reason),
        refused_row(reason),
        AppendRow(Kind.CALL_ENDED, {"bridged_ms": 0}),
        ClearDeadline(Deadline.GROWTH),
        Forget(),
    )
    assert call.phase is CallPhase.OVER


def test_the_dialplan_takes_the_call_back() -> None:
    _, commands = told(arrived(), STARTED, LeftStasis())
    assert commands == (*incomplete(Reason.TAKEN_BACK), refused_row(Reason.TAKEN_BACK))


@pytest.mark.parametrize("step", [CommandStep.ANSWER, CommandStep.PLAY])
def test_asterisk_refuses_a_command(step: CommandStep) -> None:
    _, commands = told(arrived(), CommandFailed(step))
    assert commands[-3:] == refused(Reason.ASTERISK_REFUSED)
    _, commands = told(arrived(), CommandFailed(step, reachable=False))
    assert commands[-3:] == refused(Reason.CONNECTION_LOST)
    _, commands = told(arrived(), HangupRequested(), CommandFailed(step))
    assert commands[-3:] == refused(Reason.HANGUP_IN_NOTICE)


def test_events_that_overflow_in_the_notice() -> None:
    _, commands = told(arrived(), STARTED, EventsOverflowed())
    reason = Reason.EVENTS_OVERFLOWED
    assert commands == (*incomplete(reason), *refused(reason))


def test_stasis_start_twice_changes_nothing() -> None:
    call = arrived()
    assert told(call, Reentered()) == (call, (anomaly("STASIS_START_TWICE"),))


def test_a_store_that_fails_in_the_notice() -> None:
    call, commands = told(arrived(), STARTED, RowsRefused())
    assert commands == (
        StopPlayback(PLAYBACK),
        *NO_MORE_WAITING,
        *refused(Reason.STORE_FAILED),
    )
    assert told(call, RowsRefused()) == (call, ())  # the rows that say so failed too


def test_a_decision_that_cannot_be_stored_is_not_handed_over() -> None:
    call, commands = told(
        arrived(), *TOLD, RowsRefused(at_commit=True, undone=(ALLOWED, Continue()))
    )
    assert commands == refused(Reason.STORE_FAILED)
    assert call.capture.state is Capture.NONE
    assert told(call, CONTINUED, GONE)[1][-1] == Forget()
