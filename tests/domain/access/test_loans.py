"""What a service that died owes the log of copies that were lent."""

from __future__ import annotations

from typing import Any

import pytest

from asterisk_compliance.domain.access.hearing_state import LoanEnd
from asterisk_compliance.domain.access.loans import LeftOpen, ended_by, left_open
from asterisk_compliance.domain.audit.encoding import Row
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.ids import NodeName


def row(seq: int, kind: Kind, **detail: Any) -> Row:
    return Row(
        "service", "2026-11-25T00:00:00.000Z", None, detail, kind, "log", NodeName("n"), "", seq
    )


def test_nothing_is_owed_where_everything_ended() -> None:
    rows = [
        row(0, Kind.HEARING_LENT, loan="l-1"),
        row(1, Kind.HEARING_BEGUN, loan="l-1", channel="1.1"),
        row(2, Kind.HEARING_ENDED, loan="l-1", channel="1.1"),
        row(3, Kind.HEARING_BEGUN, loan="l-1", channel="1.2"),
        row(4, Kind.HEARING_COMPLETED, loan="l-1", channel="1.2"),
        row(5, Kind.HEARING_REMOVED, loan="l-1"),
        row(6, Kind.HEARING_REMOVED, loan="l-unknown"),
        row(7, Kind.HEARING_ENDED, loan="l-unknown", channel="1.3"),
        row(8, Kind.MARK),
    ]
    assert left_open(rows) == LeftOpen((), ())


def test_what_was_left_open_is_found_in_order() -> None:
    first, second = row(0, Kind.HEARING_LENT, loan="l-1"), row(1, Kind.HEARING_LENT, loan="l-2")
    begun = row(2, Kind.HEARING_BEGUN, loan="l-1", channel="1.1")
    ended = [
        row(3, Kind.HEARING_BEGUN, loan="l-1", channel="1.2"),
        row(4, Kind.HEARING_ENDED, loan="l-1", channel="1.2"),
    ]
    assert left_open([first, second, begun, *ended]) == LeftOpen((first, second), (begun,))


@pytest.mark.parametrize(
    ("kind", "detail", "why", "ends"),
    [
        (
            Kind.DISPOSAL_BEGUN,
            {"recording": "r-1"},
            LoanEnd.DISPOSED,
            {("r-1", "q-1"), ("r-1", "q-2")},
        ),
        (Kind.RECORDING_REMOVED, {"recording": "r-2"}, LoanEnd.DISPOSED, {("r-2", "q-1")}),
        (
            Kind.REQUEST_WITHDRAWN,
            {"request": "q-1"},
            LoanEnd.WITHDRAWN,
            {("r-1", "q-1"), ("r-2", "q-1")},
        ),
    ],
)
def test_with_a_recording_or_a_request_goes_every_copy_of_it(
    kind: Kind, detail: dict[str, str], why: LoanEnd, ends: set[tuple[str, str]]
) -> None:
    ending = ended_by(kind, detail)
    assert ending is not None
    assert ending.why is why
    lent = {("r-1", "q-1"), ("r-1", "q-2"), ("r-2", "q-1")}
    assert {one for one in lent if ending.ends(*one)} == ends


def test_other_rows_end_no_loan() -> None:
    for kind in set(Kind) - {Kind.DISPOSAL_BEGUN, Kind.RECORDING_REMOVED, Kind.REQUEST_WITHDRAWN}:
        assert ended_by(kind, {"recording": "r-1", "request": "q-1"}) is None
