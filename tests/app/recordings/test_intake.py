"""From the spool to the vault, with real files: judged when they are closed, never before."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from errno import EACCES
from pathlib import Path

import pytest

from asterisk_compliance.app.recordings.intake import RecordingIntake
from asterisk_compliance.app.recordings.sealer_pool import COMMAND, SealerPool
from asterisk_compliance.clock import monotonic_ms
from asterisk_compliance.domain.call.events import (
    CallEvent,
    FileAppeared,
    FileGrew,
    SpoolKept,
    SpoolRemoved,
)
from asterisk_compliance.domain.recording.verdict import (
    AudioDirection,
    Blank,
    CaptureOutcome,
    Doubt,
    Expected,
    RecordingVerdict,
)
from asterisk_compliance.ids import CallId, RecordingId, call_id, call_of, recording_id, spool_name
from asterisk_compliance.storage.recordings.assembly import wav_header
from asterisk_compliance.storage.recordings.spool import Spool
from asterisk_compliance.storage.recordings.vault import vault_path

RECORDING = recording_id(call_id(1_700_000_000_000, b"8 bytes!"), 1)
WITHIN_S = 5.0
LOUD = b"\x00\x20\x00\xe0" * 4_000  # 1 s
EXPECTED = Expected(1_000)


SEALERS: list[SealerPool] = []


@pytest.fixture(autouse=True)
async def no_process_is_left() -> AsyncIterator[None]:
    yield
    while SEALERS:
        await SEALERS.pop().close()


class Site:
    """A spool, a vault, and what the calls were told."""

    def __init__(
        self, root: Path, close_s: float = WITHIN_S, command: tuple[str, ...] = COMMAND
    ) -> None:
        self.spool, self.vault = root / "spool", root / "vault"
        self.told: asyncio.Queue[tuple[RecordingId, CallEvent]] = asyncio.Queue()
        self.sealers = SealerPool(command=command)
        SEALERS.append(self.sealers)
        self.intake = RecordingIntake(
            self.spool,
            self.vault,
            self.sealers,
            close_s=close_s,
        )
        self.intake.report_files(lambda *told: self.told.put_nowait(told))

    def write(self, direction: str, audio: bytes, *, samples: int | None = None) -> Path:
        file = self.spool / spool_name(RECORDING, direction)
        file.write_bytes(wav_header(len(audio) // 2 if samples is None else samples, 1) + audio)
        return file

    async def judge(self, expected: Expected = EXPECTED) -> RecordingVerdict:
        return await self.intake.judge(RECORDING, expected)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    for name in ("spool", "vault"):
        (tmp_path / name).mkdir()
    site = Site(tmp_path)
    site.intake.open()
    running = asyncio.create_task(site.intake.run())
    site.intake.follow(RECORDING)
    yield site
    running.cancel()
    await asyncio.wait([running], timeout=WITHIN_S)
    site.intake.close()


async def test_a_call_is_told_of_its_files(site: Site) -> None:
    before_ms = monotonic_ms()
    site.write("rx", LOUD)
    async with asyncio.timeout(WITHIN_S):
        (one, appeared), (other, grew) = await site.told.get(), await site.told.get()
    assert one == other == RECORDING
    assert isinstance(appeared, FileAppeared)
    assert isinstance(grew, FileGrew)
    assert before_ms <= appeared.at_ms <= grew.at_ms <= monotonic_ms()


async def test_closed_files_are_judged_and_joined(site: Site) -> None:
    for direction in ("rx", "tx"):
        site.write(direction, LOUD)
    verdict = await site.judge()
    assert verdict.whole
    assert (verdict.length_ms, verdict.rx, verdict.tx) == (
        1_000,
        AudioDirection.HEARD,
        AudioDirection.HEARD,
    )
    assert vault_path(site.vault, RECORDING).stat().st_size == 44 + 2 * len(LOUD)
    assert await site.intake.remove_spooled(RECORDING) == SpoolRemoved(RECORDING, 2)
    assert list(site.spool.iterdir()) == []
    assert await site.intake.remove_spooled(RECORDING) == SpoolRemoved(RECORDING, 0)


async def test_files_without_a_sample_are_empty(site: Site) -> None:
    for direction in ("rx", "tx"):
        site.write(direction, b"")
    assert (await site.judge(Expected(None))).outcome is CaptureOutcome.EMPTY
    assert list(site.vault.iterdir()) == []


async def test_no_files_are_missing(tmp_path: Path) -> None:
    site = Site(tmp_path, close_s=0.05)
    assert await site.judge() == RecordingVerdict(CaptureOutcome.MISSING, expected_ms=1_000)


async def test_one_direction_is_kept_and_the_other_said_to_be_missing(tmp_path: Path) -> None:
    for name in ("spool", "vault"):
        (tmp_path / name).mkdir()
    site = Site(tmp_path, close_s=0.05)
    site.write("rx", LOUD)
    verdict = await site.judge()
    assert (verdict.outcome, verdict.rx, verdict.tx, verdict.whole) == (
        CaptureOutcome.CLOSED,
        AudioDirection.HEARD,
        AudioDirection.MISSING,
        False,
    )
    assert vault_path(site.vault, RECORDING).exists()


async def test_a_spool_that_may_not_be_looked_into_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "spool").mkdir()
    site = Site(tmp_path, close_s=0.05)

    def refuse(*_: object) -> bool:
        raise PermissionError(EACCES, "Permission denied")

    monkeypatch.setattr(Spool, "holds_open", refuse)
    assert await site.judge() == RecordingVerdict(CaptureOutcome.UNJUDGED, problem="DISK")


async def test_a_file_that_asterisk_still_writes_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    site = Site(tmp_path, close_s=0.05)
    site.write("rx", LOUD)
    still_written = site.write("tx", LOUD, samples=0)
    assert await site.judge() == RecordingVerdict(CaptureOutcome.UNJUDGED, problem="NOT_CLOSED")
    assert still_written.exists()


async def test_what_is_no_recording_is_left_alone(site: Site) -> None:
    kept = site.write("rx", LOUD)
    (site.spool / spool_name(RECORDING, "tx")).write_bytes(b"not a WAV file" * 100)
    assert await site.judge() == RecordingVerdict(CaptureOutcome.UNJUDGED, problem="NOT_PCM")
    assert kept.exists()
    assert list(site.vault.iterdir()) == []


async def test_a_vault_that_cannot_be_written(site: Site) -> None:
    site.vault.rmdir()
    kept = [site.write(direction, LOUD) for direction in ("rx", "tx")]
    assert await site.judge() == RecordingVerdict(
        CaptureOutcome.UNJUDGED, problem="DISK", again=EXPECTED
    )
    assert all(file.exists() for file in kept)


async def test_where_nobody_can_seal_the_files_stay(tmp_path: Path) -> None:
    for name in ("spool", "vault"):
        (tmp_path / name).mkdir()
    site = Site(tmp_path, close_s=0.05, command=(sys.executable, "-c", "raise SystemExit(1)"))
    kept = [site.write(direction, LOUD) for direction in ("rx", "tx")]
    assert await site.judge() == RecordingVerdict(
        CaptureOutcome.UNJUDGED, problem="SEALER", again=EXPECTED
    )
    assert all(file.exists() for file in kept)


async def test_a_file_that_cannot_be_removed(site: Site) -> None:
    (site.spool / spool_name(RECORDING, "rx")).mkdir()
    assert await site.intake.remove_spooled(RECORDING) == SpoolKept(RECORDING)


async def test_what_must_not_be_kept_and_what_is_lost_is_in_the_verdict(site: Site) -> None:
    site.write("rx", LOUD * 2)
    site.write("tx", LOUD + bytes(len(LOUD)))
    blank, doubt = Blank(1_500, 1_400), Doubt(1_000, 0)
    verdict = await site.judge(Expected(2_000, blanks=(blank,), doubts=(doubt,)))
    assert (verdict.blanked_ms, verdict.lost) == (200, ((1_000, 2_000),))
    assert (verdict.rx, verdict.tx, verdict.whole) == (
        AudioDirection.HEARD,
        AudioDirection.HEARD,
        False,
    )
    kept = vault_path(site.vault, RECORDING).read_bytes()[44:]
    assert not any(kept[4_000 * 4 : 4_800 * 4])
    assert all(kept[at] or kept[at + 1] for at in (3_999 * 4, 3_999 * 4 + 2, 4_800 * 4))


async def test_others_who_were_not_captured_are_not_waited_for(site: Site) -> None:
    """Not even where Asterisk still writes a file of theirs."""
    site.write("rx", LOUD)
    site.write("tx", LOUD, samples=0)
    async with asyncio.timeout(WITHIN_S / 2):
        verdict = await site.judge(Expected(1_000, others=False))
    assert (verdict.tx, verdict.whole) == (AudioDirection.NOT_KEPT, True)
    assert await site.intake.remove_spooled(RECORDING) == SpoolRemoved(RECORDING, 2)


async def test_a_recording_is_removed_from_the_vault(site: Site) -> None:
    for direction in ("rx", "tx"):
        site.write(direction, LOUD)
    await site.judge()
    assert await site.intake.remove(RECORDING)
    assert list(site.vault.iterdir()) == []
    assert await site.intake.remove(RECORDING)


async def test_a_recording_that_cannot_be_removed(site: Site) -> None:
    vault_path(site.vault, RECORDING).mkdir()
    assert not await site.intake.remove(RECORDING)


async def test_what_somebody_holds_is_not_removed(tmp_path: Path) -> None:
    asked: list[CallId] = []

    def held(call: CallId) -> bool:
        asked.append(call)
        return len(asked) == 1

    for name in ("spool", "vault"):
        (tmp_path / name).mkdir()
    file = vault_path(tmp_path / "vault", RECORDING)
    file.write_bytes(b"audio")
    intake = RecordingIntake(
        tmp_path / "spool",
        tmp_path / "vault",
        SealerPool(),
        close_s=WITHIN_S,
        may_not_go=held,
    )
    assert not await intake.remove(RECORDING)
    assert file.exists()
    assert await intake.remove(RECORDING)
    assert not file.exists()
    assert asked == [call_of(RECORDING)] * 2
