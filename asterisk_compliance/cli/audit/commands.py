"""``asterisk-compliance audit``: read, check, prove and follow the log."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from asterisk_compliance.cli import output
from asterisk_compliance.cli.audit import (
    follow as audit_follow,
)
from asterisk_compliance.cli.audit import (
    key as audit_key,
)
from asterisk_compliance.cli.audit import (
    mark,
)
from asterisk_compliance.cli.audit import (
    proofs as audit_proofs,
)
from asterisk_compliance.cli.audit import (
    verify as audit_verify,
)
from asterisk_compliance.cli.context import (
    ConfigOption,
    JsonOption,
    StoreOption,
    moment,
    store_directory,
)
from asterisk_compliance.cli.row_lines import cells
from asterisk_compliance.storage.log.reader import RowQuery, StoreReader

app = typer.Typer(no_args_is_help=True, help="Read, check and follow the audit log.")
app.command("verify")(audit_verify.verify_log)
app.command("prove")(audit_proofs.prove_row)
app.command("consistency")(audit_proofs.prove_consistency)
app.command("verify-proof")(audit_proofs.verify_proof)
app.add_typer(audit_proofs.checkpoint, name="checkpoint")
app.add_typer(audit_key.app, name="key")
app.command("mark")(mark.mark)
app.command("follow")(audit_follow.follow_log)

CallOption: TypeAlias = Annotated[str | None, typer.Option("--call", help="Only this call.")]
KindOption: TypeAlias = Annotated[str | None, typer.Option("--kind", help="Only this kind.")]
PurposeFilterOption: TypeAlias = Annotated[
    str | None, typer.Option("--purpose", help="Only calls bound to this purpose code.")
]
SinceOption: TypeAlias = Annotated[
    str | None, typer.Option("--since", help="From this time on: ISO 8601, or 2h for 2 hours ago.")
]
UntilOption: TypeAlias = Annotated[
    str | None, typer.Option("--until", help="Before this time; as --since.")
]
COLUMNS = ("seq", "at", "kind", "call", "actor", "detail")


@app.command("list")
def list_rows(
    *,
    call: CallOption = None,
    kind: KindOption = None,
    purpose: PurposeFilterOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 100,
    json: JsonOption = False,
    config: ConfigOption = None,
    store: StoreOption = None,
) -> None:
    """List rows, the newest hundred unless asked otherwise, in order."""
    query = RowQuery(
        call=call,
        kind=kind,
        purpose=purpose,
        since=moment(since),
        until=moment(until),
        limit=limit,
        newest=True,
    )
    with StoreReader(store_directory(config, store)) as reader:
        rows = list(reader.rows(query))
    if json:
        output.print_raw(row.data for row in rows)
    else:
        output.stdout().print(output.table(COLUMNS, map(cells, rows)))


@app.command()
def export(
    *,
    out: Annotated[str, typer.Option("--out", help="File, or - for standard output.")] = "-",
    call: CallOption = None,
    kind: KindOption = None,
    purpose: PurposeFilterOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    config: ConfigOption = None,
    store: StoreOption = None,
) -> None:
    """Write rows as JSON Lines, byte for byte as they were hashed: all, or those asked for."""
    query = RowQuery(
        call=call, kind=kind, purpose=purpose, since=moment(since), until=moment(until)
    )
    with StoreReader(store_directory(config, store)) as reader:
        lines = (row.data for row in reader.rows(query))
        if out == "-":
            output.print_raw(lines)
        else:
            count = _write_whole(Path(out), lines)
            output.say(f"{count} rows written to {out}")


def _write_whole(path: Path, lines: Iterable[bytes]) -> int:
    """Write beside ``path`` and rename: a failure leaves no half of an export."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    count = 0
    try:
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "wb") as out:
            for line in lines:
                out.write(line + b"\n")
                count += 1
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    return count
