"""Follows the log: yields rows as they become durable, without a gap."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from asterisk_compliance.errors import LogBroken, StoreUnavailable
from asterisk_compliance.storage.log.reader import RowQuery, StoredRow, StoreReader

READ_ROWS = 1_000


def follow(reader: StoreReader, first: int | None, wait: Callable[[], bool]) -> Iterator[StoredRow]:
    """Every row from ``first`` on, without a gap; from the next one on if it is ``None``.

    No transaction is open while a row is in the caller's hands, however long he keeps it: one that
    is open holds back what the log's owner wants to overwrite.

    Args:
        reader: Of the store.
        first: ``seq``; the one after the last row that is there is right.
        wait: Called when there is nothing new; ``False`` ends it.

    Raises:
        StoreUnavailable: ``first`` is further on than that, so it is not of this log.
        LogBroken: a row is missing.
    """
    size = reader.head().size
    if first is not None and first > size:
        raise StoreUnavailable(
            f"the log has {size} rows, and ends before row {first}",
            hint="is it the log that was followed before?",
        )
    seq = size if first is None else first
    seen: int | None = None
    while True:
        version = reader.data_version()
        if version != seen:
            while rows := list(reader.rows(RowQuery(first_seq=seq, limit=READ_ROWS))):
                for row in rows:
                    if row.seq != seq:
                        raise LogBroken("missing", seq)
                    yield row
                    seq += 1
            seen = version
        if not wait():
            return
