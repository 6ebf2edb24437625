"""``asterisk-compliance audit``: read, check, prove and follow the log."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from asterisk_compliance.cli import audit_key, audit_proofs, audit_verify, mark, output
from asterisk_compliance.cli.context import (
    ConfigOption,
    JsonOption,
    StoreOption,
    moment,
    store_directory,
)
from asterisk_compliance.domain.row_format import Row, decode
from asterisk_compliance.storage.reader import RowQuery, StoreReader
from asterisk_compliance.storage.writer import Stored

app = typer.Typer(no_args_is_help=True, help="Read, check and follow the audit log.")
app.command("verify")(audit_verify.verify_log)
app.command("prove")(audit_proofs.prove_row)
app.command("consistency")(audit_proofs.prove_consistency)
app.command("verify-proof")(audit_proofs.verify_proof)
app.add_typer(audit_proofs.checkpoint, name="checkpoint")
app.add_typer(audit_key.app, name="key")
app.command("mark")(mark.mark)

SHORTEST_POLL_S, LONGEST_POLL_S = 0.02, 60.0

CallOption: TypeAlias = Annotated[str | None, typer.Option("--call", help="Only this call.")]
KindOption: TypeAlias = Annotated[str | None, typer.Option("--kind", help="Only this kind.")]
PurposeOption: TypeAlias = Annotated[
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
    purpose: PurposeOption = None,
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
        output.stdout().print(output.table(COLUMNS, map(_cells, rows)))


@app.command()
def export(
    *,
    out: Annotated[str, typer.Option("--out", help="File, or - for standard output.")] = "-",
    call: CallOption = None,
    kind: KindOption = None,
    purpose: PurposeOption = None,
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


@app.command()
def follow(
    *,
    first: Annotated[
        int | None, typer.Option("--from", min=0, metavar="SEQ", help="Begin with this row.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="End after so many rows.")] = None,
    interval: Annotated[
        float,
        typer.Option(min=SHORTEST_POLL_S, max=LONGEST_POLL_S, help="Seconds between two looks."),
    ] = 0.2,
    json: JsonOption = False,
    config: ConfigOption = None,
    store: StoreOption = None,
) -> None:
    """Print rows as they become durable, until Ctrl-C."""
    with suppress(KeyboardInterrupt), StoreReader(store_directory(config, store)) as reader:
        for row in _follow(reader, first, limit, interval):
            if json:
                output.print_raw([row.data])
            else:
                output.print_line("  ".join(str(cell or "-") for cell in _cells(row)))
                sys.stdout.flush()


def _follow(
    reader: StoreReader, first: int | None, limit: int | None, interval: float
) -> Iterator[Stored]:
    seq = reader.head().size if first is None else first
    left = limit
    seen: int | None = None
    while True:
        version = reader.data_version()
        if version == seen:
            time.sleep(interval)
            continue
        seen = version
        for row in reader.rows(RowQuery(first_seq=seq, limit=left)):
            seq = row.seq + 1
            yield row
            if left is not None:
                left -= 1
        if left == 0:
            return


def _cells(row: Stored) -> tuple[object, ...]:
    try:
        said = decode(row.data)
    except ValueError:
        return (row.seq, None, "(not a row)", None, None, row.data.decode(errors="replace"))
    return (row.seq, said.at, said.kind, said.call, said.actor, detail_text(said))


def detail_text(row: Row) -> str:
    """The detail on one line; digests and commitments are shortened, ``--json`` has them whole."""
    parts: list[str] = []
    for name, value in row.detail.items():
        text = "&".join(value) if isinstance(value, tuple) else _word(value)
        shortened = len(text) == 64 and set(text) <= set("0123456789abcdef")
        parts.append(f"{name}={text[:8]}…" if shortened else f"{name}={text}")
    return " ".join(parts)


def _word(value: str | int | bool | None) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case None:
            return "-"
        case _:
            return str(value)


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
