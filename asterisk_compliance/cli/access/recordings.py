"""``asterisk-compliance recordings``: which are kept, and handing them out, with its row first."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from asterisk_compliance.cli import output
from asterisk_compliance.cli.audit.commands import SinceOption, UntilOption
from asterisk_compliance.cli.context import (
    DEFAULT_CONFIG,
    ConfigFileOption,
    ConfigOption,
    JsonOption,
    StoreOption,
    moment,
    store_directory,
)
from asterisk_compliance.cli.purpose_options import (
    GroundOption,
    PurposeOption,
    ReasonOption,
    ReferenceOption,
    listed,
    read_once,
    use_for,
)
from asterisk_compliance.cli.row_lines import detail_text
from asterisk_compliance.domain.access.purpose_limitation import DRILL, Action, Use
from asterisk_compliance.domain.audit.encoding import Row, decode
from asterisk_compliance.errors import ComplianceError, IdentityRefused
from asterisk_compliance.ids import RecordingId, call_of, is_recording_id
from asterisk_compliance.storage.log.reader import RecordingQuery, RowQuery, StoreReader

app = typer.Typer(no_args_is_help=True, help="Recordings: what is kept, and handing it out.")

RecordingArgument: TypeAlias = Annotated[str, typer.Argument(help="Id of the recording: r-…")]
_STDIN = "-"


class Copy(StrEnum):
    """What a copy is for: these of the actions leave a file."""

    EXPORT = Action.EXPORT
    TRANSCRIBE = Action.TRANSCRIBE
    HAND_OVER = Action.HAND_OVER


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
    spare = ("sealed_bytes", "whole", "length_ms")
    output.stdout().print(output.fitted(columns, lines, spare))


@app.command()
def show(
    recording: RecordingArgument,
    *,
    json: JsonOption = False,
    config: ConfigOption = None,
    store: StoreOption = None,
) -> None:
    """Show one recording: its entry, what it may be used for, and its rows, in order."""
    from asterisk_compliance.app.access.permission import told_to_all

    if not is_recording_id(recording):
        raise typer.BadParameter("this is no id of a recording: r-…")
    with StoreReader(store_directory(config, store)) as reader:
        entries = reader.every_recording(RecordingQuery(recording=recording))
        rows = [decode(row.data) for row in reader.rows(_of_its_call(recording))]
        told = sorted(told_to_all(reader, RecordingId(recording), _accepted(config, store)))
    ours = [row for row in rows if row.detail.get("recording") == recording]
    if not entries:
        output.say(f"error: no row speaks of recording {recording}")
        raise typer.Exit(1)
    if json:
        output.print_json({**entries[0], "told": told, "rows": ours})
        return
    entry = {**entries[0], "told": " ".join(told) or "nothing to all who can be heard"}
    facts = ((key, value) for key, value in entry.items() if value is not None)
    console = output.stdout()
    console.print(output.table(("Recording", ""), facts))
    console.print(output.table(("seq", "at", "kind", "actor", "detail"), map(_cells, ours)))


def _accepted(config: Path | None, store: Path | None) -> str:
    """What those were told whom a policy takes in; without a configuration, nothing."""
    if store is not None:
        return "untold"
    from asterisk_compliance.config.settings import load

    return load(config or DEFAULT_CONFIG, secrets=False).use.accepted


def _of_its_call(recording: str) -> RowQuery:
    return RowQuery(call=call_of(RecordingId(recording)))


def _cells(row: Row) -> tuple[object, ...]:
    return (row.seq, row.at, row.kind, row.actor, detail_text(row))


@app.command()
def release(
    recordings: Annotated[
        list[str], typer.Argument(metavar="RECORDING…", help="Ids: r-…; - reads standard input.")
    ],
    *,
    purpose: PurposeOption,
    reason: ReasonOption,
    out: Annotated[
        Path, typer.Option("--out", help="A new file; a directory, for several or from -.")
    ],
    action: Annotated[Copy, typer.Option("--action", help="What the copy is for.")] = Copy.EXPORT,
    ground: GroundOption = "",
    reference: ReferenceOption = "",
    provision: Annotated[
        str, typer.Option("--provision", help="HAND_OVER: number of its provision's row.")
    ] = "",
    identity: Annotated[str | None, typer.Option("--identity", help=IDENTITY)] = None,
    json: JsonOption = False,
    config: ConfigFileOption = DEFAULT_CONFIG,
) -> None:
    """Hand recordings out, in your name, each with its row first.

    As they are sealed, to be opened with age; or opened here, with --identity.
    """
    from asterisk_compliance.cli.access.release import write_each, write_one

    read_once(*recordings, reference, identity)
    text = None if identity is None else read_identity(identity)
    use = use_for(Action(action), purpose, reason, ground, reference, provision)
    if recordings == [_STDIN] or len(recordings) > 1 or out.is_dir():
        names = listed(recordings)
        write_each(config, names, out, use, text, json=json)
    else:
        facts = write_one(config, recordings[0], out, use, text)
        _say_released(facts, json=json)


@app.command()
def listen(
    recording: RecordingArgument,
    *,
    purpose: PurposeOption,
    reason: ReasonOption,
    ground: GroundOption = "",
    reference: ReferenceOption = "",
    identity: Annotated[str | None, typer.Option("--identity", help=IDENTITY)] = None,
    config: ConfigFileOption = DEFAULT_CONFIG,
) -> None:
    """Hear a recording, in your name, with its row first: a WAV on standard output, for a player.

    Nothing is written to a disk, and nothing is heard that is not what the log says.
    """
    from asterisk_compliance.cli.access.release import heard

    if sys.stdout.isatty():
        raise typer.BadParameter("give standard output to a player: … | aplay")
    read_once(reference, identity)
    text = None if identity is None else read_identity(identity)
    use = use_for(Action.LISTEN, purpose, reason, ground, reference)
    sys.stdout.buffer.write(heard(config, recording, use, text))
    sys.stdout.buffer.flush()


@app.command()
def drill(
    *,
    identity: Annotated[str, typer.Option("--identity", help=IDENTITY)],
    recording: Annotated[
        str | None, typer.Option("--recording", help="This one; any by chance, unless given.")
    ] = None,
    json: JsonOption = False,
    config: ConfigFileOption = DEFAULT_CONFIG,
) -> None:
    """Prove that the officer's key opens a recording; nothing of it is written anywhere.

    A row says whether it did. Exit status 1 if it did not.
    """
    from asterisk_compliance.app.access.release import any_sealed
    from asterisk_compliance.cli.access.release import open_in_mind, released, report

    chosen = recording or any_sealed(store_directory(config, None)).recording
    text = read_identity(identity)
    with released(config, chosen, Use(Action.DRILL, DRILL)) as handed:
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


def _say_released(facts: Mapping[str, Any], *, json: bool) -> None:
    if json:
        output.print_json(facts)
    else:
        output.print_line(str(facts["seq"]))


def read_identity(where: str) -> str:
    if where == "-":
        return sys.stdin.read()
    try:
        return Path(where).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "is not text"
        raise IdentityRefused(f"the file of identities: {why}") from None
