"""Brings a store of an earlier version up, again and again, each time killed later: ``… DIR``.

Prints how often it was killed, and at how many versions it was left. Fails where the log, what
is kept of persons or its head is another one afterwards, where a version is left by halves, where
the backup is none, or where the next start does not bring it to its end.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sqlite3
import sys
from collections import Counter
from contextlib import closing
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import pytest

from asterisk_compliance.cli.logs import LogLevel, log_to_stderr
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.ids import recording_id
from asterisk_compliance.storage.log import backups, schema
from asterisk_compliance.storage.log import migration as migrating
from asterisk_compliance.storage.log.backups import backups_of
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.proofs.verification import verify
from sample_rows import a_call, a_recorded_call, draft
from storage.earlier import as_before

STEPS, PAGES = 100, 8
"""So many instructions of SQLite's machine, or pages of the backup, are between two deaths."""
KEPT = (
    "SELECT seq, row, leaf FROM rows ORDER BY seq",
    "SELECT size, frontier, root FROM tree",
    "SELECT seq, field, party, salt, value FROM party_values ORDER BY seq, field",
    "SELECT digest, party, field FROM party_digests ORDER BY digest, party",
)


def main(home: Path) -> None:
    log_to_stderr(LogLevel.ERROR)
    earlier = home / "earlier"
    with pytest.MonkeyPatch.context() as patch:
        as_before(patch, schema._RETENTION)
        first = len(schema.MIGRATIONS)
        with StoreWriter.open(earlier) as store:
            for number in range(4):
                call = a_call(number)
                adopted = {"recording": recording_id(call, 2), "policy": "inbound"}
                said = {"state": "withdrawn", "earlier": "delete"}
                store.commit(a_recorded_call(call))
                store.commit([draft(Kind.RECORDING_ADOPTED, call, detail=adopted)])
                store.commit([draft(Kind.CONSENT, call, detail=said)])
    kept, left = _digest(earlier), Counter[int]()
    for death in count(1):
        here = home / str(death)
        shutil.copytree(earlier, here)
        killed = _killed_at(death, here)
        version = _version(here)
        left[version] += 1
        assert first <= version <= len(schema.MIGRATIONS)
        assert len(backups_of(here / schema.DATABASE)) == 1 or version == first
        assert _digest(here) == kept, f"killed at {death}"
        with StoreWriter.open(here):
            pass
        assert _version(here) == len(schema.MIGRATIONS)
        assert _digest(here) == kept
        (backup,) = backups_of(here / schema.DATABASE)
        assert backup.schema == first
        assert _digest(here, backup.path.name) == kept
        assert not list(here.glob("*.part"))
        assert list(verify(here).faults) == []
        shutil.rmtree(here)
        if not killed:
            print(death - 1, len(left))
            return


def _killed_at(death: int, store: Path) -> bool:
    child = os.fork()
    if child == 0:
        passed = count(1)
        migrating.INSTRUCTIONS, backups.PAGES_AT_ONCE = STEPS, PAGES

        def passing(_: migrating.Telling) -> int:
            if next(passed) == death:
                os.kill(os.getpid(), signal.SIGKILL)
            return 0

        migrating.Telling.__call__ = passing
        StoreWriter.open(store)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status in {0, signal.SIGKILL}, status
    return status == signal.SIGKILL


def _digest(store: Path, name: str = schema.DATABASE) -> str:
    """Of everything that no migration may change; recovers the database as any reader would."""
    found = hashlib.sha256()
    with closing(sqlite3.connect(store / name)) as db:
        for sql in KEPT:
            for line in db.execute(sql):
                found.update(repr(line).encode())
    return found.hexdigest()


def _version(store: Path) -> int:
    with closing(sqlite3.connect(store / schema.DATABASE)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
