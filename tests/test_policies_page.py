"""docs/policies.md shows what the code says: every example in it is made here and compared."""

from __future__ import annotations

import re
import tomllib
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from asterisk_compliance.domain.phone_numbers import read_number
from asterisk_compliance.domain.policy.explanation import explain
from asterisk_compliance.domain.policy.matching import CallDirection, CallFacts, Match
from asterisk_compliance.domain.policy.notice import Consent, RecordingDuty
from asterisk_compliance.domain.policy.rules import (
    Checked,
    PolicyRule,
    RuleSeverity,
    reachable_conflicts,
    resolve,
    upcoming,
)
from asterisk_compliance.domain.policy.terms import DEFAULTS, FIELDS, PolicyTerms
from asterisk_compliance.shipped.presets import (
    PresetStatus,
    read_rules,
    shipped_emergency_numbers,
    shipped_presets,
)
from documented import first_cells, page, sections, table
from sample_settings import accepted, problems, raw

PAGE = "policies.md"
PRESETS = shipped_presets()
IN_JAPAN = [
    *PRESETS["jp"].rules,
    *PRESETS["us-all-party"].by_number(),
    *PRESETS["eu-explicit"].by_number(),
]
"""A site in Japan that is also called from the United States and from Europe."""
AT = datetime(2026, 12, 1, 10, tzinfo=ZoneInfo("Asia/Tokyo"))


def call(number: str, policy: str = "support", direction=CallDirection.INBOUND) -> CallFacts:
    outside = read_number(number, "JP")
    return CallFacts(
        policy, direction, AT, "0312345678", "", outside.digits, outside.countries, "ja"
    )


def explained(rules, facts, site=PolicyTerms()) -> str:  # noqa: B008 - frozen
    return "\n".join(explain(resolve(rules, facts, site), facts, rules).lines())


def by_caller() -> str:
    shown = ("consent", "agent_consent", "withdrawal", "on_join")
    rows = [f"| caller | {' | '.join(f'`{name}`' for name in shown)} |", "|---|---|---|---|---|"]
    for said, number in {
        "Tokyo, 03-1234-5678": "0312345678",
        "New York, +1 212 555 0100": "+12125550100",
        "Berlin, +49 30 123456": "+4930123456",
        "London, +44 20 7946 0000": "+442079460000",
        "withheld": "anonymous",
    }.items():
        trace = resolve(IN_JAPAN, call(number)).trace
        cells = [f"{trace[name].value} ({', '.join(trace[name].by)})" for name in shown]
        rows.append(f"| {said} | {' | '.join(cells)} |")
    return "\n".join(rows)


def own_rules() -> str:
    """The TOML of the page itself, read and used."""
    (text,) = re.findall(r"(?ms)^```toml\n(.*?)^```", sections(page(PAGE), 2)["Own rules"])
    rules, problems = read_rules(tomllib.loads(text)["rule"])
    assert problems == []
    return explained(rules, call("0312345678", "orders", CallDirection.OUTBOUND))


def conflicts() -> str:
    rules, _ = read_rules(
        [
            {"id": "orders", "terms": {"retention_min_days": 1826}},
            {"id": "privacy", "terms": {"retention_max_days": 180}},
        ]
    )
    return "\n".join(
        f"{it.longest_min_by[0]} keeps for at least {it.min_days} days, "
        f"{it.shortest_max_by[0]} for at most {it.max_days}"
        for it in reachable_conflicts(rules)
    )


def changes() -> str:
    return "\n".join(
        f"{it.on} {it.rule} {'begins' if it.begins else 'ends'}"
        + (f"\n    {it.warning}" if it.warning else "")
        for it in upcoming(IN_JAPAN, date(2026, 12, 20), 30)
    )


EXAMPLES = {
    "by caller": by_caller,
    "mandatory": lambda: explained(
        IN_JAPAN,
        call("+12125550100"),
        PolicyTerms(duty=RecordingDuty.MANDATORY, retention_max_days=90),
    ),
    "own rules": own_rules,
    "conflict": conflicts,
    "changes": changes,
}


