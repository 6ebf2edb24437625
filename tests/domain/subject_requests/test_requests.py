"""What the rows of requests say: state, calls, what was granted, and when it is late."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.domain.audit.encoding import milliseconds
from asterisk_compliance.domain.subject_requests.codes import (
    SOURCES,
    RequestRefusal,
    RequestVerdict,
    Right,
)
from asterisk_compliance.domain.subject_requests.requests import KINDS, RequestState, requests_of
from domain.request_traces import (
    DUE,
    DUE_MS,
    GRANTED,
    LATER,
    ONE,
    OTHER,
    RECEIVED_MS,
    REQUEST,
    THREE,
    TWO,
    about,
    answered,
    carried_out,
    decided,
    identified,
    opened,
    row,
    the,
    withdrawn,
)


def test_every_refusal_has_a_source_in_its_own_law():
    assert set(SOURCES) == set(RequestRefusal)
    for refusal, source in SOURCES.items():
        assert source.startswith("APPI" if refusal.regime == "jp" else "GDPR")


def test_a_request_goes_from_step_to_step():
    rows = [opened(), *about(ONE, TWO)]
    one = the(*rows)
    assert (one.state, one.right, one.due_ms) == (RequestState.OPENED, Right.ERASE, DUE_MS)
    assert one.calls == {ONE: f"y-{ONE[2:]}-1", TWO: f"y-{TWO[2:]}-1"}
    assert (one.how, one.verdict, one.granted) == ("", None, frozenset())
    rows.append(identified())
    assert (the(*rows).state, the(*rows).how) == (RequestState.IDENTIFIED, "CALLED_BACK")
    rows.append(decided(**GRANTED))
    one = the(*rows)
    assert (one.state, one.verdict, one.cause) == (
        RequestState.DECIDED,
        RequestVerdict.GRANTED,
        "JP_CEASE_USE",
    )
    assert one.granted == {ONE, TWO}
    assert one.to_be_carried_out
    rows.append(row("request_begun"))
    assert the(*rows).begun
    rows.append(carried_out(TWO, matters=("CASE-1",)))
    one = the(*rows)
    assert not one.to_be_carried_out
    assert (one.kept, one.matters) == ({TWO}, ("CASE-1",))
    assert one.is_open
    rows.append(answered(RECEIVED_MS + 5))
    one = the(*rows)
    assert (one.state, one.answered_ms, one.is_open) == (
        RequestState.ANSWERED,
        RECEIVED_MS + 5,
        False,
    )
    assert one.over_ms == RECEIVED_MS + 5


def test_rows_of_nobody_and_of_other_kinds_change_nothing():
    rows = [*about(ONE), row("call_ended", ONE), opened(), row("mark"), identified()]
    assert the(*rows).calls == {}
    assert requests_of([identified(), answered()]) == {}


def test_requests_do_not_mix():
    rows = [opened(), opened(request=OTHER, right="COPY"), *about(ONE), *about(TWO, request=OTHER)]
    found = requests_of(rows)
    assert list(found) == [REQUEST, OTHER]
    assert [list(one.calls) for one in found.values()] == [[ONE], [TWO]]


def test_what_was_excepted_refused_or_withdrawn_is_not_granted():
    rows = [opened(), *about(ONE, TWO), identified()]
    assert the(*rows, decided(verdict="IN_PART", excepted=(ONE,))).granted == {TWO}
    assert the(*rows, decided(verdict="REFUSED")).granted == frozenset()
    one = the(*rows, decided(**GRANTED), withdrawn())
    assert (one.granted, one.state, one.is_open) == (frozenset(), RequestState.WITHDRAWN, False)
    assert (one.over_ms, one.answered_ms) == (RECEIVED_MS, None)
    assert not one.to_be_carried_out


@pytest.mark.parametrize("knows", [False, True])
def test_a_refusal_that_did_not_know_of_a_call_is_to_be_decided_again(knows):
    rows = [opened(), *([identified()] if knows else [])]
    refusal = decided(verdict="REFUSED", reason="NOT_KEPT", matters=("CASE-1",))
    rows += [refusal, *about(ONE)]
    one = the(*rows)
    state = RequestState.IDENTIFIED if knows else RequestState.OPENED
    assert (one.state, one.verdict, one.reason, one.matters) == (state, None, "", ())
    assert one.calls.keys() == {ONE}
    assert the(*rows, refusal).verdict is RequestVerdict.REFUSED


@pytest.mark.parametrize("right", Right)
def test_only_a_granted_copy_or_hearing_opens_a_call(right):
    rows = [opened(right=right), *about(ONE, TWO), identified()]
    assert not the(*rows).opens(ONE)
    rows.append(decided(verdict="IN_PART", excepted=(TWO,)))
    opens = right in {Right.HEAR, Right.COPY}
    for more in ([], [answered()]):
        one = the(*rows, *more)
        assert (one.opens(ONE), one.opens(TWO), one.opens(THREE)) == (opens, False, False)
    assert not the(*rows, withdrawn()).opens(ONE)
    assert the(*rows).to_be_carried_out is (right is Right.ERASE)


def test_it_is_overdue_at_its_moment_and_not_a_second_before():
    one = the(opened())
    assert [one.is_overdue(DUE_MS + late) for late in (-1_000, -1, 0, 1, 1_000)] == [
        False,
        False,
        True,
        True,
        True,
    ]
    for over in (answered(), withdrawn()):
        assert not the(opened(), over).is_overdue(DUE_MS)
    one = the(opened(), row("request_overdue", due_at=DUE))
    assert one.overdue_ms == one.due_ms == DUE_MS


def test_a_time_that_was_made_longer_counts():
    law = {"regime": "eu", "legal_at": DUE, "basis": "PROMISE"}
    one = the(opened(**law), row("request_extended", due_at=LATER))
    later = milliseconds(LATER)
    assert (one.due_ms, one.legal_ms, one.basis) == (later, later, "STATUTORY")
    assert one.extended
    assert not one.is_overdue(later - 1)
    assert one.is_overdue(later)


ANY = [
    *about(ONE, TWO),
    identified(),
    decided(**GRANTED),
    decided(verdict="REFUSED"),
    decided(verdict="IN_PART", excepted=(ONE,)),
    row("request_begun"),
    carried_out(),
    answered(),
    withdrawn(),
    row("request_overdue", due_at=DUE),
]


@given(st.lists(st.sampled_from(ANY), max_size=12), st.sampled_from(Right))
def test_whatever_the_rows_are_only_what_it_is_about_is_granted(rows, right):
    one = the(opened(right=right), *rows)
    assert one.granted <= one.calls.keys()
    if not any(each.kind == "request_decided" for each in rows):
        assert one.granted == frozenset()
    assert {each.kind for each in ANY} < set(KINDS)
