"""How long a recording is kept: what was told, what holds today, what is held; at every limit."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.domain.periods import Period, Unit, day_of, days, end_of, read_period
from asterisk_compliance.domain.purposes import PurposeCode
from asterisk_compliance.domain.retention.schedule import (
    WITHDRAWN_AFTER_MS,
    DisposalDue,
    KeptUntil,
    RecordingFate,
    RetentionGround,
    RetentionLimits,
    StatedRetention,
    Today,
    due,
    due_before,
    fate,
    is_dated,
    read_told,
    told,
)
from asterisk_compliance.ids import call_id, recording_id
from values import replace

TOKYO, BERLIN = ZoneInfo("Asia/Tokyo"), ZoneInfo("Europe/Berlin")
QUALITY, SERVICE, LEGAL = map(PurposeCode, ("QUALITY", "SERVICE", "LEGAL"))
POLICY = "inbound"


def at_ms(text: str, zone: ZoneInfo = TOKYO) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1_000)


def kept(
    said: StatedRetention,
    began: str = "2026-11-24T10:00",
    ended: str | None = None,
    zone: ZoneInfo = TOKYO,
) -> KeptUntil:
    began_ms = at_ms(began, zone)
    call = call_id(began_ms, bytes(8))
    ended_ms = at_ms(ended or began, zone)
    return KeptUntil(recording_id(call, 1), call, POLICY, said, began_ms, ended_ms)


def today(zone: ZoneInfo = TOKYO, limits: RetentionLimits | None = None, **needed: str) -> Today:
    periods = {PurposeCode(code): read_period(text) for code, text in needed.items()}
    return Today(zone, periods, {POLICY: limits or RetentionLimits()})


def needs(**periods: str | None) -> StatedRetention:
    return StatedRetention(
        {PurposeCode(c): read_period(p) if p else None for c, p in periods.items()}
    )


def day_due(one: KeptUntil, now: Today) -> str:
    found = due(one, now)
    assert found is not None
    moment = datetime.fromtimestamp(found.at_ms / 1_000, now.zone)
    assert (moment.hour, moment.minute, moment.second) == (0, 0, 0)
    return str(moment.date())


# -- what was told ------------------------------------------------------------------------------


def test_what_was_told_is_written_into_rows_and_read_again():
    said = StatedRetention(
        {QUALITY: Period(6, Unit.MONTH), SERVICE: None}, days(30), days(365), Period(1, Unit.YEAR)
    )
    texts = ("QUALITY=6 months", "SERVICE", "max=365 days", "min=30 days", "notice=1 year")
    assert said.texts() == texts
    assert read_told(texts) == said


def test_what_is_told_comes_from_purposes_policy_and_the_shortest_promise():
    said = told(
        [QUALITY, SERVICE],
        {QUALITY: Period(6, Unit.MONTH), LEGAL: days(1)},
        min_days=30,
        max_days=365,
        promised=(None, Period(1, Unit.YEAR), Period(2, Unit.MONTH)),
    )
    assert said == StatedRetention(
        {QUALITY: Period(6, Unit.MONTH), SERVICE: None}, days(30), days(365), Period(2, Unit.MONTH)
    )
    assert told([SERVICE], {}, min_days=None, max_days=None) == StatedRetention({SERVICE: None})


def test_what_no_row_says_is_refused():
    with pytest.raises(ValueError, match="no period"):
        read_told(["QUALITY=soon"])


# -- when it is due -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("period", "began", "due_on"),
    [
        ("90 days", "2026-11-24T10:00", "2027-02-23"),
        ("1 month", "2026-01-31T23:59:59", "2026-03-01"),
        ("1 month", "2028-01-31T00:00", "2028-03-01"),
        ("1 month", "2028-01-30T00:00", "2028-03-01"),
        ("1 year", "2028-02-29T12:00", "2029-03-01"),
        ("3 years", "2026-12-31T23:59:59", "2030-01-01"),
        ("0 days", "2026-11-24T00:00", "2026-11-25"),
    ],
)
def test_a_purpose_needs_it_until_the_end_of_the_last_day(period, began, due_on):
    one = kept(needs(QUALITY=period), began)
    assert day_due(one, today()) == due_on


@pytest.mark.parametrize("zone", [TOKYO, BERLIN, ZoneInfo("America/Sao_Paulo")])
@pytest.mark.parametrize(
    ("period", "began"),
    [
        ("1 day", "2026-03-28T12:00"),  # ends with the day on which Berlin's clocks go forward
        ("1 day", "2026-10-24T12:00"),  # ... and back
        ("1 day", "2018-11-02T12:00"),  # midnight was left out in Sao Paulo the day after
        ("1 month", "2026-01-31T12:00"),
        ("1 year", "2028-02-29T12:00"),
        ("6 months", "2026-08-31T12:00"),
    ],
)
def test_it_is_kept_the_second_before_and_due_in_that_second_and_after(zone, period, began):
    one = kept(needs(QUALITY=period), began, zone=zone)
    found = due(one, today(zone))
    assert found is not None
    last = read_period(period).last_day(date.fromisoformat(began[:10]))
    assert found.at_ms == end_of(last, zone)
    fates = [fate(found, (), found.at_ms + shift) for shift in (-1_000, -1, 0, 1_000)]
    assert fates == [RecordingFate.KEPT, RecordingFate.KEPT, RecordingFate.DUE, RecordingFate.DUE]


def test_the_longest_purpose_that_is_served_counts():
    one = kept(needs(QUALITY="6 months", SERVICE="10 days"))
    found = due(one, today())
    assert found == DisposalDue(
        at_ms("2027-05-25T00:00"), RetentionGround.NOT_NEEDED, "QUALITY", "6 months"
    )
    assert day_due(one, today(QUALITY="5 days")) == "2026-12-05"


def test_shorter_at_any_time_and_longer_only_for_the_future():
    one = kept(needs(QUALITY="6 months"))
    assert day_due(one, today(QUALITY="1 month")) == "2026-12-25"
    assert day_due(one, today(QUALITY="3 years")) == "2027-05-25"
    assert day_due(kept(needs(QUALITY=None)), today(QUALITY="1 month")) == "2026-12-25"


def test_without_any_period_nothing_is_ever_due():
    one = kept(needs(QUALITY="1 day", SERVICE=None))
    assert due(one, today()) is None
    assert fate(None, (), one.began_ms * 10) is RecordingFate.KEPT
    assert due(kept(StatedRetention()), today()) is None


@pytest.mark.parametrize(
    ("said", "limits", "ground", "rule"),
    [
        (
            StatedRetention({QUALITY: None}, at_most=days(30)),
            RetentionLimits(),
            RetentionGround.MAXIMUM_TOLD,
            POLICY,
        ),
        (
            StatedRetention({QUALITY: None}, at_most=days(99)),
            RetentionLimits(at_most=days(30)),
            RetentionGround.MAXIMUM_NOW,
            POLICY,
        ),
        (
            StatedRetention({QUALITY: None}, at_most=days(30)),
            RetentionLimits(at_most=days(99)),
            RetentionGround.MAXIMUM_TOLD,
            POLICY,
        ),
        (
            StatedRetention({QUALITY: None}, notice=days(30)),
            RetentionLimits(),
            RetentionGround.NOTICE_PROMISED,
            "notice",
        ),
        (
            StatedRetention({QUALITY: days(31)}, at_most=days(30)),
            RetentionLimits(),
            RetentionGround.MAXIMUM_TOLD,
            POLICY,
        ),
        (
            StatedRetention({QUALITY: days(30)}, at_most=days(30)),
            RetentionLimits(),
            RetentionGround.MAXIMUM_TOLD,
            POLICY,
        ),
        (
            StatedRetention({QUALITY: days(30)}, at_most=days(31)),
            RetentionLimits(),
            RetentionGround.NOT_NEEDED,
            "QUALITY",
        ),
    ],
)
def test_nothing_is_kept_beyond_the_maximum(said, limits, ground, rule):
    found = due(kept(said), today(limits=limits))
    assert found == DisposalDue(at_ms("2026-12-25T00:00"), ground, rule, "30 days")


@pytest.mark.parametrize(
    ("limits", "due_on", "ground"),
    [
        (RetentionLimits(at_least=days(60)), "2027-01-24", RetentionGround.AT_LEAST_OVER),
        (RetentionLimits(at_least=days(90)), "2027-01-24", RetentionGround.AT_LEAST_OVER),
        (RetentionLimits(at_least=days(40)), "2027-01-04", RetentionGround.AT_LEAST_OVER),
        (RetentionLimits(at_least=days(20)), "2026-12-25", RetentionGround.NOT_NEEDED),
        (RetentionLimits(), "2026-12-25", RetentionGround.NOT_NEEDED),
        (None, "2027-01-24", RetentionGround.AT_LEAST_OVER),
    ],
)
def test_it_is_kept_for_the_minimum_unless_that_became_shorter(limits, due_on, ground):
    one = kept(StatedRetention({QUALITY: days(30)}, at_least=days(60)))
    now = Today(TOKYO, {}, {} if limits is None else {POLICY: limits})
    assert day_due(one, now) == due_on
    found = due(one, now)
    assert found is not None
    assert found.ground is ground


def test_a_minimum_of_today_changes_nothing_for_what_was_recorded():
    assert (
        day_due(kept(needs(QUALITY="30 days")), today(limits=RetentionLimits(days(99))))
        == "2026-12-25"
    )


def test_a_minimum_alone_makes_nothing_due():
    assert due(kept(StatedRetention(at_least=days(1))), today()) is None


def test_over_midnight_the_need_counts_from_the_end_and_the_maximum_from_the_beginning():
    over = ("2026-11-24T23:50", "2026-11-25T00:10")
    assert day_due(kept(needs(QUALITY="10 days"), *over), today()) == "2026-12-06"
    assert (
        day_due(kept(StatedRetention({QUALITY: None}, at_most=days(10)), *over), today())
        == "2026-12-05"
    )


def test_of_a_call_that_is_not_over_only_the_maximum_counts():
    one = replace(kept(needs(QUALITY="1 day")), ended_ms=None)
    assert due(one, today()) is None
    limited = replace(one, told=replace(one.told, at_most=days(9)), withdrawn=True)
    assert day_due(limited, today()) == "2026-12-04"


def test_what_was_withdrawn_is_due_when_the_call_itself_should_have_deleted_it():
    one = replace(kept(needs(QUALITY="3 years")), withdrawn=True)
    assert one.ended_ms is not None
    assert due(one, today()) == DisposalDue(
        one.ended_ms + WITHDRAWN_AFTER_MS, RetentionGround.WITHDRAWN, POLICY, ""
    )


def test_a_hold_beats_everything():
    found = due(kept(needs(QUALITY="1 day")), today())
    assert found is not None
    assert fate(found, ["CASE-1"], found.at_ms + 10**12) is RecordingFate.HELD
    assert fate(found, ["CASE-1"], found.at_ms - 1) is RecordingFate.KEPT


@pytest.mark.parametrize(
    ("said", "now", "dated"),
    [
        (needs(QUALITY=None), today(), False),
        (needs(QUALITY=None), today(QUALITY="1 day"), True),
        (needs(QUALITY="1 day", SERVICE=None), today(), False),
        (needs(QUALITY="1 day"), today(), True),
        (StatedRetention({QUALITY: None}, notice=days(1)), today(), True),
    ],
)
def test_what_nothing_makes_due_is_known_beforehand(said, now, dated):
    assert is_dated(POLICY, said, now) is dated


# -- properties ---------------------------------------------------------------------------------

periods = st.one_of(
    st.builds(Period, st.integers(0, 800), st.just(Unit.DAY)),
    st.builds(Period, st.integers(0, 30), st.just(Unit.MONTH)),
    st.builds(Period, st.integers(0, 3), st.just(Unit.YEAR)),
)
maybe = st.none() | periods
purposes = st.dictionaries(st.sampled_from([QUALITY, SERVICE, LEGAL]), maybe, max_size=3)
saids = st.builds(StatedRetention, purposes, maybe, maybe, maybe)
zones = st.sampled_from(["UTC", "Asia/Tokyo", "Europe/Berlin", "America/St_Johns", "Pacific/Apia"])
todays = st.builds(
    Today,
    zones.map(ZoneInfo),
    st.dictionaries(st.sampled_from([QUALITY, SERVICE, LEGAL]), periods, max_size=3),
    st.dictionaries(st.just(POLICY), st.builds(RetentionLimits, maybe, maybe), max_size=1),
)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1)).map(  # noqa: DTZ001
    lambda at: int(at.replace(tzinfo=UTC).timestamp()) * 1_000
)


@st.composite
def recordings(draw: st.DrawFn) -> KeptUntil:
    began_ms = draw(moments)
    lasted_ms = draw(st.none() | st.integers(0, 40 * 3_600_000))
    call = call_id(began_ms, bytes(8))
    ended_ms = None if lasted_ms is None else began_ms + lasted_ms
    return KeptUntil(
        recording_id(call, 1), call, POLICY, draw(saids), began_ms, ended_ms, draw(st.booleans())
    )


def _needed_until(one: KeptUntil, now: Today) -> int | None:
    """By hand: the longest of what each purpose needs, each by its shorter period."""
    if one.ended_ms is None or not one.told.purposes:
        return None
    event = day_of(one.ended_ms, now.zone)
    ends = []
    for code, then in one.told.purposes.items():
        both = [p.last_day(event) for p in (then, now.needed.get(code)) if p is not None]
        if not both:
            return None
        ends.append(min(both))
    return end_of(max(ends), now.zone)


def _maxima(one: KeptUntil, now: Today) -> list[int]:
    event = day_of(one.began_ms, now.zone)
    limits = now.limits.get(POLICY, RetentionLimits())
    every = (one.told.at_most, one.told.notice, limits.at_most)
    return [end_of(period.last_day(event), now.zone) for period in every if period is not None]


def test_what_was_withdrawn_is_not_kept_beyond_the_maximum():
    limited = StatedRetention({QUALITY: days(30)}, at_most=days(0))
    one = replace(kept(limited, "2026-11-24T23:30", "2026-11-24T23:50"), withdrawn=True)
    midnight = DisposalDue(
        at_ms("2026-11-25T00:00"), RetentionGround.MAXIMUM_TOLD, POLICY, "0 days"
    )
    assert due(one, today()) == midnight


@given(recordings(), todays)
def test_never_beyond_the_maximum(one, now):
    found = due(one, now)
    for latest in _maxima(one, now):
        assert found is not None
        assert found.at_ms <= latest


@given(recordings(), todays)
def test_never_early_and_never_late(one, now):
    """Due at the maximum, or when no purpose needs it; and not before what it must be kept for."""
    one = replace(one, withdrawn=False)
    found = due(one, now)
    needed, maxima = _needed_until(one, now), _maxima(one, now)
    if found is None:
        assert needed is None
        assert not maxima
    elif found.at_ms not in maxima:
        assert needed is not None
        assert found.at_ms >= needed
        if one.told.at_least is None:
            assert found.at_ms == needed


@given(recordings(), todays)
def test_a_minimum_is_waited_for_unless_the_maximum_is_shorter(one, now):
    one = replace(one, withdrawn=False)
    found, least = due(one, replace(now, limits={})), one.told.at_least
    if found is None or least is None or one.ended_ms is None:
        return
    until = end_of(least.last_day(day_of(one.ended_ms, now.zone)), now.zone)
    assert found.at_ms >= min([until, *_maxima(one, replace(now, limits={}))])


@given(recordings(), todays, moments, moments, st.booleans())
def test_what_is_due_stays_due_and_a_hold_always_wins(one, now, early, late, held):
    early, late = sorted((early, late))
    found = due(one, now)
    matters = ("CASE-1",) if held else ()
    before, after = fate(found, matters, early), fate(found, matters, late)
    assert not (before is not RecordingFate.KEPT and after is RecordingFate.KEPT)
    assert not (held and RecordingFate.DUE in {before, after})


@given(recordings(), todays, st.sampled_from([QUALITY, SERVICE, LEGAL]), periods)
def test_no_configuration_of_today_keeps_anything_for_longer_than_was_told(one, now, code, more):
    nothing_new = due(one, Today(now.zone))
    longer = due(one, replace(now, needed={**now.needed, code: more}))
    if nothing_new is not None:
        assert longer is not None
        assert longer.at_ms <= nothing_new.at_ms


@given(recordings(), todays, st.just(0) | st.integers(0, 10**11))
def test_the_candidates_of_a_moment_hold_all_that_are_due(one, now, later_ms):
    one = replace(one, withdrawn=False)
    found = due(one, now)
    if found is None:
        return
    before = due_before(one.policy, one.told, now, found.at_ms + later_ms)
    began = before.began_ms is not None and one.began_ms < before.began_ms
    ended = before.ended_ms is not None and one.ended_ms is not None
    assert began or (ended and one.ended_ms < before.ended_ms)


@given(recordings(), todays, moments)
def test_there_are_candidates_of_one_day_too_many_at_most(one, now, at):
    one = replace(one, withdrawn=False)
    before = due_before(one.policy, one.told, now, at)
    began = before.began_ms is not None and one.began_ms < before.began_ms
    ended = before.ended_ms is not None and (one.ended_ms or 10**15) < before.ended_ms
    if began or ended:
        found = due(one, now)
        assert found is not None
        assert day_of(found.at_ms, now.zone) <= day_of(at, now.zone) + timedelta(days=2)


@given(saids)
def test_reading_inverts_writing(said):
    assert read_told(said.texts()) == said
