"""Files in the spool that no call of the log knows: kept, and readable by nobody until decided."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from asterisk_compliance.ids import RecordingId, parse_spool_name
from asterisk_compliance.storage.files import sync_directory

QUARANTINE = "quarantine"
"""Directory in the vault."""

_CHUNK_BYTES = 1 << 20


def spooled(spool: Path) -> Iterator[tuple[Path, RecordingId]]:
    """Every file of a recording in the spool; files with other names are none of ours."""
    for path in sorted(spool.iterdir()):
        parsed = parse_spool_name(path.name)
        if parsed is not None and path.is_file():
            yield path, parsed[0]


def copy_aside(path: Path, directory: Path) -> tuple[str, int, str]:
    """Copy a file out of the spool, whole and durable, or not at all.

    It stays in the spool until the row that says so is durable; an interrupted run leaves both,
    and the next one begins again.

    Returns:
        Its name, its size in bytes, and its SHA-256, hex.

    Raises:
        OSError: it could not be read or written.
    """
    directory.mkdir(mode=0o700, exist_ok=True)
    aside = directory / f"{path.name}.part"
    digest = hashlib.sha256()
    size = 0
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with path.open("rb") as source, os.fdopen(descriptor, "wb") as target:
        while chunk := source.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
            target.write(chunk)
        target.flush()
        os.fsync(target.fileno())
    aside.replace(directory / path.name)
    sync_directory(directory)
    return path.name, size, digest.hexdigest()
