"""Stores whose heads are signed, and what an attacker does to them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from asterisk_compliance.domain.audit.checkpoint import Checkpoint, sign_checkpoint
from asterisk_compliance.domain.audit.key_chain import FIRST, handover
from asterisk_compliance.domain.audit.merkle import Frontier, leaf_hash
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.domain.audit.signed_note import SignerKey
from asterisk_compliance.storage.log.checkpoints import CHECKPOINT, StoredCheckpoint
from asterisk_compliance.storage.log.reader import Head
from asterisk_compliance.storage.log.schema import DATABASE
from asterisk_compliance.storage.log.writer import StoreWriter
from sample_rows import AT_MS, a_call, a_recorded_call, draft, tamper

KEY, NEXT, THIEF = (SignerKey("site/pbx1/log-0", bytes([n]) * 32) for n in (1, 2, 3))


def signing(*keys: SignerKey) -> Callable[[Head], str]:
    return lambda head: sign_checkpoint(Checkpoint(keys[0].name, head.size, head.root), *keys)


def key_row(key: SignerKey = KEY, cause: str = FIRST) -> Draft:
    return draft(Kind.SIGNING_KEY_SET, detail={"key": str(key.verifier), "cause": cause})


def handed_over(old: SignerKey, new: SignerKey) -> Draft:
    return draft(
        Kind.SIGNING_KEY_ROTATED,
        detail={
            "key": str(new.verifier),
            "earlier": str(old.verifier),
            "signature": handover(old, new.verifier),
        },
    )


def add_call(writer: StoreWriter, number: int, *keys: SignerKey) -> StoredCheckpoint:
    """Eleven rows, and a checkpoint."""
    writer.commit(a_recorded_call(a_call(number), AT_MS + number))
    made = writer.checkpoint(signing(*(keys or (KEY,))))
    assert made is not None
    return made


def signed_store(directory: Path, calls: int = 3) -> list[StoredCheckpoint]:
    """A row that names the key, and calls with a checkpoint after each: of 12, 23, 34… rows."""
    with StoreWriter.open(directory) as writer:
        writer.commit([key_row()])
        return [add_call(writer, number) for number in range(calls)]


def rewrite(store: Path, change: Callable[[int, bytes], bytes], *keys: SignerKey) -> None:
    """Rewrite every row, leaf, node and head; with keys, every checkpoint too."""
    tamper(store, "")
    db = sqlite3.connect(store / DATABASE)
    db.execute("DELETE FROM tree_blocks")
    sizes = [size for (size,) in db.execute("SELECT size FROM checkpoints").fetchall()]
    frontier = Frontier()
    for seq, text in db.execute("SELECT seq, row FROM rows ORDER BY seq").fetchall():
        data = change(seq, text.encode())
        leaf = leaf_hash(data)
        db.execute("UPDATE rows SET row = ?, leaf = ? WHERE seq = ?", (data.decode(), leaf, seq))
        for block in frontier.extend([leaf]):
            db.execute("INSERT INTO tree_blocks (root) VALUES (?)", (block,))
        if keys and frontier.size in sizes:
            note = signing(*keys)(Head(frontier.size, frontier.root()))
            db.execute("UPDATE checkpoints SET note = ? WHERE size = ?", (note, frontier.size))
    head = (frontier.size, frontier.to_bytes(), frontier.root())
    db.execute("UPDATE tree SET size = ?, frontier = ?, root = ?", head)
    db.commit()
    db.close()
    (store / CHECKPOINT).unlink(missing_ok=True)
