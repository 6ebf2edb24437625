"""What a comparison reads of the store: calls from their rows, look-ups, files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from asterisk_compliance.domain.audit.call_record import LoggedCall, LoggedDecision
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.reconciliation.comparison import FilePlace, FoundFile
from asterisk_compliance.errors import LogBroken, StoreUnavailable
from asterisk_compliance.ids import CallId, recording_id
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.queries import reconciliation
from asterisk_compliance.storage.queries.reconciliation import (
    ReconcileReader,
    Scratch,
    quarantined_files,
    spool_files,
    stored,
    vault_files,
)
from sample_rows import AT_MS, a_call, a_recorded_call, draft, tamper

RECORDED, CALLEE, LATER = a_call(1), a_call(2), a_call(3)
RECORDING = recording_id(RECORDED, 1)
LONG_AGO_MS = 1_000_000_000_000
ALONE = f"d-{'0' * 16}-1795507200.1-rx.wav"


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[StoreWriter]:
    with StoreWriter.open(tmp_path / "store") as opened:
        yield opened


@pytest.fixture
def log(writer: StoreWriter, tmp_path: Path) -> Iterator[ReconcileReader]:
    """A recorded call, one of a callee whose rows stand between others, and a later one."""
    first = a_recorded_call(RECORDED)
    callee = {"channel": "1795507200.9", "linkedid": "1795507200.8"}
    writer.commit(
        [
            first[0],
            draft(Kind.CALL_ARRIVED, CALLEE, LONG_AGO_MS, detail=callee),
            *first[1:5],
            draft(Kind.CALL_ARRIVED, LATER, detail={"channel": "x", "linkedid": "none"}),
            *first[5:],
            draft(Kind.FILE_QUARANTINED, detail={"file": "r-1-rx.wav"}),
        ]
    )
    with StoreReader(tmp_path / "store") as reader, reconciliation.scratch() as temporary:
        yield ReconcileReader(reader, temporary)


def ids(calls: Iterator[LoggedCall]) -> list[str]:
    return [call.call for call in calls]


def test_calls_are_put_together_from_their_rows(log: ReconcileReader) -> None:
    recorded, callee, later = log.calls(None, None)
    assert recorded.decisions == [LoggedDecision("ALLOWED", "NOTICE_COMPLETED")]
    assert recorded.recordings[RECORDING].sha256 == "ab" * 32
    assert (recorded.told, recorded.ended_ms) == (True, AT_MS + 73_000)
    assert (callee.channel, callee.linkedid, callee.told) == (
        "1795507200.9",
        "1795507200.8",
        False,
    )
    assert later.call == LATER


@pytest.mark.parametrize("page", [1, 2, 3, 11, 12, 100])
def test_calls_are_whole_however_small_the_pages(
    log: ReconcileReader, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    whole = list(log.calls(None, None))
    monkeypatch.setattr(reconciliation, "_PAGE", page)
    assert list(log.calls(None, None)) == whole


@pytest.mark.parametrize(
    ("since_ms", "until_ms", "found"),
    [
        (AT_MS + 1, AT_MS + 3, [RECORDED, CALLEE]),
        (AT_MS + 2, None, [CALLEE, LATER]),
        (None, AT_MS + 1, []),
        (AT_MS + 4, None, []),
    ],
)
def test_calls_of_a_time(
    log: ReconcileReader, since_ms: int | None, until_ms: int | None, found: list[CallId]
) -> None:
    assert ids(log.calls(since_ms, until_ms)) == found


def test_one_call_and_its_decision(log: ReconcileReader) -> None:
    assert log.call(RECORDED) == next(log.calls(None, None))
    assert log.call(a_call(9)) is None
    assert log.decision(RECORDED) == LoggedDecision("ALLOWED", "NOTICE_COMPLETED")
    assert log.decision(CALLEE) == LoggedDecision()
    assert log.decision(a_call(9)) is None


def test_a_call_is_known_by_its_channel_and_by_the_first_of_its_group(
    log: ReconcileReader,
) -> None:
    assert log.knows("1795507200.1")
    assert log.knows("1795507200.9")
    assert log.knows("1795507200.8")
    assert not log.knows("1795507200.7")


def test_what_arrives_while_we_read_is_known(log: ReconcileReader, writer: StoreWriter) -> None:
    now_ms = 4_000_000_000_000
    late = {"channel": "2.2", "linkedid": "2.1"}
    assert not log.knows("2.1")
    writer.commit([draft(Kind.CALL_ARRIVED, a_call(7), now_ms, detail=late)])
    assert log.knows("2.1")
    assert log.knows("2.2")


def test_what_was_set_aside(log: ReconcileReader) -> None:
    assert log.quarantined("r-1-rx.wav")
    assert not log.quarantined("r-1-tx.wav")


def test_a_row_that_is_none_is_named(log: ReconcileReader, tmp_path: Path) -> None:
    tamper(tmp_path / "store", "UPDATE rows SET row = replace(row, 'at', 'et') WHERE seq = 2")
    with pytest.raises(LogBroken, match="row 2"):
        list(log.calls(None, None))


def test_a_store_that_goes_away(log: ReconcileReader, tmp_path: Path) -> None:
    tamper(tmp_path / "store", "DROP TABLE calls")
    with pytest.raises(StoreUnavailable, match="cannot read"):
        log.decision(RECORDED)


def test_reading_finds_calls_by_their_index(log: ReconcileReader, tmp_path: Path) -> None:
    """Pages that began with a search through all rows would take hours for a year."""
    with StoreReader(tmp_path / "store") as reader:
        for sql, values in (
            (reconciliation._CALLS, ("c-", "c-g", 1)),
            (reconciliation._ONE_CALL, ("c-",)),
            (reconciliation._CHANNEL, ("x",)),
        ):
            plan = reader.connection.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()
            said = " ".join(line[3] for line in plan)
            assert "SEARCH" in said
            assert "TEMP B-TREE" not in said


def test_a_recording_that_was_adopted_is_known_by_its_channel(
    writer: StoreWriter, log: ReconcileReader
) -> None:
    adopted = {"recording": recording_id(CALLEE, 1), "capture": "bridged"}
    writer.commit([draft(Kind.RECORDING_ADOPTED, CALLEE, detail=adopted)])
    assert log.adopted("1795507200.9")
    assert not log.adopted("1795507200.1"), "the service told that caller itself"


# -- files -------------------------------------------------------------------------------------


def test_files_in_the_spool(tmp_path: Path) -> None:
    for name in (f"{RECORDING}-rx.wav", f"{RECORDING}-tx.wav", "r-1-rx.wav", "0312345678.wav"):
        (tmp_path / name).touch()
    for name in (ALONE, "d-0312345678-rx.wav"):
        (tmp_path / name).touch()
    found = sorted(spool_files(tmp_path), key=lambda file: file.name)
    assert found == [
        FoundFile(FilePlace.SPOOL, ALONE, alone_ms=1_795_507_200_000),
        *(
            FoundFile(FilePlace.SPOOL, f"{RECORDING}-{direction}.wav", RECORDING, RECORDED)
            for direction in ("rx", "tx")
        ),
    ]


def test_files_in_the_vault(tmp_path: Path) -> None:
    names = (f"{RECORDING}.wav", f"{RECORDING}.wav.age", f"{RECORDING}.part")
    for name in (*names, "0312345678.wav", "notes"):
        (tmp_path / name).touch()
    (tmp_path / "quarantine").mkdir()
    *ours, others = vault_files(tmp_path)
    assert sorted(ours, key=lambda file: file.name) == [
        FoundFile(FilePlace.VAULT, f"{RECORDING}.part", RECORDING, RECORDED, whole=False),
        FoundFile(FilePlace.VAULT, f"{RECORDING}.wav", RECORDING, RECORDED),
        FoundFile(FilePlace.VAULT, f"{RECORDING}.wav.age", RECORDING, RECORDED, sealed=True),
    ]
    assert others == FoundFile(FilePlace.VAULT, count=2)
    (tmp_path / "notes").unlink()
    (tmp_path / "0312345678.wav").unlink()
    assert all(file.name for file in vault_files(tmp_path))


def test_files_that_were_set_aside(tmp_path: Path) -> None:
    assert list(quarantined_files(tmp_path)) == []
    (tmp_path / "quarantine").mkdir()
    unnamed = f"d-unknown-{'0' * 16}.wav"
    for name in (
        f"{RECORDING}-rx.wav",
        f"{RECORDING}-tx.wav.age",
        "other",
        f"{ALONE}.age",
        unnamed,
    ):
        (tmp_path / "quarantine" / name).touch()
    found = sorted(quarantined_files(tmp_path), key=lambda file: file.name)
    assert found == [
        FoundFile(FilePlace.QUARANTINE),
        FoundFile(FilePlace.QUARANTINE, ALONE, alone_ms=1_795_507_200_000),
        FoundFile(FilePlace.QUARANTINE, unnamed),
        FoundFile(FilePlace.QUARANTINE, f"{RECORDING}-rx.wav", RECORDING, RECORDED),
        FoundFile(FilePlace.QUARANTINE, f"{RECORDING}-tx.wav", RECORDING, RECORDED),
    ]


@pytest.mark.parametrize("listing", [spool_files, vault_files])
def test_a_directory_that_cannot_be_listed(tmp_path: Path, listing) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(StoreUnavailable, match="cannot list"):
        list(listing(tmp_path / "none"))


@pytest.mark.parametrize("sealed", [False, True])
def test_a_recording_in_the_vault(tmp_path: Path, *, sealed: bool) -> None:
    def found(*, digests: bool) -> str | None:
        return stored(tmp_path, RECORDING, sealed, digests=digests)

    kept, other = tmp_path / f"{RECORDING}.wav", tmp_path / f"{RECORDING}.wav.age"
    if sealed:
        kept, other = other, kept
    other.write_bytes(b"y")
    assert found(digests=False) is None
    assert found(digests=True) is None
    kept.write_bytes(b"x")
    assert found(digests=False) == ""
    assert found(digests=True) == hashlib.sha256(b"x").hexdigest()
    kept.unlink()
    kept.mkdir()
    with pytest.raises(StoreUnavailable, match="cannot read"):
        found(digests=True)


# -- sets --------------------------------------------------------------------------------------


def test_a_set_on_disk_is_a_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliation, "_PENDING", 3)
    opened = Scratch()
    one, other = opened.new_keys(), opened.new_keys()
    for key in ("b", "a", "b", "c", "a", "d"):
        one.add(key)
    assert [key in one for key in "abcde"] == [True, True, True, True, False]
    assert "a" not in other
    opened.close()
