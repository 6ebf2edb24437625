"""``asterisk-compliance retention``: what is due to be disposed of, and disposing of it."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from asterisk_compliance.cli.audit.mark import this_user
from asterisk_compliance.cli.context import DEFAULT_CONFIG, ConfigFileOption, JsonOption, moment
from asterisk_compliance.cli.output import print_json, print_line, say, stdout, table
from asterisk_compliance.errors import StoreUnavailable

app = typer.Typer(
    help="How long recordings are kept: what is due, what is held, and disposing of it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

COLUMNS = ("due", "recording", "call", "ground", "rule", "period", "held by")
SHOWN = 100
"""Lines of a table; ``--json`` has them all."""


@app.command("plan")
def show_plan(
    *,
    at: Annotated[
        str | None, typer.Option("--at", help="At this time instead of now; nothing is done.")
    ] = None,
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Show what is due, what is held, and why; changes nothing.

    Exit status 1 if something is overdue: it was due two days ago, and is still there.
    """
    from asterisk_compliance.config.settings import load

    settings = load(config, secrets=False)
    found = _plan(settings, at)
    _print_plan(found, _persons(settings, found.at_ms), as_json=as_json)
    if found.overdue:
        raise typer.Exit(1)


@app.command("run")
def run(
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would go.")] = False,
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Dispose of what is due, in your name, and print how many went.

    Through the running service; if it does not run, with the store's exclusive lock. Exit status 1
    if something that is due could not be removed.
    """
    from asterisk_compliance.app.shared.control_socket import ask
    from asterisk_compliance.config.settings import load

    settings = load(config, secrets=False)
    if dry_run or not yes:
        found = _plan(settings, None)
        persons = _persons(settings, found.at_ms)
        if dry_run:
            _print_plan(found, persons, as_json=as_json)
            return
        if not _agreed(found, persons):
            raise typer.Exit(2)
    answer = ask(settings.service.socket, "dispose", {"first": "yes"})
    if answer is None:
        answer = _dispose_alone(settings)
    while answer["left"]:
        say("planning" if "planning" in answer else f"{answer['left']:,} left")
        further = ask(settings.service.socket, "dispose", {})
        if further is None:
            raise StoreUnavailable(
                "the service stopped", hint="say it again: what was begun is brought to an end"
            )
        answer = further
    if as_json:
        print_json(answer)
    else:
        print_line(f"disposed of {answer['disposed']} recordings; {answer['failed']} failed")
        if answer["erased"]:
            print_line(f"erased {answer['erased']} persons whose time is over")
    if answer["failed"]:
        say("error: some files could not be removed; the service's log says why")
        say("hint: mend it, and say it again")
        raise typer.Exit(1)


def _plan(settings: Any, at: str | None) -> Any:
    from asterisk_compliance.app.retention.plan import plan, today_of
    from asterisk_compliance.clock import unix_ms
    from asterisk_compliance.domain.audit.encoding import milliseconds

    when = moment(at, settings.rules.time_zone)
    at_ms = unix_ms() if when is None else milliseconds(when)
    return plan(settings.audit.store, today_of(settings), at_ms)


def _persons(settings: Any, at_ms: int) -> list[dict[str, object]]:
    """Who would be erased then: parties, and since when they are due."""
    from asterisk_compliance.app.retention.person_expiry import due_persons
    from asterisk_compliance.domain.audit.encoding import timestamp
    from asterisk_compliance.storage.log.reader import StoreReader

    with StoreReader(settings.audit.store) as reader:
        return [
            {"call": one.call, "due_at": timestamp(one.due_ms), "party": one.party}
            for one in sorted(due_persons(reader, settings, at_ms), key=lambda one: one.due_ms)
        ]


def _print_plan(found: Any, persons: list[dict[str, object]], *, as_json: bool) -> None:
    from asterisk_compliance.domain.audit.encoding import timestamp

    if as_json:
        listed = {"due": found.due, "held": found.held}
        print_json(
            {
                "summary": {"at": timestamp(found.at_ms), **found.counts()},
                **{name: [one.as_json() for one in every] for name, every in listed.items()},
                "persons": persons,
            }
        )
        return
    planned = [*found.due, *found.held]
    stdout().print(table(COLUMNS, map(_cells, planned[:SHOWN])))
    if len(planned) > SHOWN:
        say(f"{len(planned) - SHOWN:,} more: --json prints them all")
    for ground, count in _grounds(found.due):
        say(f"{count:,} due: {ground}")
    if persons:
        say(f"{len(persons):,} persons due: nothing is kept of them but what identifies them")
    summary = found.counts()
    say(
        f"{summary['kept']:,} recordings: {summary['due']:,} due ({summary['overdue']:,} overdue),"
        f" {summary['held']:,} held, {summary['undated']:,} without any period"
    )


def _grounds(due: Iterable[Any]) -> list[tuple[str, int]]:
    return sorted(Counter(str(one.due.ground) for one in due).items())


def _cells(one: Any) -> tuple[object, ...]:
    said = one.as_json()
    return (
        said["due_at"],
        one.recording,
        one.call,
        one.due.ground,
        one.due.rule,
        one.due.period or None,
        " ".join(one.matters) or None,
    )


def _agreed(found: Any, persons: list[dict[str, object]]) -> bool:
    """Ask, where somebody sits at a terminal; nobody else is asked, and nothing is done."""
    if not sys.stdin.isatty():
        say("error: this removes recordings for ever")
        say("hint: look at it with --dry-run, then say --yes")
        return False
    _print_plan(found, persons, as_json=False)
    what = f"{len(found.due)} recordings"
    if persons:
        what += f", and of what identifies {len(persons)} persons,"
    return typer.confirm(f"Dispose of {what} for ever?", err=True)


def _dispose_alone(settings: Any) -> dict[str, Any]:
    """With the store's exclusive lock: the service does not run."""
    from asterisk_compliance.app.retention.disposal import DisposalRun
    from asterisk_compliance.storage.log.writer import StoreWriter

    if not settings.audit.store.is_dir():
        raise StoreUnavailable(f"{settings.audit.store}: there is no store yet")
    with StoreWriter.open(settings.audit.store) as store:
        begun = DisposalRun.begin(settings, lambda *rows: store.commit(rows)[-1].seq, this_user())
        begun.go_on()
    return dict(begun.answer())
