"""What is provided to us: what a record needs, when the law asks for it, how long it is kept."""

from __future__ import annotations

from datetime import date

import pytest

from asterisk_compliance.domain.audit.encoding import Row
from asterisk_compliance.domain.periods import Period, Unit
from asterisk_compliance.domain.third_parties.provisions import (
    LONGEST_VALUE,
    ProvidedItem,
    ProvisionProblem,
)
from asterisk_compliance.domain.third_parties.provisions_received import (
    Provider,
    Received,
    ReceivedGround,
    ReceivedTerms,
    received_of,
    received_problem,
)
from asterisk_compliance.ids import NodeName, PartyId, call_id
from values import replace

TODAY = date(2026, 11, 25)
PARTY = PartyId(f"y-{call_id(1_795_507_200_000, bytes(8))[2:]}-1")
TERMS = ReceivedTerms(ReceivedGround.CONSENT, "JP", frozenset({ProvidedItem.NUMBER}), TODAY)
LISTS = Provider("Lists K.K.", "its own form", "list of May", "2-2 Chiyoda", "S. Tanaka")


@pytest.mark.parametrize("ground", ReceivedGround)
def test_the_law_asks_for_a_record_of_consent_and_of_opting_out(ground):
    needed = ground in {ReceivedGround.CONSENT, ReceivedGround.OPT_OUT}
    assert replace(TERMS, ground=ground).needs_record is needed


@pytest.mark.parametrize(
    ("change", "needed", "anyway"),
    [
        ({}, None, None),
        ({"name": ""}, ProvisionProblem.NO_NAME, ProvisionProblem.NO_NAME),
        ({"whom": ""}, ProvisionProblem.NO_WHOM, ProvisionProblem.NO_WHOM),
        ({"acquired": ""}, ProvisionProblem.NO_ORIGIN, None),
        ({"address": ""}, ProvisionProblem.NO_ADDRESS, None),
        ({"representative": ""}, ProvisionProblem.NO_REPRESENTATIVE, None),
        ({"representative": "", "is_person": True}, None, None),
        ({"whom": "x" * LONGEST_VALUE}, None, None),
        ({"whom": "x" * (LONGEST_VALUE + 1)}, *[ProvisionProblem.TOO_LONG] * 2),
    ],
)
def test_who_provided_it_is_confirmed_where_the_law_asks_for_it(change, needed, anyway):
    provider = replace(LISTS, **change)
    assert received_problem(TERMS, provider, TODAY) is needed
    entrusted = replace(TERMS, ground=ReceivedGround.ENTRUSTMENT)
    assert received_problem(entrusted, provider, TODAY) is anyway


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"items": frozenset()}, ProvisionProblem.NO_ITEMS),
        ({"day": date(2026, 11, 24)}, None),
        ({"day": TODAY}, None),
        ({"day": date(2026, 11, 26)}, ProvisionProblem.DAY_TO_COME),
        ({"country": "US"}, None),
    ],
)
def test_how_it_was_provided_must_be_whole_too(change, expected):
    assert received_problem(replace(TERMS, **change), LISTS, TODAY) is expected


def test_only_what_is_known_of_a_provider_is_kept():
    assert Provider("A", "", "B").values() == {"name": "A", "whom": "B"}
    assert set(LISTS.values()) == {"name", "address", "representative", "acquired", "whom"}


def row(seq: int, kind: str = "provision_received", **detail) -> Row:
    said = {
        "country": "JP",
        "day": "2026-11-20",
        "ground": "CONSENT",
        "items": ("NAME", "NUMBER"),
        "keep_until": "2029-11-25",
        "made": "2026-11-25",
        "needs_record": True,
        "sha256": "",
        "source": PARTY,
    }
    stamp = "2026-11-25T00:00:00.000Z"
    whole = {**said, **detail}
    return Row("y", stamp, None, whole, kind, "log", NodeName("service"), "0" * 32, seq)


def test_they_are_read_from_their_rows_and_from_no_others():
    found = received_of([row(3), row(4, "provision_source"), row(5, sha256="ab" * 32)])
    assert list(found) == [3, 5]
    assert found[5].sha256 == "ab" * 32
    assert found[3] == Received(
        number=3,
        source=PARTY,
        country="JP",
        ground="CONSENT",
        items=("NAME", "NUMBER"),
        day=date(2026, 11, 20),
        made=date(2026, 11, 25),
        keep_until=date(2029, 11, 25),
        needs_record=True,
        sha256="",
    )


@pytest.mark.parametrize(
    ("years", "made", "last"),
    [
        (5, "2026-11-25", date(2031, 11, 25)),
        (1, "2026-11-25", date(2029, 11, 25)),
        (4, "2028-02-29", date(2032, 2, 29)),
        (5, "2028-02-29", date(2033, 2, 28)),
        (3, "2026-12-31", date(2029, 12, 31)),
    ],
)
def test_a_longer_period_of_today_holds_and_a_shorter_one_takes_nothing_away(years, made, last):
    one = received_of([row(1, made=made)])[1]
    assert one.last_day(Period(years, Unit.YEAR)) == last
