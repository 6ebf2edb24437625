"""The tree as the store has it: the same roots and proofs as over all leaves, from few of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from asterisk_compliance.domain.audit import merkle
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.errors import LogBroken
from asterisk_compliance.storage.log.schema import DATABASE
from asterisk_compliance.storage.log.tree import TreeReader
from asterisk_compliance.storage.log.writer import StoreWriter
from merkle_proofs import consistency_proof, inclusion_proof
from sample_rows import draft, tamper

ROWS = 1_300
"""Five whole blocks and a rest."""
SIZES = (1, 2, 255, 256, 257, 511, 512, 513, 700, 1024, 1280, ROWS)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tree")
    with StoreWriter.open(directory) as writer:
        for rows in (200, 55, 1, 300, ROWS - 556):
            writer.commit([draft(Kind.MARK)] * rows)
    return directory


@pytest.fixture
def db(store: Path) -> Iterator[sqlite3.Connection]:
    db = sqlite3.connect(store / DATABASE)
    yield db
    db.close()


@pytest.fixture
def leaves(db: sqlite3.Connection) -> list[bytes]:
    return [leaf for (leaf,) in db.execute("SELECT leaf FROM rows ORDER BY seq")]


@pytest.mark.parametrize("size", [0, *SIZES])
def test_roots_are_those_over_all_leaves(
    db: sqlite3.Connection, leaves: list[bytes], size: int
) -> None:
    assert TreeReader(db).root(size) == merkle.root_of(leaves[:size])


@pytest.mark.parametrize("size", SIZES)
def test_proofs_are_those_over_all_leaves(
    db: sqlite3.Connection, leaves: list[bytes], size: int
) -> None:
    tree = TreeReader(db)
    for seq in {0, size // 3, size // 2, size - 1, min(size - 1, 256)}:
        assert tree.inclusion(seq, size) == inclusion_proof(leaves[:size], seq)
    for old in {1, (size + 1) // 2, size, min(size, 256), min(size, 300)}:
        assert tree.consistency(old, size) == consistency_proof(leaves[:size], old)


def test_a_proof_reads_a_few_hundred_leaves(db: sqlite3.Connection) -> None:
    read: list[str] = []
    db.set_trace_callback(read.append)
    TreeReader(db).inclusion(300, ROWS)
    of_leaves = [sql for sql in read if "FROM rows" in sql]
    bounds = [sql.split("seq ")[1:3] for sql in of_leaves]
    spans = [int(end.split()[1]) - int(start.split()[1]) for start, end in bounds]
    assert sum(spans) < 2 * merkle.BLOCK


def test_a_missing_leaf_or_node_is_told(store: Path, tmp_path: Path) -> None:
    copy = tmp_path / DATABASE
    with sqlite3.connect(store / DATABASE) as source, sqlite3.connect(copy) as target:
        source.backup(target)
    source.close()
    target.close()
    db = sqlite3.connect(copy)
    tamper(tmp_path, "DELETE FROM rows WHERE seq = 1290")
    with pytest.raises(LogBroken, match="rows are missing between 1280 and 1299"):
        TreeReader(db).root(ROWS)
    tamper(tmp_path, "DELETE FROM tree_blocks WHERE number = 1")
    with pytest.raises(LogBroken, match="nodes of the tree are missing between 0 and 3"):
        TreeReader(db).root(1024)
    db.close()


def test_a_store_of_an_older_version_gets_its_nodes_at_start(tmp_path: Path) -> None:
    with StoreWriter.open(tmp_path) as writer:
        writer.commit([draft(Kind.MARK)] * 700)
    db = sqlite3.connect(tmp_path / DATABASE)
    nodes = db.execute("SELECT * FROM tree_blocks").fetchall()
    for left in (0, 1):
        db.execute("DELETE FROM tree_blocks WHERE number >= ?", (left,))
        db.commit()
        StoreWriter.open(tmp_path).close()
        assert db.execute("SELECT * FROM tree_blocks").fetchall() == nodes
    assert len(nodes) == 2
    db.close()


@pytest.mark.slow
def test_appending_does_the_same_at_row_ten_and_at_row_ten_million(tmp_path: Path) -> None:
    """The frontier says ten million; the rows below it are not there, and nothing asks for them."""

    def statements(directory: Path, size: int) -> list[str]:
        tree = merkle.Frontier()
        leaf = merkle.leaf_hash(b"")
        for _ in range(size // merkle.BLOCK):
            tree.extend([leaf] * merkle.BLOCK)
        tree.extend([leaf] * (size % merkle.BLOCK))
        with StoreWriter.open(directory) as writer:
            head = (tree.size, tree.to_bytes(), tree.root())
            writer._db.execute("UPDATE tree SET size = ?, frontier = ?, root = ?", head)
            ran: list[str] = []
            writer._db.set_trace_callback(ran.append)
            for _ in range(20):
                assert writer.commit([draft(Kind.MARK)])[0].seq == tree.size
                tree.append(leaf)
            writer._db.set_trace_callback(None)
        return [sql.split("(")[0] for sql in ran]

    early, late = statements(tmp_path / "a", 10), statements(tmp_path / "b", 10_000_000)
    assert [sql[:20] for sql in early] == [sql[:20] for sql in late]
    assert not any("FROM rows" in sql for sql in late)
