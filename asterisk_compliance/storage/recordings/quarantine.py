"""Copies spool files that no call knows into the quarantine, sealed like recordings."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from asterisk_compliance.ids import RecordingId, parse_spool_name
from asterisk_compliance.storage.recordings.vault import SEALED_SUFFIX, write_whole

QUARANTINE = "quarantine"
"""Directory in the vault."""

_CHUNK_BYTES = 1 << 20


def spooled(spool: Path) -> Iterator[tuple[Path, RecordingId]]:
    """Every file of a recording in the spool; files with other names are none of ours."""
    for path in sorted(spool.iterdir()) if spool.is_dir() else ():
        parsed = parse_spool_name(path.name)
        if parsed is not None and path.is_file():
            yield path, parsed[0]


def copy_aside(path: Path, directory: Path, recipients: Sequence[str] = ()) -> tuple[str, int, str]:
    """Copy a file out of the spool, whole and durable, or not at all; sealed as recordings are.

    It stays in the spool until the row that says so is durable; an interrupted run leaves both,
    and the next one begins again.

    Returns:
        Its name, its size in bytes, and its SHA-256, hex, as it was in the spool.

    Raises:
        SealingFailed, OSError: it could not be read, sealed or written.
    """
    directory.mkdir(mode=0o700, exist_ok=True)
    digest = hashlib.sha256()
    size = 0

    def read() -> Iterator[bytes]:
        nonlocal size
        with path.open("rb") as source:
            while chunk := source.read(_CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
                yield chunk

    target = directory / f"{path.name}{SEALED_SUFFIX if recipients else ''}"
    write_whole(directory / f"{path.name}.part", target, read(), recipients)
    return path.name, size, digest.hexdigest()
