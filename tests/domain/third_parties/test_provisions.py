"""Records of provision: what they need, when the law asks for them, and when they may go."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.domain.audit.encoding import Row
from asterisk_compliance.domain.periods import Period, Unit
from asterisk_compliance.domain.third_parties.provisions import (
    EXEMPT,
    LONGEST_VALUE,
    NO_THIRD_PARTY,
    SOURCES,
    AbroadBasis,
    ProvidedItem,
    Provision,
    ProvisionGround,
    ProvisionProblem,
    ProvisionRecipient,
    ProvisionTerms,
    due,
    problem_of,
    provisions_of,
)
from asterisk_compliance.ids import NodeName, PartyId, call_id
from values import replace

TODAY = date(2026, 11, 25)
CALL = call_id(1_795_507_200_000, bytes(8))
PARTY = PartyId(f"y-{CALL[2:]}-1")
TERMS = ProvisionTerms(ProvisionGround.CONSENT, "JP", frozenset({ProvidedItem.RECORDING}), TODAY)
COURT = ProvisionRecipient("Tokyo District Court", "R8-123", "1-1-4 Kasumigaseki", "its president")
THREE_YEARS = Period(3, Unit.YEAR)


def problem(
    terms: ProvisionTerms = TERMS, recipient: ProvisionRecipient = COURT, home: str | None = "JP"
):
    return problem_of(terms, recipient, home=home, today=TODAY)


def test_every_ground_has_a_source_and_belongs_to_one_group():
    assert set(SOURCES) == set(ProvisionGround)
    assert not EXEMPT & NO_THIRD_PARTY
    assert set(ProvisionGround) - EXEMPT - NO_THIRD_PARTY == {ProvisionGround.CONSENT}


@pytest.mark.parametrize("ground", ProvisionGround)
@pytest.mark.parametrize("abroad", [None, *AbroadBasis])
def test_the_law_asks_for_a_record_of_consent_and_of_what_goes_abroad_by_consent(ground, abroad):
    needed = ground is ProvisionGround.CONSENT or (
        ground in NO_THIRD_PARTY and abroad is AbroadBasis.CONSENT
    )
    assert replace(TERMS, ground=ground, abroad=abroad).needs_record is needed


def test_what_is_whole_has_no_problem():
    assert problem() is None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"name": ""}, ProvisionProblem.NO_NAME),
        ({"reference": ""}, ProvisionProblem.NO_REFERENCE),
        ({"address": ""}, ProvisionProblem.NO_ADDRESS),
        ({"representative": ""}, ProvisionProblem.NO_REPRESENTATIVE),
        ({"representative": "", "is_person": True}, None),
        ({"name": "x" * LONGEST_VALUE}, None),
        ({"name": "x" * (LONGEST_VALUE + 1)}, ProvisionProblem.TOO_LONG),
    ],
)
def test_a_record_that_the_law_asks_for_says_who_received_it(change, expected):
    assert problem(recipient=replace(COURT, **change)) is expected


def test_where_the_law_asks_for_no_record_a_name_is_enough():
    only = ProvisionRecipient("police", "R8-9")
    assert problem(replace(TERMS, ground=ProvisionGround.LAW), only) is None
    assert problem(replace(TERMS, ground=ProvisionGround.ENTRUSTMENT), only) is None
    abroad = {"country": "US", "abroad": AbroadBasis.CONSENT}
    entrusted = replace(TERMS, ground=ProvisionGround.ENTRUSTMENT, **abroad)
    assert problem(entrusted, only) is ProvisionProblem.NO_ADDRESS


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"items": frozenset()}, ProvisionProblem.NO_ITEMS),
        ({"day": date(2026, 11, 26)}, ProvisionProblem.DAY_TO_COME),
        ({"day": date(2020, 1, 1)}, None),
        ({"country": "US"}, ProvisionProblem.NO_BASIS_ABROAD),
        ({"country": "US", "ground": ProvisionGround.LAW}, None),
        ({"country": "US", "abroad": AbroadBasis.EQUIVALENT_SYSTEM}, None),
        ({"abroad": AbroadBasis.CONSENT}, ProvisionProblem.BASIS_AT_HOME),
    ],
)
def test_how_it_is_handed_over_must_be_whole_too(change, expected):
    assert problem(replace(TERMS, **change)) is expected


def test_a_site_that_does_not_say_where_it_is_treats_every_country_as_abroad():
    assert problem(home=None) is ProvisionProblem.NO_BASIS_ABROAD
    assert problem(replace(TERMS, abroad=AbroadBasis.CONSENT), home=None) is None


def test_only_what_is_known_of_a_recipient_is_kept():
    assert ProvisionRecipient("A", "B").values() == {"name": "A", "reference": "B"}
    assert set(COURT.values()) == {"name", "address", "representative", "reference"}


def row(seq: int, kind: str = "provision_recorded", **detail) -> Row:
    said = {
        "abroad": "",
        "country": "JP",
        "day": "2026-11-20",
        "ground": "LAW",
        "items": ("CALL_DATA",),
        "keep_until": "2029-11-25",
        "made": "2026-11-25",
        "needs_record": False,
        "recipient": PARTY,
    }
    stamp = "2026-11-25T00:00:00.000Z"
    whole = {**said, **detail}
    return Row("y", stamp, CALL, whole, kind, "log", NodeName("service"), "0" * 32, seq)


def test_provisions_are_read_from_their_rows_and_from_no_others():
    found = provisions_of([row(3), row(4, "provision_recipient"), row(5, items=("RECORDING",))])
    assert list(found) == [3, 5]
    assert not found[3].has_audio
    assert found[5].has_audio
    assert found[3] == Provision(
        number=3,
        call=CALL,
        recipient=PARTY,
        country="JP",
        ground="LAW",
        abroad="",
        items=("CALL_DATA",),
        day=date(2026, 11, 20),
        made=date(2026, 11, 25),
        keep_until=date(2029, 11, 25),
        needs_record=False,
    )


def made_on(day: date, number: int = 1) -> Provision:
    made = row(number, made=day.isoformat(), keep_until=THREE_YEARS.last_day(day).isoformat())
    return provisions_of([made])[number]


@pytest.mark.parametrize(
    ("made", "last"),
    [
        (date(2026, 11, 25), date(2029, 11, 25)),
        (date(2024, 2, 29), date(2027, 2, 28)),
        (date(2026, 12, 31), date(2029, 12, 31)),
    ],
)
def test_a_record_may_go_the_day_after_its_last_one(made, last):
    one = made_on(made)
    assert due([one], THREE_YEARS, last) == []
    assert due([one], THREE_YEARS, date.fromordinal(last.toordinal() + 1)) == [(one, last)]


def test_a_longer_period_of_today_holds_and_a_shorter_one_takes_nothing_away():
    one = made_on(TODAY)
    assert one.last_day(Period(5, Unit.YEAR)) == date(2031, 11, 25)
    assert one.last_day(Period(1, Unit.YEAR)) == date(2029, 11, 25)


@given(st.lists(st.dates(date(2016, 1, 1), date(2026, 1, 1)), max_size=8))
def test_what_is_due_comes_in_the_order_of_its_last_days(days):
    made = [made_on(day, number) for number, day in enumerate(days)]
    found = due(made, THREE_YEARS, date(2027, 1, 1))
    assert [last for _, last in found] == sorted(last for _, last in found)
    kept = {one.number for one in made} - {one.number for one, _ in found}
    assert all(made[number].last_day(THREE_YEARS) >= date(2027, 1, 1) for number in kept)
