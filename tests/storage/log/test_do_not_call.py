"""The list of numbers that are not called again: in the row's transaction, and no number in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from asterisk_compliance.domain.audit.rows import Draft, Kind, PersonalFact
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.ids import NodeName, PartyId
from asterisk_compliance.storage.log.do_not_call import is_listed, listed
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.log.schema import DATABASE
from asterisk_compliance.storage.log.writer import StoreWriter

NUMBER, OTHER = "81312345678", "81398765432"
ADDED, REMOVED = Kind.DO_NOT_CALL_ADDED, Kind.DO_NOT_CALL_REMOVED


def draft(kind: Kind, number: str, at_ms: int = 0) -> Draft:
    return Draft(kind, at_ms, NodeName("lab"), detail={"by": "staff"}, listed=number)


def test_a_number_is_on_the_list_from_its_row_until_the_row_that_removes_it(tmp_path: Path) -> None:
    with StoreWriter.open(tmp_path) as store:
        store.commit([draft(ADDED, NUMBER)])
        assert is_listed(tmp_path, NUMBER)
        assert not is_listed(tmp_path, OTHER)
        store.commit([draft(REMOVED, OTHER)])
        assert is_listed(tmp_path, NUMBER)
        store.commit([draft(REMOVED, NUMBER)])
        assert not is_listed(tmp_path, NUMBER)
        assert listed(tmp_path) == []


def test_who_is_on_it_stays_since_when_he_was(tmp_path: Path) -> None:
    with StoreWriter.open(tmp_path) as store:
        store.commit([draft(ADDED, OTHER, 1_000), draft(ADDED, NUMBER, 2_000)])
        store.commit([draft(ADDED, OTHER, 9_000)])
    entries = [(entry.seq, entry.since) for entry in listed(tmp_path)]
    assert entries == [(0, "1970-01-01T00:00:01.000Z"), (1, "1970-01-01T00:00:02.000Z")]
    assert len({entry.digest for entry in listed(tmp_path)}) == 2


def test_the_number_is_written_nowhere(tmp_path: Path) -> None:
    with StoreWriter.open(tmp_path) as store:
        (stored,) = store.commit([draft(ADDED, NUMBER)])
    assert NUMBER not in stored.data.decode()
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert NUMBER.encode() not in written


def test_a_row_that_cannot_be_stored_lists_nobody(tmp_path: Path) -> None:
    impossible = Draft(ADDED, 0, NodeName("lab"), detail={"by": 1.5}, listed=NUMBER)  # type: ignore[dict-item]
    with StoreWriter.open(tmp_path) as store:
        with pytest.raises(ValueError, match="float"):
            store.commit([impossible])
        assert not is_listed(tmp_path, NUMBER)


def test_other_rows_and_other_facts_list_nobody(tmp_path: Path) -> None:
    fact = PersonalFact("number", NUMBER, NUMBER)
    party = PartyId("p-1")
    arrived = Draft(Kind.MARK, 0, NodeName("lab"), party=party, facts=(fact,), listed=NUMBER)
    with StoreWriter.open(tmp_path) as store:
        store.commit([arrived])
        assert listed(tmp_path) == []


def test_rebuilding_the_projections_keeps_the_list(tmp_path: Path) -> None:
    with StoreWriter.open(tmp_path) as store:
        store.commit([draft(ADDED, NUMBER)])
        store.rebuild()
        assert is_listed(tmp_path, NUMBER)
    with StoreReader(tmp_path) as reader:
        assert len(list(reader.rows())) == 1


def test_a_list_that_cannot_be_read_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        is_listed(tmp_path, NUMBER)
    with StoreWriter.open(tmp_path) as store:
        store.commit([draft(ADDED, NUMBER)])
    (tmp_path / DATABASE).write_bytes(b"no database" * 1_000)
    with pytest.raises(StoreUnavailable):
        is_listed(tmp_path, NUMBER)
