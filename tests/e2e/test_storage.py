"""No room for recordings or rows, or no right to write them, while real calls run."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from e2e.office import Office
from e2e.steering import EXTENSIONS, policy, steered, until
from lab.asterisk import Asterisk
from lab.disk import MIB, Disk, mounted
from lab.service import SERVICE_UID

pytestmark = pytest.mark.asterisk

WAYS = ("continue-unrecorded", "tell", "end")
STRICT = {"duty": "mandatory", "on_refusal": "end", "on_notice_failure": "end"}
CHECK_S = 0.3
WATERMARK_MIB = 12
SEEN_S = CHECK_S + 1.0
"""From what happens to a disk until the service has seen it."""
GROWTH_S = 4.0
"""Twice as long as Asterisk takes for a step: telephones that are held up leave frames out."""

SMALL = f"""
storage_check_s = {CHECK_S}
spool_free_mib = {WATERMARK_MIB}
vault_free_mib = 0
store_free_mib = 0
growth_s = {GROWTH_S}
"""
NO_WATERMARK = SMALL.replace(f"spool_free_mib = {WATERMARK_MIB}", "spool_free_mib = 0")


def dialplan(ways: tuple[str, ...] = WAYS) -> tuple[str, list[str]]:
    """Extension 43N for the Nth way in which ``on_recording_failure`` can go on."""
    extensions, policies = "[from-lab]\n", []
    for number, way in enumerate(ways):
        name = f"way-{number}"
        strict = STRICT if way == "end" else {}
        policies.append(policy(name, on_recording_failure=way, **strict))
        extensions += EXTENSIONS.replace("400", f"43{number}").replace("inbound", name)
    return extensions, policies


@asynccontextmanager
async def with_spool_on_a_disk(
    limits: str = SMALL, size_mib: int = 24
) -> AsyncIterator[tuple[Office, Disk]]:
    extensions, policies = dialplan()
    async with AsyncExitStack() as stack:
        disks = []

        async def mount(asterisk: Asterisk) -> Mapping[str, int]:
            """Before Asterisk starts, which has its own view of what is mounted."""
            disks.append(await stack.enter_async_context(mounted(asterisk.spool_here, size_mib)))
            return {}

        office = await stack.enter_async_context(
            steered(extensions, *policies, limits=limits, through=mount)
        )
        office.phones["agent"].lines = 8
        yield office, disks[0]


async def reasons(office: Office) -> list[str]:
    status = await office.site.service.status()
    assert status is not None
    return list(status["reasons"])


def problems(office: Office, kind: str) -> list[tuple[str, str]]:
    return [(one["place"], one["problem"]) for one in office.details(kind)]


def decided(office: Office, nth: int) -> tuple[str, str]:
    return office.decisions()[nth]


# -- the watermark -----------------------------------------------------------------------------


async def test_before_the_disk_is_full_nothing_new_is_recorded_and_what_runs_follows_its_policy():
    async with with_spool_on_a_disk() as (office, disk):
        runs = await office.dial("customer", "430")
        await office.called("agent")
        must_end = await office.dial("outside", "432")
        await office.called("agent")
        await office.seen("recording_growing", 2)
        disk.fill(leave_bytes=(WATERMARK_MIB - 3) * MIB)
        filled = time.monotonic()
        await office.seen("storage_failed")
        assert time.monotonic() - filled < SEEN_S
        assert problems(office, "storage_failed") == [("spool", "LOW")]
        assert "DISK_LOW spool lab" in await reasons(office)
        await must_end.ended()
        assert office.notice_to(must_end, "required-here").completed
        assert [one["reason"] for one in office.details("capture_stopped")] == ["DISK_LOW"]

        came = time.monotonic()
        goes_on = await office.dial("agent2", "430")
        agent = await office.called("agent")
        assert time.monotonic() - came < 1.0, "nobody waits"
        told = await office.dial("outside", "431")
        other = await office.called("agent")
        assert office.notice_to(told, "not-recorded").completed
        refused = await office.dial("outside", "432")
        await refused.ended()
        assert office.notice_to(refused, "required-here").completed
        assert office.decisions()[2:] == [("NOT_RECORDED", "DISK_LOW")] * 3
        for leg in (goes_on, told, refused):
            assert office.notice_to(leg).started_at is None, "nobody is told of what is not done"
        for leg in (goes_on, told, agent, other):
            await leg.until_heard(0.3)
        assert not runs.is_over
        for leg in (goes_on, told):
            await leg.hang_up()

        disk.empty()
        await office.seen("storage_mended")
        assert "DISK_LOW spool lab" not in await reasons(office)
        again = await office.dial("agent2", "430")
        await office.called("agent")
        await office.seen("recording_growing", 3)
        for leg in (runs, again):
            await leg.hang_up()
        await office.site.until_ended(6)
        assert decided(office, 5) == ("ALLOWED", "NOTICE_COMPLETED")
        closed = {one["recording"]: one["whole"] for one in office.details("recording_closed")}
        first = office.rows("call_arrived")[0]["call"]
        assert closed[f"r-{first[2:]}-1"], "the watermark lost nothing of what ran"
        assert len(closed) == 3
        assert _spooled(office) == []


async def test_who_hears_the_notice_when_the_disk_runs_low_hears_no_more_of_it():
    async with with_spool_on_a_disk() as (office, disk):
        caller = await office.dial("customer", "430")
        await caller.until_heard(0.3)
        disk.fill(leave_bytes=(WATERMARK_MIB - 3) * MIB)
        await office.called("agent")
        await caller.until_heard(0.5)
        await caller.hang_up()
        await office.site.until_ended()
        assert office.decisions() == [("NOT_RECORDED", "DISK_LOW")]
        assert office.details("notice_incomplete")[0]["reason"] == "DISK_LOW"
        assert _spooled(office) == []


# -- full, and silent --------------------------------------------------------------------------


async def test_a_recording_that_stops_growing_on_a_full_disk_is_said_in_time_and_taken_back():
    async with with_spool_on_a_disk(NO_WATERMARK) as (office, disk):
        goes_on = await office.dial("customer", "430")
        agent = await office.called("agent")
        ends = await office.dial("outside", "432")
        await office.called("agent")
        await office.seen("recording_growing", 2)
        disk.fill()
        full = time.monotonic()
        await office.seen("recording_stalled", 2)
        assert time.monotonic() - full < 2.0 + GROWTH_S * 4 / 3 + 1.0, (
            "a step of 2 s, then growth_s"
        )
        await ends.ended()
        assert [one["reason"] for one in office.details("capture_stopped")] == ["NOT_GROWING"]
        channel = await office.channel_of("customer")
        assert await office.variable(channel, "COMPLIANCE_STATUS") == "FAILED"
        await agent.until_heard(0.3)
        disk.empty()
        await office.seen("recording_growing", 3)
        assert not goes_on.is_over
        await goes_on.hang_up()
        await office.site.until_ended(2)
        assert all(not one["whole"] for one in office.details("recording_closed"))


async def test_a_recording_need_not_grow_while_nobody_sends_anything():
    async with steered(limits=f"growth_s = {GROWTH_S}") as office:
        caller = await office.dial("customer", "400")
        agent = await office.called("agent")
        await office.seen("recording_growing")
        for leg in (caller, agent):
            leg.stop_sending()
        quiet = time.monotonic()
        await until(lambda: time.monotonic() - quiet > GROWTH_S * 2 + 1.5, 12)
        assert office.rows("recording_stalled") == []
        for leg in (caller, agent):
            leg.start_sending()
        await agent.until_heard(0.5)
        await caller.hang_up()
        await office.site.until_ended()


async def test_what_a_full_vault_did_not_take_is_taken_in_when_there_is_room():
    limits = SMALL.replace("vault_free_mib = 0", "vault_free_mib = 2")
    async with AsyncExitStack() as stack:
        office = await stack.enter_async_context(steered(limits=limits, serve=False))
        office.site.recordings.mkdir(mode=0o700)
        os.chown(office.site.recordings, SERVICE_UID, -1)
        disk = await stack.enter_async_context(mounted(office.site.recordings, 8))
        await office.site.service.start()
        caller = await office.dial("customer", "400")
        agent = await office.called("agent")
        await office.seen("recording_growing")
        disk.fill()
        await office.seen("storage_failed")
        await caller.hang_up()
        await agent.ended()
        await office.seen("recording_unjudged")
        assert [one["problem"] for one in office.details("recording_unjudged")] == ["DISK"]
        assert len(list(office.site.asterisk.spool_here.glob("*.wav"))) == 2
        disk.empty()
        await office.seen("spool_removed")
        assert list(office.site.asterisk.spool_here.glob("*.wav")) == []
        (closed,) = office.details("recording_closed")
        assert closed["whole"]


# -- no right to write -------------------------------------------------------------------------


async def test_a_spool_that_becomes_read_only_is_seen_and_calls_go_on():
    async with with_spool_on_a_disk() as (office, disk):
        disk.lock()
        locked = time.monotonic()
        await office.seen("storage_failed")
        assert time.monotonic() - locked < SEEN_S
        assert problems(office, "storage_failed") == [("spool", "NOT_WRITABLE")]
        assert "STORAGE_NOT_WRITABLE spool lab" in await reasons(office)
        caller = await office.dial("customer", "430")
        agent = await office.called("agent")
        assert agent.times["confirmed"] - caller.times["invite"] < 1.0
        assert office.decisions() == [("NOT_RECORDED", "STORAGE_NOT_WRITABLE")]
        disk.lock(locked=False)
        await office.seen("storage_mended")
        await caller.hang_up()
        await office.site.until_ended()


async def test_a_spool_that_is_not_writable_at_the_start_lets_calls_go_on():
    async with steered(limits=SMALL, serve=False) as office:
        spool = office.site.asterisk.spool_here
        spool.chmod(0o2750)
        await office.site.service.start()
        assert problems(office, "storage_failed") == [("spool", "NOT_WRITABLE")]
        caller = await office.dial("customer", "400")
        await office.called("agent")
        assert office.decisions() == [("NOT_RECORDED", "STORAGE_NOT_WRITABLE")]
        spool.chmod(0o2770)
        await office.seen("storage_mended")
        await caller.hang_up()
        await office.site.until_ended()


async def test_a_spool_that_is_gone_is_watched_again_when_it_is_back():
    async with steered(limits=SMALL) as office:
        spool = office.site.asterisk.spool_here
        before = spool.stat()
        away = spool.with_name("away")
        spool.rename(away)
        await office.seen("storage_failed")
        assert problems(office, "storage_failed") == [("spool", "GONE")]
        caller = await office.dial("customer", "400")
        await office.called("agent")
        await caller.hang_up()
        await office.site.until_ended()
        assert office.decisions() == [("NOT_RECORDED", "STORAGE_NOT_WRITABLE")]
        _make_like(spool, before)
        await office.seen("storage_mended")
        caller = await office.dial("customer", "400")
        await office.called("agent")
        await office.seen("recording_growing")
        await caller.hang_up()
        await office.site.until_ended(2)
        assert office.details("recording_closed")[0]["whole"]


def _make_like(directory: Path, before: Any) -> None:

    directory.mkdir()
    os.chown(directory, before.st_uid, before.st_gid)
    directory.chmod(before.st_mode & 0o7777)


def _spooled(office: Office) -> list[str]:
    return [name for name in office.site.spooled() if name != "ballast"]
