"""What a call would come to, in words. Whole examples are in docs/policies.md."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given

from asterisk_compliance.domain.policy.explanation import explain
from asterisk_compliance.domain.policy.matching import CallDirection, CallFacts
from asterisk_compliance.domain.policy.notice import OnProblem
from asterisk_compliance.domain.policy.rules import PolicyRule, resolve
from asterisk_compliance.domain.policy.terms import FAILURES, FIELDS, PolicyTerms
from domain.policy_values import facts, rule_lists, terms

FACTS = CallFacts("sales", CallDirection.OUTBOUND, datetime(2027, 1, 16, 12, tzinfo=UTC))


def explained(rules, site=PolicyTerms(), call=FACTS):  # noqa: B008 - frozen
    return explain(resolve(rules, call, site), call, rules)


@given(rule_lists, facts(), terms)
def test_every_call_can_be_explained(many, call, site) -> None:
    found = resolve(many, call, site)
    said = explain(found, call, many)
    assert [term.field for term in said.terms] == list(FIELDS)
    assert [cited.id for cited in said.rules] == list(found.applied)
    assert bool(said.conflicts) == bool(found.conflicts)
    text = "\n".join(said.lines())
    assert "{" not in text
    assert all(f"{field} = " in text for field in FIELDS)


def test_an_emergency_number_is_all_there_is_to_say() -> None:
    rules = [PolicyRule(id="a", terms=PolicyTerms(beep_s=5))]
    said = explain(resolve(rules, FACTS), FACTS, rules, emergency=True)
    assert said.emergency
    assert said.terms == said.rules == ()
    assert list(said.lines())[-1] == (
        "An emergency number: no notice, no recording, whatever the rules say."
    )


def test_the_notice_is_said_before_the_terms_where_it_is_known() -> None:
    said = explain(resolve([], FACTS), FACTS, [], notice="standard")
    lines = list(said.lines())
    assert lines.index("notice = standard") < lines.index("consent = notice")
    assert not [line for line in explained([]).lines() if line.startswith("notice")]


def test_what_is_unknown_is_said_to_be() -> None:
    call = explained([]).call
    assert call["country"] == "unknown: meets every rule that asks for a country"
    assert call["number"] == "unknown: meets every rule that asks for a prefix"
    assert call["language"] == "unknown: meets every rule that asks for a language"
    assert call["dialled"] == call["queue"] == "none"


@pytest.mark.parametrize("field", FAILURES)
@pytest.mark.parametrize("value", list(OnProblem))
def test_each_failure_and_its_answer_has_its_own_sentence(field: str, value: OnProblem) -> None:
    means = [term.means for term in explained([], PolicyTerms(**{field: value})).terms]
    assert len(set(means)) == len(means)


def test_numbers_stand_in_the_sentences() -> None:
    site = PolicyTerms(beep_s=15, retention_min_days=30, retention_max_days=90)
    means = {term.field: term.means for term in explained([], site).terms}
    assert means["beep_s"] == "A tone to both parties every 15 seconds."
    assert means["retention_min_days"] == "The recording is kept for at least 30 days."
    assert means["retention_max_days"] == "The recording is deleted after 90 days at the latest."


def test_a_warning_of_a_rule_that_applied_is_shown_with_it() -> None:
    rules = [PolicyRule(id="a", text="Asks for it.", warning="not read"), PolicyRule(id="b")]
    assert list(explained(rules).lines())[-5:] == [
        "rule a (site)",
        "    Asks for it.",
        "    warning: not read",
        "",
        "rule b (site)",
    ]


def test_a_conflict_is_said_last() -> None:
    said = explained(
        [PolicyRule(id="keep", terms=PolicyTerms(retention_min_days=9))],
        PolicyTerms(retention_max_days=2),
    )
    assert list(said.lines())[-1] == (
        "conflict: kept for at least 9 days (keep) and at most 2 (the policy itself): "
        "no recording can be both"
    )
