"""The running service disposes of what is due, one run at a time, and holds beat it there too."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest

from asterisk_compliance.app.retention.disposal import DisposalRun
from asterisk_compliance.app.retention.run import RetentionService, is_protected
from asterisk_compliance.app.shared.control_socket import SocketPeer
from asterisk_compliance.app.shared.metrics import Metrics
from asterisk_compliance.domain.audit.encoding import Row, decode
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.ids import CallId, call_of
from asterisk_compliance.storage.log.audit_log import AuditLogStore
from asterisk_compliance.storage.log.reader import RowQuery, StoreReader
from retained import a_call_at, at, keep, site
from sample_rows import draft

BEGAN = "2026-11-24T01:00:00.000Z"
DUE = "2026-12-24T15:00:00.000Z"
OFFICER = SocketPeer(uid=0, pid=1)


@asynccontextmanager
async def retaining(home: Path) -> AsyncIterator[tuple[RetentionService, Metrics]]:
    settings, metrics = site(home), Metrics()
    rows = await AuditLogStore.open(settings.audit.store)
    try:
        yield RetentionService(rows, lambda: settings, metrics, lambda: at(DUE)), metrics
    finally:
        await rows.close()


def rows_of_kind(home: Path, kind: Kind | None = None) -> list[Row]:
    with StoreReader(home / "store") as reader:
        return [decode(stored.data) for stored in reader.rows(RowQuery(kind=kind))]


def shown(metrics: Metrics) -> dict[str, float]:
    lines = generate_latest(metrics.registry).decode().splitlines()
    prefix = 'compliance_retention_recordings{state="'
    pairs = (line.removeprefix(prefix).split('"} ') for line in lines if line.startswith(prefix))
    return {state: float(count) for state, count in pairs}


async def test_a_run_through_the_service(tmp_path: Path) -> None:
    recording = keep(tmp_path, BEGAN)
    async with retaining(tmp_path) as (one, metrics):
        answer = await one.verbs()["dispose"](OFFICER, {"first": "yes"})
        assert answer == {
            "disposed": 1,
            "held": 0,
            "failed": 0,
            "gone": 0,
            "erased": 0,
            "left": 0,
        }
        assert not (tmp_path / "vault" / f"{recording}.wav").exists()
        assert shown(metrics) == {"due": 0, "held": 0, "kept": 0, "overdue": 0, "undated": 0}


async def test_a_long_run_is_asked_to_go_on(tmp_path: Path, monkeypatch: Any) -> None:
    for number in (1, 2, 3):
        keep(tmp_path, BEGAN, number=number)
    monkeypatch.setattr("asterisk_compliance.app.retention.run.STEP_S", 0.0)
    async with retaining(tmp_path) as (one, _):
        answers = [await one.dispose(OFFICER, {"first": "yes"})]
        while answers[-1]["left"]:
            answers.append(await one.dispose(OFFICER, {}))
    assert [answer["disposed"] for answer in answers] == [1, 2, 3]


async def test_who_asks_does_not_wait_for_a_long_plan(tmp_path: Path, monkeypatch: Any) -> None:
    recording = keep(tmp_path, BEGAN)
    planned, begin = threading.Event(), DisposalRun.begin

    def slow(*of: Any) -> DisposalRun:
        assert planned.wait(10)
        return begin(*of)

    monkeypatch.setattr("asterisk_compliance.app.retention.run.PLAN_S", 0.0)
    monkeypatch.setattr(DisposalRun, "begin", slow)
    async with retaining(tmp_path) as (one, _):
        planning = {"planning": True, "left": 1}
        assert await one.dispose(OFFICER, {"first": "yes"}) == planning
        assert await one.dispose(OFFICER, {"first": "yes"}) == planning, "nobody plans twice"
        planned.set()
        monkeypatch.setattr("asterisk_compliance.app.retention.run.PLAN_S", 10.0)
        assert (await one.dispose(OFFICER, {}))["disposed"] == 1
        assert len(rows_of_kind(tmp_path, Kind.RETENTION_RUN)) == 1
        assert not (tmp_path / "vault" / f"{recording}.wav").exists()


async def test_a_plan_that_nobody_came_back_for_is_not_carried_out_days_later(
    tmp_path: Path, monkeypatch: Any
) -> None:
    keep(tmp_path, BEGAN)
    async with retaining(tmp_path) as (one, _):
        with monkeypatch.context() as patch:
            patch.setattr("asterisk_compliance.app.retention.run.PLAN_S", 0.0)
            assert "planning" in await one.dispose(OFFICER, {"first": "yes"})
            assert one._planning is not None
            await asyncio.wait({one._planning})
        assert (await one.dispose(OFFICER, {"first": "yes"}))["disposed"] == 1
        ordered, again = rows_of_kind(tmp_path, Kind.RETENTION_RUN)
        (gone,) = rows_of_kind(tmp_path, Kind.RECORDING_DISPOSED)
        assert gone.actor == again.actor != ordered.actor


async def test_a_plan_that_fails_is_said_and_made_anew(tmp_path: Path, monkeypatch: Any) -> None:
    keep(tmp_path, BEGAN)
    async with retaining(tmp_path) as (one, _):
        with monkeypatch.context() as patch:
            patch.setattr(
                DisposalRun, "begin", lambda *_: (_ for _ in ()).throw(StoreUnavailable("gone"))
            )
            with pytest.raises(StoreUnavailable):
                await one.dispose(OFFICER, {"first": "yes"})
        assert (await one.dispose(OFFICER, {"first": "yes"}))["disposed"] == 1


async def test_who_gave_up_waiting_lets_nobody_place_a_hold_between(
    tmp_path: Path, monkeypatch: Any
) -> None:
    """The control socket drops a request after some seconds; its thread goes on removing."""
    recording = keep(tmp_path, BEGAN)
    removing, removed, go_on = threading.Event(), threading.Event(), DisposalRun.go_on

    def slow(run: DisposalRun, for_s: float) -> None:
        removing.set()
        assert removed.wait(10)
        go_on(run, for_s)

    monkeypatch.setattr(DisposalRun, "go_on", slow)
    async with retaining(tmp_path) as (one, _), asyncio.TaskGroup() as tasks:
        given_up = tasks.create_task(one.dispose(OFFICER, {"first": "yes"}))
        assert await asyncio.to_thread(removing.wait, 10)
        held = {"matter": "CASE-1-A", "call": call_of(recording)}
        holding = tasks.create_task(one.hold(OFFICER, held))
        for _ in range(2):
            given_up.cancel()
            await asyncio.wait({given_up, holding}, timeout=0.05)
        assert not holding.done(), "it would say that it holds what is being removed"
        removed.set()
        await holding
        assert given_up.cancelled()
    kinds = [row.kind for row in rows_of_kind(tmp_path)]
    assert kinds[-2:] == [Kind.RECORDING_DISPOSED, Kind.HOLD_PLACED]


async def test_a_hold_through_the_service_beats_disposal(tmp_path: Path) -> None:
    recording = keep(tmp_path, BEGAN)
    async with retaining(tmp_path) as (one, metrics):
        verbs = one.verbs()
        held = {"matter": "CASE-1-A", "call": call_of(recording)}
        assert (await verbs["hold"](OFFICER, held))["calls"] == 1
        assert (await verbs["dispose"](OFFICER, {"first": "yes"}))["disposed"] == 0
        assert shown(metrics)["held"] == 1
        assert (await verbs["release-hold"](OFFICER, held))["released"]
        assert (await verbs["dispose"](OFFICER, {"first": "yes"}))["disposed"] == 1


async def test_the_numbers_are_there_from_the_start(tmp_path: Path) -> None:
    keep(tmp_path, BEGAN)
    async with retaining(tmp_path) as (one, metrics), asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(one.watch())
        async with asyncio.timeout(10):
            while not shown(metrics):  # noqa: ASYNC110  a metric tells nobody
                await asyncio.sleep(0.01)
        watching.cancel()
    assert shown(metrics) == {"due": 1, "held": 0, "kept": 1, "overdue": 0, "undated": 0}


async def test_who_withdraws_deletes_nothing_that_is_held(tmp_path: Path) -> None:
    """Only a call that the service placed to test itself is never held."""

    def synthetic(call: CallId) -> list[Draft]:
        return [draft(Kind.CALL_ARRIVED, call, detail={"synthetic": True, "policy": "inbound"})]

    recording = keep(tmp_path, BEGAN)
    keep(tmp_path, BEGAN, number=2, besides=synthetic)
    store = tmp_path / "store"
    assert not is_protected(store, call_of(recording))
    async with retaining(tmp_path) as (one, _):
        await one.hold(OFFICER, {"matter": "CASE-1-A", "since": "2026-01-01T00:00:00.000Z"})
        assert is_protected(store, call_of(recording))
        assert not is_protected(store, a_call_at(BEGAN, 2))
    assert is_protected(tmp_path / "nowhere", call_of(recording)), "in doubt it is held"
