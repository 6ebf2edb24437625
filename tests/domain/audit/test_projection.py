"""Entries of calls and recordings follow from rows; what is unknown changes nothing."""

from typing import Any

import msgspec
import pytest

from asterisk_compliance.domain.audit.encoding import Row, place
from asterisk_compliance.domain.audit.projection import ProjectionChange, project
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.ids import recording_id
from sample_rows import AT_MS, a_call, a_recorded_call, an_unrecorded_call, draft

CALL = a_call(1)


def row(a_draft: Draft) -> Row:
    salts = {fact: bytes(32) for fact in a_draft.facts}
    return place(a_draft, seq=0, log="log-0", nonce=bytes(16), salts=salts)


def folded(drafts: list[Draft]) -> dict[str, dict[str, Any]]:
    entries: dict[str, dict[str, Any]] = {}
    for a_draft in drafts:
        if change := project(row(a_draft)):
            entries.setdefault(change.key, {}).update(change.columns)
    return entries


def test_a_recorded_call_and_its_recording() -> None:
    recording = recording_id(CALL, 1)
    assert folded(a_recorded_call(CALL)) == {
        CALL: {
            "node": "pbx1",
            "channel": "1795507200.1",
            "linkedid": "1795507200.1",
            "policy": "inbound",
            "entry": "ari",
            "leg": None,
            "arrived_at": "2026-11-24T08:00:00.000Z",
            "notice": "standard/1/ja",
            "notice_state": "completed",
            "notice_at": "2026-11-24T08:00:12.005Z",
            "decision": "ALLOWED",
            "reason": "NOTICE_COMPLETED",
            "purposes": "QUALITY&TRAINING",
            "decided_at": "2026-11-24T08:00:12.006Z",
            "continued_at": "2026-11-24T08:00:12.008Z",
            "ended_at": "2026-11-24T08:01:13.000Z",
            "lasted_ms": 72_999,
        },
        recording: {
            "call": CALL,
            "node": "pbx1",
            "level": "closed",
            "level_at": "2026-11-24T08:01:13.100Z",
            "requested_at": "2026-11-24T08:00:12.007Z",
            "capture": "bridged",
            "sha256": "ab" * 32,
            "rx_sha256": None,
            "tx_sha256": None,
            "length_ms": 61_240,
            "length": "ok",
            "rx": "heard",
            "tx": "heard",
            "whole": 1,
            "removed_at": "2026-11-24T08:01:13.101Z",
        },
    }


def test_an_incomplete_notice_keeps_the_name_it_was_started_with() -> None:
    entry = folded(an_unrecorded_call(CALL))[CALL]
    assert (entry["notice"], entry["notice_state"]) == ("standard/1/ja", "incomplete")
    assert (entry["decision"], entry["purposes"]) == ("NOT_RECORDED", None)


def test_a_notice_named_in_parts_is_joined() -> None:
    detail = {"notice": "standard", "version": "1", "language": "ja"}
    change = project(row(draft(Kind.NOTICE_STARTED, CALL, detail=detail)))
    assert change is not None
    assert change.columns["notice"] == "standard/1/ja"


@pytest.mark.parametrize(
    ("kind", "level"),
    [
        (Kind.RECORDING_STARTED, "started"),
        (Kind.RECORDING_STALLED, "stalled"),
        (Kind.RECORDING_EMPTY, "empty"),
        (Kind.RECORDING_MISSING, "missing"),
    ],
)
def test_the_level_of_a_recording_is_what_was_last_seen_of_it(kind: Kind, level: str) -> None:
    recording = recording_id(CALL, 1)
    change = project(row(draft(kind, CALL, detail={"recording": recording})))
    at = "2026-11-24T08:00:00.000Z"
    columns = {"call": CALL, "node": "pbx1", "level": level, "level_at": at}
    assert change == ProjectionChange("recordings", recording, columns)


@pytest.mark.parametrize(
    "a_draft",
    [
        draft(Kind.SERVICE_STARTED),
        draft(Kind.DECISION),
        draft(Kind.ANOMALY, CALL),
        draft(Kind.RECORDING_STARTED, CALL),
        draft(Kind.RECORDING_STARTED, CALL, detail={"recording": 7}),
    ],
)
def test_rows_that_change_no_entry(a_draft: Draft) -> None:
    assert project(row(a_draft)) is None


def test_details_of_another_type_leave_the_column_empty() -> None:
    detail = {"status": 1, "reason": "", "purposes": "QUALITY"}
    change = project(row(draft(Kind.DECISION, CALL, detail=detail)))
    assert change is not None
    assert (change.columns["decision"], change.columns["reason"]) == (None, None)
    assert change.columns["purposes"] == "QUALITY"
    detail = {"recording": "r", "length_ms": True}
    change = project(row(draft(Kind.RECORDING_CLOSED, CALL, detail=detail)))
    assert change is not None
    assert change.columns["length_ms"] is None


def test_how_long_a_recording_is_kept_is_listed_with_it() -> None:
    recording = recording_id(CALL, 1)
    told = {"policy": "inbound", "retention": ("QUALITY=6 months", "SERVICE")}
    for kind in (Kind.RECORDING_REQUESTED, Kind.RECORDING_ADOPTED):
        change = project(row(draft(kind, CALL, detail={"recording": recording, **told})))
        assert change is not None
        assert change.columns["policy"] == "inbound"
        assert change.columns["retention"] == "QUALITY=6 months&SERVICE"


@pytest.mark.parametrize("queue", ["", "sales"])
def test_a_call_in_no_queue_is_another_thing_than_one_of_an_unknown_queue(queue: str) -> None:
    change = project(row(draft(Kind.CALL_ARRIVED, CALL, detail={"queue": queue})))
    assert change is not None
    assert change.columns["queue"] == queue


@pytest.mark.parametrize(
    ("detail", "columns"),
    [
        ({"state": "withdrawn", "earlier": "delete"}, {"withdrawn": "delete"}),
        ({"state": "given"}, {}),
    ],
)
def test_what_the_caller_last_said_and_what_follows_are_listed_with_the_call(
    detail, columns
) -> None:
    change = project(row(draft(Kind.CONSENT, CALL, detail=detail)))
    assert change is not None
    assert change.columns == {"node": "pbx1", "consent": detail["state"], **columns}


@pytest.mark.parametrize(
    ("after_ms", "detail", "lasted_ms"),
    [
        (73_001, {}, 73_000),
        (73_001, {"observed_late": False}, 73_000),
        (73_001, {"observed_late": True}, None),
        (-5_000, {}, 0),
    ],
)
def test_how_long_a_call_lasted_is_listed_where_somebody_saw_its_end(
    after_ms, detail, lasted_ms
) -> None:
    change = project(row(draft(Kind.CALL_ENDED, CALL, AT_MS + after_ms, detail=detail)))
    assert change is not None
    assert change.columns["lasted_ms"] == lasted_ms


def test_a_row_that_somebody_changed_lists_no_length() -> None:
    changed = msgspec.structs.replace(row(draft(Kind.CALL_ENDED, CALL)), at="yesterday")
    change = project(changed)
    assert change is not None
    assert change.columns["lasted_ms"] is None


@pytest.mark.parametrize(
    ("kind", "level"),
    [(Kind.DISPOSAL_BEGUN, "disposing"), (Kind.RECORDING_DISPOSED, "disposed")],
)
def test_a_disposal_is_a_level(kind: Kind, level: str) -> None:
    change = project(row(draft(kind, CALL, detail={"recording": recording_id(CALL, 1)})))
    assert change is not None
    assert change.columns["level"] == level
