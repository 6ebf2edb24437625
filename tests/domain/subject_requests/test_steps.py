"""What may be done with a request, and why not."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from asterisk_compliance.domain.retention.erasure import ErasureGround
from asterisk_compliance.domain.subject_requests.codes import (
    GRANTING,
    REFUSING,
    RequestReason,
    RequestRefusal,
    RequestVerdict,
    Right,
)
from asterisk_compliance.domain.subject_requests.steps import (
    RequestDecision,
    RequestStep,
    StepProblem,
    decision_problem,
    problem,
)
from domain.request_traces import (
    DUE,
    DUE_MS,
    GRANTED,
    LATER,
    ONE,
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
from values import replace

NEW = [opened(), *about(ONE, TWO)]
KNOWN = [*NEW, identified()]
DECIDED = [*KNOWN, decided(**GRANTED)]
REFUSED = [*KNOWN, decided(verdict="REFUSED")]
BEGUN = [*DECIDED, row("request_begun")]
DONE = [*BEGUN, carried_out()]
ANSWERED = [*DONE, answered()]
WITHDRAWN = [*NEW, withdrawn()]
STATES = {"new": NEW, "known": KNOWN, "decided": DECIDED, "refused": REFUSED, "begun": BEGUN,
          "done": DONE, "answered": ANSWERED, "withdrawn": WITHDRAWN}  # fmt: skip
LET = {
    "new": {RequestStep.SEARCH, RequestStep.IDENTIFY, RequestStep.DECIDE, RequestStep.WITHDRAW},
    "known": {RequestStep.SEARCH, RequestStep.IDENTIFY, RequestStep.DECIDE, RequestStep.WITHDRAW},
    "decided": {RequestStep.CARRY_OUT, RequestStep.WITHDRAW},
    "refused": {
        RequestStep.SEARCH,
        RequestStep.IDENTIFY,
        RequestStep.DECIDE,
        RequestStep.ANSWER,
        RequestStep.WITHDRAW,
    },
    "begun": {RequestStep.CARRY_OUT},
    "done": {RequestStep.ANSWER},
    "answered": set(),
    "withdrawn": set(),
}


@pytest.mark.parametrize(("state", "step"), list(product(STATES, RequestStep)))
def test_every_step_in_every_state(state, step):
    found = problem(the(*STATES[state]), step, 0)
    assert (found is None) is (step in LET[state]), found


@pytest.mark.parametrize(
    ("state", "step", "why"),
    [
        ("decided", RequestStep.SEARCH, StepProblem.DECIDED),
        ("decided", RequestStep.IDENTIFY, StepProblem.DECIDED),
        ("decided", RequestStep.EXTEND, StepProblem.DECIDED),
        ("decided", RequestStep.DECIDE, StepProblem.DECIDED),
        ("decided", RequestStep.ANSWER, StepProblem.NOT_CARRIED_OUT),
        ("known", RequestStep.ANSWER, StepProblem.NOT_DECIDED),
        ("known", RequestStep.CARRY_OUT, StepProblem.NOTHING_TO_CARRY_OUT),
        ("refused", RequestStep.CARRY_OUT, StepProblem.NOTHING_TO_CARRY_OUT),
        ("done", RequestStep.CARRY_OUT, StepProblem.NOTHING_TO_CARRY_OUT),
        ("begun", RequestStep.WITHDRAW, StepProblem.BEGUN),
        ("answered", RequestStep.WITHDRAW, StepProblem.OVER),
        ("withdrawn", RequestStep.DECIDE, StepProblem.OVER),
    ],
)
def test_it_says_why_not(state, step, why):
    assert problem(the(*STATES[state]), step, 0) is why


def test_who_was_refused_because_nobody_knew_him_can_show_who_he_is():
    rows = [*NEW, decided(verdict="REFUSED", reason="NOT_IDENTIFIED", matters=("CASE-1",))]
    assert problem(the(*rows), RequestStep.IDENTIFY, 0) is None
    rows.append(identified())
    one = the(*rows)
    assert (one.verdict, one.reason, one.matters) == (None, "", ())
    assert problem(one, RequestStep.ANSWER, 0) is StepProblem.NOT_DECIDED
    assert decision_problem(one, ERASE) is None


def test_a_stop_of_use_is_taken_back_also_after_its_answer_and_once():
    rows = [opened(right="STOP_USE"), *about(ONE), identified(), decided(), answered()]
    assert problem(the(*rows), RequestStep.WITHDRAW, 0) is None
    assert problem(the(*rows), RequestStep.ANSWER, 0) is StepProblem.OVER
    assert problem(the(*rows, withdrawn()), RequestStep.WITHDRAW, 0) is StepProblem.OVER
    refused = [*rows[:3], decided(verdict="REFUSED"), answered()]
    assert problem(the(*refused), RequestStep.WITHDRAW, 0) is StepProblem.OVER


def test_a_time_is_made_longer_once_before_it_is_over_and_only_by_law():
    law = opened(regime="eu", legal_at=DUE, basis="STATUTORY")
    for at_ms, expected in (
        (DUE_MS - 1_000, None),
        (DUE_MS - 1, None),
        (DUE_MS, StepProblem.TOO_LATE),
        (DUE_MS + 1_000, StepProblem.TOO_LATE),
    ):
        assert problem(the(law), RequestStep.EXTEND, at_ms) is expected
    longer = row("request_extended", due_at=LATER)
    assert problem(the(law, longer), RequestStep.EXTEND, DUE_MS - 1) is StepProblem.LONGER_ALREADY
    assert problem(the(opened()), RequestStep.EXTEND, 0) is StepProblem.NO_LONGER


# -- decisions ---------------------------------------------------------------------------------


def wish(verdict: str, reason: str, **more: Any) -> RequestDecision:
    return RequestDecision(RequestVerdict(verdict), reason, **more)


ERASE = wish("GRANTED", "LAW", cause="JP_CEASE_USE")
COPY = wish("GRANTED", "CODE")
HELD = {ONE: ("CASE-1",)}


def asked(right: str = "ERASE", **detail: Any) -> Any:
    return the(opened(right=right, **detail), *about(ONE, TWO), identified())


@pytest.mark.parametrize(
    ("right", "decision"),
    [
        ("ERASE", ERASE),
        ("COPY", COPY),
        ("HEAR", wish("GRANTED", "GOODWILL")),
        ("PROVISIONS", wish("GRANTED", "LAW")),
        ("CORRECT", wish("GRANTED", "LAW", text=True)),
        ("STOP_USE", wish("GRANTED", "LAW")),
        ("STOP_USE", wish("GRANTED", "LAW", purposes=("TRAINING",))),
        ("COPY", wish("REFUSED", "LAW", ground="JP_RIGHTS_OF_OTHERS")),
        ("COPY", wish("REFUSED", "NOT_KEPT")),
        ("COPY", wish("IN_PART", "LAW", ground="JP_OTHER_LAW", excepted=frozenset({ONE}))),
        ("ERASE", replace(ERASE, verdict=RequestVerdict.IN_PART, reason="ON_HOLD", held=HELD,
                          excepted=frozenset({ONE}))),
        ("ERASE", wish("REFUSED", "ON_HOLD", held={ONE: ("A-1",), TWO: ("B-2",)})),
        ("ERASE", wish("REFUSED", "LAW", ground="JP_NO_CAUSE", held=HELD)),
    ],
)  # fmt: skip
def test_these_decisions_can_be_made(right, decision):
    assert decision_problem(asked(right), decision) is None


@pytest.mark.parametrize(
    ("right", "decision", "why"),
    [
        ("COPY", wish("GRANTED", "BECAUSE"), StepProblem.WRONG_REASON),
        ("COPY", wish("GRANTED", "NOT_KEPT"), StepProblem.WRONG_REASON),
        ("COPY", wish("REFUSED", "GOODWILL"), StepProblem.WRONG_REASON),
        ("COPY", wish("REFUSED", "NOT_IDENTIFIED"), StepProblem.IDENTIFIED),
        ("COPY", wish("REFUSED", "NOT_AUTHORISED"), StepProblem.BY_PERSON),
        ("ERASE", wish("REFUSED", "ON_HOLD"), StepProblem.NOT_HELD),
        ("ERASE", wish("REFUSED", "ON_HOLD", held=HELD), StepProblem.EXCEPTED),
        ("COPY", wish("REFUSED", "LAW"), StepProblem.NO_GROUND),
        ("COPY", wish("REFUSED", "LAW", ground="BECAUSE"), StepProblem.NO_GROUND),
        ("COPY", wish("REFUSED", "LAW", ground="GDPR_CLAIMS"), StepProblem.NO_GROUND),
        ("COPY", wish("REFUSED", "NOT_KEPT", ground="JP_OTHER_LAW"), StepProblem.NO_GROUND),
        ("COPY", wish("GRANTED", "LAW", ground="JP_OTHER_LAW"), StepProblem.NO_GROUND),
        ("ERASE", wish("GRANTED", "LAW"), StepProblem.NO_CAUSE),
        ("ERASE", wish("GRANTED", "LAW", cause="BECAUSE"), StepProblem.NO_CAUSE),
        ("ERASE", wish("REFUSED", "NOT_KEPT", cause="JP_CEASE_USE"), StepProblem.NO_CAUSE),
        ("COPY", wish("GRANTED", "LAW", cause="JP_CEASE_USE"), StepProblem.NO_CAUSE),
        ("COPY", wish("GRANTED", "LAW", cause="BECAUSE"), StepProblem.NO_CAUSE),
        ("COPY", wish("GRANTED", "LAW", purposes=("QUALITY",)), StepProblem.NO_PURPOSES),
        ("STOP_USE", wish("REFUSED", "NOT_KEPT", purposes=("QUALITY",)), StepProblem.NO_PURPOSES),
        ("COPY", wish("GRANTED", "LAW", text=True), StepProblem.NO_TEXT),
        ("CORRECT", wish("GRANTED", "LAW"), StepProblem.NO_TEXT),
        ("CORRECT", wish("REFUSED", "NOT_KEPT", text=True), StepProblem.NO_TEXT),
        ("COPY", replace(COPY, excepted=frozenset({THREE})), StepProblem.NOT_ITS_CALL),
        ("COPY", replace(COPY, excepted=frozenset({ONE})), StepProblem.EXCEPTED),
        ("COPY", replace(COPY, excepted=frozenset({ONE, TWO})), StepProblem.EXCEPTED),
        ("COPY", wish("IN_PART", "NOT_KEPT"), StepProblem.EXCEPTED),
        ("COPY", wish("IN_PART", "NOT_KEPT", excepted=frozenset({ONE, TWO})), StepProblem.EXCEPTED),
        ("COPY", wish("REFUSED", "NOT_KEPT", excepted=frozenset({ONE})), StepProblem.EXCEPTED),
        ("ERASE", replace(ERASE, held=HELD), StepProblem.HELD),
        ("ERASE", replace(ERASE, verdict=RequestVerdict.IN_PART, reason="ON_HOLD", held=HELD,
                          excepted=frozenset({TWO})), StepProblem.EXCEPTED),
        ("ERASE", replace(ERASE, verdict=RequestVerdict.IN_PART, reason="NOT_KEPT", held=HELD,
                          excepted=frozenset({TWO})), StepProblem.HELD),
    ],
)  # fmt: skip
def test_these_decisions_cannot_be_made(right, decision, why):
    assert decision_problem(asked(right), decision) is why


def test_nothing_is_granted_before_it_is_known_who_asks_and_about_what():
    unknown = the(opened(right="COPY"), *about(ONE))
    assert decision_problem(unknown, COPY) is StepProblem.NOT_IDENTIFIED
    assert decision_problem(unknown, wish("REFUSED", "NOT_IDENTIFIED")) is None
    agent = opened(right="COPY", by="AGENT")
    rows = [agent, *about(ONE), identified()]
    assert decision_problem(the(*rows), COPY) is StepProblem.NOT_AUTHORISED
    assert decision_problem(the(*rows), wish("REFUSED", "NOT_AUTHORISED")) is None
    shown = [agent, *about(ONE), identified(authority="MANDATE")]
    assert decision_problem(the(*shown), COPY) is None
    nothing = the(opened(right="COPY"), identified())
    assert decision_problem(nothing, COPY) is StepProblem.NO_CALLS
    assert decision_problem(nothing, wish("REFUSED", "NOT_KEPT")) is None


@pytest.mark.parametrize("refusal", RequestRefusal)
def test_a_ground_is_of_the_law_by_which_the_request_is_answered(refusal):
    for regime in ("jp", "eu", "own"):
        one = asked("COPY", regime=regime)
        found = decision_problem(one, wish("REFUSED", "LAW", ground=refusal))
        assert (found is None) is (refusal.regime == regime)


@pytest.mark.parametrize("verdict", ["REFUSED", "IN_PART"])
def test_only_where_no_law_speaks_can_our_own_rules_refuse(verdict):
    excepted = frozenset({ONE} if verdict == "IN_PART" else ())
    for regime in ("jp", "eu", "own"):
        one = asked("COPY", regime=regime)
        found = decision_problem(one, wish(verdict, "CODE", excepted=excepted))
        assert found is (None if regime == "own" else StepProblem.WRONG_REASON)
        assert decision_problem(one, COPY) is None


def test_every_ground_of_an_erasure_and_every_reason_has_its_place():
    for cause in ErasureGround:
        assert decision_problem(asked(), replace(ERASE, cause=cause)) is None
    assert set(RequestReason) == GRANTING | REFUSING
    assert {RequestReason.LAW, RequestReason.CODE} == GRANTING & REFUSING
    assert set(Right) == {"HEAR", "COPY", "CORRECT", "STOP_USE", "ERASE", "PROVISIONS"}
