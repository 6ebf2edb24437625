"""``asterisk-compliance provisions``: what was handed to third parties, and on which ground."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from asterisk_compliance.cli.context import DEFAULT_CONFIG, ConfigFileOption, JsonOption
from asterisk_compliance.cli.output import print_json, print_line, say, stdout, table
from asterisk_compliance.cli.third_parties import provisions_received
from asterisk_compliance.cli.third_parties.provisions_received import typed

if TYPE_CHECKING:
    from asterisk_compliance.app.third_parties.provisions import Shown

app = typer.Typer(
    help="Records of what was handed to third parties, and by them: whom, where, on which ground.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
provisions_received.register(app)

COLUMNS = ("provision", "call", "day", "ground", "country", "items", "record", "last day", "kept")


@app.command("record")
def record(
    calls: Annotated[list[str], typer.Argument(help="Ids of calls: c-…")],
    *,
    recipient: Annotated[str, typer.Option("--recipient", help="Who receives it: the name.")],
    country: Annotated[str, typer.Option("--country", help="Of the recipient: JP, US, …")],
    ground: Annotated[str, typer.Option("--ground", help="Why it may be: a code.")],
    reference: Annotated[
        str, typer.Option("--reference", help="Where the ground can be read: a warrant, a form.")
    ],
    items: Annotated[list[str], typer.Option("--items", help="What: a code. Repeatable.")],
    address: Annotated[str, typer.Option("--address", help="Of the recipient.")] = "",
    representative: Annotated[
        str, typer.Option("--representative", help="Who represents the organisation.")
    ] = "",
    natural_person: Annotated[
        bool, typer.Option("--natural-person", help="The recipient is no organisation.")
    ] = False,
    abroad: Annotated[
        str, typer.Option("--abroad", help="Why it may leave the country: a code.")
    ] = "",
    day: Annotated[str, typer.Option("--day", help="When: 2026-11-25; today unless given.")] = "",
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Write down, in your name, that something is handed over; print a number for each call.

    Before it is: a recording leaves the vault for a third party only with such a number.
    """
    from asterisk_compliance.cli.officer_action import act

    said = {
        "recipient": recipient,
        "address": address,
        "representative": representative,
        "reference": reference,
    }
    answer = act(
        config,
        "record-provision",
        {
            **{name: typed(value) for name, value in said.items()},
            "calls": " ".join(calls),
            "country": country,
            "ground": ground,
            "items": " ".join(items).replace(",", " "),
            "natural": "yes" if natural_person else "",
            "abroad": abroad,
            "day": day,
        },
    )
    if as_json:
        print_json(answer)
        return
    for number in answer["provisions"]:
        print_line(f"provision {number}")
    if answer["needs_record"]:
        say(f"kept until {answer['keep_until']} at least")
    else:
        say("the law asks for no record of this ground; it is there all the same")


@app.command("list")
def show(
    *,
    call: Annotated[str | None, typer.Option("--call", help="Only of this call: c-…")] = None,
    names: Annotated[bool, typer.Option("--names", help="Show who received it, too.")] = False,
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Everything that was handed over, the oldest first."""
    from asterisk_compliance.app.third_parties.provisions import must_be_known, shown
    from asterisk_compliance.config.settings import load
    from asterisk_compliance.storage.log.reader import StoreReader

    settings = load(config, secrets=False)
    with StoreReader(settings.audit.store) as reader:
        if call is not None:
            must_be_known(reader, call)
        found = shown(reader, settings.provisions.keep, call=call, names=names)
    _print(found, as_json=as_json, names=names)


@app.command("due")
def show_due(*, config: ConfigFileOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Records whose time is over, and how what they hold of the recipients is erased."""
    from asterisk_compliance.app.third_parties.provisions import shown_due
    from asterisk_compliance.app.third_parties.provisions_received import received_due
    from asterisk_compliance.clock import unix_ms
    from asterisk_compliance.config.settings import load
    from asterisk_compliance.domain.periods import day_of
    from asterisk_compliance.storage.log.reader import StoreReader

    settings = load(config, secrets=False)
    today = day_of(unix_ms(), settings.rules.time_zone)
    with StoreReader(settings.audit.store) as reader:
        found = shown_due(reader, settings.provisions.keep, today)
        received = received_due(reader, settings.provisions.keep, today)
    if as_json:
        print_json([*(one.as_json() for one in found), *(one.as_json() for one in received)])
    else:
        _print(found, as_json=False)
        if received:
            provisions_received.print_received(received)
    for party in (*(one.provision.recipient for one in found), *(one.party for one in received)):
        say(f"hint: persons erase --party {party} --ground RETENTION_ENDED --authority … --yes")


def _print(found: Sequence[Shown], *, as_json: bool, names: bool = False) -> None:
    if as_json:
        print_json([one.as_json() for one in found])
        return
    columns = (*COLUMNS, "recipient") if names else COLUMNS
    stdout().print(table(columns, (_cells(one, names=names) for one in found)))


def _cells(one: Shown, *, names: bool) -> tuple[object, ...]:
    said = one.provision
    where = said.country if not said.abroad else f"{said.country} ({said.abroad})"
    cells = (
        said.number,
        said.call,
        said.day,
        said.ground,
        where,
        " ".join(said.items),
        "needed" if said.needs_record else None,
        one.last_day,
        " ".join(one.fields) or (f"erased {one.erased_at}" if one.erased_at else None),
    )
    told = "; ".join(f"{field}: {value}" for field, value in one.recipient.items())
    return (*cells, told) if names else cells
