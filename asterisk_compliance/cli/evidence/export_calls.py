"""Making documents of calls, one by one, and leaving all of them in one step, or none."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Protocol

import msgspec
import typer

from asterisk_compliance.app.access.permission import arguments_of, use_of
from asterisk_compliance.app.evidence.call_evidence import (
    LoggedEvidence,
    NoEvidence,
    logged_evidence,
)
from asterisk_compliance.app.evidence.call_export import ExportFormat
from asterisk_compliance.app.evidence.call_facts import ExportedCall, facts_of
from asterisk_compliance.app.evidence.consent_receipt import must_be_configured, receipt
from asterisk_compliance.app.evidence.vcon import Audio, Material, vcon
from asterisk_compliance.app.evidence.vcon_rules import broken
from asterisk_compliance.cli.access.release import must_be_new, released_by, write_to
from asterisk_compliance.cli.officer_action import act_with
from asterisk_compliance.cli.purpose_options import for_each, listed
from asterisk_compliance.config.settings import Settings, load
from asterisk_compliance.domain.access.purpose_limitation import Use
from asterisk_compliance.errors import ComplianceError, StoreError, StoreUnavailable
from asterisk_compliance.ids import is_call_id
from asterisk_compliance.storage.content_store import ContentStore
from asterisk_compliance.storage.log.reader import CallQuery, StoreReader
from asterisk_compliance.storage.queries import persons

_WHICH = "--since, --until, --decision, --told, --limit"
LARGEST_BYTES = 256 << 20
"""Of the recordings of one call that are put into one document, which is made in memory."""
_SUFFIXES: Mapping[ExportFormat, str] = {
    ExportFormat.VCON: ".vcon.json",
    ExportFormat.DPV: ".receipt.jsonld",
}
_NAMED = ("number", "name")
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP})
"""What a file system without hard links says, such as that of a USB stick."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which calls, where none is named; nothing is said of what is ``None``."""

    since: str | None = None
    until: str | None = None
    decision: str | None = None
    told: str | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """Calls by their ids, or by what they are; never both."""

    calls: Sequence[str] | None
    chosen: Chosen

    def ids(self, store: Path) -> list[str]:
        """What is meant; where calls are chosen, those that are over, the newest first.

        Raises:
            typer.BadParameter: calls are named, and chosen too; or neither.
            NoEvidence: no call fits.
        """
        asked = self.chosen
        if self.calls:
            if asked != Chosen():
                raise typer.BadParameter("name calls, or say which; not both", param_hint="CALL")
            return listed(list(self.calls))
        if asked == Chosen():
            raise typer.BadParameter(f"name calls, or say which: {_WHICH}", param_hint="CALL")
        with StoreReader(store) as reader:
            found = reader.calls(
                CallQuery(
                    since=asked.since,
                    until=asked.until,
                    decision=asked.decision,
                    purpose=asked.told,
                    limit=asked.limit,
                )
            )
        over = [str(entry["call"]) for entry in found if entry["ended_at"] is not None]
        if not over:
            raise NoEvidence("no call is like that", hint="calls list shows those that are known")
        return over


@dataclass(frozen=True, slots=True)
class ExportSelection:
    """What of each call.

    Attributes:
        use: What for.
        numbers: With what identifies those who were there.
        identity: Text of the officer's file of identities, if recordings are to be heard in it.
    """

    format: ExportFormat
    use: Use
    numbers: bool = False
    identity: str | None = None


def export(
    config: Path, out: Path, selection: Selection, wanted: ExportSelection, *, json: bool
) -> None:
    """Write each call's document into ``out``, behind its row.

    Raises:
        typer.Exit: one was refused, or failed; the others are there.
        typer.BadParameter: ``out`` cannot be written, or is there already.
        NoReceipt: the configuration does not say what each receipt must.
        StoreError: nothing can be written any more; then nothing is left in one file.
    """
    settings = load(config, secrets=False)
    use_of(settings, arguments_of(wanted.use))
    if wanted.format is ExportFormat.DPV:
        must_be_configured(settings)
    calls = selection.ids(settings.audit.store)
    with _place(out, wanted.format) as place:

        def do(call: str) -> Mapping[str, Any]:
            return _exported(settings, call, wanted, place)

        for_each(calls, do, json=json)


