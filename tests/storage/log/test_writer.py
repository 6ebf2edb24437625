"""One owner, one transaction, all of it or nothing."""

import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from asterisk_compliance.domain.audit.encoding import decode
from asterisk_compliance.domain.audit.merkle import Frontier, leaf_hash, root_of
from asterisk_compliance.domain.audit.rows import Draft, Kind, PersonalFact
from asterisk_compliance.errors import LogBroken, StoreLocked, StoreUnavailable
from asterisk_compliance.ids import NodeName, PartyId, recording_id
from asterisk_compliance.storage.log import legal_holds as holds
from asterisk_compliance.storage.log import schema
from asterisk_compliance.storage.log import writer as writer_module
from asterisk_compliance.storage.log.reader import RowQuery, StoredRow, StoreReader
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.proofs.verification import verify
from sample_rows import AT_MS, NAME, NUMBER, a_call, a_recorded_call, draft, tamper


def commit(writer: StoreWriter, *drafts: Draft) -> list[StoredRow]:
    return writer.commit(drafts)


def test_rows_are_numbered_from_zero_and_stored_as_the_bytes_that_were_hashed(
    tmp_path: Path,
) -> None:
    with StoreWriter.open(tmp_path) as writer:
        stored = commit(writer, *a_recorded_call(a_call(1)))
        stored += commit(writer, draft(Kind.MARK))
    assert [row.seq for row in stored] == list(range(12))
    with StoreReader(tmp_path) as reader:
        assert list(reader.rows()) == stored
        assert reader.head().root == root_of([leaf_hash(row.data) for row in stored])
        assert {decode(row.data).log for row in stored} == {reader.log()}
    assert len({decode(row.data).nonce for row in stored}) == 12


def test_a_store_goes_on_where_it_was(tmp_path: Path) -> None:
    with StoreWriter.open(tmp_path, "tokyo") as writer:
        log = writer.log
        commit(writer, draft(Kind.MARK))
    with StoreWriter.open(tmp_path, "osaka") as writer:
        assert writer.log == log
        assert [row.seq for row in commit(writer, draft(Kind.MARK))] == [1]
    assert log.startswith("tokyo-")
    assert verify(tmp_path).intact


def test_a_draft_that_can_be_no_row_takes_no_number_and_harms_no_other(tmp_path: Path) -> None:
    bad = draft(Kind.MARK, detail={"Not A Key": 1})
    with StoreWriter.open(tmp_path) as writer:
        groups = [[draft(Kind.MARK)], [draft(Kind.MARK), bad], [draft(Kind.MARK)]]
        first, refused, last = writer.commit_groups(groups)
        assert isinstance(refused, ValueError)
        assert isinstance(first, list)
        assert isinstance(last, list)
        assert (first[0].seq, last[0].seq) == (0, 1)
        with pytest.raises(ValueError, match="detail's name"):
            writer.commit([draft(Kind.MARK), bad])
    assert verify(tmp_path).rows == 2


def test_a_caller_cannot_choose_a_name_that_prevents_his_row(tmp_path: Path) -> None:
    facts = (PersonalFact("name", "\ud800\x00'\"; DROP TABLE rows;--\n${X}", "\ud800"),)
    nasty = draft(Kind.CALL_ARRIVED, a_call(1), party=PartyId("y-1"), facts=facts)
    with StoreWriter.open(tmp_path) as writer:
        commit(writer, nasty)
    verdict = verify(tmp_path)
    assert (verdict.intact, verdict.opened) == (True, 1)


def test_persons_stand_beside_the_log_and_are_found_by_a_keyed_digest(tmp_path: Path) -> None:
    call = a_call(1)
    with StoreWriter.open(tmp_path) as writer:
        commit(writer, *a_recorded_call(call))
    with StoreReader(tmp_path) as reader:
        assert NUMBER.search_key is not None
        (party,) = reader.parties_by("number", NUMBER.search_key)
        assert reader.parties_by("name", NUMBER.search_key) == []
        rows = b"".join(row.data for row in reader.rows())
        salts = reader.connection.execute("SELECT salt FROM party_values").fetchall()
    assert party == f"y-{call[2:]}-1"
    assert NUMBER.value.encode() not in rows
    assert NAME.value.encode() not in rows
    assert len({salt for (salt,) in salts}) == 2


