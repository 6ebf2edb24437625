"""``asterisk-compliance requests``: what people ask for about recordings of them, step by step."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from asterisk_compliance.cli.context import (
    DEFAULT_CONFIG,
    ConfigFileOption,
    JsonOption,
    moment,
    typed,
)
from asterisk_compliance.cli.output import print_json, print_line, say
from asterisk_compliance.cli.subject_requests import answers as answering
from asterisk_compliance.cli.subject_requests import views as requests_shown
from asterisk_compliance.errors import ComplianceError, StoreUnavailable

app = typer.Typer(
    help="What people ask for about recordings of them: until when, decided how, answered when.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
requests_shown.register(app)
answering.register(app)

_Request: TypeAlias = Annotated[str, typer.Argument(help="Id of the request: q-…")]
_Number: TypeAlias = Annotated[
    str, typer.Option("--number", help="The person's, in any notation; - reads standard input.")
]
_Calls: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--call", help="A call, c-…, or the person in it, y-…; again for more."),
]
_Since: TypeAlias = Annotated[
    str | None, typer.Option("--since", help="Calls of the number from then on.")
]
_Until: TypeAlias = Annotated[
    str | None, typer.Option("--until", help="Calls of the number before then.")
]
LONGEST_TEXT_BYTES = 16_000
WIPED_WITHIN_S = 5.0


@app.command("open")
def open_request(
    right: Annotated[
        str, typer.Argument(help="HEAR, COPY, CORRECT, STOP_USE, ERASE or PROVISIONS.")
    ],
    *,
    contact: Annotated[
        str, typer.Option("--contact", help="How to reach who asks; - reads standard input.")
    ],
    name: Annotated[
        str, typer.Option("--name", help="Of the person; - reads standard input.")
    ] = "",
    agent: Annotated[
        str, typer.Option("--agent", help="Who asks for the person; - reads standard input.")
    ] = "",
    number: _Number = "",
    call: _Calls = None,
    since: _Since = None,
    until: _Until = None,
    received: Annotated[
        str | None,
        typer.Option(
            "--received", help="When it reached you, if not now; a day is one of the site."
        ),
    ] = None,
    regime: Annotated[
        str, typer.Option("--regime", help="jp, eu or own, if not the configured one.")
    ] = "",
    free: Annotated[bool, typer.Option("--free", help="This one costs nothing.")] = False,
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Open a request, find the calls it is about, and print its id and until when to answer.

    What is read from standard input is a line each, in the order name, agent, contact, number.
    """
    from asterisk_compliance.cli.officer_action import act_with
    from asterisk_compliance.config.settings import load

    settings = load(config, secrets=False)
    name, agent, contact, number = typed(name), typed(agent), typed(contact), typed(number)
    arguments = {
        "right": right,
        "by": "AGENT" if agent else "PERSON",
        "name": name,
        "agent": agent,
        "contact": contact,
        "received": moment(received, settings.rules.time_zone) or "",
        "regime": regime,
        "free": "yes" if free else "",
        **_sought(number, call, since, until),
    }
    answer = act_with(settings, "request-open", arguments)
    if as_json:
        print_json(answer)
        return
    print_line(answer["request"])
    basis = requests_shown.BASES[answer["basis"]]
    say(f"about {answer['calls']} calls")
    say(f"the last day for an answer is {answer['last_day']}, {basis}")
    _warn(answer)
    if answer["fee"]:
        say(f"it costs {answer['fee']}: say so before you answer")


