"""What lists and searches read: one entry per call and per recording, derived from rows alone.

A row changes an entry without looking at it, so that the same rows in the same order always give
the same entries, and the tables can be thrown away and made again. Unknown kinds and details
change nothing: the log may say more than a list shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from asterisk_compliance.domain.row_format import Row
from asterisk_compliance.domain.rows import Kind

Column: TypeAlias = str | int | None
Table: TypeAlias = Literal["calls", "recordings"]

PURPOSE_SEPARATOR: Final = "&"
"""As in the dialplan's ``COMPLIANCE_PURPOSES``."""


@dataclass(frozen=True, slots=True)
class Change:
    """Set ``columns`` of the entry ``key``, which is made if it is not there.

    Attributes:
        key: A call id in ``calls``, a recording id in ``recordings``.
        columns: Never the key itself; a column that is not named keeps its value.
    """

    table: Table
    key: str
    columns: Mapping[str, Column]


_NOTICE_STATES = {
    Kind.NOTICE_STARTED: "started",
    Kind.NOTICE_COMPLETED: "completed",
    Kind.NOTICE_INCOMPLETE: "incomplete",
}

_LEVELS = {
    Kind.RECORDING_REQUESTED: "requested",
    Kind.RECORDING_ADOPTED: "dialplan",
    Kind.RECORDING_STARTED: "started",
    Kind.RECORDING_GROWING: "growing",
    Kind.RECORDING_STALLED: "stalled",
    Kind.RECORDING_EMPTY: "empty",
    Kind.RECORDING_MISSING: "missing",
    Kind.RECORDING_CLOSED: "closed",
    Kind.RECORDING_UNJUDGED: "unjudged",
    Kind.RECORDING_SEALED: "sealed",
    Kind.RECORDING_REMOVED: "removed",
    Kind.DISPOSAL_BEGUN: "disposing",
    Kind.RECORDING_DISPOSED: "disposed",
}


def project(row: Row) -> Change | None:
    """The change that ``row`` makes to the entry of its call or of its recording."""
    if row.call is None:
        return None
    if row.kind in _LEVELS or row.kind == Kind.SPOOL_REMOVED:
        return _recording_change(row, row.call)
    columns = _call_columns(row)
    return None if columns is None else Change("calls", row.call, {"node": row.node, **columns})


def _call_columns(row: Row) -> dict[str, Column] | None:
    detail = row.detail
    match row.kind:
        case Kind.CALL_ARRIVED:
            named = ("channel", "linkedid", "policy", "entry")
            queue = detail.get("queue")
            known: dict[str, Column] = {"queue": queue} if isinstance(queue, str) else {}
            return {"arrived_at": row.at, **{name: _text(detail, name) for name in named}, **known}
        case Kind.NOTICE_STARTED | Kind.NOTICE_COMPLETED | Kind.NOTICE_INCOMPLETE:
            parts = [_text(detail, name) for name in ("notice", "version", "language")]
            columns: dict[str, Column] = {
                "notice_state": _NOTICE_STATES[Kind(row.kind)],
                "notice_at": row.at,
            }
            return columns | ({"notice": "/".join(filter(None, parts))} if parts[0] else {})
        case Kind.DECISION:
            return {
                "decision": _text(detail, "status"),
                "reason": _text(detail, "reason"),
                "purposes": _joined(detail, "purposes"),
                "decided_at": row.at,
            }
        case Kind.CONSENT if detail.get("state") == "withdrawn":
            return {"withdrawn": _text(detail, "earlier")}
        case Kind.CALL_CONTINUED:
            return {"continued_at": row.at}
        case Kind.CALL_ENDED:
            return {"ended_at": row.at}
        case _:
            return None


def _recording_change(row: Row, call: str) -> Change | None:
    recording = _text(row.detail, "recording")
    if recording is None:
        return None
    columns: dict[str, Column] = {"call": call, "node": row.node}
    if row.kind == Kind.SPOOL_REMOVED:
        columns["removed_at"] = row.at
    else:
        columns |= {"level": _LEVELS[Kind(row.kind)], "level_at": row.at}
    match row.kind:
        case Kind.RECORDING_REQUESTED:
            columns |= {"requested_at": row.at, "capture": _text(row.detail, "capture")}
            columns |= _retention(row.detail)
        case Kind.RECORDING_ADOPTED:
            columns |= {"told_by": "dialplan", "capture": _text(row.detail, "capture")}
            columns |= _retention(row.detail)
        case Kind.RECORDING_CLOSED:
            named = ("sha256", "rx_sha256", "tx_sha256", "rx", "tx", "length")
            columns |= {name: _text(row.detail, name) for name in named}
            columns["length_ms"] = _integer(row.detail, "length_ms")
            columns["whole"] = int(row.detail.get("whole") is True)
        case Kind.RECORDING_SEALED:
            columns["sealed_sha256"] = _text(row.detail, "sha256")
            columns["sealed_bytes"] = _integer(row.detail, "bytes")
        case _:
            pass
    return Change("recordings", recording, columns)


def _retention(detail: Mapping[str, object]) -> dict[str, Column]:
    """Nothing, where a row of an earlier version says nothing."""
    said = {"policy": _text(detail, "policy"), "retention": _joined(detail, "retention")}
    return {name: value for name, value in said.items() if value is not None}


def _text(detail: Mapping[str, object], name: str) -> str | None:
    value = detail.get(name)
    return value if isinstance(value, str) and value else None


def _integer(detail: Mapping[str, object], name: str) -> int | None:
    value = detail.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _joined(detail: Mapping[str, object], name: str) -> str | None:
    value = detail.get(name)
    if isinstance(value, tuple):
        return PURPOSE_SEPARATOR.join(map(str, value)) or None
    return _text(detail, name)
