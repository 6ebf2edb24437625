"""``asterisk-compliance persons``: find, open and erase what identifies people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from asterisk_compliance.cli.context import DEFAULT_CONFIG, ConfigFileOption, JsonOption, typed
from asterisk_compliance.cli.output import print_json, print_line, say, stdout, table
from asterisk_compliance.errors import StoreUnavailable

app = typer.Typer(
    help="What identifies people: find it, open it, erase it, and see what remains elsewhere.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_Party: TypeAlias = Annotated[str, typer.Option("--party", help="An id: y-…")]
_Number: TypeAlias = Annotated[
    str, typer.Option("--number", help="In any notation; - reads it from standard input.")
]
_User: TypeAlias = Annotated[str, typer.Option("--user", help="A user of the operating system.")]
WIPED_WITHIN_S = 5.0
COLUMNS = ("party", "role", "leg", "call", "arrived", "kept", "digests", "erased")


@app.command("find")
def find(
    *,
    party: _Party = "",
    number: _Number = "",
    user: _User = "",
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """List the parties of a person: one for each call. Exit status 1 if there is none."""
    from asterisk_compliance.app.retention.erasure import seek

    settings, whom = _asked(config, party, number, user)
    with _reader(settings) as reader:
        found = seek(reader, whom, settings.rules.home)
    theirs = [one for one in found if one.is_whom_we_sought]
    if as_json:
        print_json([_as_json(one) for one in theirs])
    else:
        stdout().print(table(COLUMNS, map(_cells, theirs)))
    if others := len(found) - len(theirs):
        say(f"{others} more dialled this number: they are other people, and are not listed")
    if not theirs:
        raise typer.Exit(1)


@app.command("open")
def open_values(
    *,
    party: _Party = "",
    number: _Number = "",
    user: _User = "",
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Show what is kept of a person, and whether it is what the rows committed to.

    Exit status 1 if something is not, or is missing without having been erased, or if there is
    nobody.
    """
    from asterisk_compliance.app.retention.erasure import seek
    from asterisk_compliance.storage.queries.persons import openings

    settings, whom = _asked(config, party, number, user)
    with _reader(settings) as reader:
        theirs = [one for one in seek(reader, whom, settings.rules.home) if one.is_whom_we_sought]
        opened = [each for one in theirs for each in openings(reader, one)]
    if as_json:
        print_json(opened)
    else:
        lines = ((each.seq, each.party, each.field, each.state, each.value) for each in opened)
        stdout().print(table(("row", "party", "field", "commitment", "value"), lines))
    if not theirs or any(each.state in {"wrong", "missing"} for each in opened):
        raise typer.Exit(1)


