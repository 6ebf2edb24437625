"""``asterisk-compliance requests lend|unlend|package``: what a person gets who asked.

Recordings are opened here, on the officer's side, with his identity. What goes to the service is
the audio that the person may hear by telephone, into memory; what goes into a package stays here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, TypeAlias

import typer

from asterisk_compliance.cli import output
from asterisk_compliance.cli.access.recordings import IDENTITY, read_identity
from asterisk_compliance.cli.context import DEFAULT_CONFIG, ConfigFileOption, JsonOption
from asterisk_compliance.errors import StoreUnavailable

if TYPE_CHECKING:
    from asterisk_compliance.config.settings import Settings

RequestArgument: TypeAlias = Annotated[str, typer.Argument(help="Id of the request: q-…")]
RecordingOption: TypeAlias = Annotated[
    str, typer.Option("--recording", help="Which, r-…, where there are several.")
]


def lend(
    request: RequestArgument,
    *,
    recording: RecordingOption = "",
    identity: Annotated[str | None, typer.Option("--identity", help=IDENTITY)] = None,
    config: ConfigFileOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """Lend a recording to be heard by telephone, once; print the code for the person."""
    from asterisk_compliance.app.subject_requests.answer_audio import to_hear
    from asterisk_compliance.cli.access.release import heard
    from asterisk_compliance.config.settings import load
    from asterisk_compliance.config.subject_requests import Directions
    from asterisk_compliance.domain.access.purpose_limitation import RIGHTS, Action, Use

    settings = load(config, secrets=False)
    recording = recording or _only(settings, request)
    text = None if identity is None else read_identity(identity)
    socket = settings.service.socket
    begun, copy = _begin(socket, {"recording": recording, "request": request})
    with copy:
        use = Use(Action.HEAR, RIGHTS, request=request)
        audio = to_hear(heard(config, recording, use, text), Directions(begun["directions"]))
        _fill(copy, audio)
    lent = _ask(socket, "lend", {"loan": begun["loan"]})
    if json:
        output.print_json(lent)
        return
    output.print_line(lent["code"])
    output.say(f"expires {lent['expires_at']}; row {lent['seq']}")
    if number := settings.publication.hearing_number:
        output.say(f"the number to call is {number}")
    output.say("hint: tell it to nobody but the person, and not by e-mail; it is not shown again")


def unlend(
    request: RequestArgument,
    *,
    recording: RecordingOption = "",
    config: ConfigFileOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """Take back what was lent, all of it unless you name a recording; exit status 1: nothing was.

    Whoever hears it now hears no more of it.
    """
    from asterisk_compliance.config.settings import load

    settings = load(config, secrets=False)
    ended = _ask(settings.service.socket, "lend-end", {"recording": recording, "request": request})
    if json:
        output.print_json(ended)
    if not ended["ended"]:
        output.say("nothing was lent")
        raise typer.Exit(1)


def package(
    request: RequestArgument,
    *,
    out: Annotated[Path, typer.Option("--out", help="Where to write it, a zip; a new file.")],
    identity: Annotated[str | None, typer.Option("--identity", help=IDENTITY)] = None,
    language: Annotated[
        str, typer.Option("--language", help="ja or en; that of the notice unless given.")
    ] = "",
    config: ConfigFileOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """Make the package that answers a request: the recordings, and what there is to say of them.

    Each recording is released in your name, with its row first; and so is the package.
    """
    from asterisk_compliance.app.subject_requests.answer import LANGUAGES
    from asterisk_compliance.cli.subject_requests.package import make

    if language not in {"", *LANGUAGES}:
        raise typer.BadParameter(f"one of {', '.join(LANGUAGES)}", param_hint="--language")
    text = None if identity is None else read_identity(identity)
    said = make(config, request, out, text, language)
    if json:
        output.print_json(said)
        return
    output.print_line(f"{out}: {said['files']} files, {said['bytes']:,} bytes")
    output.print_line(f"row {said['seq']}, SHA-256 {said['sha256']}")
    if said["unfinished"]:
        output.say(f"{said['unfinished']} recordings are not finished yet, and not in it")
    output.say(
        f"hint: when it was handed over: requests answer {request} --means … --package {out}"
    )


def register(app: typer.Typer) -> None:
    """Add the commands to the group ``requests``."""
    for command in (lend, unlend, package):
        app.command(command.__name__)(command)


def _only(settings: Settings, request: str) -> str:
    """The one recording that a request opens."""
    from asterisk_compliance.app.subject_requests.answer import answerable

    found = [recording for recording, _ in answerable(settings, request).recordings]
    if len(found) != 1:
        said = " ".join(found) or "none is kept"
        raise typer.BadParameter(f"name one of {said}", param_hint="--recording")
    return found[0]


def _begin(socket: Path, arguments: dict[str, str]) -> tuple[dict[str, Any], BinaryIO]:
    from asterisk_compliance.app.shared.control_socket import ask_for_file

    answered = ask_for_file(socket, "lend-begin", arguments)
    if answered is None:
        raise _no_service(socket)
    return answered


def _ask(socket: Path, verb: str, arguments: dict[str, str]) -> dict[str, Any]:
    from asterisk_compliance.app.shared.control_socket import ask

    answer = ask(socket, verb, arguments)
    if answer is None:
        raise _no_service(socket)
    return answer


def _fill(copy: BinaryIO, audio: bytes) -> None:
    """Into the open file that the service handed out for it."""
    try:
        with os.fdopen(os.dup(copy.fileno()), "wb") as file:
            file.write(audio)
    except OSError as error:
        raise StoreUnavailable(f"the service's memory: {error.strerror}") from None


def _no_service(socket: Path) -> StoreUnavailable:
    hint = "a copy lives in the memory of the running service"
    return StoreUnavailable(f"{socket}: no service", hint=hint)
