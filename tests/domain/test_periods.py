"""Periods of a calendar: month ends, leap days, the hours that summer time takes and gives."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asterisk_compliance.domain.periods import (
    Period,
    Unit,
    day_of,
    days,
    end_of,
    last_event_over,
    over_before,
    read_period,
)

ZONES = (
    "UTC",
    "Asia/Tokyo",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "Africa/Cairo",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "Pacific/Apia",
    "America/Havana",
    "Asia/Beirut",
)
periods = st.one_of(
    st.builds(Period, st.integers(0, 4_000), st.just(Unit.DAY)),
    st.builds(Period, st.integers(0, 130), st.just(Unit.MONTH)),
    st.builds(Period, st.integers(0, 30), st.just(Unit.YEAR)),
)
some_days = st.dates(date(1990, 1, 1), date(2080, 12, 31))
zones = st.sampled_from(ZONES).map(ZoneInfo)
moments = st.integers(631_152_000, 3_502_828_800).map(lambda second: second * 1_000)


@pytest.mark.parametrize(
    ("text", "period", "back"),
    [
        ("0 days", days(0), "0 days"),
        ("1 day", days(1), "1 day"),
        ("2 weeks", days(14), "14 days"),
        ("1 month", Period(1, Unit.MONTH), "1 month"),
        ("6 months", Period(6, Unit.MONTH), "6 months"),
        ("3 years", Period(3, Unit.YEAR), "3 years"),
    ],
)
def test_a_period_is_read_as_it_is_written(text, period, back):
    assert read_period(text) == period
    assert str(period) == back


@pytest.mark.parametrize(
    "text", ["", "90", "days", "-1 days", "1.5 years", "1  day", "1 day ", "01 days", "1 decade"]
)
def test_what_is_no_period_is_refused(text):
    with pytest.raises(ValueError, match="is no period"):
        read_period(text)


@pytest.mark.parametrize("text", ["101 years", "1201 months", "36501 days", "9999 weeks"])
def test_nothing_is_kept_for_longer_than_a_century(text):
    with pytest.raises(ValueError, match="at most 100 years"):
        read_period(text)


@given(periods)
def test_reading_inverts_writing(period):
    assert read_period(str(period)) == period


@pytest.mark.parametrize(
    ("period", "event", "last"),
    [
        ("1 month", date(2026, 1, 31), date(2026, 2, 28)),
        ("1 month", date(2028, 1, 31), date(2028, 2, 29)),
        ("1 month", date(2026, 2, 28), date(2026, 3, 28)),
        ("1 month", date(2026, 12, 31), date(2027, 1, 31)),
        ("6 months", date(2026, 8, 31), date(2027, 2, 28)),
        ("1 year", date(2028, 2, 29), date(2029, 2, 28)),
        ("4 years", date(2028, 2, 29), date(2032, 2, 29)),
        ("90 days", date(2026, 11, 24), date(2027, 2, 22)),
        ("0 days", date(2026, 11, 24), date(2026, 11, 24)),
    ],
)
def test_a_period_ends_on_the_day_of_the_same_number_or_the_last_of_the_month(period, event, last):
    assert read_period(period).last_day(event) == last


@given(periods, some_days)
def test_a_later_event_never_ends_earlier(period, day):
    assert period.last_day(day) <= period.last_day(day + timedelta(days=1))


@given(periods, some_days)
def test_a_period_is_never_shorter_than_it_says(period, day):
    assert period.last_day(day) >= day + timedelta(days=min(period.shortest_days, 36_500))


@given(some_days, zones)
@example(date(2011, 12, 29), ZoneInfo("Pacific/Apia"))  # the 30th did not exist there
@example(date(2018, 11, 3), ZoneInfo("America/Sao_Paulo"))  # midnight was left out
@example(date(2026, 4, 23), ZoneInfo("Africa/Cairo"))
@example(date(2026, 10, 31), ZoneInfo("America/Havana"))  # midnight came twice
def test_a_day_ends_at_the_first_moment_of_the_next(day, zone):
    end = end_of(day, zone)
    assert day_of(end - 1, zone) <= day < day_of(end, zone)


def test_a_day_has_as_many_hours_as_it_has():
    berlin = ZoneInfo("Europe/Berlin")
    spring, autumn = date(2026, 3, 29), date(2026, 10, 25)
    hours = [
        (end_of(day, berlin) - end_of(day - timedelta(days=1), berlin)) // 3_600_000
        for day in (spring, autumn, date(2026, 6, 1))
    ]
    assert hours == [23, 25, 24]


def test_which_day_it_is_depends_on_the_place():
    at_ms = int(datetime(2026, 11, 24, 15, 0, tzinfo=UTC).timestamp() * 1_000)
    assert day_of(at_ms, ZoneInfo("Asia/Tokyo")) == date(2026, 11, 25)
    assert day_of(at_ms - 1, ZoneInfo("Asia/Tokyo")) == date(2026, 11, 24)


@given(periods, some_days)
@example(Period(1, Unit.MONTH), date(2026, 2, 28))
def test_the_newest_event_that_is_over_is_found(period, at):
    found = last_event_over(period.last_day, at)
    assert found is not None
    assert period.last_day(found) <= at
    after = found + timedelta(days=1)
    assert after > at or period.last_day(after) > at


@given(periods, moments, zones, st.just(0) | st.integers(0, 10**11))
@example(Period(1, Unit.MONTH), 1_801_148_400_000, ZoneInfo("Asia/Tokyo"), 0)  # 2027-01-28
@example(Period(1, Unit.DAY), 1_793_462_400_000, ZoneInfo("America/Havana"), 0)
def test_what_is_over_is_looked_at(period, event_ms, zone, later_ms):
    over_ms = end_of(period.last_day(day_of(event_ms, zone)), zone)
    before_ms = over_before(period, over_ms + later_ms, zone)
    assert before_ms is not None
    assert event_ms < before_ms


@given(periods, moments, zones)
def test_events_of_one_day_too_many_are_looked_at_and_no_more(period, at_ms, zone):
    before_ms = over_before(period, at_ms, zone)
    assert before_ms is not None
    over_ms = end_of(period.last_day(day_of(before_ms - 1, zone)), zone)
    assert day_of(over_ms, zone) <= day_of(at_ms, zone) + timedelta(days=2)


def test_what_has_no_end_is_never_over():
    assert last_event_over(lambda _: date.max, date(2026, 1, 1)) is None
