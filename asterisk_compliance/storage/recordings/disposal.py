"""What is there of a recording, wherever it lies, and removing it so that nobody reads it again.

A recording leaves files in the vault, named ``<recording>`` and whatever stands behind it: sealed
or not, half written, and what somebody made from it beside it. It may have left others in a spool.

Blocking by nature: call these functions in a worker thread.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections.abc import Collection, Iterable
from pathlib import Path

from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.ids import RecordingId, spool_name
from asterisk_compliance.storage.durable_files import sync_directory
from asterisk_compliance.storage.recordings.assembly import DIRECTIONS
from asterisk_compliance.storage.recordings.vault import SEALED_SUFFIX

_NAMED = re.compile(r"(r-[0-9a-f]{28}-[1-9][0-9]{0,3})(?![0-9a-zA-Z])")

ENDINGS = (
    ".wav",
    f".wav{SEALED_SUFFIX}",
    ".part",
    *(spool_name(RecordingId(""), direction) for direction in DIRECTIONS),
)
"""Of the names of our own files, behind the id of the recording."""


def files_of(
    wanted: Collection[RecordingId], directories: Iterable[Path]
) -> dict[RecordingId, list[Path]]:
    """Every file of ``wanted`` in ``directories``, each of which is read once.

    Raises:
        StoreUnavailable: one of them cannot be listed; one that is not there holds nothing.
    """
    found: dict[RecordingId, list[Path]] = {}
    for directory in directories:
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    match = _NAMED.match(entry.name)
                    if match is not None and RecordingId(match[1]) in wanted:
                        found.setdefault(RecordingId(match[1]), []).append(directory / entry.name)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StoreUnavailable(f"cannot list {directory}: {error.strerror}") from error
    return {recording: sorted(files) for recording, files in found.items()}


def digest_of(path: Path) -> str:
    """SHA-256 of a file, hex; of a pipe or a link, which holds nothing itself, that of no bytes.

    The spool is Asterisk's too, so whatever bears a recording's name there can be anything.

    Raises:
        OSError: it cannot be read.
    """
    if not stat.S_ISREG(path.lstat().st_mode):
        return hashlib.sha256().hexdigest()
    opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(opened, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def ending_of(recording: RecordingId, path: Path) -> str:
    """What stands behind the recording's id in the name of a file of ours; ``*`` for any other:
    what somebody called his own file is no business of a row.
    """
    ending = path.name.removeprefix(recording)
    return ending if ending in ENDINGS else "*"


def remove(recording: RecordingId, files: Iterable[Path], directories: Iterable[Path]) -> None:
    """Delete a recording for good, and prove it: nothing of it can be opened any more.

    Also where an earlier run was interrupted, before or behind any step.

    Args:
        recording: Which.
        files: What was found of it.
        directories: Where files of ours may be; of one that is not there nothing is asked.

    Raises:
        OSError: something could not be removed, or can still be opened.
    """
    there = [directory for directory in directories if directory.is_dir()]
    ours = {directory / f"{recording}{ending}" for ending in ENDINGS for directory in there}
    paths = sorted({*files, *ours})
    for path in paths:
        path.unlink(missing_ok=True)
    for directory in there:
        sync_directory(directory)
    for path in paths:
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))  # a pipe is waited for by nobody
        except FileNotFoundError:
            continue
        raise FileExistsError(errno.EEXIST, "can still be opened", path.name)
