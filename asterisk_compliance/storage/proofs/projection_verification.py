"""Do the tables that lists are read from say what the rows say? Reads every row once.

On its own, so that it can be done beside the tree, by another processor: as a program it prints
what differs as JSON.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import msgspec

from asterisk_compliance.domain.audit.encoding import Row
from asterisk_compliance.domain.audit.merkle import BLOCK
from asterisk_compliance.domain.audit.projection import Column, ProjectionTable, project
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.storage.log import projections, schema

FEW_ROWS = 100_000
"""Up to so many rows another process takes longer to begin than it saves."""

Entries: TypeAlias = "dict[ProjectionTable, dict[str, dict[str, Column]]]"

_decode = msgspec.json.Decoder(Row).decode
_decode_block = msgspec.json.Decoder(list[Row]).decode


def differences(directory: Path) -> list[str]:
    """What differs, in a snapshot of its own.

    Raises:
        StoreUnavailable: the store cannot be read.
    """
    db = schema.open_for_reading(directory)
    try:
        db.execute("BEGIN")
        return list(projections.differences(db, _folded(db)))
    except sqlite3.Error as error:
        raise StoreUnavailable(f"cannot read {directory}: {error}") from error
    finally:
        db.close()


class ConcurrentComparison:
    """Looks for differences while something else is done, if there are rows enough."""

    def __init__(self, directory: Path, rows: int, *, wanted: bool) -> None:
        self._directory = directory
        self._wanted = wanted
        self._process: subprocess.Popen[bytes] | None = None
        if wanted and rows > FEW_ROWS:
            command = [sys.executable, "-m", __name__, str(directory)]
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603  ours

    def result(self) -> list[str]:
        """What :func:`differences` says; nothing, if nobody wants to know."""
        if not self._wanted:
            return []
        if self._process is not None:
            found, _ = self._process.communicate()
            if self._process.returncode == 0:
                return msgspec.json.decode(found, type=list[str])
        return differences(self._directory)

    def close(self) -> None:
        """End it, if nobody waited for it."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


def _folded(db: sqlite3.Connection) -> Entries:
    entries: Entries = {table: defaultdict(dict) for table in projections.KEYS}
    lines = (line for (line,) in db.execute("SELECT CAST(row AS BLOB) FROM rows ORDER BY seq"))
    while block := list(islice(lines, BLOCK)):
        for row in _rows(block):
            if change := project(row):
                entries[change.table][change.key].update(change.columns)
    return entries


def _rows(lines: Sequence[bytes]) -> Iterator[Row]:
    """Those that are rows: others are named by the tree, and so is what is not strictly one."""
    try:
        rows = _decode_block(b"[" + b",".join(lines) + b"]")
    except (ValueError, msgspec.MsgspecError):
        rows = []
    if len(rows) == len(lines):
        yield from rows
        return
    for line in lines:
        with suppress(ValueError, msgspec.MsgspecError):
            yield _decode(line)


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(differences(Path(sys.argv[1]))))
