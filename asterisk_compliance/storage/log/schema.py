"""The SQLite file of the log: its tables, how it is opened, and how an older one is migrated.

    rows       the log: each row once, as the text that was hashed, with its leaf
    tree       the head: size, frontier and root, written in the transaction of the rows
    parties, party_values, party_digests    what identifies people; the part that can be erased
    calls, recordings                       projections of ``rows``, made again by ``rebuild``
    do_not_call                             digests of numbers that are not called again
    tree_blocks                             the node over each 256 rows, so that proofs are quick
    checkpoints                             the head, signed, from time to time
    holds, hold_digests                     legal holds, and digests of the numbers they are about
    meta       which log this is

Kind, call and time of a row are *virtual* columns: SQLite computes them from the hashed text at
each read, so they cannot contradict it. ``seldom`` is virtual too. It holds the kind of rare rows
only, so that the index on it leaves out the kinds that every recorded call has
(:data:`EVERYDAY`). The triggers guard against accidents, not against an attacker. The tree
protects against an attacker, together with an earlier root that somebody kept.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.storage.log.migration import MigrationProgress, migrate, no_progress

DATABASE = "audit.sqlite3"
BUSY_TIMEOUT_S = 5.0
WAL_PAGES = 8_000
"""At this length a commit moves the write-ahead log into the database, and takes its time; the
owner does it before, between two commits (``StoreWriter.tidy``)."""

_FIRST = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE rows (
    seq INTEGER PRIMARY KEY,
    row TEXT NOT NULL,
    leaf BLOB NOT NULL,
    kind TEXT AS (row ->> '$.kind') VIRTUAL,
    call TEXT AS (row ->> '$.call') VIRTUAL,
    at TEXT AS (row ->> '$.at') VIRTUAL
) STRICT;
CREATE INDEX rows_call ON rows (call) WHERE call IS NOT NULL;
CREATE INDEX rows_kind ON rows (kind);
CREATE INDEX rows_at ON rows (at);
CREATE TRIGGER rows_are_never_changed BEFORE UPDATE ON rows
BEGIN SELECT RAISE(ABORT, 'audit rows are never changed'); END;
CREATE TRIGGER rows_are_never_removed BEFORE DELETE ON rows
BEGIN SELECT RAISE(ABORT, 'audit rows are never removed'); END;

CREATE TABLE tree (
    id INTEGER PRIMARY KEY CHECK (id = 0),
    size INTEGER NOT NULL,
    frontier BLOB NOT NULL,
    root BLOB NOT NULL
) STRICT;
CREATE TRIGGER tree_never_shrinks BEFORE UPDATE ON tree WHEN NEW.size < OLD.size
BEGIN SELECT RAISE(ABORT, 'the audit tree never shrinks'); END;

CREATE TABLE parties (
    party TEXT PRIMARY KEY,
    role TEXT,
    call TEXT,
    erased_at TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE party_values (
    seq INTEGER NOT NULL,
    field TEXT NOT NULL,
    party TEXT NOT NULL REFERENCES parties,
    salt BLOB NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (seq, field)
) STRICT, WITHOUT ROWID;
CREATE INDEX party_values_party ON party_values (party);
CREATE TABLE party_digests (
    digest BLOB NOT NULL,
    party TEXT NOT NULL REFERENCES parties,
    field TEXT NOT NULL,
    PRIMARY KEY (digest, party)
) STRICT, WITHOUT ROWID;
CREATE INDEX party_digests_party ON party_digests (party);

CREATE TABLE calls (
    call TEXT PRIMARY KEY,
    node TEXT NOT NULL,
    channel TEXT,
    linkedid TEXT,
    policy TEXT,
    entry TEXT,
    arrived_at TEXT,
    notice TEXT,
    notice_state TEXT,
    notice_at TEXT,
    decision TEXT,
    reason TEXT,
    purposes TEXT,
    decided_at TEXT,
    continued_at TEXT,
    ended_at TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX calls_arrived_at ON calls (arrived_at);
CREATE INDEX calls_live ON calls (channel) WHERE ended_at IS NULL;
CREATE INDEX calls_channel ON calls (channel, node);
CREATE TABLE recordings (
    recording TEXT PRIMARY KEY,
    call TEXT NOT NULL,
    node TEXT NOT NULL,
    level TEXT,
    level_at TEXT,
    requested_at TEXT,
    capture TEXT,
    sha256 TEXT,
    rx_sha256 TEXT,
    tx_sha256 TEXT,
    length_ms INTEGER,
    length TEXT,
    rx TEXT,
    tx TEXT,
    whole INTEGER,
    removed_at TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX recordings_call ON recordings (call);
"""

