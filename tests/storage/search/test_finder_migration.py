"""A store of an earlier version is brought up: its lists say what its rows say."""

from __future__ import annotations

from pathlib import Path

import pytest

from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.ids import CallId, call_id
from asterisk_compliance.storage.log import schema
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.proofs.verification import verify
from asterisk_compliance.storage.search.finder import CallFinder, CallSearch
from sample_rows import AT_MS, a_call, a_recorded_call, an_unrecorded_call, draft
from storage.earlier import as_before

OTHER_DIGITS = call_id(0x0123_4567_89AB, bytes(8)), call_id(0x0198_CDEF_0123, bytes(8))
"""Ids with every hexadecimal digit in the time; the first began in 1973."""


def spoken(call: CallId, *states: str) -> list[Draft]:
    return [draft(Kind.CONSENT, call, detail={"state": state}) for state in states]


def ended(call: CallId, at_ms: int, *, late: bool = False) -> Draft:
    return draft(Kind.CALL_ENDED, call, at_ms, detail={"observed_late": late})


def test_a_store_of_an_earlier_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told, cut, back, unseen, again = (a_call(number) for number in range(1, 6))
    with monkeypatch.context() as patch:
        as_before(patch, schema._SEARCH)
        with StoreWriter.open(tmp_path) as store:
            store.commit(a_recorded_call(told))
            store.commit(spoken(told, "given", "withdrawn"))
            store.commit(an_unrecorded_call(cut))
            store.commit([draft(Kind.CALL_ARRIVED, back, detail={"leg": "callee", "queue": ""})])
            store.commit([ended(back, AT_MS - 1_000)])
            store.commit([draft(Kind.CALL_ARRIVED, unseen), ended(unseen, AT_MS, late=True)])
            store.commit([ended(again, AT_MS + 999, late=True), ended(again, AT_MS + 60_999)])
            store.commit([ended(OTHER_DIGITS[0], 0x0123_4567_89AB + 86_399_999)])
            store.commit([ended(OTHER_DIGITS[1], 0x0198_CDEF_0123 + 1)])
    with StoreWriter.open(tmp_path):
        pass
    assert list(verify(tmp_path).faults) == []
    with StoreReader(tmp_path) as reader:
        finder = CallFinder(reader)
        found = {entry["call"]: entry for entry in finder.page(CallSearch(), 10).calls}
        callees = finder.page(CallSearch(leg="callee"), 10).calls
    assert {call: entry["lasted_ms"] for call, entry in found.items()} == {
        told: 72_999,
        cut: None,
        back: 0,
        unseen: None,
        again: 60_994,
        OTHER_DIGITS[0]: 86_399_999,
        OTHER_DIGITS[1]: 1,
    }
    assert found[told]["consent"] == "withdrawn"
    assert [entry["call"] for entry in callees] == [back]


def test_the_lists_are_the_same_when_they_are_made_again(tmp_path: Path) -> None:
    call = a_call(1)
    with StoreWriter.open(tmp_path) as store:
        store.commit([*a_recorded_call(call), *spoken(call, "withdrawn")])
        with StoreReader(tmp_path) as reader:
            listed = CallFinder(reader).page(CallSearch(), 10)
        store.rebuild()
    with StoreReader(tmp_path) as reader:
        assert CallFinder(reader).page(CallSearch(consent="withdrawn"), 10) == listed
    assert list(verify(tmp_path).faults) == []
