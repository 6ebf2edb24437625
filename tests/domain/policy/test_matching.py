"""Whether a call is as a match asks; what is not known meets everything."""

from __future__ import annotations

from datetime import UTC, datetime, time

import pytest
from hypothesis import given

from asterisk_compliance.domain.policy.matching import (
    ALL_CALLS,
    CallDirection,
    CallFacts,
    Match,
    Weekday,
)
from domain.policy_values import facts, matches
from values import replace

MONDAY_NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
FACTS = CallFacts(
    policy="sales",
    direction=CallDirection.INBOUND,
    at=MONDAY_NOON,
    did="0312345678",
    queue="gold",
    number="819012345678",
    countries=frozenset({"JP"}),
    language="ja_JP",
)


def only(*values):
    return frozenset(values)


@pytest.mark.parametrize(
    ("asked", "met"),
    [
        ({}, True),
        ({"policy": only("sales")}, True),
        ({"policy": only("help")}, False),
        ({"policy": only("help", "sales")}, True),
        ({"direction": only(CallDirection.INBOUND)}, True),
        ({"direction": only(CallDirection.CALLBACK)}, False),
        ({"did": only("0312345678")}, True),
        ({"did": only("03123")}, False),
        ({"did": only("03123*")}, True),
        ({"did": only("06*", "*")}, True),
        ({"did": only("06*")}, False),
        ({"queue": only("gold")}, True),
        ({"queue": only("silver")}, False),
        ({"country": only("JP", "KR")}, True),
        ({"country": only("KR")}, False),
        ({"prefix": only("8190")}, True),
        ({"prefix": only("8180", "1")}, False),
        ({"language": only("ja")}, True),
        ({"language": only("en")}, False),
        ({"weekdays": only(Weekday.MON)}, True),
        ({"weekdays": only(Weekday.SUN, Weekday.TUE)}, False),
        ({"hours": (time(9), time(17))}, True),
        ({"hours": (time(17), time(9))}, False),
        ({"policy": only("sales"), "queue": only("silver")}, False),
        ({"policy": only("sales"), "queue": only("gold"), "country": only("JP")}, True),
    ],
)
def test_a_call_is_as_a_match_asks(asked, met) -> None:
    assert Match(**asked).is_met_by(FACTS, MONDAY_NOON) is met


@pytest.mark.parametrize(
    ("at", "day", "night"),
    [
        (time(8, 59, 59), False, True),
        (time(9), True, False),
        (time(16, 59, 59, 999_999), True, False),
        (time(17), False, True),
        (time(0), False, True),
    ],
)
def test_hours_begin_and_end_to_the_second_also_over_midnight(at, day, night) -> None:
    moment = datetime.combine(MONDAY_NOON.date(), at)
    assert Match(hours=(time(9), time(17))).is_met_by(FACTS, moment) is day
    assert Match(hours=(time(17), time(9))).is_met_by(FACTS, moment) is night


@pytest.mark.parametrize(
    ("unknown", "asked"),
    [
        ({"countries": frozenset()}, {"country": only("KR")}),
        ({"number": ""}, {"prefix": only("1")}),
        ({"language": ""}, {"language": only("en")}),
    ],
)
def test_what_is_not_known_of_the_party_meets_what_asks_for_it(unknown, asked) -> None:
    assert Match(**asked).is_met_by(replace(FACTS, **unknown), MONDAY_NOON)


@pytest.mark.parametrize(
    ("absent", "asked"),
    [({"did": ""}, {"did": only("03*")}), ({"queue": ""}, {"queue": only("gold")})],
)
def test_a_call_without_queue_or_dialled_number_meets_none(absent, asked) -> None:
    assert not Match(**asked).is_met_by(replace(FACTS, **absent), MONDAY_NOON)


@given(matches, facts())
def test_knowing_less_of_the_party_meets_no_less(match: Match, known: CallFacts) -> None:
    unknown = replace(known, number="", countries=frozenset(), language="")
    if match.is_met_by(known, known.at):
        assert match.is_met_by(unknown, known.at)


@given(matches, matches, facts())
def test_two_matches_that_one_call_meets_are_seen_to_overlap(one, other, call) -> None:
    if one.is_met_by(call, call.at) and other.is_met_by(call, call.at):
        assert one.overlaps(other, same_zone=True)
        assert other.overlaps(one, same_zone=False)


@given(matches, matches)
def test_to_overlap_is_mutual(one: Match, other: Match) -> None:
    for same_zone in (True, False):
        assert one.overlaps(other, same_zone=same_zone) == other.overlaps(one, same_zone=same_zone)
    assert one.overlaps(ALL_CALLS, same_zone=True)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"policy": only("a")}, {"policy": only("b")}),
        ({"direction": only(CallDirection.INBOUND)}, {"direction": only(CallDirection.INTERNAL)}),
        ({"queue": only("a")}, {"queue": only("b")}),
        ({"did": only("03*")}, {"did": only("06*", "0512345678")}),
        ({"did": only("03")}, {"did": only("031*", "031")}),
        ({"weekdays": only(Weekday.MON)}, {"weekdays": only(Weekday.TUE)}),
        ({"hours": (time(9), time(12))}, {"hours": (time(12), time(17))}),
        ({"hours": (time(9), time(17))}, {"hours": (time(17), time(9))}),
    ],
)
def test_matches_that_no_call_can_meet_both(one, other) -> None:
    assert not Match(**one).overlaps(Match(**other), same_zone=True)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"country": only("JP")}, {"country": only("US")}),
        ({"prefix": only("1")}, {"prefix": only("81")}),
        ({"language": only("ja")}, {"language": only("en")}),
        ({"did": only("03*")}, {"did": only("0312*")}),
        ({"did": only("03*")}, {"did": only("0312345678")}),
        ({"hours": (time(9), time(17))}, {"hours": (time(16), time(8))}),
        ({"hours": (time(22), time(2))}, {"hours": (time(1), time(8))}),
    ],
)
def test_matches_that_one_call_can_meet_both(one, other) -> None:
    assert Match(**one).overlaps(Match(**other), same_zone=True)


def test_hours_and_days_of_two_time_zones_may_overlap() -> None:
    monday, tuesday = Match(weekdays=only(Weekday.MON)), Match(weekdays=only(Weekday.TUE))
    assert monday.overlaps(tuesday, same_zone=False)


@pytest.mark.parametrize(
    ("language", "primary"),
    [("ja", "ja"), ("JA-jp", "ja"), ("en_GB.UTF-8", "en"), ("en.utf8", "en"), ("", ""), ("_", "")],
)
def test_the_primary_language(language: str, primary: str) -> None:
    assert replace(FACTS, language=language).primary_language == primary


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        *(({name: frozenset()}, f"{name}: is empty") for name in (
            "policy", "direction", "did", "queue", "country", "prefix", "language", "weekdays",
        )),
        ({"country": only("UK")}, "country: "),
        ({"country": only("jp")}, "country: "),
        ({"prefix": only("+81")}, "prefix: "),
        ({"prefix": only("0")}, "prefix: "),
        ({"language": only("ja_JP")}, "language: "),
        ({"hours": (time(9), time(9))}, "hours: "),
    ],
)  # fmt: skip
def test_a_match_that_makes_no_sense_is_refused(asked, complaint) -> None:
    with pytest.raises(ValueError, match=complaint):
        Match(**asked)


def test_a_moment_without_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="at: "):
        replace(FACTS, at=datetime(2026, 11, 30, 12))  # noqa: DTZ001
