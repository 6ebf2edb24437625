"""The shipped presets and emergency numbers, and what is said about a file that is wrong."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from phonenumbers.shortnumberinfo import is_emergency_number

from asterisk_compliance.domain.phone_numbers import COUNTRIES, is_emergency, read_number
from asterisk_compliance.domain.policy.matching import ALL_CALLS, CallDirection, CallFacts, Match
from asterisk_compliance.domain.policy.notice import (
    AgentConsent,
    CaptureFrom,
    Consent,
    OnJoin,
    Withdrawal,
)
from asterisk_compliance.domain.policy.rules import (
    Checked,
    RuleSeverity,
    reachable_conflicts,
    resolve,
    upcoming,
)
from asterisk_compliance.domain.policy.terms import FIELDS, PolicyTerms
from asterisk_compliance.errors import ConfigError
from asterisk_compliance.shipped.presets import (
    PresetStatus,
    emergency_numbers,
    parse_preset,
    read_rules,
    shipped_emergency_numbers,
    shipped_presets,
)

PRESETS = shipped_presets()
REVIEWED = {"jp", "eu-explicit", "us-all-party"}
TOKYO = ZoneInfo("Asia/Tokyo")


def call(number: str, at: datetime = datetime(2026, 12, 1, tzinfo=UTC)) -> CallFacts:
    outside = read_number(number, "JP")
    return CallFacts(
        "sales", CallDirection.INBOUND, at, number=outside.digits, countries=outside.countries
    )


# -- the presets ---------------------------------------------------------------------------------


def test_which_presets_there_are() -> None:
    reviewed = {n for n, it in PRESETS.items() if it.about.status is PresetStatus.REVIEWED}
    assert reviewed == REVIEWED
    assert set(PRESETS) - REVIEWED == {"uk", "ca", "au", "kr", "sg", "us-connecticut-tone"}


@pytest.mark.parametrize("name", PRESETS)
def test_every_rule_of_a_preset_says_what_it_asks_and_where_it_comes_from(name: str) -> None:
    preset = PRESETS[name]
    assert preset.about.title
    assert preset.about.about.strip()
    assert preset.rules
    for rule in preset.rules:
        assert rule.id.startswith(name.split("-", 1)[0])
        assert rule.text
        assert rule.source
        for source in rule.source:
            assert re.fullmatch(r"[A-Z]{2}-[0-9]{2}", source.ref)
            assert source.url or source.checked is not Checked.VERIFIED


def test_no_two_rules_of_all_presets_have_the_same_id() -> None:
    ids = [rule.id for preset in PRESETS.values() for rule in preset.rules]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", sorted(REVIEWED))
def test_no_rule_of_a_reviewed_preset_rests_on_memory(name: str) -> None:
    for rule in PRESETS[name].rules:
        assert Checked.MEMORY not in {source.checked for source in rule.source}
        if all(source.checked is Checked.INFERRED for source in rule.source):
            assert rule.severity is RuleSeverity.SITE, "our own reading is no law"


def test_all_presets_together_have_no_conflict() -> None:
    assert reachable_conflicts([rule for it in PRESETS.values() for rule in it.rules]) == []


def asked(*names: str, number: str = "0312345678") -> PolicyTerms:
    rules = [rule for name in names for rule in PRESETS[name].rules]
    terms = resolve(rules, call(number)).terms
    return PolicyTerms(**{field: getattr(terms, field) for field in FIELDS})


def test_what_the_presets_ask_for() -> None:
    japan = asked("jp")
    assert (japan.consent, japan.on_join) == (Consent.NOTICE, OnJoin.RENOTIFY)
    assert japan.retention_max_days is None, "no law was found that names days"
    europe = asked("eu-explicit")
    assert europe.consent is Consent.OPT_IN
    assert europe.agent_consent is AgentConsent.REQUIRED
    assert europe.withdrawal is Withdrawal.ON
    assert europe.on_join is OnJoin.RENOTIFY
    states = asked("us-all-party")
    assert (states.consent, states.beep_s) == (Consent.NOTICE, None)
    assert states.capture is CaptureFrom.BRIDGED
    assert asked("us-all-party", "us-connecticut-tone").beep_s == 15


def test_connecticut_and_our_first_guarantee_are_reconciled_in_words() -> None:
    about = PRESETS["us-all-party"].about.about
    for said in ("Connecticut", "G1", "52-570d", "every 15 seconds", "us-connecticut-tone"):
        assert said in about
    (rule,) = (rule for rule in PRESETS["us-all-party"].rules if rule.id == "us-connecticut")
    assert "beep_s to 15" in rule.warning


# -- where they apply ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "places"),
    [
        ("0312345678", {"jp"}),
        ("+12125550100", {"us"}),
        ("+18005550100", {"us"}),
        ("+14165550100", {"us"}),
        ("+4930123456", {"eu"}),
        ("+442079460000", set()),
        ("anonymous", {"jp", "us", "eu"}),
        ("200", {"jp", "us", "eu"}),
        ("+12", {"jp", "us", "eu"}),
    ],
)
def test_by_number_the_rules_of_a_place_meet_who_may_be_there(number, places) -> None:
    rules = [rule for name in REVIEWED for rule in PRESETS[name].by_number()]
    applied = resolve(rules, call(number)).applied
    assert {name.split("-", 1)[0] for name in applied} == places


def test_for_a_site_at_the_place_they_apply_to_every_call() -> None:
    rules = PRESETS["jp"].rules
    assert all(rule.match == ALL_CALLS for rule in rules)
    assert resolve(rules, call("+442079460000")).applied


def test_what_a_rule_says_about_the_place_itself_stands() -> None:
    text = f"{HEAD}\n[[rule]]\nid = 'a'\nmatch = {{ country = ['DE'], policy = ['x'] }}\n"
    (rule,) = parse_preset(text, "own.toml").by_number()
    assert rule.match == Match(country=frozenset({"DE"}), policy=frozenset({"x"}))


# -- revisions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "revision"),
    [
        (datetime(2027, 1, 16, 23, 59, 59, tzinfo=TOKYO), "jp-appi.20261102"),
        (datetime(2027, 1, 17, tzinfo=TOKYO), "jp-appi.20270117"),
        (datetime(2027, 1, 17, 0, 0, 1, tzinfo=TOKYO), "jp-appi.20270117"),
        (datetime(2028, 7, 15, 23, 59, 59, tzinfo=TOKYO), "jp-appi.20270117"),
        (datetime(2028, 7, 16, tzinfo=TOKYO), "jp-appi.20280716"),
    ],
)
def test_exactly_one_revision_of_the_law_is_in_force(at: datetime, revision: str) -> None:
    applied = resolve(PRESETS["jp"].rules, call("", at)).applied
    assert [name for name in applied if name.startswith("jp-appi")] == [revision]


def test_a_new_revision_is_announced_with_its_warning() -> None:
    changes = upcoming(PRESETS["jp"].rules, date(2026, 12, 18), 30)
    assert [(it.on, it.rule, it.begins) for it in changes] == [
        (date(2027, 1, 17), "jp-appi.20261102", False),
        (date(2027, 1, 17), "jp-appi.20270117", True),
    ]
    assert "must be checked" in changes[1].warning


def test_no_day_is_without_a_rule_of_the_law() -> None:
    day = datetime(2026, 1, 1, 12, tzinfo=TOKYO)
    while day.year < 2030:
        applied = resolve(PRESETS["jp"].rules, call("", day)).applied
        assert sum(name.startswith("jp-appi") for name in applied) == 1
        day += timedelta(days=1)


# -- files that are wrong ------------------------------------------------------------------------

HEAD = """
[preset]
name = "own"
title = "ours"
status = "unverified"
read_on = 2026-11-24
place = {}
about = ""
"""


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("terms.consent = 'maybe'", "rule[2].terms.consent: Input should be 'notice'"),
        ("terms.beep_s = true", "rule[2].terms.beep_s: Input should be a valid integer"),
        ("terms.beep_s = '15'", "rule[2].terms.beep_s: Input should be a valid integer"),
        ("terms.beep_s = 0", "rule[2].terms: beep_s must be at least 1"),
        ("terms.beeps = 15", "rule[2].terms.beeps: is not a setting"),
        ("beep_s = 15", "rule[2].beep_s: is not a setting"),
        ("match.country = ['UK']", "rule[2].match: country: is no ISO 3166-1 country code"),
        ("match.country = []", "rule[2].match: country: is empty; leave it out"),
        ("match.country = 'JP'", "rule[2].match.country: Input should be a valid"),
        ("match.prefix = ['+81']", "rule[2].match: prefix: is not the beginning"),
        ("match.weekdays = ['Mon']", "rule[2].match.weekdays.0: Input should be 'mon'"),
        ("match.hours = ['09:00']", "rule[2].match.hours.1: is missing"),
        ("match.queues = ['a']", "rule[2].match.queues: is not a setting"),
        ("valid_from = 'soon'", "rule[2].valid_from: Input should be a valid date"),
        (
            "valid_from = 2027-01-17\nvalid_to = 2027-01-17",
            "rule[2]: valid_to: must be after valid_from",
        ),
        ("time_zone = 'Mars/Olympus'", "rule[2].time_zone: is no time zone"),
        ("severity = 'advice'", "rule[2].severity: Input should be 'law'"),
        (
            "source = [{ ref = 'JP-01', checked = 'memory' }]",
            "rule[2].source.0.statute: is missing",
        ),
        ("id = 'first'", "rule[2].id: is there twice"),
        ("id = 'No'", "rule[2]: id: use small letters"),
    ],
)
def test_a_rule_that_is_wrong_is_refused_with_its_address(rule: str, problem: str) -> None:
    own = rule if rule.startswith("id") else f"id = 'second'\n{rule}"
    text = f"{HEAD}\n[[rule]]\nid = 'first'\n[[rule]]\n{own}\n"
    with pytest.raises(ConfigError) as refused:
        parse_preset(text, "own.toml")
    assert [found.startswith(problem) for found in refused.value.problems] == [True]
    assert "Mars" not in str(refused.value)
    assert refused.value.exit_code == 2


def test_all_problems_are_told_at_once() -> None:
    text = "rules = 1\n[preset]\nname = 'Own'\n[[rule]]\nx = 1\n"
    with pytest.raises(ConfigError) as refused:
        parse_preset(text, "own.toml")
    addresses = {problem.partition(": ")[0] for problem in refused.value.problems}
    assert addresses == {
        "rules",
        "preset.name",
        *(f"preset.{key}" for key in ("title", "status", "read_on", "place", "about")),
        "rule[1].id",
        "rule[1].x",
    }


def test_what_is_no_toml_and_what_is_no_list_is_refused() -> None:
    with pytest.raises(ConfigError, match="is not TOML"):
        parse_preset("[[", "own.toml")
    assert read_rules({}) == ((), ["rule: must be a list of tables: write [[rule]]"])
    assert read_rules([3])[1] == ["rule[1]: Input should be an object"]


def test_what_is_right_is_read_beside_what_is_wrong() -> None:
    rules, problems = read_rules([{"id": "a"}, {"id": "B"}, {"id": "c"}], "policy[1].rule")
    assert [rule.id for rule in rules] == ["a", "c"]
    assert [problem.partition(": ")[0] for problem in problems] == ["policy[1].rule[2]"]


# -- emergency numbers ---------------------------------------------------------------------------


def test_the_default_emergency_numbers() -> None:
    assert emergency_numbers() == {"110", "118", "119", "112", "911", "999", "000"}
    assert emergency_numbers(["NZ"]) == emergency_numbers() | {"111"}
    assert emergency_numbers(["FR", "CN"]) == emergency_numbers() | {"15", "17", "18", "120"}
    with pytest.raises(ValueError, match="UK"):
        emergency_numbers(["UK", "GB"])


@pytest.mark.parametrize("entry", shipped_emergency_numbers(), ids=lambda entry: entry.number)
def test_an_emergency_number_is_one_where_it_is_said_to_be(entry) -> None:
    assert entry.countries <= COUNTRIES
    assert entry.countries
    if entry.source == "libphonenumber":
        for country in entry.countries:
            assert is_emergency_number(entry.number, country), country
    else:
        assert entry.source.startswith("https://")


def test_what_is_dialled_for_help_in_japan() -> None:
    for number in ("110", "118", "119"):
        assert is_emergency(number, emergency_numbers())
    assert not is_emergency("111", emergency_numbers())
