"""``asterisk-compliance reconcile``: does every call have its decision, and every file its rows?"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asterisk_compliance.cli import output
from asterisk_compliance.cli.audit.commands import SinceOption, UntilOption
from asterisk_compliance.cli.context import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    StoreOption,
    moment,
    store_directory,
)
from asterisk_compliance.domain.audit.encoding import milliseconds, timestamp
from asterisk_compliance.domain.reconciliation.findings import WORDS, ReconciliationFinding

if TYPE_CHECKING:
    from asterisk_compliance.app.reconciliation import Reconciliation
    from asterisk_compliance.config.settings import Settings

TABLE_LINES = 1_000
"""Findings in a table for people; JSON has all."""


def reconcile(
    *,
    since: SinceOption = None,
    until: UntilOption = None,
    cdr: Annotated[
        list[Path] | None,
        typer.Option("--cdr", exists=True, dir_okay=False, help="A file of CDRs; repeatable."),
    ] = None,
    cdr_columns: Annotated[
        str | None, typer.Option("--cdr-columns", help="Of other CSV than Master.csv: a,b,c.")
    ] = None,
    cel: Annotated[
        list[Path] | None,
        typer.Option("--cel", exists=True, dir_okay=False, help="A file of CEL; repeatable."),
    ] = None,
    cel_columns: Annotated[
        str | None, typer.Option("--cel-columns", help="Of other CSV than the sample: a,b,c.")
    ] = None,
    context: Annotated[
        list[str] | None,
        typer.Option("--context", help="Where calls that must be told begin; repeatable."),
    ] = None,
    digests: Annotated[
        bool, typer.Option("--digests", help="Read every recording and compare its digest.")
    ] = False,
    json: JsonOption = False,
    config: ConfigOption = None,
    store: StoreOption = None,
) -> None:
    """Compare CDRs, CEL, the log and the files. Changes nothing.

    Exit status: 1 with a finding that nothing explains, 3 if the store cannot be read.
    """
    from asterisk_compliance.app.reconciliation import Reconciliation, Sources
    from asterisk_compliance.config.settings import ReconcileSettings
    from asterisk_compliance.domain.reconciliation.comparison import View
    from asterisk_compliance.storage.queries.call_records import (
        check_cdr_columns,
        check_cel_columns,
    )

    directory = store_directory(config, store)
    settings = _settings(config, store)
    given = settings.reconcile if settings else ReconcileSettings()
    sources = Sources(
        tuple(cdr or given.cdr),
        tuple(cel or given.cel),
        _columns(cdr_columns, given.cdr_columns, check_cdr_columns, "--cdr-columns"),
        _columns(cel_columns, given.cel_columns, check_cel_columns, "--cel-columns"),
        settings,
        digests=digests,
    )
    view = View(
        int(time.time() * 1000),
        _milliseconds(since),
        _milliseconds(until),
        frozenset(context or given.contexts),
    )
    with _progress() as tell:
        comparison = Reconciliation(directory, sources, view, tell)
        _print(comparison.findings(), as_json=json)
    _summarise(comparison, as_json=json)
    raise typer.Exit(1 if comparison.counts(explained=False) else 0)


def _settings(config: Path | None, store: Path | None) -> Settings | None:
    """The configuration; none is needed where ``--store`` says what to read."""
    from asterisk_compliance.config.settings import load

    if config is None and store is not None:
        return None
    return load(config or DEFAULT_CONFIG, secrets=False)


def _columns(
    option: str | None, given: Sequence[str], check: Callable[[Sequence[str]], str], name: str
) -> tuple[str, ...]:
    """The names of the columns; Asterisk does not care about their case."""
    names = given if option is None else option.split(",")
    columns = tuple(one.strip().lower() for one in names)
    if columns and (wrong := check(columns)):
        raise typer.BadParameter(wrong, param_hint=name)
    return columns


def _milliseconds(text: str | None) -> int | None:
    at = moment(text)
    return None if at is None else milliseconds(at)


def _print(findings: Iterator[ReconciliationFinding], *, as_json: bool) -> None:
    if as_json:
        for finding in findings:
            output.print_json(_as_json(finding))
        return
    shown = list(islice(findings, TABLE_LINES))
    more = sum(1 for _ in findings)
    if shown:
        columns = ("finding", "began", "call", "channel", "file", "")
        output.stdout().print(output.table(columns, map(_cells, shown)))
        met = sorted({finding.id for finding in shown})
        words = ((which, *WORDS[which]) for which in met)
        output.stdout().print(output.table(("finding", "what it means", "what to do"), words))
    if more:
        output.say(f"and {more:,} more: --json prints all")


def _as_json(finding: ReconciliationFinding) -> dict[str, object]:
    what, todo = WORDS[finding.id]
    return {
        "id": finding.id,
        "at": _began(finding),
        "call": finding.call or None,
        "channel": finding.channel or None,
        "recording": finding.recording or None,
        "file": finding.file or None,
        "what": what,
        "detail": finding.detail or None,
        "todo": todo,
    }


def _cells(finding: ReconciliationFinding) -> Sequence[object]:
    file = finding.file or finding.recording
    return finding.id, _began(finding), finding.call, finding.channel, file, finding.detail


def _began(finding: ReconciliationFinding) -> str | None:
    try:
        return None if finding.at_ms is None else timestamp(finding.at_ms)
    except ValueError:  # a time that no clock had
        return None


def _summarise(comparison: Reconciliation, *, as_json: bool) -> None:
    read = {
        "calls": comparison.read["calls"],
        "cdrs": comparison.read["CDRs"],
        "cel_events": comparison.read["CEL events"],
        "files": comparison.read["files"],
    }
    parts = {
        "explained": comparison.counts(explained=True),
        "unexplained": comparison.counts(explained=False),
    }
    not_compared = comparison.not_compared()
    output.say(
        f"{read['calls']:,} calls in the log, {read['cdrs']:,} CDRs,"
        f" {read['cel_events']:,} CEL events, {read['files']:,} files"
    )
    for name, found in parts.items():
        each = ", ".join(f"{which} {count:,}" for which, count in found.items())
        output.say(f"{name}: {sum(found.values()):,}" + (f" ({each})" if each else ""))
    for why in not_compared:
        output.say(f"not compared: {why}")
    if as_json:
        output.print_json({"summary": {**read, **parts, "not_compared": not_compared}})


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Says how far it is, on a terminal only."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    shown = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*shown, console=output.stderr(), transient=True) as progress:
        task = progress.add_task("reading")
        yield lambda text: progress.update(task, description=text)