def test_files_of_the_store_are_for_its_owner_only(tmp_path: Path) -> None:
    store = tmp_path / "store"
    with StoreWriter.open(store) as writer:
        commit(writer, draft(Kind.MARK))
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in store.iterdir()}
    assert stat.S_IMODE(store.stat().st_mode) == 0o700
    assert modes.keys() >= {"audit.sqlite3", "audit.sqlite3-wal", "lock", "search.key"}
    assert set(modes.values()) == {0o600}


def test_a_second_owner_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    with StoreWriter.open(tmp_path), pytest.raises(StoreLocked, match=r"process \d+, command "):
        StoreWriter.open(tmp_path)
    StoreWriter.open(tmp_path).close()


def test_the_lock_of_a_killed_owner_locks_nothing(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib;"
        "from asterisk_compliance.storage.log.writer import StoreWriter;"
        "writer = StoreWriter.open(pathlib.Path(sys.argv[1]));"
        "print('ready', flush=True); sys.stdin.read()"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"ready\n"
        with pytest.raises(StoreLocked, match=f"process {owner.pid}"):
            StoreWriter.open(tmp_path)
        owner.kill()
        owner.wait(10)
    assert f"process {owner.pid}" in (tmp_path / "lock").read_text()
    StoreWriter.open(tmp_path).close()


def test_a_failed_transaction_leaves_nothing_and_the_next_one_succeeds(tmp_path: Path) -> None:
    with StoreWriter.open(tmp_path) as writer:
        commit(writer, draft(Kind.MARK))
        pages = writer._db.execute("PRAGMA page_count").fetchone()[0]
        writer._db.execute(f"PRAGMA max_page_count = {pages}")  # a full disk, as SQLite sees it
        many = [draft(Kind.MARK, detail={"text": "x" * 500})] * 100
        with pytest.raises(StoreUnavailable, match="full"):
            writer.commit(many)
        writer._db.execute("PRAGMA max_page_count = 1000000")
        assert commit(writer, draft(Kind.MARK))[0].seq == 1
    verdict = verify(tmp_path)
    assert (verdict.intact, verdict.rows) == (True, 2)


@pytest.mark.parametrize("values", ["(5, 'x', x'00')", "('no number', 'x', x'00')"])
def test_rows_that_fail_in_the_middle_of_their_statement_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: str
) -> None:
    """Whether SQLite has undone the transaction itself, as for a number that is taken, or not."""
    with StoreWriter.open(tmp_path) as writer:
        commit(writer, draft(Kind.MARK))
        with monkeypatch.context() as patch:
            places = schema._places
            patch.setattr(schema, "_places", lambda *count: f"{places(*count)}, {values}")
            with pytest.raises(StoreUnavailable):
                commit(writer, *[draft(Kind.MARK)] * 11)
        assert [row.seq for row in commit(writer, draft(Kind.MARK))] == [1]
    assert verify(tmp_path).intact
    with StoreReader(tmp_path) as reader:
        assert reader.head().size == 2


def test_rows_are_never_changed_or_removed_by_accident(tmp_path: Path) -> None:
    with StoreWriter.open(tmp_path) as writer:
        commit(writer, draft(Kind.MARK))
        for accident in (
            "UPDATE rows SET row = '{}'",
            "DELETE FROM rows",
            "UPDATE tree SET size = 0",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="never"):
                writer._db.execute(accident)


def test_a_head_that_somebody_else_wrote_is_not_built_upon(tmp_path: Path) -> None:
    with StoreWriter.open(tmp_path) as writer:
        commit(writer, draft(Kind.MARK), draft(Kind.MARK))
        other = Frontier()
        other.append(bytes(32))
        other.append(bytes(32))
        head = (other.to_bytes(), other.root())
        writer._db.execute("UPDATE tree SET frontier = ?, root = ?", head)
        with pytest.raises(LogBroken, match="somebody else"):
            writer.commit([draft(Kind.MARK)])


