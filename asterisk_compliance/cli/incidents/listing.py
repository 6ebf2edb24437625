"""``asterisk-compliance incidents list|show|remind``: reading, and changing nothing."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from asterisk_compliance.cli.context import DEFAULT_CONFIG, ConfigFileOption, JsonOption
from asterisk_compliance.cli.output import print_json, print_line

_Number: TypeAlias = Annotated[str, typer.Argument(help="The incident's number.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the group ``incidents``."""
    app.command("list")(list_incidents)
    app.command("show")(show)
    app.command("remind")(remind)


def list_incidents(
    *,
    everything: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
    overdue: Annotated[
        bool, typer.Option("--overdue", help="Only where something is overdue.")
    ] = False,
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Every incident, and what is to be done next.

    With --overdue: exit status 1 if there is any.
    """
    from asterisk_compliance.app.incidents.register import known as read
    from asterisk_compliance.cli.incidents.views import entry, print_entries
    from asterisk_compliance.config.settings import load
    from asterisk_compliance.domain.incidents.notification_duties import Standing

    settings = load(config, secrets=False)
    found = [
        entry(one, settings)
        for one in read(settings).values()
        if one.incident.closed is None or (everything and not overdue)
    ]
    if overdue:
        found = [one for one in found if one["state"] == Standing.OVERDUE]
    if as_json:
        print_json(found)
    else:
        print_entries(found)
    if overdue and found:
        raise typer.Exit(1)


def remind(*, config: ConfigFileOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """List every step that is due soon or overdue: for a timer that mails its output.

    Exit status 1 if there is something.
    """
    from asterisk_compliance.app.incidents.register import known as read
    from asterisk_compliance.cli.incidents.views import pressing
    from asterisk_compliance.config.settings import load

    settings = load(config, secrets=False)
    found = [line for one in read(settings).values() for line in pressing(one, settings)]
    if as_json:
        print_json(found)
    else:
        for one in found:
            when = "was due" if one["state"] == "overdue" else "is due"
            print_line(
                f"incident {one['incident']}: {one['step']} ({one['regime']}) {when}"
                f" {one['by']}: incidents report {one['incident']}"
            )
    if found:
        raise typer.Exit(1)


def show(
    number: _Number, config: ConfigFileOption = DEFAULT_CONFIG, as_json: JsonOption = False
) -> None:
    """Everything about one incident: what was found, who must be told, what was done, the notes."""
    from asterisk_compliance.app.incidents.register import known as read
    from asterisk_compliance.app.incidents.register import the
    from asterisk_compliance.cli.incidents.views import details, entry, print_details
    from asterisk_compliance.config.settings import load

    settings = load(config, secrets=False)
    one = the(read(settings), number)
    found = {**entry(one, settings), **details(one, settings)}
    if as_json:
        print_json(found)
    else:
        print_details(found)
