"""Does the log still say what it said? Reads every row once and names what does not fit.

What is found without help from outside: a changed, missing, swapped or added row, as long as the
head was left alone. Whoever can write the store can also write a new head; only somebody who
kept an earlier ``SIZE:ROOT`` notices that, and ``expect`` is where it goes in.
"""

from __future__ import annotations

import hmac
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from asterisk_compliance.domain.merkle import Frontier, leaf_hash
from asterisk_compliance.domain.projection import Column, Table, project
from asterisk_compliance.domain.row_format import Row, commitment, decode
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.storage import projections, schema
from asterisk_compliance.storage.writer import Head

FAULTS_KEPT = 100
_BEYOND_EVERY_ROW = 2**63


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that does not fit.

    Attributes:
        seq: The first row concerned, or ``None`` if it is not a row.
    """

    seq: int | None
    what: str

    def __str__(self) -> str:
        return self.what if self.seq is None else f"row {self.seq}: {self.what}"


@dataclass(slots=True)
class Verdict:
    """What reading the whole log has shown.

    Attributes:
        log: The log's id.
        rows: How many rows are stored.
        root: The root that follows from them.
        head: What the store says of itself.
        opened: Commitments that were opened: the value is still kept, and it is the one.
        faults: The first hundred; ``fault_count`` counts all.
        expected: The earlier head that was compared, if one was given.
    """

    log: str
    rows: int
    root: bytes
    head: Head
    opened: int = 0
    faults: list[Fault] = field(default_factory=list)
    fault_count: int = 0
    expected: Head | None = None

    @property
    def intact(self) -> bool:
        return self.fault_count == 0

    def fault(self, seq: int | None, what: str) -> None:
        self.fault_count += 1
        if len(self.faults) < FAULTS_KEPT:
            self.faults.append(Fault(seq, what))


def parse_head(text: str) -> Head:
    """Read ``SIZE:ROOTHEX``, as ``audit verify`` prints it.

    Raises:
        ValueError: it is not that.
    """
    size, colon, root = text.strip().partition(":")
    if not (colon and size.isascii() and size.isdigit() and len(root) == 64):
        raise ValueError("expected SIZE:ROOT, as printed by an earlier audit verify")
    return Head(int(size), bytes.fromhex(root))


def verify(directory: Path, expect: Head | None = None, *, projected: bool = True) -> Verdict:
    """Read and check the whole log, in one snapshot, beside a running service.

    Args:
        directory: The store.
        expect: A head kept from before: the first ``expect.size`` rows must give its root.
        projected: Also compare the tables that lists read with the rows.

    Raises:
        StoreUnavailable: the store cannot be read at all.
    """
    db = schema.open_for_reading(directory)
    try:
        db.execute("BEGIN")
        return _Walk(db, expect, projected=projected).run()
    except sqlite3.Error as error:
        raise StoreUnavailable(f"cannot read {directory}: {error}") from error
    finally:
        db.close()


class _Walk:
    """One pass over the rows."""

    def __init__(self, db: sqlite3.Connection, expect: Head | None, *, projected: bool) -> None:
        self._db = db
        self._expect = expect
        self._projected = projected
        self._entries: dict[Table, dict[str, dict[str, Column]]] = {
            table: defaultdict(dict) for table in projections.KEYS
        }
        size, root = db.execute("SELECT size, root FROM tree").fetchone() or (0, b"")
        log = db.execute("SELECT value FROM meta WHERE key = 'log'").fetchone()
        self._verdict = Verdict(
            log=log[0] if log else "", rows=0, root=b"", head=Head(size, root), expected=expect
        )
        self._values = self._kept_values()
        self._value = next(self._values, None)

    def run(self) -> Verdict:
        verdict, frontier = self._verdict, Frontier()
        expected_seq, expect_size = 0, self._expect.size if self._expect else -1
        if expect_size == 0:
            self._compare(frontier)
        rows = self._db.execute("SELECT seq, CAST(row AS BLOB), leaf FROM rows ORDER BY seq")
        for seq, data, leaf in rows:
            if seq != expected_seq:
                last = f" to {seq - 1}" if seq - expected_seq > 1 else ""
                verdict.fault(expected_seq, f"missing{last}")
            expected_seq = seq + 1
            hashed = leaf_hash(data)
            if hashed != leaf:
                verdict.fault(seq, "was changed: it is not the row that was hashed")
            frontier.append(hashed)
            if frontier.size == expect_size:
                self._compare(frontier)
            self._check(seq, data)
        self._open(_BEYOND_EVERY_ROW, None)  # what is left belongs to no row
        verdict.rows, verdict.root = frontier.size, frontier.root()
        self._check_head(expected_seq)
        if self._projected:
            for difference in projections.differences(self._db, self._entries):
                verdict.fault(None, difference)
        return verdict

    def _check(self, seq: int, data: bytes) -> None:
        """One row by itself: its form, its number, its log, what it commits to."""
        try:
            row = decode(data)
        except ValueError as error:
            self._verdict.fault(seq, str(error))
            self._open(seq, None)
            return
        if row.seq != seq:
            self._verdict.fault(seq, f"out of place: it calls itself row {row.seq}")
        if row.log != self._verdict.log:
            self._verdict.fault(seq, f"belongs to another log, {row.log}")
        if self._value is not None and self._value[0] <= seq:
            self._open(seq, row)
        if self._projected and (change := project(row)):
            self._entries[change.table][change.key].update(change.columns)

    def _open(self, seq: int, row: Row | None) -> None:
        """Open the commitments of row ``seq`` with the values that are kept beside it."""
        while self._value is not None and self._value[0] <= seq:
            owner, name, party, salt, value = self._value
            self._value = next(self._values, None)
            if owner != seq:
                self._verdict.fault(owner, f"a value of {name} is kept for a row that is not there")
            elif row is None:
                self._verdict.fault(owner, f"its value of {name} cannot be compared")
            elif row.detail.get("party") != party:
                self._verdict.fault(seq, f"its value of {name} is kept under another party")
            elif not hmac.compare_digest(
                str(row.detail.get(f"commit.{name}")), commitment(salt, name, value)
            ):
                self._verdict.fault(seq, f"the value kept for {name} is not the committed one")
            else:
                self._verdict.opened += 1

    def _kept_values(self) -> Iterator[tuple[int, str, str, bytes, str]]:
        yield from self._db.execute(
            "SELECT seq, field, party, salt, value FROM party_values ORDER BY seq"
        )

    def _compare(self, frontier: Frontier) -> None:
        if self._expect and frontier.root() != self._expect.root:
            self._verdict.fault(
                None,
                f"the first {self._expect.size} rows are not those of the expected root:"
                " at least one of them was changed since",
            )

    def _check_head(self, next_seq: int) -> None:
        verdict, head = self._verdict, self._verdict.head
        if next_seq < head.size:
            verdict.fault(next_seq, f"missing, with all that followed: the head counts {head.size}")
        elif next_seq > head.size:
            verdict.fault(head.size, f"not in the tree: the head counts {head.size} rows")
        if verdict.root != head.root:
            verdict.fault(None, "the tree of the stored rows is not the one of the stored head")
        if self._expect and self._expect.size > verdict.rows:
            verdict.fault(
                None, f"the expected head counts {self._expect.size} rows, here are {verdict.rows}"
            )
