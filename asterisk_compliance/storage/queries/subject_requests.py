"""Reads requests of people, and the corrections and packages that belong to them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from heapq import merge
from typing import NamedTuple

from asterisk_compliance.domain.audit.encoding import Row, decode
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.subject_requests.requests import KINDS, SubjectRequest, requests_of
from asterisk_compliance.errors import LogBroken, StoreUnavailable
from asterisk_compliance.ids import CallId, RequestId
from asterisk_compliance.storage.log.reader import RowQuery, StoreReader

_CORRECTIONS = """
SELECT rows.seq, rows.at, party_values.value
FROM rows LEFT JOIN party_values ON party_values.seq = rows.seq AND party_values.salt <> x''
WHERE rows.call = ? AND rows.kind = 'call_annotated' ORDER BY rows.seq
"""


class Correction(NamedTuple):
    """What a person says is right about a call.

    Attributes:
        seq: Of the row that commits to it.
        text: Empty if it was erased.
    """

    seq: int
    at: str
    text: str


def every_request(reader: StoreReader) -> dict[RequestId, SubjectRequest]:
    """All that there ever were, the oldest first.

    Raises:
        StoreUnavailable: they cannot be read.
        LogBroken: a row is none.
    """
    return requests_of(_rows(reader, KINDS))


def corrections(reader: StoreReader, call: CallId) -> list[Correction]:
    """What people put beside ``call``, the oldest first; errors as of :func:`every_request`."""
    try:
        found = reader.connection.execute(_CORRECTIONS, (call,)).fetchall()
    except sqlite3.Error as error:
        raise StoreUnavailable(f"cannot read {reader.directory}: {error}") from error
    return [Correction(seq, at, text or "") for seq, at, text in found]


def packages_of(reader: StoreReader, request: RequestId) -> set[str]:
    """The SHA-256 of each package that was made for a request, in hex."""
    rows = _rows(reader, (Kind.ANSWER_PACKAGED,))
    return {str(row.detail["sha256"]) for row in rows if row.detail["request"] == request}


def rows_about(reader: StoreReader, call: CallId, kind: Kind) -> list[tuple[int, Row]]:
    """The rows of one kind about a call, each with its number."""
    stored = reader.rows(RowQuery(call=call, kind=kind))
    return [(one.seq, _decoded(one.seq, one.data)) for one in stored]


def _rows(reader: StoreReader, kinds: tuple[Kind, ...]) -> Iterator[Row]:
    by_kind = [reader.rows(RowQuery(kind=kind)) for kind in kinds]
    for stored in merge(*by_kind, key=lambda one: one.seq):
        yield _decoded(stored.seq, stored.data)


def _decoded(seq: int, data: bytes) -> Row:
    try:
        return decode(data)
    except ValueError as error:
        raise LogBroken(str(error), seq) from None
