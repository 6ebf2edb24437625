"""What a caller or a garbled dialplan brings along is bounded, or refused with a reason."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.app.policy.arrivals import (
    LONGEST_VALUE,
    facts_of,
    outside_number,
    parse_arguments,
    personal_facts,
)
from asterisk_compliance.domain.audit.rows import PersonalFact
from asterisk_compliance.domain.call.decision import Reason
from asterisk_compliance.domain.policy.matching import CallDirection, CallFacts

NOW = datetime(2026, 12, 1, tzinfo=UTC)
LEFT_OUT = {
    "linkedid": "none",
    "dialled": "",
    "direction": "inbound",
    "queue": "",
    "leg": "caller",
    "dialler": "",
}

HOSTILE = [
    "a b",
    "in,bound",
    "in\nbound",
    "in\r\nAction: Originate",
    "${SHELL(id)}",
    '"',
    "'; drop table rows --",
    "../../etc/passwd",
    "日本語",
    "in\x00bound",
    "\udcff\udcfe",
    "-rf",
    "in=bound",
    "x" * 65,
    "x" * 10_000,
]


def test_the_arguments_of_the_routine() -> None:
    expected = {
        "policy": "inbound",
        "linkedid": "pbx1-1700000000.1",
        "dialled": "+81*21#",
        "direction": "callback",
        "queue": "Gold_1.a-b",
        "leg": "callee",
        "dialler": "pbx1-1700000000.0",
    }
    arguments = [f"{key}={value}" for key, value in expected.items()]
    assert parse_arguments(arguments) == expected
    assert parse_arguments(arguments[::-1]) == expected


def test_all_but_the_policy_may_be_left_out() -> None:
    expected = {"policy": "inbound", **LEFT_OUT}
    assert parse_arguments(["policy=inbound"]) == expected
    assert parse_arguments(["policy=inbound", "dialled=", "direction=", "queue="]) == expected


@pytest.mark.parametrize("arguments", [[], ["policy="], ["linkedid=1.1"]])
def test_no_policy_is_asked_for(arguments: list[str]) -> None:
    assert parse_arguments(arguments) is Reason.POLICY_MISSING


@pytest.mark.parametrize(
    "arguments",
    [
        [""],
        ["policy"],
        ["inbound"],
        ["policy=inbound", ""],
        ["policy=inbound", "policy=inbound"],
        ["policy=", "policy=inbound"],
        ["linkedid=1", "linkedid=2", "policy=inbound"],
        ["policy=inbound", "colour=red"],
        ["policy=inbound", "Policy=inbound"],
        ["policy=inbound", " linkedid=1"],
        ["policy=inbound", "linkedid="],
        ["=inbound"],
        ["policy=inbound", "dialled=0120-000"],
        ["policy=inbound", "dialled=s"],
        ["policy=inbound", "dialled=0120\n"],
        ["policy=inbound", f"dialled={'0' * 41}"],
        ["policy=inbound", "direction=sideways"],
        ["policy=inbound", "direction=Inbound"],
        ["policy=inbound", "direction=inbound\n"],
        ["policy=inbound", "queue=a b"],
        ["policy=inbound", "queue=${SHELL(id)}"],
        ["policy=inbound", f"queue={'q' * 65}"],
    ],
)
def test_garbled_arguments(arguments: list[str]) -> None:
    assert parse_arguments(arguments) is Reason.ARGUMENTS_INVALID


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_values_never_get_through(value: str) -> None:
    assert parse_arguments([f"policy={value}"]) is Reason.ARGUMENTS_INVALID


@pytest.mark.parametrize("value", sorted({*HOSTILE, "x" * 129} - {"-rf", "x" * 65}), ids=len)
def test_hostile_linkedids_never_get_through(value: str) -> None:
    arguments = ["policy=inbound", f"linkedid={value}"]
    assert parse_arguments(arguments) is Reason.ARGUMENTS_INVALID


@given(st.lists(st.text(max_size=40) | st.sampled_from(["policy=inbound", "linkedid=1"])))
def test_parsing_never_raises_and_lets_only_plain_values_through(arguments: list[str]) -> None:
    match parse_arguments(arguments):
        case Reason() as reason:
            assert reason in {Reason.ARGUMENTS_INVALID, Reason.POLICY_MISSING}
        case values:
            assert values.keys() == {"policy", *LEFT_OUT}
            assert all(value.isascii() and value.isprintable() for value in values.values())
            assert not set("".join(values.values())) & set(" ,$(){}\"'\\/")


def facts(direction: str = "inbound", home: str | None = "JP") -> CallFacts:
    arguments = parse_arguments(["policy=inbound", f"direction={direction}", "queue=gold"])
    assert not isinstance(arguments, Reason)
    return facts_of(
        arguments,
        number="+4930123456",
        dialled="0312345678",
        language="ja_JP",
        home=home,
        at=NOW,
    )


@pytest.mark.parametrize("direction", ["inbound", "internal"])
def test_who_calls_us_is_the_party_outside(direction: str) -> None:
    assert facts(direction) == CallFacts(
        policy="inbound",
        direction=CallDirection(direction),
        at=NOW,
        did="0312345678",
        queue="gold",
        number="4930123456",
        countries=frozenset({"DE"}),
        language="ja_JP",
    )


@pytest.mark.parametrize("direction", ["outbound", "callback"])
def test_whom_we_call_is_the_party_outside(direction: str) -> None:
    """The number on the channel is the site's own then, and says nothing about the other party."""
    called = facts(direction)
    assert (called.number, called.countries) == ("81312345678", {"JP"})


