"""Looks for people in everything that the service writes: numbers in any notation, and names.

One place may hold them: the table ``party_values``. What is searched is bytes, as they stand in
files, tables, answers and command lines.
"""

from __future__ import annotations

import json
import re
import sqlite3
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from asterisk_compliance.storage.log.schema import DATABASE

MAY_HOLD = "party_values"
ENDING_DIGITS = 7
"""So many digits at the end of a number are that number."""

_IDS = re.compile(rb"[0-9a-f]{16,}")
"""Our ids, digests and nonces: of chance, so that any seven digits may stand in them."""
_PUNCTUATION = re.compile(rb"(?<=[0-9])[-. ()]{1,2}(?=[0-9])")


@dataclass(frozen=True, slots=True)
class Trace:
    """Somebody was found where nobody may be."""

    where: str
    who: str


@dataclass(frozen=True, slots=True)
class Person:
    """Whom to look for.

    Attributes:
        who: A word for the message.
        number: National, with its 0; empty if there is none.
        names: Parts of the name that occur nowhere else.
    """

    who: str
    number: str = ""
    names: tuple[str, ...] = ()

    def forms(self) -> Iterator[bytes]:
        """Every byte string that gives this person away."""
        if self.number:
            yield self.number[-ENDING_DIGITS:].encode()
        for name in self.names:
            yield name.encode()
            yield name.lower().encode()
            yield name.upper().encode()
            yield json.dumps(name).strip('"').encode()
            yield urllib.parse.quote(name).encode()

    def is_in(self, data: bytes) -> bool:
        plain = _PUNCTUATION.sub(b"", _IDS.sub(b"", data))
        return any(form in plain for form in self.forms())


def traces(people: Iterable[Person], written: Mapping[str, bytes]) -> list[Trace]:
    """Who is found where; ``written`` is what there is, each under a word for its place."""
    return [
        Trace(where, person.who)
        for where, data in written.items()
        for person in people
        if person.is_in(data)
    ]


def files_below(*directories: Path, without: Iterable[str] = ()) -> dict[str, bytes]:
    """Names and contents of every file; of those in ``without`` only the name."""
    found: dict[str, bytes] = {}
    for directory in directories:
        for path in sorted(directory.rglob("*")):
            name = path.relative_to(directory)
            found[f"name in {directory.name}: {name}"] = str(name).encode()
            if path.is_file() and path.name not in without:
                found[f"file {name}"] = path.read_bytes()
    return found


def tables_of(store: Path) -> dict[str, bytes]:
    """Everything in the database but what may hold values."""
    db = sqlite3.connect(f"{(store / DATABASE).as_uri()}?mode=ro", uri=True)
    try:
        listed = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        return {
            f"table {name}": b"\n".join(
                b" ".join(one if isinstance(one, bytes) else str(one).encode() for one in line)
                for line in db.execute(f'SELECT * FROM "{name}"')
            )
            for (name,) in listed
            if name != MAY_HOLD
        }
    finally:
        db.close()


def values_of(store: Path) -> bytes:
    """What the one table holds that may."""
    db = sqlite3.connect(f"{(store / DATABASE).as_uri()}?mode=ro", uri=True)
    try:
        return "\n".join(value for (value,) in db.execute(f"SELECT value FROM {MAY_HOLD}")).encode()
    finally:
        db.close()


def command_lines(pid: int) -> dict[str, bytes]:
    """Arguments and titles of a process, of its threads and of all that it started."""
    found: dict[str, bytes] = {}
    for one in [pid, *_children(pid)]:
        proc = Path(f"/proc/{one}")
        for path in (proc / "cmdline", *proc.glob("task/*/comm")):
            try:
                found[f"process {path.relative_to('/proc')}"] = path.read_bytes()
            except OSError:  # it ended meanwhile
                continue
    return found


def _children(pid: int) -> Iterator[int]:
    for path in Path(f"/proc/{pid}").glob("task/*/children"):
        for child in map(int, path.read_text().split()):
            yield child
            yield from _children(child)
