"""Files of JSON Lines that are full: named by the rows they hold, and never written again.

    audit-000000000000-000000327999.jsonl
    audit-000000328000-000000651207.jsonl
    audit.jsonl                              the one that is written

Sorted by name they are the log. A file becomes one of them by a single rename, so a crash leaves
it under one name or the other, and its name says which row comes next.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from asterisk_compliance.domain.audit.encoding import decode
from asterisk_compliance.storage.durable_files import sync_directory


class ArchivedLines(NamedTuple):
    """One file, by its name.

    Attributes:
        first, last: Which rows it holds.
        is_plain: Nobody has compressed it and added to its name (``….jsonl.gz``).
    """

    first: int
    last: int
    is_plain: bool
    path: Path


def sealed_files(path: Path) -> list[ArchivedLines]:
    """Those beside ``path``, the one that is written; in the order of the log.

    Raises:
        OSError: the directory cannot be read.
    """
    return sorted(_found(path))


def _found(path: Path) -> Iterator[ArchivedLines]:
    stem, suffix = re.escape(path.stem), re.escape(path.suffix)
    named = re.compile(rf"{stem}-(\d{{12,}})-(\d{{12,}}){suffix}(\.\w+)?")
    for one in path.parent.iterdir():
        if said := named.fullmatch(one.name):
            yield ArchivedLines(int(said[1]), int(said[2]), said[3] is None, one)


def seal(path: Path, last: int, keep: int) -> str:
    """Give the file at ``path`` its last name, and let the oldest such files go.

    Args:
        path: It is whole, and nobody writes to it meanwhile.
        last: The last row in it.
        keep: How many such files stay; 0: all.

    Returns:
        Why it was not done; empty: it was.

    Raises:
        OSError: it could not be.
    """
    with path.open("rb") as file:
        os.fsync(file.fileno())
        try:
            first = decode(file.readline().rstrip(b"\n")).seq
        except ValueError:
            return "its first line is no row"
    name = path.with_name(f"{path.stem}-{first:012d}-{last:012d}{path.suffix}")
    if name.exists():
        return f"{name.name} is there already"
    path.rename(name)
    sync_directory(path.parent)
    for one in sealed_files(path)[:-keep] if keep else ():
        one.path.unlink(missing_ok=True)
    return ""
