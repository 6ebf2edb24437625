"""What every command asks that uses a recording: what for, why, and on which ground."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, TypeAlias

import typer
from rich.progress import Progress

from asterisk_compliance.cli import output
from asterisk_compliance.cli.context import typed
from asterisk_compliance.domain.access.purpose_limitation import Action, Use, UseRefusal
from asterisk_compliance.errors import ComplianceError, LogBroken, StoreError

PurposeOption: TypeAlias = Annotated[
    str, typer.Option("--purpose", help="For which purpose: a code.")
]
ReasonOption: TypeAlias = Annotated[
    str, typer.Option("--reason", help="Why just now: COMPLAINT, REVIEW, … (docs/use.md).")
]
GroundOption: TypeAlias = Annotated[
    str, typer.Option("--ground", help="Legal ground for a purpose that was not told: a code.")
]
ReferenceOption: TypeAlias = Annotated[
    str,
    typer.Option("--reference", help="Where that ground can be read; - reads standard input."),
]


def use_for(
    action: Action, purpose: str, reason: str, ground: str, reference: str, provision: str = ""
) -> Use:
    """What is asked for, with the reference read from where it is."""
    return Use(action, purpose, reason, ground, typed(reference), provision=provision)


def read_once(*words: str | None) -> None:
    """Only one thing can be read from standard input.

    Raises:
        typer.BadParameter: two are to be.
    """
    if words.count("-") > 1:
        raise typer.BadParameter("only one of them can be read from standard input: -")


def listed(words: list[str]) -> list[str]:
    """Ids from the command line; or, for ``-``, one a line from standard input."""
    lines = sys.stdin.read().split() if words == ["-"] else words
    if "-" in lines:
        raise typer.BadParameter("- stands alone")
    return lines


def for_each(
    names: Iterable[str], do: Callable[[str], Mapping[str, Any]], *, json: bool
) -> dict[str, int]:
    """Do it for each by itself; what is refused or fails stops nothing. Exit status 1 then.

    Args:
        names: Each is done once, in this order.
        do: Returns what is printed of one, with ``seq``, the number of its row.
        json: One object a line, then one with the ``summary``.

    Raises:
        ComplianceError: no row can be written, or no file, so there is nothing to go on with.
        typer.Exit: something was refused, or failed.
    """
    wanted = list(dict.fromkeys(names))
    counts = {"asked": len(wanted), "done": 0, "refused": 0, "failed": 0}
    console = output.stderr()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        for name in progress.track(wanted, description="handing out"):
            try:
                told = dict(do(name))
            except (ComplianceError, typer.BadParameter) as error:
                if error.exit_code == StoreError.exit_code or isinstance(error, LogBroken):
                    raise  # also where it is the service that says so
                told = {"error": str(error), "refusal": refusal_in(error)}
                counts["refused" if told["refusal"] else "failed"] += 1
                output.say(f"error: {name}: {error}")
            else:
                counts["done"] += 1
            if json:
                output.print_json({"name": name, **told})
            elif "error" not in told:
                output.print_line(f"{told['seq']} {name}")
    if json:
        output.print_json({"summary": counts})
    else:
        output.say(", ".join(f"{count} {what}" for what, count in counts.items()))
    if counts["done"] < counts["asked"]:
        raise typer.Exit(1)
    return counts


def refusal_in(error: Exception) -> str:
    """The code with which a refusal begins, also one that the service told; empty for others."""
    code = str(error).partition(":")[0]
    return code if code in set(UseRefusal) else ""
