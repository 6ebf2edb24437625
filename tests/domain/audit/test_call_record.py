"""Calls folded from their rows."""

from __future__ import annotations

from typing import Any

import msgspec

from asterisk_compliance.domain.audit.call_record import (
    LoggedCall,
    LoggedDecision,
    LoggedRecording,
    RowFact,
    fold,
    minted_ms,
)
from asterisk_compliance.domain.audit.encoding import encode, place
from sample_rows import AT_MS, a_call, a_recorded_call

CALL = a_call(1)
RECORDING = f"r-{CALL[2:]}-1"


def facts(*rows: tuple[str, dict[str, Any]]) -> list[RowFact]:
    raw = [{"kind": kind, "at": "2026-11-24T08:00:00.000Z", "detail": d} for kind, d in rows]
    return msgspec.convert(raw, list[RowFact])


def test_a_recorded_call_from_rows_as_they_are_stored():
    rows = [
        encode(
            place(
                draft,
                seq=seq,
                log="log",
                nonce=bytes(16),
                salts=dict.fromkeys(draft.facts, bytes(32)),
            )
        )
        for seq, draft in enumerate(a_recorded_call(CALL))
    ]
    call = fold(CALL, [msgspec.json.decode(row, type=RowFact) for row in rows])
    assert call == LoggedCall(
        CALL,
        "1795507200.1",
        "1795507200.1",
        [LoggedDecision("ALLOWED", "NOTICE_COMPLETED")],
        told=True,
        ended_ms=AT_MS + 73_000,
        recordings={RECORDING: LoggedRecording(True, "closed", "ab" * 32)},
    )
    assert call.names == (CALL, "1795507200.1", "1795507200.1")


def test_what_changes_a_call():
    call = fold(
        CALL,
        facts(
            ("call_arrived", {"channel": "1.1", "linkedid": "none"}),
            ("call_reentered", {}),
            ("call_ended", {"observed_late": True}),
            ("recording_removed", {"recording": RECORDING}),
            ("made_up_later", {"channel": 3, "recording": 4}),
        ),
    )
    assert (call.linkedid, call.reentered, call.ended_late) == ("", True, True)
    assert call.names == (CALL, "1.1")
    assert call.recordings == {RECORDING: LoggedRecording(removed=True)}


def test_the_last_outcome_of_a_recording_stands():
    call = fold(
        CALL,
        facts(
            ("recording_unjudged", {"recording": RECORDING}),
            ("recording_closed", {"recording": RECORDING, "sha256": "cd"}),
            ("spool_removed", {"recording": RECORDING}),
        ),
    )
    assert call.recordings == {RECORDING: LoggedRecording(outcome="closed", sha256="cd")}


def test_how_long_a_call_is_over():
    assert minted_ms(CALL) == AT_MS + 1
    call = LoggedCall(CALL)
    assert call.arrived_ms == AT_MS + 1
    assert not call.over_for(0, AT_MS + 10)
    call.ended_ms = AT_MS
    assert call.over_for(10, AT_MS + 10)
    assert not call.over_for(11, AT_MS + 10)


def test_a_disposal_begins_and_ends() -> None:
    about = {"recording": RECORDING}
    closed = ("recording_closed", {**about, "sha256": "ab" * 32})
    begun = ("disposal_begun", {**about, "files": [".wav " + "ab" * 32]})
    failed = ("disposal_failed", about)
    before = LoggedRecording(outcome="closed", sha256="ab" * 32)
    one = fold(CALL, facts(closed, begun, failed)).recordings[RECORDING]
    assert one == LoggedRecording(outcome="closed", sha256="ab" * 32, disposing=True)
    over = fold(CALL, facts(closed, begun, ("recording_disposed", about))).recordings[RECORDING]
    assert over == LoggedRecording(outcome="closed", sha256="ab" * 32, disposing=True, removed=True)
    assert fold(CALL, facts(closed)).recordings[RECORDING] == before
