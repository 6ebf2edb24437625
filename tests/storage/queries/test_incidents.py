"""Reading for an assessment: the disk as it is, the log up to a row, and texts that are kept."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from asterisk_compliance.domain.audit.rows import Kind, PersonalFact
from asterisk_compliance.domain.incidents.exposure import FileSeen, OnDisk
from asterisk_compliance.errors import LogBroken, StoreUnavailable
from asterisk_compliance.ids import ChannelId, call_id, party_id, recording_id
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.queries.incidents import incidents, known_by, lives, look, texts
from fallback_files import fallback_name
from sample_rows import AT_MS, a_call, a_recorded_call, an_unrecorded_call, draft, tamper

RECORDING = recording_id(call_id(AT_MS, b"8 bytes!"), 1)
WRITTEN_MS = AT_MS + 60_000


def put(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")
    os.utime(path, ns=(0, WRITTEN_MS * 1_000_000))


def test_what_lies_in_vault_and_spool_since_when_and_in_which_form(spool, vault):
    alone = fallback_name("0123456789abcdef", ChannelId("1795507201.7"))
    for path in (
        vault / f"{RECORDING}.wav.age",
        vault / f"{RECORDING}.wav",
        vault / f"{RECORDING}-for-the-lawyer.mp3",
        vault / "notes.txt",
        vault / "quarantine" / f"{RECORDING}-tx.wav.age",
        spool / f"{RECORDING}-rx.wav",
        spool / alone,
        spool / "voicemail.wav",
    ):
        put(path)
    (vault / "link").symlink_to(vault / "notes.txt")
    seen = look(AT_MS, vault, [spool, spool])
    assert seen.at_ms == AT_MS
    assert sorted(seen.files, key=lambda file: file.name) == sorted(
        [
            FileSeen(f"{RECORDING}.wav.age", RECORDING, OnDisk.SEALED, AT_MS),
            FileSeen(f"{RECORDING}.wav", RECORDING, OnDisk.PLAIN, AT_MS),
            FileSeen(f"{RECORDING}-for-the-lawyer.mp3", RECORDING, OnDisk.PLAIN, AT_MS),
            FileSeen("notes.txt", "", OnDisk.PLAIN, WRITTEN_MS),
            FileSeen(f"{RECORDING}-tx.wav.age", RECORDING, OnDisk.SEALED, AT_MS),
            FileSeen(f"{RECORDING}-rx.wav", RECORDING, OnDisk.SPOOLED, AT_MS),
            FileSeen(alone, "", OnDisk.SPOOLED, 1_795_507_201_000),
        ],
        key=lambda file: file.name,
    )


def test_a_directory_that_is_not_there_holds_nothing(tmp_path):
    assert look(AT_MS, tmp_path / "no", [tmp_path / "none"]).files == ()


def test_a_directory_that_cannot_be_listed_is_said(vault, spool, monkeypatch):
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(StoreUnavailable, match="cannot list"):
        look(AT_MS, vault, [spool])


def test_the_log_is_read_up_to_a_row(tmp_path):
    one, two = a_call(1), a_call(2)
    with StoreWriter.open(tmp_path) as store:
        store.commit([*a_recorded_call(one), *a_recorded_call(two), *an_unrecorded_call(a_call(3))])
    with StoreReader(tmp_path) as reader:
        assert set(lives(reader, 26).recordings) == {recording_id(one, 1), recording_id(two, 1)}
        assert set(lives(reader, 11).recordings) == {recording_id(one, 1)}
        found = lives(reader, 26).recordings[recording_id(one, 1)]
        assert (found.spool_since, found.spool_until) == (AT_MS + 12_007, AT_MS + 73_101)
        assert found.vault_since == AT_MS + 73_100


def arrived(which, leg, /, **said):
    facts = tuple(PersonalFact(field, value) for field, value in said.items())
    call = a_call(which)
    detail = {"leg": leg, "channel": "1.1"}
    party = party_id(call, 1)
    return draft(Kind.CALL_ARRIVED, call, party=party, role="caller", detail=detail, facts=facts)


def test_one_number_is_known_as_one_whoever_called_and_however_it_is_written(tmp_path):
    with StoreWriter.open(tmp_path) as store:
        store.commit(
            [
                arrived(1, "caller", number="+81312345678", dialled="0312340000"),
                arrived(2, "caller", number="0312345678", dialled="0312340000"),
                arrived(3, "callee", number="700", dialled="03-1234-5678"),
                arrived(4, "callee", number="0312345678"),
                arrived(5, "callee", number="0312340000", dialled="+81311112222"),
                arrived(6, "caller", name="anonymous"),
            ]
        )
    with StoreReader(tmp_path) as reader:
        found = known_by(reader, lives(reader, 6), "JP").numbers
        abroad = known_by(reader, lives(reader, 6), None).numbers
    parties = [party_id(a_call(number), 1) for number in range(1, 6)]
    assert list(found) == parties
    assert len({found[party] for party in parties[:4]}) == 1
    assert len(set(found.values())) == 2
    assert len(set(abroad.values())) == 3, "without a country two notations are two numbers"
    assert "12345678" not in str(found)


def test_who_receives_something_is_known_by_his_name_and_by_no_number(tmp_path):
    rows = [
        draft(kind, a_call(number), party=party_id(a_call(number), 2), role="recipient",
              facts=(PersonalFact("name", name), PersonalFact("address", "Tokyo")))
        for number, kind, name in (
            (1, Kind.PROVISION_RECIPIENT, "Example  K.K."),
            (2, Kind.PROVISION_RECIPIENT, "example K.K. "),
            (3, Kind.REQUEST_REQUESTER, "T. Yamada"),
        )
    ]  # fmt: skip
    with StoreWriter.open(tmp_path) as store:
        store.commit(rows)
        with StoreReader(tmp_path) as reader:
            found = known_by(reader, lives(reader, 3), "JP")
        store.commit([draft(Kind.PERSON_ERASED, erases=rows[2].party, detail={"erased": "y"})])
        with StoreReader(tmp_path) as reader:
            after = known_by(reader, lives(reader, 3), "JP")
    assert found.numbers == {}
    assert len(found.names) == 3
    assert len(set(found.names.values())) == 2
    assert "Yamada" not in str(found)
    assert len(after.names) == 2


def test_a_text_is_there_until_it_is_erased(tmp_path):
    party = party_id(a_call(9), 1)
    said = draft(Kind.INCIDENT_NOTED, party=party, facts=(PersonalFact("text", "how"),),
                 detail={"incident": 0, "item": "CAUSE"})  # fmt: skip
    with StoreWriter.open(tmp_path) as store:
        (stored,) = store.commit([said])
        with StoreReader(tmp_path) as reader:
            assert texts(reader, [stored.seq, 7]) == {stored.seq: "how"}
        store.commit([draft(Kind.PERSON_ERASED, erases=party, detail={"erased": party})])
    with StoreReader(tmp_path) as reader:
        assert texts(reader, [stored.seq]) == {}


def test_a_row_that_is_none_is_named(tmp_path):
    with StoreWriter.open(tmp_path) as store:
        store.commit([draft(Kind.INCIDENT_OPENED), draft(Kind.INCIDENT_OPENED)])
    with StoreReader(tmp_path) as reader:
        assert set(incidents(reader)) == {0, 1}
    tamper(tmp_path, "UPDATE rows SET row = replace(row, 'nonce', 'nuance') WHERE seq = 1")
    with StoreReader(tmp_path) as reader, pytest.raises(LogBroken, match="row 1"):
        incidents(reader)


def test_looking_changes_nothing(vault, spool):
    put(vault / f"{RECORDING}.wav")
    before = stat.S_IMODE(vault.stat().st_mode), sorted(vault.iterdir())
    look(AT_MS, vault, [spool])
    assert (stat.S_IMODE(vault.stat().st_mode), sorted(vault.iterdir())) == before
