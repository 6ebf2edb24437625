"""Reads what identifies people: parties, openings of commitments, and parties due for erasure."""

from __future__ import annotations

import hmac
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, TypeAlias

from asterisk_compliance.domain.audit.call_record import minted_ms
from asterisk_compliance.domain.audit.encoding import (
    Row,
    commitment,
    decode,
    milliseconds,
    timestamp,
)
from asterisk_compliance.domain.retention.erasure import KeptParty
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.ids import CallId, NodeName, PartyId, party_id
from asterisk_compliance.storage.log.reader import StoreReader

_COMMIT = "commit."

_PARTIES = """
SELECT parties.party, parties.role, parties.call, parties.erased_at,
    calls.node, calls.channel, calls.linkedid, calls.arrived_at, calls.ended_at,
    (SELECT row ->> '$.detail.leg' FROM rows
        WHERE rows.call = parties.call AND rows.kind = 'call_arrived' LIMIT 1),
    (SELECT group_concat(field) FROM party_values WHERE party_values.party = parties.party
        AND salt <> x''),
    (SELECT count(*) FROM party_digests WHERE party_digests.party = parties.party)
FROM parties LEFT JOIN calls ON calls.call = parties.call WHERE parties.party = ?
"""
_ROWS = """
SELECT seq, row FROM rows WHERE call = ?2 AND row ->> '$.detail.party' = ?1
UNION SELECT rows.seq, rows.row FROM party_values JOIN rows ON rows.seq = party_values.seq
    WHERE party_values.party = ?1
ORDER BY 1
"""

CommitmentState: TypeAlias = Literal["opened", "wrong", "erased", "missing"]


@dataclass(frozen=True, slots=True)
class CommitmentOpening:
    """What became of opening one commitment.

    Attributes:
        seq: The row that commits.
        state: ``opened``: value and salt give what the row says. ``wrong``: they give something
            else. ``erased``: they are gone, and the party is erased. ``missing``: they are gone,
            and it is not.
        value: Empty where none is kept.
    """

    seq: int
    party: str
    field: str
    state: CommitmentState
    value: str = ""


def party(reader: StoreReader, one: str) -> KeptParty | None:
    """The party with this id, or ``None`` if the store never heard of it."""
    lines = _all(reader, _PARTIES, one)
    if not lines:
        return None
    found = lines[0]
    name, role, call, erased_at, node, channel, linkedid, arrived_at, ended_at, leg = found[:10]
    return KeptParty(
        PartyId(name),
        NodeName(node or ""),
        role=role or "",
        call=CallId(call) if call else None,
        leg=leg or "",
        channel=channel or "",
        linkedid=linkedid or "",
        arrived_at=arrived_at or "",
        ended_at=ended_at or "",
        erased_at=erased_at or "",
        fields=tuple(sorted(found[10].split(","))) if found[10] else (),
        digests=found[11],
    )


def found_by(reader: StoreReader, keys: Mapping[str, Iterable[str]]) -> list[KeptParty]:
    """The parties that have one of these search keys, by field; in the order of their ids."""
    matched: dict[str, set[str]] = {}
    for field, wanted in keys.items():
        for key in wanted:
            for one in reader.parties_by(field, key):
                matched.setdefault(one, set()).add(field)
    return [
        replace(known, found_by=frozenset(fields))
        for one, fields in sorted(matched.items())
        if (known := party(reader, one)) is not None
    ]


def openings(reader: StoreReader, of: KeptParty) -> Iterator[CommitmentOpening]:
    """Open every commitment that rows make to a party, and say what came of it."""
    kept = {
        (seq, field): (salt, value)
        for seq, field, salt, value in _all(
            reader,
            "SELECT seq, field, salt, value FROM party_values WHERE party = ? AND salt <> x''",
            of.party,
        )
    }
    for seq, text in _all(reader, _ROWS, of.party, of.call):
        row = decode(text.encode())
        for name in sorted(row.detail):
            if name.startswith(_COMMIT):
                field = name.removeprefix(_COMMIT)
                yield _opened(of, row, field, kept.get((seq, field)))


def number_of(reader: StoreReader, call: CallId, *, callee: bool) -> str:
    """The number of the party that a call is with, as Asterisk gave it; empty if none is kept.

    Args:
        reader: Of the store.
        call: Which.
        callee: It was called, so that it is what was dialled.
    """
    sql = (
        "SELECT value FROM party_values WHERE party = ? AND field = ? AND salt <> x''"
        " ORDER BY seq LIMIT 1"
    )
    lines = _all(reader, sql, party_id(call, 1), "dialled" if callee else "number")
    return str(lines[0][0]) if lines else ""


def values(reader: StoreReader, of: Iterable[KeptParty]) -> list[str]:
    """Every value that is kept of these parties."""
    return [
        value
        for one in of
        for (value,) in _all(
            reader, "SELECT value FROM party_values WHERE party = ? AND salt <> x''", one.party
        )
    ]


def _all(reader: StoreReader, sql: str, *values: str | None) -> list[tuple[Any, ...]]:
    try:
        return reader.connection.execute(sql, values).fetchall()
    except sqlite3.Error as error:
        raise StoreUnavailable(f"cannot read {reader.directory}: {error}") from error


def _opened(
    of: KeptParty, row: Row, field: str, kept: tuple[bytes, Any] | None
) -> CommitmentOpening:
    if kept is None:
        gone: CommitmentState = "erased" if of.erased_at else "missing"
        return CommitmentOpening(row.seq, of.party, field, gone)
    salt, value = kept
    said = str(row.detail[f"{_COMMIT}{field}"])
    same = hmac.compare_digest(said, commitment(salt, field, value))
    return CommitmentOpening(row.seq, of.party, field, "opened" if same else "wrong", value)


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
