"""Verifies the log: reads every row once, and reports each one that does not fit.

Without help from outside, this finds a changed, missing, swapped or added row, as long as its
stored hash, the head or a checkpoint was left alone. Anybody who can write the store and holds its
key can write all of these anew. Only a person who kept an earlier checkpoint notices that, and
passes it as one of ``anchors``.

The projections can be compared with the rows at the same time, by a second process
(:class:`ConcurrentComparison`).
"""

from __future__ import annotations

import hmac
import sqlite3
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import msgspec

from asterisk_compliance.domain.audit.encoding import Row, commitment, decode, decode_block
from asterisk_compliance.domain.audit.merkle import BLOCK, Frontier
from asterisk_compliance.domain.audit.projection import Column, ProjectionTable, project
from asterisk_compliance.domain.audit.signed_note import VerifierKey
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.storage.log import erasure, projections, schema
from asterisk_compliance.storage.log.reader import Head
from asterisk_compliance.storage.proofs.checkpoint_verification import Marks
from asterisk_compliance.storage.proofs.verdict import LogVerdict

_BEYOND_EVERY_ROW = 2**63
_Line: TypeAlias = tuple[int, bytes, bytes]


def parse_head(text: str) -> Head:
    """Read ``SIZE:ROOTHEX``, as ``audit verify`` prints it.

    Raises:
        ValueError: it is not that.
    """
    size, colon, root = text.strip().partition(":")
    if not (colon and size.isascii() and size.isdigit() and len(root) == 64):
        raise ValueError("expected SIZE:ROOT, as printed by an earlier audit verify")
    return Head(int(size), bytes.fromhex(root))


def verify(
    directory: Path,
    expect: Head | None = None,
    *,
    projected: bool = True,
    key: VerifierKey | None = None,
    anchors: Sequence[str] = (),
) -> LogVerdict:
    """Read and check the whole log, in one snapshot, beside a running service.

    Args:
        directory: The store.
        expect: A head kept from before: the first ``expect.size`` rows must give its root.
        projected: Also compare the tables that lists read with the rows.
        key: The log's public key, from somewhere else.
        anchors: Signed checkpoints that were kept elsewhere.

    Raises:
        StoreUnavailable: the store cannot be read at all.
    """
    try:
        with closing(schema.open_for_reading(directory)) as db:
            db.execute("BEGIN")
            walk = _Walk(db)
            with closing(
                ConcurrentComparison(directory, walk.verdict.head.size, wanted=projected)
            ) as lists:
                walk.run(
                    Marks(db, directory, walk.verdict, expect=expect, key=key, anchors=anchors)
                )
                walk.verdict.expected = expect
                for difference in (*lists.result(), *erasure.differences(db)):
                    walk.verdict.fault(None, difference)
            return walk.verdict
    except sqlite3.Error as error:
        raise StoreUnavailable(f"cannot read {directory}: {error}") from error


def _rows(lines: Sequence[_Line]) -> Sequence[Row | None]:
    try:
        return decode_block([data for _, data, _ in lines])
    except ValueError:
        return [None] * len(lines)


