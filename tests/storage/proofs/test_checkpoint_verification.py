"""What checkpoints add to verifying: attacks by who knows the format, and by the key's holder."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from asterisk_compliance.domain.audit.checkpoint import Checkpoint, sign_checkpoint
from asterisk_compliance.domain.audit.key_chain import LOST
from asterisk_compliance.domain.audit.merkle import leaf_hash
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.storage.log.checkpoints import CHECKPOINT, StoredCheckpoint, keep_beside
from asterisk_compliance.storage.log.schema import DATABASE
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.proofs.verdict import ProofLevel
from asterisk_compliance.storage.proofs.verification import verify
from sample_rows import draft, tamper
from storage.signed_store import (
    KEY,
    NEXT,
    THIEF,
    add_call,
    handed_over,
    key_row,
    rewrite,
    signed_store,
    signing,
)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def checkpoints(store: Path) -> list[StoredCheckpoint]:
    return signed_store(store)


def faults(store: Path, **given: object) -> list[str]:
    return [str(fault) for fault in verify(store, **given).faults]  # type: ignore[arg-type]


def another_notice(seq: int, data: bytes) -> bytes:
    return data.replace(b"standard/1/ja", b"standard/2/ja") if seq == 15 else data


def projected(store: Path) -> None:
    """Make the lists say what the rows say: the attacker thinks of everything."""
    with StoreWriter.open(store) as writer:
        writer.rebuild()


# -- levels --------------------------------------------------------------------------------------


def test_a_log_without_checkpoints_is_a_tree(tmp_path: Path) -> None:
    with StoreWriter.open(tmp_path) as writer:
        writer.commit([draft(Kind.MARK)])
    assert verify(tmp_path).level is ProofLevel.TREE


def test_a_signed_log_says_so_for_the_rows_that_are(
    store: Path, checkpoints: list[StoredCheckpoint]
) -> None:
    with StoreWriter.open(store) as writer:
        writer.commit([draft(Kind.MARK)] * 2)
    verdict = verify(store)
    assert (verdict.intact, verdict.level) == (True, ProofLevel.SIGNED)
    assert (verdict.rows, verdict.signed_rows, verdict.checkpoints) == (36, 34, 3)
    assert (verdict.origin, verdict.key) == (KEY.name, KEY.verifier.fingerprint)
    assert not verdict.key_given
    assert verify(store, key=KEY.verifier).key_given


def test_a_checkpoint_from_elsewhere_anchors_its_rows(
    store: Path, checkpoints: list[StoredCheckpoint]
) -> None:
    verdict = verify(store, key=KEY.verifier, anchors=[one.note for one in checkpoints[:2]])
    assert (verdict.intact, verdict.level, verdict.anchored_rows) == (True, ProofLevel.ANCHORED, 23)


# -- attacks without the key -----------------------------------------------------------------------


def test_a_row_changed_with_its_hash_is_narrowed_down_by_checkpoints(
    store: Path, checkpoints: list[StoredCheckpoint]
) -> None:
    rewrite(store, another_notice)
    (found,) = [one for one in faults(store) if "calls says" not in one]
    assert found == (
        "the first 23 rows are not those of the checkpoint of 23 rows:"
        " at least one of rows 12 to 22 was changed since"
    )


def test_a_row_whose_leaf_was_changed_too_is_narrowed_down_by_the_node_above(
    tmp_path: Path,
) -> None:
    with StoreWriter.open(tmp_path) as writer:
        writer.commit([draft(Kind.MARK)] * 600)
    tamper(tmp_path, "UPDATE rows SET row = replace(row, '\"mark\"', '\"mork\"') WHERE seq = 300")
    db = sqlite3.connect(tmp_path / DATABASE)
    (text,) = db.execute("SELECT row FROM rows WHERE seq = 300").fetchone()
    db.execute("UPDATE rows SET leaf = ? WHERE seq = 300", (leaf_hash(text.encode()),))
    db.commit()
    db.close()
    assert faults(tmp_path)[0] == ("the stored node over rows 256 to 511 is not that of its rows")


def test_a_forged_checkpoint_is_named(store: Path, checkpoints: list[StoredCheckpoint]) -> None:
    db = sqlite3.connect(store / DATABASE)
    forged = sign_checkpoint(Checkpoint(KEY.name, 20, bytes(32)), THIEF)
    db.execute("INSERT INTO checkpoints VALUES (20, 'now', ?)", (forged,))
    altered = checkpoints[0].note.replace("\n12\n", "\n13\n")
    db.execute("INSERT INTO checkpoints VALUES (13, 'now', ?)", (altered,))
    db.execute("INSERT INTO checkpoints VALUES (14, 'now', ?)", (checkpoints[0].note,))
    db.execute("INSERT INTO checkpoints VALUES (15, 'now', 'nonsense')")
    db.commit()
    db.close()
    assert faults(store) == [
        "the checkpoint of 13 rows: a signature does not belong to this text",
        "the checkpoint of 14 rows counts 12 rows itself",
        "the checkpoint of 15 rows: not a signed note",
        "the checkpoint of 20 rows is not signed by a key of this log",
    ]


def test_a_checkpoint_of_another_origin_is_not_this_logs(
    store: Path, checkpoints: list[StoredCheckpoint]
) -> None:
    other = Checkpoint("else.example/log", 12, bytes(32))
    assert faults(store, anchors=[sign_checkpoint(other, KEY)]) == [
        "the checkpoint from elsewhere is not signed by a key of this log"
    ]


def test_a_log_cut_to_an_earlier_checkpoint_is_shorter_than_the_one_beside_it(
    store: Path, checkpoints: list[StoredCheckpoint], tmp_path: Path
) -> None:
    keep_beside(store, checkpoints[-1].note)
    shorter = tmp_path / "shorter"
    signed_store(shorter, calls=2)
    (store / DATABASE).write_bytes((shorter / DATABASE).read_bytes())
    for left in ("-wal", "-shm"):
        (store / f"{DATABASE}{left}").unlink(missing_ok=True)
    found = faults(store)
    assert f"the file {CHECKPOINT} counts 34 rows, here are 23" in found


def test_a_swapped_key_is_found_by_whoever_has_the_old_one(
    store: Path, checkpoints: list[StoredCheckpoint]
) -> None:
    old, new = str(KEY.verifier).encode(), str(THIEF.verifier).encode()
    rewrite(store, lambda seq, data: data.replace(old, new), THIEF)
    assert faults(store) == []  # the log alone cannot say
    (lost, not_ours) = faults(store, key=KEY.verifier, anchors=[checkpoints[0].note])
    assert lost.startswith(f"the log never had the key {KEY.verifier.fingerprint}")
    assert not_ours == "the checkpoint from elsewhere is not signed by a key of this log"


# -- the holder of the key -------------------------------------------------------------------------


def test_a_rewrite_by_the_keys_holder_is_found_by_anyone_with_an_earlier_checkpoint(
    store: Path, checkpoints: list[StoredCheckpoint]
) -> None:
    rewrite(store, another_notice, KEY)
    projected(store)
    verdict = verify(store, key=KEY.verifier)
    assert (verdict.intact, verdict.level) == (True, ProofLevel.SIGNED)  # what it does not prove
    assert verify(store, key=KEY.verifier, anchors=[checkpoints[0].note]).intact  # before it
    for kept in checkpoints[1:]:
        (found,) = faults(store, key=KEY.verifier, anchors=[kept.note])
        assert "not those of the checkpoint from elsewhere" in found


def test_the_first_checkpoint_that_disagrees_is_the_one_that_is_named(
    store: Path, checkpoints: list[StoredCheckpoint]
) -> None:
    rewrite(store, another_notice, KEY)
    projected(store)
    (found,) = faults(store, anchors=[one.note for one in reversed(checkpoints)])
    assert found == (
        "the first 23 rows are not those of the checkpoint 2 from elsewhere:"
        " at least one of rows 12 to 22 was changed since"
    )


# -- rotation --------------------------------------------------------------------------------------


def test_verify_follows_a_rotation(store: Path, checkpoints: list[StoredCheckpoint]) -> None:
    with StoreWriter.open(store) as writer:
        writer.commit([handed_over(KEY, NEXT)])
        writer.checkpoint(signing(NEXT, KEY))
        add_call(writer, 3, NEXT)
    for trusted in (KEY, NEXT):
        verdict = verify(store, key=trusted.verifier, anchors=[checkpoints[0].note])
        assert (verdict.faults, verdict.signed_rows) == ([], 46)
        assert (verdict.key, verdict.key_given) == (NEXT.verifier.fingerprint, True)


def test_a_key_that_nobody_handed_over_is_named(
    store: Path, checkpoints: list[StoredCheckpoint]
) -> None:
    with StoreWriter.open(store) as writer:
        writer.commit([key_row(NEXT, LOST)])
        add_call(writer, 3, NEXT)
    assert verify(store).intact
    assert faults(store, key=KEY.verifier) == [
        "the log changed its key, and the one that was given has not handed it over"
    ]
    assert verify(store, key=NEXT.verifier).key_given


def test_a_false_handover_is_named_by_its_row(
    store: Path, checkpoints: list[StoredCheckpoint]
) -> None:
    with StoreWriter.open(store) as writer:
        writer.commit([handed_over(THIEF, NEXT)])
    assert faults(store) == ["row 34: a key that was not the log's hands it over"]
