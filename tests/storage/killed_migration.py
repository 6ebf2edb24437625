"""Brings a store of an earlier version up, again and again, each time killed later: ``… DIR``.

Prints how often it was killed, and at how many versions it was left. Fails where the log, what
is kept of persons or its head is another one afterwards, where a version is left by halves, or
where the next start does not bring it to its end.
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

from asterisk_compliance.domain.rows import Kind
from asterisk_compliance.ids import recording_id
from asterisk_compliance.storage import schema
from asterisk_compliance.storage.verify import verify
from asterisk_compliance.storage.writer import StoreWriter
from sample_rows import a_call, a_recorded_call, draft
from storage.earlier import as_before

STEPS = 100
"""So many instructions of SQLite's machine are between one death and the next."""
KEPT = (
    "SELECT seq, row, leaf FROM rows ORDER BY seq",
    "SELECT size, frontier, root FROM tree",
    "SELECT seq, field, party, salt, value FROM party_values ORDER BY seq, field",
    "SELECT digest, party, field FROM party_digests ORDER BY digest, party",
)


def main(home: Path) -> None:
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
        assert _digest(here) == kept, f"killed at {death}"
        with StoreWriter.open(here):
            pass
        assert _version(here) == len(schema.MIGRATIONS)
        assert _digest(here) == kept
        assert list(verify(here).faults) == []
        shutil.rmtree(here)
        if not killed:
            print(death - 1, len(left))
            return


def _killed_at(death: int, store: Path) -> bool:
    child = os.fork()
    if child == 0:
        passed = 0

        def pass_by() -> int:
            nonlocal passed
            passed += 1
            if passed == death:
                os.kill(os.getpid(), signal.SIGKILL)
            return 0

        migrate = schema._migrate

        def watched(db: sqlite3.Connection, path: Path) -> None:
            db.set_progress_handler(pass_by, STEPS)
            migrate(db, path)
            db.set_progress_handler(None, 0)

        schema._migrate = watched
        StoreWriter.open(store)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status in {0, signal.SIGKILL}, status
    return status == signal.SIGKILL


def _digest(store: Path) -> str:
    """Of everything that no migration may change; recovers the database as any reader would."""
    found = hashlib.sha256()
    with closing(sqlite3.connect(store / schema.DATABASE)) as db:
        for sql in KEPT:
            for line in db.execute(sql):
                found.update(repr(line).encode())
    return found.hexdigest()


def _version(store: Path) -> int:
    with closing(sqlite3.connect(store / schema.DATABASE)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
