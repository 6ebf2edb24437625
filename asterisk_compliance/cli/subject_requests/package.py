"""Making the package that answers a request: recordings are released, opened, and put together."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from asterisk_compliance.app.subject_requests.answer import (
    answerable,
    archived,
    package,
    package_digest,
)
from asterisk_compliance.app.subject_requests.answer_audio import to_keep
from asterisk_compliance.cli.access.release import heard, must_be_new
from asterisk_compliance.cli.officer_action import act_with
from asterisk_compliance.config.settings import load
from asterisk_compliance.domain.access.purpose_limitation import RIGHTS, Action, Use
from asterisk_compliance.errors import StoreUnavailable


def make(
    config: Path, request: str, out: Path, identity: str | None, language: str
) -> dict[str, Any]:
    """Write the package to a new file that nobody else can read, or leave none.

    Returns:
        ``bytes``, ``files``, ``recordings``, ``request``, ``seq`` of the row, ``sha256``, and how
        many recordings are ``unfinished`` and so not in it.

    Raises:
        typer.BadParameter: the file is there already, or has no directory.
        ComplianceError: the request opens nothing, a release was refused, or nothing opens it.
        StoreError: a row cannot be written, or the file cannot.
    """
    must_be_new(out)
    settings = load(config, secrets=False)
    what = answerable(settings, request)
    use = Use(Action.ANSWER, RIGHTS, request=request)
    audio = {
        recording: to_keep(heard(config, recording, use, identity), settings.answers.directions)
        for recording, _ in what.recordings
    }
    made_ms = time.time_ns() // 1_000_000
    files = package(settings, what, audio, language or what.language, made_ms)
    archive = archived(files)
    digest = package_digest(archive)
    arguments = {
        "directions": str(settings.answers.directions),
        "recordings": " ".join(audio),
        "request": request,
        "sha256": digest,
    }
    seq = act_with(settings, "answer-packaged", arguments)["seq"]
    _write(out, archive)
    return {
        "bytes": len(archive),
        "files": len(files),
        "recordings": list(audio),
        "request": request,
        "seq": seq,
        "sha256": digest,
        "unfinished": what.unfinished,
    }


def _write(out: Path, archive: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(out, flags, 0o600), "wb") as file:
            file.write(archive)
    except FileExistsError as error:
        raise StoreUnavailable(f"{out}: {error.strerror}") from None
    except OSError as error:
        out.unlink(missing_ok=True)
        raise StoreUnavailable(f"{out}: {error.strerror}") from None