class _Place(Protocol):
    """Where documents are left."""

    def must_be_new(self, call: str) -> None: ...

    def leave(self, call: str, document: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class _Directory:
    """A file for each call, whole from the moment at which it is there."""

    directory: Path
    suffix: str

    def must_be_new(self, call: str) -> None:
        must_be_new(self.directory / f"{call}{self.suffix}")

    def leave(self, call: str, document: bytes) -> None:
        with _new_file(self.directory / f"{call}{self.suffix}") as file:
            file.write(document)


@dataclass(frozen=True, slots=True)
class _OneFile:
    """All of them, a line each."""

    file: Any

    def must_be_new(self, call: str) -> None:
        """It was looked at before."""

    def leave(self, call: str, document: bytes) -> None:
        self.file.write(document)


@contextmanager
def _place(out: Path, kind: ExportFormat) -> Iterator[_Place]:
    if out.is_dir():
        yield _Directory(out, _SUFFIXES[kind])
    else:
        with _new_file(out) as file:
            yield _OneFile(file)


@contextmanager
def _new_file(target: Path) -> Iterator[Any]:
    """A file that nobody else can read, and that has its name only when it is whole.

    What was written before something was refused is whole; after any other error nothing is left.
    """
    must_be_new(target)
    try:
        with NamedTemporaryFile(dir=target.parent, prefix=".export-", delete=False) as file:
            aside = Path(file.name)
            try:
                try:
                    yield file
                except typer.Exit:
                    _leave(file, aside, target)
                    raise
                _leave(file, aside, target)
            finally:
                aside.unlink(missing_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"{target}: {error.strerror}") from None


def _leave(file: Any, aside: Path, target: Path) -> None:
    """Give it its name, unless somebody else took it meanwhile, or there is nothing in it."""
    file.flush()
    os.fsync(file.fileno())
    if not file.tell():
        return
    try:
        os.link(aside, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # The name is taken before it is filled, so that nothing of somebody else is overwritten.
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        aside.replace(target)


def _exported(
    settings: Settings, call: str, wanted: ExportSelection, place: _Place
) -> Mapping[str, Any]:
    """One call: its document is made, its row written, and then it is left."""
    if not is_call_id(call):
        raise typer.BadParameter("this is no id of a call: c-…")
    place.must_be_new(call)
    found = logged_evidence(settings.audit.store, call)
    facts = facts_of(found)
    made, opened = _made(settings, found, facts, wanted)
    document = msgspec.json.encode(made, order="sorted") + b"\n"
    digest = hashlib.sha256(document).hexdigest()
    answer = act_with(
        settings,
        "export-call",
        {
            "call": call,
            "format": wanted.format,
            "numbers": "yes" if wanted.numbers else "",
            "opened": " ".join(opened),
            "sha256": digest,
            **arguments_of(wanted.use),
        },
    )
    place.leave(call, document)
    return {**answer, "bytes": len(document), "sha256": digest}


def _made(
    settings: Settings, found: LoggedEvidence, facts: ExportedCall, wanted: ExportSelection
) -> tuple[dict[str, Any], tuple[str, ...]]:
    if wanted.format is ExportFormat.DPV:
        return receipt(settings, facts), ()
    audio = {one: _audio(settings, one, wanted) for one in _kept(found, facts, wanted)}
    numbers = _numbers(settings, facts) if wanted.numbers else {}
    made = vcon(settings, facts, Material(_words(settings, facts), audio, numbers))
    if problems := broken(made):
        raise ComplianceError(f"this is no vCon: {'; '.join(problems)}", hint="report it")
    return made, tuple(one for one, taken in sorted(audio.items()) if taken.body)


def _kept(found: LoggedEvidence, facts: ExportedCall, wanted: ExportSelection) -> list[str]:
    kept = [one.id for one in facts.recordings if one.is_kept]
    sizes = {str(one["recording"]): one.get("sealed_bytes") or 0 for one in found.recordings}
    if wanted.identity is not None and sum(int(sizes[one]) for one in kept) > LARGEST_BYTES:
        raise NoEvidence(
            "these recordings are too large for one document",
            hint="without --identity they are only referred to",
        )
    return kept


def _audio(settings: Settings, recording: str, wanted: ExportSelection) -> Audio:
    """Opened, behind a row of its own; or only the digest of what lies in the vault."""
    if wanted.identity is None:
        answer = act_with(settings, "recording-digest", {"recording": recording})
        return Audio(sha512=bytes.fromhex(answer["sha512"]))
    opened = BytesIO()
    with released_by(settings, recording, wanted.use) as handed:
        write_to(opened, handed, wanted.identity)
    return Audio(body=opened.getvalue())


def _words(settings: Settings, facts: ExportedCall) -> dict[str, str]:
    kept, found = ContentStore(settings.audit.store), {}
    for digest in {one.text_digest for one in facts.notices if one.text_digest}:
        try:
            found[digest] = kept.get(digest).decode("utf-8", "replace")
        except StoreError:
            continue
    return found


def _numbers(settings: Settings, facts: ExportedCall) -> dict[str, dict[str, str]]:
    """What is still kept of those who were there, by party."""
    found: dict[str, dict[str, str]] = {}
    with StoreReader(settings.audit.store) as reader:
        for party in facts.parties:
            kept = persons.party(reader, party.id) if party.id else None
            if kept is not None:
                opened = persons.openings(reader, kept)
                found[party.id] = {
                    one.field: one.value
                    for one in opened
                    if one.state == "opened" and one.field in _NAMED
                }
    return found
