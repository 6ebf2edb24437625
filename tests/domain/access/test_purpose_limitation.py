"""Purposes bind: only what everybody was told, unless a legal ground permits more."""

from __future__ import annotations

import re
from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.domain.access.purpose_limitation import (
    BIOMETRICS,
    COMPELLING,
    DRILL,
    IMPLIED,
    OWN_CODES,
    OWN_CONSENT,
    RIGHTS,
    SERVICE,
    SOURCES,
    Action,
    Facts,
    Use,
    UseGround,
    UseReason,
    UseRefusal,
    refusal,
)
from asterisk_compliance.shipped.catalogue import shipped_purposes
from values import replace

CODES = sorted(map(str, shipped_purposes()))
PLAIN = [code for code in CODES if code != RIGHTS]
COPIES = [Action.LISTEN, Action.EXPORT, Action.EVIDENCE, Action.TRANSCRIBE]
ANSWERS = [Action.ANSWER, Action.HEAR]
TOLD = Facts(told=(frozenset({"QUALITY", "SERVICE"}),))
QUALITY = Use(Action.EXPORT, "QUALITY", UseReason.REVIEW)
UNTOLD = replace(QUALITY, purpose="TRAINING")


def everything_told() -> list[frozenset[str]]:
    sizes = range(len(CODES) + 1)
    return [frozenset(some) for size in sizes for some in combinations(CODES, size)]


def test_all_pairs_of_what_was_told_and_what_is_asked_for():
    """Every set of the shipped purposes against each of them."""
    permitted = 0
    for told, purpose in product(everything_told(), PLAIN):
        found = refusal(replace(QUALITY, purpose=purpose), Facts(told=(told,)))
        assert found == (None if purpose in told else UseRefusal.NOT_TOLD)
        permitted += found is None
    assert permitted == len(PLAIN) * 2 ** (len(CODES) - 1)


@pytest.mark.parametrize("action", COPIES)
def test_every_action_is_bound(action):
    assert refusal(replace(QUALITY, action=action), TOLD) is None
    assert refusal(replace(UNTOLD, action=action), TOLD) is UseRefusal.NOT_TOLD


def test_one_party_who_was_not_told_is_enough():
    both = Facts(told=(frozenset({"QUALITY"}), frozenset({"SERVICE"})))
    assert refusal(QUALITY, both) is UseRefusal.NOT_TOLD
    assert not both.is_told("QUALITY")
    assert refusal(QUALITY, Facts(told=(frozenset({"QUALITY"}),) * 2)) is None


def test_where_nobody_is_known_to_be_heard_nothing_was_told():
    assert refusal(QUALITY, Facts(told=())) is UseRefusal.NOT_TOLD
    assert not Facts(told=()).is_told("QUALITY")


def test_where_nobody_s_voice_is_handed_out_what_was_told_is_not_asked():
    silent = Facts(told=None)
    assert refusal(QUALITY, silent) is None
    assert not silent.is_told("QUALITY")
    assert refusal(QUALITY, replace(silent, withheld=True)) is None
    assert refusal(QUALITY, replace(silent, stopped=True)) is UseRefusal.STOPPED


# -- grounds, and what they reach ----------------------------------------------------------------


@pytest.mark.parametrize("ground", list(UseGround))
def test_a_ground_permits_what_was_not_told(ground):
    assert refusal(replace(UNTOLD, ground=ground), TOLD) is None


@pytest.mark.parametrize("ground", list(UseGround))
def test_only_what_does_not_depend_on_his_will_goes_beyond_a_stop(ground):
    use = replace(QUALITY, ground=ground)
    for facts, why in (
        (replace(TOLD, stopped=True), UseRefusal.STOPPED),
        (replace(TOLD, withheld=True), UseRefusal.WITHDRAWN),
    ):
        assert refusal(use, facts) is (None if ground in COMPELLING else why)
        assert refusal(QUALITY, facts) is why


def test_every_ground_has_a_source_and_consent_compels_nobody():
    assert set(SOURCES) == set(UseGround)
    assert all(re.match(r"(APPI|GDPR) Art\. \d", source) for source in SOURCES.values())
    assert not {one for one in COMPELLING if "CONSENT" in one}
    assert OWN_CONSENT.isdisjoint(COMPELLING)


# -- requests, provisions, drills ----------------------------------------------------------------


@pytest.mark.parametrize("action", ANSWERS)
def test_an_answer_needs_the_granted_request_and_nothing_else(action):
    use = Use(action, RIGHTS, request="q-1")
    untold = Facts(told=(frozenset(),), stopped=True, withheld=True)
    assert refusal(use, replace(untold, granted=True)) is None
    assert refusal(use, replace(TOLD, provided=True)) is UseRefusal.NO_REQUEST


@pytest.mark.parametrize("action", [one for one in Action if one is not Action.PAST_CALLS])
@pytest.mark.parametrize("purpose", [*CODES, *sorted(OWN_CODES)])
def test_rights_are_for_answers_and_a_drill_is_a_drill(action, purpose):
    everything = Facts(
        told=(frozenset([*CODES, *OWN_CODES]),), granted=True, provided=True, biometrics=True
    )
    found = refusal(Use(action, purpose, ground=UseGround.JP_CONSENT), everything)
    fits = (purpose == RIGHTS) == (action in ANSWERS) and (purpose == DRILL) == (
        action is Action.DRILL
    )
    assert found == (None if fits else UseRefusal.PURPOSE_UNFIT)


