"""Reads the log beside its owner: takes no lock and can change nothing."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeAlias

from asterisk_compliance.domain.audit.encoding import search_digest
from asterisk_compliance.domain.audit.projection import PURPOSE_SEPARATOR, Column
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.storage.log import personal_data as personal
from asterisk_compliance.storage.log import schema


class StoredRow(NamedTuple):
    """A durable row: its number and its canonical bytes."""

    seq: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """Size and root of the tree; who keeps one can tell later that nothing before it changed."""

    size: int
    root: bytes

    def __str__(self) -> str:
        return f"{self.size}:{self.root.hex()}"


ListedCall: TypeAlias = dict[str, Column]
"""One line of ``calls`` or ``recordings``, by column (``schema.py``)."""


@dataclass(frozen=True, slots=True)
class RowQuery:
    """Which rows; every condition that is set must hold.

    Attributes:
        first_seq: Rows from this number on.
        since, until: ``at`` as text, from ``since`` on and before ``until``.
        purpose: Rows of calls whose decision is bound to this purpose code.
        limit: At most so many; with ``newest`` the last ones. In order of ``seq`` either way.
    """

    first_seq: int = 0
    call: str | None = None
    kind: str | None = None
    purpose: str | None = None
    since: str | None = None
    until: str | None = None
    limit: int | None = None
    newest: bool = False


@dataclass(frozen=True, slots=True)
class CallQuery:
    """Which calls; every condition that is set must hold. Times are those of arrival."""

    call: str | None = None
    decision: str | None = None
    reason: str | None = None
    purpose: str | None = None
    since: str | None = None
    until: str | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class RecordingQuery:
    """Which recordings; every condition that is set must hold. Times are those of ``level``."""

    recording: str | None = None
    call: str | None = None
    level: str | None = None
    since: str | None = None
    until: str | None = None
    limit: int | None = None


class _Where(NamedTuple):
    text: str
    values: list[Column]


_HAS_PURPOSE = f"instr('{PURPOSE_SEPARATOR}' || purposes || '{PURPOSE_SEPARATOR}', ?) > 0"
_CALL_HAS_PURPOSE = f"call IN (SELECT call FROM calls WHERE {_HAS_PURPOSE})"  # noqa: S608  fixed


_UNFINISHED = """
SELECT call FROM calls WHERE node = ?1 AND ended_at IS NULL
UNION SELECT call FROM calls WHERE node = ?1 AND decision IS NULL
UNION SELECT call FROM recordings
    WHERE node = ?1 AND removed_at IS NULL
        AND level NOT IN ('missing', 'unjudged', 'disposing', 'disposed')
UNION SELECT call FROM rows AS withdrawn
    WHERE seldom = 'consent' AND row ->> '$.detail.earlier' = 'delete' AND row ->> '$.node' = ?1
    AND (SELECT count(*) FROM rows WHERE call = withdrawn.call AND kind = 'recording_closed')
        > (SELECT count(*) FROM rows WHERE call = withdrawn.call
            AND kind IN ('recording_removed', 'recording_disposed'))