def test_a_bug_in_the_middle_of_a_batch_leaves_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StoreWriter.open(tmp_path) as writer:
        with monkeypatch.context() as patch:
            patch.setattr(writer_module, "project", lambda row: 1 // (1 - row.seq) and None)
            with pytest.raises(ZeroDivisionError):
                writer.commit([draft(Kind.MARK)] * 3)
        assert commit(writer, draft(Kind.MARK))[0].seq == 0
    assert verify(tmp_path).rows == 1


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        ("DELETE FROM rows WHERE seq = 2", "the head counts 3 rows, the log has rows 0 to 1"),
        ("DELETE FROM rows WHERE seq = 0", "rows 1 to 2"),
        ("DELETE FROM rows", "no rows"),
        ("INSERT INTO rows (seq, row, leaf) SELECT 3, row, leaf FROM rows LIMIT 1", "0 to 3"),
        ("UPDATE rows SET row = replace(row, 'mark', 'murk') WHERE seq = 2", "row 2: not the row"),
        ("UPDATE rows SET leaf = zeroblob(32) WHERE seq = 2", "row 2: not the row"),
        ("UPDATE tree SET root = zeroblob(32)", "does not follow"),
        ("UPDATE tree SET size = 4", "contradicts itself"),
        ("UPDATE tree SET frontier = x'00'", "no head"),
        ("DELETE FROM tree", "no head"),
    ],
)
def test_a_shorter_or_different_log_is_refused_at_start(
    tmp_path: Path, damage: str, why: str
) -> None:
    with StoreWriter.open(tmp_path) as writer:
        commit(writer, *[draft(Kind.MARK)] * 3)
    tamper(tmp_path, damage)
    with pytest.raises(LogBroken, match=why):
        StoreWriter.open(tmp_path)


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    StoreWriter.open(tmp_path).close()
    known = len(schema.MIGRATIONS)
    tamper(tmp_path, f"PRAGMA user_version = {known + 1}")
    for opened in (StoreWriter.open, StoreReader):
        with pytest.raises(
            StoreUnavailable, match=f"schema {known + 1}, this program knows up to {known}"
        ):
            opened(tmp_path)


def test_an_older_schema_is_migrated_by_the_owner_and_not_read_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    StoreWriter.open(tmp_path).close()
    known = len(schema.MIGRATIONS)
    later = (*schema.MIGRATIONS, "CREATE TABLE later (x) STRICT;".replace("x", "x TEXT"))
    monkeypatch.setattr(schema, "MIGRATIONS", later)
    with pytest.raises(StoreUnavailable, match=f"schema {known}, this program reads {known + 1}"):
        StoreReader(tmp_path)
    StoreWriter.open(tmp_path).close()
    StoreReader(tmp_path).close()
    failing = (*later, "CREATE TABLE half (x TEXT) STRICT; CREATE TABLE half (x TEXT) STRICT;")
    monkeypatch.setattr(schema, "MIGRATIONS", failing)
    with pytest.raises(StoreUnavailable, match="half"):
        StoreWriter.open(tmp_path)
    monkeypatch.setattr(schema, "MIGRATIONS", later)
    StoreWriter.open(tmp_path).close()  # nothing of the failed step was left


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    StoreWriter.open(tmp_path).close()
    (tmp_path / schema.DATABASE).write_bytes(b"no database at all" * 1000)
    for opened in (StoreWriter.open, StoreReader):
        with pytest.raises(StoreUnavailable, match="not a database"):
            opened(tmp_path)


@pytest.mark.parametrize("key", [None, b"short"])
def test_a_search_key_is_not_made_anew_under_a_log(tmp_path: Path, key: bytes | None) -> None:
    StoreWriter.open(tmp_path).close()
    (tmp_path / "search.key").unlink()
    if key is not None:
        (tmp_path / "search.key").write_bytes(key)
    with pytest.raises(StoreUnavailable, match=r"search\.key"):
        StoreWriter.open(tmp_path)


def test_a_search_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    StoreWriter.open(tmp_path).close()
    (tmp_path / "search.key").chmod(0o640)
    with pytest.raises(StoreUnavailable, match="can be read by others"):
        StoreWriter.open(tmp_path)


def test_a_place_that_cannot_be_a_store(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match="cannot make"):
        StoreWriter.open(tmp_path / "file")
    with pytest.raises(StoreUnavailable, match="no audit log"):
        StoreReader(tmp_path)


