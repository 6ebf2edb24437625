"""An older store is brought up to date behind a backup, which does not outlive who is in it."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
from base64 import b64encode
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from asterisk_compliance.app.retention.erasure import PersonSelector, seek, tombstones
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.retention.erasure import ErasureGround
from asterisk_compliance.errors import LogBroken, StoreUnavailable
from asterisk_compliance.storage.log import backups, schema
from asterisk_compliance.storage.log import migration as migrating
from asterisk_compliance.storage.log.backups import Backup, backups_of
from asterisk_compliance.storage.log.erasure import copies_left, secrets_of
from asterisk_compliance.storage.log.reader import CallQuery, RowQuery, StoreReader
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.proofs.verification import verify
from sample_rows import NUMBER, draft
from storage.older_store import CALLS, make_older, write

DOCS = Path(__file__).parents[3] / "docs"
TODAY = len(schema.MIGRATIONS)
OLD = TODAY - 2


@pytest.fixture
def older(tmp_path: Path) -> Path:
    store = tmp_path / "store"
    write(store)
    make_older(store, OLD)
    return store


def open_and_close(store: Path) -> None:
    StoreWriter.open(store).close()


def only(store: Path) -> Backup:
    (found,) = backups_of(store / schema.DATABASE)
    return found


def put_back(store: Path) -> None:
    """By the commands of docs/upgrading.md, after they were asked for by name."""
    lines = (DOCS / "upgrading.md").read_text().split("## Going back")[1].splitlines()
    commands = [line.strip() for line in lines if line.startswith("    ")]
    assert commands[0] == "cd /var/lib/asterisk-compliance/store"
    script = "\n".join(commands[1:])
    subprocess.run(["sh", "-euc", script], cwd=store, check=True, timeout=10)


def version(database: Path) -> int:
    with closing(sqlite3.connect(database)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def rows(store: Path) -> list[bytes]:
    with StoreReader(store) as reader:
        return [row.data for row in reader.rows()]


def shown(store: Path) -> list[object]:
    """What lists show of calls and recordings."""
    with StoreReader(store) as reader:
        calls = [dict(entry) for entry in reader.calls(CallQuery(limit=1_000))]
        return [calls, [reader.recordings(one["call"]) for one in calls]]


@pytest.mark.parametrize("schema_then", range(1, TODAY))
def test_a_store_of_every_schema_becomes_one_of_today(tmp_path: Path, schema_then: int) -> None:
    write(tmp_path)
    before, lists = rows(tmp_path), shown(tmp_path)
    make_older(tmp_path, schema_then)
    with pytest.raises(StoreUnavailable, match=f"has schema {schema_then}, this program reads"):
        StoreReader(tmp_path)
    open_and_close(tmp_path)
    assert version(tmp_path / schema.DATABASE) == TODAY
    assert rows(tmp_path) == before
    assert list(verify(tmp_path).faults) == []
    with StoreReader(tmp_path) as reader:
        assert len(list(reader.rows(RowQuery(kind=Kind.MARK)))) == 1
        assert len(list(reader.rows(RowQuery(kind=Kind.NOTICE_INCOMPLETE)))) == CALLS
    if schema_then >= TODAY - 1:  # what older ones did not keep in lists is not made up
        assert shown(tmp_path) == lists


def test_a_new_store_needs_no_backup_and_one_of_today_neither(tmp_path: Path) -> None:
    write(tmp_path)
    open_and_close(tmp_path)
    assert backups_of(tmp_path / schema.DATABASE) == []


def test_the_backup_is_the_store_as_it_was(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(older / schema.DATABASE)) as db:
        before = list(db.iterdump())
    open_and_close(older)
    backup = only(older)
    assert (backup.schema, backup.rows) == (OLD, len(rows(older)))
    assert backup.path.stat().st_mode & 0o777 == 0o600
    assert list(older.glob("audit.sqlite3.*")) == [backup.path], "one file, and nothing beside it"
    with closing(sqlite3.connect(backup.path)) as db:
        assert list(db.iterdump()) == before

    newer = rows(older)
    (older / "checkpoint").touch()
    (older / "audit.jsonl").touch()
    put_back(older)
    monkeypatch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:OLD])
    assert rows(older) == newer
    open_and_close(older)


def test_without_room_nothing_is_changed(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = shutil.disk_usage(older)._replace(free=(older / schema.DATABASE).stat().st_size * 2)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    with pytest.raises(
        StoreUnavailable, match=r"takes 6\d MiB beside it, and \d are free"
    ) as found:
        open_and_close(older)
    assert "make room" in (found.value.hint or "")
    assert version(older / schema.DATABASE) == OLD
    assert backups_of(older / schema.DATABASE) == []


def test_a_disk_that_fills_up_during_the_backup_leaves_the_store_alone(older: Path) -> None:
    """The kernel refuses to let any file of the child grow beyond half of the database."""
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        most = (older / schema.DATABASE).stat().st_size // 2
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        try:
            open_and_close(older)
        except StoreUnavailable as error:
            os._exit(9 if "no backup of" in str(error) else 2)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert version(older / schema.DATABASE) == OLD
    assert list(older.glob("audit.sqlite3.*")) == []
    open_and_close(older)
    assert only(older).schema == OLD


def test_what_a_death_left_is_cleared_away_and_the_same_rows_are_copied_once(
    older: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (older / "audit.sqlite3.part").write_bytes(b"half of it")
    with monkeypatch.context() as patch:
        broken = (*schema.MIGRATIONS[:-1], "CREATE TABLE calls (x TEXT) STRICT;")
        patch.setattr(schema, "MIGRATIONS", broken)
        with pytest.raises(StoreUnavailable, match="calls already exists"):
            open_and_close(older)
    first = only(older)
    assert version(older / schema.DATABASE) == TODAY - 1
    open_and_close(older)
    assert only(older) == first, "it is the way back to the version that ran"
    assert not (older / "audit.sqlite3.part").exists()


def test_a_later_backup_takes_the_place_of_an_earlier_one(
    older: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StoreWriter.open(older) as store:
        store.commit([draft(Kind.MARK)])
    first = only(older)
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, "CREATE TABLE x (x TEXT);"))
    open_and_close(older)
    assert only(older).rows == first.rows + 1


def test_a_backup_that_is_about_to_go_is_no_way_back(
    older: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_and_close(older)
    first = only(older)
    stale = first.path.with_name(f"audit.sqlite3.schema-{OLD}.rows-{first.rows}.20200101T000000Z")
    first.path.rename(stale)
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, "CREATE TABLE x (x TEXT);"))
    with StoreWriter.open(older) as store:
        store.tidy()
    assert only(older).schema == TODAY


def erase(store: StoreWriter, directory: Path) -> list[bytes]:
    """Erase everybody with the number; returns what must be nowhere any more."""
    with StoreReader(directory) as reader:
        parties = seek(reader, PersonSelector(number=NUMBER.value), "JP")
    gone = secrets_of(directory, [one.party for one in parties])
    store.commit(tombstones(parties, ErasureGround.JP_CEASE_USE, "REQ-1", "officer"))
    return gone


def test_who_is_erased_is_in_no_backup(older: Path) -> None:
    with StoreWriter.open(older) as store:
        assert only(older).path.stat().st_size > 0
        gone = erase(store, older)
        assert len(gone) > 10
        assert copies_left(older, gone) == {}
    assert backups_of(older / schema.DATABASE) == []


def test_a_death_between_the_erasure_and_the_removal_is_made_up_for(older: Path) -> None:
    with StoreWriter.open(older) as store:
        kept = shutil.copy2(only(older).path, older.parent / "kept")
        name = only(older).path
        gone = erase(store, older)
    shutil.copy2(kept, name)
    assert copies_left(older, gone) == {name.name: len(gone)}
    open_and_close(older)
    assert copies_left(older, gone) == {}


def test_a_backup_that_cannot_be_removed_is_tried_again(
    older: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path, *, missing_ok: bool = False) -> None:
        raise PermissionError(1, "Operation not permitted")

    with StoreWriter.open(older) as store:
        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", refuse)
            gone = erase(store, older)
            assert store.is_to_wipe
        assert copies_left(older, gone) == {only(older).path.name: len(gone)}
        store.tidy()
        assert not store.is_to_wipe
        assert copies_left(older, gone) == {}


@pytest.mark.parametrize("how", ["start", "while it runs"])
def test_a_backup_goes_when_its_time_is_over(
    older: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime.now(UTC) + timedelta(days=backups.KEPT_DAYS, seconds=1)

    with StoreWriter.open(older) as store:
        store.tidy()
        assert only(older).schema == OLD
        if how == "while it runs":
            monkeypatch.setattr(backups, "datetime", Later)
            store.tidy()
    monkeypatch.setattr(backups, "datetime", Later)
    with StoreWriter.open(older) as store:
        store.tidy()
    monkeypatch.undo()
    assert backups_of(older / schema.DATABASE) == []


def test_a_restored_backup_is_refused_until_the_newer_files_are_put_aside(
    older: Path, tmp_path: Path
) -> None:
    with StoreWriter.open(older) as store:
        written = store.commit([draft(Kind.MARK)])[-1].seq + 1
        (older / "audit.jsonl").write_bytes(b"".join(row + b"\n" for row in rows(older)))
        made = store.checkpoint(
            lambda head: f"site/{store.log}\n{head.size}\n{b64encode(head.root).decode()}\n"
        )
        assert made is not None
    (older / "checkpoint").write_text(f"{made.note}\n— site AAAAAAAA\n")
    shutil.copytree(older, tmp_path / "too hasty")
    only(tmp_path / "too hasty").path.rename(tmp_path / "too hasty" / schema.DATABASE)
    with pytest.raises(LogBroken, match="shorter than it was"):
        open_and_close(tmp_path / "too hasty")

    put_back(older)
    open_and_close(older)
    assert len(rows(older)) == written - 1
    assert {path.name for path in (older.parent / "store-newer").iterdir()} >= {
        "audit.sqlite3",
        "audit.jsonl",
        "checkpoint",
    }


def test_what_goes_on_is_told(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(migrating, "TELL_EVERY_S", 0.0)
    monkeypatch.setattr(migrating, "INSTRUCTIONS", 100)
    monkeypatch.setattr(backups, "PAGES_AT_ONCE", 4)
    StoreWriter.open(older, told=lines.append).close()
    assert lines[0].startswith(f"store: schema {OLD} to {TODAY}: backup, ")
    assert f"store: schema {OLD} to {TODAY}: backup, 100 %" in lines
    assert lines[-1] == f"store: schema {OLD} to {TODAY}: step {TODAY}"
