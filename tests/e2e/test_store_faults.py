"""The store of the rows is full, read-only or locked while calls run: nobody waits for it.

What is never there: a positive decision without its row.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from e2e.office import Office
from e2e.steering import steered, until
from e2e.test_storage import CHECK_S, reasons
from lab.disk import MIB, Disk, mounted
from lab.leg import Leg
from lab.site import TEST_NOTICE_S

pytestmark = pytest.mark.asterisk

STORE_S = 1.0
WITHIN_S = TEST_NOTICE_S + STORE_S + 1.0
"""From the invitation until the agent has answered."""
LIMITS = f"""
store_s = {STORE_S}
storage_check_s = {CHECK_S}
spool_free_mib = 0
vault_free_mib = 0
"""


@asynccontextmanager
async def with_store_on_a_disk(store_free_mib: int = 0) -> AsyncIterator[tuple[Office, Disk]]:
    home = Path(tempfile.mkdtemp(prefix="compliance-store-"))
    store = home / "state/store"
    store.mkdir(parents=True)
    limits = f"{LIMITS}store_free_mib = {store_free_mib}\n"
    try:
        async with (
            mounted(store, 24) as disk,
            steered(limits=limits, directory=home) as office,
        ):
            office.phones["agent"].lines = 4
            yield office, disk
    finally:
        shutil.rmtree(home, ignore_errors=True)


async def goes_on_unrecorded(office: Office, why: str, within_s: float) -> tuple[Leg, Leg]:
    """A call that is not recorded for this reason, as its dialplan is told."""
    caller = await office.dial("outside", "400")
    agent = await office.called("agent", within_s + 2)
    assert agent.times["confirmed"] - caller.times["invite"] < within_s
    channel = await office.channel_of("outside")
    said = [await office.variable(channel, f"COMPLIANCE_{name}") for name in ("STATUS", "REASON")]
    assert said == ["NOT_RECORDED", why]
    return caller, agent


def promised(office: Office) -> set[str]:
    """Calls that the log says may be recorded."""
    return {row["call"] for row in office.rows("decision") if row["detail"]["status"] == "ALLOWED"}


async def test_a_full_store_holds_nobody_and_allows_nothing():
    async with with_store_on_a_disk() as (office, disk):
        runs = await office.dial("customer", "400")
        await office.called("agent")
        await office.seen("recording_growing")
        disk.fill()
        caller, agent = await goes_on_unrecorded(office, "STORE_FAILED", WITHIN_S)
        assert "STORE_REFUSES" in await reasons(office)
        await agent.until_heard(0.3)
        assert len(promised(office)) == 1, "the one from before"
        await caller.hang_up()
        await until(lambda: len(office.site.spooled()) == 2)
        disk.empty()
        again = await office.dial("agent2", "400")
        await office.called("agent")
        await office.seen("recording_growing", 2)
        assert await reasons(office) == []
        for leg in (runs, again):
            await leg.hang_up()
        await office.site.until_ended(3)
        assert len(promised(office)) == 2
        refused = [("NOT_RECORDED", "STORE_FAILED")]
        assert sorted(office.decisions())[2:] == refused, "told once the store took rows again"
        assert len(office.rows("recording_closed")) == 2
        assert office.site.spooled() == []


async def test_before_the_store_is_full_nothing_new_is_recorded_and_a_row_says_so():
    async with with_store_on_a_disk(store_free_mib=12) as (office, disk):
        disk.fill(leave_bytes=9 * MIB)
        await office.seen("storage_failed")
        assert office.details("storage_failed") == [{"place": "store", "problem": "LOW"}]
        assert "DISK_LOW store" in await reasons(office)
        caller, _ = await goes_on_unrecorded(office, "DISK_LOW", 1.0)
        await caller.hang_up()
        await office.site.until_ended()
        assert office.decisions() == [("NOT_RECORDED", "DISK_LOW")]


async def test_a_store_that_becomes_read_only_stops_what_runs_and_allows_nothing():
    async with with_store_on_a_disk() as (office, disk):
        await office.dial("customer", "400")
        agent = await office.called("agent")
        await office.seen("recording_growing")
        kept = office.site.asterisk.spool_here
        disk.fail()
        assert await agent.transfer("401") == 200, "rows are wanted, and refused"
        other = await office.called("agent2")
        _, _ = await goes_on_unrecorded(office, "STORE_FAILED", WITHIN_S)
        assert "STORE_REFUSES" in await reasons(office)
        assert len(promised(office)) == 1
        await until(lambda: _sizes(kept) != {})
        sizes = _sizes(kept)
        await other.until_heard(2.5)
        assert _sizes(kept) == sizes, "what ran was stopped, and nothing else was begun"


def _sizes(directory: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in directory.iterdir()}


async def test_a_store_that_another_process_locks_is_not_waited_for():
    async with steered(limits=LIMITS + "store_free_mib = 0\n") as office:
        with _locked(office.site.store):
            caller, agent = await goes_on_unrecorded(office, "STORE_FAILED", WITHIN_S)
            assert office.decisions() == []
            assert "STORE_HANGS" in await reasons(office)
        await office.seen("decision")
        await agent.until_heard(0.3)
        await caller.hang_up()
        rows = await office.site.until_ended()
        assert len(office.rows("decision")) == 1
        assert office.details("recording_missing") != [] or promised(office) == set()
        assert _codes(rows) <= {"STORE_SLOW"}
        assert office.recordings() == office.site.spooled() == []


@contextmanager
def _locked(store: Path) -> Iterator[None]:
    """Somebody else writes to the database, and does not come to an end."""
    other = sqlite3.connect(store / "audit.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def _codes(rows: list[dict[str, Any]]) -> set[str]:
    return {row["detail"]["code"] for row in rows if row["kind"] == "anomaly"}
