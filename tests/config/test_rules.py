"""Rules of a configuration: which hold, and calls that nobody prepared for are found at load."""

from __future__ import annotations

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from asterisk_compliance.domain.periods import read_period
from asterisk_compliance.shipped.presets import shipped_presets
from sample_settings import accepted, problems, raw

YES_OR_NO = {"accept": "1", "refuse": "9"}
OUTBOUND = {"direction": ["outbound"]}


def site(*rules: dict[str, Any], policy: dict[str, Any] | None = None, **chosen: Any) -> Any:
    """The sample with rules: its own, and what ``[rules]`` says."""
    value = raw() | {"rule": list(rules), "rules": chosen}
    value["policy"][0] |= policy or {}
    return value


def rule(name: str = "own", match: dict[str, Any] | None = None, **terms: Any) -> dict[str, Any]:
    return {"id": name, "match": match or {}, "terms": terms}


# -- which rules hold --------------------------------------------------------------------------


def test_without_rules_there_are_none() -> None:
    settings = accepted(raw())
    assert settings.every_rule == ()
    assert (settings.rules.home, settings.rules.time_zone.key) == (None, "UTC")


def test_own_rules_and_presets_hold_together() -> None:
    value = site(
        rule(),
        home="JP",
        presets=["jp"],
        presets_by_number=["us-all-party", "eu-explicit"],
        policy={"keys": YES_OR_NO},
    )
    presets = shipped_presets()
    settings = accepted(value)
    assert settings.every_rule == (
        *settings.rule,
        *presets["jp"].rules,
        *presets["us-all-party"].by_number(),
        *presets["eu-explicit"].by_number(),
    )
    assert [own.id for own in settings.rule] == ["own"]
    assert settings.every_rule[-1].match.country


def test_own_rules_are_in_the_sites_time_zone_unless_they_name_another() -> None:
    own = [
        {"id": "here", "valid_from": date(2027, 1, 17)},
        {"id": "there", "time_zone": "Asia/Tokyo"},
    ]
    zones = [it.time_zone for it in accepted(site(*own, time_zone="Europe/Berlin")).rule]
    assert zones == [ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Tokyo")]
    assert [it.time_zone.key for it in accepted(raw() | {"rule": own}).rule] == [
        "UTC",
        "Asia/Tokyo",
    ]


# -- what is wrong with them -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chosen", "problem"),
    [
        ({"home": "UK"}, "rules.home: is no ISO 3166-1 country code"),
        ({"home": "jp"}, "rules.home: is no ISO 3166-1 country code"),
        ({"time_zone": "Mars/Olympus"}, "rules.time_zone: is no time zone"),
        ({"presets": ["jp", "atlantis"]}, "rules.presets.1: there is no such preset"),
        ({"presets_by_number": ["x"]}, "rules.presets_by_number.0: there is no such preset"),
        ({"colour": 1}, "rules.colour: is not a setting"),
        ({"presets": ["jp", "jp"]}, "rules.presets.1: jp is there twice"),
        (
            {"presets": ["jp"], "presets_by_number": ["jp"]},
            "rules.presets_by_number.0: jp is there twice",
        ),
    ],
)
def test_choices_that_are_none(chosen: dict[str, Any], problem: str) -> None:
    assert problems(site(**chosen)) == [problem]


@pytest.mark.parametrize(
    ("own", "problem"),
    [
        ([rule(), rule("other"), rule()], "rule[3].id: is there twice"),
        ([rule(), rule("jp-ccaj")], "rule[2].id: preset jp has a rule of this name"),
        (
            [rule(), rule("b", {"policy": ["inbound", "night"]})],
            "rule[2].match.policy: there is no such policy",
        ),
        ([rule(), rule("b", {"country": ["UK"]})], "rule[2].match: country: is no ISO 3166-1"),
        ([rule(), rule("b", consent="loud")], "rule[2].terms.consent: "),
        ([rule(), 3], "rule[2]: "),
        ([rule(), {}], "rule[2].id: is missing"),
    ],
)
def test_rules_that_are_wrong(own: list[Any], problem: str) -> None:
    (found,) = problems(site(*own, presets=["jp"]))
    assert found.startswith(problem)


def test_a_table_where_a_list_of_rules_belongs() -> None:
    assert problems(raw() | {"rule": {"id": "own"}}) == [
        "rule: must be a list of tables: write [[rule]]"
    ]


def test_a_policy_that_is_wrong_is_no_reproach_to_a_rule_that_names_it() -> None:
    value = site(rule(match={"policy": ["inbound"]}), policy={"languages": []})
    (problem,) = problems(value)
    assert problem.startswith("policy[1].languages: ")


