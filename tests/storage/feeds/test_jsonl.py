"""JSON Lines: every row, once in order, whatever happens to the file."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from asterisk_compliance.domain.audit.encoding import decode
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.errors import LogBroken
from asterisk_compliance.storage.feeds import jsonl
from asterisk_compliance.storage.feeds.jsonl import JsonLines
from asterisk_compliance.storage.log.audit_log import AuditLogStore
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.log.writer import StoreWriter
from sample_rows import draft, tamper

MARK = draft(Kind.MARK)


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[AuditLogStore]:
    log = await AuditLogStore.open(tmp_path)
    yield log
    await log.close()


def stored(store: Path) -> bytes:
    with StoreReader(store) as reader:
        return b"".join(row.data + b"\n" for row in reader.rows())


def seqs(path: Path) -> list[int]:
    return [decode(line).seq for line in path.read_bytes().splitlines()]


async def finish(log: AuditLogStore, lines: JsonLines, task: asyncio.Task[None]) -> None:
    await log.close()
    lines.close()
    async with asyncio.timeout(10):
        await task


def line_count(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


async def until(path: Path, lines: int) -> None:
    """Wait as a consumer of the file does: by looking at it."""
    async with asyncio.timeout(10):
        while line_count(path) < lines:  # noqa: ASYNC110  a file sends no event
            await asyncio.sleep(0.005)


async def test_the_file_is_the_log_byte_for_byte(log: AuditLogStore, tmp_path: Path) -> None:
    await log.append(MARK)  # before anybody follows
    lines = JsonLines(log, tmp_path)
    task = asyncio.create_task(lines.run())
    for _ in range(50):
        await asyncio.gather(*[log.append(MARK) for _ in range(5)])
    await finish(log, lines, task)
    assert (tmp_path / "audit.jsonl").read_bytes() == stored(tmp_path)
    assert (tmp_path / "audit.jsonl").stat().st_mode & 0o777 == 0o600
    assert lines.next_seq == 251


@pytest.mark.parametrize("torn", [0, 1, 40, 100_000])
async def test_it_goes_on_from_its_own_last_whole_line(
    log: AuditLogStore, tmp_path: Path, torn: int
) -> None:
    await asyncio.gather(*[log.append(MARK) for _ in range(30)])
    path = tmp_path / "audit.jsonl"
    whole = stored(tmp_path).splitlines(keepends=True)
    path.write_bytes(b"".join(whole[:20]) + b"x" * torn)
    lines = JsonLines(log, tmp_path)
    await finish(log, lines, asyncio.create_task(lines.run()))
    assert path.read_bytes() == b"".join(whole)


async def test_a_file_that_is_only_a_torn_line_is_begun_again(
    log: AuditLogStore, tmp_path: Path
) -> None:
    await log.append(MARK)
    path = tmp_path / "audit.jsonl"
    path.write_bytes(stored(tmp_path)[:50])
    lines = JsonLines(log, tmp_path)
    await finish(log, lines, asyncio.create_task(lines.run()))
    assert path.read_bytes() == stored(tmp_path)


async def test_a_rotated_file_is_followed_by_a_new_one_with_the_next_row(
    log: AuditLogStore, tmp_path: Path
) -> None:
    path = tmp_path / "audit.jsonl"
    lines = JsonLines(log, tmp_path)
    task = asyncio.create_task(lines.run())
    await log.append(MARK)
    await until(path, 1)
    path.rename(tmp_path / "audit.jsonl.1")
    await log.append(MARK)
    await until(path, 1)
    path.rename(tmp_path / "audit.jsonl.2")
    path.touch()
    await log.append(MARK)
    await finish(log, lines, task)
    assert [seqs(tmp_path / f"audit.jsonl{end}") for end in (".1", ".2", "")] == [[0], [1], [2]]


async def test_rows_that_did_not_fit_into_memory_come_from_the_store(
    log: AuditLogStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "FEED_ROWS", 4)
    lines = JsonLines(log, tmp_path)
    task = asyncio.create_task(lines.run())
    await asyncio.gather(*[log.append(MARK) for _ in range(500)])
    await finish(log, lines, task)
    assert seqs(tmp_path / "audit.jsonl") == list(range(500))


async def test_a_file_that_cannot_be_written_is_tried_again(
    log: AuditLogStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "RETRY_AFTER_S", 0.01)
    path = tmp_path / "audit.jsonl"
    path.mkdir()
    lines = JsonLines(log, tmp_path)
    task = asyncio.create_task(lines.run())
    await log.append(MARK)
    await asyncio.sleep(0.03)
    assert not task.done()
    path.rmdir()
    await until(path, 1)
    await finish(log, lines, task)
    assert seqs(path) == [0]


async def test_a_file_that_stays_unwritable_does_not_keep_the_service(
    log: AuditLogStore, tmp_path: Path
) -> None:
    (tmp_path / "audit.jsonl").mkdir()
    lines = JsonLines(log, tmp_path)
    lines.close()
    await finish(log, lines, asyncio.create_task(lines.run()))


@pytest.mark.parametrize("end", ["ahead", "changed", "other"])
async def test_a_file_that_has_what_the_store_has_not_is_reported(tmp_path: Path, end: str) -> None:
    with StoreWriter.open(tmp_path) as writer:
        writer.commit([MARK, MARK])
    path = tmp_path / "audit.jsonl"
    path.write_bytes(stored(tmp_path))
    if end == "ahead":
        tamper(tmp_path, "DELETE FROM rows WHERE seq = 1")
    elif end == "changed":
        tamper(tmp_path, "UPDATE rows SET row = replace(row, 'pbx1', 'pbx2') WHERE seq = 1")
    else:
        path.write_bytes(path.read_bytes() + b"something else\n")
    lines = JsonLines.__new__(JsonLines)
    lines._path, lines._directory = path, tmp_path
    with pytest.raises(LogBroken, match=r"audit\.jsonl ends with"):
        lines.resume()


async def test_who_is_cancelled_while_it_opens_the_file_leaves_it_closed(
    log: AuditLogStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, opened, made = jsonl.aiofiles.open, asyncio.Event(), []

    async def slowly(*args: Any, **more: Any) -> Any:
        made.append(await real(*args, **more))
        opened.set()
        await asyncio.sleep(0)
        return made[0]

    monkeypatch.setattr(jsonl.aiofiles, "open", slowly)
    task = asyncio.create_task(JsonLines(log, tmp_path).run())
    async with asyncio.timeout(10):
        await opened.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert made[0].closed