def test_the_page_shows_these_examples() -> None:
    assert re.findall(r"<!-- example: (.*) -->", page(PAGE)) == list(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_what_the_code_says(name: str) -> None:
    _, _, after = page(PAGE).partition(f"<!-- example: {name} -->\n")
    fenced = re.match(r"(?s)```\n(.*?)\n```\n", after)
    shown = fenced[1] if fenced else after.split("\n\n", 1)[0].rstrip()
    assert shown == EXAMPLES[name]()


# -- lists ---------------------------------------------------------------------------------------


def test_every_field_is_in_the_table_with_its_default() -> None:
    rows = {cells[0].strip("`"): cells for cells in table(sections(page(PAGE), 2)["Terms"])[1:]}
    assert list(rows) == list(FIELDS)
    for name, cells in rows.items():
        default = getattr(DEFAULTS, name)
        assert cells[2] == ("none" if default is None else f"`{default}`"), name


def test_everything_a_rule_can_ask_about_is_in_the_table() -> None:
    documented = first_cells(sections(page(PAGE), 2)["What a rule can ask about"])
    assert documented == set(Match.__dataclass_fields__)


def test_every_key_of_a_rule_is_in_the_table() -> None:
    body = sections(page(PAGE), 2)["Own rules"].partition("```")[0]
    assert first_cells(body) - {"key"} == set(PolicyRule.__dataclass_fields__)


def test_the_site_that_turns_it_on_loads_as_the_page_shows_it() -> None:
    """And what the page says is missing without keys and another notice, is."""
    rules, policy = re.findall(
        r"(?ms)^```toml\n(.*?)^```", sections(page(PAGE), 2)["Turning it on"]
    )
    value = raw() | tomllib.loads(rules) | tomllib.loads(policy)
    value["notice"].append({**value["notice"][0], "id": "asks"})
    settings = accepted(value)
    assert settings.every_rule == tuple(IN_JAPAN)
    assert settings.policy[0].notice_for(Consent.OPT_IN) == "asks"
    del value["policy"][0]["keys"]
    assert {problem.split(": ")[0] for problem in problems(value)} == {
        "policy[1].keys.accept",
        "policy[1].keys.refuse",
    }


def test_every_severity_and_every_mark_is_explained() -> None:
    documented = first_cells(sections(page(PAGE), 2)["How sure a rule is"])
    assert documented == {*map(str, RuleSeverity), *map(str, Checked)}


def test_every_rule_of_every_preset_is_in_the_table_with_its_sources() -> None:
    rows = {cells[0].strip("`"): cells for cells in table(sections(page(PAGE), 2)["Presets"])}
    rules = {
        rule.id: rule
        for preset in PRESETS.values()
        for rule in preset.rules
        if preset.about.status is PresetStatus.REVIEWED
    }
    assert set(rows) - {"rule"} == set(rules)
    for name, rule in rules.items():
        _, severity, asks, sources = rows[name]
        assert severity == rule.severity
        said = [(f, getattr(rule.terms, f)) for f in FIELDS]
        assert asks == ", ".join(f"`{f}` = {v}" for f, v in said if v is not None)
        assert sources == "; ".join(f"{s.ref} {s.statute}, {s.checked}" for s in rule.source)


def test_every_unverified_preset_is_named_as_such() -> None:
    unverified = {n for n, it in PRESETS.items() if it.about.status is PresetStatus.UNVERIFIED}
    assert first_cells(sections(page(PAGE), 2)["Examples, not verified"]) == unverified


def test_connecticut_is_told_in_the_words_of_the_preset() -> None:
    words = " ".join(PRESETS["us-all-party"].about.about.split())
    said = " ".join(
        sections(page(PAGE), 3)["Connecticut, and a recording after the notice"].split()
    )
    assert words.partition("Connecticut and")[2].partition(". ")[2] in said


def test_every_emergency_number_is_in_the_table() -> None:
    rows = table(sections(page(PAGE), 2)["Emergency numbers"])[1:]
    assert [(cells[0].strip("`"), cells[2]) for cells in rows] == [
        (entry.number, "yes" if entry.default else "no") for entry in shipped_emergency_numbers()
    ]
    for cells, entry in zip(rows, shipped_emergency_numbers(), strict=True):
        assert cells[1] == ", ".join(sorted(entry.countries))
