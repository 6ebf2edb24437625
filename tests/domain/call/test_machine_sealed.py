"""A recording that was encrypted says so in a row of its own, stored with its verdict."""

from __future__ import annotations

import pytest

from asterisk_compliance.domain.audit.encoding import Row
from asterisk_compliance.domain.audit.projection import ProjectionChange, project
from asterisk_compliance.domain.audit.rows import Detail, Kind
from asterisk_compliance.domain.call.audit_rows import verdict_rows
from asterisk_compliance.domain.call.commands import AppendRow
from asterisk_compliance.domain.recording.verdict import (
    CaptureOutcome,
    Expected,
    Measured,
    RecordingVerdict,
    SealedRecording,
    Track,
    judge,
)
from domain.audit.test_projection import CALL, row
from domain.traces import RECORDING, WHOLE, arrived
from sample_rows import draft
from values import replace

SEALED = SealedRecording("5e" * 32, 97_000, ("fa" * 32, "fb" * 32))


def rows_of(verdict: RecordingVerdict) -> tuple[AppendRow, ...]:
    return verdict_rows(arrived(), RECORDING, verdict)


def test_the_row_of_a_sealed_recording_stands_behind_the_one_that_judged_it() -> None:
    closed, sealed = rows_of(replace(WHOLE, sealed=SEALED))
    assert (closed.kind, closed.detail["encryption"]) == (Kind.RECORDING_CLOSED, "age")
    assert sealed == AppendRow(
        Kind.RECORDING_SEALED,
        {
            "recording": RECORDING,
            "bytes": 97_000,
            "recipients": SEALED.recipients,
            "sha256": SEALED.sha256,
        },
    )


def test_what_was_not_encrypted_is_said_to_be_so() -> None:
    (closed,) = rows_of(WHOLE)
    assert (closed.kind, closed.detail["encryption"]) == (Kind.RECORDING_CLOSED, "off")


def test_what_was_lost_comes_behind_both() -> None:
    verdict = replace(WHOLE, sealed=SEALED, lost=((1_000, 3_000),))
    kinds = [row.kind for row in rows_of(verdict)]
    assert kinds == [Kind.RECORDING_CLOSED, Kind.RECORDING_SEALED, Kind.AUDIO_LOST]


def test_the_verdict_keeps_how_it_was_sealed() -> None:
    track = Track(1_000, 1_000, "ab" * 32, closed=True)
    verdict = judge(Measured(track, track, "cd" * 32, 32_044, sealed=SEALED), Expected(1_000))
    assert (verdict.outcome, verdict.sha256, verdict.sealed) == (
        CaptureOutcome.CLOSED,
        "cd" * 32,
        SEALED,
    )


def changed(kind: Kind, **detail: Detail) -> ProjectionChange | None:
    told: Row = row(draft(kind, CALL, detail={"recording": RECORDING, **detail}))
    return project(told)


def test_the_list_of_recordings_knows_what_is_sealed() -> None:
    change = changed(Kind.RECORDING_SEALED, sha256=SEALED.sha256, bytes=97_000)
    assert change is not None
    assert change.columns["level"] == "sealed"
    assert (change.columns["sealed_sha256"], change.columns["sealed_bytes"]) == (
        SEALED.sha256,
        97_000,
    )
    assert "sha256" not in change.columns, "that of the plaintext stays"


def test_the_list_of_recordings_knows_what_was_removed() -> None:
    change = changed(Kind.RECORDING_REMOVED)
    assert change is not None
    assert change.columns["level"] == "removed"
    assert "removed_at" not in change.columns, "that is when it left the spool"


@pytest.mark.parametrize("kind", [Kind.RECORDING_RELEASED, Kind.RECORDING_DRILLED])
def test_the_list_of_recordings_does_not_change_by_who_got_one(kind: Kind) -> None:
    assert changed(kind, sha256="ef" * 32) is None
