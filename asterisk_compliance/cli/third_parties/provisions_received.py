"""``asterisk-compliance provisions receive|received``: what third parties provided to us."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asterisk_compliance.cli.context import DEFAULT_CONFIG, ConfigFileOption, JsonOption
from asterisk_compliance.cli.output import print_json, print_line, say, stdout, table
from asterisk_compliance.domain.third_parties.provisions import LONGEST_VALUE

if TYPE_CHECKING:
    from asterisk_compliance.app.third_parties.provisions_received import ShownReceived

COLUMNS = ("provision", "day", "ground", "country", "items", "record", "last day", "kept")


def register(app: typer.Typer) -> None:
    """Add the commands to the group ``provisions``."""
    app.command("receive")(receive)
    app.command("received")(received)


def receive(
    *,
    provider: Annotated[str, typer.Option("--provider", help="Who provides it: the name.")],
    country: Annotated[str, typer.Option("--country", help="Of the provider: JP, US, …")],
    ground: Annotated[str, typer.Option("--ground", help="Why he may: a code.")],
    about: Annotated[
        str, typer.Option("--about", help="Whom it is about: a list, a file, a name.")
    ],
    items: Annotated[list[str], typer.Option("--items", help="What: a code. Repeatable.")],
    acquired: Annotated[str, typer.Option("--acquired", help="How the provider had got it.")] = "",
    address: Annotated[str, typer.Option("--address", help="Of the provider.")] = "",
    representative: Annotated[
        str, typer.Option("--representative", help="Who represents the organisation.")
    ] = "",
    natural_person: Annotated[
        bool, typer.Option("--natural-person", help="The provider is no organisation.")
    ] = False,
    day: Annotated[str, typer.Option("--day", help="When: 2026-11-25; today unless given.")] = "",
    file: Annotated[
        Path | None, typer.Option("--file", help="What you got; its digest goes into the row.")
    ] = None,
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Write down, in your name, that a third party provided personal data to you.

    Who it is, and how he had got the data, you confirm before you take them.
    """
    from asterisk_compliance.cli.officer_action import act

    said = {
        "name": provider,
        "address": address,
        "representative": representative,
        "acquired": acquired,
        "whom": about,
    }
    answer = act(
        config,
        "receive-provision",
        {
            **{name: typed(value) for name, value in said.items()},
            "country": country,
            "ground": ground,
            "items": " ".join(items).replace(",", " "),
            "natural": "yes" if natural_person else "",
            "day": day,
            "sha256": _digest(file),
        },
    )
    if as_json:
        print_json(answer)
        return
    print_line(f"provision {answer['provision']}")
    if answer["needs_record"]:
        say(f"kept until {answer['keep_until']} at least")
    else:
        say("the law asks for no record of this ground; it is there all the same")


def received(
    *,
    names: Annotated[bool, typer.Option("--names", help="Show who provided it, too.")] = False,
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Everything that third parties provided to you, the oldest first."""
    from asterisk_compliance.app.third_parties.provisions_received import shown_received
    from asterisk_compliance.config.settings import load
    from asterisk_compliance.storage.log.reader import StoreReader

    settings = load(config, secrets=False)
    with StoreReader(settings.audit.store) as reader:
        found = shown_received(reader, settings.provisions.keep, names=names)
    if as_json:
        print_json([one.as_json() for one in found])
    else:
        print_received(found, names=names)


def print_received(found: Sequence[ShownReceived], *, names: bool = False) -> None:
    """A table, a line for each."""
    columns = (*COLUMNS, "provider") if names else COLUMNS
    stdout().print(table(columns, (_cells(one, names=names) for one in found)))


def typed(value: str) -> str:
    """What was said on the command line; ``-`` is the next line of standard input."""
    if value != "-":
        return value
    line = sys.stdin.readline(LONGEST_VALUE + 1)
    if len(line) > LONGEST_VALUE and not line.endswith("\n"):
        raise typer.BadParameter(f"a value has {LONGEST_VALUE:,} characters at most")
    return line.strip()


def _digest(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise typer.BadParameter(f"--file: {error.strerror}") from None


def _cells(one: ShownReceived, *, names: bool) -> tuple[object, ...]:
    said = one.received
    cells = (
        said.number,
        said.day,
        said.ground,
        said.country,
        " ".join(said.items),
        "needed" if said.needs_record else None,
        one.last_day,
        " ".join(one.fields) or (f"erased {one.erased_at}" if one.erased_at else None),
    )
    told = "; ".join(f"{field}: {value}" for field, value in one.provider.items())
    return (*cells, told) if names else cells
