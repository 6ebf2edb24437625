"""What is counted is what the log says, and nothing that tells who called."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from asterisk_compliance.app.audit.metered_log import MeteredLog
from asterisk_compliance.app.shared.metrics import SOON_S, Latencies, Metrics
from asterisk_compliance.domain.audit.rows import Detail, Draft, Kind, PersonalFact
from asterisk_compliance.domain.call.decision import Reason
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.ids import NodeName, call_id, party_id, recording_id
from asterisk_compliance.storage.log.audit_log import AuditLogStore
from asterisk_compliance.storage.log.reader import StoreReader

CALL = call_id(1_700_000_000_000, b"8 bytes!")
FIRST, SECOND = recording_id(CALL, 1), recording_id(CALL, 2)
WHOLE: Mapping[str, Detail] = {
    "recording": FIRST,
    "blanked_ms": 0,
    "length": "ok",
    "lost_ms": 0,
    "rx": "heard",
    "tx": "heard",
    "whole": True,
}


def row(kind: Kind, **detail: Detail) -> Draft:
    return Draft(kind, 1_700_000_000_500, NodeName("pbx1"), call=CALL, detail=detail)


def counted(*rows: Draft) -> Metrics:
    metrics = Metrics()
    for one in rows:
        metrics.observe(one)
    return metrics


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"compliance_{name}", labels)


def test_a_decision_is_counted_by_status_and_reason() -> None:
    allowed = row(Kind.DECISION, status="ALLOWED", reason="NOTICE_COMPLETED")
    metrics = counted(allowed, allowed)
    assert value(metrics, "calls_total", status="ALLOWED", reason="NOTICE_COMPLETED") == 2
    assert value(metrics, "rows_total", kind="decision") == 2


def test_every_reason_is_there_before_it_happens() -> None:
    metrics = Metrics()
    statuses = ("ALLOWED", "REFUSED", "NOT_RECORDED")
    for reason in Reason:
        there = [value(metrics, "calls_total", status=s, reason=reason) for s in statuses]
        assert sorted(there, key=str) == [0.0, None, None], reason


@pytest.mark.parametrize("kind", list(Kind))
def test_a_row_of_any_kind_is_counted_even_if_it_says_nothing_more(kind: Kind) -> None:
    assert value(counted(row(kind)), "rows_total", kind=kind) == 1


@pytest.mark.parametrize(
    ("kind", "name", "outcome"),
    [
        (Kind.NOTICE_COMPLETED, "notices", "completed"),
        (Kind.NOTICE_INCOMPLETE, "notices", "incomplete"),
        (Kind.RECORDING_CLOSED, "recordings", "closed"),
        (Kind.RECORDING_EMPTY, "recordings", "empty"),
        (Kind.RECORDING_MISSING, "recordings", "missing"),
        (Kind.RECORDING_UNJUDGED, "recordings", "unjudged"),
    ],
)
def test_how_notices_and_recordings_end(kind: Kind, name: str, outcome: str) -> None:
    metrics = counted(row(kind, **WHOLE))
    assert value(metrics, f"{name}_total", outcome=outcome) == 1


@pytest.mark.parametrize(
    ("changed", "flaws"),
    [
        ({}, set()),
        ({"whole": False, "length": "short"}, {"not_whole", "short"}),
        ({"whole": False, "rx": "silent"}, {"not_whole", "one_sided"}),
        ({"whole": False, "tx": "missing"}, {"not_whole", "one_sided"}),
        ({"tx": "not_kept"}, set()),
        ({"whole": False, "rx": "silent", "tx": "missing"}, {"not_whole", "silent"}),
        ({"whole": False, "lost_ms": 1_200}, {"not_whole", "lost"}),
    ],
)
def test_flaws_of_a_closed_recording(changed: dict[str, Detail], flaws: set[str]) -> None:
    metrics = counted(row(Kind.RECORDING_CLOSED, **{**WHOLE, **changed}))
    found = {
        sample.labels["flaw"]
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "compliance_recording_flaws_total" and sample.value
    }
    assert found == flaws


def test_seconds_that_were_blanked() -> None:
    blanked = row(Kind.RECORDING_CLOSED, **{**WHOLE, "blanked_ms": 2_500})
    assert value(counted(blanked, blanked), "audio_blanked_seconds_total") == 5.0


def test_a_recording_that_begins_in_mid_call_is_counted() -> None:
    first = row(Kind.RECORDING_STARTED, recording=FIRST, evidence="file")
    again = row(Kind.RECORDING_STARTED, recording=SECOND, evidence="file")
    assert value(counted(first, again, again), "recordings_begun_anew_total") == 2


def test_what_is_counted_of_wires_anomalies_and_configurations() -> None:
    metrics = counted(
        row(Kind.ANOMALY, code="STORE_SLOW"),
        row(Kind.ASTERISK_CONNECTED, wire="ari"),
        row(Kind.ASTERISK_DISCONNECTED, wire="ami"),
        row(Kind.EVENT_MALFORMED, wire="ami"),
        row(Kind.CONFIG_LOADED),
    )
    assert value(metrics, "anomalies_total", code="STORE_SLOW") == 1
    assert value(metrics, "connections_made_total", node="pbx1", wire="ari") == 1
    assert value(metrics, "connections_lost_total", node="pbx1", wire="ami") == 1
    assert value(metrics, "events_malformed_total", node="pbx1", wire="ami") == 1
    assert value(metrics, "configuration_loaded_timestamp_seconds") == 1_700_000_000.5


def test_two_services_in_one_process_count_apart() -> None:
    one, other = counted(row(Kind.MARK)), Metrics()
    assert value(one, "rows_total", kind="mark") == 1
    assert value(other, "rows_total", kind="mark") == 0


def test_no_label_tells_a_number_a_name_a_channel_or_a_call() -> None:
    secrets = ["0312345678", "Taro", "1700000000.7", str(CALL), str(FIRST), "r-01", "user7"]
    rows = [
        Draft(
            kind,
            1,
            NodeName("pbx1"),
            call=CALL,
            actor=party_id(CALL, 1),
            party=party_id(CALL, 1),
            facts=(PersonalFact("number", "0312345678"), PersonalFact("name", "Taro")),
            detail={
                **WHOLE,
                "channel": "1700000000.7",
                "file": "r-01",
                "linkedid": "1700000000.7",
                "code": "STRANDED",
                "wire": "ari",
                "status": "ALLOWED",
                "reason": "NOTICE_COMPLETED",
                "user": "user7",
            },
        )
        for kind in Kind
    ]
    labels = {
        text
        for family in counted(*rows).registry.collect()
        for sample in family.samples
        for text in sample.labels.values()
    }
    assert "pbx1" in labels
    assert not [text for text in labels for secret in secrets if secret in text]


# -- the log that counts -------------------------------------------------------------------------


async def test_only_durable_rows_are_counted_and_all_of_them(tmp_path: Path) -> None:
    log, metrics = await AuditLogStore.open(tmp_path / "store"), Metrics()
    rows = MeteredLog(log, metrics)
    mark = Draft(Kind.MARK, 1, NodeName("service"), detail={"code": "TEST"})
    assert await rows.append(mark, mark) == 1
    with pytest.raises(ValueError, match="detail"):
        await rows.append(Draft(Kind.MARK, 1, NodeName("service"), detail={"x": 1.5}))  # type: ignore[dict-item]
    giving_up = asyncio.ensure_future(rows.append(mark))
    giving_up.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await giving_up
    await log.close()
    with StoreReader(tmp_path / "store") as reader:
        stored = len(list(reader.rows()))
    assert value(metrics, "rows_total", kind="mark") == stored == rows.size == 3
    assert value(metrics, "rows_refused_total") == 1
    assert value(metrics, "append_seconds_count") == 2
    with pytest.raises(StoreUnavailable):
        rows.append(mark)
    assert rows.refuses
    assert value(metrics, "rows_refused_total") == 2


class Disk:
    """A log that stores when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[asyncio.Future[int]] = []
        self.pending = 0

    def append(self, *drafts: Draft, patient: bool = False) -> asyncio.Future[int]:
        self.pending += len(drafts)
        self.waiting.append(asyncio.get_running_loop().create_future())
        return self.waiting[-1]

    async def store(self) -> None:
        self.pending -= 1
        self.waiting.pop(0).set_result(0)
        await asyncio.sleep(0)


