"""Signed checkpoints in the store, and what the start of the service compares with them.

Each stands in the table ``checkpoints``. The newest one is also in the file ``checkpoint`` beside
the database, so that a database that was put in its place is noticed at start.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import NamedTuple

from asterisk_compliance.domain.audit.checkpoint import parse_checkpoint
from asterisk_compliance.domain.audit.encoding import decode
from asterisk_compliance.domain.audit.key_chain import KEY_KINDS, KeyChain
from asterisk_compliance.errors import LogBroken, StoreUnavailable
from asterisk_compliance.storage.durable_files import write_durably
from asterisk_compliance.storage.log.tree import TreeReader

CHECKPOINT = "checkpoint"
_LONGEST_NOTE = 65_536


class StoredCheckpoint(NamedTuple):
    """A checkpoint: of how many rows, when it was signed, and the note itself."""

    size: int
    at: str
    note: str


def newest_in(db: sqlite3.Connection) -> StoredCheckpoint | None:
    line = db.execute(
        "SELECT size, at, note FROM checkpoints ORDER BY size DESC LIMIT 1"
    ).fetchone()
    return StoredCheckpoint(*line) if line else None


def named_keys(db: sqlite3.Connection) -> tuple[KeyChain, list[tuple[int, str]]]:
    """The keys of the log, as its rows tell, and what is wrong with these rows, by ``seq``."""
    chain, wrong = KeyChain(), []
    sql = "SELECT seq, row FROM rows WHERE seldom IN (?, ?) ORDER BY seq"
    for seq, text in db.execute(sql, sorted(KEY_KINDS)):
        try:
            row = decode(text.encode())
            chain.add(seq, row.kind, row.detail)
        except ValueError as error:
            wrong.append((seq, str(error)))
    return chain, wrong


def keep(db: sqlite3.Connection, checkpoint: StoredCheckpoint) -> None:
    """Add one, in the caller's transaction; one of the same size stays as it is."""
    db.execute("INSERT OR IGNORE INTO checkpoints (size, at, note) VALUES (?, ?, ?)", checkpoint)


def keep_beside(directory: Path, note: str) -> None:
    """Write the newest checkpoint beside the database; blocking.

    Raises:
        OSError: it cannot be written.
    """
    write_durably(directory / CHECKPOINT, note.encode())


def check_start(db: sqlite3.Connection, directory: Path, size: int, root: bytes) -> None:
    """Compare the log with the newest checkpoints that are here, at the price of some nodes.

    ``size`` and ``root`` are the head. Signatures are not looked at: to be refused it is enough
    that a checkpoint says something else.

    Raises:
        LogBroken: the log is shorter than a checkpoint says, or different.
    """
    tree = TreeReader(db)
    if tree.root(size) != root:
        raise LogBroken("the tree of the stored leaves is not the one of the stored head")
    stored = newest_in(db)
    if stored is not None:
        _check_against(tree, size, stored.note, "the newest checkpoint")
    beside = directory / CHECKPOINT
    try:
        with beside.open(encoding="utf-8") as source:
            note = source.read(_LONGEST_NOTE)
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        raise StoreUnavailable(f"cannot read {beside}: {error}") from None
    hint = f"after restoring a backup on purpose, move {beside} away: docs/upgrading.md"
    _check_against(tree, size, note, str(beside), hint)


def check_note(db: sqlite3.Connection, note: str, what: str) -> None:
    """Compare the log as it is now with a checkpoint from elsewhere, as :func:`check_start`."""
    (size,) = db.execute("SELECT size FROM tree").fetchone()
    _check_against(TreeReader(db), size, note, what)


def _check_against(tree: TreeReader, size: int, note: str, what: str, hint: str = "") -> None:
    try:
        checkpoint, _ = parse_checkpoint(note)
    except ValueError as error:
        raise LogBroken(f"{what}: {error}", hint=hint) from None
    if checkpoint.size > size:
        raise LogBroken(
            f"the log is shorter than it was: {what} counts {checkpoint.size} rows, here are"
            f" {size}; the end was cut off, or an older copy was put in its place",
            hint=hint,
        )
    if tree.root(checkpoint.size) != checkpoint.root:
        raise LogBroken(
            f"the log is not the one that was signed: its first {checkpoint.size} rows are others"
            f" than those of {what}",
            hint=hint,
        )
