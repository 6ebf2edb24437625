"""What a plan says of a store: read from the log and the configuration, and by nobody changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from asterisk_compliance.app.retention.plan import OVERDUE_MS, DisposalPlan, plan, today_of
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.domain.retention.schedule import RetentionGround, RetentionLimits
from asterisk_compliance.errors import LogBroken
from asterisk_compliance.ids import CallId, recording_id
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.proofs.verification import verify
from asterisk_compliance.storage.queries.retention import _GROUPS
from retained import a_call_at, at, keep, rows_of, site
from sample_rows import draft, tamper
from values import replace

BEGAN = "2026-11-24T01:00:00.000Z"  # ten in the morning in Tokyo
DUE = "2026-12-24T15:00:00.000Z"  # the night after the thirtieth day there


def planned(settings: Settings, when: str, shift_ms: int = 0) -> DisposalPlan:
    return plan(settings.audit.store, today_of(settings), at(when) + shift_ms)


def test_a_recording_is_due_at_midnight_of_the_site_and_not_a_second_before(tmp_path: Path) -> None:
    settings = site(tmp_path)
    recording = keep(tmp_path, BEGAN)
    for shift_ms, due in ((-1_000, 0), (-1, 0), (0, 1), (1_000, 1)):
        found = planned(settings, DUE, shift_ms)
        assert (len(found.due), found.kept, found.undated) == (due, 1, 0), shift_ms
    (one,) = planned(settings, DUE).due
    assert one.as_json() == {
        "begun": False,
        "call": a_call_at(BEGAN),
        "due_at": DUE,
        "ground": "NOT_NEEDED",
        "held_by": (),
        "period": "30 days",
        "recording": recording,
        "rule": "QUALITY",
    }


def test_what_is_due_for_two_days_is_overdue(tmp_path: Path) -> None:
    settings = site(tmp_path)
    keep(tmp_path, BEGAN)
    assert planned(settings, DUE, OVERDUE_MS - 1).overdue == 0
    assert planned(settings, DUE, OVERDUE_MS).counts() == {
        "due": 1,
        "held": 0,
        "kept": 1,
        "overdue": 1,
        "undated": 0,
    }


def test_every_group_is_looked_at_and_the_longest_due_comes_first(tmp_path: Path) -> None:
    settings = site(tmp_path)
    late = keep(tmp_path, "2026-11-20T01:00:00.000Z", ("QUALITY=40 days",), number=2)
    early = keep(tmp_path, "2026-11-22T01:00:00.000Z", ("QUALITY=9 days",), number=3)
    keep(tmp_path, "2026-11-22T01:00:00.000Z", ("QUALITY=9 years",), number=4)
    keep(tmp_path, "2026-11-22T01:00:00.000Z", ("QUALITY",), number=5)
    found = planned(settings, "2027-02-01T00:00:00.000Z")
    assert [one.recording for one in found.due] == [early, late]
    assert (found.kept, found.undated) == (4, 1)


def test_a_call_over_midnight_is_due_by_its_beginning_where_the_maximum_says_so(
    tmp_path: Path,
) -> None:
    settings = site(tmp_path)
    over = "2026-11-24T14:59:30.000Z"  # half a minute before midnight in Tokyo
    keep(tmp_path, over, ("QUALITY=9 days", "max=9 days"))
    (one,) = planned(settings, "2026-12-03T15:00:00.000Z").due
    assert one.due.ground is RetentionGround.MAXIMUM_TOLD
    assert planned(settings, "2026-12-03T14:59:59.000Z").due == ()


def test_today_shortens_and_never_lengthens(tmp_path: Path) -> None:
    keep(tmp_path, BEGAN)
    shorter = site(tmp_path, purpose=[{"code": "QUALITY", "retention": "1 day"}])
    longer = site(tmp_path, purpose=[{"code": "QUALITY", "retention": "9 years"}])
    assert len(planned(shorter, "2026-12-01T15:00:00.000Z").due) == 1
    assert len(planned(longer, DUE).due) == 1


def test_a_recording_of_a_version_that_did_not_say_what_was_told(tmp_path: Path) -> None:
    """Its purposes stand in its decision; the configuration of today says how long they need it."""
    keep(tmp_path, BEGAN, None)
    codes = ("QUALITY", "TRAINING")
    settings = site(tmp_path, purpose=[{"code": code, "retention": "30 days"} for code in codes])
    assert planned(settings, DUE, -1).due == ()
    assert len(planned(settings, DUE).due) == 1
    assert planned(site(tmp_path), "2090-01-01T00:00:00.000Z").due == ()


def test_what_should_have_been_deleted_on_withdrawal_is_due(tmp_path: Path) -> None:
    settings = site(tmp_path)

    def withdraws(call: CallId) -> list[Draft]:
        said = {"state": "withdrawn", "earlier": "delete"}
        return [draft(Kind.CONSENT, call, at(BEGAN) + 60_000, detail=said)]

    keep(tmp_path, BEGAN, besides=withdraws)
    assert planned(settings, BEGAN, 3_600_000).due == ()
    (one,) = planned(settings, BEGAN, 3_600_000 + 73_000).due
    assert one.due.ground is RetentionGround.WITHDRAWN


def test_what_was_withdrawn_shortly_before_its_maximum_goes_then(tmp_path: Path) -> None:
    settings = site(tmp_path)
    began, midnight = "2026-11-24T14:50:00.000Z", "2026-11-24T15:00:00.000Z"

    def withdraws(call: CallId) -> list[Draft]:
        said = {"state": "withdrawn", "earlier": "delete"}
        return [draft(Kind.CONSENT, call, at(began) + 60_000, detail=said)]

    keep(tmp_path, began, ("QUALITY=9 days", "max=0 days"), besides=withdraws)
    assert planned(settings, midnight, -1).due == ()
    (one,) = planned(settings, midnight).due
    assert one.due.ground is RetentionGround.MAXIMUM_TOLD


@pytest.mark.parametrize("level", [Kind.RECORDING_EMPTY, Kind.RECORDING_MISSING])
def test_where_nothing_is_there_nothing_is_due(tmp_path: Path, level: Kind) -> None:
    def instead(row: Draft) -> Draft:
        return replace(row, kind=level) if row.kind is Kind.RECORDING_CLOSED else row

    keep(tmp_path, BEGAN, more=instead)
    assert planned(site(tmp_path), "2090-01-01T00:00:00.000Z").counts()["kept"] == 0


def test_a_live_call_is_left_alone(tmp_path: Path) -> None:
    call = a_call_at(BEGAN)
    live = [row for row in rows_of(call, BEGAN) if row.kind is not Kind.RECORDING_CLOSED]
    site(tmp_path)
    with StoreWriter.open(tmp_path / "store") as store:
        store.commit(live[:-2])
    assert planned(site(tmp_path), "2090-01-01T00:00:00.000Z").kept == 0


def test_what_could_not_be_judged_is_still_in_the_spool_and_due(tmp_path: Path) -> None:
    def unjudged(row: Draft) -> Draft:
        if row.kind is not Kind.RECORDING_CLOSED:
            return row
        detail = {"recording": row.detail["recording"], "problem": "DISK"}
        return replace(row, kind=Kind.RECORDING_UNJUDGED, detail=detail)

    keep(tmp_path, BEGAN, more=unjudged)
    assert len(planned(site(tmp_path), DUE).due) == 1


def test_the_configuration_says_what_holds_today(tmp_path: Path) -> None:
    rules = [
        {"id": "orders", "match": {"prefix": ["81"]}, "terms": {"retention_min_days": 60}},
        {"id": "others", "match": {"prefix": ["44"]}, "terms": {"retention_min_days": 20}},
        {"id": "all", "terms": {"retention_max_days": 90}},
    ]
    today = today_of(site(tmp_path, rule=rules))
    found = today.limits["inbound"]
    assert (str(found.at_least), str(found.at_most)) == ("60 days", "90 days")
    assert today.zone.key == "Asia/Tokyo"
    assert today_of(site(tmp_path)).limits == {"inbound": RetentionLimits()}


def test_the_lists_are_what_the_rows_say(tmp_path: Path) -> None:
    settings = site(tmp_path)
    keep(tmp_path, BEGAN)
    with StoreReader(settings.audit.store) as reader:
        (entry,) = reader.recordings(a_call_at(BEGAN))
    assert entry["policy"] == "inbound"
    assert entry["retention"] == "QUALITY=30 days&SERVICE=7 days"
    assert verify(settings.audit.store).fault_count == 0


def test_a_million_recordings_are_counted_by_an_index_alone(tmp_path: Path) -> None:
    """Else SQLite takes the one over levels, and looks at each recording: seven times slower."""
    keep(tmp_path, BEGAN)
    with StoreReader(site(tmp_path).audit.store) as reader:
        found = reader.connection.execute(f"EXPLAIN QUERY PLAN {_GROUPS}").fetchall()
    assert [line[3] for line in found] == ["SCAN recordings USING COVERING INDEX recordings_kept"]


def test_a_period_that_is_none_is_a_broken_log(tmp_path: Path) -> None:
    settings = site(tmp_path)
    recording = keep(tmp_path, BEGAN)
    assert recording == recording_id(a_call_at(BEGAN), 1)
    tamper(settings.audit.store, "UPDATE recordings SET retention = 'QUALITY=soon'")
    with pytest.raises(LogBroken):
        planned(settings, DUE)
