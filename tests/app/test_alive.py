"""Since when nobody looked: the mark of a life that died."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from asterisk_compliance.app import alive
from asterisk_compliance.app.alive import MARK, keep_marking, last_marked_ms
from asterisk_compliance.app.committing import unix_ms
from asterisk_compliance.app.service import _last_row_at
from asterisk_compliance.domain.rows import Draft, Kind
from asterisk_compliance.ids import NodeName
from asterisk_compliance.storage.writer import StoreWriter

WITHIN_S = 5.0


class Rows:
    def __init__(self) -> None:
        self.owes = False
        self._asked = asyncio.Condition()

    async def owes_nothing(self, within_s: float) -> bool:
        async with self._asked:
            self._asked.notify_all()
        return not self.owes

    async def asked(self, times: int) -> None:
        """Wait until it was asked so often from now on; what came before the last is done."""
        async with asyncio.timeout(WITHIN_S), self._asked:
            for _ in range(times):
                await self._asked.wait()


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alive, "EVERY_S", 0.01)


async def until_marked(store: Path, later_than_ms: int) -> None:
    async with asyncio.timeout(WITHIN_S):
        while (last_marked_ms(store) or 0) <= later_than_ms:  # noqa: ASYNC110 - a file
            await asyncio.sleep(0.005)


async def test_a_life_marks_as_long_as_it_owes_no_row(tmp_path: Path) -> None:
    assert last_marked_ms(tmp_path) is None
    rows = Rows()
    marking = asyncio.create_task(keep_marking(tmp_path, rows))
    await until_marked(tmp_path, unix_ms() - 1)
    assert (tmp_path / MARK).stat().st_mode & 0o777 == 0o600
    rows.owes = True
    await rows.asked(2)
    before = last_marked_ms(tmp_path)
    await rows.asked(3)
    assert last_marked_ms(tmp_path) == before, "what it saw is in no row yet"
    rows.owes = False
    await until_marked(tmp_path, before or 0)
    marking.cancel()


async def test_a_store_that_cannot_be_marked_ends_nothing(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    rows = Rows()
    marking = asyncio.create_task(keep_marking(gone, rows))
    await rows.asked(3)
    assert not marking.done()
    gone.mkdir()
    await until_marked(gone, 0)
    marking.cancel()


def test_the_newer_of_mark_and_row_is_taken(tmp_path: Path) -> None:
    with StoreWriter.open(tmp_path) as writer:
        writer.commit([Draft(Kind.MARK, 1_700_000_000_000, NodeName("pbx1"))])
    assert _last_row_at(tmp_path) == 1_700_000_000_000
    (tmp_path / MARK).touch()
    for marked_s, newest_ms in (
        (1_600_000_000, 1_700_000_000_000),
        (1_700_000_009, 1_700_000_009_000),
    ):
        os.utime(tmp_path / MARK, (marked_s, marked_s))
        assert _last_row_at(tmp_path) == newest_ms
