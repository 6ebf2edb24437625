"""Durable before it says so; one transaction for all that waits; nothing waits for ever."""

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import pytest

from asterisk_compliance.domain.audit.encoding import decode
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.errors import LogBroken, StoreLocked, StoreUnavailable
from asterisk_compliance.storage.log import audit_log
from asterisk_compliance.storage.log.audit_log import AuditLogStore
from asterisk_compliance.storage.log.reader import StoredRow, StoreReader
from asterisk_compliance.storage.log.schema import DATABASE
from asterisk_compliance.storage.log.writer import TIDY_AFTER_COMMITS, CommitGroup, StoreWriter
from asterisk_compliance.storage.proofs.verification import verify
from sample_rows import draft

MARK = draft(Kind.MARK)


async def test_a_row_that_was_awaited_is_in_the_store(tmp_path: Path) -> None:
    log = await AuditLogStore.open(tmp_path)
    assert await log.append(MARK) == 0
    with StoreReader(tmp_path) as reader:
        (row,) = reader.rows()
    assert decode(row.data).log == log.log
    await log.close()


async def test_rows_keep_the_order_in_which_they_were_appended(tmp_path: Path) -> None:
    log = await AuditLogStore.open(tmp_path)
    batches: list[Sequence[StoredRow]] = []
    log.on_commit(batches.append)
    futures = [log.append(draft(Kind.MARK, detail={"n": n})) for n in range(3000)]
    assert await asyncio.gather(*futures) == list(range(3000))
    await log.close()
    rows = [row for batch in batches for row in batch]
    assert [decode(row.data).detail["n"] for row in rows] == list(range(3000))
    assert len(batches) < 300  # many rows, few transactions
    assert verify(tmp_path).intact


async def test_patient_rows_go_with_the_first_that_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "LINGER_S", 60.0)
    log = await AuditLogStore.open(tmp_path)
    batches: list[Sequence[StoredRow]] = []
    log.on_commit(batches.append)
    patient = [log.append(MARK, patient=True) for _ in range(5)]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await asyncio.shield(patient[0])
    async with asyncio.timeout(10.0):
        assert await log.append(MARK) == 5
        assert await asyncio.gather(*patient) == list(range(5))
    assert len(batches) == 1
    await log.close()


async def test_patience_has_an_end(tmp_path: Path) -> None:
    log = await AuditLogStore.open(tmp_path)
    async with asyncio.timeout(10.0):
        assert await log.append(MARK, patient=True) == 0
    await log.close()


async def test_patient_rows_are_stored_at_the_end_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "LINGER_S", 60.0)
    log = await AuditLogStore.open(tmp_path)
    patient = log.append(MARK, patient=True)
    async with asyncio.timeout(10.0):
        await log.close()
    assert patient.result() == 0


async def test_a_checkpoint_covers_patient_rows_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "LINGER_S", 60.0)
    log = await AuditLogStore.open(tmp_path)
    log.append(MARK, patient=True)
    async with asyncio.timeout(10.0):
        made = await log.checkpoint(str)
    assert made is not None
    assert made.size == 1
    await log.close()


async def test_so_many_patient_rows_wait_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "LINGER_S", 60.0)
    monkeypatch.setattr(audit_log, "BATCH_ROWS", 3)
    log = await AuditLogStore.open(tmp_path)
    async with asyncio.timeout(10.0):
        assert await asyncio.gather(*(log.append(MARK, patient=True) for _ in range(3))) == [
            0,
            1,
            2,
        ]
    await log.close()


async def test_a_transaction_has_so_many_rows_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "BATCH_ROWS", 3)
    log = await AuditLogStore.open(tmp_path)
    batches: list[Sequence[StoredRow]] = []
    log.on_commit(batches.append)
    await asyncio.gather(*(log.append(MARK) for _ in range(100)))
    assert max(map(len, batches)) <= 3
    await log.close()


async def test_closing_makes_durable_what_was_appended(tmp_path: Path) -> None:
    log = await AuditLogStore.open(tmp_path)
    futures = [log.append(MARK) for _ in range(10)]
    await asyncio.gather(log.close(), log.close())
    assert [future.result() for future in futures] == list(range(10))
    with pytest.raises(StoreUnavailable, match="closed"):
        log.append(MARK)
    StoreWriter.open(tmp_path).close()  # the lock is free again


async def test_a_full_queue_refuses_at_once(tmp_path: Path) -> None:
    log = await AuditLogStore.open(tmp_path, queue_rows=3)
    futures = [log.append(MARK) for _ in range(3)]
    with pytest.raises(StoreUnavailable, match="3 rows wait"):
        log.append(MARK)
    await asyncio.gather(*futures)
    assert log.pending == 0
    assert await log.append(MARK) == 3
    await log.close()