@pytest.mark.parametrize("purpose", [*CODES, *sorted(OWN_CODES)])
def test_past_calls_are_for_service_and_give_out_no_recording(purpose):
    use = Use(Action.PAST_CALLS, purpose, UseReason.CALL)
    fitting = purpose == SERVICE
    assert refusal(use, Facts(told=None)) == (None if fitting else UseRefusal.PURPOSE_UNFIT)
    for told in ((), (frozenset(CODES),)):
        assert refusal(use, Facts(told=told)) is UseRefusal.PURPOSE_UNFIT


def test_what_is_handed_over_needs_its_provision_and_to_have_been_told():
    use = replace(QUALITY, action=Action.HAND_OVER, provision="7")
    given_away = replace(TOLD, provided=True)
    assert refusal(use, TOLD) is UseRefusal.NO_PROVISION
    assert refusal(use, given_away) is None
    assert refusal(replace(use, purpose="TRAINING"), given_away) is UseRefusal.NOT_TOLD


def test_a_drill_asks_nobody():
    facts = Facts(told=(frozenset(),), stopped=True, withheld=True)
    assert refusal(Use(Action.DRILL, DRILL), facts) is None


# -- voice biometrics ----------------------------------------------------------------------------


@pytest.mark.parametrize("ground", ["", *UseGround])
def test_biometrics_need_the_person_s_own_consent_and_no_notice_tells_them(ground):
    use = Use(Action.EXPORT, BIOMETRICS, UseReason.INVESTIGATION, ground)
    told_all = Facts(told=(frozenset([*CODES, BIOMETRICS]),), biometrics=True)
    assert refusal(use, told_all) is (None if ground in OWN_CONSENT else UseRefusal.GROUND_UNFIT)
    assert refusal(use, replace(told_all, biometrics=False)) is UseRefusal.BIOMETRICS_OFF


@pytest.mark.parametrize("purpose", PLAIN)
def test_no_other_purpose_has_biometrics_in_it(purpose):
    facts = Facts(told=(frozenset({purpose}),), biometrics=True)
    assert refusal(Use(Action.EXPORT, BIOMETRICS), facts) is UseRefusal.GROUND_UNFIT
    assert refusal(Use(Action.EXPORT, purpose), Facts(told=(frozenset({BIOMETRICS}),))) is (
        UseRefusal.NOT_TOLD
    )


@pytest.mark.parametrize("stands", ["stopped", "withheld"])
def test_who_consented_once_can_stop_it(stands):
    use = Use(Action.EXPORT, BIOMETRICS, ground=UseGround.JP_CONSENT)
    facts = replace(TOLD, biometrics=True)
    assert refusal(use, facts) is None
    assert refusal(use, replace(facts, **{stands: True})) is not None


def test_no_shipped_purpose_is_one_of_the_service_s_own():
    assert OWN_CODES.isdisjoint(CODES)
    assert RIGHTS in CODES


# -- all together --------------------------------------------------------------------------------

codes = st.sampled_from([*CODES, *sorted(OWN_CODES)])
uses = st.builds(
    Use,
    st.sampled_from(Action),
    codes,
    reason=st.sampled_from(UseReason),
    ground=st.sampled_from(["", *UseGround]),
)
parties = st.frozensets(codes)
facts_of_any_kind = st.builds(
    Facts,
    told=st.none() | st.lists(parties, max_size=4).map(tuple),
    stopped=st.booleans(),
    withheld=st.booleans(),
    in_role=st.booleans(),
    granted=st.booleans(),
    provided=st.booleans(),
    biometrics=st.booleans(),
)


@given(uses, facts_of_any_kind)
def test_what_is_permitted_without_a_ground_was_told_to_everybody(use, facts):
    if refusal(use, facts) is None and not use.ground and facts.told is not None:
        bound = use.action not in {*ANSWERS, Action.DRILL}
        assert facts.is_told(use.purpose) or not bound


@given(uses, facts_of_any_kind)
def test_who_has_no_role_may_nothing(use, facts):
    assert refusal(use, replace(facts, in_role=False)) is UseRefusal.NOT_IN_ROLE


@given(uses, facts_of_any_kind, parties)
def test_one_more_who_is_heard_never_permits_more(use, facts, party):
    told = facts.told
    if told and refusal(use, facts) is not None:
        assert refusal(use, replace(facts, told=(*told, party))) is not None


@given(uses, facts_of_any_kind)
def test_no_consent_goes_beyond_a_stop(use, facts):
    still = replace(facts, stopped=True)
    if refusal(use, still) is None and use.action not in {*ANSWERS, Action.DRILL}:
        assert use.ground in COMPELLING


@given(uses, facts_of_any_kind)
def test_biometrics_never_without_own_consent(use, facts):
    if use.purpose == BIOMETRICS and refusal(use, facts) is None:
        assert use.ground in OWN_CONSENT
        assert facts.biometrics


def test_an_action_that_says_why_by_itself_needs_no_reason():
    assert set(IMPLIED) == {*ANSWERS, Action.HAND_OVER, Action.DRILL, Action.PAST_CALLS}
