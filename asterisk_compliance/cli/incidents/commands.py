"""``asterisk-compliance incidents``: a leak, from the first hour to the last report."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from asterisk_compliance.cli.context import DEFAULT_CONFIG, ConfigFileOption, JsonOption, moment
from asterisk_compliance.cli.incidents import listing as incidents_listed
from asterisk_compliance.cli.output import print_json, print_line, say

if TYPE_CHECKING:
    from asterisk_compliance.app.incidents.report import ReportPage

app = typer.Typer(
    help="Leaks: what could have been reached, who must be told, and until when.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

incidents_listed.register(app)

_Number: TypeAlias = Annotated[str, typer.Argument(help="The incident's number.")]
_Since: TypeAlias = Annotated[
    str | None, typer.Option("--since", help="Something could be reached from then on.")
]
_Until: TypeAlias = Annotated[
    str | None, typer.Option("--until", help="And not any more from then on; default: now.")
]
_Categories: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--category", help="SENSITIVE, PROPERTY, WRONGFUL, NUMEROUS or OTHER; several times."
    ),
]
_Known: TypeAlias = Annotated[
    str | None, typer.Option("--known", help="When somebody of you came to know.")
]
_Regimes: TypeAlias = Annotated[
    list[str] | None, typer.Option("--regime", help="jp or eu; several times.")
]
_Contractor: TypeAlias = Annotated[
    bool | None,
    typer.Option("--contractor/--controller", help="You handle the data for a client, or not."),
]
_Key: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--key-affected/--key-safe", help="The officer's key may have been reached, or not."
    ),
]
LONGEST_NOTE_BYTES = 32_000


@app.command("open")
def open_incident(
    *,
    known: _Known = None,
    since: _Since = None,
    until: _Until = None,
    category: _Categories = None,
    regime: _Regimes = None,
    contractor: _Contractor = None,
    key_affected: _Key = None,
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Write down that something leaked, or may have, in your name, and print its number.

    Do it first: times count from when somebody of you came to know, which is now unless you say
    another moment. Laws and contractor are as configured, unless you say otherwise.
    """
    from asterisk_compliance.cli.officer_action import act

    facts = _facts(known, category, regime, contractor, key_affected)
    window = {"since": moment(since) or "", "until": moment(until) or ""}
    answer = act(config, "incident-open", {**facts, **window})
    if as_json:
        print_json(answer)
    else:
        print_line(str(answer["incident"]))
        say(f"next: incidents assess {answer['incident']}")


