"""Rows that the store refused and nobody waits for."""

from __future__ import annotations

import asyncio

import pytest

from asterisk_compliance.app.audit.backlog import Backlog
from asterisk_compliance.app.audit.call_rows import CallRows, CommitOutcome
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.domain.call.commands import AppendRow
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.ids import CallId, NodeName, call_id

NODE = NodeName("pbx1")
CALL, OTHER = (call_id(unix_ms(), bytes([number]) * 8) for number in (1, 2))
WITHIN_S = 5.0


class Store:
    """Takes rows, or not."""

    def __init__(self, *, most: int = 100) -> None:
        self.error: Exception | None = None
        self.rows: list[Draft] = []
        self.refuses = False
        self.backlog = Backlog(self, most=most)

    def append(self, *drafts: Draft, patient: bool = False) -> asyncio.Future[int]:
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if self.refuses:
            done.set_exception(self.error or StoreUnavailable("disk full"))
            self.backlog.refused()
        else:
            self.rows += drafts
            done.set_result(len(self.rows))
        return done

    def of(self, call: CallId) -> list[Kind]:
        return [row.kind for row in self.rows if row.call == call]


def rows_of(store: Store, call: CallId) -> CallRows:
    return CallRows(store, call, NODE, 5.0, lambda: None, lambda *_: None)


async def write(rows: CallRows, *kinds: Kind) -> None:
    for kind in kinds:
        rows.append([rows.draft(AppendRow(kind))])
        await asyncio.sleep(0)


async def test_what_was_refused_is_stored_in_order_and_then_somebody_is_told():
    store = Store()
    one, other = rows_of(store, CALL), rows_of(store, OTHER)
    store.refuses = True
    await write(one, Kind.CALL_ARRIVED, Kind.DECISION)
    await write(other, Kind.CALL_ARRIVED)
    await write(one, Kind.CALL_ENDED)
    assert store.rows == []
    assert (store.backlog.holds(CALL), store.backlog.holds(OTHER)) == (True, True)
    mended = asyncio.Event()
    running = asyncio.create_task(store.backlog.run(mended.set))
    await asyncio.sleep(0)
    assert not mended.is_set()
    store.refuses = False
    await asyncio.wait_for(mended.wait(), WITHIN_S)
    assert store.of(CALL) == [Kind.CALL_ARRIVED, Kind.DECISION, Kind.CALL_ENDED]
    assert store.of(OTHER) == [Kind.CALL_ARRIVED]
    assert not store.backlog.holds(CALL)
    running.cancel()


async def test_a_call_whose_last_rows_are_late_is_owed_until_they_have_come():
    store, late = Store(), asyncio.get_running_loop().create_future()
    store.append = lambda *_, **__: late  # type: ignore[method-assign]
    rows = CallRows(store, CALL, NODE, 0.01, lambda: None, lambda *_: None)
    rows.append([rows.draft(AppendRow(Kind.CALL_ENDED))])
    assert store.backlog.owed == set()
    await rows.last_ones()
    assert store.backlog.owed == {CALL}
    late.set_result(1)
    await asyncio.sleep(0)
    assert store.backlog.owed == set()


async def test_late_rows_that_are_refused_are_owed_all_the_same():
    store, late = Store(), asyncio.get_running_loop().create_future()
    store.append = lambda *_, **__: late  # type: ignore[method-assign]
    rows = CallRows(store, CALL, NODE, 0.01, lambda: None, lambda *_: None)
    rows.append([rows.draft(AppendRow(Kind.CALL_ENDED))])
    await rows.last_ones()
    late.set_exception(StoreUnavailable("disk full"))
    await asyncio.sleep(0)
    assert store.backlog.holds(CALL)
    assert store.backlog.owed == {CALL}


async def test_rows_that_something_waits_for_come_behind_those_that_are_kept():
    store = Store()
    rows = rows_of(store, CALL)
    store.refuses = True
    await write(rows, Kind.CALL_ARRIVED)
    draft = rows.draft(AppendRow(Kind.NOTICE_COMPLETED))
    assert await rows.commit([draft], ()) is CommitOutcome.REFUSED
    store.refuses = False
    assert await rows.commit([draft], ()) is CommitOutcome.STORED
    assert store.of(CALL) == [Kind.CALL_ARRIVED, Kind.NOTICE_COMPLETED]


async def test_what_something_waited_for_is_never_stored_later():
    store = Store()
    rows = rows_of(store, CALL)
    store.refuses = True
    assert await rows.commit([rows.draft(AppendRow(Kind.DECISION))], ()) is CommitOutcome.REFUSED
    store.refuses = False
    assert await store.backlog.stored()
    assert store.rows == []


async def test_while_the_store_refuses_all_of_it_is_kept():
    store = Store()
    rows = rows_of(store, CALL)
    store.refuses = True
    await write(rows, Kind.CALL_ARRIVED, Kind.DECISION)
    assert not await store.backlog.stored()
    store.refuses = False
    assert await store.backlog.stored()
    assert store.of(CALL) == [Kind.CALL_ARRIVED, Kind.DECISION]


async def test_what_is_too_much_is_lost_and_said(capsys: pytest.CaptureFixture[str]):
    store = Store(most=2)
    rows = rows_of(store, CALL)
    store.refuses = True
    await write(rows, Kind.CALL_ARRIVED, Kind.DECISION, Kind.CALL_ENDED)
    assert "rows_lost" in capsys.readouterr().out
    store.refuses = False
    await store.backlog.stored()
    assert store.of(CALL) == [Kind.CALL_ARRIVED, Kind.DECISION]


async def test_what_can_never_be_a_row_is_not_kept(capsys: pytest.CaptureFixture[str]):
    store = Store()
    rows = rows_of(store, CALL)
    store.refuses = True
    await write(rows, Kind.CALL_ARRIVED)
    store.error = ValueError("no such row")
    assert await store.backlog.stored()
    assert not store.backlog.holds(CALL)
    assert "rows_lost" in capsys.readouterr().out
    await write(rows, Kind.CALL_ENDED)
    assert not store.backlog.holds(CALL), "refused for what it is, not for want of room"
