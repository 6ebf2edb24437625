"""``asterisk-compliance requests list|show|remind|receipt``: reading, and changing nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from asterisk_compliance.cli.context import DEFAULT_CONFIG, ConfigFileOption, JsonOption
from asterisk_compliance.cli.output import print_json, print_line, say, stdout, table

_Request: TypeAlias = Annotated[str, typer.Argument(help="Id of the request: q-…")]
LanguageOption: TypeAlias = Annotated[
    str, typer.Option("--language", help="ja or en; by the regime unless given.")
]
COLUMNS = ("request", "right", "state", "verdict", "calls", "received", "last day", "", "", "next")
BASES = {"STATUTORY": "by law", "PROMISE": "as promised"}
"""What makes an answer late, in words."""


def list_requests(
    *,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those, exit status 1.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Answered ones too.")] = False,
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """List the requests that wait for an answer, the first due first.

    Exit status 1 with ``--overdue`` if there is one.
    """
    lines = _listed(config)
    if overdue:
        lines = [one for one in lines if one["standing"] == "overdue"]
    elif not everything:
        lines = [one for one in lines if one["standing"]]
    _print(lines, as_json=as_json)
    if overdue and lines:
        raise typer.Exit(1)


def remind(*, config: ConfigFileOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """List what is due soon or overdue, with the next step: for a timer that mails its output.

    Exit status 1 if there is something.
    """
    lines = [one for one in _listed(config) if one["standing"] in {"due_soon", "overdue"}]
    if as_json:
        print_json(lines)
    else:
        for one in lines:
            when = "was due" if one["standing"] == "overdue" else "is due"
            print_line(
                f"{one['request']} ({one['right']}) {when} on {one['last_day']},"
                f" {BASES[one['basis']]}: requests {one['next']}"
            )
    if lines:
        raise typer.Exit(1)


def show(
    request: _Request, *, config: ConfigFileOption = DEFAULT_CONFIG, as_json: JsonOption = False
) -> None:
    """Show one request: who asks, its calls, its times, what was decided and done.

    Also the records of provision to third parties about its calls, and the corrections.
    """
    from asterisk_compliance.app.subject_requests.steps import find
    from asterisk_compliance.app.subject_requests.views import shown
    from asterisk_compliance.clock import unix_ms
    from asterisk_compliance.config.settings import load
    from asterisk_compliance.storage.log.reader import StoreReader

    settings = load(config, secrets=False)
    with StoreReader(settings.audit.store) as reader:
        known = shown(reader, find(reader, request), settings, unix_ms())
    if as_json:
        print_json(known)
        return
    for name, value in known.items():
        if name == "requester":
            for field, said in value.items():
                print_line(f"requester {field}: {said}")
        elif name != "calls" and value not in (None, "", (), False):
            print_line(f"{name}: {_text(value)}")
    stdout().print(
        table(
            ("call", "at", "granted", "held", "recordings", "kept until"),
            map(_cells, known["calls"]),
        )
    )
    for call in known["calls"]:
        for provision in call["provisions"]:
            print_line(f"{call['call']} provision: {_text(provision)}")
        for text in call["corrections"]:
            print_line(f"{call['call']} correction: {text}")


def receipt(
    request: _Request, *, language: LanguageOption = "", config: ConfigFileOption = DEFAULT_CONFIG
) -> None:
    """Print the page for the person: what was decided and done. Made of the log, at any time."""
    from asterisk_compliance.config.settings import load

    sys.stdout.write(page(load(config, secrets=False), request, language))


def page(settings: Any, request: str, language: str) -> str:
    """The receipt of a request; without a language in that of its regime."""
    from asterisk_compliance.app.subject_requests.receipts import LANGUAGES
    from asterisk_compliance.app.subject_requests.receipts import receipt as rendered
    from asterisk_compliance.app.subject_requests.steps import find
    from asterisk_compliance.storage.log.reader import StoreReader

    if language and language not in LANGUAGES:
        raise typer.BadParameter(f"one of {', '.join(LANGUAGES)}")
    with StoreReader(settings.audit.store) as reader:
        found = find(reader, request)
        chosen = language or ("ja" if found.regime == "jp" else "en")
        return rendered(reader, found, settings, chosen)


def register(app: typer.Typer) -> None:
    """Add the commands to the group ``requests``."""
    app.command("list")(list_requests)
    app.command("show")(show)
    app.command("remind")(remind)
    app.command("receipt")(receipt)


def _listed(config: Path) -> list[dict[str, Any]]:
    from asterisk_compliance.app.subject_requests.views import listed
    from asterisk_compliance.clock import unix_ms
    from asterisk_compliance.config.settings import load
    from asterisk_compliance.storage.log.reader import StoreReader
    from asterisk_compliance.storage.queries.subject_requests import every_request

    settings = load(config, secrets=False)
    with StoreReader(settings.audit.store) as reader:
        return listed(every_request(reader).values(), settings, unix_ms())


def _print(lines: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(lines)
        return
    cells = (
        (
            one["request"],
            one["right"],
            one["state"],
            one["verdict"],
            one["number_of_calls"],
            one["received_at"],
            one["last_day"],
            BASES[one["basis"]],
            one["standing"],
            one["next"],
        )
        for one in lines
    )
    stdout().print(table(COLUMNS, cells))
    if late := sum(one["standing"] == "overdue" for one in lines):
        say(f"{late} overdue")


def _cells(call: dict[str, Any]) -> tuple[object, ...]:
    levels = " ".join(f"{name} {level}" for name, level in call["recordings"].items())
    granted = {True: "yes", False: "no"}.get(call["granted"])
    until = " ".join(at or "(no date)" for at in call["kept_until"].values())
    held = "yes" if call["held"] else None
    return call["call"], call["at"], granted, held, levels or None, until or None


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={_text(one)}" for name, one in value.items())
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
