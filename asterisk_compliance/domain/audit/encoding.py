"""How a row is written down: one line of JSON with exactly one form, from which its leaf follows.

The form is RFC 8785 (JCS), narrowed until only one byte string can say a thing: no floats, no
nesting, integers that every JSON reader holds exactly, ASCII keys. ``docs/audit-format.md``
states it for those who write a verifier of their own.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, TypeAlias

import msgspec

from asterisk_compliance.domain.audit.rows import Draft, PersonalFact
from asterisk_compliance.ids import CallId, NodeName

LARGEST_INTEGER = 2**53 - 1
"""Beyond it an IEEE double, which is what many JSON readers have, is no longer exact."""
SALT_BYTES = 32
NONCE_BYTES = 16

_Integer: TypeAlias = Annotated[int, msgspec.Meta(ge=-LARGEST_INTEGER, le=LARGEST_INTEGER)]
StoredDetail: TypeAlias = str | _Integer | bool | tuple[str, ...] | None

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR_10000_MS = 253_402_300_800_000
_ENVELOPE = re.compile(
    rb'\{"actor":"[a-z0-9._-]{1,64}"'
    rb',"at":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"'
    rb',"call":(?:null|"c-[0-9a-f]{28}")'
    rb',"detail":\{.*\}'
    rb',"kind":"[a-z][a-z0-9_]{0,63}"'
    rb',"log":"[A-Za-z0-9._-]{1,64}"'
    rb',"node":"[A-Za-z0-9._-]{1,64}"'
    rb',"nonce":"[0-9a-f]{32}"'
    rb',"seq":(?:0|[1-9][0-9]{0,15})\}',
    re.DOTALL,
)
_KEY = re.compile(r"[a-z0-9_.]{1,64}")
_FIELD = re.compile(r"[a-z0-9_]{1,32}")


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row as it is stored. Fields stand in the order in which they are written.

    Attributes:
        actor: A value of :class:`~asterisk_compliance.domain.audit.rows.Actor` or a party's id.
        at: UTC with milliseconds, ``2026-11-24T08:00:00.123Z``.
        kind: Not limited to the kinds known here: an old program can verify a newer log.
        log: Which log; made of chance when the store is created, the same in all of its rows.
        nonce: 32 hex digits of chance, so that nobody can guess a row from its leaf.
        seq: Index of the row and of its leaf, from 0.
    """

    actor: str
    at: str
    call: CallId | None
    detail: dict[str, StoredDetail]
    kind: str
    log: str
    node: NodeName
    nonce: str
    seq: _Integer


_ENCODER = msgspec.json.Encoder(order="deterministic")
_DECODER = msgspec.json.Decoder(Row)
_BLOCK_DECODER = msgspec.json.Decoder(list[Row])


def timestamp(at_ms: int) -> str:
    """Unix milliseconds as they stand in a row.

    Raises:
        ValueError: before 1970 or after 9999.
    """
    if not 0 <= at_ms < _YEAR_10000_MS:
        raise ValueError("the time of a row is out of range")
    return f"{_second(at_ms // 1_000)}.{at_ms % 1_000:03}Z"


@lru_cache(maxsize=16)
def _second(at_s: int) -> str:
    """Rows come many a second."""
    return (_EPOCH + timedelta(seconds=at_s)).isoformat()[:-6]


def milliseconds(at: str) -> int:
    """The inverse of :func:`timestamp`."""
    return (datetime.fromisoformat(at) - _EPOCH) // timedelta(milliseconds=1)


def commitment(salt: bytes, field: str, value: str) -> str:
    """What a row says of a value that identifies a person: HMAC-SHA-256 over field, 0, value."""
    return _keyed(salt, field, value).hex()


def search_digest(key: bytes, field: str, search_key: str) -> bytes:
    """By what a person's rows are found without storing the number in an index."""
    return _keyed(key, field, search_key)


def _keyed(key: bytes, field: str, value: str) -> bytes:
    if not _FIELD.fullmatch(field):
        raise ValueError(f"{field!r} is no name of a personal field")
    return hmac.digest(key, field.encode() + b"\x00" + value.encode(), "sha256")


def place(
    draft: Draft, *, seq: int, log: str, nonce: bytes, salts: Mapping[PersonalFact, bytes]
) -> Row:
    """Give a draft its place in the log; its personal facts become commitments.

    Raises:
        ValueError: facts without a party, two facts of one field, or a detail that would be
            overwritten by a commitment.
    """
    person: dict[str, str] = {}
    if draft.party is not None:
        person["party"] = draft.party
    if draft.role is not None:
        person["role"] = draft.role
    for fact in draft.facts:
        person[f"commit.{fact.field}"] = commitment(salts[fact], fact.field, fact.value)
    if draft.facts and draft.party is None:
        raise ValueError("personal facts need a party")
    if len({fact.field for fact in draft.facts}) < len(draft.facts):
        raise ValueError("a row says each personal field once")
    if taken := person.keys() & draft.detail.keys():
        raise ValueError(f"detail {min(taken)!r} is set by the log itself")
    return Row(
        actor=draft.actor,
        at=timestamp(draft.at_ms),
        call=draft.call,
        detail={**draft.detail, **person},
        kind=draft.kind,
        log=log,
        node=draft.node,
        nonce=nonce.hex(),
        seq=seq,
    )


def encode(row: Row) -> bytes:
    """The canonical bytes of ``row``.

    Raises:
        ValueError: something in it has no canonical form, or would not be read back the same.
    """
    try:
        data = _ENCODER.encode(row)
    except (TypeError, OverflowError, msgspec.MsgspecError) as error:
        raise ValueError(f"this row cannot be written: {error}") from None
    if decode(data) != row:
        raise ValueError("this row would not be read back as it is")
    return data


def decode(data: bytes) -> Row:
    """Read a row, strictly: writing it again gives the same bytes.

    Raises:
        ValueError: these bytes are not a row in its canonical form.
    """
    if not _ENVELOPE.fullmatch(data):
        raise ValueError("not in the form of a row")
    try:
        row = _DECODER.decode(data)
        datetime.fromisoformat(row.at)
    except (ValueError, msgspec.MsgspecError) as error:
        raise ValueError(f"not a row: {error}") from None
    if _ENCODER.encode(row) != data:
        raise ValueError("not written canonically")
    if not all(map(_is_key, row.detail)):
        raise ValueError("not a row: a detail's name is not one")
    return row


def decode_block(lines: Sequence[bytes]) -> list[Row]:
    """Read many rows as strictly as :func:`decode`, in two thirds of its time.

    Raises:
        ValueError: one of them at least is no row; :func:`decode` says which, and why.
    """
    block = b"[" + b",".join(lines) + b"]"
    try:
        rows = _BLOCK_DECODER.decode(block)
        for row in rows:
            datetime.fromisoformat(row.at)
    except (ValueError, msgspec.MsgspecError):
        raise ValueError("not all of these are rows") from None
    # An envelope around each line, and as many rows as lines: no line holds two, or a part of one.
    if (
        len(rows) != len(lines)
        or not all(map(_ENVELOPE.fullmatch, lines))
        or _ENCODER.encode(rows) != block
        or not all(all(map(_is_key, row.detail)) for row in rows)
    ):
        raise ValueError("not all of these are rows")
    return rows


@lru_cache(maxsize=1024)
def _is_key(text: str) -> bool:
    return _KEY.fullmatch(text) is not None
