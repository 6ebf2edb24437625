"""A store of an earlier version is brought up, and its lists say what its rows say."""

from __future__ import annotations

from pathlib import Path

import pytest

from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.ids import recording_id
from asterisk_compliance.storage.log import schema
from asterisk_compliance.storage.log.reader import CallQuery, StoreReader
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.proofs.verification import verify
from sample_rows import a_call, a_recorded_call, draft
from storage.earlier import as_before


def test_a_store_of_an_earlier_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, withdrawn = a_call(1), a_call(2)
    adopted = {"recording": recording_id(plain, 2), "policy": "inbound"}
    with monkeypatch.context() as patch:
        as_before(patch, schema._RETENTION)
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
