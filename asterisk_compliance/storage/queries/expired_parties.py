"""Whose recordings are gone: the parties of calls of which nothing is kept any more."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from asterisk_compliance.domain.audit.call_record import minted_ms
from asterisk_compliance.domain.audit.encoding import milliseconds, timestamp
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.ids import CallId, PartyId
from asterisk_compliance.storage.log.reader import StoreReader

_OUTLIVED = """
SELECT party, call, ended_at, gone_at FROM (
    SELECT parties.party, parties.call, calls.ended_at,
        (SELECT max(level_at) FROM recordings WHERE recordings.call = parties.call) AS gone_at
    FROM parties JOIN calls ON calls.call = parties.call
    WHERE parties.party < ?1 AND parties.erased_at IS NULL
        AND substr(parties.party, 3, 28) = substr(parties.call, 3)
        AND (calls.ended_at < ?3 OR (calls.ended_at IS NULL AND parties.party < ?2))
        AND NOT EXISTS (
            SELECT 1 FROM recordings WHERE recordings.call = parties.call
            AND level NOT IN ('empty', 'missing', 'removed', 'disposed')
        )
        AND EXISTS (
            SELECT 1 FROM party_values
            WHERE party_values.party = parties.party AND party_values.salt <> x''
        )
)
WHERE gone_at IS NULL OR gone_at < ?3
ORDER BY party
"""


class Outlived(NamedTuple):
    """Somebody of whom values are kept, and no recording.

    Attributes:
        since_ms: When the last recording of the call went, or when it ended, in Unix milliseconds.
    """

    party: PartyId
    call: CallId
    since_ms: int


def outlived(reader: StoreReader, before_ms: int, over_ms: int) -> Iterator[Outlived]:
    """Those of calls that were over, and of which nothing was kept any more, before ``before_ms``.

    Args:
        reader: Of the store; it must stay open until the last one was taken.
        before_ms: Unix milliseconds.
        over_ms: A call that began before is over, also where no row says that it ended.

    Raises:
        StoreUnavailable: the store cannot be read.
    """
    bounds = (max(0, before_ms), max(0, over_ms))
    values = (*(f"y-{ms:012x}" for ms in bounds), timestamp(bounds[0]))
    try:
        for party, call, ended_at, gone_at in reader.connection.execute(_OUTLIVED, values):
            ends = [milliseconds(at) for at in (ended_at, gone_at) if at]
            yield Outlived(PartyId(party), CallId(call), max(ends, default=minted_ms(call)))
    except sqlite3.Error as error:
        raise StoreUnavailable(f"cannot read {reader.directory}: {error}") from error
