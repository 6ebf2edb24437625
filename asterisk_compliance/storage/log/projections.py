"""Writes what ``domain/audit/projection.py`` derives from rows into the tables for lists."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from functools import lru_cache
from typing import TypeAlias

from asterisk_compliance.domain.audit.encoding import decode
from asterisk_compliance.domain.audit.projection import (
    Column,
    ProjectionChange,
    ProjectionTable,
    project,
)

KEYS: dict[ProjectionTable, str] = {"calls": "call", "recordings": "recording"}

_STANDING = ("call", "node")
"""Columns that each row of an entry says, and all of them the same, unless somebody else wrote it:
set once, since each index over one is written again with it."""
_FIRST = frozenset({"arrived_at", "requested_at"})
"""Columns of rows that mostly make their entry."""

Changes: TypeAlias = "dict[tuple[ProjectionTable, str], dict[str, Column]]"
"""What rows change together, by the entry."""


def fold(changes: Changes, change: ProjectionChange) -> None:
    """Add what one more row changes: of each column the last one counts."""
    entry = changes.setdefault((change.table, change.key), {})
    entry.update(change.columns)


def apply(db: sqlite3.Connection, changes: Changes) -> None:
    """Make all of them, in the transaction of their rows: mostly a statement for each entry."""
    for (table, key), entry in changes.items():
        columns = tuple(sorted(entry))
        values = [key, *map(entry.__getitem__, columns)]
        sql = _update(table, columns) if _FIRST.isdisjoint(columns) else ""
        if not sql or not db.execute(sql, values).rowcount:
            db.execute(_upsert(table, columns), values)


def rebuild(db: sqlite3.Connection) -> int:
    """Throw both projections away and make them again from the rows; returns how many rows.

    For a migration that changes them. The caller holds the store's lock.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        for table in KEYS:
            db.execute(f"DELETE FROM {table}")  # noqa: S608  a name from KEYS
        count = 0
        for (text,) in db.execute("SELECT row FROM rows ORDER BY seq"):
            count += 1
            if change := project(decode(text.encode())):
                apply(db, {(change.table, change.key): dict(change.columns)})
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    return count


def differences(
    db: sqlite3.Connection, expected: dict[ProjectionTable, dict[str, dict[str, Column]]]
) -> Iterable[str]:
    """Compare the tables with entries that were folded from the rows; says what differs."""
    for table, key in KEYS.items():
        wanted = dict(expected[table])
        cursor = db.execute(f"SELECT * FROM {table} ORDER BY {key}")  # noqa: S608  from KEYS
        names = [column[0] for column in cursor.description]
        for values in cursor:
            stored = {n: v for n, v in zip(names, values, strict=True) if v is not None}
            entry = stored.pop(key)
            derived = wanted.pop(entry, None)
            if derived is None:
                yield f"{table} lists {entry}, of which no row speaks"
            elif stored != {name: value for name, value in derived.items() if value is not None}:
                yield f"{table} says something else of {entry} than the rows"
        for entry in wanted:
            yield f"{table} does not list {entry}"


@lru_cache(maxsize=256)
def _update(table: ProjectionTable, columns: tuple[str, ...]) -> str:
    """Of an entry that is there and whose standing columns say the same; empty: of nothing else."""
    places = {column: f"{column} = ?{at}" for at, column in enumerate(columns, 2)}
    same = "".join(f" AND {places[column]}" for column in _STANDING if column in places)
    updates = ", ".join(place for column, place in places.items() if column not in _STANDING)
    where = f"{KEYS[table]} = ?1{same}"
    return f"UPDATE {table} SET {updates} WHERE {where}" if updates else ""  # noqa: S608  as below


@lru_cache(maxsize=256)
def _upsert(table: ProjectionTable, columns: tuple[str, ...]) -> str:
    """Names come from ``domain/audit/projection.py``, values are always parameters."""
    key = KEYS[table]
    places = ", ".join("?" * (len(columns) + 1))
    updates = ", ".join(f"{column} = excluded.{column}" for column in columns)
    return (
        f"INSERT INTO {table} ({', '.join([key, *columns])}) VALUES ({places})"  # noqa: S608
        f" ON CONFLICT ({key}) DO UPDATE SET {updates}"
    )