async def test_rows_are_stuck_only_while_some_wait_and_none_moves() -> None:
    disk = Disk()
    rows = MeteredLog(disk, Metrics())
    await asyncio.sleep(0.05)
    assert rows.stuck_s == 0.0
    waiting = [rows.append(row(Kind.MARK)) for _ in range(2)]
    assert rows.stuck_s < 0.04, "since the rows wait, not since the last one before"
    await asyncio.sleep(0.05)
    assert rows.stuck_s >= 0.05
    await disk.store()
    assert rows.stuck_s < 0.04, "one moved"
    assert (rows.waiting, rows.age_s < 0.04) == (1, True)
    await disk.store()
    assert rows.stuck_s == 0.0
    await asyncio.gather(*waiting)


def test_a_synthetic_call_is_none_of_the_calls() -> None:
    decided = row(Kind.DECISION, status="ALLOWED", reason="NOTICE_COMPLETED")
    closed = row(Kind.RECORDING_CLOSED, **WHOLE | {"whole": False, "length": "short"})
    rest = (row(Kind.NOTICE_COMPLETED), decided, closed, row(Kind.ANOMALY, code="STRANDED"))
    metrics = counted(row(Kind.CALL_ARRIVED, synthetic=True), *rest)
    allowed = {"status": "ALLOWED", "reason": "NOTICE_COMPLETED"}
    assert value(metrics, "calls_total", **allowed) == 0
    assert value(metrics, "notices_total", outcome="completed") == 0
    assert value(metrics, "recordings_total", outcome="closed") == 0
    assert value(metrics, "recording_flaws_total", flaw="short") == 0
    assert value(metrics, "anomalies_total", code="STRANDED") == 1
    assert value(metrics, "rows_total", kind="decision") == 1
    real = counted(row(Kind.CALL_ARRIVED, synthetic=False), *rest)
    assert value(real, "calls_total", **allowed) == 1
    assert value(real, "recordings_total", outcome="closed") == 1


