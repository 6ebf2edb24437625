"""What comes out of the vault, on its way to whoever asked: through the service, or its lock."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import typer

from asterisk_compliance.age import Writable, Written, decrypt, plain
from asterisk_compliance.app.releasing import (
    DrillProblem,
)
from asterisk_compliance.cli.acting import act, act_for_file
from asterisk_compliance.config import load
from asterisk_compliance.errors import IdentityRefused, SealingFailed, StoreUnavailable

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Released:
    """What the service handed out.

    Attributes:
        facts: ``recording``, ``call``, ``seq`` of the row, ``sealed``, ``sha256`` of the recording
            and ``kept_sha256`` of the bytes.
    """

    facts: Mapping[str, Any]
    file: BinaryIO


@contextmanager
def released(config: Path, recording: str, purpose: str) -> Iterator[Released]:
    """Have a recording released, in this user's name; the row is durable when this yields.

    Raises:
        ComplianceError: it was refused.
        StoreUnavailable, StoreLocked: nobody can write the row.
    """
    arguments = {"recording": recording, "purpose": purpose}
    facts, file = act_for_file(load(config, secrets=False), "release", arguments)
    with file:
        yield Released(facts, file)


def report(config: Path, recording: str, sha256: str, problem: str) -> dict[str, Any]:
    """Have the outcome of a drill written down; returns ``opened`` and ``seq`` of the row."""
    arguments = {"recording": recording, "sha256": sha256, "problem": problem}
    return act(config, "drilled", arguments)


def write_new(out: Path, handed: Released, identity: str | None) -> None:
    """Write it to a new file that nobody else can read, or leave none.

    With an identity it is opened, and must be what was closed; without one it is the bytes as they
    lie in the vault, and must be what was put there.

    Raises:
        typer.BadParameter: the file is there already, or cannot be written.
        IdentityRefused, SealingFailed: it does not open, or is something else.
    """
    try:
        opened = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise typer.BadParameter(str(error.strerror), param_hint="--out") from None
    try:
        with os.fdopen(opened, "wb") as file:
            if identity is not None and handed.facts["sealed"]:
                _must_be(_opened(handed, file, identity), handed.facts["sha256"])
            else:
                _must_be(plain(_chunks(handed.file), file), handed.facts["kept_sha256"])
    except OSError as error:
        out.unlink(missing_ok=True)
        raise StoreUnavailable(f"{out}: {error.strerror}") from None
    except BaseException:
        out.unlink(missing_ok=True)
        raise


def open_in_mind(handed: Released, identity: str) -> tuple[str, str]:
    """Decrypt without writing anything: the SHA-256 of what was in it, and what went wrong."""
    try:
        return _opened(handed, _Nowhere(), identity).sha256, ""
    except IdentityRefused:
        return "", DrillProblem.NO_KEY
    except SealingFailed:
        return "", DrillProblem.DAMAGED


class _Nowhere:
    def write(self, data: bytes | memoryview, /) -> int:
        return len(data)

    def flush(self) -> None:
        pass


def _opened(handed: Released, out: Writable, identity: str) -> Written:
    return decrypt(handed.file, out, identity)


def _must_be(written: Written, sha256: str) -> None:
    if written.sha256 != sha256:
        raise SealingFailed("it is not what the log says", hint="run reconcile with --digests")


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: file.read(_CHUNK_BYTES), b"")
