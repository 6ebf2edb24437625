"""What a caller or a garbled dialplan brings along is bounded, or refused with a reason."""

from __future__ import annotations

from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.app.arrivals import (
    LONGEST_VALUE,
    find_policy,
    parse_arguments,
    personal_facts,
)
from asterisk_compliance.domain.decision import Reason
from asterisk_compliance.domain.notice import CaptureFrom, Notice, Policy
from asterisk_compliance.domain.rows import PersonalFact

POLICIES = MappingProxyType(
    {"inbound": Policy("inbound", Notice("n", "1", (), {}), ("ja",), CaptureFrom.BRIDGED, "p" * 64)}
)

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
    arguments = ["policy=inbound", "linkedid=pbx1-1700000000.1", "dialled=+81*21#"]
    expected = {"policy": "inbound", "linkedid": "pbx1-1700000000.1", "dialled": "+81*21#"}
    assert parse_arguments(arguments) == expected
    assert parse_arguments(arguments[::-1]) == expected


def test_all_but_the_policy_may_be_left_out() -> None:
    expected = {"policy": "inbound", "linkedid": "none", "dialled": ""}
    assert parse_arguments(["policy=inbound"]) == expected
    assert parse_arguments(["policy=inbound", "dialled="]) == expected


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
            assert values.keys() == {"policy", "linkedid", "dialled"}
            assert all(value.isascii() and value.isprintable() for value in values.values())
            assert not set("".join(values.values())) & set(" ,$(){}\"'\\/")


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["policy=inbound"], POLICIES["inbound"]),
        (["policy=Inbound"], Reason.POLICY_UNKNOWN),
        (["policy=other"], Reason.POLICY_UNKNOWN),
        ([], Reason.POLICY_MISSING),
        (["policy=a b"], Reason.ARGUMENTS_INVALID),
    ],
)
def test_the_policy_or_why_there_is_none(arguments: list[str], found: Policy | Reason) -> None:
    assert find_policy(parse_arguments(arguments), POLICIES) is found


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
