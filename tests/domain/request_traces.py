"""Rows of requests as the log has them, in few words."""

from __future__ import annotations

from typing import Any

from asterisk_compliance.domain.audit.encoding import Row, milliseconds, timestamp
from asterisk_compliance.domain.subject_requests.requests import SubjectRequest, requests_of
from asterisk_compliance.ids import CallId, NodeName, RequestId, call_id, request_id

RECEIVED = "2026-11-24T03:00:00.000Z"
DUE = "2026-12-08T15:00:00.000Z"
LATER = "2027-02-24T15:00:00.000Z"
RECEIVED_MS, DUE_MS = milliseconds(RECEIVED), milliseconds(DUE)
REQUEST = request_id(RECEIVED_MS, b"8 bytes!")
OTHER = request_id(RECEIVED_MS, b"8 other!")
ONE, TWO, THREE = (call_id(RECEIVED_MS - number, bytes(8)) for number in (3, 2, 1))

_OPENED: dict[str, Any] = {
    "basis": "PROMISE",
    "by": "PERSON",
    "due_at": DUE,
    "fee": "",
    "legal_at": None,
    "received_at": RECEIVED,
    "regime": "jp",
    "request": REQUEST,
    "requester": "y-1",
    "right": "ERASE",
}
_DECIDED: dict[str, Any] = {
    "cause": "",
    "excepted": (),
    "ground": "",
    "matters": (),
    "purposes": (),
    "reason": "LAW",
    "verdict": "GRANTED",
}
GRANTED = {"cause": "JP_CEASE_USE"}


def row(kind: str, call: CallId | None = None, at_ms: int = RECEIVED_MS, **detail: Any) -> Row:
    """A row; of :data:`REQUEST`, unless it says another."""
    said = {"request": REQUEST, **detail}
    return Row("y-2", timestamp(at_ms), call, said, kind, "log", NodeName("service"), "0" * 32, 0)


def opened(**detail: Any) -> Row:
    return row("request_opened", **{**_OPENED, **detail})


def about(*calls: CallId, request: RequestId = REQUEST) -> list[Row]:
    return [
        row("request_call", call, request=request, by="ID", party=f"y-{call[2:]}-1")
        for call in calls
    ]


def identified(how: str = "CALLED_BACK", authority: str = "") -> Row:
    return row("request_identified", how=how, authority=authority)


def decided(**detail: Any) -> Row:
    return row("request_decided", **{**_DECIDED, **detail})


def carried_out(*kept: CallId, matters: tuple[str, ...] = ()) -> Row:
    return row("request_carried_out", kept=kept, matters=matters)


def answered(at_ms: int = RECEIVED_MS) -> Row:
    return row("request_answered", at_ms=at_ms)


def withdrawn() -> Row:
    return row("request_withdrawn")


def the(*rows: Row) -> SubjectRequest:
    """What they say of :data:`REQUEST`."""
    return requests_of(rows)[REQUEST]
