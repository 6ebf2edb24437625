"""A store as an earlier version of the program made it and wrote to it."""

from __future__ import annotations

import sqlite3

import pytest

from asterisk_compliance.storage.log import projections, schema
from asterisk_compliance.storage.log.projections import Changes


def as_before(monkeypatch: pytest.MonkeyPatch, migration: str) -> None:
    """Let everything be as it was before there was this migration, until the patch is undone."""
    apply = projections.apply

    def known(db: sqlite3.Connection, changes: Changes) -> None:
        left: Changes = {}
        for (table, key), entry in changes.items():
            names = {line[1] for line in db.execute(f"PRAGMA table_info({table})")}
            if columns := {name: value for name, value in entry.items() if name in names}:
                left[table, key] = columns
        apply(db, left)

    steps = schema.MIGRATIONS[: schema.MIGRATIONS.index(migration)]
    monkeypatch.setattr(schema, "MIGRATIONS", steps)
    monkeypatch.setattr(projections, "apply", known)
