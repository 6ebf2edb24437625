"""Until when a request is answered: month ends, leap days, changed clocks, every midnight."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.domain.deadlines import (
    EXTENDED,
    LEGAL,
    SOURCES,
    SUIT,
    Basis,
    Regime,
    ResponseDeadline,
    due,
    extended_ms,
    last_day,
    soon_ms,
    suit_ms,
)
from asterisk_compliance.domain.periods import Period, Unit, days, read_period

TOKYO, BERLIN, BEIRUT = map(ZoneInfo, ("Asia/Tokyo", "Europe/Berlin", "Asia/Beirut"))
ZONES = ("UTC", "Asia/Tokyo", "Europe/Berlin", "America/New_York", "Asia/Beirut",
         "Australia/Lord_Howe", "Africa/Cairo")  # fmt: skip


def ms(text: str) -> int:
    """A moment with its offset, in Unix milliseconds."""
    return int(datetime.fromisoformat(text).timestamp() * 1_000)


def test_every_regime_has_its_say():
    assert set(SOURCES) == set(Regime)
    assert LEGAL.keys() == EXTENDED.keys() == {Regime.EU}
    assert SUIT.keys() == {Regime.JP}


@pytest.mark.parametrize(
    ("received", "late"),
    [
        ("2026-11-24T00:00:00+09:00", "2026-12-09T00:00:00+09:00"),
        ("2026-11-24T23:59:59.999+09:00", "2026-12-09T00:00:00+09:00"),
        ("2026-11-25T00:00:00+09:00", "2026-12-10T00:00:00+09:00"),
        ("2026-11-24T15:00:00+00:00", "2026-12-10T00:00:00+09:00"),
        ("2026-12-31T12:00:00+09:00", "2027-01-15T00:00:00+09:00"),
        ("2028-02-15T12:00:00+09:00", "2028-03-01T00:00:00+09:00"),
        ("2027-02-15T12:00:00+09:00", "2027-03-02T00:00:00+09:00"),
    ],
)
def test_in_japan_no_law_says_a_day_and_two_weeks_are_our_promise(received, late):
    found = due(Regime.JP, None, ms(received), TOKYO)
    assert found == ResponseDeadline(ms(late), Basis.PROMISE, None)
    assert suit_ms(Regime.JP, ms(received), TOKYO) == ms(late)
    assert extended_ms(Regime.JP, ms(received), TOKYO) is None


@pytest.mark.parametrize(
    ("received", "month", "three"),
    [
        ("2026-03-05T12:00", "2026-04-06T00:00+02:00", "2026-06-06T00:00+02:00"),
        ("2026-08-31T12:00", "2026-10-01T00:00+02:00", "2026-12-01T00:00+01:00"),
        ("2026-11-30T12:00", "2026-12-31T00:00+01:00", "2027-03-01T00:00+01:00"),
        ("2027-01-31T12:00", "2027-03-01T00:00+01:00", "2027-05-01T00:00+02:00"),
        ("2028-01-31T12:00", "2028-03-01T00:00+01:00", "2028-05-01T00:00+02:00"),
        ("2028-02-29T12:00", "2028-03-30T00:00+02:00", "2028-05-30T00:00+02:00"),
        ("2026-12-31T23:59:59.999", "2027-02-01T00:00+01:00", "2027-04-01T00:00+02:00"),
        # Clocks are set forward on 2027-03-28 and back on 2027-10-31, both at night.
        ("2027-02-27T12:00", "2027-03-28T00:00+01:00", "2027-05-28T00:00+02:00"),
        ("2027-02-28T12:00", "2027-03-29T00:00+02:00", "2027-05-29T00:00+02:00"),
        ("2027-09-30T12:00", "2027-10-31T00:00+02:00", "2027-12-31T00:00+01:00"),
        ("2027-10-31T02:30", "2027-12-01T00:00+01:00", "2028-02-01T00:00+01:00"),
    ],
)
def test_in_europe_it_is_a_month_and_three_where_it_was_extended(received, month, three):
    received_ms = int(datetime.fromisoformat(received).replace(tzinfo=BERLIN).timestamp() * 1_000)
    assert due(Regime.EU, None, received_ms, BERLIN) == ResponseDeadline(
        ms(month), Basis.STATUTORY, ms(month)
    )
    assert extended_ms(Regime.EU, received_ms, BERLIN) == ms(three)
    assert suit_ms(Regime.EU, received_ms, BERLIN) is None


def test_the_second_before_and_after_a_midnight_are_two_days():
    last, first = ms("2026-08-30T23:59:59+02:00"), ms("2026-08-31T00:00:00+02:00")
    of = [due(Regime.EU, None, at, BERLIN).at_ms for at in (last, first, first + 1_000)]
    assert of == [ms("2026-10-01T00:00+02:00")] * 3, "September has 30 days"
    last, first = ms("2026-04-29T23:59:59+02:00"), ms("2026-04-30T00:00:00+02:00")
    of = [due(Regime.EU, None, at, BERLIN).at_ms for at in (last, first)]
    assert of == [ms("2026-05-30T00:00+02:00"), ms("2026-05-31T00:00+02:00")]


def test_where_clocks_leave_midnight_out_a_day_ends_when_they_are_set():
    """In Beirut it was 01:00 at once on 2022-03-27."""
    received_ms = ms("2022-03-12T12:00+02:00")
    assert due(Regime.OWN, None, received_ms, BEIRUT).at_ms == ms("2022-03-27T01:00+03:00")


def test_of_the_law_and_our_promise_the_earlier_one_counts():
    received_ms = ms("2026-11-24T12:00+01:00")
    law = ms("2026-12-25T00:00+01:00")
    assert due(Regime.EU, days(14), received_ms, BERLIN) == ResponseDeadline(
        ms("2026-12-09T00:00+01:00"), Basis.PROMISE, law
    )
    for longer in ("1 month", "60 days"):
        found = due(Regime.EU, read_period(longer), received_ms, BERLIN)
        assert found == ResponseDeadline(law, Basis.STATUTORY, law), "a promise makes no law longer"
    own = due(Regime.OWN, read_period("3 days"), received_ms, BERLIN)
    assert own == ResponseDeadline(ms("2026-11-28T00:00+01:00"), Basis.PROMISE, None)
    jp = due(Regime.JP, read_period("1 day"), received_ms, BERLIN)
    assert jp == ResponseDeadline(ms("2026-11-26T00:00+01:00"), Basis.PROMISE, None)


def test_soon_are_its_last_days():
    late = ms("2027-03-29T00:00+02:00")
    assert last_day(late, BERLIN) == date(2027, 3, 28)
    assert last_day(ms("2028-03-01T00:00+09:00"), TOKYO) == date(2028, 2, 29)
    assert soon_ms(late, 1, BERLIN) == ms("2027-03-28T00:00+01:00"), "a day of 23 hours"
    assert soon_ms(late, 3, BERLIN) == ms("2027-03-26T00:00+01:00")
    assert soon_ms(late, 0, BERLIN) == late


@given(
    st.sampled_from(Regime),
    st.none() | st.builds(Period, st.integers(0, 100), st.just(Unit.DAY)),
    st.integers(946_684_800_000, 2_840_140_800_000),
    st.sampled_from(ZONES).map(ZoneInfo),
)
def test_it_is_late_at_the_end_of_a_day_and_never_after_the_law(regime, promise, received_ms, zone):
    found = due(regime, promise, received_ms, zone)
    last = datetime.fromtimestamp(found.at_ms / 1_000 - 0.001, zone)
    first = datetime.fromtimestamp(found.at_ms / 1_000, zone)
    assert last.date() < first.date()
    assert found.at_ms > received_ms
    if found.legal_ms is None:
        assert found.basis is Basis.PROMISE
        after = timedelta(days=(promise or days(14)).count)
        assert last.date() == _day(received_ms, zone) + after
    else:
        assert found.at_ms <= found.legal_ms
        assert (found.basis is Basis.STATUTORY) is (found.at_ms == found.legal_ms)
        longest = extended_ms(regime, received_ms, zone)
        assert longest is not None
        assert longest > found.legal_ms


def _day(at_ms: int, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(at_ms / 1_000, zone).date()
