"""``asterisk-compliance holds``: what a legal matter needs is not disposed of."""

from __future__ import annotations

import sys
from typing import Annotated, Any, TypeAlias

import typer

from asterisk_compliance.cli.context import DEFAULT_CONFIG, ConfigFileOption, JsonOption, moment
from asterisk_compliance.cli.output import print_json, print_line, stdout, table

app = typer.Typer(
    help="Legal holds: what a matter needs is not disposed of until it is released.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_Matter: TypeAlias = Annotated[str, typer.Argument(help="A reference to it: CASE-2026-17.")]
COLUMNS = ("hold", "matter", "placed", "released", "call", "number", "queue", "since", "until",
           "calls")  # fmt: skip


@app.command("place")
def place(
    matter: _Matter,
    *,
    call: Annotated[str, typer.Option("--call", help="One call: c-…")] = "",
    number: Annotated[
        str,
        typer.Option(
            "--number", help="Whoever called from it, or was called; - reads standard input."
        ),
    ] = "",
    queue: Annotated[str, typer.Option("--queue", help="As the dialplan names it.")] = "",
    since: Annotated[str | None, typer.Option("--since", help="Calls from then on.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Calls before then.")] = None,
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Hold what a matter needs, in your name, and print the hold's number.

    A call must be as you say in everything that you say; calls that do not exist yet are held too.
    A day, or a time without a zone, is the site's.
    """
    from asterisk_compliance.cli.officer_action import act_with
    from asterisk_compliance.clock import unix_ms
    from asterisk_compliance.config.settings import load
    from asterisk_compliance.domain.audit.encoding import timestamp

    settings = load(config, secrets=False)
    zone = settings.rules.time_zone
    if number == "-":  # so that no list of processes and no history of a shell has it
        number = sys.stdin.readline(256).strip()
    before = moment(until, zone) or ""
    answer = act_with(
        settings,
        "hold",
        {
            "matter": matter,
            "call": call,
            "number": number,
            "queue": queue,
            "since": moment(since, zone) or "",
            "until": before,
        },
    )
    if as_json:
        print_json(answer)
        return
    calls = "1 call" if answer["calls"] == 1 else f"{answer['calls']:,} calls"
    to_come = not call and (not before or before > timestamp(unix_ms()))
    more = " today, and those to come" if to_come else ""
    print_line(f"hold {answer['hold']}: {calls}{more}")


@app.command("release")
def release(
    matter: _Matter,
    *,
    hold: Annotated[str, typer.Option("--hold", help="One of several, by its number.")] = "",
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Release what a matter held, in your name, and print how many holds that were.

    Exit status 1 if nothing is held for it, or if it needs a second person and you placed it.
    """
    from asterisk_compliance.cli.officer_action import act

    answer = act(config, "release-hold", {"matter": matter, "hold": hold})
    if as_json:
        print_json(answer)
    else:
        print_line(f"released {len(answer['released'])}")


@app.command("list")
def show(
    *,
    everything: Annotated[bool, typer.Option("--all", help="Released ones too.")] = False,
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Every hold: what it is about, since when, and how many calls that are today."""
    from asterisk_compliance.app.retention.legal_holds import listed
    from asterisk_compliance.config.settings import load
    from asterisk_compliance.storage.log.reader import StoreReader

    with StoreReader(load(config, secrets=False).audit.store) as reader:
        found = listed(reader, released=everything)
    if as_json:
        print_json(found)
        return
    stdout().print(table(COLUMNS, map(_cells, found)))


def _cells(one: Any) -> tuple[object, ...]:
    return (
        one["hold"],
        one["matter"],
        one["placed_at"],
        one["released_at"],
        one["call"],
        "a number" if one["numbered"] else None,
        one["queue"],
        one["since"],
        one["until"],
        one["calls"],
    )
