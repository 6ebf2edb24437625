"""Bringing an older database up to date.

    is there room ──▶ backup, on disk ──▶ each step: one transaction, with the version it leads to

A process that dies on the way leaves the database as it was, or some steps further, and the next
start goes on. A backup of the same rows is made once: they are the same as before each step.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import structlog

from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.storage.log.backups import back_up, backups_of, rows_of

MigrationProgress: TypeAlias = Callable[[str], None]
"""Is given one line about what goes on, again and again; it must not raise."""

TELL_EVERY_S = 2.0
INSTRUCTIONS = 10_000
"""Of SQLite's machine, between two looks at the clock."""
_SPARE_BYTES = 64 << 20

_log = structlog.get_logger(__name__)


def no_progress(_line: str) -> None:
    """Nobody wants to know."""


class Telling:
    """What goes on, told as often as :data:`TELL_EVERY_S` says."""

    def __init__(self, told: MigrationProgress, what: str) -> None:
        self._told = told
        self._what = what
        self._next_s = 0.0
        self.doing = ""

    def __call__(self) -> int:
        """Look at the clock; SQLite wants 0 to go on."""
        if time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + TELL_EVERY_S
            self._told(f"{self._what}: {self.doing}")
        return 0


def migrate(
    db: sqlite3.Connection,
    path: Path,
    version: int,
    steps: Sequence[str],
    told: MigrationProgress = no_progress,
) -> None:
    """Take every step from ``version`` on; behind a backup, unless the database is empty.

    Raises:
        StoreUnavailable: there is no room, or no backup could be made; nothing was changed.
        sqlite3.Error: a step failed; those before it are done.
    """
    if version == len(steps):
        return
    telling = Telling(told, f"store: schema {version} to {len(steps)}")
    if version:
        _log.info("store_migrating", schema=version, to=len(steps), rows=rows_of(db))
        _back_up(db, path, version, telling)
    db.set_progress_handler(telling, INSTRUCTIONS)
    try:
        for number in range(version, len(steps)):
            telling.doing = f"step {number + 1}"
            _take(db, steps[number], number + 1)
            if version:
                _log.info("store_migrated", schema=number + 1)
    finally:
        db.set_progress_handler(None, 0)


def _take(db: sqlite3.Connection, step: str, leads_to: int) -> None:
    try:
        db.executescript(f"BEGIN IMMEDIATE; {step} PRAGMA user_version = {leads_to}; COMMIT;")
    except sqlite3.Error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _back_up(db: sqlite3.Connection, path: Path, version: int, telling: Telling) -> None:
    try:
        rows, now = rows_of(db), datetime.now(UTC)
        is_there = any(one.rows == rows and one.goes_at > now for one in backups_of(path))
        free = shutil.disk_usage(path.parent).free
    except OSError as error:
        raise StoreUnavailable(f"cannot look at {path.parent}: {error.strerror}") from error
    (size,) = db.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
    need = size[0] * (1 if is_there else 2) + _SPARE_BYTES
    if free < need:
        raise StoreUnavailable(
            f"{path} has schema {version} and must be brought up to date: that takes"
            f" {_mib(need)} MiB beside it, and {_mib(free)} are free",
            hint="nothing was changed; make room there and start again: docs/upgrading.md",
        )
    if is_there:
        return

    def copied(pages: int, of: int) -> None:
        telling.doing = f"backup, {100 * pages // max(of, 1)} %"
        telling()

    made = back_up(db, path, version, copied)
    _log.info("backup_made", file=made.path.name, mib=_mib(size[0]))


def _mib(size: int) -> int:
    return (size >> 20) + 1
