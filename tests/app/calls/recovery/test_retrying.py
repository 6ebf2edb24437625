"""Recordings that could not be taken in: a new life, and storage that works again, try again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from app.recovered_site import CALLER, LOUD, Site, running
from asterisk_compliance.app.calls.call_task import CallTask
from asterisk_compliance.app.calls.recovery import retrying as trying_again
from asterisk_compliance.app.recordings.sealer_pool import SealerPool
from asterisk_compliance.app.retention.run import RetentionService
from asterisk_compliance.app.service import runner as service
from asterisk_compliance.domain.audit.rows import Detail, Kind
from asterisk_compliance.domain.call.decision import Reason
from asterisk_compliance.domain.recording.verdict import Blank, Expected, Tracks
from asterisk_compliance.errors import AsteriskUnavailable
from asterisk_compliance.ids import CallId, recording_id
from asterisk_compliance.storage.recordings.assembly import wav_header
from asterisk_compliance.storage.recordings.vault import vault_path

ENDED: tuple[Kind, dict[str, Detail]] = (
    Kind.CALL_ENDED,
    {"bridged_ms": 1_000, "observed_late": False},
)
MUTED = Blank(600, 200, Tracks.OTHERS)
WHOLE, PARTLY = Expected(1_000), Expected(1_000, blanks=(MUTED,))


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running(tmp_path) as site:
        yield site


async def unjudged(site: Site, again: Expected | None = WHOLE, problem: str = "DISK") -> CallId:
    """A call whose end was seen, and whose recording nobody could take in."""
    call = await site.recorded(ENDED)
    said = {} if again is None else {"expected": msgspec.json.encode(again).decode()}
    detail: dict[str, Detail] = {"recording": recording_id(call, 1), "problem": problem, **said}
    await site.log(call, (Kind.RECORDING_UNJUDGED, detail))
    site.write(call)
    return call


def since(site: Site, call: CallId) -> list[str]:
    """What was written of a call after what an earlier life wrote."""
    return site.kinds(call)[6:]


async def tried(site: Site) -> None:
    """Compare, and wait until nothing is tried any more."""
    await site.node.recover()
    again = site.node.recovery.again
    await site.serving.until(lambda: not again._is_due and not again._runs)


def stereo(blank: Blank | None = None) -> bytes:
    """What is kept of both files, with silence in the others' track."""
    samples = [LOUD[at : at + 2] for at in range(0, len(LOUD), 2)]
    first = len(samples) - 8 * blank.from_end_ms if blank else 0
    last = len(samples) - 8 * blank.to_end_ms if blank else 0
    both = (one + (b"\0\0" if first <= at < last else one) for at, one in enumerate(samples))
    return wav_header(len(samples), 2) + b"".join(both)


@pytest.mark.parametrize("expected", [WHOLE, PARTLY])
async def test_a_new_life_takes_it_in_as_it_was_to_be(site: Site, expected: Expected) -> None:
    call = await unjudged(site, expected)
    await tried(site)
    assert since(site, call) == ["recording_closed", "spool_removed"]
    kept = vault_path(site.vault, recording_id(call, 1)).read_bytes()
    assert kept == stereo(*expected.blanks)
    assert site.detail("recording_closed")["length"] == "ok"
    assert list(site.spool.iterdir()) == []


async def test_what_the_row_does_not_say_is_not_guessed(site: Site) -> None:
    """Asterisk had not closed it, it is no recording, or an older version wrote the row."""
    call = await unjudged(site, None, "NOT_CLOSED")
    await tried(site)
    assert since(site, call) == []
    assert len(list(site.spool.iterdir())) == 2


@pytest.mark.parametrize("said", ["", "[]", '{"length_ms":"x"}'])
async def test_a_row_that_says_nonsense_is_left(site: Site, said: str) -> None:
    call = await site.recorded(ENDED)
    recording: dict[str, Detail] = {"recording": recording_id(call, 1)}
    await site.log(
        call, (Kind.RECORDING_UNJUDGED, {**recording, "problem": "DISK", "expected": said})
    )
    site.write(call)
    await tried(site)
    assert since(site, call) == []


async def test_what_is_in_the_spool_no_more_is_not_tried(site: Site) -> None:
    call = await unjudged(site)
    for file in site.spool.iterdir():
        file.unlink()
    await tried(site)
    assert since(site, call) == []


