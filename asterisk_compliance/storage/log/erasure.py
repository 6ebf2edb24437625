"""Takes a person's values, salts and keyed digests out of the store, down to the bytes on disk.

``secure_delete`` overwrites what is deleted, but not every copy of it: when SQLite moves a row to
another page of its table, the copy in the unused part of the old page stays. So no row with a
value in it is ever moved: ``party_values`` only grows at its end, and a row that is erased is not
deleted but emptied where it stands, of salt and value. (With a table in which rows moved, three of
1,800 erasures left a copy.) The keyed digests are deleted: they are of one length and say nothing
without ``search.key``.

The write-ahead log holds older versions of pages; it is cut off afterwards (:func:`wipe`). Whether
a copy is left all the same is looked up, not believed: :func:`copies_left`.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from asterisk_compliance.domain.audit.encoding import timestamp
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.storage.log import schema

SHORTEST_SOUGHT_BYTES = 10
"""A shorter value stands in other data by chance, and is not looked for."""

_CHUNK_BYTES = 1 << 20
_WIPE_WAIT_MS = 20
_LOOK_AGAIN_S = 0.1

_KEPT = (
    "SELECT DISTINCT party FROM party_values WHERE salt <> x''"
    " UNION SELECT DISTINCT party FROM party_digests"
)


def apply(db: sqlite3.Connection, draft: Draft) -> None:
    """Erase whom ``draft`` erases, in the transaction of its row."""
    if draft.erases is None:
        return
    emptied = "UPDATE party_values SET salt = x'', value = '' WHERE party = ?"
    db.execute(emptied, (draft.erases,))
    db.execute("DELETE FROM party_digests WHERE party = ?", (draft.erases,))
    db.execute(
        "UPDATE parties SET erased_at = coalesce(erased_at, ?) WHERE party = ?",
        (timestamp(draft.at_ms), draft.erases),
    )


def wipe(db: sqlite3.Connection) -> bool:
    """Cut the write-ahead log off, so that no older version of a page is left in it.

    Returns:
        Whether it was: not while somebody reads the store. It is tried again then.
    """
    try:
        db.execute(f"PRAGMA busy_timeout = {_WIPE_WAIT_MS}")
        busy = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        db.execute(f"PRAGMA busy_timeout = {round(schema.BUSY_TIMEOUT_S * 1_000)}")
    except sqlite3.Error:
        return False
    return not busy


def write_anew(db: sqlite3.Connection) -> None:
    """Write the whole database again, with nothing in it but what it says; takes its time.

    Raises:
        StoreUnavailable: there is no room for a second one, or somebody reads the store.
    """
    try:
        db.execute("PRAGMA temp_store = FILE")  # a second database does not fit into memory
        try:
            db.execute("VACUUM")
        finally:
            db.execute("PRAGMA temp_store = MEMORY")
    except sqlite3.Error as error:
        raise StoreUnavailable(f"the database could not be written anew: {error}") from error


def differences(db: sqlite3.Connection) -> Iterator[str]:
    """Compare what is kept with the parties that rows say are erased; says what differs."""
    said = {
        party
        for (party,) in db.execute(
            "SELECT row ->> '$.detail.erased' FROM rows WHERE seldom = ?", (Kind.PERSON_ERASED,)
        )
    }
    done = {party for (party,) in db.execute("SELECT party FROM parties WHERE erased_at NOT NULL")}
    kept = {party for (party,) in db.execute(_KEPT)} if said else set()
    for party in sorted(kept & said):
        yield f"party {party} was erased, and something is kept of it"
    for party in sorted(done - said):
        yield f"party {party} is marked as erased, and no row says so"


def secrets_of(directory: Path, parties: Iterable[str]) -> list[bytes]:
    """What must be in no file any more once ``parties`` are erased.

    Their salts, which are of chance and nobody else's, and those of their values that no other
    party has too. Reads the table of values once.

    Raises:
        StoreUnavailable: it cannot be read.
    """
    wanted = set(parties)
    salts: list[bytes] = []
    theirs: set[str] = set()
    others: set[str] = set()
    db = schema.open_for_reading(directory)
    try:
        for party, salt, value in db.execute(
            "SELECT party, salt, value FROM party_values WHERE salt <> x''"
        ):
            if party in wanted:
                salts.append(salt)
                theirs.add(value)
            else:
                others.add(value)
    except sqlite3.Error as error:
        raise StoreUnavailable(f"cannot read {directory}: {error}") from error
    finally:
        db.close()
    alone = (value.encode() for value in theirs - others)
    return salts + [value for value in alone if len(value) >= SHORTEST_SOUGHT_BYTES]


def until_gone(directory: Path, sought: Sequence[bytes], within_s: float) -> dict[str, int]:
    """As :func:`copies_left` of the store's files; waits while only the write-ahead log has some.

    The owner cuts that off as soon as nobody reads an older state of the store.
    """
    until = time.monotonic() + within_s
    while True:
        left = copies_left(directory, sought)
        if set(left) != {f"{schema.DATABASE}-wal"} or time.monotonic() > until:
            return left
        time.sleep(_LOOK_AGAIN_S)


def copies_left(directory: Path, sought: Sequence[bytes]) -> dict[str, int]:
    """How many of ``sought`` each file below ``directory`` holds, byte for byte, if it holds any.

    Raises:
        StoreUnavailable: a file cannot be read.
    """
    try:
        return {
            path.name: count
            for path in sorted(directory.rglob("*"))
            if path.is_file() and (count := _held(path, sought))
        }
    except OSError as error:
        raise StoreUnavailable(f"cannot read {directory}: {error.strerror}") from error


def _held(path: Path, sought: Sequence[bytes]) -> int:
    longest = max(map(len, sought), default=0)
    there: set[bytes] = set()
    with path.open("rb") as file:
        before = b""
        while chunk := file.read(_CHUNK_BYTES):
            window = before + chunk
            there.update(one for one in sought if one in window)
            before = window[-longest:]
    return len(there)
