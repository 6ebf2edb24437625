"""Everything that rules can make of a policy is known before a call comes."""

from __future__ import annotations

from datetime import date

from hypothesis import given

from asterisk_compliance.domain.policy.matching import CallDirection, Match
from asterisk_compliance.domain.policy.notice import Consent, OnProblem, RecordingDuty
from asterisk_compliance.domain.policy.reachability import applying_to, lowest, reachable
from asterisk_compliance.domain.policy.rules import DEFAULT, SITE, PolicyRule, resolve
from asterisk_compliance.domain.policy.terms import (
    FAILURES,
    FIELDS,
    NOTHING,
    PolicyTerms,
    is_laxer,
    settled,
)
from domain.policy_values import facts, rule_lists, terms

SOMETIMES = Match(direction=frozenset({CallDirection.OUTBOUND}))


def rule(name: str = "own", match: Match = SOMETIMES, **asked: object) -> PolicyRule:
    return PolicyRule(id=name, match=match, terms=PolicyTerms(**asked))  # type: ignore[arg-type]


@given(rule_lists, facts(), terms)
def test_whatever_holds_for_a_call_was_reachable(rules, call, site) -> None:
    """Conservative at least: this is what a configuration is checked against."""
    meeting = applying_to(rules, call.policy)
    reach = reachable(meeting, site)
    held = resolve(rules, call, site).terms
    assert held == resolve(meeting, call, site).terms
    for field in FIELDS:
        assert getattr(held, field) in reach[field]


@given(rule_lists, facts(), terms)
def test_no_call_is_laxer_than_the_lowest(rules, call, site) -> None:
    meeting = applying_to(rules, call.policy)
    held, floor = resolve(rules, call, site).terms, lowest(meeting, site)
    for field in FIELDS:
        assert not is_laxer(field, getattr(held, field), getattr(floor, field))
        assert getattr(floor, field) in reachable(meeting, site)[field]


def test_rules_of_another_policy_never_meet() -> None:
    ours, theirs = (Match(policy=frozenset({name})) for name in ("sales", "help"))
    rules = [rule("a", ours), rule("b", theirs), rule("c")]
    assert [it.id for it in applying_to(rules, "sales")] == ["a", "c"]


def test_who_can_ask_for_what() -> None:
    rules = [
        rule("a", consent=Consent.OPT_IN),
        rule("b", consent=Consent.OPT_OUT),
        rule("c", consent=Consent.OPT_IN),
    ]
    assert reachable(rules, NOTHING)["consent"] == {
        Consent.NOTICE: (DEFAULT,),
        Consent.OPT_OUT: ("b",),
        Consent.OPT_IN: ("a", "c"),
    }
    assert reachable(rules, PolicyTerms(consent=Consent.OPT_IN))["consent"] == {
        Consent.OPT_IN: ("a", "c", SITE)
    }


def test_what_no_call_can_have_needs_no_preparation() -> None:
    """A rule that meets every call leaves nothing below it."""
    always = rule("always", Match(), on_refusal=OnProblem.END)
    assert reachable([always], NOTHING)["on_refusal"] == {OnProblem.END: ("always",)}
    for_this_policy = rule("p", Match(policy=frozenset({"sales"})), on_refusal=OnProblem.END)
    assert set(reachable([for_this_policy], NOTHING)["on_refusal"]) == {OnProblem.END}


def test_a_rule_of_a_day_leaves_what_holds_on_the_others() -> None:
    asked = PolicyTerms(on_refusal=OnProblem.END)
    for days in ({"valid_from": date(2027, 1, 1)}, {"valid_to": date(2027, 1, 1)}):
        own = PolicyRule(id="a", terms=asked, **days)
        assert set(reachable([own], NOTHING)["on_refusal"]) == {OnProblem.TELL, OnProblem.END}


def test_mandatory_recording_makes_another_way_reachable() -> None:
    reach = reachable([rule("must", duty=RecordingDuty.MANDATORY)], NOTHING)
    for field in FAILURES:
        assert reach[field][OnProblem.ALTERNATIVE] == ("must",)
        assert len(reach[field]) == 2
    reach = reachable(
        [rule("must", duty=RecordingDuty.MANDATORY)], PolicyTerms(on_refusal=OnProblem.END)
    )
    assert reach["on_refusal"] == {OnProblem.END: (SITE,)}


def test_a_policy_that_must_record_never_goes_on_unrecorded() -> None:
    site = PolicyTerms(duty=RecordingDuty.MANDATORY, on_refusal=OnProblem.ALTERNATIVE)
    reach = reachable([rule(on_refusal=OnProblem.END, on_notice_failure=OnProblem.TELL)], site)
    assert reach["on_refusal"] == {OnProblem.ALTERNATIVE: (SITE,), OnProblem.END: ("own",)}
    assert reach["on_notice_failure"] == {OnProblem.ALTERNATIVE: (SITE,)}
    assert settled(site).on_notice_failure is OnProblem.ALTERNATIVE