class _Walk:
    """One pass over the rows."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        size, root = db.execute("SELECT size, root FROM tree").fetchone() or (0, b"")
        log = db.execute("SELECT value FROM meta WHERE key = 'log'").fetchone()
        self.verdict = LogVerdict(log[0] if log else "", rows=0, root=b"", head=Head(size, root))
        self._frontier = Frontier()
        self._next_seq = 0
        self._blocks = iter(db.execute("SELECT root FROM tree_blocks ORDER BY number"))
        self._values = self._kept_values()
        self._value = next(self._values, None)

    def run(self, marks: Marks) -> None:
        verdict, frontier = self.verdict, self._frontier
        if marks.next_size == 0:
            marks.compare(0, frontier.root())
        rows = self._db.execute("SELECT seq, CAST(row AS BLOB), leaf FROM rows ORDER BY seq")
        while lines := list(islice(rows, BLOCK)):
            self._grow(self._hashed(lines), marks)
            for (seq, data, _), row in zip(lines, _rows(lines), strict=True):
                self._check(seq, data, row)
        self._open(_BEYOND_EVERY_ROW, None)  # what is left belongs to no row
        verdict.rows, verdict.root = frontier.size, frontier.root()
        self._check_head(self._next_seq)
        marks.finish()

    def _hashed(self, lines: Sequence[_Line]) -> list[bytes]:
        """The leaves of some rows, which must be those that are stored, without a gap."""
        leaves = [sha256(b"\x00" + data).digest() for _, data, _ in lines]
        for (seq, _, stored), leaf in zip(lines, leaves, strict=True):
            if seq != self._next_seq:
                last = f" to {seq - 1}" if seq - self._next_seq > 1 else ""
                self.verdict.fault(self._next_seq, f"missing{last}")
            self._next_seq = seq + 1
            if leaf != stored:
                self.verdict.fault(seq, "was changed: it is not the row that was hashed")
        return leaves

    def _grow(self, leaves: list[bytes], marks: Marks) -> None:
        """Add leaves to the tree, and stop wherever somebody says what its root must be."""
        while leaves:
            until = marks.next_size
            room = len(leaves) if until is None else until - self._frontier.size
            for block in self._frontier.extend(leaves[:room]):
                self._compare_block(block)
            leaves = leaves[room:]
            if self._frontier.size == until:
                marks.compare(until, self._frontier.root())

    def _compare_block(self, block: bytes) -> None:
        """The node over 256 rows; once a row was named, it says nothing more."""
        stored = next(self._blocks, None)
        if self.verdict.fault_count or (stored is not None and stored[0] == block):
            return
        last = self._frontier.size // BLOCK * BLOCK - 1
        what = "is not there" if stored is None else "is not that of its rows"
        self.verdict.fault(None, f"the stored node over rows {last - BLOCK + 1} to {last} {what}")

    def _check(self, seq: int, data: bytes, row: Row | None) -> None:
        """One row by itself: its form, its number, its log, what it commits to.

        ``row``: what was read with the others; ``None``, if they do not all have the form of one.
        """
        try:
            row = row or decode(data)
        except ValueError as error:
            self.verdict.fault(seq, str(error))
            self._open(seq, None)
            return
        if row.seq != seq:
            self.verdict.fault(seq, f"out of place: it calls itself row {row.seq}")
        if row.log != self.verdict.log:
            self.verdict.fault(seq, f"belongs to another log, {row.log}")
        if self._value is not None and self._value[0] <= seq:
            self._open(seq, row)

    def _open(self, seq: int, row: Row | None) -> None:
        """Open the commitments of row ``seq`` with the values that are kept beside it."""
        while self._value is not None and self._value[0] <= seq:
            owner, name, party, salt, value = self._value
            self._value = next(self._values, None)
            if owner != seq:
                self.verdict.fault(owner, f"a value of {name} is kept for a row that is not there")
            elif row is None:
                self.verdict.fault(owner, f"its value of {name} cannot be compared")
            elif row.detail.get("party") != party:
                self.verdict.fault(seq, f"its value of {name} is kept under another party")
            elif not hmac.compare_digest(
                str(row.detail.get(f"commit.{name}")), commitment(salt, name, value)
            ):
                self.verdict.fault(seq, f"the value kept for {name} is not the committed one")
            else:
                self.verdict.opened += 1

    def _kept_values(self) -> Iterator[tuple[int, str, str, bytes, str]]:
        yield from self._db.execute(
            "SELECT seq, field, party, salt, value FROM party_values"
            " WHERE salt <> x'' ORDER BY seq"  # without a salt it was erased
        )

    def _check_head(self, next_seq: int) -> None:
        verdict, head = self.verdict, self.verdict.head
        if next_seq < head.size:
            verdict.fault(next_seq, f"missing, with all that followed: the head counts {head.size}")
        elif next_seq > head.size:
            verdict.fault(head.size, f"not in the tree: the head counts {head.size} rows")
        if verdict.root != head.root:
            verdict.fault(None, "the tree of the stored rows is not the one of the stored head")


FEW_ROWS = 100_000
"""Up to so many rows another process takes longer to begin than it saves."""

Entries: TypeAlias = "dict[ProjectionTable, dict[str, dict[str, Column]]]"

_decode = msgspec.json.Decoder(Row).decode
_decode_block = msgspec.json.Decoder(list[Row]).decode


def projection_differences(directory: Path) -> list[str]:
    """What differs, in a snapshot of its own.

    Raises:
        StoreUnavailable: the store cannot be read.
    """
    db = schema.open_for_reading(directory)
    try:
        db.execute("BEGIN")
        return list(projections.differences(db, _folded(db)))
    except sqlite3.Error as error:
        raise StoreUnavailable(f"cannot read {directory}: {error}") from error
    finally:
        db.close()


class ConcurrentComparison:
    """Looks for projection_differences while something else is done, if there are rows enough."""

    def __init__(self, directory: Path, rows: int, *, wanted: bool) -> None:
        self._directory = directory
        self._wanted = wanted
        self._process: subprocess.Popen[bytes] | None = None
        if wanted and rows > FEW_ROWS:
            command = [sys.executable, "-m", __name__, str(directory)]
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603  ours

    def result(self) -> list[str]:
        """What :func:`projection_differences` says; nothing, if nobody wants to know."""
        if not self._wanted:
            return []
        if self._process is not None:
            found, _ = self._process.communicate()
            if self._process.returncode == 0:
                return msgspec.json.decode(found, type=list[str])
        return projection_differences(self._directory)

    def close(self) -> None:
        """End it, if nobody waited for it."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


def _folded(db: sqlite3.Connection) -> Entries:
    entries: Entries = {table: defaultdict(dict) for table in projections.KEYS}
    lines = (line for (line,) in db.execute("SELECT CAST(row AS BLOB) FROM rows ORDER BY seq"))
    while block := list(islice(lines, BLOCK)):
        for row in _rows_of_lines(block):
            if change := project(row):
                entries[change.table][change.key].update(change.columns)
    return entries


def _rows_of_lines(lines: Sequence[bytes]) -> Iterator[Row]:
    """Those that are rows: others are named by the tree, and so is what is not strictly one."""
    try:
        rows = _decode_block(b"[" + b",".join(lines) + b"]")
    except (ValueError, msgspec.MsgspecError):
        rows = []
    if len(rows) == len(lines):
        yield from rows
        return
    for line in lines:
        with suppress(ValueError, msgspec.MsgspecError):
            yield _decode(line)


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(projection_differences(Path(sys.argv[1]))))
