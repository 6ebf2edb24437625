"""The vault: recordings in one directory that the service's user alone can read.

    <recording>.wav.age    sealed: encrypted to the recipients, which are not here
    <recording>.wav        where the configuration says that nothing is encrypted
    <recording>.part       on its way; what an interrupted run left is replaced or removed
    quarantine/            files of the spool that no row knows (``quarantine.py``)

Blocking by nature: call these functions in a worker process or thread.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from asterisk_compliance.age import Chunks, Written, encrypt, fingerprint, plain
from asterisk_compliance.domain.recording.verdict import SealedRecording
from asterisk_compliance.errors import SealingFailed, StoreUnavailable
from asterisk_compliance.ids import RecordingId
from asterisk_compliance.storage.durable_files import sync_directory

SEALED_SUFFIX = ".age"


def vault_path(vault: Path, recording: RecordingId, *, sealed: bool = False) -> Path:
    return vault / f"{recording}.wav{SEALED_SUFFIX if sealed else ''}"


def open_vault(vault: Path) -> None:
    """Make the vault, or look that nobody else can read what is in it.

    One that we cannot use is none of ours here: that is seen while calls go on (``storage_watch``).

    Raises:
        StoreUnavailable: it cannot be made, or is open to others.
    """
    try:
        vault.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = stat.S_IMODE(vault.stat().st_mode)
    except OSError as error:
        raise StoreUnavailable(f"{vault}: {error.strerror}") from None
    if mode & 0o077:
        hint = f"the service's user alone may read recordings: chmod 700 {vault}"
        raise StoreUnavailable(f"{vault}: others can read it", hint=hint)


def put(
    vault: Path, recording: RecordingId, chunks: Chunks, recipients: Sequence[str]
) -> SealedRecording | None:
    """Take a recording in, whole or not at all; it replaces what an interrupted run left of it.

    Encrypted aside, synced, renamed, and read again from the disk: only then is it there.

    Returns:
        What was sealed; ``None`` without ``recipients``.

    Raises:
        SealingFailed: it cannot be encrypted, or the disk does not hold what was written.
        OSError: the disk, or whatever ``chunks`` reads.
    """
    target = vault_path(vault, recording, sealed=bool(recipients))
    written = write_whole(_aside(vault, recording), target, chunks, recipients)
    other = vault_path(vault, recording, sealed=not recipients)
    if other.exists():  # an interrupted run had another configuration
        other.unlink()
        sync_directory(vault)
    if not recipients:
        return None
    return SealedRecording(written.sha256, written.size_bytes, tuple(map(fingerprint, recipients)))


def write_whole(
    aside: Path, target: Path, chunks: Chunks, recipients: Sequence[str] = ()
) -> Written:
    """Write ``aside``, sync, rename to ``target``, and read again; errors as :func:`put`."""
    try:
        aside.unlink(missing_ok=True)  # a run that is being killed may still hold it
        opened = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(opened, "wb") as out:
            written = encrypt(chunks, out, recipients) if recipients else plain(chunks, out)
            out.flush()
            os.fsync(out.fileno())
        aside.rename(target)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    sync_directory(target.parent)
    if _on_disk(target) != written.sha256:
        target.unlink()
        raise SealingFailed("the disk does not hold what was written")
    return written


def open_recording(vault: Path, recording: RecordingId, *, sealed: bool) -> BinaryIO:
    """Its bytes as they lie there, to be released: encrypted, if ``sealed``.

    Raises:
        OSError: it is not there, or we may not read it.
    """
    return vault_path(vault, recording, sealed=sealed).open("rb")


def remove_recording(vault: Path, recording: RecordingId) -> bool:
    """Delete the recording from the vault, and what an interrupted run left of it, for good.

    Returns:
        Whether anything of it was there.

    Raises:
        OSError: it could not be removed, or can still be opened.
    """
    forms = (
        vault_path(vault, recording, sealed=True),
        vault_path(vault, recording),
        _aside(vault, recording),
    )
    was_there = False
    for path in forms:
        try:
            path.unlink()
            was_there = True
        except FileNotFoundError:
            pass
    sync_directory(vault)  # also when an earlier run was interrupted before it did
    for path in forms:
        _prove_gone(path)
    return was_there


def _prove_gone(path: Path) -> None:
    try:
        path.open("rb").close()
    except FileNotFoundError:
        return
    raise FileExistsError(errno.EEXIST, "is still there", path.name)


def _aside(vault: Path, recording: RecordingId) -> Path:
    return vault / f"{recording}.part"


def _on_disk(path: Path) -> str:
    """SHA-256 of what the disk holds, not of what is in memory, as far as the kernel obeys."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return hashlib.file_digest(file, "sha256").hexdigest()
