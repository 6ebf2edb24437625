"""Which rules apply, what they make of a call together, and who decided it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.domain.policy.matching import CallDirection, CallFacts, Match, Weekday
from asterisk_compliance.domain.policy.notice import Consent, OnProblem, RecordingDuty
from asterisk_compliance.domain.policy.rules import (
    DEFAULT,
    SITE,
    DecidedTerm,
    PolicyRule,
    RuleChange,
    reachable_conflicts,
    resolve,
    upcoming,
)
from asterisk_compliance.domain.policy.terms import (
    FIELDS,
    NOTHING,
    PolicyTerms,
    RetentionConflict,
    is_laxer,
)
from domain.policy_values import facts, is_at_least_as_strict, rule_lists, rules, terms
from values import replace

TOKYO, NEW_YORK = ZoneInfo("Asia/Tokyo"), ZoneInfo("America/New_York")
FACTS = CallFacts("sales", CallDirection.INBOUND, datetime(2027, 1, 16, 12, tzinfo=TOKYO))


def as_terms(resolution) -> PolicyTerms:
    return PolicyTerms(**{field: getattr(resolution.terms, field) for field in FIELDS})


# -- the result ----------------------------------------------------------------------------------


@given(rule_lists, facts(), terms, st.randoms())
def test_the_order_of_rules_does_not_matter(many, call, site, random) -> None:
    shuffled = list(many)
    random.shuffle(shuffled)
    assert resolve(shuffled, call, site) == resolve(many, call, site)


@given(rule_lists, rules(), facts(), terms)
def test_one_more_rule_never_makes_a_call_laxer(many, more, call, site) -> None:
    before = resolve(many, call, site)
    after = resolve([*many, replace(more, id="more")], call, site)
    assert is_at_least_as_strict(as_terms(after), as_terms(before))
    assert set(after.applied) - {"more"} == set(before.applied)


@given(rule_lists, facts(), terms)
def test_a_rule_stated_twice_changes_nothing(many, call, site) -> None:
    again = [replace(rule, id=f"again-{rule.id}") for rule in many]
    assert resolve([*many, *again], call, site).terms == resolve(many, call, site).terms


@given(rule_lists, facts(), terms)
def test_an_unknown_party_has_the_strictest_terms(many, call, site) -> None:
    unknown = replace(call, number="", countries=frozenset(), language="")
    strict = resolve(many, unknown, site)
    assert is_at_least_as_strict(as_terms(strict), as_terms(resolve(many, call, site)))


@given(rule_lists, facts(), terms)
def test_the_trace_names_who_asked_for_what_holds_and_who_asked_for_less(many, call, site) -> None:
    found = resolve(many, call, site)
    asked = {rule.id: rule.terms for rule in many if rule.applies_to(call)} | {SITE: site}
    assert list(found.applied) == sorted(set(asked) - {SITE})
    assert tuple(found.trace) == FIELDS
    for field, decided in found.trace.items():
        assert decided.value == getattr(found.terms, field)
        said = {who: getattr(it, field) for who, it in asked.items()}
        raised = decided.for_duty
        if not raised:
            assert {who for who, value in said.items() if value == decided.value and value} == set(
                decided.by
            ) - {DEFAULT}
        laxer = {w for w, v in said.items() if v is not None and is_laxer(field, v, decided.value)}
        assert laxer == set(decided.overruled) - {DEFAULT}
        assert decided.by or decided.value is None


def test_strictest_wins_and_the_trace_says_why() -> None:
    lax = PolicyRule(id="lax", terms=PolicyTerms(consent=Consent.NOTICE))
    strict = PolicyRule(id="strict", terms=PolicyTerms(consent=Consent.OPT_IN))
    elsewhere = PolicyRule(
        id="elsewhere", terms=PolicyTerms(beep_s=1), match=Match(policy=frozenset({"help"}))
    )
    found = resolve([strict, elsewhere, lax], FACTS, PolicyTerms(consent=Consent.OPT_OUT))
    assert found.terms.consent is Consent.OPT_IN
    assert found.trace["consent"] == DecidedTerm(Consent.OPT_IN, ("strict",), ("lax", SITE))
    assert found.trace["on_refusal"] == DecidedTerm(OnProblem.TELL, (DEFAULT,))
    assert found.trace["beep_s"] == DecidedTerm(None, ())
    assert found.applied == ("lax", "strict")


def test_the_policy_itself_can_choose_the_laxer_than_the_default_and_no_rule_can() -> None:
    chosen = PolicyTerms(on_refusal=OnProblem.CONTINUE)
    found = resolve([], FACTS, chosen)
    assert found.trace["on_refusal"] == DecidedTerm(OnProblem.CONTINUE, (SITE,))
    found = resolve([PolicyRule(id="lax", terms=chosen)], FACTS)
    assert found.trace["on_refusal"] == DecidedTerm(OnProblem.TELL, (DEFAULT,), ("lax",))


def test_mandatory_recording_raises_what_would_go_on_and_says_so() -> None:
    duty = PolicyRule(id="duty", terms=PolicyTerms(duty=RecordingDuty.MANDATORY))
    found = resolve([duty], FACTS, PolicyTerms(on_refusal=OnProblem.TELL))
    raised = DecidedTerm(OnProblem.ALTERNATIVE, ("duty",), (SITE,), for_duty=True)
    assert found.trace["on_refusal"] == raised
    found = resolve([duty], FACTS, PolicyTerms(on_refusal=OnProblem.ALTERNATIVE))
    assert found.trace["on_refusal"] == DecidedTerm(OnProblem.ALTERNATIVE, (SITE,))


# -- retention -----------------------------------------------------------------------------------

KEEP = PolicyRule(id="keep", terms=PolicyTerms(retention_min_days=100))
DELETE = PolicyRule(id="delete", terms=PolicyTerms(retention_max_days=99))
DAY = timedelta(days=1)


def test_a_conflict_of_retention_is_a_value() -> None:
    assert resolve([KEEP, DELETE], FACTS).conflicts == (
        RetentionConflict(100, 99, ("keep",), ("delete",)),
    )
    assert resolve([KEEP], FACTS, PolicyTerms(retention_max_days=100)).conflicts == ()


@given(rule_lists, facts(), terms)
def test_a_conflict_of_a_call_is_found_before_the_call(many, call, site) -> None:
    if resolve(many, call, site).conflicts:
        assert reachable_conflicts(many, site)


def test_a_policy_can_conflict_with_itself_and_with_a_rule() -> None:
    site = PolicyTerms(retention_min_days=5, retention_max_days=4)
    assert reachable_conflicts([], site) == [RetentionConflict(5, 4, (SITE,), (SITE,))]
    assert reachable_conflicts([DELETE], PolicyTerms(retention_min_days=100)) == [
        RetentionConflict(100, 99, (SITE,), ("delete",))
    ]
    assert (
        reachable_conflicts([KEEP, PolicyRule(id="x", terms=PolicyTerms(retention_max_days=100))])
        == []
    )


@pytest.mark.parametrize(
    ("keep", "delete", "reachable"),
    [
        ({}, {}, True),
        ({"match": Match(queue=frozenset({"a"}))}, {"match": Match(queue=frozenset({"b"}))}, False),
        (
            {"match": Match(country=frozenset({"JP"}))},
            {"match": Match(country=frozenset({"US"}))},
            True,
        ),
        ({"valid_to": date(2027, 1, 17)}, {"valid_from": date(2027, 1, 17)}, False),
        ({"valid_to": date(2027, 1, 18)}, {"valid_from": date(2027, 1, 17)}, True),
        ({"valid_from": date(2027, 1, 17)}, {"valid_to": date(2027, 1, 17)}, False),
        (
            {"valid_to": date(2027, 1, 17), "time_zone": NEW_YORK},
            {"valid_from": date(2027, 1, 17), "time_zone": TOKYO},
            True,
        ),
        (
            {"valid_to": date(2027, 1, 17), "time_zone": NEW_YORK},
            {"valid_from": date(2027, 1, 20), "time_zone": TOKYO},
            False,
        ),
    ],
)
def test_only_rules_that_can_meet_conflict(keep, delete, reachable) -> None:
    pair = [replace(KEEP, **keep), replace(DELETE, **delete)]
    assert bool(reachable_conflicts(pair)) is reachable


# -- days ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", [ZoneInfo("UTC"), TOKYO, NEW_YORK])
@pytest.mark.parametrize(
    ("seconds", "old", "new"), [(-1, True, False), (0, False, True), (1, False, True)]
)
def test_rules_change_at_midnight_of_their_own_time_zone(zone, seconds, old, new) -> None:
    midnight = datetime.combine(date(2027, 1, 17), time(0), tzinfo=zone).astimezone(UTC)
    call = replace(FACTS, at=midnight + timedelta(seconds=seconds))
    before = PolicyRule(id="a", valid_to=date(2027, 1, 17), time_zone=zone)
    after = PolicyRule(id="b", valid_from=date(2027, 1, 17), time_zone=zone)
    assert before.applies_to(call) is old
    assert after.applies_to(call) is new
    assert resolve([before, after], call).applied == (("a",) if old else ("b",))


def test_hours_and_weekdays_are_those_of_the_rules_time_zone() -> None:
    sunday_late = replace(FACTS, at=datetime(2027, 1, 17, 23, 30, tzinfo=UTC))
    monday_morning = Match(weekdays=frozenset({Weekday.MON}), hours=(time(8), time(9)))
    assert PolicyRule(id="a", match=monday_morning, time_zone=TOKYO).applies_to(sunday_late)
    assert not PolicyRule(id="a", match=monday_morning).applies_to(sunday_late)


def test_summer_time_does_not_move_an_hour_of_the_clock() -> None:
    nine = PolicyRule(id="a", match=Match(hours=(time(9), time(10))), time_zone=NEW_YORK)
    for month, hour in ((1, 14), (7, 13)):
        assert nine.applies_to(replace(FACTS, at=datetime(2027, month, 4, hour, tzinfo=UTC)))
        assert not nine.applies_to(
            replace(FACTS, at=datetime(2027, month, 4, hour - 1, 59, 59, tzinfo=UTC))
        )


def test_changes_are_seen_ahead() -> None:
    start, end = date(2027, 1, 17), date(2027, 2, 1)
    changing = [
        PolicyRule(id="b", valid_from=start, warning="read it"),
        PolicyRule(id="a", valid_to=start),
        PolicyRule(id="c", valid_from=start, valid_to=end),
        PolicyRule(id="d"),
    ]
    on_the_day = [
        RuleChange(start, "a", begins=False),
        RuleChange(start, "b", begins=True, warning="read it"),
        RuleChange(start, "c", begins=True),
    ]
    assert upcoming(changing, start - 30 * DAY, 30) == on_the_day
    assert upcoming(changing, start - 31 * DAY, 30) == []
    assert upcoming(changing, start, 14) == []
    assert upcoming(changing, start, 15) == [RuleChange(end, "c", begins=False)]


# -- what is no rule -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "A", "a b", "-a", "é", SITE, DEFAULT, "a" * 65, "a\n"])
def test_an_id_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="id: "):
        PolicyRule(id=name)


@pytest.mark.parametrize("days", [0, -1])
def test_a_rule_that_ends_before_it_begins_is_refused(days: int) -> None:
    start = date(2027, 1, 17)
    with pytest.raises(ValueError, match="valid_to: "):
        PolicyRule(id="a", valid_from=start, valid_to=start + days * DAY)
    assert PolicyRule(id="a", terms=NOTHING, valid_from=start, valid_to=start + DAY)