@pytest.mark.parametrize("direction", CallDirection)
def test_without_a_home_country_nobodys_number_is_known(direction: str) -> None:
    called = facts(direction, home=None)
    assert (called.number, called.countries, called.did) == ("", frozenset(), "0312345678")


@pytest.mark.parametrize(
    ("arguments", "outside"),
    [
        ({"direction": "inbound", "leg": "caller", "dialled": "100"}, "0398"),
        ({"direction": "outbound", "leg": "callee", "dialled": "0312"}, "0312"),
        ({"direction": "callback", "leg": "caller", "dialled": "0312"}, "0312"),
        ({"direction": "internal", "leg": "callee", "dialled": "0312"}, "0312"),
        ({}, "0398"),
    ],
)
def test_whose_number_is_the_outsiders(arguments: dict[str, str], outside: str) -> None:
    assert outside_number(arguments, "0398") == outside


def test_who_calls() -> None:
    assert personal_facts(number="+81 3-1234-5678", name="山田 太郎", dialled="0120") == (
        PersonalFact("number", "+81 3-1234-5678", "81312345678"),
        PersonalFact("name", "山田 太郎", None),
        PersonalFact("dialled", "0120", "0120"),
    )


def test_what_is_not_known_is_no_fact() -> None:
    assert personal_facts(number="", name="", dialled="") == ()
    assert personal_facts(number="anonymous", name="", dialled="s") == (
        PersonalFact("number", "anonymous", None),
        PersonalFact("dialled", "s", None),
    )


def test_ten_kilobytes_of_number_and_name_are_bounded() -> None:
    facts = personal_facts(number="9" * 10_000, name="名" * 10_000, dialled="1")
    assert [len(fact.value) for fact in facts] == [LONGEST_VALUE, LONGEST_VALUE, 1]
    assert facts[0].search_key == "9" * LONGEST_VALUE


@given(st.text(), st.text(), st.text())
def test_any_caller_has_facts(number: str, name: str, dialled: str) -> None:
    for fact in personal_facts(number=number, name=name, dialled=dialled):
        assert 0 < len(fact.value) <= LONGEST_VALUE
        assert fact.search_key is None or (fact.search_key.isascii() and fact.search_key.isdigit())
