"""On which ground and by whose authority somebody is erased, and what stands in the way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.domain.audit.encoding import milliseconds
from asterisk_compliance.domain.phone_numbers import notations
from asterisk_compliance.domain.retention.erasure import (
    LONGEST_CALL_MS,
    SOURCES,
    ErasureGround,
    Hindrance,
    KeptParty,
    authority_problem,
    hindrance,
)
from asterisk_compliance.ids import NodeName, PartyId
from values import replace

ARRIVED = "2026-11-24T08:00:00.000Z"
NOW_MS = milliseconds(ARRIVED) + 60_000
STAFF = KeptParty(PartyId("y-1"), NodeName("lab"))
ENDED = replace(STAFF, arrived_at=ARRIVED, ended_at="2026-11-24T08:01:00.000Z")
LIVE = replace(ENDED, ended_at="")


def test_every_ground_has_a_source():
    assert set(SOURCES) == set(ErasureGround)
    assert all(SOURCES.values())


@pytest.mark.parametrize(
    ("party", "held", "expected"),
    [
        (STAFF, False, None),
        (ENDED, False, None),
        (ENDED, True, Hindrance.ON_HOLD),
        (LIVE, True, Hindrance.ON_HOLD),
        (LIVE, False, Hindrance.LIVE_CALL),
    ],
)
def test_live_calls_and_holds_stand_in_the_way(party, held, expected):
    assert hindrance(party, NOW_MS, held=held) is expected


@pytest.mark.parametrize("party", [ENDED, LIVE])
def test_what_a_record_of_provision_needs_stays_but_a_hold_is_told_first(party):
    assert hindrance(party, NOW_MS, held=False, recorded=True) is Hindrance.PROVISION_KEPT
    assert hindrance(party, NOW_MS, held=True, recorded=True) is Hindrance.ON_HOLD


def test_a_call_whose_end_was_never_seen_is_over_after_a_day():
    arrived_ms = milliseconds(ARRIVED)
    assert hindrance(LIVE, arrived_ms + LONGEST_CALL_MS - 1, held=False) is Hindrance.LIVE_CALL
    assert hindrance(LIVE, arrived_ms + LONGEST_CALL_MS, held=False) is None


@pytest.mark.parametrize(
    ("found_by", "leg", "expected"),
    [
        ((), "caller", True),
        (("number",), "caller", True),
        (("number", "dialled"), "caller", True),
        (("dialled",), "caller", False),
        (("dialled",), "callee", True),
        (("user",), "", True),
    ],
)
def test_who_dialled_a_number_is_not_whose_number_it_is(found_by, leg, expected):
    party = replace(STAFF, found_by=frozenset(found_by), leg=leg)
    assert party.is_whom_we_sought is expected


@pytest.mark.parametrize(
    ("fields", "digests", "expected"), [((), 0, False), (("name",), 0, True), ((), 1, True)]
)
def test_a_party_of_whom_nothing_is_kept_needs_no_erasure(fields, digests, expected):
    assert replace(STAFF, fields=fields, digests=digests).is_kept is expected


@pytest.mark.parametrize(
    "authority", ["REQ-2026-0042", "COURT/TOKYO/R8-123", "DPO.7", "REQ-20261124-1"]
)
def test_a_reference_is_an_authority(authority):
    assert authority_problem(authority, ["0312345678", "山田 太郎", "Yamada Taro", ""]) == ""


@pytest.mark.parametrize(
    ("authority", "problem"),
    [
        ("", "capital letters"),
        ("Mr Yamada", "capital letters"),
        ("REQ", "capital letters"),
        ("REQ-yamada", "capital letters"),
        ("REQ-1\n", "capital letters"),
        ("REQ-0998877665", "nine digits"),
        ("REQ-03-1234-5678", "the number"),
        ("REQ-12345678", "the number"),
        ("REQ-YAMADA-1", "the name"),
        ("REQ-TYAMADA", "the name"),
    ],
)
def test_what_could_name_somebody_is_no_authority(authority, problem):
    assert problem in authority_problem(authority, ["+81 3-1234-5678", "Yamada Taro"])


@given(st.text(), st.lists(st.text()))
def test_any_text_is_judged_and_no_number_gets_through(authority, values):
    digits = "".join(filter(str.isdigit, authority))
    if authority_problem(authority, values) == "":
        assert authority.isascii()
        assert authority == authority.upper()
    assert authority_problem(authority, ["0" * 3 + digits]) or len(digits) < 7


# -- notations -------------------------------------------------------------------------------

WRITTEN = ["0312345678", "03-1234-5678", "+81312345678", "+81 (0)3-1234-5678", "+81 3 1234 5678"]
STORED = {"0312345678", "81312345678", "312345678", "01081312345678", "0081312345678"}


@pytest.mark.parametrize("written", WRITTEN)
def test_a_number_is_found_however_it_was_written_and_stored(written):
    assert set(notations(written, "JP")) >= STORED


@pytest.mark.parametrize(
    ("number", "home", "expected"),
    [
        ("03-1234-5678", None, ("0312345678",)),
        ("100", "JP", ("100",)),
        ("anonymous", "JP", ()),
        ("", None, ()),
    ],
)
def test_what_is_no_public_number_is_taken_as_it_is(number, home, expected):
    assert notations(number, home) == expected
