"""What a log can prove to others: its checkpoints, its keys, and the position of a row."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from asterisk_compliance.domain.audit.checkpoint import (
    Checkpoint,
    Consistency,
    Proof,
    parse_checkpoint,
)
from asterisk_compliance.domain.audit.key_chain import KeyChain
from asterisk_compliance.errors import LogBroken, StoreUnavailable
from asterisk_compliance.storage.log.checkpoints import StoredCheckpoint, named_keys, newest_in
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.log.tree import TreeReader


@dataclass(frozen=True, slots=True)
class Proven:
    """Rows of one log, provable to somebody who has nothing but its public key.

    Attributes:
        checkpoint: The newest one; it covers all of ``proofs``.
        vkey: The key that the log names as its own now, ``NAME+ID+KEY``; whether to trust it, it
            cannot say itself.
        proofs: By ``seq``, each with its row.
    """

    checkpoint: StoredCheckpoint
    vkey: str
    proofs: Mapping[int, Proof]


def newest(reader: StoreReader) -> StoredCheckpoint | None:
    """The newest checkpoint, or ``None`` if there is none yet."""
    return newest_in(reader.connection)


def listed(
    reader: StoreReader, *, after: int = -1, limit: int | None = None
) -> list[StoredCheckpoint]:
    """Those of more than ``after`` rows, the smallest first."""
    sql = "SELECT size, at, note FROM checkpoints WHERE size > ? ORDER BY size LIMIT ?"
    bound = -1 if limit is None else limit
    return [StoredCheckpoint(*line) for line in _all(reader, sql, (after, bound))]


def at_size(reader: StoreReader, size: int) -> StoredCheckpoint:
    """The checkpoint of exactly ``size`` rows.

    Raises:
        StoreUnavailable: there is none.
    """
    found = _all(reader, "SELECT size, at, note FROM checkpoints WHERE size = ?", (size,))
    if not found:
        hint = "audit checkpoint list shows those that there are"
        raise StoreUnavailable(f"there is no checkpoint of {size} rows", hint=hint)
    return StoredCheckpoint(*found[0])


def key_chain(reader: StoreReader) -> KeyChain:
    """The keys of the log, as its rows tell; a handover that is false counts as not vouched."""
    try:
        return named_keys(reader.connection)[0]
    except sqlite3.Error as error:
        raise StoreUnavailable(f"cannot read {reader.directory}: {error}") from error


def prove(reader: StoreReader, seqs: Iterable[int]) -> Proven:
    """Proofs of inclusion for rows, all against the newest checkpoint.

    Raises:
        StoreUnavailable: there is no checkpoint, or it does not cover one of the rows yet; the
            hint says how to make one.
        LogBroken: the tree as it is stored is not the one that was signed.
    """
    wanted = sorted(set(seqs))
    checkpoint = newest(reader)
    current = key_chain(reader).current
    if checkpoint is None or current is None or (wanted and wanted[-1] >= checkpoint.size):
        covered = checkpoint.size if checkpoint else 0
        raise StoreUnavailable(
            f"the newest checkpoint covers {covered} rows",
            hint="audit checkpoint now signs one that covers all rows that are there",
        )
    tree = TreeReader(reader.connection)
    _check_root(tree, parse_checkpoint(checkpoint.note)[0])
    proofs = {
        seq: Proof(seq, tuple(tree.inclusion(seq, checkpoint.size)), checkpoint.note, row)
        for seq, row in _rows(reader, wanted)
    }
    return Proven(checkpoint, str(current), proofs)


def consistency(reader: StoreReader, old_size: int, new: StoredCheckpoint) -> Consistency:
    """That the first ``old_size`` rows are the beginning of those of a checkpoint.

    Raises:
        StoreUnavailable: ``old_size`` is 0, or larger.
        LogBroken: as :func:`prove`.
    """
    tree = TreeReader(reader.connection)
    _check_root(tree, parse_checkpoint(new.note)[0])
    try:
        path = tree.consistency(old_size, new.size)
    except ValueError as error:
        raise StoreUnavailable(str(error)) from None
    return Consistency(old_size, tuple(path), new.note)


def _check_root(tree: TreeReader, checkpoint: Checkpoint) -> None:
    if tree.root(checkpoint.size) != checkpoint.root:
        raise LogBroken(f"the first {checkpoint.size} rows are not those that were signed")


def _rows(reader: StoreReader, seqs: list[int]) -> Iterator[tuple[int, bytes]]:
    for seq in seqs:
        found = _all(reader, "SELECT row FROM rows WHERE seq = ?", (seq,))
        if not found:
            raise StoreUnavailable(f"there is no row {seq}")
        yield seq, found[0][0].encode()


def _all(reader: StoreReader, sql: str, values: Iterable[int | str] = ()) -> list[tuple[Any, ...]]:
    try:
        return reader.connection.execute(sql, tuple(values)).fetchall()
    except sqlite3.Error as error:
        raise StoreUnavailable(f"cannot read {reader.directory}: {error}") from error
