"""A synthetic call is judged by its rows: the first link of the chain that did not hold."""

from __future__ import annotations

import pytest

from asterisk_compliance.domain.audit.rows import Detail, Kind
from asterisk_compliance.domain.call.canary import (
    CHAIN,
    CanaryReason,
    failure,
    has_no_time,
    missing,
)

ALLOWED = {"status": "ALLOWED", "reason": "NOTICE_COMPLETED"}
CLOSED: dict[str, Detail] = {"whole": True, "expected_ms": 4_000}


@pytest.mark.parametrize("count", range(len(CHAIN)))
def test_what_is_missing_is_the_first_link_that_is_not_there(count: int) -> None:
    there = {str(link.kind) for link in CHAIN[:count]}
    assert missing(there) is CHAIN[count].without
    later = {str(link.kind) for link in CHAIN[count + 1 :]}
    assert missing(there | later) is CHAIN[count].without


def test_nothing_is_missing_where_every_link_is_there() -> None:
    assert missing({str(link.kind) for link in CHAIN}) is None


@pytest.mark.parametrize(
    ("kind", "detail", "why"),
    [
        (Kind.NOTICE_INCOMPLETE, {"reason": "NOTICE_FAILED"}, CanaryReason.NO_NOTICE),
        (Kind.DECISION, ALLOWED, None),
        (Kind.DECISION, ALLOWED | {"status": "NOT_RECORDED"}, CanaryReason.NOT_ALLOWED),
        (Kind.DECISION, ALLOWED | {"status": "REFUSED"}, CanaryReason.NOT_ALLOWED),
        (Kind.CAPTURE_STOPPED, {"reason": "NOT_GROWING"}, CanaryReason.STOPPED),
        (Kind.RECORDING_STALLED, {}, CanaryReason.NO_FILE),
        (Kind.RECORDING_EMPTY, {}, CanaryReason.NO_FILE),
        (Kind.RECORDING_MISSING, {}, CanaryReason.NO_FILE),
        (Kind.RECORDING_UNJUDGED, {"problem": "DISK"}, CanaryReason.NOT_CLOSED),
        (Kind.RECORDING_CLOSED, CLOSED, None),
        (Kind.RECORDING_CLOSED, CLOSED | {"whole": False}, CanaryReason.NOT_WHOLE),
        (Kind.RECORDING_CLOSED, CLOSED | {"expected_ms": None}, CanaryReason.NOT_FOLLOWED),
        (Kind.ANOMALY, {"code": "SPOOL_NOT_REMOVED"}, CanaryReason.NOT_REMOVED),
        (Kind.ANOMALY, {"code": "RECORDING_NOT_REMOVED"}, CanaryReason.NOT_REMOVED),
        (Kind.ANOMALY, {"code": "STASIS_START_TWICE"}, None),
        (Kind.CALL_ENDED, {}, None),
    ],
)
def test_a_row_that_says_that_something_went_wrong(
    kind: Kind, detail: dict[str, Detail], why: CanaryReason | None
) -> None:
    assert failure(kind, detail, followed=True) is why


def test_without_ami_nobody_says_how_long_a_call_was_bridged() -> None:
    detail = CLOSED | {"expected_ms": None}
    assert failure(Kind.RECORDING_CLOSED, detail, followed=False) is None


@pytest.mark.parametrize(
    ("reason", "gives_way"),
    [("OVERLOADED", True), ("SERVICE_STOPPING", True), ("NOTICE_FAILED", False)],
)
def test_a_canary_gives_way_to_real_calls(reason: str, gives_way: bool) -> None:
    decision = {"status": "NOT_RECORDED", "reason": reason}
    assert has_no_time(Kind.DECISION, decision) is gives_way
    assert not has_no_time(Kind.CALL_ENDED, {"reason": reason})
