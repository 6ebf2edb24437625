"""Who can be heard in a recording, and what each was told, from the rows of its call."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.domain.access.audibility import (
    Audible,
    audible_in,
    is_stopped,
    is_withheld,
    queue_of,
    told_before,
)
from asterisk_compliance.domain.audit.encoding import Row
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.recording.interruption_reasons import FAILURES, StopReason
from asterisk_compliance.ids import NodeName, call_id, recording_id

CALL = call_id(1_764_000_000_000, bytes(8))
FIRST, SECOND = recording_id(CALL, 1), recording_id(CALL, 2)
CHANNEL, OTHER = "1764000000.7", "1764000000.8"
BOTH = ("QUALITY", "SERVICE")


def rows(*facts: tuple[Kind, dict[str, Any]]) -> list[Row]:
    return [
        Row("service", "2026-11-24T08:00:00.000Z", CALL, detail, kind, "l", NodeName("pbx1"), "", n)
        for n, (kind, detail) in enumerate(facts, 10)
    ]


def told(*purposes: str) -> tuple[Kind, dict[str, Any]]:
    return Kind.NOTICE_COMPLETED, {"purposes": purposes}


def begins(recording: str = FIRST, *, others: bool = True) -> tuple[Kind, dict[str, Any]]:
    return Kind.RECORDING_REQUESTED, {"recording": recording, "others": others}


def runs(recording: str = FIRST) -> tuple[Kind, dict[str, Any]]:
    return Kind.RECORDING_STARTED, {"recording": recording}


def joins(cover: str, channel: str = CHANNEL) -> tuple[Kind, dict[str, Any]]:
    return Kind.PARTY_JOINED, {"channel": channel, "cover": cover, "party": "y-1"}


def whispered(*purposes: str, channel: str = CHANNEL) -> tuple[Kind, dict[str, Any]]:
    return Kind.PARTY_TOLD, {"channel": channel, "purposes": purposes}


def closed(recording: str = FIRST, tx: str = "heard") -> tuple[Kind, dict[str, Any]]:
    return Kind.RECORDING_CLOSED, {"recording": recording, "tx": tx}


ENDED: tuple[Kind, dict[str, Any]] = (Kind.CALL_ENDED, {})
CALLER = Audible(frozenset(BOTH))


def others_in(*facts: tuple[Kind, dict[str, Any]], recording: str = FIRST) -> list[Audible]:
    caller, *others = audible_in(rows(*facts), recording)  # type: ignore[arg-type]
    assert caller == CALLER
    return others


def test_the_caller_alone_was_told_by_the_notice():
    assert others_in(told(*BOTH), begins(), runs(), ENDED, closed()) == []


def test_the_notice_before_the_recording_counts_and_the_last_of_several():
    facts = (told("TRAINING"), told(*BOTH), begins(), told("DISPUTE"), ENDED)
    assert others_in(*facts) == []


def test_a_caller_of_whom_no_row_says_that_he_was_told_was_told_nothing():
    assert audible_in(rows(begins(), ENDED), FIRST) == (Audible(),)
    assert audible_in([], FIRST) == (Audible(),)


@pytest.mark.parametrize("cover", ["staff", "assumed"])
def test_the_controller_s_own_people_are_not_asked(cover):
    assert others_in(told(*BOTH), begins(), joins(cover), ENDED) == []


@pytest.mark.parametrize("cover", ["unknown", "refused"])
def test_who_is_not_kept_is_in_it_once_he_was_told(cover):
    facts = (told(*BOTH), begins(), joins(cover))
    assert others_in(*facts, ENDED) == []
    (heard,) = others_in(*facts, whispered("QUALITY"), ENDED)
    assert (heard.told, heard.cover) == (frozenset({"QUALITY"}), cover)
    assert not heard.was_told_elsewhere
    assert not heard.was_accepted


def test_who_was_told_on_his_own_leg_was_told_elsewhere():
    (heard,) = others_in(told(*BOTH), begins(), joins("told"), ENDED)
    assert heard == Audible(frozenset(), CHANNEL, "told", 12)
    assert heard.was_told_elsewhere
    assert not heard.was_accepted


def test_who_heard_the_whisper_as_well_was_told_by_it():
    facts = (told(*BOTH), begins(), joins("told"), whispered("QUALITY"), ENDED)
    (heard,) = others_in(*facts)
    assert not heard.was_told_elsewhere


def test_who_was_accepted_was_told_nothing():
    (heard,) = others_in(told(*BOTH), begins(), joins("accepted"), ENDED)
    assert heard.was_accepted
    assert not heard.told


def test_a_cover_of_a_later_version_is_an_outsider_s():
    (heard,) = others_in(told(*BOTH), begins(), joins("something"), ENDED)
    assert not heard.told


def test_who_came_before_the_recording_may_still_be_there():
    facts = (told(*BOTH), joins("told"), begins(), runs(), ENDED)
    assert len(others_in(*facts)) == 1


@pytest.mark.parametrize(
    "over",
    [
        ENDED,
        runs(SECOND),
        (Kind.CAPTURE_STOPPED, {"recording": FIRST, "reason": StopReason.WITHDRAWN}),
    ],
)
def test_who_comes_when_it_is_over_is_not_in_it(over):
    facts = (told(*BOTH), begins(), runs(), begins(SECOND), over)
    assert others_in(*facts, joins("told")) == []
    assert others_in(*facts, joins("unknown"), whispered("QUALITY")) == []


@pytest.mark.parametrize(
    "not_over",
    [
        runs(FIRST),
        (Kind.RECORDING_STARTED, {"recording": "what"}),
        (Kind.CAPTURE_STOPPED, {"recording": SECOND, "reason": StopReason.ASKED}),
        *((Kind.CAPTURE_STOPPED, {"recording": FIRST, "reason": one}) for one in sorted(FAILURES)),
    ],
)
def test_what_is_not_its_end_keeps_it_open(not_over):
    assert len(others_in(told(*BOTH), begins(), not_over, joins("told"))) == 1


def test_the_second_segment_has_who_came_before_and_after():
    facts = (told(*BOTH), begins(), runs(), joins("unknown"), whispered(*BOTH), begins(SECOND))
    facts += (runs(SECOND), joins("told", OTHER), ENDED)
    assert [one.channel for one in others_in(*facts, recording=SECOND)] == [CHANNEL, OTHER]
    assert [one.channel for one in others_in(*facts)] == [CHANNEL]


def test_an_earlier_segment_that_is_seen_late_ends_nothing():
    facts = (told(*BOTH), begins(), begins(SECOND), runs(FIRST), joins("told"))
    assert len(others_in(*facts, recording=SECOND)) == 1


def test_where_the_others_were_never_captured_nobody_else_is_heard():
    facts = (told(*BOTH), begins(others=False), joins("told"), ENDED)
    assert others_in(*facts) == []
    both = (told(*BOTH), begins(), begins(SECOND, others=False), joins("told"), ENDED)
    assert len(others_in(*both)) == 1
    assert others_in(*both, recording=SECOND) == []


def test_where_nothing_of_the_others_was_kept_nobody_else_is_heard():
    facts = (told(*BOTH), begins(), joins("told"), ENDED)
    assert others_in(*facts, closed(tx="not_kept")) == []
    assert len(others_in(*facts, closed(tx="silent"))) == 1
    assert len(others_in(*facts, closed(SECOND, tx="not_kept"))) == 1


def test_what_the_dialplan_recorded_alone_holds_the_caller_and_what_it_promised():
    adopted = (Kind.RECORDING_ADOPTED, {"recording": FIRST, "purposes": BOTH, "others": False})
    assert others_in(adopted, told("TRAINING"), joins("told")) == []
    elsewhere = (Kind.RECORDING_ADOPTED, {"recording": SECOND, "purposes": ("TRAINING",)})
    assert others_in(told(*BOTH), elsewhere, begins()) == []


def test_who_comes_again_keeps_what_he_was_told():
    facts = (joins("unknown"), whispered("QUALITY"), joins("unknown"), whispered("SERVICE"))
    (heard,) = others_in(told(*BOTH), begins(), *facts, ENDED)
    assert heard.told == frozenset(BOTH)


def test_what_a_row_says_in_another_form_tells_nothing():
    wrong = (Kind.NOTICE_COMPLETED, {"purposes": "QUALITY"})
    assert audible_in(rows(wrong, begins()), FIRST) == (Audible(),)


purposes = st.lists(st.sampled_from(["QUALITY", "SERVICE", "TRAINING"]), max_size=3, unique=True)
happenings = st.one_of(
    purposes.map(lambda codes: told(*codes)),
    st.sampled_from([begins(), begins(SECOND), runs(), runs(SECOND), ENDED, closed()]),
    st.builds(joins, st.sampled_from(["staff", "told", "accepted", "unknown", "refused"])),
    purposes.map(lambda codes: whispered(*codes)),
)


@given(st.lists(happenings, max_size=12), st.lists(happenings, max_size=4))
def test_there_is_always_somebody_and_later_rows_take_nobody_out_of_it(before, after):
    def people(facts: list[tuple[Kind, dict[str, Any]]]) -> set[str]:
        return {one.channel for one in audible_in(rows(*facts), FIRST)}

    assert "" in people(before)
    assert people(before) <= people(before + after)


# -- his own call --------------------------------------------------------------------------------


def test_he_was_told_what_his_own_notice_said_before_he_came():
    own = rows(told("QUALITY"), told("SERVICE"), told("TRAINING"), ENDED)
    assert told_before(own, 12) == {"QUALITY", "SERVICE"}
    assert told_before(own, 10) == frozenset()
    assert told_before([], 10) == frozenset()


def test_the_queue_of_a_call():
    arrived = (Kind.CALL_ARRIVED, {"queue": "support"})
    assert queue_of(rows(arrived, ENDED)) == "support"
    assert queue_of(rows((Kind.CALL_ARRIVED, {"queue": ""}))) == ""
    assert queue_of(rows((Kind.CALL_ARRIVED, {}), ENDED)) is None
    assert queue_of([]) is None


# -- what stands against it ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("earlier", "withheld"), [("keep", False), ("hold", True), ("delete", True)]
)
def test_who_withdrew_under_a_policy_that_keeps_is_used(earlier, withheld):
    withdrawn = (Kind.CONSENT, {"state": "withdrawn", "earlier": earlier})
    assert is_withheld(rows(told(*BOTH), withdrawn)) is withheld
    assert not is_withheld(rows((Kind.CONSENT, {"state": "given"}), told(*BOTH)))
    assert not is_withheld(rows((Kind.DECISION, {"state": "withdrawn", "earlier": "hold"})))


def stop(request: str, *codes: str) -> tuple[Kind, dict[str, Any]]:
    return Kind.USE_STOPPED, {"request": request, "purposes": codes}


def resume(request: str, *codes: str) -> tuple[Kind, dict[str, Any]]:
    return Kind.USE_RESUMED, {"request": request, "purposes": codes}


@pytest.mark.parametrize(
    ("facts", "stopped"),
    [
        ((), ()),
        ((stop("q-1"),), BOTH),
        ((stop("q-1", "QUALITY"),), ("QUALITY",)),
        ((stop("q-1"), resume("q-1")), ()),
        ((stop("q-1"), resume("q-2")), BOTH),
        ((stop("q-1"), resume("q-1", "QUALITY")), BOTH),
        ((stop("q-1", *BOTH), resume("q-1", "QUALITY")), ("SERVICE",)),
        ((stop("q-1", *BOTH), resume("q-1", *BOTH)), ()),
        ((stop("q-1", *BOTH), resume("q-1")), ()),
        ((stop("q-1", "QUALITY"), stop("q-2", "QUALITY"), resume("q-1")), ("QUALITY",)),
        ((stop("q-1", "QUALITY"), stop("q-1", "SERVICE")), BOTH),
        ((stop("q-1", "QUALITY"), stop("q-1")), BOTH),
        ((stop("q-1"), stop("q-1", "QUALITY"), resume("q-1", "QUALITY")), BOTH),
        ((resume("q-1"), stop("q-1")), BOTH),
        ((stop("q-1"), resume("q-1"), stop("q-1", "SERVICE")), ("SERVICE",)),
    ],
)
def test_a_stop_holds_until_its_own_request_resumes_it(facts, stopped):
    assert tuple(one for one in BOTH if is_stopped(rows(*facts), one)) == stopped
