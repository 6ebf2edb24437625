"""The signing key as a file: one line, readable by its owner alone.

    signing.key         the key that signs (``PRIVATE+KEY+…``, as tools for signed notes read it)
    signing.key.next    the one that takes over, until the row that says so is durable

Nothing here puts a secret into a message. The name in the key is the origin of its log.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from asterisk_compliance.domain.audit.signed_note import SignerKey, VerifierKey, parse_signer_key
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.storage.durable_files import sync_directory

SEED_BYTES = 32
_LONGEST_KEY = 4_096


def create_key(path: Path, name: str) -> VerifierKey:
    """Make a key where none is, and return its public half.

    Args:
        path: The file; its directory is there.
        name: Origin of the log that it will sign for (``SITE/NODE/LOG``).

    Raises:
        StoreUnavailable: there is a file already, or it cannot be written.
        ValueError: ``name`` can be no key's name.
    """
    key = SignerKey(name, secrets.token_bytes(SEED_BYTES))
    verifier = key.verifier
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(file, "w", encoding="utf-8") as out:
            out.write(key.to_text() + "\n")
            out.flush()
            os.fsync(out.fileno())
        sync_directory(path.parent)
    except FileExistsError:
        hint = "a key is never overwritten: rotate it, or move the file away"
        raise StoreUnavailable(f"{path}: there is a file already", hint=hint) from None
    except OSError as error:
        raise StoreUnavailable(f"cannot write {path}: {error.strerror}") from error
    return verifier


def load_key(path: Path) -> SignerKey:
    """Read a key that nobody else can read, or put another one in its place.

    Raises:
        StoreUnavailable: it is missing, is no key, or others may read or replace it.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(file, encoding="utf-8") as source:
            _check_file(path, os.fstat(source.fileno()))
            text = source.read(_LONGEST_KEY)
        _check_directory(path.parent)
    except FileNotFoundError:
        hint = "restore it from its copy; if there is none, audit key replace: docs/keys.md"
        raise StoreUnavailable(f"{path}: the signing key is not there", hint=hint) from None
    except UnicodeDecodeError:
        raise StoreUnavailable(f"{path}: not a signing key") from None
    except OSError as error:
        raise StoreUnavailable(f"cannot read {path}: {error.strerror}") from error
    try:
        return parse_signer_key(text.rstrip("\n"))
    except ValueError as error:
        raise StoreUnavailable(f"{path}: {error}") from None


def next_path(path: Path) -> Path:
    return path.with_name(path.name + ".next")


def take_over(path: Path) -> None:
    """Put the next key in the place of this one, which is gone then.

    Raises:
        StoreUnavailable: it cannot be done; both are as they were.
    """
    try:
        next_path(path).rename(path)
        sync_directory(path.parent)
    except OSError as error:
        raise StoreUnavailable(f"cannot replace {path}: {error.strerror}") from error


def _check_file(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise StoreUnavailable(f"{path}: not a file")
    if found.st_mode & 0o077:
        raise StoreUnavailable(f"{path} can be read by others", hint=f"chmod 600 {path}")
    if found.st_uid != os.geteuid() and os.geteuid() != 0:
        raise StoreUnavailable(f"{path} belongs to another user", hint="chown it to the service's")


def _check_directory(directory: Path) -> None:
    found = directory.stat()
    others = stat.S_IMODE(found.st_mode) & 0o022
    if others and not found.st_mode & stat.S_ISVTX:
        raise StoreUnavailable(
            f"{directory}: others can put another signing key there", hint=f"chmod go-w {directory}"
        )
