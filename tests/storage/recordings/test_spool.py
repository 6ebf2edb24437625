"""The spool as the kernel tells it: real files, real inotify, and no foreign name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

import pytest

from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.ids import RecordingId, call_id, recording_id, spool_name
from asterisk_compliance.storage.recordings.assembly import wav_header
from asterisk_compliance.storage.recordings.inotify import CLOSED, CREATED, Watch
from asterisk_compliance.storage.recordings.spool import Spool

RECORDING = recording_id(call_id(1_700_000_000_000, b"8 bytes!"), 1)
OTHER = recording_id(call_id(1_700_000_000_000, b"another!"), 1)
WITHIN_S = 5.0
Told = asyncio.Queue[tuple[str, RecordingId]]


class Listener:
    def __init__(self) -> None:
        self.told: Told = asyncio.Queue()

    def file_appeared(self, recording: RecordingId) -> None:
        self.told.put_nowait(("appeared", recording))

    def file_grew(self, recording: RecordingId) -> None:
        self.told.put_nowait(("grew", recording))

    def file_closed_alone(self) -> None:
        self.told.put_nowait(("closed alone", RECORDING))

    async def next(self) -> tuple[str, RecordingId]:
        async with asyncio.timeout(WITHIN_S):
            return await self.told.get()


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
async def spool(tmp_path: Path, listener: Listener) -> AsyncIterator[Spool]:
    spool = Spool(tmp_path, listener)
    spool.open()
    running = asyncio.create_task(spool.run())
    spool.follow(RECORDING)
    yield spool
    running.cancel()
    await asyncio.wait([running], timeout=WITHIN_S)
    spool.close()


def begin(directory: Path, recording: RecordingId = RECORDING, direction: str = "rx") -> BinaryIO:
    """A file as MixMonitor opens it: a header that says 0, and nothing behind it."""
    file = (directory / spool_name(recording, direction)).open("wb", buffering=0)
    file.write(wav_header(0, 1))
    return file


def grow(file: BinaryIO, samples: int = 160) -> None:
    file.write(bytes(2 * samples))


def finish(file: BinaryIO) -> None:
    """As Asterisk does it: the header last."""
    samples = (file.tell() - 44) // 2
    file.seek(0)
    file.write(wav_header(samples, 1))
    file.close()


async def test_a_file_appears_and_grows_once(spool: Spool, listener: Listener) -> None:
    with begin(spool.directory) as file:
        assert await listener.next() == ("appeared", RECORDING)
        grow(file)
        assert await listener.next() == ("grew", RECORDING)
        grow(file)
        with begin(spool.directory, direction="tx") as other:
            grow(other)
            assert await listener.next() == ("appeared", RECORDING)
    assert await spool.closed(RECORDING, WITHIN_S)
    assert listener.told.empty()


async def test_a_header_alone_is_not_growth(spool: Spool, listener: Listener) -> None:
    for direction in ("rx", "tx"):
        begin(spool.directory, direction=direction).close()
    assert await spool.closed(RECORDING, WITHIN_S)
    assert [await listener.next(), await listener.next()] == [("appeared", RECORDING)] * 2
    assert listener.told.empty()


async def test_files_of_others_are_left_alone(spool: Spool, listener: Listener) -> None:
    for name in ("notes.txt", "..wav", f"x{spool_name(RECORDING, 'rx')}", RECORDING):
        (spool.directory / name).write_bytes(b"x" * 100)
    begin(spool.directory, OTHER).close()
    with begin(spool.directory) as file:
        assert await listener.next() == ("appeared", RECORDING)
        grow(file)
        assert await listener.next() == ("grew", RECORDING)
    assert listener.told.empty()
    assert len(list(spool.directory.iterdir())) == 6


async def test_a_file_that_the_dialplan_recorded_alone_is_told_when_it_is_closed(
    spool: Spool, listener: Listener
) -> None:
    file = (spool.directory / "d-0123456789abcdef-1795507200.1-rx.wav").open("wb")
    begin(spool.directory).close()
    assert await listener.next() == ("appeared", RECORDING)
    file.close()
    assert await listener.next() == ("closed alone", RECORDING)


async def test_what_is_known_to_have_ended_is_closed(spool: Spool) -> None:
    with begin(spool.directory):
        assert spool.holds_open(RECORDING)
        spool.has_ended(RECORDING)
        assert not spool.holds_open(RECORDING)
        assert await spool.closed(RECORDING, 0, ("rx",))


async def test_a_forgotten_recording_is_not_told(spool: Spool, listener: Listener) -> None:
    spool.forget(RECORDING)
    spool.follow(OTHER)
    begin(spool.directory).close()
    begin(spool.directory, OTHER).close()
    assert await listener.next() == ("appeared", OTHER)


async def test_to_follow_twice_changes_nothing(spool: Spool, listener: Listener) -> None:
    with begin(spool.directory) as file:
        grow(file)
        assert [await listener.next(), await listener.next()] == [
            ("appeared", RECORDING),
            ("grew", RECORDING),
        ]
        spool.follow(RECORDING)
        grow(file)
        begin(spool.directory, direction="tx").close()
        assert await listener.next() == ("appeared", RECORDING)
    assert listener.told.empty()


async def test_both_files_must_be_closed(spool: Spool) -> None:
    rx, tx = begin(spool.directory), begin(spool.directory, direction="tx")
    waiting = asyncio.create_task(spool.closed(RECORDING, WITHIN_S))
    rx.close()
    assert not await spool.closed(RECORDING, 0.1)
    assert spool.holds_open(RECORDING)
    assert not waiting.done()
    tx.close()
    assert await waiting
    assert not spool.holds_open(RECORDING)


async def test_only_the_directions_that_are_expected_are_waited_for(spool: Spool) -> None:
    rx, tx = begin(spool.directory), begin(spool.directory, direction="tx")
    assert spool.holds_open(RECORDING, ("rx",))
    assert not await spool.closed(RECORDING, 0.1, ("rx",))
    rx.close()
    assert await spool.closed(RECORDING, WITHIN_S, ("rx",))
    assert not spool.holds_open(RECORDING, ("rx",))
    assert spool.holds_open(RECORDING)
    assert not await spool.closed(RECORDING, 0.1)
    tx.close()


async def test_the_wait_for_a_close_is_bounded(spool: Spool) -> None:
    loop = asyncio.get_running_loop()
    with begin(spool.directory) as file:
        grow(file)
        began = loop.time()
        assert not await spool.closed(RECORDING, 0.1)
        assert 0.1 <= loop.time() - began < WITHIN_S


async def test_without_a_notification_a_header_with_the_size_will_do(tmp_path: Path) -> None:
    unwatched = Spool(tmp_path, Listener())
    for direction in ("rx", "tx"):
        file = begin(tmp_path, direction=direction)
        grow(file)
        assert unwatched.holds_open(RECORDING)
        finish(file)
    assert await unwatched.closed(RECORDING, WITHIN_S)
    assert not unwatched.holds_open(RECORDING)


async def test_without_a_notification_a_header_alone_proves_nothing(tmp_path: Path) -> None:
    """Asterisk may still hold 32 KiB of audio back."""
    unwatched = Spool(tmp_path, Listener())
    for direction in ("rx", "tx"):
        begin(tmp_path, direction=direction).close()
    assert not await unwatched.closed(RECORDING, 0.1)
    assert unwatched.holds_open(RECORDING)


async def test_files_that_never_appear(spool: Spool) -> None:
    assert not await spool.closed(RECORDING, 0.1)
    assert not spool.holds_open(RECORDING)


async def test_a_spool_that_is_gone_is_said(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "missing", Listener())
    with pytest.raises(StoreUnavailable, match="cannot watch the spool: No such file") as caught:
        spool.open()
    assert "docs/wiring.md" in caught.value.hint
    spool.close()


async def test_a_spool_that_goes_away_does_not_end_the_watch(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    spool = Spool(tmp_path / "spool", Listener())
    spool.open()
    running = asyncio.create_task(spool.run())
    (tmp_path / "spool").rmdir()
    assert not await spool.closed(RECORDING, 0.1)
    assert not running.done()
    running.cancel()
    await asyncio.wait([running], timeout=WITHIN_S)
    spool.close()


async def test_a_file_is_no_spool(tmp_path: Path) -> None:
    (tmp_path / "spool").write_bytes(b"")
    with pytest.raises(StoreUnavailable, match="Not a directory"):
        Spool(tmp_path / "spool", Listener()).open()


async def test_who_fails_at_an_event_ends_the_watch_and_not_the_loop(tmp_path: Path) -> None:
    def fails(name: str, happened: int) -> None:
        raise LookupError(name)

    watch = Watch()
    watch.add(tmp_path)
    running = asyncio.create_task(watch.run(fails))
    await asyncio.sleep(0)
    (tmp_path / "a file").touch()
    with pytest.raises(LookupError, match="a file"):
        await asyncio.wait_for(running, WITHIN_S)
    watch.close()


async def test_to_be_woken_for_nothing_harms_nobody(tmp_path: Path) -> None:
    told: list[tuple[str, int]] = []
    watch = Watch()
    watch.add(tmp_path)
    watch._read(lambda *event: told.append(event))
    assert told == []
    (tmp_path / "b").touch()
    watch._read(lambda *event: told.append(event))
    assert told == [("b", CREATED), ("b", CLOSED)]
    watch.close()
