"""Making a bundle of evidence for whoever asked: through the service, or with the store's lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import typer

from asterisk_compliance import verify
from asterisk_compliance.age import decrypt, plain
from asterisk_compliance.app.access.permission import arguments_of, use_of
from asterisk_compliance.app.access.release import KEPT
from asterisk_compliance.app.audit.signing_keys import checkpoint_alone
from asterisk_compliance.app.evidence.bundle import ListedContent, Made, complete, make
from asterisk_compliance.app.evidence.call_evidence import (
    LoggedEvidence,
    NoEvidence,
    logged_evidence,
)
from asterisk_compliance.app.shared.control_socket import ask
from asterisk_compliance.cli.access.release import ReleasedRecording, make_directory, released
from asterisk_compliance.cli.officer_action import act_with
from asterisk_compliance.cli.purpose_options import for_each
from asterisk_compliance.config.settings import Settings, load
from asterisk_compliance.domain.access.purpose_limitation import Use
from asterisk_compliance.errors import SealingFailed, StoreUnavailable
from asterisk_compliance.ids import is_call_id
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.proofs.prover import prove

LARGEST_BYTES = 1 << 30
AGAINST = ("ORDER", "PURPOSE")
"""How the words begin of what rows themselves say against a call: that too is evidence."""
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class BundleSelection:
    """What is to be exported.

    Attributes:
        use: What for; its action is ``EVIDENCE``.
        identity: Text of the officer's file of identities, if recordings are to be opened.
        recordings: Only these; empty: all that are kept.
    """

    call: str
    use: Use
    identity: str | None = None
    recordings: Collection[str] = ()


def export(
    config: Path, out: Path, wanted: BundleSelection, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Write a bundle to a new file that nobody else can read, or leave none.

    Returns:
        What was made: ``call``, ``seq`` of the row, ``manifest``, ``files``, ``bytes``, ``opened``,
        ``key``, ``notice_in_recording``, and ``findings``: what its rows say against the call.

    Raises:
        typer.BadParameter: the file is there already, or cannot be written.
        ComplianceError: the service, the store or the vault refused, or an identity does not open.
    """
    settings = load(config, secrets=False)
    use_of(settings, arguments_of(wanted.use))
    chosen = _chosen(logged_evidence(settings.audit.store, wanted.call), wanted)
    try:
        opened = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise typer.BadParameter(str(error.strerror), param_hint="--out") from None
    try:
        with os.fdopen(opened, "wb") as file:
            taken = [_taken(config, name, wanted, tell) for name in chosen]
            found = logged_evidence(settings.audit.store, wanted.call)
            made = make(settings.audit.store, found, taken, wanted.use, tell)
            said, files = _bound(settings, found, made, wanted)
            for _, piece in verify.archive(files):
                file.write(piece)
        said["findings"] = _looked_again(out, said["key"])
    except OSError as error:
        out.unlink(missing_ok=True)
        raise StoreUnavailable(f"{out}: {error.strerror}") from None
    except BaseException:
        out.unlink(missing_ok=True)
        raise
    if any(said["notice_in_recording"].values()):
        tell("warning: the notice is heard in a recording: read report.html")
    for finding in said["findings"]:
        tell(f"warning: {finding}")
    return {**said, "bytes": out.stat().st_size, "opened": bool(made.heard)}


def export_each(
    config: Path,
    calls: Iterable[str],
    out: Path,
    wanted: BundleSelection,
    tell: Callable[[str], None],
    *,
    json: bool,
) -> None:
    """A bundle of each call, by itself, into a directory, which is made if need be.

    Raises:
        typer.Exit: one was refused, or failed.
        StoreError: nothing can be written any more, there or in the log.
    """
    make_directory(out)

    def one(call: str) -> Mapping[str, Any]:
        if not is_call_id(call):
            raise typer.BadParameter("this is no id of a call: c-…")
        file = out / f"{call}.zip"
        return {**export(config, file, replace(wanted, call=call), tell), "file": str(file)}

    for_each(calls, one, json=json)


def _chosen(found: LoggedEvidence, wanted: BundleSelection) -> list[str]:
    kept = [str(one["recording"]) for one in found.recordings if one["level"] in KEPT]
    for name in wanted.recordings:
        if name not in kept:
            raise NoEvidence(f"{name} is no recording of this call that is kept")
    sizes = {str(one["recording"]): one.get("sealed_bytes") or 0 for one in found.recordings}
    chosen = [name for name in kept if not wanted.recordings or name in wanted.recordings]
    if sum(int(sizes[name]) for name in chosen) > LARGEST_BYTES:
        hint = "export one by one, with --recording"
        raise NoEvidence("these recordings are too large for one bundle", hint=hint)
    return chosen


def _taken(
    config: Path, recording: str, wanted: BundleSelection, tell: Callable[[str], None]
) -> ListedContent:
    with released(config, recording, wanted.use) as handed:
        open_it = wanted.identity is not None or not handed.facts["sealed"]
        tell(f"{'opening' if open_it else 'reading'} {recording}")
        return ListedContent(recording, _bytes_of(handed, wanted.identity), open_it)


def _bytes_of(handed: ReleasedRecording, identity: str | None) -> bytes:
    """What was handed out, opened if it can be; it must be what the log says."""
    out = BytesIO()
    if identity is not None and handed.facts["sealed"]:
        written, must_be = decrypt(handed.file, out, identity), handed.facts["sha256"]
    else:
        chunks = iter(lambda: handed.file.read(_CHUNK_BYTES), b"")
        written, must_be = plain(chunks, out), handed.facts["kept_sha256"]
    if written.sha256 != must_be:
        raise SealingFailed("it is not what the log says", hint="run reconcile with --digests")
    return out.getvalue()


def _bound(
    settings: Settings, found: LoggedEvidence, made: Made, wanted: BundleSelection
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Write the row that binds the files to the log, sign, and prove all rows."""
    arguments = {**arguments_of(wanted.use), "call": wanted.call, "manifest": made.digest}
    seq = int(act_with(settings, "evidence", arguments)["seq"])
    if ask(settings.service.socket, "checkpoint", {}) is None:
        checkpoint_alone(settings)
    with StoreReader(settings.audit.store) as reader:
        proven = prove(reader, [*found.seqs, seq])
    files = complete(made, proven, seq)
    said = {
        "call": wanted.call,
        "files": len(files),
        "key": proven.vkey,
        "manifest": made.digest,
        "notice_in_recording": {one.recording: one.found for one in made.heard},
        "seq": seq,
    }
    return said, files


def _looked_again(out: Path, key: str) -> list[str]:
    """Read the bundle as its receiver will; returns what it says against the call.

    Raises:
        NoEvidence: something is wrong with the bundle itself.
    """
    check = verify.Check(str(out), key)
    findings = [what for _, what in check.wrong if what.startswith(AGAINST)]
    for where, what in check.wrong:
        if not what.startswith(AGAINST):
            hint = "audit verify and reconcile say more; after a rotation of the key, try again"
            raise NoEvidence(f"the bundle would not verify: {where}: {what}", hint=hint)
    return findings