def test_how_canaries_end() -> None:
    passed, failed = row(Kind.CANARY_PASSED), row(Kind.CANARY_FAILED, reason="NO_FILE")
    metrics = counted(row(Kind.CALL_ARRIVED, synthetic=True), passed, passed, failed)
    assert value(metrics, "canary_passed_total", node="pbx1") == 2
    assert value(metrics, "canary_failed_total", node="pbx1", reason="NO_FILE") == 1
    assert value(metrics, "canary_passed_timestamp_seconds", node="pbx1") == 1_700_000_000.5


def test_synthetic_calls_are_not_remembered_for_ever() -> None:
    metrics = Metrics()
    for number in range(1_000):
        call = call_id(1_700_000_000_000 + number, b"8 bytes!")
        detail: Mapping[str, Detail] = {"synthetic": True}
        metrics.observe(Draft(Kind.CALL_ARRIVED, 0, NodeName("pbx1"), call, detail=detail))
    assert len(metrics._synthetic) == 100


def test_a_latency_is_counted_in_the_bucket_that_holds_it() -> None:
    metrics = Metrics()
    for lasted_s in (0.0009, 0.001, 0.3, 60.0):
        metrics.append_s.observe(lasted_s)
    below = {
        bound: value(metrics, "append_seconds_bucket", le=bound)
        for bound in ("0.001", "0.25", "0.5", "5.0", "+Inf")
    }
    assert below == {"0.001": 2, "0.25": 2, "0.5": 3, "5.0": 3, "+Inf": 4}
    assert value(metrics, "append_seconds_count") == 4
    assert value(metrics, "append_seconds_sum") == pytest.approx(60.3019)


@given(st.lists(st.floats(min_value=0, max_value=10), max_size=30))
def test_a_latency_says_what_the_librarys_own_histogram_says(lasted: list[float]) -> None:
    theirs, ours = CollectorRegistry(), CollectorRegistry()
    histogram = Histogram("x", "What.", buckets=SOON_S, registry=theirs)
    latencies = Latencies("x", "What.", SOON_S, ours)
    for lasted_s in lasted:
        histogram.observe(lasted_s)
        latencies.observe(lasted_s)
    created = re.compile(rb"(?m)^.*x_created.*\n")
    assert created.sub(b"", generate_latest(theirs)) == generate_latest(ours)


def test_each_kind_of_row_is_there_before_it_happens() -> None:
    metrics = Metrics()
    assert {value(metrics, "rows_total", kind=kind) for kind in Kind} == {0}
