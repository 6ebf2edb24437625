"""The tree as the store has it: roots and proofs without reading every row.

Of each whole block of 256 rows the store keeps the node above them. A root or a proof over ten
million rows then needs 39,000 nodes and some hundred leaves. Nothing here is trusted: what it
gives fits a signed root, or it does not.
"""

from __future__ import annotations

import sqlite3

from asterisk_compliance.domain.audit.merkle import (
    BLOCK,
    Frontier,
    consistency_path,
    inclusion_path,
)
from asterisk_compliance.errors import LogBroken


class TreeReader:
    """Roots and proofs, as the leaves and nodes say that are stored now.

    What it has computed once it keeps: make one for several proofs, in one transaction.

    Raises:
        LogBroken: from every method, when leaves or nodes are missing.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._known: dict[tuple[int, int], bytes] = {}

    def root(self, size: int) -> bytes:
        """Of the tree over the first ``size`` rows."""
        return self._subtree(0, size)

    def inclusion(self, seq: int, size: int) -> list[bytes]:
        """The path from row ``seq`` to the root over the first ``size`` rows.

        Raises:
            ValueError: they do not include it.
        """
        return inclusion_path(seq, size, self._subtree)

    def consistency(self, old_size: int, size: int) -> list[bytes]:
        """That the tree of ``old_size`` is the beginning of that of ``size``.

        Raises:
            ValueError: it is not smaller, or empty.
        """
        return consistency_path(old_size, size, self._subtree)

    def _subtree(self, start: int, end: int) -> bytes:
        """``start`` is as the RFC cuts a tree: at a multiple of the subtree's own width."""
        key = (start, end)
        if key not in self._known:
            self._known[key] = self._computed(start, end)
        return self._known[key]

    def _computed(self, start: int, end: int) -> bytes:
        if end - start < BLOCK:
            return self._leaves(start, end).root()
        blocks = self._blocks(start // BLOCK, end // BLOCK)
        tail = self._leaves(end - end % BLOCK, end)
        return blocks.root_with(tail.root()) if tail.size else blocks.root()

    def _leaves(self, start: int, end: int) -> Frontier:
        sql = "SELECT leaf FROM rows WHERE seq >= ? AND seq < ? ORDER BY seq"
        return self._folded(sql, start, end, "rows")

    def _blocks(self, start: int, end: int) -> Frontier:
        sql = "SELECT root FROM tree_blocks WHERE number >= ? AND number < ? ORDER BY number"
        return self._folded(sql, start, end, "nodes of the tree")

    def _folded(self, sql: str, start: int, end: int, what: str) -> Frontier:
        frontier = Frontier()
        for (node,) in self._db.execute(sql, (start, end)):
            frontier.append(node)
        if frontier.size != end - start:
            raise LogBroken(f"{what} are missing between {start} and {end - 1}")
        return frontier


def complete_blocks(db: sqlite3.Connection, size: int) -> None:
    """Make the nodes that an older version of the program has not written."""
    (known,) = db.execute("SELECT count(*) FROM tree_blocks").fetchone()
    if known >= size // BLOCK:
        return
    frontier = Frontier()
    db.execute("BEGIN IMMEDIATE")
    try:
        rows = db.execute("SELECT leaf FROM rows WHERE seq >= ? ORDER BY seq", (known * BLOCK,))
        for (leaf,) in rows:
            keep_block(db, known, frontier, leaf)
            frontier.append(leaf)
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def keep_block(db: sqlite3.Connection, before: int, frontier: Frontier, leaf: bytes) -> None:
    """Write the node that ``leaf`` completes, if it does, in the transaction of its row.

    ``before``: so many blocks stand before the first leaf of ``frontier``.
    """
    block = frontier.block_with(leaf)
    if block is not None:
        number = before + frontier.size // BLOCK
        db.execute("INSERT INTO tree_blocks (number, root) VALUES (?, ?)", (number, block))
