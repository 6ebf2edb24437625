"""Reads what a reconciliation compares: calls of the log, and files in the spool and the vault.

Nothing here can change anything. The log is read in short pages, so that a long comparison does
not keep its owner from checkpointing the write-ahead log. Sets that may be larger than memory
are kept in a temporary database (:class:`Scratch`).
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec

from asterisk_compliance.domain.audit.call_record import LoggedCall, LoggedDecision, RowFact, fold
from asterisk_compliance.domain.audit.encoding import timestamp
from asterisk_compliance.domain.reconciliation.comparison import FilePlace, FoundFile
from asterisk_compliance.errors import LogBroken, StoreUnavailable
from asterisk_compliance.ids import (
    RecordingId,
    call_id,
    call_of,
    created_s,
    is_recording_id,
    parse_fallback_name,
    parse_spool_name,
)
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.recordings.quarantine import QUARANTINE
from asterisk_compliance.storage.recordings.unattended import is_alone
from asterisk_compliance.storage.recordings.vault import SEALED_SUFFIX, vault_path

_PAGE = 10_000
_OVERLAP_MS = 86_400_000
_LAST = "c-g"
"""Behind every call id."""

_CALLS = "SELECT call, seq, row FROM rows WHERE call >= ? AND call < ? ORDER BY call, seq LIMIT ?"
_ONE_CALL = "SELECT seq, row FROM rows WHERE call = ? ORDER BY seq"
_DECISION = "SELECT decision, reason FROM calls WHERE call = ?"
_CHANNEL = "SELECT 1 FROM calls WHERE channel = ? LIMIT 1"
_LINKED = "SELECT linkedid FROM calls WHERE linkedid IS NOT channel AND linkedid IS NOT NULL"
_LINKED_SINCE = "SELECT 1 FROM calls WHERE linkedid = ? AND arrived_at >= ? LIMIT 1"
_QUARANTINED = (
    "SELECT 1 FROM rows WHERE seldom = 'file_quarantined' AND row ->> '$.detail.file' = ? LIMIT 1"
)

_ADOPTED = (
    "SELECT 1 FROM recordings JOIN calls USING (call)"
    " WHERE channel = ? AND told_by = 'dialplan' LIMIT 1"
)

_DECODER = msgspec.json.Decoder(RowFact)


class ReconcileReader:
    """The audit log for a comparison: a
    :class:`~asterisk_compliance.domain.reconciliation.comparison.LogView`.

    Raises:
        StoreUnavailable: from every method, when the store cannot be read.
        LogBroken: a row is none.
    """

    def __init__(self, reader: StoreReader, scratch: Scratch) -> None:
        self._reader = reader
        self._linked = scratch.new_keys()
        self._linked_until = timestamp(max(0, int(time.time() * 1000) - _OVERLAP_MS))
        for (linkedid,) in self._all(_LINKED):
            self._linked.add(linkedid)

    def calls(self, since_ms: int | None, until_ms: int | None) -> Iterator[LoggedCall]:
        """The calls that began in that time, in the order of their ids, so of their beginning."""
        first: str = "c-" if since_ms is None else call_id(since_ms, bytes(8))
        end: str = _LAST if until_ms is None else call_id(until_ms, bytes(8))
        size = _PAGE
        while True:
            page = self._all(_CALLS, first, end, size)
            is_last = len(page) < size
            groups = [(call, list(rows)) for call, rows in groupby(page, itemgetter(0))]
            if not is_last and len(groups) == 1:  # one call has more rows than a page
                size *= 2
                continue
            if not is_last:
                first = groups.pop()[0]  # perhaps not all of its rows
            for call, rows in groups:
                yield fold(call, [_fact(seq, row) for _, seq, row in rows])
            if is_last:
                return
            size = _PAGE

    def call(self, call: str) -> LoggedCall | None:
        rows = self._all(_ONE_CALL, call)
        return fold(call, [_fact(seq, row) for seq, row in rows]) if rows else None

    def decision(self, call: str) -> LoggedDecision | None:
        found = self._all(_DECISION, call)
        return LoggedDecision(found[0][0] or "", found[0][1] or "") if found else None

    def knows(self, channel: str) -> bool:
        return (
            bool(self._all(_CHANNEL, channel))
            or channel in self._linked
            or bool(self._all(_LINKED_SINCE, channel, self._linked_until))
        )

    def adopted(self, channel: str) -> bool:
        return bool(self._all(_ADOPTED, channel))

    def quarantined(self, file: str) -> bool:
        return bool(self._all(_QUARANTINED, file))

    def _all(self, sql: str, *values: str | int) -> list[tuple[Any, ...]]:
        try:
            return self._reader.connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise StoreUnavailable(f"cannot read {self._reader.directory}: {error}") from error


def _fact(seq: int, row: str) -> RowFact:
    try:
        return _DECODER.decode(row)
    except msgspec.MsgspecError:
        raise LogBroken("not a row", seq) from None


# -- files -------------------------------------------------------------------------------------


def spool_files(spool: Path) -> Iterator[FoundFile]:
    """The files in a spool that are named as ours are; others are none of ours.

    Raises:
        StoreUnavailable: it cannot be listed.
    """
    for name in _names(spool):
        if parsed := parse_spool_name(name):
            yield FoundFile(FilePlace.SPOOL, name, parsed[0], call_of(parsed[0]))
        elif is_alone(name):
            yield FoundFile(FilePlace.SPOOL, name, alone_ms=_made_ms(name))


def quarantined_files(vault: Path) -> Iterator[FoundFile]:
    """The files that the service set aside, and whatever else is there.

    Raises:
        StoreUnavailable: it is there and cannot be listed.
    """
    directory = vault / QUARANTINE
    if not directory.exists():
        return
    for name in _names(directory):
        plain = name.removesuffix(SEALED_SUFFIX)
        recording = plain.rpartition("-")[0]
        if is_recording_id(recording):
            known = RecordingId(recording)
            yield FoundFile(FilePlace.QUARANTINE, plain, known, call_of(known))
        elif is_alone(plain):
            yield FoundFile(FilePlace.QUARANTINE, plain, alone_ms=_made_ms(plain))
        else:
            yield FoundFile(FilePlace.QUARANTINE)


def _made_ms(name: str) -> int | None:
    """When the channel was made that the dialplan recorded alone."""
    parsed = parse_fallback_name(name)
    return None if parsed is None else created_s(parsed[1]) * 1_000


def vault_files(vault: Path) -> Iterator[FoundFile]:
    """The files in the vault; those with other names than recordings have come last, counted.

    Raises:
        StoreUnavailable: it cannot be listed.
    """
    others = 0
    for name in _names(vault):
        if name == QUARANTINE:
            continue
        stem = name.partition(".")[0]
        if is_recording_id(stem):
            recording = RecordingId(stem)
            sealed = vault_path(vault, recording, sealed=True).name == name
            whole = sealed or vault_path(vault, recording).name == name
            call = call_of(recording)
            yield FoundFile(FilePlace.VAULT, name, recording, call, whole=whole, sealed=sealed)
        else:
            others += 1
    if others:
        yield FoundFile(FilePlace.VAULT, count=others)


def stored(vault: Path, recording: str, sealed: bool, *, digests: bool) -> str | None:
    """Of a recording's file in the vault: its SHA-256 in hex, empty unless ``digests``.

    Raises:
        StoreUnavailable: the file is there and cannot be read.
    """
    path = vault_path(vault, RecordingId(recording), sealed=sealed)
    try:
        if not digests:
            return "" if path.exists() else None
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreUnavailable(f"cannot read {path}: {error.strerror}") from error


def _names(directory: Path) -> Iterator[str]:
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                yield entry.name
    except OSError as error:
        hint = "be root or the service's user; the files must be on this machine"
        why = f"cannot list {directory}: {error.strerror}"
        raise StoreUnavailable(why, hint=hint) from error


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
