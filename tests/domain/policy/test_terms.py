"""The strictest of what rules ask: order, repetition and one more rule never make a call laxer."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.domain.policy.notice import (
    AgentConsent,
    CaptureFrom,
    Consent,
    OnJoin,
    OnProblem,
    RecordingDuty,
    Withdrawal,
)
from asterisk_compliance.domain.policy.terms import (
    DEFAULTS,
    FAILURES,
    FIELDS,
    NOTHING,
    CallTerms,
    PolicyTerms,
    filled,
    is_impossible,
    is_laxer,
    merge,
    settled,
    strictest,
)
from domain.policy_values import is_at_least_as_strict, terms

FROM_LAX_TO_STRICT = {
    "consent": [None, Consent.NOTICE, Consent.OPT_OUT, Consent.OPT_IN],
    "duty": [None, RecordingDuty.OPTIONAL, RecordingDuty.MANDATORY],
    "capture": [None, CaptureFrom.NOTICE, CaptureFrom.BRIDGED],
    **{
        field: [
            None,
            OnProblem.CONTINUE,
            OnProblem.TELL,
            OnProblem.ALTERNATIVE,
            OnProblem.END,
        ]
        for field in FAILURES
    },
    "agent_consent": [None, AgentConsent.NONE, AgentConsent.REQUIRED],
    "on_join": [None, OnJoin.CONTINUE, OnJoin.RENOTIFY, OnJoin.STOP],
    "withdrawal": [None, Withdrawal.OFF, Withdrawal.ON],
    "beep_s": [None, 60, 15, 1],
    "retention_min_days": [None, 1, 90, 3653],
    "retention_max_days": [None, 3653, 90, 1],
}


def test_every_field_has_an_order() -> None:
    assert set(FROM_LAX_TO_STRICT) == set(FIELDS)


@pytest.mark.parametrize("field", FIELDS)
def test_of_two_values_the_stricter_holds(field: str) -> None:
    values = FROM_LAX_TO_STRICT[field]
    for one_rank, one in enumerate(values):
        for other_rank, other in enumerate(values):
            merged = merge(PolicyTerms(**{field: one}), PolicyTerms(**{field: other}))
            assert merged == PolicyTerms(**{field: values[max(one_rank, other_rank)]})
            assert is_laxer(field, one, other) == (one_rank < other_rank)


@given(terms, terms)
def test_the_order_of_two_does_not_matter(one: PolicyTerms, other: PolicyTerms) -> None:
    assert merge(one, other) == merge(other, one)


@given(terms, terms, terms)
def test_the_order_of_merging_does_not_matter(
    one: PolicyTerms, two: PolicyTerms, three: PolicyTerms
) -> None:
    assert merge(merge(one, two), three) == merge(one, merge(two, three))


@given(terms)
def test_saying_it_twice_or_saying_nothing_changes_nothing(one: PolicyTerms) -> None:
    assert merge(one, one) == one
    assert merge(one, NOTHING) == merge(NOTHING, one) == one


@given(terms, terms)
def test_the_merge_is_at_least_as_strict_as_both_and_no_stricter_than_needed(
    one: PolicyTerms, other: PolicyTerms
) -> None:
    merged = merge(one, other)
    assert is_at_least_as_strict(merged, one)
    assert is_at_least_as_strict(merged, other)
    for field in FIELDS:
        assert getattr(merged, field) in {getattr(one, field), getattr(other, field)}


@given(terms, terms, terms)
def test_what_is_stricter_stays_stricter_after_a_merge(
    lax: PolicyTerms, more: PolicyTerms, x: PolicyTerms
) -> None:
    assert is_at_least_as_strict(merge(merge(lax, more), x), merge(lax, x))


@given(st.lists(terms, max_size=5), st.randoms())
def test_the_strictest_of_many_in_any_order(many: list[PolicyTerms], random) -> None:
    shuffled = [*many, *many]
    random.shuffle(shuffled)
    assert strictest(shuffled) == strictest(many)
    assert strictest([]) == NOTHING


def as_terms(call: CallTerms) -> PolicyTerms:
    return PolicyTerms(**{field: getattr(call, field) for field in FIELDS})


@given(terms, terms)
def test_settling_adds_takes_nothing_away_and_is_done_once(
    one: PolicyTerms, other: PolicyTerms
) -> None:
    done = as_terms(settled(one))
    assert is_at_least_as_strict(done, one)
    assert as_terms(settled(done)) == done
    full, fuller = filled(one, DEFAULTS), merge(filled(one, DEFAULTS), other)
    assert is_at_least_as_strict(as_terms(settled(fuller)), as_terms(settled(full)))


@given(terms)
def test_mandatory_recording_never_goes_on_unrecorded(one: PolicyTerms) -> None:
    call = settled(one)
    chosen = {getattr(call, field) for field in FAILURES}
    if call.duty is RecordingDuty.MANDATORY:
        assert chosen <= {OnProblem.ALTERNATIVE, OnProblem.END}
    else:
        full = filled(one, DEFAULTS)
        assert all(getattr(call, field) == getattr(full, field) for field in FAILURES)


def test_an_end_stays_an_end_where_recording_is_mandatory() -> None:
    call = settled(PolicyTerms(duty=RecordingDuty.MANDATORY, on_refusal=OnProblem.END))
    assert call.on_refusal is OnProblem.END
    assert call.on_notice_failure is call.on_recording_failure is OnProblem.ALTERNATIVE


def test_what_holds_when_nobody_says_anything() -> None:
    call = settled(NOTHING)
    assert as_terms(call) == DEFAULTS
    assert {field for field in FIELDS if getattr(call, field) is None} == {
        "beep_s",
        "retention_min_days",
        "retention_max_days",
    }


@given(terms, terms)
def test_filling_in_touches_only_silence(one: PolicyTerms, other: PolicyTerms) -> None:
    both = filled(one, other)
    for field in FIELDS:
        said = getattr(one, field)
        assert getattr(both, field) == (getattr(other, field) if said is None else said)


def test_the_fields_of_a_call_are_those_of_terms() -> None:
    assert tuple(field.name for field in fields(CallTerms)) == FIELDS


@pytest.mark.parametrize(
    ("at_least", "at_most", "impossible"),
    [(None, None, False), (5, None, False), (None, 5, False), (5, 5, False), (6, 5, True)],
)
def test_a_minimum_above_the_maximum_is_impossible(at_least, at_most, impossible) -> None:
    asked = PolicyTerms(retention_min_days=at_least, retention_max_days=at_most)
    assert is_impossible(asked) is impossible
    assert is_impossible(settled(asked)) is impossible


@pytest.mark.parametrize("field", ["beep_s", "retention_min_days", "retention_max_days"])
@pytest.mark.parametrize("value", [0, -1])
def test_no_interval_and_no_period_below_one(field: str, value: int) -> None:
    with pytest.raises(ValueError, match=field):
        PolicyTerms(**{field: value})