# -- calls that nobody prepared for ------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "found"),
    [
        ([rule(consent="opt-out")], [".keys.refuse: rule own can ask for opt-out"]),
        (
            [rule(match=OUTBOUND, consent="opt-in"), rule("b", consent="opt-out")],
            [
                ".keys.refuse: rule own can ask for opt-in",
                ".keys.accept: rule own can ask for opt-in",
            ],
        ),
        (
            [rule(consent="opt-out"), rule("b", consent="opt-out")],
            [".keys.refuse: rule own and rule b can ask for opt-out"],
        ),
        ([rule(match={"policy": ["night"]}, consent="opt-in")], []),
        ([rule(match={"policy": ["inbound"]}, consent="notice")], []),
    ],
)
def test_a_rule_can_ask_by_a_key_that_the_policy_has_not(own: Any, found: list[str]) -> None:
    value = site(*own)
    value["policy"].append({**value["policy"][0], "name": "night", "keys": YES_OR_NO})
    if found:
        assert problems(value) == [f"policy[1]{problem}" for problem in found]
    else:
        accepted(value)


def test_a_preset_by_number_can_ask_by_a_key_that_the_policy_has_not() -> None:
    assert problems(site(home="JP", presets_by_number=["eu-explicit"])) == [
        "policy[1].keys.refuse: rule eu-consent can ask for opt-in",
        "policy[1].keys.accept: rule eu-consent can ask for opt-in",
    ]


def test_what_the_policy_asks_itself_is_no_rules_fault() -> None:
    value = site(rule(consent="opt-in"), policy={"consent": "opt-in", "keys": {"refuse": "9"}})
    assert problems(value) == [
        "policy[1].keys.accept: consent = opt-in needs a key to accept",
    ]


CONFLICTS = [
    (
        [rule("long", retention_min_days=1826), rule("short", retention_max_days=180)],
        {},
        "rule long can ask to keep for 1826 days, rule short for no more than 180",
    ),
    (
        [rule("long", retention_min_days=1826)],
        {"retention_max_days": 90},
        "rule long can ask to keep for 1826 days, the policy itself for no more than 90",
    ),
    (
        [],
        {"retention_min_days": 91, "retention_max_days": 90},
        "the policy itself can ask to keep for 91 days, the policy itself for no more than 90",
    ),
]


@pytest.mark.parametrize(("own", "policy", "words"), CONFLICTS)
def test_recordings_that_cannot_be_kept_long_enough(own: Any, policy: Any, words: str) -> None:
    assert problems(site(*own, policy=policy)) == [f"policy[1]: {words}"]


@pytest.mark.parametrize(
    ("own", "policy", "days", "words"),
    [
        ([], {"retention_min_days": 91}, "90 days", "retention_min_days = 91"),
        ([rule("long", retention_min_days=91)], {}, "3 months", "rule long can ask for"),
        ([], {"retention_min_days": 90}, "90 days", ""),
        ([], {"retention_max_days": 999}, "90 days", ""),
    ],
)
def test_nothing_is_kept_for_longer_than_a_notice_says(
    own: Any, policy: Any, days: str, words: str
) -> None:
    value = site(*own, policy=policy)
    value["notice"][0]["retention"] = days
    if not words:
        assert accepted(value).notice[0].retention == read_period(days)
        return
    (problem,) = problems(value)
    assert problem.startswith(f"policy[1].retention_min_days: {words}")
    assert problem.endswith(f", and a notice says {days}")


def test_rules_that_no_call_can_meet_both_are_no_conflict() -> None:
    parted = [
        rule("long", {"policy": ["inbound"]}, retention_min_days=1826),
        rule("short", {"policy": ["night"]}, retention_max_days=180),
    ]
    value = site(*parted)
    value["policy"].append({**value["policy"][0], "name": "night"})
    accepted(value)


def test_all_that_is_wrong_is_said_at_once() -> None:
    value = site(
        {"id": "A"},
        rule("b", {"policy": ["x"]}),
        rule("c", consent="opt-out"),
        home="XX",
        presets=["jp"],
    )
    value["policy"].insert(0, {"name": "broken"})
    addresses = {problem.split(": ")[0] for problem in problems(value)}
    assert addresses == {
        "rule[1]",
        "rule[2].match.policy",
        "rules.home",
        "policy[1].notice",
        "policy[1].languages",
        "policy[2].keys.refuse",
    }
