"""``asterisk-compliance audit mark``: make a moment findable in the log."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Annotated

import typer

from asterisk_compliance.cli.context import DEFAULT_CONFIG, JsonOption
from asterisk_compliance.cli.output import print_json, print_line
from asterisk_compliance.errors import StoreUnavailable


def mark(
    code: Annotated[str, typer.Argument(help="INSPECTION, MAINTENANCE, INCIDENT or TEST.")],
    config: Annotated[
        Path, typer.Option("--config", "-c", help="The configuration file.")
    ] = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Add a mark to the log, in your name, and print its row's number.

    Through the running service, which knows from the kernel who asks; if it does not run, with
    the store's exclusive lock.
    """
    from asterisk_compliance.app.control import ask
    from asterisk_compliance.app.marks import mark_draft
    from asterisk_compliance.config import load
    from asterisk_compliance.storage.writer import StoreWriter

    settings = load(config, secrets=False)
    answer = ask(settings.service.socket, "mark", {"code": code})
    if answer is None:
        draft = mark_draft(code, this_user())
        if not settings.audit.store.is_dir():
            raise StoreUnavailable(f"{settings.audit.store}: there is no store yet")
        with StoreWriter.open(settings.audit.store) as store:
            answer = {"seq": store.commit([draft])[0].seq}
    if as_json:
        print_json(answer)
    else:
        print_line(str(answer["seq"]))


def this_user() -> str:
    """Who runs this, as the kernel knows it; the environment can say anything."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
