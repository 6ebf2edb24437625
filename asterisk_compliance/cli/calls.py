"""``asterisk-compliance calls``: which calls there were, what was decided, what was recorded."""

from __future__ import annotations

from typing import Annotated

import typer

from asterisk_compliance.cli import asking, output
from asterisk_compliance.cli.audit import PurposeOption, SinceOption, UntilOption, detail_text
from asterisk_compliance.cli.context import (
    ConfigOption,
    JsonOption,
    StoreOption,
    moment,
    store_directory,
)
from asterisk_compliance.domain.row_format import Row, decode
from asterisk_compliance.storage.reader import CallQuery, Entry, RowQuery, StoreReader

app = typer.Typer(no_args_is_help=True, help="Calls: what was told, decided and recorded.")
asking.register(app)


@app.command("list")
def list_calls(
    *,
    since: SinceOption = None,
    until: UntilOption = None,
    decision: Annotated[
        str | None, typer.Option("--decision", help="ALLOWED, NOT_RECORDED, REFUSED or FAILED.")
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="A reason code.")] = None,
    purpose: PurposeOption = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 100,
    json: JsonOption = False,
    config: ConfigOption = None,
    store: StoreOption = None,
) -> None:
    """List calls, newest first."""
    query = CallQuery(
        since=moment(since),
        until=moment(until),
        decision=decision,
        reason=reason,
        purpose=purpose,
        limit=limit,
    )
    with StoreReader(store_directory(config, store)) as reader:
        calls = [(call, reader.recordings(str(call["call"]))) for call in reader.calls(query)]
    if json:
        for call, recordings in calls:
            output.print_json(_entry(call, recordings))
        return
    columns = ("arrived", "call", "policy", "notice", "decision", "reason", "purposes", "recording")
    lines = (
        (
            call["arrived_at"],
            call["call"],
            call["policy"],
            call["notice_state"],
            call["decision"],
            call["reason"],
            call["purposes"],
            " ".join(map(_level, recordings)),
        )
        for call, recordings in calls
    )
    output.stdout().print(output.table(columns, lines))


@app.command()
def show(
    call: Annotated[str, typer.Argument(help="A call id, as `calls list` prints it.")],
    *,
    json: JsonOption = False,
    config: ConfigOption = None,
    store: StoreOption = None,
) -> None:
    """Show one call: its entry, its recordings, and everything the log says of it, in order."""
    with StoreReader(store_directory(config, store)) as reader:
        entries = reader.calls(CallQuery(call=call))
        recordings = reader.recordings(call)
        rows = [row.data for row in reader.rows(RowQuery(call=call))]
    if not rows:
        output.say(f"error: no row speaks of call {call}")
        raise typer.Exit(1)
    entry: Entry = entries[0] if entries else {"call": call}
    timeline = [decode(data) for data in rows]
    if json:
        output.print_json({**_entry(entry, recordings), "rows": timeline})
        return
    console = output.stdout()
    for name, about in [("Call", entry), *(("Recording", each) for each in recordings)]:
        facts = ((key, value) for key, value in about.items() if value is not None)
        console.print(output.table((name, ""), facts))
    console.print(output.table(("seq", "at", "kind", "actor", "detail"), map(_cells, timeline)))


def _level(recording: Entry) -> str:
    """How far it came, and who alone told the caller, where it was not the service."""
    told_by = recording["told_by"]
    return f"{recording['level']} ({told_by})" if told_by else str(recording["level"])


def _cells(row: Row) -> tuple[object, ...]:
    return (row.seq, row.at, row.kind, row.actor, detail_text(row))


def _entry(call: Entry, recordings: list[Entry]) -> dict[str, object]:
    """A call as JSON: purposes as a list, its recordings inside."""
    purposes = call.get("purposes")
    codes = purposes.split("&") if isinstance(purposes, str) else []
    return {**call, "purposes": codes, "recordings": recordings}
