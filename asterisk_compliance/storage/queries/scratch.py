"""Sets of texts that may be larger than memory: kept in a private file that nobody else sees."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

_PENDING = 10_000
"""Entries that wait in memory; one insert of many costs a fraction of many inserts."""
_CACHE_KIB = 64_000


class Scratch:
    """A temporary database; the operating system removes it when it is closed."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._db.execute("PRAGMA journal_mode = OFF")
        self._numbers = count()

    def new_keys(self) -> ScratchKeys:
        return ScratchKeys(self._db, f"keys_{next(self._numbers)}")

    def close(self) -> None:
        self._db.close()


class ScratchKeys:
    """A set of texts."""

    def __init__(self, db: sqlite3.Connection, table: str) -> None:
        db.execute(f"CREATE TABLE {table} (key TEXT PRIMARY KEY) STRICT, WITHOUT ROWID")
        self._db = db
        self._insert = f"INSERT OR IGNORE INTO {table} VALUES (?)"  # noqa: S608  a name of ours
        self._select = f"SELECT 1 FROM {table} WHERE key = ?"  # noqa: S608
        self._pending: set[str] = set()

    def add(self, key: str, /) -> None:
        self._pending.add(key)
        if len(self._pending) >= _PENDING:
            self._db.execute("BEGIN")
            self._db.executemany(self._insert, [(one,) for one in sorted(self._pending)])
            self._db.execute("COMMIT")
            self._pending.clear()

    def __contains__(self, key: object, /) -> bool:
        if key in self._pending:
            return True
        return self._db.execute(self._select, [key]).fetchone() is not None


@contextmanager
def scratch() -> Iterator[Scratch]:
    """A scratch database for one comparison."""
    opened = Scratch()
    try:
        yield opened
    finally:
        opened.close()
