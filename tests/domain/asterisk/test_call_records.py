"""What Asterisk writes of calls, and how events of CEL become calls."""

from __future__ import annotations

import pytest

from asterisk_compliance.domain.asterisk.call_records import (
    Cdr,
    CelEvent,
    RoutineStatement,
    calls_of,
    created_ms,
    is_printable_id,
    is_uniqueid,
    statements,
)

CALL = "c-01a20fba8f93a764a8561a74208c"
OTHER = "c-01a20fba93bacd877b27e184c901"


@pytest.mark.parametrize(
    ("userfield", "said"),
    [
        ("", ()),
        ("the site's own", ()),
        (f"ALLOWED:NOTICE_COMPLETED:SERVICE&QUALITY:{CALL}", (("ALLOWED", CALL),)),
        ("NOT_RECORDED:EMERGENCY::", (("NOT_RECORDED", ""),)),
        (f";ALLOWED:NOTICE_COMPLETED:SERVICE:{CALL}", (("ALLOWED", CALL),)),
        (
            f"REFUSED:CONSENT_REFUSED::{OTHER};ALLOWED:NOTICE_COMPLETED:SERVICE:{CALL}",
            (("REFUSED", OTHER), ("ALLOWED", CALL)),
        ),
        (f"ALLOWED:NOTICE_COMPLETED:SERVICE:{CALL[:-1]}", ()),
        (f"ALLOWED:NOTICE_COMPLETED:SERVICE:{CALL}\n", ()),
        ("0312345678:NOTICE_COMPLETED::", ()),
    ],
)
def test_what_the_routine_said(userfield, said):
    assert tuple((one.status, one.call) for one in statements(userfield)) == said


def test_reasons_of_the_dialplan_are_known():
    by_dialplan = [
        reason
        for reason in ("EMERGENCY", "SERVICE_UNAVAILABLE", "SERVICE_TIMED_OUT", "HANGUP_IN_NOTICE")
        if RoutineStatement("NOT_RECORDED", reason).by_dialplan
    ]
    assert by_dialplan == ["EMERGENCY", "SERVICE_UNAVAILABLE", "SERVICE_TIMED_OUT"]


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("1795560209.0", 1_795_560_209_000),
        ("pbx-1.example-1795560209.17", 1_795_560_209_000),
        ("1795560209.17;2", 1_795_560_209_000),
        ("0312345678", None),
        ("+81312345678", None),
        ("Yamada", None),
        ("", None),
        ("1795560209.0\n", None),
    ],
)
def test_an_id_of_asterisks_says_when_its_channel_was_made(text, at_ms):
    assert created_ms(text) == at_ms
    assert is_uniqueid(text) is (at_ms is not None)
    assert is_printable_id(text) is (at_ms is not None)


def test_an_id_that_an_application_chose_can_be_printed_if_it_can_be_no_number():
    assert is_printable_id("0b5ab3f4-36f9-4d3f-9c5e-7f4f1a2b3c4d")
    assert not is_printable_id("click-to-call-0312345678")


def test_a_cdr_is_known_by_every_id_once():
    assert Cdr("1.1", "1.1", others=("1.2", "")).ids == ("1.1", "1.2")
    assert Cdr("").ids == ()


# -- CEL ---------------------------------------------------------------------------------------


def events(*said: str) -> list[CelEvent]:
    """``EVENT CHANNEL LINKEDID``, at one second after the other."""
    return [
        CelEvent(*text.split(), context=f"in-{number}", at_ms=number * 1000)
        for number, text in enumerate(said)
    ]


ANSWERED = ("CHAN_START a a", "CHAN_START b a", "ANSWER b a", "BRIDGE_ENTER b a")


@pytest.mark.parametrize(
    "end",
    [
        ["HANGUP b a", "HANGUP a a", "CHAN_END a a", "LINKEDID_END a a"],
        ["LINKEDID_END a a"],
        ["CHAN_END a a", "CHAN_END b a"],
    ],
)
def test_a_call_ends_with_its_last_channel(end):
    (call,) = calls_of(events(*ANSWERED, *end))
    assert call == Cdr("a", "a", "in-0", answered=True, started_ms=0, others=("b",))


def test_a_call_whose_end_is_not_there_yet_is_not_over():
    (call,) = calls_of(events(*ANSWERED, "HANGUP b a"))
    assert (call.answered, call.over) == (True, False)


def test_a_call_that_nobody_answered():
    (call,) = calls_of(events("CHAN_START a a", "HANGUP a a"))
    assert not call.answered


def test_calls_are_told_apart_and_come_as_they_end():
    found = calls_of(
        events("CHAN_START a a", "CHAN_START x x", "ANSWER x x", "HANGUP x x", "HANGUP a a")
    )
    assert [(call.linkedid, call.answered) for call in found] == [("x", True), ("a", False)]


def test_what_began_before_the_file_does_is_taken_from_its_answer_on():
    (call,) = calls_of(events("HANGUP z z", "ANSWER a a", "HANGUP a a", "LINKEDID_END a a"))
    assert call == Cdr("a", "a", answered=True, started_ms=1000)


def test_a_call_without_a_time():
    (call,) = calls_of([CelEvent("ANSWER", "a", "a"), CelEvent("LINKEDID_END", "a", "a", "", 5)])
    assert call.started_ms == 5