_DO_NOT_CALL = """
CREATE TABLE do_not_call (
    digest BLOB PRIMARY KEY,
    seq INTEGER NOT NULL,
    since TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""

_CHECKPOINTS = """
CREATE TABLE tree_blocks (number INTEGER PRIMARY KEY, root BLOB NOT NULL) STRICT;
CREATE TABLE checkpoints (size INTEGER PRIMARY KEY, at TEXT NOT NULL, note TEXT NOT NULL) STRICT;
CREATE TRIGGER checkpoints_are_never_changed BEFORE UPDATE ON checkpoints
BEGIN SELECT RAISE(ABORT, 'checkpoints are never changed'); END;
CREATE TRIGGER checkpoints_are_never_removed BEFORE DELETE ON checkpoints
BEGIN SELECT RAISE(ABORT, 'checkpoints are never removed'); END;
"""

_SEALING = """
ALTER TABLE recordings ADD COLUMN sealed_sha256 TEXT;
ALTER TABLE recordings ADD COLUMN sealed_bytes INTEGER;
UPDATE recordings SET level = 'removed', level_at = removed.at
    FROM (SELECT at, row ->> '$.detail.recording' AS recording FROM rows
        WHERE kind = 'recording_removed') AS removed
    WHERE removed.recording = recordings.recording;
"""

_TOLD_BY = "ALTER TABLE recordings ADD COLUMN told_by TEXT;"

_RETENTION = """
ALTER TABLE calls ADD COLUMN queue TEXT;
ALTER TABLE calls ADD COLUMN withdrawn TEXT;
UPDATE calls SET withdrawn = said.earlier
    FROM (SELECT call, row ->> '$.detail.earlier' AS earlier FROM rows
        WHERE kind = 'consent' AND row ->> '$.detail.state' = 'withdrawn') AS said
    WHERE said.call = calls.call;
CREATE INDEX calls_withdrawn ON calls (call) WHERE withdrawn = 'delete';
ALTER TABLE recordings ADD COLUMN policy TEXT;
ALTER TABLE recordings ADD COLUMN retention TEXT;
UPDATE recordings SET policy = adopted.policy
    FROM (SELECT row ->> '$.detail.policy' AS policy, row ->> '$.detail.recording' AS recording
        FROM rows WHERE kind = 'recording_adopted') AS adopted
    WHERE adopted.recording = recordings.recording;
CREATE INDEX recordings_kept ON recordings (policy, retention, call, level)
    WHERE level IN ('closed', 'sealed', 'unjudged');
CREATE INDEX recordings_disposing ON recordings (recording) WHERE level = 'disposing';
CREATE TABLE holds (
    hold INTEGER PRIMARY KEY,
    matter TEXT NOT NULL,
    placed_at TEXT NOT NULL,
    placed_by BLOB NOT NULL,
    call TEXT,
    numbered INTEGER NOT NULL,
    queue TEXT NOT NULL,
    since_ms INTEGER,
    until_ms INTEGER,
    released_at TEXT
) STRICT;
CREATE TABLE hold_digests (
    digest BLOB NOT NULL,
    hold INTEGER NOT NULL REFERENCES holds,
    PRIMARY KEY (digest, hold)
) STRICT, WITHOUT ROWID;
"""

_ERASABLE = """
CREATE TABLE erasable_values (
    id INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,
    field TEXT NOT NULL,
    party TEXT NOT NULL REFERENCES parties,
    salt BLOB NOT NULL,
    value TEXT NOT NULL
) STRICT;
INSERT INTO erasable_values (seq, field, party, salt, value)
    SELECT seq, field, party, salt, value FROM party_values ORDER BY seq, field;
