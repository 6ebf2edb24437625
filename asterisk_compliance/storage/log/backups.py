"""Backups of the store's database that are made before it is brought up to date.

One is kept beside the database, as a database of its own. It holds the values of persons, so it
does not outlive them: it goes as soon as anybody is erased whom it may name, and when its time is
over (docs/upgrading.md). Its name says of which schema and how many rows it is, and since when it
is there; so what must go is seen from the log, also after a crash.
"""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.storage.durable_files import sync_directory

KEPT_DAYS: Final = 7
PAGES_AT_ONCE = 2_048

_NAME = re.compile(r"\.schema-(\d{1,9})\.rows-(\d{1,18})\.(\d{8}T\d{6}Z)")
_TIME = "%Y%m%dT%H%M%SZ"

_log = structlog.get_logger(__name__)


class Backup(NamedTuple):
    """One file.

    Attributes:
        made_at: UTC.
        schema: Its version.
        rows: How many rows of the log it has.
    """

    made_at: datetime
    schema: int
    rows: int
    path: Path

    @property
    def goes_at(self) -> datetime:
        """When its time is over."""
        return self.made_at + timedelta(days=KEPT_DAYS)


def backups_of(database: Path) -> list[Backup]:
    """Those beside ``database``, oldest first.

    Raises:
        OSError: its directory cannot be read.
    """
    found = []
    for path in database.parent.iterdir():
        said = _NAME.fullmatch(path.name.removeprefix(database.name))
        if said and path.name.startswith(database.name):
            made_at = datetime.strptime(said[3], _TIME).replace(tzinfo=UTC)
            found.append(Backup(made_at, int(said[1]), int(said[2]), path))
    return sorted(found)


def back_up(
    db: sqlite3.Connection, database: Path, schema: int, told: Callable[[int, int], None]
) -> Backup:
    """Copy the database as it is; the copy is whole and on disk, or not there. Older ones go then.

    Args:
        db: Open, by the owner of the store.
        database: Its file.
        schema: Its version.
        told: Is given how many pages are copied, and of how many, from time to time.

    Raises:
        StoreUnavailable: there is no copy, and nothing else was changed.
    """
    now = datetime.fromtimestamp(int(time.time()), UTC)
    rows = rows_of(db)
    name = f"{database.name}.schema-{schema}.rows-{rows}.{now:{_TIME}}"
    made = Backup(now, schema, rows, database.with_name(name))
    part = database.with_name(f"{database.name}.part")
    try:
        older = backups_of(database)
        part.unlink(missing_ok=True)  # of a process that died
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
        _copy(db, part, told)
        part.rename(made.path)
        sync_directory(database.parent)
        for one in older:
            one.path.unlink(missing_ok=True)
    except (OSError, sqlite3.Error) as error:
        part.unlink(missing_ok=True)
        raise StoreUnavailable(
            f"no backup of {database} could be made: {error}",
            hint="nothing was changed; is there room beside it? docs/upgrading.md",
        ) from error
    return made


def rows_of(db: sqlite3.Connection) -> int:
    """How many rows the log has; 0 where nobody has begun it."""
    found = db.execute("SELECT size FROM tree").fetchone()
    return int(found[0]) if found else 0


class BackupSet:
    """The backups that are left beside a database, as its owner keeps and removes them."""

    def __init__(self, db: sqlite3.Connection, database: Path) -> None:
        self._there: list[Backup] = []
        self._erased_seq = -1
        try:
            self._there = backups_of(database)
        except OSError as error:
            _log.error("backups_not_listed", why=error.strerror)
        if self._there:
            sql = "SELECT max(seq) FROM rows WHERE seldom = ?"
            (newest,) = db.execute(sql, (Kind.PERSON_ERASED,)).fetchone()
            self.erased(-1 if newest is None else newest)

    def erased(self, seq: int) -> None:
        """Row ``seq`` erased somebody, whom a backup of fewer rows may name."""
        self._erased_seq = seq

    def name_nobody_erased(self) -> bool:
        """Remove those that may name somebody who was erased; returns whether they are gone."""
        going = [one for one in self._there if one.rows <= self._erased_seq]
        return self._remove(going, "a person was erased")

    def expire(self) -> None:
        """Remove those whose time is over."""
        if self._there and self._there[0].goes_at <= (now := datetime.now(UTC)):
            self._remove([one for one in self._there if one.goes_at <= now], "its time is over")

    def _remove(self, going: list[Backup], why: str) -> bool:
        for one in going:
            try:
                one.path.unlink(missing_ok=True)
                sync_directory(one.path.parent)
            except OSError as error:
                _log.error("backup_not_removed", file=one.path.name, why=error.strerror)
                return False
            self._there.remove(one)
            _log.info("backup_removed", file=one.path.name, because=why)
        return True


def _copy(db: sqlite3.Connection, part: Path, told: Callable[[int, int], None]) -> None:
    """SQLite's own copy: of one moment, without what was deleted before (``secure_delete``).

    It is synced piece by piece: nobody can say how far one sync of everything is.
    """
    uri = f"{part.absolute().as_uri()}?mode=rw"
    file = os.open(part, os.O_RDONLY)

    def copied(_status: int, left: int, pages: int) -> None:
        os.fsync(file)
        told(pages - left, pages)

    try:
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as copy:
            copy.execute("PRAGMA journal_mode = OFF")
            copy.execute("PRAGMA synchronous = OFF")
            db.backup(copy, pages=PAGES_AT_ONCE, progress=copied)
            copy.execute("PRAGMA journal_mode = DELETE")
        os.fsync(file)
    finally:
        os.close(file)
