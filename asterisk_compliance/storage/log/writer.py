"""Appends rows to the store: synchronously, a batch per transaction.

When :meth:`StoreWriter.commit` returns, its rows are on disk. One transaction holds the rows,
the values of persons, the projections and the new head of the tree, so that a crash at any
moment leaves all of them or none. The head is read from the store in every transaction; memory
only remembers it to notice that somebody else has changed it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self, TypeAlias

from asterisk_compliance.domain.audit.encoding import (
    NONCE_BYTES,
    Row,
    decode,
    encode,
    place,
    timestamp,
)
from asterisk_compliance.domain.audit.merkle import Frontier, leaf_hash
from asterisk_compliance.domain.audit.projection import project
from asterisk_compliance.domain.audit.rows import Draft
from asterisk_compliance.errors import LogBroken, StoreUnavailable
from asterisk_compliance.storage.log import checkpoints, do_not_call, erasure, projections, schema
from asterisk_compliance.storage.log import legal_holds as holds
from asterisk_compliance.storage.log import personal_data as personal
from asterisk_compliance.storage.log.backups import BackupSet
from asterisk_compliance.storage.log.checkpoints import StoredCheckpoint
from asterisk_compliance.storage.log.lock import StoreLock
from asterisk_compliance.storage.log.migration import MigrationProgress, no_progress
from asterisk_compliance.storage.log.reader import Head, StoredRow
from asterisk_compliance.storage.log.schema import insert
from asterisk_compliance.storage.log.tree import complete_blocks, keep_block

TIDY_AFTER_COMMITS = 100
ROWS_A_STATEMENT = 16
_INTO_ROWS = "INSERT OR ROLLBACK INTO rows (seq, row, leaf)"
"""Roll back, since what fails here is undone with its transaction anyway: else SQLite would note
down every page that the statement changes, to undo that alone."""


CommitGroup: TypeAlias = "list[StoredRow] | ValueError"
Sign: TypeAlias = "Callable[[Head], str]"
"""Makes a signed checkpoint of a head."""


_Placed: TypeAlias = "tuple[Draft, personal.Salts, Row, bytes]"
_NO_SALTS: personal.Salts = {}


class _Written(NamedTuple):
    """What a transaction writes at its end: fewer statements than one for each row."""

    rows: list[tuple[int, str, bytes]]
    changes: projections.Changes


class StoreWriter:
    """Owner of the store, for one thread at a time. ``AuditLog`` is the same for asyncio."""

    def __init__(
        self,
        db: sqlite3.Connection,
        lock: StoreLock,
        log: str,
        search_key: bytes,
        backups: BackupSet,
    ) -> None:
        self.log = log
        self._db = db
        self._lock = lock
        self._search_key = search_key
        self._backups = backups
        self._frontier: bytes | None = None
        self._untidied = 0
        self._wipe()  # an earlier life may have died before it did

    @classmethod
    def open(
        cls, directory: Path, log_name: str = "log", told: MigrationProgress = no_progress
    ) -> Self:
        """Take the lock, make or open the store, compare its head with its rows and checkpoints.

        Args:
            directory: The store; made if it is not there.
            log_name: Start of the log's id when the store is made; later without effect.
            told: Is given a line again and again while an older store is brought up to date.

        Raises:
            StoreLocked: another process owns the store.
            StoreUnavailable: it cannot be opened or made.
            LogBroken: there are fewer or other rows than the head or a checkpoint says.
        """
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"cannot make {directory}: {error.strerror}") from error
        lock = StoreLock(directory)
        try:
            search_key = personal.load_search_key(directory, create=True)
            db = schema.open_for_writing(directory, told)
            try:
                log = _log_id(db, log_name)
                head = check_head(db)
                complete_blocks(db, head.size)
                checkpoints.check_start(db, directory, head.size, head.root)
                backups = BackupSet(db, directory / schema.DATABASE)
            except BaseException:
                db.close()
                raise
        except sqlite3.Error as error:
            lock.release()
            raise StoreUnavailable(f"cannot open the store {directory}: {error}") from error
        except BaseException:
            lock.release()
            raise
        return cls(db, lock, log, search_key, backups)

    def commit(self, drafts: Sequence[Draft]) -> list[StoredRow]:
        """Make ``drafts`` durable, in order, all of them or none.

        Raises:
            ValueError: one of them can never be a row.
            StoreUnavailable, LogBroken: as :meth:`commit_groups`.
        """
        (result,) = self.commit_groups([drafts])
        if isinstance(result, ValueError):
            raise result
        return result

    def commit_groups(self, groups: Sequence[Sequence[Draft]]) -> list[CommitGroup]:
        """Make several groups of drafts durable in one transaction, in order.

        Returns:
            For each group its rows, or why one of its drafts can never be a row; such a group
            gets no number at all, and the others are not affected.

        Raises:
            StoreUnavailable: nothing is stored; trying again later is right.
            LogBroken: the head is not the one that was written last; nothing is stored.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
            frontier = self._own_frontier()
            written = _Written([], {})
            results = [self._add(frontier, group, written) for group in groups]
            self._write(written)
            left = frontier.to_bytes()
            self._db.execute(
                "UPDATE tree SET size = ?, frontier = ?, root = ?",
                (frontier.size, left, frontier.root()),
            )
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise StoreUnavailable(f"rows could not be made durable: {error}") from error
        except BaseException:
            self._roll_back()
            raise
        self._frontier = left
        self._untidied += 1
        if any(draft.erases for group in groups for draft in group):
            self._backups.erased(frontier.size - 1)
            self._wipe()
        return results

    def checkpoint(self, sign: Sign) -> StoredCheckpoint | None:
        """Have the head signed, and keep that; between two commits, never inside one.

        Returns:
            What was kept, or ``None`` if the newest checkpoint covers every row already.

        Raises:
            StoreUnavailable, LogBroken: as :meth:`commit_groups`.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
            frontier = self._own_frontier()
            newest = checkpoints.newest_in(self._db)
            if frontier.size == (newest.size if newest else 0):
                self._db.execute("ROLLBACK")
                return None
            at = timestamp(int(time.time() * 1_000))
            note = sign(Head(frontier.size, frontier.root()))
            made = StoredCheckpoint(frontier.size, at, note)
            checkpoints.keep(self._db, made)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise StoreUnavailable(f"a checkpoint could not be stored: {error}") from error
        except BaseException:
            self._roll_back()
            raise
        return made

    def tidy(self) -> None:
        """Move the write-ahead log into the database, if it is time; call it when nobody waits.

        What a commit promised does not depend on it. An error is one of the disk, which the
        next commit reports.
        """
        if self._to_wipe:
            self._wipe()
        self._backups.expire()
        if self._untidied >= TIDY_AFTER_COMMITS:
            self._untidied = 0
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")

    @property
    def is_to_wipe(self) -> bool:
        """Whether a file may still hold what was erased; :meth:`tidy` tries again."""
        return self._to_wipe

    def write_anew(self) -> None:
        """As :func:`erasure.write_anew`; nobody's rows can be stored meanwhile."""
        erasure.write_anew(self._db)
        self._wipe()

    def rebuild(self) -> int:
        """Make the projections again from the rows; returns how many rows were read."""
        return projections.rebuild(self._db)

    def close(self) -> None:
        """Close the database and let the lock go; a second time does nothing."""
        self._db.close()
        self._lock.release()

    def _own_frontier(self) -> Frontier:
        """As it stands in the store; the bytes say all that the root does, and need no hashing."""
        frontier = _frontier(self._db)
        if self._frontier is not None and self._frontier != frontier.to_bytes():
            raise LogBroken("somebody else has written to the audit log")
        return frontier

    def _add(self, frontier: Frontier, group: Sequence[Draft], written: _Written) -> CommitGroup:
        """Write one group; nothing of it is written before all of it is known to be rows."""
        placed: list[_Placed] = []
        try:
            for seq, given in enumerate(group, frontier.size):
                draft, salts = personal.salted(given) if given.facts else (given, _NO_SALTS)
                nonce = os.urandom(NONCE_BYTES)
                row = place(draft, seq=seq, log=self.log, nonce=nonce, salts=salts)
                placed.append((draft, salts, row, encode(row)))
        except ValueError as error:
            return error
        for draft, salts, row, data in placed:
            leaf = leaf_hash(data)
            written.rows.append((row.seq, data.decode(), leaf))
            if draft.facts or draft.listed or draft.erases or draft.kind in holds.KINDS:
                self._keep_beside(row.seq, draft, salts)
            if change := project(row):
                projections.fold(written.changes, change)
            keep_block(self._db, 0, frontier, leaf)
            frontier.append(leaf)
        return [StoredRow(row.seq, data) for _, _, row, data in placed]

    def _keep_beside(self, seq: int, draft: Draft, salts: personal.Salts) -> None:
        """What follows from row ``seq`` beside the log, and can be erased or changes."""
        personal.keep(self._db, self._search_key, seq, draft, salts)
        do_not_call.apply(self._db, self._search_key, seq, draft)
        erasure.apply(self._db, draft)
        holds.apply(self._db, self._search_key, seq, draft)

    def _write(self, written: _Written) -> None:
        for first in range(0, len(written.rows), ROWS_A_STATEMENT):
            insert(self._db, _INTO_ROWS, written.rows[first : first + ROWS_A_STATEMENT])
        projections.apply(self._db, written.changes)

    def _wipe(self) -> None:
        """Leave nothing of who was erased: in no backup, and not in the write-ahead log."""
        gone = self._backups.name_nobody_erased()
        self._to_wipe = not (erasure.wipe(self._db) and gone)

    def _roll_back(self) -> None:
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise StoreUnavailable(f"the store cannot roll back: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def check_head(db: sqlite3.Connection) -> Head:
    """Compare the head with the ends of the log: cheap at any size; ``verify`` reads it all.

    Raises:
        LogBroken: rows are missing at either end, the last row is not the one that was hashed,
            or the head contradicts itself.
    """
    frontier = _frontier(db)
    stored = db.execute("SELECT root FROM tree").fetchone()[0]
    if stored != frontier.root():
        raise LogBroken("the stored root does not follow from the stored frontier")
    first, last = db.execute("SELECT min(seq), max(seq) FROM rows").fetchone()
    expected = (0, frontier.size - 1) if frontier.size else (None, None)
    if (first, last) != expected:
        found = "no rows" if last is None else f"rows {first} to {last}"
        raise LogBroken(f"the head counts {frontier.size} rows, the log has {found}")
    if last is not None:
        text, leaf = db.execute(
            "SELECT CAST(row AS BLOB), leaf FROM rows WHERE seq = ?", (last,)
        ).fetchone()
        _check_last(text, leaf, last, frontier)
    return Head(frontier.size, frontier.root())


def _check_last(data: bytes, leaf: bytes, seq: int, frontier: Frontier) -> None:
    if leaf_hash(data) != leaf or (frontier.size & 1 and not frontier.to_bytes().endswith(leaf)):
        raise LogBroken("not the row that was hashed", seq)
    try:
        said = decode(data).seq
    except ValueError as error:
        raise LogBroken(str(error), seq) from None
    if said != seq:
        raise LogBroken(f"this row calls itself {said}", seq)


def _frontier(db: sqlite3.Connection) -> Frontier:
    found = db.execute("SELECT size, frontier FROM tree").fetchone()
    try:
        size, data = found
        frontier = Frontier.from_bytes(data)
    except (TypeError, ValueError):
        raise LogBroken("the stored head is no head") from None
    if frontier.size != size:
        raise LogBroken("the stored head contradicts itself")
    return frontier


def _log_id(db: sqlite3.Connection, log_name: str) -> str:
    """The log's id; on the first start it is made, together with the empty tree."""
    found: Iterable[str] | None = db.execute("SELECT value FROM meta WHERE key = 'log'").fetchone()
    if found is not None:
        return next(iter(found))
    empty = Frontier()
    log = f"{log_name}-{secrets.token_hex(8)}"
    db.execute("BEGIN IMMEDIATE")
    db.execute("INSERT INTO meta (key, value) VALUES ('log', ?)", (log,))
    db.execute("INSERT INTO tree VALUES (0, 0, ?, ?)", (empty.to_bytes(), empty.root()))
    db.execute("COMMIT")
    return log
