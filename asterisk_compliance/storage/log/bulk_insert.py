"""Several rows in one statement of SQL: each statement hands the interpreter over twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import lru_cache


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
