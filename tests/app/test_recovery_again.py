"""Recordings that could not be taken in: a new life, and storage that works again, try again."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from asterisk_compliance.domain.decision import Reason
from asterisk_compliance.domain.rows import Detail, Kind
from asterisk_compliance.errors import AsteriskUnavailable
from asterisk_compliance.ids import CallId, recording_id
from asterisk_compliance.storage.recordings import wav_header
from asterisk_compliance.storage.vault import vault_path

from .recovered_site import AGO_MS, CALLER, LOUD, Site, running

ENDED: tuple[Kind, dict[str, Detail]] = (
    Kind.CALL_ENDED,
    {"bridged_ms": 1_000, "observed_late": False},
)
BOTH = wav_header(len(LOUD) // 2, 2) + b"".join(
    LOUD[at : at + 2] * 2 for at in range(0, len(LOUD), 2)
)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running(tmp_path) as site:
        yield site


async def unjudged(site: Site, problem: str = "DISK") -> CallId:
    """A call whose end was seen, and whose recording nobody could take in."""
    call = await site.recorded(ENDED)
    await failed(site, call, problem)
    written_earlier(site, call)
    return call


def written_earlier(site: Site, call: CallId) -> None:
    site.write(call)
    for file in site.spool.iterdir():
        os.utime(file, (time.time() - AGO_MS / 1_000,) * 2)


async def failed(site: Site, call: CallId, problem: str) -> None:
    await site.log(
        call, (Kind.RECORDING_UNJUDGED, {"recording": recording_id(call, 1), "problem": problem})
    )


def since(site: Site, call: CallId) -> list[str]:
    """What was written of a call after what an earlier life wrote."""
    return site.kinds(call)[6:]


@pytest.mark.parametrize("problem", ["DISK", "NOT_CLOSED", "NOT_SEALED", "SEALER"])
async def test_a_new_life_takes_it_in_whole(site: Site, problem: str) -> None:
    call = await unjudged(site, problem)
    await site.node.recover()
    await site.over(call)
    assert since(site, call) == ["recording_closed", "spool_removed"]
    assert vault_path(site.vault, recording_id(call, 1)).read_bytes() == BOTH
    assert list(site.spool.iterdir()) == []


async def test_what_is_no_recording_is_not_tried(site: Site) -> None:
    call = await unjudged(site)
    await failed(site, call, "NOT_PCM")
    await site.node.recover()
    await site.over(call)
    assert since(site, call) == ["recording_unjudged"], "as it was"
    assert len(list(site.spool.iterdir())) == 2


async def test_what_is_in_the_spool_no_more_is_not_tried(site: Site) -> None:
    call = await unjudged(site)
    for file in site.spool.iterdir():
        file.unlink()
    await site.node.recover()
    await site.over(call)
    assert since(site, call) == []


async def test_a_channel_that_lives_may_still_be_recorded(site: Site) -> None:
    call = await unjudged(site, "NOT_CLOSED")
    site.asterisk.lives(CALLER)
    await site.node.recover()
    await site.over(call)
    assert since(site, call) == []


async def test_it_is_tried_once_until_storage_works_again(site: Site) -> None:
    call = await unjudged(site)
    site.vault.rmdir()
    await site.node.recover()
    await site.over(call)
    assert since(site, call) == ["recording_unjudged"]
    await site.node.recover()
    assert since(site, call) == ["recording_unjudged"], "a reconnect mends no disk"
    site.vault.mkdir(mode=0o700)
    site.node.storage_changed(Reason.STORAGE_NOT_WRITABLE)
    site.node.storage_changed(None)
    await site.seen("spool_removed")
    assert since(site, call)[1:] == ["recording_closed", "spool_removed"]


async def test_where_asterisk_cannot_be_asked_it_is_tried_the_next_time(site: Site) -> None:
    call = await unjudged(site)
    site.asterisk.refuses["channels"] = AsteriskUnavailable("gone")
    await site.node.recover()
    assert since(site, call) == []
    site.asterisk.refuses.clear()
    await site.node.recover()
    await site.over(call)
    assert since(site, call) == ["recording_closed", "spool_removed"]


async def test_what_was_stopped_stays_out_of_it(site: Site) -> None:
    """The recording was to end a minute ago, and was written to until now."""
    recording: dict[str, Detail] = {"recording": recording_id(await site.recorded(), 1)}
    (call,) = {row["call"] for row in site.serving.rows() if row["kind"] == "recording_started"}
    stopped: dict[str, Detail] = {**recording, "reason": "WITHDRAWN"}
    await site.log(
        call,
        (Kind.CAPTURE_STOPPED, stopped),
        ENDED,
        (Kind.RECORDING_UNJUDGED, {**recording, "problem": "DISK"}),
    )
    site.write(call)
    await site.node.recover()
    await site.over(call)
    kept = vault_path(site.vault, recording_id(call, 1)).read_bytes()
    assert kept[44:].count(0) == len(kept) - 44
