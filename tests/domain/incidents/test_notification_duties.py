"""What has to be reported, and until when: by category and number, to the second, by revision."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.domain.deadlines import Regime
from asterisk_compliance.domain.incidents.notification_duties import (
    HOUR_MS,
    Bound,
    Category,
    Freed,
    LeakFacts,
    LeakRule,
    NotificationDuty,
    ReportStep,
    Standing,
    StepRule,
    duties,
    standing,
)
from asterisk_compliance.domain.policy.rules import Checked, Source
from asterisk_compliance.shipped.presets import shipped_leak_rules
from values import replace

RULES = shipped_leak_rules()
TOKYO = ZoneInfo("Asia/Tokyo")
JP, EU = frozenset({Regime.JP}), frozenset({Regime.EU})
KNOWN = "2026-11-24T17:00:00+09:00"


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000)


def facts(
    *categories: Category,
    persons: int | None = 1,
    known: str = KNOWN,
    regimes: frozenset[Regime] = JP,
    **more: object,
) -> LeakFacts:
    most = more.pop("persons_most", persons)
    whole = LeakFacts(ms(known), regimes, frozenset(categories), persons, None)
    return replace(whole, persons_most=most, **more)  # type: ignore[arg-type]


def dates(found: LeakFacts) -> dict[str, str | None]:
    """Until when each step that is open must be taken, where the law is at home."""
    return {
        duty.step: duty.due_ms
        and datetime.fromtimestamp(duty.due_ms / 1_000, TOKYO).isoformat(timespec="minutes")
        for duty in duties(found, RULES)
        if duty.is_open
    }


FIVE, THIRTY, SIXTY = (f"{day}T00:00+09:00" for day in ("2026-11-29", "2026-12-24", "2027-01-23"))
ORDINARY = {ReportStep.PRELIMINARY: FIVE, ReportStep.FINAL: THIRTY, ReportStep.PERSONS: None}
WRONGFUL = {ReportStep.PRELIMINARY: FIVE, ReportStep.FINAL: SIXTY, ReportStep.PERSONS: None}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (facts(Category.SENSITIVE), ORDINARY),
        (facts(Category.PROPERTY), ORDINARY),
        (facts(Category.WRONGFUL), WRONGFUL),
        (facts(Category.WRONGFUL, Category.SENSITIVE), WRONGFUL),
        (facts(Category.OTHER), {}),
        (facts(Category.OTHER, persons=1_000), {}),
        (facts(Category.OTHER, persons=1_001), ORDINARY),
        (facts(persons=0), {}),
        (facts(Category.NUMEROUS), ORDINARY),
        (facts(Category.SENSITIVE, encrypted=True), {}),
        (facts(Category.OTHER, persons=1_001, encrypted=True), {}),
        (facts(Category.SENSITIVE, regimes=frozenset({Regime.OWN})), {}),
    ],
)
def test_which_leak_is_reported_in_japan_and_until_when(found, expected):
    assert dates(found) == expected


def test_in_japan_a_guideline_gives_a_range_and_the_law_a_number():
    preliminary, final, persons = duties(facts(Category.SENSITIVE), RULES)
    assert (preliminary.step, preliminary.guideline) == (ReportStep.PRELIMINARY, True)
    assert preliminary.aim_ms == ms("2026-11-27T00:00:00+09:00")
    assert (final.guideline, final.aim_ms) == (False, None)
    assert persons.due_ms is None
    assert {duty.because for duty in (preliminary, final, persons)} == {(Category.SENSITIVE,)}


def test_in_europe_it_is_72_hours_for_anybody():
    found = facts(Category.OTHER, regimes=EU, encrypted=True)
    told, persons = duties(found, RULES)
    assert (told.step, told.due_ms) == (ReportStep.NOTIFICATION, ms(KNOWN) + 72 * HOUR_MS)
    assert (persons.step, persons.due_ms) == (ReportStep.PERSONS, None)
    assert told.is_open, "whether sealed data are a risk, a person says"
    assert duties(facts(regimes=EU, persons=0), RULES) == ()


def test_in_europe_too_a_category_counts_where_nothing_of_ours_was_reached():
    told, persons = duties(facts(Category.WRONGFUL, regimes=EU, persons=0), RULES)
    assert (told.because, persons.because) == ((Category.WRONGFUL,),) * 2


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize("day", ["2026-03-28", "2026-10-24", "2026-03-07", "2026-10-31"])
def test_hours_are_hours_when_clocks_are_set(zone, day):
    known = datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=ZoneInfo(zone))
    found = LeakFacts(round(known.timestamp() * 1_000), EU, frozenset(), 1, 1)
    passed = datetime.fromtimestamp(duties(found, RULES)[0].due_ms / 1_000, UTC) - known
    assert passed == timedelta(hours=72)


@pytest.mark.parametrize(
    ("known", "last"),
    [
        ("2026-01-31T23:59:59+09:00", "2026-03-01"),
        ("2026-02-01T00:00:00+09:00", "2026-03-02"),
        ("2028-01-31T12:00:00+09:00", "2028-02-29"),
        ("2028-02-01T12:00:00+09:00", "2028-03-01"),
        ("2026-12-31T12:00:00+09:00", "2027-01-29"),
        ("2026-11-24T00:00:00+09:00", "2026-12-23"),
    ],
)
def test_thirty_days_from_ends_of_months_and_in_a_leap_year(known, last):
    """The day on which it became known is the first, so the last is the twenty-ninth after it."""
    end = date.fromisoformat(last) + timedelta(days=1)
    assert dates(facts(Category.SENSITIVE, known=known))[ReportStep.FINAL] == f"{end}T00:00+09:00"


def rule(**more: object) -> LeakRule:
    source = (Source(ref="X", statute="a statute", checked=Checked.INFERRED),)
    given: dict[str, object] = {
        "id": "own",
        "regime": Regime.OWN,
        "text": "",
        "source": source,
        "time_zone": ZoneInfo("Europe/Berlin"),
        "step": (StepRule(step=ReportStep.FINAL, within="3 days"),),
        "more_than": 0,
    }
    return LeakRule(**(given | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("known", "end"),
    [
        ("2026-03-27T12:00:00+01:00", "2026-03-31T00:00:00+02:00"),
        ("2026-10-23T12:00:00+02:00", "2026-10-27T00:00:00+01:00"),
    ],
)
def test_days_end_at_midnight_of_the_place_when_clocks_are_set(known, end):
    assert rule().ends("3 days", ms(known)) == ms(end)
    counting = rule(counts_first_day=True).ends("3 days", ms(known))
    assert counting == ms(end) - 24 * HOUR_MS


# -- revisions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "rule_id"),
    [
        ("2022-03-31T23:59:59+09:00", None),
        ("2022-04-01T00:00:00+09:00", "jp-appi-26.20220401"),
        ("2024-03-31T23:59:59+09:00", "jp-appi-26.20220401"),
        ("2024-04-01T00:00:00+09:00", "jp-appi-26.20240401"),
        ("2027-01-16T23:59:59+09:00", "jp-appi-26.20240401"),
        ("2027-01-17T00:00:00+09:00", "jp-appi-26.20270117"),
        ("2027-01-17T00:00:01+09:00", "jp-appi-26.20270117"),
        ("2028-07-15T23:59:59+09:00", "jp-appi-26.20270117"),
        ("2028-07-16T00:00:00+09:00", "jp-appi-26.20280716"),
    ],
)
def test_the_revision_of_the_day_of_knowing_holds(known, rule_id):
    found = duties(facts(Category.SENSITIVE, known=known), RULES)
    assert {duty.rule for duty in found} == ({rule_id} if rule_id else set())


@given(st.dates(date(2022, 4, 1), date(2035, 1, 1)), st.sampled_from([Regime.JP, Regime.EU]))
def test_exactly_one_revision_of_a_law_is_in_force(day, regime):
    assert sum(one.regime is regime and one.is_in_force_on(day) for one in RULES) == 1


# -- who is bound, and what frees ----------------------------------------------------------------


def test_a_contractor_tells_his_client_and_is_freed_by_that():
    working = facts(Category.SENSITIVE, contractor=True)
    before = {duty.step: duty for duty in duties(working, RULES)}
    assert set(before) == {
        ReportStep.CLIENT,
        ReportStep.PRELIMINARY,
        ReportStep.FINAL,
        ReportStep.PERSONS,
    }
    assert all(duty.is_open for duty in before.values())
    assert before[ReportStep.CLIENT].due_ms == before[ReportStep.PRELIMINARY].due_ms
    told = replace(working, told={ReportStep.CLIENT: working.known_ms + 1})
    after = {duty.step: duty for duty in duties(told, RULES)}
    assert after.pop(ReportStep.CLIENT).done_ms == working.known_ms + 1
    assert {duty.freed for duty in after.values()} == {Freed.CLIENT_TOLD}


def test_who_has_no_client_is_not_freed_by_telling_one():
    told = facts(Category.SENSITIVE, told={ReportStep.CLIENT: ms(KNOWN)})
    found = duties(told, RULES)
    assert ReportStep.CLIENT not in {duty.step for duty in found}
    assert all(duty.is_open for duty in found)


def test_a_processor_in_europe_tells_the_controller_and_nobody_else():
    (only,) = duties(facts(regimes=EU, contractor=True), RULES)
    assert (only.step, only.due_ms, only.freed) == (ReportStep.CLIENT, None, None)


def test_what_was_done_is_not_open_any_more():
    found = duties(facts(Category.SENSITIVE, told={ReportStep.PRELIMINARY: ms(KNOWN)}), RULES)
    assert {duty.step for duty in found if not duty.is_open} == {ReportStep.PRELIMINARY}


# -- doubt ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("persons", "most", "doubt"),
    [(None, None, True), (1_000, 1_001, True), (1_000, 1_000, False), (0, 0, False)],
)
def test_until_the_number_is_sure_it_counts_as_too_many(persons, most, doubt):
    found = duties(facts(Category.OTHER, persons=persons, persons_most=most), RULES)
    assert {duty.in_doubt for duty in found} == ({True} if doubt else set())
    assert all(duty.because == () for duty in found)


def test_a_category_leaves_no_doubt():
    found = duties(facts(Category.SENSITIVE, persons=None), RULES)
    assert {duty.in_doubt for duty in found} == {False}


# -- standing ------------------------------------------------------------------------------------

DUE_MS = ms("2026-12-24T00:00:00+09:00")
DUTY = NotificationDuty("own", Regime.JP, ReportStep.FINAL, DUE_MS)


@pytest.mark.parametrize(
    ("at_ms", "expected"),
    [
        (DUE_MS - HOUR_MS - 1_000, Standing.OPEN),
        (DUE_MS - HOUR_MS, Standing.DUE_SOON),
        (DUE_MS - 1_000, Standing.DUE_SOON),
        (DUE_MS - 1, Standing.DUE_SOON),
        (DUE_MS, Standing.OVERDUE),
        (DUE_MS + 1_000, Standing.OVERDUE),
    ],
)
def test_a_second_before_at_and_after(at_ms, expected):
    assert standing(DUTY, at_ms, HOUR_MS) is expected
    assert standing(replace(DUTY, done_ms=1), at_ms, HOUR_MS) is Standing.DONE
    assert standing(replace(DUTY, freed=Freed.ENCRYPTED), at_ms, HOUR_MS) is Standing.FREED
    assert standing(replace(DUTY, due_ms=None), at_ms, HOUR_MS) is Standing.OPEN


def test_from_its_aim_on_it_is_due_soon():
    aimed = replace(DUTY, aim_ms=DUE_MS - 48 * HOUR_MS)
    assert standing(aimed, DUE_MS - 48 * HOUR_MS - 1, HOUR_MS) is Standing.OPEN
    assert standing(aimed, DUE_MS - 48 * HOUR_MS, HOUR_MS) is Standing.DUE_SOON


# -- rules of one's own --------------------------------------------------------------------------


def test_a_step_that_fits_first_holds_and_binds_whom_it_says():
    steps = (
        StepRule(step=ReportStep.FINAL, within="1 hour", where=(Category.PROPERTY,)),
        StepRule(step=ReportStep.FINAL, within="1 day"),
        StepRule(step=ReportStep.PERSONS, binds=Bound.CONTRACTOR),
    )
    one = rule(step=steps, cases=(Category.PROPERTY, Category.SENSITIVE))
    own = frozenset({Regime.OWN})
    (final,) = duties(facts(Category.PROPERTY, regimes=own), [one])
    assert final.due_ms == ms(KNOWN) + HOUR_MS
    (final,) = duties(facts(Category.SENSITIVE, regimes=own), [one])
    assert final.due_ms == ms("2026-11-26T00:00:00+01:00")


@pytest.mark.parametrize("within", ["0 days", "5", "five days", "1 month", "-1 day"])
def test_a_time_that_is_none_is_refused(within):
    with pytest.raises(ValueError, match="is no time"):
        StepRule(step=ReportStep.FINAL, within=within)
    with pytest.raises(ValueError, match="is no time"):
        StepRule(step=ReportStep.FINAL, aim=within)


def test_every_shipped_rule_names_its_sources():
    assert len({one.id for one in RULES}) == len(RULES)
    for one in RULES:
        assert one.source
        assert one.text
        if not any(source.checked is Checked.VERIFIED for source in one.source):
            assert one.warning
