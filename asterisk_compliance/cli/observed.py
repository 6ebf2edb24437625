"""``asterisk-compliance observed``: how another system records beside us."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Annotated

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
from asterisk_compliance.domain.audit.encoding import Row, decode
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.observation.report import Day, Observed, by_day, observed
from asterisk_compliance.domain.observation.values import InformedState
from asterisk_compliance.storage.log.reader import RowQuery, StoreReader

app = typer.Typer(
    help="Recordings of another system: which of them began without or before a notice.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

COLUMNS = (
    "began",
    "node",
    "channel",
    "by",
    "told",
    "where",
    "notice",
    "told after",
    "ran",
    "ended",
)
SPARE = ("ended", "node", "notice", "where")
DAYS = ("day", "recordings", *InformedState, "told later")


@app.command("list")
def show(
    *,
    untold: Annotated[
        bool, typer.Option("--untold", help="Only those that began without or before a notice.")
    ] = False,
    since: SinceOption = None,
    until: UntilOption = None,
    config: ConfigOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Each recording of another system that was observed, in the order in which they began.

    A day, or a time without a zone, is the site's; with --store it is UTC.
    """
    zone = _zone(config, store)
    with StoreReader(store_directory(config, store)) as reader:
        found = _observed(reader, moment(since, zone), moment(until, zone))
    shown = [one for one in found if one.is_untold or not untold]
    if as_json:
        for one in shown:
            output.print_json(asdict(one))
        return
    output.stdout().print(output.fitted(COLUMNS, map(_cells, shown), SPARE))


@app.command("report")
def report(
    *,
    since: SinceOption = None,
    until: UntilOption = None,
    config: ConfigOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """How many recordings of another system began on each day, and what had been told by then.

    A day, or a time without a zone, is the site's; with --store it is UTC. Exit status 1 if one
    began without or before a notice.
    """
    zone = _zone(config, store)
    first, last = moment(since, zone), moment(until, zone)
    with StoreReader(store_directory(config, store)) as reader:
        found = _observed(reader, first, last)
        unseen = _unseen(reader, first, last)
    days = list(by_day(found, zone))
    whole = Day("all")
    for one in found:
        whole.count(one)
    if as_json:
        each = [{"day": day.day, **_as_json(day)} for day in days]
        output.print_json({"days": each, "all": _as_json(whole), "unseen": unseen})
    else:
        lines = [(day.day, *_counts(day)) for day in (*days, whole)]
        output.stdout().print(output.table(DAYS, lines))
        for what, times in unseen.items():
            if times:
                output.say(f"{_WORDS[what]}: {times:,}")
    raise typer.Exit(1 if whole.untold else 0)


_WORDS = {
    "starts": "starts of the service; nobody saw what was recorded before them",
    "lost": "times that AMI was lost; nobody saw what was recorded until it was back",
    "malformed": "torn or forged events; what had been told by then is unknown",
}


def _zone(config: Path | None, store: Path | None) -> tzinfo:
    if config is None and store is not None:
        return UTC
    from asterisk_compliance.config.settings import load

    path = config or DEFAULT_CONFIG
    return load(path, secrets=False).rules.time_zone if path.exists() else UTC


def _observed(reader: StoreReader, since: str | None, until: str | None) -> list[Observed]:
    """Those that began in this time; they may have ended later."""
    began = _rows(reader, Kind.RECORDING_OBSERVED, since, until)
    ended = _rows(reader, Kind.OBSERVED_ENDED, since, None)
    return observed(sorted([*began, *ended], key=lambda row: row.seq))


def _unseen(reader: StoreReader, since: str | None, until: str | None) -> dict[str, int]:
    """How often something can have happened that nobody saw."""

    def times(kind: Kind) -> int:
        rows = _rows(reader, kind, since, until)
        return sum(row.detail.get("wire", "ami") == "ami" for row in rows)

    return {
        "starts": times(Kind.SERVICE_STARTED),
        "lost": times(Kind.ASTERISK_DISCONNECTED),
        "malformed": times(Kind.EVENT_MALFORMED),
    }


def _rows(reader: StoreReader, kind: Kind, since: str | None, until: str | None) -> list[Row]:
    query = RowQuery(kind=kind, since=since, until=until)
    return [decode(stored.data) for stored in reader.rows(query)]


def _as_json(day: Day) -> dict[str, object]:
    counts = {str(told): count for told, count in day.counts.items()}
    return {"recordings": day.recordings, **counts, "later": day.told_later}


def _counts(day: Day) -> tuple[int, ...]:
    return day.recordings, *day.counts.values(), day.told_later


def _cells(one: Observed) -> tuple[object, ...]:
    return (
        one.at,
        one.node,
        one.channel,
        one.by + (" b" if one.bridged else ""),
        one.told,
        one.where,
        one.notice,
        _seconds(one.told_after_ms),
        _seconds(one.ran_ms),
        one.cause,
    )


def _seconds(ms: int | None) -> str | None:
    return None if ms is None else f"{ms / 1_000:.1f} s"