@app.command("amend")
def amend(
    number: _Number,
    *,
    known: _Known = None,
    category: _Categories = None,
    regime: _Regimes = None,
    contractor: _Contractor = None,
    key_affected: _Key = None,
    not_sent: Annotated[
        str | None,
        typer.Option("--not-sent", help="A step that was written down and not taken: FINAL, …"),
    ] = None,
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Write down, in your name, that something about it is otherwise; what you do not say stays.

    Somebody knew earlier; another law applies; a report was not sent after all.
    """
    from asterisk_compliance.cli.officer_action import act

    facts = _facts(known, category, regime, contractor, key_affected)
    arguments = {"incident": number, "not_sent": not_sent or "", **facts}
    _print_seq(act(config, "incident-amend", arguments), as_json=as_json)


@app.command("assess")
def assess(
    number: _Number,
    *,
    since: _Since = None,
    until: _Until = None,
    place: Annotated[
        list[str] | None,
        typer.Option(
            "--place",
            help="Where somebody may have been: VAULT, SPOOL, HEARING, RELEASES, STORE;"
            " several times; default: everywhere.",
        ),
    ] = None,
    category: _Categories = None,
    key_affected: _Key = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing.")] = False,
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Find what could have been reached, by the log and the disk, and write the numbers down.

    As the service's user, who may read vault and spool. The window is that of the incident unless
    you say another. Exit status 1 if a report is due.
    """
    from asterisk_compliance.app.incidents.assessment import reached, supposed
    from asterisk_compliance.app.incidents.register import known as read
    from asterisk_compliance.app.incidents.register import the
    from asterisk_compliance.app.incidents.rows import handed_over
    from asterisk_compliance.cli.incidents.views import assessment, print_assessment
    from asterisk_compliance.cli.officer_action import act_with
    from asterisk_compliance.clock import unix_ms
    from asterisk_compliance.config.settings import load

    settings = load(config, secrets=False)
    one = the(read(settings), number).incident
    window = _window(moment(since), moment(until), one.since_ms, one.until_ms)
    arguments = {"categories": ",".join(category or ()), "key_affected": _yes_no(key_affected)}
    found = reached(settings, window, _places(place))
    known = supposed(one, found, arguments, unix_ms())
    if not dry_run:
        whole = {"incident": number, "found": handed_over(found), **arguments}
        act_with(settings, "incident-assess", whole)
        known = the(read(settings), number)
    if as_json:
        print_json(assessment(found, known))
    else:
        print_assessment(found, known, settings)
    if not dry_run and any(duty.is_open for duty in known.duties):
        raise typer.Exit(1)


@app.command("report")
def report(
    number: _Number,
    *,
    language: Annotated[str, typer.Option("--language", help="ja or en.")] = "ja",
    form: Annotated[str, typer.Option("--format", help="md or html.")] = "md",
    reader: Annotated[str, typer.Option("--for", help="authority or client.")] = "authority",
    out: Annotated[
        Path | None, typer.Option("--out", help="A new file; default: standard output.")
    ] = None,
    sent: Annotated[
        str | None,
        typer.Option(
            "--sent",
            help="Instead of a draft: write down that PRELIMINARY, FINAL, NOTIFICATION, PERSONS"
            " or CLIENT was done.",
        ),
    ] = None,
    at: Annotated[str | None, typer.Option("--at", help="When it was sent; default: now.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="What was sent; its digest goes into the row.")
    ] = None,
    reference: Annotated[str, typer.Option("--reference", help="Of the receipt.")] = "",
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Draft a report of nine items, or write down, in your name, that one was sent.

    A draft says of each item that nobody knows yet that it is missing, and how to add it.
    """
    if sent is None:
        if at is not None or file is not None or reference:
            raise typer.BadParameter("--at, --file and --reference go with --sent")
        _draft(number, language, form, reader, out, config, as_json=as_json)
        return
    if out is not None:
        raise typer.BadParameter("--out is for a draft, and --sent for what was sent")
    from asterisk_compliance.cli.officer_action import act

    arguments = {
        "incident": number,
        "step": sent,
        "sent": moment(at) or "",
        "sha256": _digest(file),
        "reference": reference,
    }
    answer = act(config, "incident-report", arguments)
    _print_seq(answer, as_json=as_json)
    if not answer["asked"]:
        say(f"no law of this incident asks for it; what is due: incidents show {number}")


@app.command("note")
def note(
    number: _Number,
    *,
    item: Annotated[
        str,
        typer.Option(
            "--item",
            help="OUTLINE, DATA, PERSONS, CAUSE, SECONDARY, MEASURES, PUBLICATION, PREVENTION"
            " or OTHER.",
        ),
    ] = "OTHER",
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Write down something for the report, in your name; the text is read from standard input."""
    from asterisk_compliance.cli.officer_action import act

    if sys.stdin.isatty():
        say("the text, and then Ctrl-D:")
    arguments = {"incident": number, "item": item, "text": _typed()}
    _print_seq(act(config, "incident-note", arguments), as_json=as_json)


@app.command("close")
def close(
    number: _Number,
    *,
    outcome: Annotated[
        str,
        typer.Option(
            "--outcome", help="REPORTED, NOT_REPORTABLE, NO_RISK, NO_HIGH_RISK or NO_LEAK."
        ),
    ],
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Close an incident, in your name. Exit status 1 if something is still to be done."""
    from asterisk_compliance.cli.officer_action import act

    arguments = {"incident": number, "outcome": outcome}
    _print_seq(act(config, "incident-close", arguments), as_json=as_json)


# -- drafts -------------------------------------------------------------------------------------


def _draft(
    number: str,
    language: str,
    form: str,
    reader: str,
    out: Path | None,
    config: Path,
    *,
    as_json: bool,
) -> None:
    from asterisk_compliance.app.incidents.report import ReportFormat, render

    if form not in set(ReportFormat):
        raise typer.BadParameter("--format is md or html")
    page = _page(number, language, reader, config)
    text = render(page, ReportFormat(form))
    if out is not None:
        _write_new(out, text)
    if as_json:
        print_json({"missing": page.missing, "text": text})
    elif out is None:
        sys.stdout.write(text)
    if page.missing:
        say(f"missing: {', '.join(page.missing)}")


def _page(number: str, language: str, reader: str, config: Path) -> ReportPage:
    from asterisk_compliance.app.incidents.register import known as read
    from asterisk_compliance.app.incidents.register import notes, the
    from asterisk_compliance.app.incidents.report import Reader, languages, page
    from asterisk_compliance.clock import unix_ms
    from asterisk_compliance.config.settings import load

    if language not in languages() or reader not in set(Reader):
        raise typer.BadParameter("--language is ja or en, --for is authority or client")
    settings = load(config, secrets=False)
    one = the(read(settings), number)
    said = notes(settings, one.incident)
    return page(settings, one, said, language=language, reader=Reader(reader), now_ms=unix_ms())


def _write_new(path: Path, text: str) -> None:
    """A draft names what leaked: nobody else reads it."""
    try:
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise typer.BadParameter(f"--out: {error.strerror}") from None
    with os.fdopen(opened, "w", encoding="utf-8") as file:
        file.write(text)


def _typed() -> str:
    """A note from standard input: text, and whole."""
    given = sys.stdin.buffer.read(LONGEST_NOTE_BYTES + 1)
    if len(given) > LONGEST_NOTE_BYTES:
        raise typer.BadParameter(f"a note has {LONGEST_NOTE_BYTES:,} bytes at most")
    try:
        return given.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise typer.BadParameter("the note is no UTF-8: iconv -f CP932 -t UTF-8") from None


def _digest(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise typer.BadParameter(f"--file: {error.strerror}") from None


# -- what was said ------------------------------------------------------------------------------


def _print_seq(answer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        print_line(str(answer["seq"]))


def _window(since: str | None, until: str | None, began: int | None, ended: int | None) -> Any:
    from asterisk_compliance.app.incidents.rows import read_window
    from asterisk_compliance.domain.audit.encoding import timestamp

    return read_window(
        {
            "since": since or ("" if began is None else timestamp(began)),
            "until": until or ("" if ended is None else timestamp(ended)),
        }
    )


def _places(given: list[str] | None) -> Any:
    from asterisk_compliance.app.incidents.rows import words
    from asterisk_compliance.domain.incidents.state import IncidentPlace

    return words(IncidentPlace, {"place": ",".join(given or ())}, "place") or tuple(IncidentPlace)


def _facts(
    known: str | None,
    category: list[str] | None,
    regime: list[str] | None,
    contractor: bool | None,
    key_affected: bool | None,
) -> dict[str, str]:
    return {
        "known": moment(known) or "",
        "categories": ",".join(category or ()),
        "regimes": ",".join(regime or ()),
        "contractor": _yes_no(contractor),
        "key_affected": _yes_no(key_affected),
    }


def _yes_no(said: bool | None) -> str:
    return "" if said is None else ("yes" if said else "no")
