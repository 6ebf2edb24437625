"""Checkpoints in the store: signed between rows, compared at start, a base for proofs."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from asterisk_compliance.domain.audit.checkpoint import open_checkpoint
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.errors import LogBroken, StoreUnavailable
from asterisk_compliance.storage.log.audit_log import AuditLogStore
from asterisk_compliance.storage.log.checkpoints import CHECKPOINT, keep_beside
from asterisk_compliance.storage.log.reader import Head, StoreReader
from asterisk_compliance.storage.log.schema import DATABASE
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.proofs.prover import at_size, consistency, key_chain, listed, prove
from sample_rows import draft, tamper
from storage.signed_store import KEY, NEXT, handed_over, rewrite, signed_store, signing

MARK = draft(Kind.MARK)


def test_a_checkpoint_is_the_head_signed(tmp_path: Path) -> None:
    with StoreWriter.open(tmp_path) as writer:
        writer.commit([MARK] * 3)
        made = writer.checkpoint(signing(KEY))
        assert made is not None
        assert writer.checkpoint(signing(KEY)) is None  # nothing new
    with StoreReader(tmp_path) as reader:
        assert listed(reader) == [made]
        opened = open_checkpoint(made.note, [KEY.verifier])
        assert Head(opened.size, opened.root) == reader.head()


def test_an_empty_log_has_nothing_to_sign(tmp_path: Path) -> None:
    with StoreWriter.open(tmp_path) as writer:
        assert writer.checkpoint(signing(KEY)) is None


def test_a_signer_that_fails_leaves_no_half(tmp_path: Path) -> None:
    def broken(head: Head) -> str:
        raise ZeroDivisionError

    with StoreWriter.open(tmp_path) as writer:
        writer.commit([MARK])
        with pytest.raises(ZeroDivisionError):
            writer.checkpoint(broken)
        assert writer.commit([MARK])[0].seq == 1


def test_checkpoints_are_neither_changed_nor_removed_by_accident(tmp_path: Path) -> None:
    signed_store(tmp_path)
    db = sqlite3.connect(tmp_path / DATABASE)
    for sql in ("DELETE FROM checkpoints", "UPDATE checkpoints SET size = 99 WHERE size = 12"):
        with pytest.raises(sqlite3.IntegrityError, match="never"):
            db.execute(sql)
    db.close()


async def test_rows_that_were_appended_before_are_under_the_checkpoint(tmp_path: Path) -> None:
    log = await AuditLogStore.open(tmp_path)
    rows = [log.append(MARK) for _ in range(500)]
    done = log.checkpoint(signing(KEY))
    later = log.append(MARK)
    made = await done
    assert made is not None
    assert made.size >= 500
    assert all(row.done() for row in rows)
    assert await later == 500
    assert await log.checkpoint(signing(KEY)) is not None
    assert await log.checkpoint(signing(KEY)) is None
    await log.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        log.checkpoint(signing(KEY))


async def test_a_checkpoint_that_fails_tells_who_asked_and_rows_go_on(tmp_path: Path) -> None:
    def broken(head: Head) -> str:
        raise ZeroDivisionError

    log = await AuditLogStore.open(tmp_path)
    await log.append(MARK)
    with pytest.raises(ZeroDivisionError):
        await log.checkpoint(broken)
    assert await log.append(MARK) == 1
    forgotten = log.checkpoint(signing(KEY))
    forgotten.cancel()
    await log.close()
    with StoreReader(tmp_path) as reader:
        assert [one.size for one in listed(reader)] == [2]


# -- at start --------------------------------------------------------------------------------------


def test_a_whole_rewrite_without_the_key_is_refused_at_start(tmp_path: Path) -> None:
    signed_store(tmp_path)
    rewrite(tmp_path, lambda seq, data: data.replace(b"standard/1", b"standard/2"))
    with pytest.raises(LogBroken) as caught:
        StoreWriter.open(tmp_path)
    assert str(caught.value) == (
        "the log is not the one that was signed: its first 34 rows are others than those of the"
        " newest checkpoint"
    )


def test_a_log_that_was_cut_is_refused_at_start(tmp_path: Path) -> None:
    signed_store(tmp_path)
    tamper(tmp_path, "DELETE FROM rows WHERE seq >= 23")
    rewrite(tmp_path, lambda seq, data: data)
    with pytest.raises(LogBroken, match="shorter than it was: the newest checkpoint counts 34"):
        StoreWriter.open(tmp_path)


def test_an_older_copy_of_the_store_is_refused_by_the_checkpoint_beside_it(tmp_path: Path) -> None:
    checkpoints = signed_store(tmp_path / "old", calls=2)
    for size, calls in ((34, 3), (23, 2)):
        store = tmp_path / f"store{calls}"
        notes = signed_store(store, calls)
        keep_beside(store, notes[-1].note)
        assert notes[-1].size == size
        StoreWriter.open(store).close()
        (store / DATABASE).write_bytes((tmp_path / "old" / DATABASE).read_bytes())
        with pytest.raises(LogBroken) as caught:
            StoreWriter.open(store)
        why = "shorter than it was" if calls == 3 else "not the one that was signed"
        assert why in str(caught.value)
        assert f"move {store / CHECKPOINT} away" in caught.value.hint
        (store / CHECKPOINT).unlink()
        StoreWriter.open(store).close()
    assert len(checkpoints) == 2


def test_leaves_that_do_not_make_the_head_are_refused_at_start(tmp_path: Path) -> None:
    with StoreWriter.open(tmp_path) as writer:
        writer.commit([MARK] * 300)
    tamper(tmp_path, "UPDATE rows SET leaf = zeroblob(32) WHERE seq = 270")
    with pytest.raises(LogBroken, match="stored leaves is not the one of the stored head"):
        StoreWriter.open(tmp_path)


def test_a_checkpoint_that_cannot_be_read_is_refused_at_start(tmp_path: Path) -> None:
    signed_store(tmp_path)
    (tmp_path / CHECKPOINT).write_text("nonsense")
    with pytest.raises(LogBroken, match="not a signed note"):
        StoreWriter.open(tmp_path)
    (tmp_path / CHECKPOINT).write_bytes(b"\xff")
    with pytest.raises(StoreUnavailable, match="cannot read"):
        StoreWriter.open(tmp_path)


# -- proofs ----------------------------------------------------------------------------------------


def test_rows_are_proven_against_the_newest_checkpoint(tmp_path: Path) -> None:
    checkpoints = signed_store(tmp_path)
    with StoreReader(tmp_path) as reader:
        rows = {row.seq: row.data for row in reader.rows()}
        proven = prove(reader, [0, 20, 33, 20])
    assert (proven.checkpoint, proven.vkey) == (checkpoints[-1], str(KEY.verifier))
    checkpoint = open_checkpoint(proven.checkpoint.note, [KEY.verifier])
    assert list(proven.proofs) == [0, 20, 33]
    for seq, proof in proven.proofs.items():
        assert (proof.index, proof.row) == (seq, rows[seq])
        assert proof.holds(checkpoint)


def test_a_row_that_is_not_covered_yet_is_not_proven(tmp_path: Path) -> None:
    with StoreWriter.open(tmp_path) as writer:
        writer.commit([MARK])
    with StoreReader(tmp_path) as reader, pytest.raises(StoreUnavailable, match="covers 0 rows"):
        prove(reader, [0])
    other = tmp_path / "other"
    signed_store(other)
    with StoreReader(other) as reader:
        with pytest.raises(StoreUnavailable, match="covers 34 rows") as caught:
            prove(reader, [34])
        assert "audit checkpoint now" in caught.value.hint
        with pytest.raises(StoreUnavailable, match="no row -1"):
            prove(reader, [-1])


def test_nothing_is_proven_of_a_log_that_is_not_the_signed_one(tmp_path: Path) -> None:
    signed_store(tmp_path)
    rewrite(tmp_path, lambda seq, data: data.replace(b"standard/1", b"standard/2"))
    with StoreReader(tmp_path) as reader:
        with pytest.raises(LogBroken, match="not those that were signed"):
            prove(reader, [3])
        with pytest.raises(LogBroken, match="not those that were signed"):
            consistency(reader, 12, at_size(reader, 34))


def test_checkpoints_are_proven_to_be_of_one_log(tmp_path: Path) -> None:
    old, middle, new = signed_store(tmp_path)
    opened = {one.size: open_checkpoint(one.note, [KEY.verifier]) for one in (old, middle, new)}
    with StoreReader(tmp_path) as reader:
        for later in (middle, new):
            proof = consistency(reader, old.size, later)
            assert proof.holds(opened[old.size], opened[later.size])
        with pytest.raises(StoreUnavailable, match="no tree of 35"):
            consistency(reader, 35, new)
        with pytest.raises(StoreUnavailable, match="no checkpoint of 13 rows"):
            at_size(reader, 13)


def test_the_keys_of_a_log_are_read_from_its_rows(tmp_path: Path) -> None:
    signed_store(tmp_path)
    with StoreWriter.open(tmp_path) as writer:
        writer.commit([handed_over(KEY, NEXT)])
    with StoreReader(tmp_path) as reader:
        assert key_chain(reader).vouched_by(KEY.verifier) == [KEY.verifier, NEXT.verifier]
