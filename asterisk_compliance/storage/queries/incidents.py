"""Reads what the assessment of an incident needs: disk, rows about recordings, and values.

The disk is read before the log, so whatever moves meanwhile has its row. Reading changes nothing
and needs no lock.
"""

from __future__ import annotations

import heapq
import os
import re
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

from asterisk_compliance.domain.audit.call_record import minted_ms
from asterisk_compliance.domain.audit.encoding import Row, decode
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.incidents.exposure import FileSeen, KnownBy, OnDisk, Seen
from asterisk_compliance.domain.incidents.recording_lifecycle import KINDS, Lifecycles
from asterisk_compliance.domain.incidents.state import Incident, incidents_of
from asterisk_compliance.domain.phone_numbers import comparable
from asterisk_compliance.errors import LogBroken, StoreUnavailable
from asterisk_compliance.ids import (
    RecordingId,
    call_of,
    created_s,
    parse_fallback_name,
    parse_spool_name,
)
from asterisk_compliance.storage.log.reader import RowQuery, StoreReader
from asterisk_compliance.storage.recordings.quarantine import QUARANTINE
from asterisk_compliance.storage.recordings.unattended import is_alone
from asterisk_compliance.storage.recordings.vault import SEALED_SUFFIX

_INCIDENTS: Final = (
    Kind.INCIDENT_OPENED,
    Kind.INCIDENT_AMENDED,
    Kind.INCIDENT_ASSESSED,
    Kind.INCIDENT_REPORTED,
    Kind.INCIDENT_NOTED,
    Kind.INCIDENT_OVERDUE,
    Kind.INCIDENT_CLOSED,
)
_VALUES = """
SELECT party, field, value FROM party_values
WHERE field IN ('number', 'dialled', 'name') AND salt <> x''
"""
_TEXT = "SELECT value FROM party_values WHERE field = 'text' AND salt <> x'' AND seq = ?"
_NAMED = re.compile(r"(r-[0-9a-f]{28}-[1-9][0-9]{0,3})(?![0-9a-zA-Z])")


def incidents(reader: StoreReader) -> dict[int, Incident]:
    """Every incident, by its number.

    Raises:
        StoreUnavailable: the log cannot be read.
        LogBroken: a row is none.
    """
    return incidents_of(_rows(reader, _INCIDENTS))


def lives(reader: StoreReader, size: int) -> Lifecycles:
    """Where every recording was by the first ``size`` rows; errors as of :func:`incidents`."""
    found = Lifecycles()
    for row in takewhile(lambda row: row.seq < size, _rows(reader, KINDS)):
        found.take(row)
    return found


def known_by(reader: StoreReader, lives: Lifecycles, home: str | None) -> KnownBy:
    """By what parties can be told apart; no number and no name is in it.

    Who called, by his number; who was called, by what was dialled; who asked for or received
    something, by his name.

    Args:
        reader: Of the store.
        lives: Who they are.
        home: The site's country, so that a number is one however it was written.

    Raises:
        StoreUnavailable: the store cannot be read.
    """
    key = secrets.token_bytes(16)

    def mark(text: str) -> str:  # so that nobody is named in what goes on from here
        return blake2b(text.encode(), key=key, digest_size=16).hexdigest() if text else ""

    @lru_cache(maxsize=100_000)
    def number(value: str) -> str:
        return mark(comparable(value, home))

    found = KnownBy({}, {})
    for party, field, value in _each(reader, _VALUES):
        if party in lives.by_name:
            if field == "name":
                found.names[party] = mark(" ".join(value.split()).casefold())
        elif party in lives.called and field == "dialled":
            found.numbers[party] = number(value)
        elif party in lives.named and field == "number":
            found.numbers.setdefault(party, number(value))
    return found


def texts(reader: StoreReader, seqs: Iterable[int]) -> dict[int, str]:
    """The texts that stand beside rows; one that was erased is not there."""
    return {seq: value for seq in seqs for (value,) in _all(reader, _TEXT, seq)}


def look(at_ms: int, vault: Path, spools: Iterable[Path]) -> Seen:
    """The files that are there now.

    Args:
        at_ms: Now, Unix milliseconds.
        vault: Directory of the recordings.
        spools: Directories of what is being recorded.

    Raises:
        StoreUnavailable: one of them cannot be listed; one that is not there holds nothing.
    """
    files = [*_listed(vault, _in_vault), *_listed(vault / QUARANTINE, _in_vault)]
    for spool in sorted(set(spools)):
        files += _listed(spool, _in_spool)
    return Seen(at_ms, tuple(files))


def _listed(directory: Path, kind: Callable[[str], OnDisk | None]) -> Iterator[FileSeen]:
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                what = kind(entry.name)
                if what is not None and (seen := _seen(entry, what)) is not None:
                    yield seen
    except FileNotFoundError:
        return
    except OSError as error:
        hint = "ask as root, or as the service's user"
        raise StoreUnavailable(f"cannot list {directory}: {error.strerror}", hint=hint) from error


def _seen(entry: os.DirEntry[str], kind: OnDisk) -> FileSeen | None:
    """One file; it has been there since its call began at the earliest.

    ``None``: it is no file; or it moved on since it was listed, and a row says where to.
    """
    try:
        if not entry.is_file(follow_symlinks=False):
            return None
        written_ms = entry.stat(follow_symlinks=False).st_mtime_ns // 1_000_000
    except FileNotFoundError:
        return None
    # Whoever left a file chose its name, and it need not be text.
    name = os.fsencode(entry.name).decode("utf-8", "backslashreplace")
    if named := _NAMED.match(name):
        began_ms = minted_ms(call_of(RecordingId(named[1])))
        return FileSeen(name, named[1], kind, min(began_ms, written_ms))
    alone = parse_fallback_name(name)
    began_ms = written_ms if alone is None else created_s(alone[1]) * 1_000
    return FileSeen(name, "", kind, min(began_ms, written_ms))


def _in_vault(name: str) -> OnDisk:
    return OnDisk.SEALED if name.endswith(SEALED_SUFFIX) else OnDisk.PLAIN


def _in_spool(name: str) -> OnDisk | None:
    ours = parse_spool_name(name) is not None or is_alone(name)
    return OnDisk.SPOOLED if ours else None


def _rows(reader: StoreReader, kinds: Sequence[Kind]) -> Iterator[Row]:
    """The rows of these kinds, in order; each kind is found by the index."""
    merged = heapq.merge(*(reader.rows(RowQuery(kind=kind)) for kind in kinds))
    for stored in merged:
        try:
            yield decode(stored.data)
        except ValueError as error:
            raise LogBroken(str(error), stored.seq) from None


def _all(reader: StoreReader, sql: str, *values: int) -> list[tuple[Any, ...]]:
    return list(_each(reader, sql, *values))


def _each(reader: StoreReader, sql: str, *values: int) -> Iterator[tuple[Any, ...]]:
    try:
        yield from reader.connection.execute(sql, values)
    except sqlite3.Error as error:
        raise StoreUnavailable(f"cannot read {reader.directory}: {error}") from error
