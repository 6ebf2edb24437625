"""JSON Lines in files that are not too large: together they are the log, whatever happens."""

from __future__ import annotations

import asyncio
import gzip
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from asterisk_compliance.domain.audit.encoding import decode
from asterisk_compliance.domain.audit.merkle import Frontier, leaf_hash
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.errors import LogBroken
from asterisk_compliance.storage.feeds.jsonl import JsonLines, sealed_files
from asterisk_compliance.storage.log.audit_log import AuditLogStore
from asterisk_compliance.storage.log.reader import StoreReader
from sample_rows import draft

MARK = draft(Kind.MARK)
FULL = 1_000


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[AuditLogStore]:
    log = await AuditLogStore.open(tmp_path)
    yield log
    await log.close()


def stored(store: Path) -> list[bytes]:
    with StoreReader(store) as reader:
        return [row.data for row in reader.rows()]


def names(store: Path) -> list[str]:
    return sorted(path.name for path in store.glob("audit*.jsonl*"))


async def write(
    log: AuditLogStore, rows: int, path: Path, *, keep: int = 0, full: int = FULL
) -> None:
    """Follow while many append at once, and end in order."""
    lines = JsonLines(log, path.parent, path=path, full_bytes=full, keep=keep)
    following = asyncio.create_task(lines.run())
    for _ in range(rows // 10):
        await asyncio.gather(*[log.append(MARK) for _ in range(10)])
        async with asyncio.timeout(10):
            while lines.next_seq < log_size(path.parent):  # noqa: ASYNC110  a file sends no event
                await asyncio.sleep(0.005)
    lines.close()
    async with asyncio.timeout(10):
        await following


def log_size(store: Path) -> int:
    with StoreReader(store) as reader:
        return int(reader.connection.execute("SELECT size FROM tree").fetchone()[0])


async def test_the_files_are_the_log_in_the_order_of_their_names(
    log: AuditLogStore, tmp_path: Path
) -> None:
    path = tmp_path / "audit.jsonl"
    await write(log, 60, path)
    full = sealed_files(path)
    assert len(full) > 3
    assert names(tmp_path) == [*(one.path.name for one in full), "audit.jsonl"]
    frontier, written = Frontier(), []
    for name in names(tmp_path):
        written += (tmp_path / name).read_bytes().splitlines()
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    assert written == stored(tmp_path)
    for line in written:  # as docs/audit-format.md says
        frontier.append(leaf_hash(line))
    with StoreReader(tmp_path) as reader:
        assert reader.connection.execute("SELECT root FROM tree").fetchone() == (frontier.root(),)
    for one in full:
        assert one.path.stat().st_size >= FULL
        seqs = [decode(line).seq for line in one.path.read_bytes().splitlines()]
        assert (one.first, one.last) == (seqs[0], seqs[-1])


async def test_it_goes_on_behind_the_newest_full_file_also_a_compressed_one(
    log: AuditLogStore, tmp_path: Path
) -> None:
    path = tmp_path / "audit.jsonl"
    await write(log, 40, path)
    (newest,) = sealed_files(path)[-1:]
    newest.path.with_name(f"{newest.path.name}.gz").write_bytes(
        gzip.compress(newest.path.read_bytes())
    )
    newest.path.unlink()
    path.unlink()
    await write(log, 10, path, full=0)
    assert decode(path.read_bytes().splitlines()[0]).seq == newest.last + 1
    assert decode(path.read_bytes().splitlines()[-1]).seq == 49


async def test_without_a_full_one_it_begins_again(log: AuditLogStore, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    await write(log, 10, path, full=0)
    path.unlink()
    await write(log, 10, path, full=0)
    assert path.read_bytes().splitlines() == stored(tmp_path)


async def test_only_so_many_full_ones_are_kept(log: AuditLogStore, tmp_path: Path) -> None:
    path = tmp_path / "logs" / "compliance.jsonl"
    path.parent.mkdir()
    lines = JsonLines(log, tmp_path, path=path, full_bytes=FULL, keep=2)
    following = asyncio.create_task(lines.run())
    for _ in range(10):
        await asyncio.gather(*[log.append(MARK) for _ in range(10)])
        await asyncio.sleep(0.12)
    await log.close()
    lines.close()
    await following
    kept = sealed_files(path)
    assert len(kept) == 2
    assert kept[0].last + 1 == kept[1].first
    assert decode(path.read_bytes().splitlines()[0]).seq == kept[1].last + 1
    assert kept[0].path.name.startswith("compliance-0000000000")


@pytest.mark.parametrize("how", ["plain", "compressed"])
async def test_full_files_of_a_longer_log_are_reported(tmp_path: Path, how: str) -> None:
    longer = tmp_path / "longer"
    log = await AuditLogStore.open(longer)
    await write(log, 30, longer / "audit.jsonl")
    await log.close()
    (newest,) = sealed_files(longer / "audit.jsonl")[-1:]
    shorter = tmp_path / "shorter"
    log = await AuditLogStore.open(shorter)
    await log.append(MARK)
    name = newest.path.name + (".gz" if how == "compressed" else "")
    (shorter / name).write_bytes(newest.path.read_bytes())
    with pytest.raises(LogBroken, match=f"ends with row {newest.last}, which is not in the store"):
        await JsonLines(log, shorter).run()
    await log.close()


async def test_a_file_of_that_name_is_never_replaced(log: AuditLogStore, tmp_path: Path) -> None:
    path, theirs = tmp_path / "audit.jsonl", tmp_path / "audit-000000000000-000000000009.jsonl"
    await write(log, 10, path)
    theirs.write_text("somebody else's\n")
    await write(log, 20, path)
    assert theirs.read_text() == "somebody else's\n"
    assert names(tmp_path)[1] == "audit-000000000000-000000000019.jsonl"


@pytest.mark.parametrize("hindrance", ["no row in it", "the disk says no"])
async def test_a_file_that_cannot_be_renamed_grows_on(
    log: AuditLogStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hindrance: str
) -> None:
    path = tmp_path / "audit.jsonl"
    if hindrance == "no row in it":
        await log.append(MARK)
        path.write_bytes(b"a heading\n" + stored(tmp_path)[0] + b"\n")
    else:
        real = Path.rename

        def refuse(this: Path, name: Path) -> Path:
            if this == path:
                raise PermissionError(1, "Operation not permitted")
            return real(this, name)

        monkeypatch.setattr(Path, "rename", refuse)
    await write(log, 30, path)
    assert path.stat().st_size > 2 * FULL
    assert path.read_bytes().splitlines()[-1] == stored(tmp_path)[-1]


@pytest.mark.slow
def test_killed_anywhere_each_row_is_there_once(tmp_path: Path) -> None:
    """``killed_rotation.py`` kills itself with SIGKILL again and again, and begins again."""
    script = Path(__file__).parents[1] / "killed_rotation.py"
    ran = subprocess.run(
        [sys.executable, script, tmp_path], capture_output=True, text=True, check=False, timeout=110
    )
    assert ran.returncode == 0, ran.stderr
    killed, between = map(int, ran.stdout.split())
    assert killed > 10
    assert between > 1, "it was killed between the renaming and the next file"