DROP TABLE party_values;
ALTER TABLE erasable_values RENAME TO party_values;
CREATE UNIQUE INDEX party_values_seq ON party_values (seq, field);
CREATE INDEX party_values_party ON party_values (party);
"""

SORTED = ("policy", "queue", "leg", "decision", "reason", "purposes", "notice", "consent")
"""Columns of ``calls`` that have few values each. Never changed: an index is over them."""
SORT = f"json_array({', '.join(SORTED)})"
"""What sort of call it is. The index is used where an expression is written just like this."""
MINUTE = "lasted_ms / 60000"
ENDED = "ended_at IS NOT NULL"
"""Both indexes are of calls that have ended, and used where this is asked for in these words."""

_BEGAN_MS = """
(SELECT sum((instr('0123456789abcdef', substr(calls.call, 14 - value, 1)) - 1) << (4 * value))
    FROM json_each('[0,1,2,3,4,5,6,7,8,9,10,11]'))
"""
"""The time in the id of a call, which is where it begins: 12 hexadecimal digits."""

_SEARCH = f"""
ALTER TABLE calls ADD COLUMN leg TEXT;
ALTER TABLE calls ADD COLUMN consent TEXT;
ALTER TABLE calls ADD COLUMN lasted_ms INTEGER;
UPDATE calls SET leg = nullif(said.leg, '')
    FROM (SELECT call, row ->> '$.detail.leg' AS leg, max(seq) FROM rows
        WHERE kind = 'call_arrived' GROUP BY call) AS said
    WHERE said.call = calls.call;
UPDATE calls SET consent = nullif(said.state, '')
    FROM (SELECT call, row ->> '$.detail.state' AS state, max(seq) FROM rows
        WHERE kind = 'consent' GROUP BY call) AS said
    WHERE said.call = calls.call;
UPDATE calls SET lasted_ms = max(0, said.ended_ms - {_BEGAN_MS})
    FROM (SELECT call, max(seq), row ->> '$.detail.observed_late' AS late,
            CAST(strftime('%s', substr(at, 1, 19)) AS INTEGER) * 1000
                + CAST(substr(at, 21, 3) AS INTEGER) AS ended_ms
        FROM rows WHERE kind = 'call_ended' GROUP BY call) AS said
    WHERE said.call = calls.call AND said.late IS NOT 1;
