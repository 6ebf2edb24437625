"""Until when a recording is kept, for whoever asks about it: holds and requests aside."""

from __future__ import annotations

from collections.abc import Iterable

from asterisk_compliance.app.retention.plan import today_of
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.audit.call_record import minted_ms
from asterisk_compliance.domain.audit.encoding import Row, decode, milliseconds
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.policy.notice import OnWithdrawal
from asterisk_compliance.domain.purposes import PurposeCode
from asterisk_compliance.domain.recording.assurance_words import Recorded, recorded
from asterisk_compliance.domain.retention.schedule import (
    DisposalDue,
    KeptUntil,
    StatedRetention,
    Today,
    due,
    read_told,
)
from asterisk_compliance.ids import CallId, RecordingId
from asterisk_compliance.storage.log.reader import RowQuery, StoreReader


def kept_until(recording: RecordingId, rows: Iterable[Row], today: Today) -> DisposalDue | None:
    """By what was told then and is configured now; ``None``: nothing says when.

    Args:
        recording: Which.
        rows: All rows of its call, in order; at least one.
        today: What the configuration says now.
    """
    first, *rest = rows
    call = first.call
    assert call is not None
    policy, withdrawn = "", False
    told: StatedRetention | None = None
    purposes: tuple[str, ...] = ()
    ended: int | None = None
    for row in (first, *rest):
        match row.kind:
            case Kind.CALL_ARRIVED:
                policy = str(row.detail.get("policy", ""))
            case Kind.DECISION:
                purposes = _words(row.detail.get("purposes"))
            case Kind.CONSENT if row.detail.get("earlier") == OnWithdrawal.DELETE:
                withdrawn = True
            case Kind.RECORDING_REQUESTED | Kind.RECORDING_ADOPTED if _is(row, recording):
                told = read_told(_words(row.detail["retention"])) if _says(row) else None
            case Kind.CALL_ENDED:
                ended = milliseconds(row.at)
            case _:
                pass
    then = StatedRetention({PurposeCode(code): None for code in purposes}) if told is None else told
    kept = KeptUntil(recording, call, policy, then, minted_ms(call), ended, withdrawn)
    return due(kept, today)


def _is(row: Row, recording: RecordingId) -> bool:
    return row.detail.get("recording") == recording


def _says(row: Row) -> bool:
    """Rows of an earlier version do not say what was told."""
    return isinstance(row.detail.get("retention"), tuple)


def _words(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, tuple) else ()


def going_before(
    reader: StoreReader, calls: Iterable[CallId], settings: Settings, at_ms: int
) -> int:
    """How many of the recordings of these calls are due to go before ``at_ms``.

    Raises:
        StoreUnavailable: the log cannot be read.
    """
    today, going = today_of(settings), 0
    for call in calls:
        kept = [one for one in reader.recordings(call)
                if recorded(str(one["level"])) is Recorded.KEPT]  # fmt: skip
        rows = [decode(one.data) for one in reader.rows(RowQuery(call=call))] if kept else []
        for one in kept:
            until = kept_until(RecordingId(str(one["recording"])), rows, today)
            going += until is not None and until.at_ms < at_ms
    return going
