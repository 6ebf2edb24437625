"""Call ids from indexes: newest first, read as consumed, and counted up to a bound."""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final, NamedTuple, TypeAlias

from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.storage.log.reader import ListedCall, StoreReader

LARGEST_CHUNK: Final = 1_024
_NEWER_THAN_ALL: Final = "g"

ColumnValues: TypeAlias = "Sequence[str | int | bytes | None]"


class Stream(NamedTuple):
    """Calls in the order of one index.

    Attributes:
        where: Which of the index; the text is ours, what it is compared with is in ``values``.
        key: By what they are sorted there: the id of a ``call`` or of a ``party``.
    """

    table: str
    where: str
    values: ColumnValues = ()
    key: str = "call"

    @property
    def prefix(self) -> str:
        return "y-" if self.key == "party" else "c-"


Lead: TypeAlias = "list[Stream] | list[str]"
"""Calls: streams that are merged, or ids."""


class IdSpan:
    """The calls of a time, in one store.

    Args:
        reader: Of the store.
        since_ms, until_ms: They began from then on, and before then.
        before: Only older ones than this call.

    Raises:
        StoreUnavailable: from every method, when the store cannot be read.
    """

    def __init__(
        self,
        reader: StoreReader,
        since_ms: int | None,
        until_ms: int | None,
        before: str | None = None,
    ) -> None:
        self._reader = reader
        self._since_ms, self._until_ms = since_ms, until_ms
        self._low = hexadecimal(since_ms, "")
        high = hexadecimal(until_ms, _NEWER_THAN_ALL)
        self._high = min(high, before[2:]) if before else high

    def older_than(self, call: str) -> IdSpan:
        """Those of them that are older than one of them."""
        return IdSpan(self._reader, self._since_ms, self._until_ms, call)

    @property
    def bounds(self) -> tuple[str, str]:
        """The first id, and the first one behind the last."""
        return f"c-{self._low}", f"c-{self._high}"

    def newest_first(self, lead: Lead) -> Iterator[str]:
        """The ids of a lead, each once."""
        streams = [self._read(one) for one in lead if isinstance(one, Stream)]
        low, high = self.bounds
        named = sorted(one for one in lead if isinstance(one, str) and low <= one < high)
        for call, _ in groupby(heapq.merge(*streams, reversed(named), reverse=True)):
            yield call

    def count(self, lead: Lead, most: int | None = None) -> int:
        """How many lines they are, not more than ``most``; a call can have several."""
        size = 0
        for one in lead:
            if most is not None and size >= most:
                return most
            left = -1 if most is None else most - size
            size += 1 if isinstance(one, str) else self._count(one, left)
        return size

    def all(self, sql: str, values: ColumnValues = ()) -> list[tuple[Any, ...]]:
        try:
            return self._reader.connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise StoreUnavailable(f"cannot read {self._reader.directory}: {error}") from error

    def entries(self, sql: str, values: ColumnValues) -> list[ListedCall]:
        """Lines of ``calls``, newest first."""
        try:
            cursor = self._reader.connection.execute(sql, values)
            names = [column[0] for column in cursor.description]
            found = [dict(zip(names, line, strict=True)) for line in cursor]
        except sqlite3.Error as error:
            raise StoreUnavailable(f"cannot read {self._reader.directory}: {error}") from error
        return sorted(found, key=lambda entry: str(entry["call"]), reverse=True)

    def _read(self, stream: Stream) -> Iterator[str]:
        """A little at first: of many streams most give nothing to a page."""
        below, size = stream.prefix + self._high, 1
        call = "call" if stream.key == "call" else "'c-' || substr(party, 3, 28)"
        sql = f"SELECT {call} {_bounded(stream)} ORDER BY {stream.key} DESC LIMIT ?"
        while True:
            values = [*stream.values, stream.prefix + self._low, below, size]
            found = [found for (found,) in self.all(sql, values)]
            yield from found
            if len(found) < size:
                return
            below = stream.prefix + found[-1][2:]
            size = min(size * 8, LARGEST_CHUNK)

    def _count(self, stream: Stream, most: int) -> int:
        sql = f"SELECT count(*) FROM (SELECT 1 {_bounded(stream)} LIMIT ?)"  # noqa: S608
        low, high = stream.prefix + self._low, stream.prefix + self._high
        return int(self.all(sql, [*stream.values, low, high, most])[0][0])


def hexadecimal(ms: int | None, otherwise: str) -> str:
    """A time as ids have it behind their first two characters."""
    return otherwise if ms is None else f"{max(0, ms):012x}"


def _bounded(stream: Stream) -> str:
    return f"FROM {stream.table} WHERE {stream.where} AND {stream.key} >= ? AND {stream.key} < ?"
