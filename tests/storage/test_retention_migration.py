"""A store of an earlier version is brought up, and its lists say what its rows say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from asterisk_compliance.domain.projection import Change, project
from asterisk_compliance.domain.row_format import Row
from asterisk_compliance.domain.rows import Kind
from asterisk_compliance.ids import recording_id
from asterisk_compliance.storage import schema, writer
from asterisk_compliance.storage.reader import CallQuery, StoreReader
from asterisk_compliance.storage.verify import verify
from asterisk_compliance.storage.writer import StoreWriter
from sample_rows import a_call, a_recorded_call, draft

EARLIER = schema.MIGRATIONS.index(schema._RETENTION)
NEW = {"policy", "retention", "queue", "withdrawn"}


def as_before(row: Row) -> Change | None:
    """What an earlier version listed of a row."""
    change = project(row)
    if change is None:
        return None
    new = NEW - ({"policy"} if change.table == "calls" else set())
    columns = {name: value for name, value in change.columns.items() if name not in new}
    return replace(change, columns=columns)


def test_a_store_of_an_earlier_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, withdrawn = a_call(1), a_call(2)
    adopted = {"recording": recording_id(plain, 2), "policy": "inbound"}
    with monkeypatch.context() as earlier:
        earlier.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:EARLIER])
        earlier.setattr(writer, "project", as_before)
        with StoreWriter.open(tmp_path) as store:
            store.commit(a_recorded_call(plain))
            store.commit([draft(Kind.RECORDING_ADOPTED, plain, detail=adopted)])
            said = {"state": "withdrawn", "earlier": "delete"}
            store.commit(a_recorded_call(withdrawn))
            store.commit([draft(Kind.CONSENT, withdrawn, detail=said)])
    with StoreWriter.open(tmp_path):
        pass
    assert list(verify(tmp_path).faults) == []
    with StoreReader(tmp_path) as reader:
        found = {entry["call"]: entry["withdrawn"] for entry in reader.calls(CallQuery())}
        assert [entry["policy"] for entry in reader.recordings(plain)] == [None, "inbound"]
    assert found == {plain: None, withdrawn: "delete"}
