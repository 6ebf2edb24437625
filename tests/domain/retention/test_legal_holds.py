"""Legal holds: what they say is asked in everything, and in doubt they hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.domain.retention.legal_holds import (
    CallAsHeld,
    Criteria,
    Hold,
    HoldProblem,
    holds_it,
    matters_of,
)
from asterisk_compliance.ids import call_id
from values import replace

BEGAN_MS = 1_764_000_000_000
CALL = call_id(BEGAN_MS, bytes(8))
OTHER = call_id(BEGAN_MS, bytes(7) + b"1")
FACTS = CallAsHeld(CALL, BEGAN_MS, "sales", frozenset({7}))


@pytest.mark.parametrize(
    ("criteria", "held"),
    [
        (Criteria(call=CALL), True),
        (Criteria(call=OTHER), False),
        (Criteria(numbered=True), True),
        (Criteria(queue="sales"), True),
        (Criteria(queue="support"), False),
        (Criteria(since_ms=BEGAN_MS), True),
        (Criteria(since_ms=BEGAN_MS + 1), False),
        (Criteria(until_ms=BEGAN_MS + 1), True),
        (Criteria(until_ms=BEGAN_MS), False),
        (Criteria(numbered=True, queue="support"), False),
        (Criteria(numbered=True, queue="sales", since_ms=0, until_ms=BEGAN_MS * 2), True),
    ],
)
def test_a_call_is_held_that_is_as_the_hold_says_in_everything(criteria, held):
    assert holds_it(Hold(7, "CASE-1", criteria), FACTS) is held


def test_a_number_holds_the_calls_of_its_own_hold_only():
    assert not holds_it(Hold(8, "CASE-1", Criteria(numbered=True)), FACTS)


def test_a_call_of_which_the_queue_is_not_known_may_have_been_in_any():
    hold = Hold(1, "CASE-1", Criteria(queue="support"))
    assert holds_it(hold, replace(FACTS, queue=None))
    assert not holds_it(hold, replace(FACTS, queue=""))


def test_many_matters_hold_one_call_and_each_is_named_once():
    holds = [
        Hold(1, "CASE-2", Criteria(call=CALL)),
        Hold(2, "CASE-1", Criteria(queue="sales")),
        Hold(3, "CASE-1", Criteria(since_ms=0)),
        Hold(4, "CASE-3", Criteria(call=OTHER)),
    ]
    assert matters_of(holds, FACTS) == ("CASE-1", "CASE-2")
    assert matters_of(holds[1:], FACTS) == ("CASE-1",)
    assert matters_of(holds[3:], FACTS) == ()


@pytest.mark.parametrize(
    ("criteria", "problem"),
    [
        (Criteria(), HoldProblem.EMPTY),
        (Criteria(since_ms=2, until_ms=2), HoldProblem.ORDER),
        (Criteria(since_ms=2, until_ms=1), HoldProblem.ORDER),
        (Criteria(since_ms=1, until_ms=2), None),
        (Criteria(since_ms=1), None),
        (Criteria(until_ms=1), None),
        (Criteria(numbered=True), None),
        (Criteria(queue="sales"), None),
        (Criteria(call=CALL), None),
    ],
)
def test_a_hold_says_something_that_can_be(criteria, problem):
    assert criteria.problem() is problem


criterias = st.builds(
    Criteria,
    call=st.sampled_from([None, CALL, OTHER]),
    numbered=st.booleans(),
    queue=st.sampled_from(["", "sales", "support"]),
    since_ms=st.sampled_from([None, BEGAN_MS, BEGAN_MS + 1]),
    until_ms=st.sampled_from([None, BEGAN_MS, BEGAN_MS + 1]),
)


@given(st.lists(criterias), criterias)
def test_one_more_hold_never_frees_a_call(some, more):
    holds = [Hold(number, f"CASE-{number}", one) for number, one in enumerate(some)]
    before = matters_of(holds, FACTS)
    after = matters_of([*holds, Hold(99, "CASE-99", more)], FACTS)
    assert set(before) <= set(after)


@given(criterias, criterias)
def test_saying_more_never_holds_more(one, other):
    both = Criteria(
        call=one.call or other.call,
        numbered=one.numbered or other.numbered,
        queue=one.queue or other.queue,
        since_ms=max((s for s in (one.since_ms, other.since_ms) if s is not None), default=None),
        until_ms=min((u for u in (one.until_ms, other.until_ms) if u is not None), default=None),
    )
    if holds_it(Hold(7, "X", both), FACTS):
        assert holds_it(Hold(7, "X", one), FACTS)
