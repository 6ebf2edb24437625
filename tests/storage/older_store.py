"""Stores of every schema that there was, with the log of a store of today."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.storage.log import schema
from asterisk_compliance.storage.log.writer import StoreWriter
from sample_rows import a_call, a_recorded_call, an_unrecorded_call, draft

CALLS = 12


def write(store: Path) -> None:
    """A store of today, with recorded and unrecorded calls."""
    with StoreWriter.open(store) as writer:
        for number in range(CALLS):
            writer.commit(a_recorded_call(a_call(number)))
            writer.commit(an_unrecorded_call(a_call(CALLS + number)))
        writer.commit([draft(Kind.MARK)])


def make_older(store: Path, version: int) -> None:
    """Put a database of schema ``version`` in the place of today's, with the same log."""
    path = store / schema.DATABASE
    today = path.rename(path.with_name("today"))
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        for step in schema.MIGRATIONS[:version]:
            db.executescript(step)
        db.execute(f"PRAGMA user_version = {version}")
        db.execute("ATTACH ? AS today", (str(today),))
        tables = "SELECT name FROM {}sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        had = {name for (name,) in db.execute(tables.format(""))}
        for name in had & {name for (name,) in db.execute(tables.format("today."))}:
            columns = ", ".join(_columns(db, "main", name) & _columns(db, "today", name))
            db.execute(f"INSERT INTO {name} ({columns}) SELECT {columns} FROM today.{name}")
        db.execute("DETACH today")
    path.chmod(0o600)
    for file in store.glob("today*"):
        file.unlink()


def _columns(db: sqlite3.Connection, where: str, table: str) -> set[str]:
    return {line[1] for line in db.execute(f"PRAGMA {where}.table_info({table})")}
