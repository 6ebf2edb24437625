"""The do-not-call list: keyed digests of numbers beside the log, never a number.

An entry stays when a person is erased, because that person must still not be called. The list
changes in the transaction of the row that says so.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import NamedTuple

from asterisk_compliance.domain.audit.encoding import search_digest, timestamp
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.storage.log import schema
from asterisk_compliance.storage.log.personal_data import load_search_key

_FIELD = "do_not_call"


class Listed(NamedTuple):
    """An entry: the row that made it, when, and the digest of the number, hex."""

    seq: int
    since: str
    digest: str


def apply(db: sqlite3.Connection, key: bytes, seq: int, draft: Draft) -> None:
    """Bring the list to what row ``seq`` says. Who is on it already stays since when he was."""
    if not draft.listed:
        return
    digest = search_digest(key, _FIELD, draft.listed)
    if draft.kind is Kind.DO_NOT_CALL_ADDED:
        db.execute(
            "INSERT OR IGNORE INTO do_not_call (digest, seq, since) VALUES (?, ?, ?)",
            (digest, seq, timestamp(draft.at_ms)),
        )
    elif draft.kind is Kind.DO_NOT_CALL_REMOVED:
        db.execute("DELETE FROM do_not_call WHERE digest = ?", (digest,))


def is_listed(directory: Path, number: str) -> bool:
    """Whether a number, in its comparable form, must not be called.

    Raises:
        StoreUnavailable: the list cannot be read.
    """
    digest = search_digest(load_search_key(directory), _FIELD, number)
    found = _read(directory, "SELECT 1 FROM do_not_call WHERE digest = ?", (digest,))
    return bool(found)


def listed(directory: Path) -> list[Listed]:
    """Every entry, oldest first.

    Raises:
        StoreUnavailable: the list cannot be read.
    """
    rows = _read(directory, "SELECT seq, since, digest FROM do_not_call ORDER BY seq, digest", ())
    return [Listed(seq, since, digest.hex()) for seq, since, digest in rows]


def _read(directory: Path, query: str, values: tuple[bytes, ...]) -> list[tuple[int, str, bytes]]:
    db = schema.open_for_reading(directory)
    try:
        return db.execute(query, values).fetchall()
    except sqlite3.Error as error:
        raise StoreUnavailable(f"cannot read the list in {directory}: {error}") from error
    finally:
        db.close()