def test_projections_are_made_again_from_the_rows(tmp_path: Path) -> None:
    with StoreWriter.open(tmp_path) as writer:
        commit(writer, *a_recorded_call(a_call(1)), *a_recorded_call(a_call(2), AT_MS + 5))
    with StoreReader(tmp_path) as reader:
        before = reader.calls(), reader.recordings(a_call(1))
    tamper(tmp_path, "DELETE FROM calls")
    tamper(tmp_path, "UPDATE recordings SET level = 'sealed'")
    with StoreWriter.open(tmp_path) as writer:
        assert writer.rebuild() == 22
    with StoreReader(tmp_path) as reader:
        assert (reader.calls(), reader.recordings(a_call(1))) == before


def test_an_entry_follows_a_row_that_says_something_else_of_its_call(tmp_path: Path) -> None:
    """No rows of ours do; what lists show follows from whatever the rows say."""
    call, other = a_call(1), a_call(2)
    level = {"recording": recording_id(call, 1)}
    with StoreWriter.open(tmp_path) as writer:
        commit(writer, *a_recorded_call(call))
        commit(writer, replace(draft(Kind.CALL_ENDED, call), node=NodeName("pbx2")))
        commit(writer, draft(Kind.RECORDING_SEALED, other, detail=level))
    with StoreReader(tmp_path) as reader:
        assert [entry["node"] for entry in reader.calls()] == ["pbx2"]
        assert reader.recordings(call) == []
        assert [entry["level"] for entry in reader.recordings(other)] == ["sealed"]
    assert list(verify(tmp_path).faults) == []


def test_rows_of_every_kind_are_found_by_it(tmp_path: Path) -> None:
    call = a_call(1)
    with StoreWriter.open(tmp_path) as writer:
        kinds = [kind for kind in Kind if kind not in holds.KINDS]
        commit(writer, *(draft(kind, call) for kind in kinds))
        commit(writer, draft(Kind.MARK))
    with StoreReader(tmp_path) as reader:
        for seq, kind in enumerate(kinds):
            assert next(reader.rows(RowQuery(kind=kind))).seq == seq
            assert [row.seq for row in reader.rows(RowQuery(kind=kind, call=call))] == [seq]
        assert len(list(reader.rows(RowQuery(kind=Kind.MARK)))) == 2


def test_seldom_kinds_have_an_index_and_those_of_every_call_have_none(tmp_path: Path) -> None:
    rows = a_recorded_call(a_call(1))
    assert sorted(schema.EVERYDAY) == sorted(row.kind for row in rows)
    with StoreWriter.open(tmp_path) as writer:
        commit(writer, *rows, draft(Kind.MARK))
    with StoreReader(tmp_path) as reader:
        indexed = "SELECT seldom FROM rows INDEXED BY rows_seldom WHERE seldom IS NOT NULL"
        assert reader.connection.execute(indexed).fetchall() == [(Kind.MARK,)]
        asked: list[str] = []
        reader.connection.set_trace_callback(asked.append)
        list(reader.rows(RowQuery(kind=Kind.MARK)))
        list(reader.rows(RowQuery(kind=Kind.PARTY_TOLD, call=a_call(1))))
        reader.connection.set_trace_callback(None)
        for sql, index in zip(asked, ("rows_seldom", "rows_call"), strict=True):
            plan = reader.connection.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()
            assert index in plan[0][3]


def test_rows_by_time_call_kind_and_purpose(tmp_path: Path) -> None:
    calls = [a_call(n) for n in range(3)]
    with StoreWriter.open(tmp_path) as writer:
        for n, call in enumerate(calls):
            commit(writer, *a_recorded_call(call, AT_MS + n * 100_000))
    with StoreReader(tmp_path) as reader:

        def seqs(**query: object) -> list[int]:
            return [row.seq for row in reader.rows(RowQuery(**query))]  # type: ignore[arg-type]

        assert seqs(call=calls[1]) == list(range(11, 22))
        assert seqs(kind="decision") == [3, 14, 25]
        assert seqs(kind="decision", limit=2) == [3, 14]
        assert seqs(kind="decision", limit=2, newest=True) == [14, 25]
        assert seqs(purpose="QUALITY", kind="decision", call=calls[0]) == [3]
        assert seqs(purpose="QUAL") == []
        assert seqs(since="2026-11-24T08:03:20.000Z", limit=1) == [22]
        assert seqs(until="2026-11-24T08:00:00.002Z") == [0]
        assert seqs(first_seq=31) == [31, 32]