@app.command("search")
def search(
    request: _Request,
    *,
    number: _Number = "",
    call: _Calls = None,
    since: _Since = None,
    until: _Until = None,
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Look for more calls that a request is about. Exit status 1 if there is none at all."""
    from asterisk_compliance.cli.officer_action import act

    sought = _sought(typed(number), call, since, until)
    answer = act(config, "request-search", {"request": request, **sought})
    _print(answer, f"{answer['calls']} calls, {answer['new']} of them new", as_json=as_json)
    if not as_json:
        _warn(answer)
    if not answer["calls"]:
        raise typer.Exit(1)


@app.command("identify")
def identify(
    request: _Request,
    *,
    how: Annotated[str, typer.Option("--how", help="How he showed it: a code.")],
    authority: Annotated[
        str, typer.Option("--authority", help="Of an agent: LAW, MANDATE or LAWYER.")
    ] = "",
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Note how the person showed who he is. Keep no copy of a document."""
    from asterisk_compliance.cli.officer_action import act

    wish = {"request": request, "how": how, "authority": authority}
    _print(act(config, "request-identify", wish), "identified", as_json=as_json)


@app.command("extend")
def extend(
    request: _Request,
    *,
    reason: Annotated[str, typer.Option("--reason", help="COMPLEX or NUMBER.")],
    means: Annotated[str, typer.Option("--means", help="How you told the person so: a code.")],
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Make the law's time longer, where the law lets you; the person was told so, and why."""
    from asterisk_compliance.cli.officer_action import act

    answer = act(config, "request-extend", {"request": request, "reason": reason, "means": means})
    _print(answer, f"to be answered before {answer['due_at']}", as_json=as_json)


@app.command("decide")
def decide(
    request: _Request,
    verdict: Annotated[str, typer.Argument(help="GRANTED, IN_PART or REFUSED.")],
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why: a code of the closed list.")],
    ground: Annotated[
        str, typer.Option("--ground", help="On which ground the law lets you refuse.")
    ] = "",
    cause: Annotated[
        str, typer.Option("--cause", help="On which ground of the law something is erased.")
    ] = "",
    without: Annotated[
        list[str] | None, typer.Option("--except", help="In part: a call that is left out.")
    ] = None,
    purpose: Annotated[
        list[str] | None,
        typer.Option("--purpose", help="Stop the use for this purpose only; again for more."),
    ] = None,
    text: Annotated[
        str, typer.Option("--text", help="Of a correction; - reads standard input.")
    ] = "",
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Decide, in your name. A stop of use and a correction are done with it.

    An erasure is carried out by `requests carry-out`. Exit status 1 if it cannot be decided so.
    """
    from asterisk_compliance.cli.officer_action import act

    if text == "-":
        text = sys.stdin.read(LONGEST_TEXT_BYTES)
    answer = act(
        config,
        "request-decide",
        {
            "request": request,
            "verdict": verdict,
            "reason": reason,
            "ground": ground,
            "cause": cause,
            "except": " ".join(without or ()),
            "purposes": " ".join(purpose or ()),
            "text": text,
        },
    )
    _print(answer, f"{answer['verdict']}: {answer['calls']} calls", as_json=as_json)
    if answer["held"]:
        say(f"{answer['held']} calls are held for {' '.join(answer['matters'])}")


@app.command("carry-out")
def carry_out(
    request: _Request,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; else say what would go.")] = False,
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Erase what was granted: the recordings, and what identifies the person in their calls.

    Without ``--yes`` nothing changes. Exit status 1 if something could not be removed, or a copy
    of a value is left in the store's files.
    """
    from asterisk_compliance.app.subject_requests.erasure import planned
    from asterisk_compliance.clock import unix_ms
    from asterisk_compliance.config.settings import load
    from asterisk_compliance.storage.log.reader import StoreReader

    settings = load(config, secrets=False)
    with StoreReader(settings.audit.store) as reader:
        found = planned(reader, request, unix_ms())
    going = {"recordings": len(found.recordings), "parties": len(found.parties)}
    for other in found.waiting:
        say(f"{other} waits for an answer about some of these calls")
    if yes:
        done = _carry_out(settings, request, [one.party for one in found.parties])
    else:
        done = {"request": request, **going, "kept": sorted(found.kept), "done": False}
    if as_json:
        print_json(done)
    else:
        word = "erased" if yes else "would erase"
        numbers = f"{done['recordings']} recordings and {done['parties']} parties"
        print_line(f"{word} {numbers}; {len(done['kept'])} calls are held")
    _complain(done)


def _complain(done: dict[str, Any]) -> None:
    if done.get("failed"):
        raise ComplianceError(
            "some files could not be removed", hint="the service's log says why; mend it"
        )
    for file, count in done.get("copies_left", {}).items():
        say(f"error: {file} still holds {count} of the values")
    if done.get("copies_left"):
        hint = "end what reads the store, stop the service: asterisk-compliance persons rewrite"
        raise ComplianceError("a copy is left", hint=hint)


def _carry_out(settings: Any, request: str, parties: Sequence[str]) -> dict[str, Any]:
    from asterisk_compliance.cli.officer_action import act_with
    from asterisk_compliance.storage.log.erasure import secrets_of, until_gone

    store = settings.audit.store
    sought = secrets_of(store, parties)
    recordings = 0
    while True:
        answer = act_with(settings, "request-carry-out", {"request": request})
        recordings += answer["recordings"]
        if answer["done"]:
            left = until_gone(store, sought, WIPED_WITHIN_S)
            return {**answer, "recordings": recordings, "copies_left": left}
        if answer["failed"]:
            return {**answer, "recordings": recordings, "kept": []}
        say(f"{answer['left']:,} left")


@app.command("answer")
def answer(
    request: _Request,
    *,
    means: Annotated[
        str, typer.Option("--means", help="How: POST, MAIL, TELEPHONE, IN_PERSON or PORTAL.")
    ],
    given: Annotated[
        list[str] | None, typer.Option("--given", help="What: HEARING or LETTER; again for more.")
    ] = None,
    receipt: Annotated[
        Path | None, typer.Option("--receipt", help="Write the page that you give the person.")
    ] = None,
    language: requests_shown.LanguageOption = "",
    package: Annotated[
        Path | None, typer.Option("--package", help="The package that you give the person.")
    ] = None,
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Record that it was answered, how, and with what. Writes the receipt if you name a file."""
    from asterisk_compliance.app.subject_requests.receipts import receipt_digest
    from asterisk_compliance.cli.access.release import must_be_new
    from asterisk_compliance.cli.officer_action import act_with
    from asterisk_compliance.config.settings import load

    settings = load(config, secrets=False)
    what = list(given or ())
    page = ""
    if receipt is not None:
        must_be_new(receipt, "--receipt")
        page = requests_shown.page(settings, request, language)
        what.append("RECEIPT")
    if package is not None:
        what.append("PACKAGE")
    done = act_with(
        settings,
        "request-answer",
        {
            "request": request,
            "means": means,
            "given": " ".join(what),
            "receipt": receipt_digest(page) if page else "",
            "package": _digest(package) if package else "",
        },
    )
    if receipt is not None:
        _write(receipt, page)
    _print(done, "answered, late" if done["late"] else "answered", as_json=as_json)
    if package is not None and not done["ours"]:
        say(
            "hint: requests package did not make this file for this request; the row has its digest"
        )


@app.command("withdraw")
def withdraw(
    request: _Request,
    *,
    reason: Annotated[
        str, typer.Option("--reason", help="BY_PERSON or OPENED_IN_ERROR.")
    ] = "BY_PERSON",
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Withdraw a request. What a stop of use stopped may be used again."""
    from asterisk_compliance.cli.officer_action import act

    answer = act(config, "request-withdraw", {"request": request, "reason": reason})
    _print(answer, f"withdrawn; {answer['resumed']} calls may be used again", as_json=as_json)


def _sought(
    number: str, calls: Sequence[str] | None, since: str | None, until: str | None
) -> dict[str, str]:
    return {
        "number": number,
        "calls": " ".join(calls or ()),
        "since": moment(since) or "",
        "until": moment(until) or "",
    }


def _warn(answer: dict[str, Any]) -> None:
    if answer["going"]:
        say(f"{answer['going']} recordings are due to go before that: requests show says when,")
        say("and a hold keeps them: holds place")


def _print(answer: dict[str, Any], text: str, *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        print_line(text)


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            digest = sha256()
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    except OSError as error:
        raise StoreUnavailable(f"cannot read {path}: {error.strerror}") from None
    return digest.hexdigest()


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        hint = "requests receipt prints it again"
        raise StoreUnavailable(f"cannot write {path}: {error.strerror}", hint=hint) from None
