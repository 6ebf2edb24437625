"""Calls that sell: who we are is said first, and who says no is not called again."""

from __future__ import annotations

import pytest

from asterisk_compliance.domain.audit.rows import Actor, Kind
from asterisk_compliance.domain.call.commands import (
    AppendRow,
    Deadline,
    Play,
    SetDeadline,
    StopPlayback,
)
from asterisk_compliance.domain.call.decision import Reason, Status
from asterisk_compliance.domain.call.events import (
    AskedBy,
    DeadlinePassed,
    DoNotCallAsked,
    HangupRequested,
    PlaybackFinished,
    PlaybackStarted,
)
from asterisk_compliance.domain.call.state import Call
from asterisk_compliance.domain.phone_numbers import comparable
from asterisk_compliance.domain.policy.notice import Consent, Prompt
from domain.call_builder import undecided
from domain.simulator import LIMITS, NOTICE_MS, arrival, policy
from domain.traces import (
    IN_DIALPLAN,
    PLAYBACK,
    SECOND,
    anomaly,
    arrived,
    consent_row,
    decided,
    key,
    refused_row,
    told,
)
from values import replace

INTRODUCTION = Prompt("sound:/who/we/are", 600, "d" * 64)
BEGINS = PlaybackStarted(PLAYBACK, at_ms=10, asterisk_ms=5_000)
ENDS = PlaybackFinished(PLAYBACK, done=True, at_ms=610, asterisk_ms=5_600)
NOTICE_BEGINS = PlaybackStarted(SECOND, at_ms=620, asterisk_ms=5_610)
NOTICE_ENDS = PlaybackFinished(SECOND, done=True, at_ms=1_620, asterisk_ms=6_610)
NUMBER = "81312345678"
BY_REFUSAL = AppendRow(Kind.DO_NOT_CALL_ADDED, {"by": "refusal"}, actor=Actor.CALLER, listed=NUMBER)


def sells(consent: Consent = Consent.OPT_OUT, outside: str = NUMBER) -> Call:
    terms = replace(
        policy(consent=consent),
        introduction={"ja": INTRODUCTION, "en": INTRODUCTION},
        do_not_call=True,
    )
    return arrived(policy=terms, outside=outside)


def limit(length_ms: int) -> SetDeadline:
    return SetDeadline(Deadline.NOTICE, length_ms + LIMITS.notice_margin_ms)


def test_the_introduction_is_played_first() -> None:
    from asterisk_compliance.domain.call import machine as rules
    from domain.simulator import CALL

    terms = replace(policy(), introduction={"ja": INTRODUCTION, "en": INTRODUCTION})
    call, commands = rules.arrive(CALL, arrival(policy=terms), LIMITS)
    assert undecided(call).introduction is not None
    assert commands[-2:] == (Play(PLAYBACK, INTRODUCTION.media), limit(600))


def test_only_the_notice_is_said_to_have_begun() -> None:
    _, commands = told(sells(), BEGINS)
    assert commands == ()


def test_behind_a_completed_introduction_comes_the_notice() -> None:
    call, commands = told(sells(), BEGINS, ENDS)
    assert undecided(call).introduction is None
    row = {"audio_digest": "d" * 64, "lasted_ms": 600, "length_ms": 600}
    assert commands == (
        AppendRow(Kind.INTRODUCTION_COMPLETED, row),
        Play(SECOND, undecided(call).wording.media),
        limit(NOTICE_MS),
    )


def test_the_decision_follows_from_the_notice() -> None:
    call, _ = told(sells(Consent.NOTICE), BEGINS, ENDS, NOTICE_BEGINS)
    assert call.decision is None
    call, _ = told(call, NOTICE_ENDS)
    assert call.decision is not None
    assert call.decision.reason is Reason.NOTICE_COMPLETED


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (replace(ENDS, at_ms=400), Reason.NOTICE_CUT_SHORT),
        (replace(ENDS, asterisk_ms=5_400), Reason.NOTICE_CUT_SHORT),
        (replace(ENDS, done=False), Reason.NOTICE_FAILED),
        (DeadlinePassed(Deadline.NOTICE), Reason.NOTICE_TIMED_OUT),
    ],
)
def test_an_introduction_that_was_not_whole_counts_as_a_notice_that_was_not(event, reason) -> None:
    call, commands = told(sells(Consent.NOTICE), BEGINS, event)
    assert refused_row(reason) in commands
    assert call.decision is not None
    assert not call.decision.allowed


