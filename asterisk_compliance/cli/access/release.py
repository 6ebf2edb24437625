"""What comes out of the vault, on its way to whoever asked: through the service, or its lock."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import typer

from asterisk_compliance.age import Writable, Written, decrypt, plain
from asterisk_compliance.app.access.permission import arguments_of
from asterisk_compliance.app.access.release import DrillProblem, NoSuchRecording, find
from asterisk_compliance.cli.officer_action import act, act_for_file
from asterisk_compliance.cli.purpose_options import for_each
from asterisk_compliance.config.settings import Settings, load
from asterisk_compliance.domain.access.purpose_limitation import Use
from asterisk_compliance.errors import IdentityRefused, SealingFailed, StoreUnavailable
from asterisk_compliance.ids import is_recording_id

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ReleasedRecording:
    """What the service handed out.

    Attributes:
        facts: ``recording``, ``call``, ``seq`` of the row, ``sealed``, ``sha256`` of the recording
            and ``kept_sha256`` of the bytes.
    """

    facts: Mapping[str, Any]
    file: BinaryIO


@contextmanager
def released(config: Path, recording: str, use: Use) -> Iterator[ReleasedRecording]:
    """Have a recording released, in this user's name; the row is durable when this yields.

    Raises:
        ComplianceError: it was refused, and the row says so; or there is no such recording or use.
        StoreUnavailable, StoreLocked: nobody can write the row.
    """
    with released_by(load(config, secrets=False), recording, use) as handed:
        yield handed


@contextmanager
def released_by(settings: Settings, recording: str, use: Use) -> Iterator[ReleasedRecording]:
    """As :func:`released`, with a configuration that was read already."""
    arguments = {"recording": recording, **arguments_of(use)}
    facts, file = act_for_file(settings, "release", arguments)
    with file:
        yield ReleasedRecording(facts, file)


def write_one(
    config: Path, recording: str, out: Path, use: Use, identity: str | None
) -> Mapping[str, Any]:
    """Have one released into a new file; returns what goes with the bytes."""
    must_be_new(out)
    with released(config, recording, use) as handed:
        write_new(out, handed, identity)
    return handed.facts


def write_each(
    config: Path,
    recordings: Iterable[str],
    out: Path,
    use: Use,
    identity: str | None,
    *,
    json: bool,
) -> None:
    """Have each released, by itself, into a new file of a directory, which is made if need be.

    Raises:
        typer.Exit: one was refused, or failed.
        StoreUnavailable, StoreLocked: nothing can be written any more, there or in the log.
    """
    settings = load(config, secrets=False)
    make_directory(out)

    def write(recording: str) -> Mapping[str, Any]:
        if not is_recording_id(recording):
            raise typer.BadParameter("this is no id of a recording: r-…")
        suffixes = (".wav",) if identity is not None else (".wav", ".wav.age")
        for suffix in suffixes:
            must_be_new(out / f"{recording}{suffix}")
        with released_by(settings, recording, use) as handed:
            sealed = handed.facts["sealed"] and identity is None
            file = out / f"{recording}{'.wav.age' if sealed else '.wav'}"
            write_new(file, handed, identity)
        return {**handed.facts, "file": str(file)}

    for_each(recordings, write, json=json)


def make_directory(out: Path) -> None:
    """For several files; what is there already is left as it is.

    Raises:
        typer.BadParameter: it cannot be made.
    """
    try:
        out.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(str(error.strerror), param_hint="--out") from None


def heard(config: Path, recording: str, use: Use, identity: str | None) -> bytes:
    """Have one released to be heard: the WAV, opened, and compared with the log.

    Raises:
        IdentityRefused: it is sealed, and no identity was given, or none that opens it.
        SealingFailed: it is something else than the log says.
    """
    out = BytesIO()
    settings = load(config, secrets=False)
    if identity is None and _is_known_to_be_sealed(settings, recording):
        raise _no_identity()
    with released_by(settings, recording, use) as handed:
        if handed.facts["sealed"] and identity is None:
            raise _no_identity()
        write_to(out, handed, identity)
    return out.getvalue()


def _no_identity() -> IdentityRefused:
    return IdentityRefused("it is sealed: name the identity that opens it, by --identity")


def _is_known_to_be_sealed(settings: Settings, recording: str) -> bool:
    """Said before a row says that it was handed out; not everybody may read the store."""
    try:
        return find(settings.audit.store, recording).sealed
    except (NoSuchRecording, StoreUnavailable):
        return False


def report(config: Path, recording: str, sha256: str, problem: str) -> dict[str, Any]:
    """Have the outcome of a drill written down; returns ``opened`` and ``seq`` of the row."""
    arguments = {"recording": recording, "sha256": sha256, "problem": problem}
    return act(config, "drilled", arguments)


def write_new(out: Path, handed: ReleasedRecording, identity: str | None) -> None:
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
            write_to(file, handed, identity)
    except OSError as error:
        out.unlink(missing_ok=True)
        raise StoreUnavailable(f"{out}: {error.strerror}") from None
    except BaseException:
        out.unlink(missing_ok=True)
        raise


def must_be_new(out: Path, option: str = "--out") -> None:
    """Look before anything is handed out; what comes between is seen when it is written.

    Raises:
        typer.BadParameter: there is something of this name, or no directory that we may write.
    """
    if os.path.lexists(out):
        raise typer.BadParameter("is there already", param_hint=option)
    if not out.parent.is_dir():
        raise typer.BadParameter(f"{out.parent} is no directory", param_hint=option)
    if not os.access(out.parent, os.W_OK | os.X_OK):
        raise typer.BadParameter(f"{out.parent} is not yours to write in", param_hint=option)


def write_to(out: Writable, handed: ReleasedRecording, identity: str | None) -> None:
    """Write it, opened with an identity, else as it lies in the vault.

    Raises:
        IdentityRefused, SealingFailed: it does not open, or is something else than the log says.
    """
    if identity is not None and handed.facts["sealed"]:
        _must_be(_opened(handed, out, identity), handed.facts["sha256"])
    else:
        _must_be(plain(_chunks(handed.file), out), handed.facts["kept_sha256"])


def open_in_mind(handed: ReleasedRecording, identity: str) -> tuple[str, str]:
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


def _opened(handed: ReleasedRecording, out: Writable, identity: str) -> Written:
    return decrypt(handed.file, out, identity)


def _must_be(written: Written, sha256: str) -> None:
    if written.sha256 != sha256:
        raise SealingFailed("it is not what the log says", hint="run reconcile with --digests")


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: file.read(_CHUNK_BYTES), b"")
