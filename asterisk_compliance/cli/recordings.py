"""``asterisk-compliance recordings``: which are kept, and handing them out, with its row first."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from asterisk_compliance.cli import output
from asterisk_compliance.cli.audit import SinceOption, UntilOption, detail_text
from asterisk_compliance.cli.context import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    StoreOption,
    moment,
    store_directory,
)
from asterisk_compliance.domain.row_format import Row, decode
from asterisk_compliance.errors import ComplianceError, IdentityRefused
from asterisk_compliance.ids import RecordingId, call_of, is_recording_id
from asterisk_compliance.storage.reader import RecordingQuery, RowQuery, StoreReader

if TYPE_CHECKING:
    from asterisk_compliance.cli.releasing import Released

app = typer.Typer(no_args_is_help=True, help="Recordings: what is kept, and handing it out.")

RecordingArgument: TypeAlias = Annotated[str, typer.Argument(help="Id of the recording: r-…")]
ServiceOption: TypeAlias = Annotated[
    Path, typer.Option("--config", "-c", help="The configuration file.")
]
IDENTITY = "File with the private key, as age writes it; - reads it from standard input."


@app.command("list")
def list_recordings(
    *,
    since: SinceOption = None,
    until: UntilOption = None,
    level: Annotated[
        str | None, typer.Option("--level", help="sealed, closed, empty, missing, removed, …")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 100,
    json: JsonOption = False,
    config: ConfigOption = None,
    store: StoreOption = None,
) -> None:
    """List recordings, newest first."""
    query = RecordingQuery(since=moment(since), until=moment(until), level=level, limit=limit)
    with StoreReader(store_directory(config, store)) as reader:
        found = reader.every_recording(query)
    if json:
        for entry in found:
            output.print_json(entry)
        return
    columns = ("since", "recording", "level", "length_ms", "whole", "sealed_bytes")
    names = ("level_at", *columns[1:])
    lines = ([entry[name] for name in names] for entry in found)
    output.stdout().print(output.table(columns, lines))


@app.command()
def show(
    recording: RecordingArgument,
    *,
    json: JsonOption = False,
    config: ConfigOption = None,
    store: StoreOption = None,
) -> None:
    """Show one recording: its entry, and everything the log says of it, in order."""
    if not is_recording_id(recording):
        raise typer.BadParameter("this is no id of a recording: r-…")
    with StoreReader(store_directory(config, store)) as reader:
        entries = reader.every_recording(RecordingQuery(recording=recording))
        rows = [decode(row.data) for row in reader.rows(_of_its_call(recording))]
    ours = [row for row in rows if row.detail.get("recording") == recording]
    if not entries:
        output.say(f"error: no row speaks of recording {recording}")
        raise typer.Exit(1)
    if json:
        output.print_json({**entries[0], "rows": ours})
        return
    facts = ((key, value) for key, value in entries[0].items() if value is not None)
    console = output.stdout()
    console.print(output.table(("Recording", ""), facts))
    console.print(output.table(("seq", "at", "kind", "actor", "detail"), map(_cells, ours)))


def _of_its_call(recording: str) -> RowQuery:
    return RowQuery(call=call_of(RecordingId(recording)))


def _cells(row: Row) -> tuple[object, ...]:
    return (row.seq, row.at, row.kind, row.actor, detail_text(row))


@app.command()
def release(
    recording: RecordingArgument,
    *,
    purpose: Annotated[str, typer.Option("--purpose", help="For which purpose: a code.")],
    out: Annotated[Path, typer.Option("--out", help="Where to write it; a new file.")],
    identity: Annotated[str | None, typer.Option("--identity", help=IDENTITY)] = None,
    json: JsonOption = False,
    config: ServiceOption = DEFAULT_CONFIG,
) -> None:
    """Hand a recording out, in your name, with its row first.

    As it is sealed, to be opened with age; or opened here, with --identity.
    """
    from asterisk_compliance.cli.releasing import released, write_new

    text = None if identity is None else read_identity(identity)
    with released(config, recording, purpose) as handed:
        write_new(out, handed, text)
    _say_released(handed, json=json)


@app.command()
def drill(
    *,
    identity: Annotated[str, typer.Option("--identity", help=IDENTITY)],
    recording: Annotated[
        str | None, typer.Option("--recording", help="This one; any by chance, unless given.")
    ] = None,
    json: JsonOption = False,
    config: ServiceOption = DEFAULT_CONFIG,
) -> None:
    """Prove that the officer's key opens a recording; nothing of it is written anywhere.

    A row says whether it did. Exit status 1 if it did not.
    """
    from asterisk_compliance.app.releasing import any_sealed
    from asterisk_compliance.cli.releasing import open_in_mind, released, report
    from asterisk_compliance.config_checks import DRILL

    chosen = recording or any_sealed(store_directory(config, None)).recording
    text = read_identity(identity)
    with released(config, chosen, DRILL) as handed:
        sha256, problem = open_in_mind(handed, text)
    told = report(config, chosen, sha256, problem)
    opened = told["opened"] is True
    if json:
        output.print_json({"recording": chosen, **told})
    else:
        output.print_line(f"{chosen}: {'opened' if opened else f'NOT OPENED: {problem}'}")
    if not opened:
        hint = "do not take in more calls with keys that nobody can use: docs/sealing.md"
        raise ComplianceError("the drill failed", hint=hint)


def _say_released(handed: Released, *, json: bool) -> None:
    if json:
        output.print_json(handed.facts)
    else:
        output.print_line(str(handed.facts["seq"]))


def read_identity(where: str) -> str:
    if where == "-":
        return sys.stdin.read()
    try:
        return Path(where).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "is not text"
        raise IdentityRefused(f"the file of identities: {why}") from None