async def test_a_failed_batch_fails_its_rows_and_the_next_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await AuditLogStore.open(tmp_path)
    seen: list[StoredRow] = []
    log.on_commit(seen.extend)
    await log.append(MARK)
    pages = log._writer._db.execute("PRAGMA page_count").fetchone()[0]
    log._writer._db.execute(f"PRAGMA max_page_count = {pages}")
    big = draft(Kind.MARK, detail={"text": "x" * 20_000})
    results = await asyncio.gather(*[log.append(big) for _ in range(5)], return_exceptions=True)
    assert {type(result) for result in results} == {StoreUnavailable}
    log._writer._db.execute("PRAGMA max_page_count = 1000000")
    assert await log.append(MARK) == 1
    assert [row.seq for row in seen] == [0, 1]
    await log.close()
    assert verify(tmp_path).rows == 2


async def test_a_bug_in_the_writer_fails_its_rows_instead_of_hanging_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await AuditLogStore.open(tmp_path)

    def broken(self: StoreWriter, groups: Sequence[Sequence[Draft]]) -> list[CommitGroup]:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(StoreWriter, "commit_groups", broken)
        with pytest.raises(StoreUnavailable, match="ZeroDivisionError"):
            await log.append(MARK)
    assert await log.append(MARK) == 0
    await log.close()


async def test_a_draft_that_can_be_no_row_fails_alone(tmp_path: Path) -> None:
    log = await AuditLogStore.open(tmp_path)
    bad = draft(Kind.MARK, detail={"Not A Key": 1})
    first, refused, last = await asyncio.gather(
        log.append(MARK), log.append(bad), log.append(MARK), return_exceptions=True
    )
    assert (first, last) == (0, 1)
    assert isinstance(refused, ValueError)
    await log.close()


async def test_rows_that_belong_together_are_stored_together_or_not_at_all(tmp_path: Path) -> None:
    log = await AuditLogStore.open(tmp_path, queue_rows=5)
    bad = draft(Kind.MARK, detail={"Not A Key": 1})
    assert await log.append(MARK, MARK, MARK) == 2
    with pytest.raises(ValueError, match="detail's name"):
        await log.append(MARK, MARK, bad)
    assert await log.append(MARK, MARK) == 4
    with pytest.raises(StoreUnavailable, match="0 rows wait"):
        log.append(*[MARK] * 6)
    with pytest.raises(ValueError, match="needs a draft"):
        log.append()
    await log.close()
    assert verify(tmp_path).rows == 5


async def test_who_stops_waiting_does_not_unwrite_the_row(tmp_path: Path) -> None:
    log = await AuditLogStore.open(tmp_path)
    future = log.append(MARK)
    future.cancel()
    assert await log.append(MARK) == 1
    await log.close()
    assert verify(tmp_path).rows == 2


async def test_a_subscriber_that_fails_keeps_nobody_else_from_hearing(tmp_path: Path) -> None:
    log = await AuditLogStore.open(tmp_path)
    heard: list[StoredRow] = []

    def failing(rows: Sequence[StoredRow]) -> None:
        raise ZeroDivisionError

    log.on_commit(failing)
    log.on_commit(heard.extend)
    await log.append(MARK)
    await log.close()
    assert [row.seq for row in heard] == [0]


async def test_the_store_has_one_owner(tmp_path: Path) -> None:
    log = await AuditLogStore.open(tmp_path)
    with pytest.raises(StoreLocked):
        await AuditLogStore.open(tmp_path)
    await log.close()


async def test_a_log_that_somebody_else_writes_to_is_not_gone_on_with(tmp_path: Path) -> None:
    log = await AuditLogStore.open(tmp_path)
    await log.append(MARK)
    log._writer._frontier = None
    await log.append(MARK)  # forgetting the head alone does no harm
    log._writer._db.execute("UPDATE tree SET root = zeroblob(32)")
    log._writer._db.execute("UPDATE tree SET frontier = zeroblob(40)")
    with pytest.raises(LogBroken):
        await log.append(MARK)
    await log.close()


KILLED = """
import asyncio, pathlib, sys
sys.path.insert(0, sys.argv[2])
from sample_rows import draft
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.storage.log import audit_log
from asterisk_compliance.storage.log.audit_log import AuditLogStore

async def main():
    log = await AuditLogStore.open(pathlib.Path(sys.argv[1]))
    async def one(n):
        while True:
            print(await log.append(draft(Kind.MARK, detail={"n": n})), flush=True)
    await asyncio.gather(*map(one, range(20)))

asyncio.run(main())
"""


def test_every_row_that_was_said_to_be_durable_survives_kill_9(tmp_path: Path) -> None:
    told = -1
    tests = str(Path(__file__).parents[2])
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path), tests], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            for line in islice(process.stdout, 200):
                told = max(told, int(line))
            process.kill()
            for line in process.stdout:
                if line.endswith(b"\n"):
                    told = max(told, int(line))
        verdict = verify(tmp_path)
        assert verdict.intact, verdict.faults
        assert verdict.rows > told >= 200 - 1


async def test_the_write_ahead_log_is_moved_into_the_database_between_commits(
    tmp_path: Path,
) -> None:
    log = await AuditLogStore.open(tmp_path)
    before = (tmp_path / DATABASE).stat().st_size
    commits = 0
    while (tmp_path / DATABASE).stat().st_size == before:
        await log.append(MARK)
        commits += 1
        assert commits < 5 * TIDY_AFTER_COMMITS, "the write-ahead log only grows"
    assert commits >= TIDY_AFTER_COMMITS
    await log.close()
