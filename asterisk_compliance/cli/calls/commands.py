"""``asterisk-compliance calls``: which there were, what was told, decided and recorded."""

from __future__ import annotations

from typing import Annotated

import typer

from asterisk_compliance.cli import output
from asterisk_compliance.cli.calls import finder as finding
from asterisk_compliance.cli.calls import past_calls
from asterisk_compliance.cli.calls import recording_control as asking
from asterisk_compliance.cli.context import (
    ConfigOption,
    JsonOption,
    StoreOption,
    store_directory,
)
from asterisk_compliance.cli.row_lines import detail_text
from asterisk_compliance.domain.audit.encoding import Row, decode
from asterisk_compliance.storage.log.reader import CallQuery, ListedCall, RowQuery, StoreReader

app = typer.Typer(no_args_is_help=True, help="Calls: what was told, decided and recorded.")
app.command("list")(finding.list_calls)
app.command("past")(past_calls.show)
asking.register(app)


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
    entry: ListedCall = entries[0] if entries else {"call": call}
    timeline = [decode(data) for data in rows]
    if json:
        output.print_json({**finding.as_json(entry, recordings), "rows": timeline})
        return
    console = output.stdout()
    for name, about in [("Call", entry), *(("Recording", each) for each in recordings)]:
        facts = ((key, value) for key, value in about.items() if value is not None)
        console.print(output.table((name, ""), facts))
    console.print(output.table(("seq", "at", "kind", "actor", "detail"), map(_cells, timeline)))


def _cells(row: Row) -> tuple[object, ...]:
    return (row.seq, row.at, row.kind, row.actor, detail_text(row))
