"""``asterisk-compliance calls past``: earlier calls of a number, for whoever serves its caller."""

from __future__ import annotations

from typing import Annotated

import typer

from asterisk_compliance.cli import output
from asterisk_compliance.cli.context import DEFAULT_CONFIG, ConfigFileOption, JsonOption, typed

COLUMNS = ("began", "call", "queue", "policy", "decision", "reason", "lasted")
SPARE = ("policy", "reason", "decision", "lasted")


def show(
    *,
    channel: Annotated[
        str, typer.Option("--channel", help="Of a live call: what Asterisk calls UNIQUEID.")
    ] = "",
    node: Annotated[
        str, typer.Option("--node", help="On which Asterisk, where two have such a channel.")
    ] = "",
    call: Annotated[str, typer.Option("--call", help="Of this call's party: c-…")] = "",
    number: Annotated[
        str, typer.Option("--number", help="In any notation; - reads standard input.")
    ] = "",
    config: ConfigFileOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """Show earlier calls of the number that is on the line, in your name, behind a row.

    Exit status 1 if no number is known.
    """
    from asterisk_compliance.cli.officer_action import act

    wanted = {"channel": channel, "node": node, "call": call, "number": typed(number)}
    answer = act(config, "past-calls", wanted)
    if json:
        output.print_json(answer)
    elif answer["known"]:
        output.stdout().print(output.fitted(COLUMNS, map(_cells, answer["calls"]), SPARE))
    if not answer["known"]:
        output.say("no number is known: it was withheld, or its person was erased")
        raise typer.Exit(1)
    if answer["more"]:
        output.say("there are older ones")


def _cells(call: dict[str, str | int | None]) -> tuple[object, ...]:
    lasted_ms = call["lasted_ms"]
    lasted = f"{lasted_ms // 1_000} s" if isinstance(lasted_ms, int) else None
    named = ("began_at", "call", "queue", "policy", "decision", "reason")
    return (*(call[name] for name in named), lasted)
