"""Drafts as a call makes them, for tests of the store."""

import sqlite3
from pathlib import Path
from typing import Any

from asterisk_compliance.domain.audit.rows import Actor, Draft, Kind, PersonalFact
from asterisk_compliance.ids import CallId, NodeName, call_id, party_id, recording_id
from asterisk_compliance.storage.log.schema import DATABASE

NODE = NodeName("pbx1")
AT_MS = 1_795_507_200_000  # 2026-11-24T08:00:00Z
NUMBER = PersonalFact("number", "+81312345678", "81312345678")
NAME = PersonalFact("name", "山田 太郎")


def a_call(number: int) -> CallId:
    return call_id(AT_MS + number, number.to_bytes(8))


def draft(kind: Kind, call: CallId | None = None, at_ms: int = AT_MS, **fields: Any) -> Draft:
    return Draft(kind=kind, at_ms=at_ms, node=NODE, call=call, **fields)


def a_recorded_call(call: CallId, at_ms: int = AT_MS) -> list[Draft]:
    """Eleven rows: told, allowed, recorded, closed."""
    notice = {"notice": "standard/1/ja"}
    recording = {"recording": recording_id(call, 1)}
    purposes = ("QUALITY", "TRAINING")
    decision = {"status": "ALLOWED", "reason": "NOTICE_COMPLETED", "purposes": purposes, **notice}
    closed = {
        "sha256": "ab" * 32,
        "length_ms": 61_240,
        "length": "ok",
        "rx": "heard",
        "tx": "heard",
        "whole": True,
    }
    arrived = {"channel": "1795507200.1", "linkedid": "1795507200.1", "policy": "inbound"}
    steps: list[tuple[Kind, dict[str, Any], int]] = [
        (Kind.NOTICE_STARTED, notice, 2),
        (Kind.NOTICE_COMPLETED, {**notice, "length_ms": 12_000, "lasted_ms": 12_003}, 12_005),
        (Kind.DECISION, decision, 12_006),
        (Kind.RECORDING_REQUESTED, {**recording, "capture": "bridged", "others": True}, 12_007),
        (Kind.CALL_CONTINUED, {}, 12_008),
        (Kind.RECORDING_STARTED, recording, 12_100),
        (Kind.RECORDING_GROWING, recording, 14_000),
        (Kind.CALL_ENDED, {}, 73_000),
        (Kind.RECORDING_CLOSED, {**recording, **closed}, 73_100),
        (Kind.SPOOL_REMOVED, {**recording, "files": 2}, 73_101),
    ]
    return [
        draft(
            Kind.CALL_ARRIVED,
            call,
            at_ms,
            actor=Actor.CALLER,
            party=party_id(call, 1),
            role="caller",
            facts=(NUMBER, NAME),
            detail={**arrived, "entry": "ari"},
        ),
        *(draft(kind, call, at_ms + after, detail=detail) for kind, detail, after in steps),
    ]


def an_unrecorded_call(call: CallId, at_ms: int = AT_MS) -> list[Draft]:
    """Four rows: the caller hung up in the notice."""
    notice = {"notice": "standard/1/ja"}
    decision = {"status": "NOT_RECORDED", "reason": "HANGUP_IN_NOTICE", "purposes": ()}
    return [
        draft(Kind.CALL_ARRIVED, call, at_ms, detail={"policy": "inbound", "entry": "ari"}),
        draft(Kind.NOTICE_STARTED, call, at_ms + 2, detail=notice),
        draft(Kind.NOTICE_INCOMPLETE, call, at_ms + 900, detail={"reason": "HANGUP_IN_NOTICE"}),
        draft(Kind.DECISION, call, at_ms + 901, detail=decision),
    ]


def tamper(store: Path, sql: str) -> None:
    """As somebody would who can write the file: the triggers are no obstacle to him."""
    db = sqlite3.connect(store / DATABASE, isolation_level=None)
    for (trigger,) in db.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'trigger'"
    ).fetchall():
        db.execute(f"DROP TRIGGER {trigger}")
    db.executescript(sql)
    db.close()
