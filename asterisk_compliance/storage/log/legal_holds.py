"""Legal holds beside the log: what each is about, and digests of numbers, never a number.

They change in the transaction of the row that says so. A hold is named by the number of its row.
Released ones stay, so that nobody can say that there was none.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asterisk_compliance.domain.audit.call_record import minted_ms
from asterisk_compliance.domain.audit.encoding import search_digest, timestamp
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.domain.retention.legal_holds import CallAsHeld, Criteria, Hold, matters_of
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.ids import CallId
from asterisk_compliance.storage.log.personal_data import load_search_key

if TYPE_CHECKING:
    from asterisk_compliance.storage.log.reader import StoreReader

SEARCHED = ("number", "dialled")
"""The personal fields that hold a telephone number."""

KINDS = frozenset({Kind.HOLD_PLACED, Kind.HOLD_RELEASED})
"""Of the rows that :func:`apply` follows."""

_USER = "user"
_SYNTHETIC = (
    "SELECT 1 FROM rows WHERE call = ? AND kind = 'call_arrived' AND row ->> '$.detail.synthetic'"
)
_COLUMNS = (
    "hold, matter, placed_at, placed_by, call, numbered, queue, since_ms, until_ms, released_at"
)


@dataclass(frozen=True, slots=True)
class StoredHold:
    """A hold as the store has it.

    Attributes:
        placed_by: Digest of the user who placed it.
        released_at: Empty while it holds.
    """

    hold: Hold
    placed_at: str
    placed_by: bytes
    released_at: str


def apply(db: sqlite3.Connection, key: bytes, seq: int, draft: Draft) -> None:
    """Bring the holds to what row ``seq`` says."""
    detail: Any = draft.detail
    if draft.kind is Kind.HOLD_PLACED:
        db.execute(
            f"INSERT INTO holds ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",  # noqa: S608
            (
                seq,
                detail["matter"],
                timestamp(draft.at_ms),
                _placer(key, draft),
                draft.call,
                int(detail["numbered"]),
                detail["queue"],
                detail["since_ms"],
                detail["until_ms"],
            ),
        )
        digests = {search_digest(key, name, one) for name in SEARCHED for one in draft.held}
        db.executemany(
            "INSERT INTO hold_digests (digest, hold) VALUES (?, ?)",
            [(digest, seq) for digest in sorted(digests)],
        )
    elif draft.kind is Kind.HOLD_RELEASED:
        db.execute(
            "UPDATE holds SET released_at = coalesce(released_at, ?) WHERE hold = ?",
            (timestamp(draft.at_ms), detail["hold"]),
        )


def user_digest(reader: StoreReader, user: str) -> bytes:
    """What :attr:`StoredHold.placed_by` is of this user of the operating system."""
    return search_digest(load_search_key(reader.directory), _USER, user)


def every_hold(reader: StoreReader) -> list[StoredHold]:
    """All that there ever were, the oldest first.

    Raises:
        StoreUnavailable: they cannot be read.
    """
    lines = _all(reader, f"SELECT {_COLUMNS} FROM holds ORDER BY hold")  # noqa: S608  fixed text
    return [
        StoredHold(
            Hold(
                number,
                matter,
                Criteria(CallId(call) if call else None, bool(numbered), queue, since, until),
            ),
            placed_at,
            placed_by,
            released_at or "",
        )
        for number, matter, placed_at, placed_by, call, numbered, queue, since, until, released_at
        in lines
    ]  # fmt: skip


def matters_on(reader: StoreReader, calls: Iterable[CallId]) -> dict[CallId, tuple[str, ...]]:
    """The matters that hold each of ``calls``; who is not in it is held by nobody.

    Raises:
        StoreUnavailable: they cannot be read.
    """
    holds = [stored.hold for stored in every_hold(reader) if not stored.released_at]
    if not holds:
        return {}
    by_number = any(hold.criteria.numbered for hold in holds)
    by_queue = any(hold.criteria.queue for hold in holds)
    found: dict[CallId, tuple[str, ...]] = {}
    for call in calls:
        numbered = _numbered(reader, call) if by_number else frozenset()
        queue = _queue(reader, call) if by_queue else None
        if matters := matters_of(holds, CallAsHeld(call, minted_ms(call), queue, numbered)):
            found[call] = matters
    return found


def is_held(reader: StoreReader, call: CallId) -> bool:
    """Whether anybody holds a real call; one that the service placed to test itself never is."""
    if not matters_on(reader, [call]):
        return False
    return not _all(reader, _SYNTHETIC, (call,))


def calls_held(reader: StoreReader, one: Hold) -> int:
    """How many calls of the log a hold is about, whether anything of them is kept or not."""
    said = one.criteria
    sql = (
        "SELECT count(*) FROM calls WHERE (?1 IS NULL OR call = ?1)"
        " AND (?2 = '' OR queue = ?2 OR queue IS NULL) AND call >= ?3 AND call < ?4"
    )
    values: list[Any] = [said.call, said.queue, _id(said.since_ms, "c-"), _id(said.until_ms, "c-g")]
    if said.numbered:
        sql += (
            " AND call IN (SELECT 'c-' || substr(party, 3, 28)"
            " FROM hold_digests JOIN party_digests USING (digest) WHERE hold = ?5)"
        )
        values.append(one.number)
    return int(_all(reader, sql, values)[0][0])


def _id(ms: int | None, otherwise: str) -> str:
    return otherwise if ms is None else f"c-{ms:012x}"


def _numbered(reader: StoreReader, call: CallId) -> frozenset[int]:
    """The holds that are about a number which a party of the call has."""
    parties = f"y-{call[2:]}-"
    lines = _all(
        reader,
        "SELECT hold FROM party_digests JOIN hold_digests USING (digest)"
        " WHERE party >= ? AND party < ?",
        (parties, f"{parties}:"),
    )
    return frozenset(hold for (hold,) in lines)


def _queue(reader: StoreReader, call: CallId) -> str | None:
    found = _all(reader, "SELECT queue FROM calls WHERE call = ?", (call,))
    return found[0][0] if found else None


def _placer(key: bytes, draft: Draft) -> bytes:
    users = [fact.value for fact in draft.facts if fact.field == _USER]
    return search_digest(key, _USER, users[0]) if users else b""


def _all(reader: StoreReader, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    try:
        return reader.connection.execute(sql, values).fetchall()
    except sqlite3.Error as error:
        raise StoreUnavailable(f"cannot read {reader.directory}: {error}") from error