async def test_a_call_that_may_live_is_not_taken_from_who_follows_it(site: Site) -> None:
    call = await site.recorded()
    detail: dict[str, Detail] = {
        "recording": recording_id(call, 1),
        "problem": "DISK",
        "expected": msgspec.json.encode(WHOLE).decode(),
    }
    await site.log(call, (Kind.RECORDING_UNJUDGED, detail))
    site.write(call)
    site.node.recovery.again.storage_works()
    await site.serving.until(lambda: not site.node.recovery.again._is_due)
    await site.serving.until(lambda: not site.node.recovery.again._runs)
    assert since(site, call) == []
    assert not site.node.follows(call)


async def test_a_channel_of_a_live_call_is_left_to_it(site: Site) -> None:
    call, live = await unjudged(site), site.here(CALLER)
    site.asterisk.lives(CALLER)
    await tried(site)
    assert since(site, call) == []
    assert site.node.calls[CALLER] is cast("CallTask", live)


async def test_a_service_that_ends_begins_no_try(site: Site) -> None:
    call = await unjudged(site)
    site.node.stopping = True
    await tried(site)
    assert since(site, call) == []


async def test_who_disposes_and_who_holds_have_the_same_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[RetentionService] = []

    class Noted(RetentionService):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            made.append(self)

    monkeypatch.setattr(service, "RetentionService", Noted)
    async with running(tmp_path) as site:
        assert [one.holds_stand for one in made] == [site.node.recovery.again.undisturbed]


async def test_a_disk_that_is_full_is_not_filled(site: Site) -> None:
    call = await unjudged(site)
    site.node.storage_changed(Reason.DISK_LOW)
    await tried(site)
    assert since(site, call) == []
    site.node.storage_changed(None)
    await site.seen("spool_removed")


async def test_a_try_that_hangs_keeps_nobody_from_placing_a_hold(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs = asyncio.Event()

    async def take_in(*_: object) -> None:
        await hangs.wait()
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(SealerPool, "take_in", take_in)
    monkeypatch.setattr(trying_again, "_UNDISTURBED_S", 0.1)
    call = await unjudged(site)
    await site.node.recover()
    await site.serving.until(lambda: site.node.follows(call))
    async with asyncio.timeout(3), site.node.recovery.again.undisturbed:
        assert site.node.follows(call)
    hangs.set()
    await site.serving.until(lambda: not site.node.recovery.again._runs)
    assert since(site, call) == ["recording_unjudged"]


async def test_it_is_tried_once_until_storage_works_again(site: Site) -> None:
    call = await unjudged(site, PARTLY)
    site.vault.rmdir()
    await tried(site)
    assert since(site, call) == ["recording_unjudged"]
    await tried(site)
    assert since(site, call) == ["recording_unjudged"], "a reconnect mends no disk"
    site.vault.mkdir(mode=0o700)
    site.node.storage_changed(Reason.STORAGE_NOT_WRITABLE)
    site.node.storage_changed(None)
    await site.seen("spool_removed")
    assert since(site, call)[1:] == ["recording_closed", "spool_removed"]
    kept = vault_path(site.vault, recording_id(call, 1)).read_bytes()
    assert kept == stereo(MUTED), "also after two tries"


async def test_where_asterisk_cannot_be_asked_it_is_tried_the_next_time(site: Site) -> None:
    call = await unjudged(site)
    site.asterisk.refuses["channels"] = AsteriskUnavailable("gone")
    await site.node.recover()
    assert since(site, call) == []
    site.asterisk.refuses.clear()
    await tried(site)
    assert since(site, call) == ["recording_closed", "spool_removed"]


async def test_nothing_is_tried_while_somebody_disposes(site: Site) -> None:
    call = await unjudged(site)
    async with site.node.recovery.again.undisturbed:
        await site.node.recover()
        disposed: dict[str, Detail] = {"recording": recording_id(call, 1)}
        await site.log(call, (Kind.RECORDING_DISPOSED, disposed))
    await tried(site)
    assert since(site, call) == ["recording_disposed"], "it was looked at again"


async def test_one_is_tried_after_the_other(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    running_now, most = 0, 0
    take_in = SealerPool.take_in

    async def counted(*given: object) -> object:
        nonlocal running_now, most
        running_now += 1
        most = max(most, running_now)
        try:
            return await take_in(*given)  # type: ignore[arg-type]
        finally:
            running_now -= 1

    monkeypatch.setattr(SealerPool, "take_in", counted)
    calls = []
    for _ in range(3):
        calls.append(await unjudged(site))
        await asyncio.sleep(0.002)  # an id has milliseconds
    await tried(site)
    assert most == 1
    assert all("recording_closed" in site.kinds(call) for call in calls)
