"""A store as an earlier version of the program made it and wrote to it."""

from __future__ import annotations

import sqlite3

import pytest

from asterisk_compliance.domain.projection import Change
from asterisk_compliance.storage import projections, schema


def as_before(monkeypatch: pytest.MonkeyPatch, migration: str) -> None:
    """Let everything be as it was before there was this migration, until the patch is undone."""
    apply = projections.apply

    def known(db: sqlite3.Connection, change: Change) -> None:
        names = {line[1] for line in db.execute(f"PRAGMA table_info({change.table})")}
        columns = {name: value for name, value in change.columns.items() if name in names}
        if columns:
            apply(db, Change(change.table, change.key, columns))

    steps = schema.MIGRATIONS[: schema.MIGRATIONS.index(migration)]
    monkeypatch.setattr(schema, "MIGRATIONS", steps)
    monkeypatch.setattr(projections, "apply", known)
