"""What lists and searches read: one entry per call and per recording, derived from rows alone.

A row changes an entry without looking at it, so that the same rows in the same order always give
the same entries, and the tables can be thrown away and made again. Unknown kinds and details
change nothing: the log may say more than a list shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

from asterisk_compliance.domain.audit.call_record import minted_ms
from asterisk_compliance.domain.audit.encoding import Row, milliseconds
from asterisk_compliance.domain.audit.rows import Kind

Column: TypeAlias = str | int | None
ProjectionTable: TypeAlias = Literal["calls", "recordings"]
_Columns: TypeAlias = dict[str, Column]

PURPOSE_SEPARATOR: Final = "&"
"""As in the dialplan's ``COMPLIANCE_PURPOSES``."""


class ProjectionChange(NamedTuple):
    """Set ``columns`` of the entry ``key``, which is made if it is not there.

    Attributes:
        key: A call id in ``calls``, a recording id in ``recordings``.
        columns: Never the key itself; a column that is not named keeps its value.
    """

    table: ProjectionTable
    key: str
    columns: Mapping[str, Column]


_NOTICE_STATES: Final[Mapping[str, str]] = {
    Kind.NOTICE_STARTED: "started",
    Kind.NOTICE_COMPLETED: "completed",
    Kind.NOTICE_INCOMPLETE: "incomplete",
}

_LEVELS: Final[Mapping[str, str]] = {
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

LEVELS: Final = tuple(dict.fromkeys(_LEVELS.values()))
"""What a recording can be, as lists say it."""


def project(row: Row) -> ProjectionChange | None:
    """The change that ``row`` makes to the entry of its call or of its recording."""
    call = row.call
    if call is None:
        return None
    if of_call := _OF_CALLS.get(row.kind):
        return ProjectionChange("calls", call, {"node": row.node, **of_call(row, call)})
    if of_recording := _OF_RECORDINGS.get(row.kind):
        recording = _text(row.detail, "recording")
        if recording is not None:
            columns = {"call": call, "node": row.node, **of_recording(row)}
            return ProjectionChange("recordings", recording, columns)
    return None


def _arrived(row: Row, _call: str) -> _Columns:
    named = ("channel", "linkedid", "policy", "entry", "leg")
    queue = row.detail.get("queue")
    known: _Columns = {"queue": queue} if isinstance(queue, str) else {}
    return {"arrived_at": row.at, **{name: _text(row.detail, name) for name in named}, **known}


def _noticed(row: Row, _call: str) -> _Columns:
    parts = [_text(row.detail, name) for name in ("notice", "version", "language")]
    columns: _Columns = {"notice_state": _NOTICE_STATES[row.kind], "notice_at": row.at}
    return columns | ({"notice": "/".join(filter(None, parts))} if parts[0] else {})


def _decided(row: Row, _call: str) -> _Columns:
    return {
        "decision": _text(row.detail, "status"),
        "reason": _text(row.detail, "reason"),
        "purposes": _joined(row.detail, "purposes"),
        "decided_at": row.at,
    }


def _consented(row: Row, _call: str) -> _Columns:
    said = _text(row.detail, "state")
    earlier = {"withdrawn": _text(row.detail, "earlier")} if said == "withdrawn" else {}
    return {"consent": said, **earlier}


def _ended(row: Row, call: str) -> _Columns:
    return {"ended_at": row.at, "lasted_ms": _lasted_ms(row, call)}


def _lasted_ms(row: Row, call: str) -> int | None:
    """How long a call lasted from when its id was made; ``None`` where nobody saw its end."""
    if row.detail.get("observed_late") is True:
        return None
    try:
        return max(0, milliseconds(row.at) - minted_ms(call))
    except ValueError:  # somebody has changed the row; the tree names it
        return None


def _level(row: Row) -> _Columns:
    return {"level": _LEVELS[row.kind], "level_at": row.at}


def _asked_for(row: Row) -> _Columns:
    capture = _text(row.detail, "capture")
    return {**_level(row), "requested_at": row.at, "capture": capture, **_retention(row.detail)}


def _adopted(row: Row) -> _Columns:
    capture = _text(row.detail, "capture")
    return {**_level(row), "told_by": "dialplan", "capture": capture, **_retention(row.detail)}


def _closed(row: Row) -> _Columns:
    named = ("sha256", "rx_sha256", "tx_sha256", "rx", "tx", "length")
    return {
        **_level(row),
        **{name: _text(row.detail, name) for name in named},
        "length_ms": _integer(row.detail, "length_ms"),
        "whole": int(row.detail.get("whole") is True),
    }


def _sealed(row: Row) -> _Columns:
    return {
        **_level(row),
        "sealed_sha256": _text(row.detail, "sha256"),
        "sealed_bytes": _integer(row.detail, "bytes"),
    }


def _retention(detail: Mapping[str, object]) -> _Columns:
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


_OF_CALLS: Final[Mapping[str, Callable[[Row, str], _Columns]]] = {
    Kind.CALL_ARRIVED: _arrived,
    **dict.fromkeys(_NOTICE_STATES, _noticed),
    Kind.DECISION: _decided,
    Kind.CONSENT: _consented,
    Kind.CALL_CONTINUED: lambda row, _: {"continued_at": row.at},
    Kind.CALL_ENDED: _ended,
}
_OF_RECORDINGS: Final[Mapping[str, Callable[[Row], _Columns]]] = {
    **dict.fromkeys(_LEVELS, _level),
    Kind.RECORDING_REQUESTED: _asked_for,
    Kind.RECORDING_ADOPTED: _adopted,
    Kind.RECORDING_CLOSED: _closed,
    Kind.RECORDING_SEALED: _sealed,
    Kind.SPOOL_REMOVED: lambda row: {"removed_at": row.at},
}