ORDER BY call
"""
_UNJUDGED = """
SELECT kept.call, kept.recording
FROM recordings AS kept INDEXED BY recordings_kept
WHERE kept.level IN ('closed', 'sealed', 'unjudged') AND kept.level = 'unjudged' AND kept.node = ?
ORDER BY kept.recording
"""


class StoreReader:
    """A view of the store; each method sees a consistent state of its own.

    Raises:
        StoreUnavailable: from every method, when the store cannot be read.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._db = schema.open_for_reading(directory)

    @property
    def connection(self) -> sqlite3.Connection:
        return self._db

    def log(self) -> str:
        """The log's id."""
        return str(self._all("SELECT value FROM meta WHERE key = 'log'")[0][0])

    def head(self) -> Head:
        size, root = self._all("SELECT size, root FROM tree")[0]
        return Head(size, root)

    def data_version(self) -> int:
        """Changes whenever another connection has committed."""
        return int(self._all("PRAGMA data_version")[0][0])

    def rows(self, query: RowQuery = RowQuery()) -> Iterator[StoredRow]:
        """The rows, in order; read as they are consumed."""
        where = _conditions(
            ("seq >= ?", query.first_seq or None),
            ("call = ?", query.call),
            (_of_kind(query), query.kind),
            (_CALL_HAS_PURPOSE, _purpose(query.purpose)),
            ("at >= ?", query.since),
            ("at < ?", query.until),
        )
        order = "DESC" if query.newest else "ASC"
        limit = -1 if query.limit is None else query.limit
        sql = f"SELECT seq, row FROM rows {where.text} ORDER BY seq {order} LIMIT ?"  # noqa: S608
        if query.newest:
            sql = f"SELECT seq, row FROM ({sql}) ORDER BY seq"  # noqa: S608  fixed text
        try:
            for seq, text in self._db.execute(sql, [*where.values, limit]):
                yield StoredRow(seq, text.encode())
        except sqlite3.Error as error:
            raise StoreUnavailable(f"cannot read {self.directory}: {error}") from error

    def calls(self, query: CallQuery = CallQuery()) -> list[ListedCall]:
        """Calls, newest first."""
        where = _conditions(
            ("call = ?", query.call),
            ("decision = ?", query.decision),
            ("reason = ?", query.reason),
            (_HAS_PURPOSE, _purpose(query.purpose)),
            ("arrived_at >= ?", query.since),
            ("arrived_at < ?", query.until),
        )
        limit = -1 if query.limit is None else query.limit
        return self._entries(
            f"SELECT * FROM calls {where.text} ORDER BY arrived_at DESC, call DESC LIMIT ?",  # noqa: S608
            [*where.values, limit],
        )

    def standing(self, node: str, channel: str) -> ListedCall | None:
        """The newest call of a channel that has not ended, as the log knows it."""
        found = self._entries(
            "SELECT * FROM calls WHERE channel = ? AND node = ? AND ended_at IS NULL"
            " ORDER BY call DESC LIMIT 1",
            [channel, node],
        )
        return found[0] if found else None

    def unfinished(self, node: str) -> list[str]:
        """Ids of the calls of ``node`` that have not ended, have no decision, or of which a
        recording is not dealt with; the oldest first.
        """
        return [str(call) for (call,) in self._all(_UNFINISHED, [node])]

    def unjudged(self, node: str) -> list[tuple[str, str]]:
        """Recordings of ``node`` that could not be taken in, each behind its call."""
        return [(str(call), str(one)) for call, one in self._all(_UNJUDGED, [node])]

    def last_at(
        self, kinds: Collection[str] | None = None, *, before_seq: int | None = None
    ) -> str | None:
        """When the newest row was written, of some kinds, or of all; ``None`` if there is none.

        With ``before_seq``: the newest one of a smaller number.
        """
        among = None if kinds is None else json.dumps([*kinds])
        where = _conditions(
            ("seq < ?", before_seq), ("kind IN (SELECT value FROM json_each(?))", among)
        )
        newest = f"SELECT at FROM rows {where.text} ORDER BY seq DESC LIMIT 1"  # noqa: S608
        found = self._all(newest, where.values)
        return str(found[0][0]) if found else None

    def is_known(self, recording: str) -> bool:
        return bool(self._all("SELECT 1 FROM recordings WHERE recording = ?", [recording]))

    def recordings(self, call: str) -> list[ListedCall]:
        """The recordings of a call, in the order of their segments."""
        return self._entries(
            "SELECT * FROM recordings WHERE call = ? ORDER BY length(recording), recording", [call]
        )

    def every_recording(self, query: RecordingQuery = RecordingQuery()) -> list[ListedCall]:
        """Recordings, newest first."""
        where = _conditions(
            ("recording = ?", query.recording),
            ("call = ?", query.call),
            ("level = ?", query.level),
            ("level_at >= ?", query.since),
            ("level_at < ?", query.until),
        )
        limit = -1 if query.limit is None else query.limit
        return self._entries(
            f"SELECT * FROM recordings {where.text} ORDER BY recording DESC LIMIT ?",  # noqa: S608
            [*where.values, limit],
        )

    def parties_by(self, field: str, search_key: str) -> list[str]:
        """Ids of the parties that have this value, by its keyed digest."""
        key = personal.load_search_key(self.directory)
        digest = search_digest(key, field, search_key)
        found = self._all("SELECT party FROM party_digests WHERE digest = ?", [digest])
        return [party for (party,) in found]

    def close(self) -> None:
        self._db.close()

    def _entries(self, sql: str, values: list[Column]) -> list[ListedCall]:
        try:
            cursor = self._db.execute(sql, values)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, line, strict=True)) for line in cursor]
        except sqlite3.Error as error:
            raise StoreUnavailable(f"cannot read {self.directory}: {error}") from error

    def _all(self, sql: str, values: Sequence[bytes | Column] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise StoreUnavailable(f"cannot read {self.directory}: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _conditions(*conditions: tuple[str, Column]) -> _Where:
    """Join those that have a value. The texts are ours, the values always parameters."""
    chosen = [(text, value) for text, value in conditions if value is not None]
    text = " AND ".join(text for text, _ in chosen)
    return _Where(f"WHERE {text}" if text else "", [value for _, value in chosen])


def _of_kind(query: RowQuery) -> str:
    """By the index of seldom kinds, unless that of calls leads to fewer rows."""
    return "kind = ?" if query.call or query.kind in schema.EVERYDAY else "seldom = ?"


def _purpose(code: str | None) -> str | None:
    return None if code is None else f"{PURPOSE_SEPARATOR}{code}{PURPOSE_SEPARATOR}"
