"""``asterisk-compliance audit mark``: make a moment findable in the log."""

from __future__ import annotations

import os
import pwd
from typing import Annotated

import typer

from asterisk_compliance.cli.context import DEFAULT_CONFIG, ConfigFileOption, JsonOption
from asterisk_compliance.cli.output import print_json, print_line


def mark(
    code: Annotated[str, typer.Argument(help="INSPECTION, MAINTENANCE, INCIDENT or TEST.")],
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Add a mark to the log, in your name, and print its row's number.

    Through the running service, which knows from the kernel who asks; if it does not run, with
    the store's exclusive lock.
    """
    from asterisk_compliance.cli.officer_action import act

    answer = act(config, "mark", {"code": code})
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