@app.command("erase")
def erase(
    *,
    party: _Party = "",
    number: _Number = "",
    user: _User = "",
    ground: Annotated[str, typer.Option("--ground", help="Why: a code of the closed list.")],
    authority: Annotated[
        str, typer.Option("--authority", help="Who decided: a reference, REQ-2026-0042.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do it; else say what would go.")] = False,
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Erase values, salts and keyed digests of a person behind a row that says why, and prove it.

    Without ``--yes`` nothing changes. Exit status 1 if there is nobody, a call of theirs is live,
    or a copy is left in the store's files.
    """
    from asterisk_compliance.app.retention.erasure import check, plan
    from asterisk_compliance.app.retention.remainders import remainders
    from asterisk_compliance.clock import unix_ms

    settings, whom = _asked(config, party, number, user)
    with _reader(settings) as reader:
        rules = settings.rules
        keep = settings.provisions.keep
        planned = plan(reader, whom, rules.home, unix_ms(), rules.time_zone, keep)
        check(reader, planned, ground, authority)
        places = _places(settings, reader, planned.parties)
    parties = planned.parties
    done: dict[str, Any] = {"done": yes, "remains": remainders(parties, places)}
    if yes and parties:
        done |= _erase(settings, parties, whom, ground, authority)
    else:
        done |= {"parties": len(parties), "values": sum(len(one.fields) for one in parties)}
    if as_json:
        print_json(done)
    else:
        stdout().print(table(COLUMNS, map(_cells, parties)))
        _print_done(done, erased=yes)
    if not parties or done.get("copies_left"):
        raise typer.Exit(1)


@app.command("remains")
def remains(
    *,
    party: _Party = "",
    number: _Number = "",
    user: _User = "",
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """List what is outside of the store, and how to find it. Knows an erased party by its id."""
    from asterisk_compliance.app.retention.erasure import seek
    from asterisk_compliance.app.retention.remainders import remainders

    settings, whom = _asked(config, party, number, user)
    with _reader(settings) as reader:
        found = seek(reader, whom, settings.rules.home)
        theirs = [one for one in found if one.is_whom_we_sought]
        listed = remainders(theirs, _places(settings, reader, theirs))
    if as_json:
        print_json(listed)
    else:
        _print_remains(listed)
    if not theirs:
        raise typer.Exit(1)


@app.command("rewrite")
def rewrite(*, config: ConfigFileOption = DEFAULT_CONFIG) -> None:
    """Write the database anew, with nothing in it but what it says. The service must be stopped.

    For the case that `erase` found a copy that it could not reach.
    """
    from asterisk_compliance.config.settings import load
    from asterisk_compliance.storage.log.writer import StoreWriter

    store = load(config, secrets=False).audit.store
    if not store.is_dir():
        raise StoreUnavailable(f"{store}: there is no store yet")
    with StoreWriter.open(store) as writer:
        writer.write_anew()
    print_line("done")


def _erase(
    settings: Any, parties: Sequence[Any], whom: Any, ground: str, authority: str
) -> dict[str, Any]:
    """Through the service, else alone; then look for copies in the store's files."""
    from asterisk_compliance.cli.officer_action import act_with
    from asterisk_compliance.storage.log.erasure import secrets_of, until_gone

    store = settings.audit.store
    sought = secrets_of(store, (one.party for one in parties))
    asked = {"party": whom.party, "number": whom.number, "user": whom.user}
    wish = {**asked, "ground": ground, "authority": authority}
    done: dict[str, Any] = {"parties": 0, "values": 0, "seq": None, "left": 1}
    while done["left"]:
        answer = act_with(settings, "erase", wish)
        for name in ("parties", "values"):
            done[name] += answer[name]
        done["seq"], done["left"] = answer["seq"], answer["left"]
    return {**done, "copies_left": until_gone(store, sought, WIPED_WITHIN_S)}


def _print_done(done: dict[str, Any], *, erased: bool) -> None:
    if not erased:
        say(f"would erase {done['values']} values of {done['parties']} parties; --yes does it")
        return
    print_line(f"erased {done['values']} values of {done['parties']} parties")
    for file, count in done.get("copies_left", {}).items():
        say(f"error: {file} still holds {count} of them")
    if done.get("copies_left"):
        say("hint: end what reads the store, stop the service: asterisk-compliance persons rewrite")
    say("what remains outside of the store, and how to find it:")
    _print_remains(done["remains"])


def _print_remains(listed: Sequence[Any]) -> None:
    for one in listed:
        print_line(f"{one.id}: {one.holds}")
        for command in one.find:
            print_line(f"    {command}")
        print_line(f"    -> {one.todo}")


def _asked(config: Path, party: str, number: str, user: str) -> tuple[Any, Any]:
    from asterisk_compliance.app.retention.erasure import PersonSelector
    from asterisk_compliance.config.settings import load

    return load(config, secrets=False), PersonSelector(party, typed(number), user)


def _reader(settings: Any) -> Any:
    from asterisk_compliance.storage.log.reader import StoreReader

    if not settings.audit.store.is_dir():
        raise StoreUnavailable(f"{settings.audit.store}: there is no store yet")
    return StoreReader(settings.audit.store)


def _places(settings: Any, reader: Any, parties: Sequence[Any]) -> Any:
    from asterisk_compliance.app.retention.remainders import PersonalDataPlaces
    from asterisk_compliance.storage.feeds.jsonl import JSON_LINES

    store = settings.audit.store
    kept = [
        str(entry["recording"])
        for one in parties
        if one.call
        for entry in reader.recordings(one.call)
    ]
    return PersonalDataPlaces(
        store=store,
        jsonl=settings.audit.jsonl or store / JSON_LINES,
        cdr=settings.reconcile.cdr,
        cel=settings.reconcile.cel,
        recordings=tuple(kept),
    )


def _cells(one: Any) -> tuple[object, ...]:
    kept = " ".join(one.fields) or None
    return (
        one.party,
        one.role or None,
        one.leg or None,
        one.call,
        one.arrived_at or None,
        kept,
        one.digests,
        one.erased_at or None,
    )


def _as_json(one: Any) -> dict[str, object]:
    return {
        "party": one.party,
        "role": one.role or None,
        "leg": one.leg or None,
        "call": one.call,
        "arrived_at": one.arrived_at or None,
        "ended_at": one.ended_at or None,
        "fields": one.fields,
        "digests": one.digests,
        "erased_at": one.erased_at or None,
        "found_by": sorted(one.found_by),
    }