CREATE INDEX calls_sort ON calls ({SORT});
CREATE INDEX calls_lasted ON calls ({MINUTE});
CREATE INDEX recordings_level ON recordings (level, call);
"""  # noqa: S608  fixed text

EVERYDAY = (
    "call_arrived", "notice_started", "notice_completed", "decision", "call_continued",
    "recording_requested", "recording_started", "recording_growing", "call_ended",
    "recording_closed", "spool_removed",
)  # fmt: skip
"""Kinds of which every recorded call has a row. There is no index of them: each row of a call would
change another page of it, and one who reads soon meets them. Never changed: a column is made so."""
_UNLESS_EVERYDAY = " ".join(f"WHEN '{kind}' THEN NULL" for kind in EVERYDAY)
"""Compared one by one: for a list SQLite makes a table, in every statement."""

_FEWER_PAGES = f"""
DROP INDEX rows_kind;
ALTER TABLE rows ADD COLUMN seldom TEXT AS (CASE kind {_UNLESS_EVERYDAY} ELSE kind END) VIRTUAL;
CREATE INDEX rows_seldom ON rows (seldom) WHERE seldom IS NOT NULL;
DROP INDEX calls_live;
CREATE INDEX calls_live ON calls (call) WHERE ended_at IS NULL;
DROP INDEX calls_sort;
CREATE INDEX calls_sort ON calls ({SORT}) WHERE ended_at IS NOT NULL;
DROP INDEX calls_lasted;
CREATE INDEX calls_lasted ON calls ({MINUTE}) WHERE ended_at IS NOT NULL;
"""
"""What a row of a call changes in indexes only for the next row to change it again, it no longer
does. Calls that have not ended are few, and have an index of their own."""

MIGRATIONS: tuple[str, ...] = (
    _FIRST,
    _DO_NOT_CALL,
    _CHECKPOINTS,
    _SEALING,
    _TOLD_BY,
    _RETENTION,
    _ERASABLE,
    _SEARCH,
    _FEWER_PAGES,
)
"""Number n brings a store from version n to n + 1. Never edited once released; only added to."""


def open_for_writing(directory: Path, told: MigrationProgress = no_progress) -> sqlite3.Connection:
    """Open, create or migrate the store's database; the caller holds the store's lock.

    ``told`` is given a line again and again while it is brought up to date.

    The connection may be handed to another thread, but must not be used by two at once.

    Raises:
        StoreUnavailable: it cannot be opened, a newer program has written it, or it is older and
            there is no room to bring it up to date.
    """
    path = directory / DATABASE
    if not path.exists():
        path.touch(mode=0o600)
    db = _connect(path, "rw")
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")  # NORMAL can lose the last commits
        db.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA secure_delete = ON")  # an erased value leaves no copy in free pages
        migrate(db, path, schema_version(db, path), MIGRATIONS, told)
        db.execute("PRAGMA temp_store = MEMORY")  # what undoes one statement needs no file
    except sqlite3.Error as error:
        db.close()
        raise StoreUnavailable(f"cannot open {path}: {error}") from error
    except StoreUnavailable:
        db.close()
        raise
    return db


def open_for_reading(directory: Path) -> sqlite3.Connection:
    """Open an existing database without any right to change it.

    Raises:
        StoreUnavailable: there is none, it cannot be read, or its schema is not ours.
    """
    path = directory / DATABASE
    if not path.exists():
        raise StoreUnavailable(
            f"there is no audit log in {directory}",
            hint="the service makes it when it is first started; is the path right?",
        )
    db = _connect(path, "ro")
    try:
        version = schema_version(db, path)
        db.execute("SELECT size FROM tree").fetchone()
    except sqlite3.Error as error:
        db.close()
        raise StoreUnavailable(f"cannot read {path}: {error}") from error
    except StoreUnavailable:
        db.close()
        raise
    if version < len(MIGRATIONS):
        db.close()
        raise StoreUnavailable(
            f"{path} has schema {version}, this program reads {len(MIGRATIONS)}",
            hint="start the service once: it brings the store up to date",
        )
    return db


def schema_version(db: sqlite3.Connection, path: Path) -> int:
    """The version of an open database.

    Raises:
        StoreUnavailable: it is newer than this program.
    """
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise StoreUnavailable(
            f"{path} has schema {version}, this program knows up to {len(MIGRATIONS)}",
            hint="use the newer version of asterisk-compliance that wrote it, or go back:"
            " docs/upgrading.md",
        )
    return version


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    try:
        return sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )
    except sqlite3.Error as error:
        raise StoreUnavailable(f"cannot open {path}: {error}") from error


def insert(db: sqlite3.Connection, into: str, rows: Sequence[Sequence[object]]) -> None:
    """Insert at least one row; ``into`` is all that stands before ``VALUES``."""
    db.execute(
        f"{into} VALUES {_places(len(rows[0]), len(rows))}",
        [value for row in rows for value in row],
    )


@lru_cache(maxsize=64)
def _places(columns: int, rows: int) -> str:
    one = f"({', '.join('?' * columns)})"
    return ", ".join([one] * rows)
