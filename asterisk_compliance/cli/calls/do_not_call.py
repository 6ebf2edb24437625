"""``asterisk-compliance do-not-call``: the numbers that are not called again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from asterisk_compliance.cli.context import DEFAULT_CONFIG, ConfigFileOption, JsonOption, typed
from asterisk_compliance.cli.output import print_json, print_line, say, stdout, table

app = typer.Typer(
    help="The list of numbers that are not called again.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_Number = Annotated[
    str, typer.Argument(help="As it is dialled, or with a plus; - reads it from standard input.")
]


@app.command("add")
def add(
    number: _Number, config: ConfigFileOption = DEFAULT_CONFIG, as_json: JsonOption = False
) -> None:
    """Put a number on the list, in your name, and print the row's number.

    Exit status 1 if it is on the list already; nothing is written then.
    """
    _change("add", number, config, as_json=as_json)


@app.command("remove")
def remove(
    number: _Number, config: ConfigFileOption = DEFAULT_CONFIG, as_json: JsonOption = False
) -> None:
    """Take a number off the list, in your name, and print the row's number.

    Exit status 1 if it is not on the list; nothing is written then.
    """
    _change("remove", number, config, as_json=as_json)


@app.command("check")
def check(
    number: _Number, config: ConfigFileOption = DEFAULT_CONFIG, as_json: JsonOption = False
) -> None:
    """Say whether a number may be called: yes, or no with exit status 1."""
    from asterisk_compliance.app.calls.do_not_call import NoNumber
    from asterisk_compliance.config.settings import load
    from asterisk_compliance.domain.phone_numbers import comparable
    from asterisk_compliance.storage.log.do_not_call import is_listed

    settings = load(config, secrets=False)
    known = comparable(typed(number), settings.rules.home)
    if not known:
        raise NoNumber("there is no digit in this number")
    may_call = not is_listed(settings.audit.store, known)
    if as_json:
        print_json({"may_call": may_call})
    else:
        print_line("yes" if may_call else "no")
    if not may_call:
        raise typer.Exit(1)


@app.command("list")
def show(config: ConfigFileOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Every entry: since when, and the row that made it. The numbers themselves are not kept."""
    from asterisk_compliance.config.settings import load
    from asterisk_compliance.storage.log.do_not_call import listed

    entries = listed(load(config, secrets=False).audit.store)
    if as_json:
        print_json([entry._asdict() for entry in entries])
        return
    lines = [(entry.since, entry.seq, entry.digest[:16]) for entry in entries]
    stdout().print(table(("since", "row", "digest"), lines))


def _change(what: str, number: str, config: Path, *, as_json: bool) -> None:
    from asterisk_compliance.cli.officer_action import act

    answer = act(config, "do-not-call", {"what": what, "number": typed(number)})
    if as_json:
        print_json(answer)
    elif answer["seq"] is not None:
        print_line(str(answer["seq"]))
    if answer["seq"] is None:
        say("it is on the list already" if what == "add" else "it is not on the list")
        raise typer.Exit(1)