def test_who_hangs_up_in_it_is_not_recorded() -> None:
    call, _ = told(sells(), BEGINS, HangupRequested(), replace(ENDS, done=False))
    assert call.decision is not None
    assert call.decision.reason is Reason.HANGUP_IN_NOTICE


def test_a_no_during_the_introduction_is_one() -> None:
    call, commands = told(sells(), BEGINS, key("9", 300))
    assert commands[:3] == (
        StopPlayback(PLAYBACK),
        consent_row("refused", Actor.CALLER),
        BY_REFUSAL,
    )
    assert decided(Status.REFUSED, Reason.CONSENT_REFUSED) in commands
    assert call.consent.on_do_not_call_list


@pytest.mark.parametrize("digit", ["1", "*", "#", "5"])
def test_nothing_else_can_be_answered_to_it(digit: str) -> None:
    before, _ = told(sells(Consent.OPT_IN), BEGINS)
    assert told(before, key(digit, 300)) == (before, ())


def test_a_refusal_behind_the_notice_puts_the_number_on_the_list() -> None:
    _, commands = told(sells(), BEGINS, ENDS, NOTICE_BEGINS, NOTICE_ENDS, key("9", 1_700))
    assert BY_REFUSAL in commands


def test_silence_is_no_wish_not_to_be_called() -> None:
    over = DeadlinePassed(Deadline.GRACE, at_ms=1_900)
    call, commands = told(sells(Consent.OPT_IN), BEGINS, ENDS, NOTICE_BEGINS, NOTICE_ENDS, over)
    assert decided(Status.REFUSED, Reason.CONSENT_NOT_GIVEN) in commands
    assert BY_REFUSAL not in commands
    assert not call.consent.on_do_not_call_list


def test_without_a_number_nobody_can_be_listed() -> None:
    _, commands = told(sells(outside=""), BEGINS, key("9", 300))
    assert anomaly("DO_NOT_CALL_UNKNOWN") in commands


def test_a_policy_that_keeps_no_list_adds_to_none() -> None:
    call, commands = told(arrived(policy=policy(consent=Consent.OPT_OUT), outside=NUMBER), key("9"))
    assert not any(isinstance(one, AppendRow) and one.listed for one in commands)
    assert not call.consent.on_do_not_call_list


@pytest.mark.parametrize("allowed", [True, False])
def test_who_says_so_to_the_agent_is_listed_once(allowed: bool) -> None:
    events = IN_DIALPLAN if allowed else (DeadlinePassed(Deadline.NOTICE),)
    call, _ = told(arrived(outside=NUMBER), *events)
    asked = DoNotCallAsked(3_000, AskedBy(Actor.AGENT))
    call, commands = told(call, asked)
    row = AppendRow(Kind.DO_NOT_CALL_ADDED, {"by": "asked"}, actor=Actor.AGENT, listed=NUMBER)
    assert commands == (row,)
    assert told(call, asked) == (call, ())


@pytest.mark.parametrize(
    ("number", "home", "same"),
    [
        ("03-1234-5678", "JP", NUMBER),
        ("+81 3 1234 5678", "JP", NUMBER),
        ("+81312345678", None, NUMBER),
        ("0312345678", None, "0312345678"),
        ("203", "JP", "203"),
        ("anonymous", "JP", ""),
        ("", "JP", ""),
        ("٣١", None, ""),
        ("1" * 100, "JP", "1" * 64),
    ],
)
def test_numbers_are_compared_in_one_form(number: str, home: str | None, same: str) -> None:
    assert comparable(number, home) == same
