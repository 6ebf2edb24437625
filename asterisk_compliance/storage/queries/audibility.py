"""Reads the rows of a call, or of all calls of a channel."""

from __future__ import annotations

import sqlite3

from asterisk_compliance.domain.audit.encoding import Row, decode
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.storage.log.reader import RowQuery, StoreReader

_OWN_CALLS = "SELECT call FROM calls WHERE channel = ? AND node = ? ORDER BY call"


def rows_of(reader: StoreReader, call: str) -> list[Row]:
    """All rows of a call, in order."""
    return [decode(stored.data) for stored in reader.rows(RowQuery(call=call))]


def own_rows(reader: StoreReader, node: str, channel: str) -> list[Row]:
    """All rows of the calls with which a channel entered the routine itself.

    Raises:
        StoreUnavailable: the log cannot be read.
    """
    try:
        found = reader.connection.execute(_OWN_CALLS, (channel, node)).fetchall()
    except sqlite3.Error as error:
        raise StoreUnavailable(f"cannot read {reader.directory}: {error}") from error
    return [row for (call,) in found for row in rows_of(reader, call)]
