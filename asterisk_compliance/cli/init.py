"""``asterisk-compliance init``: the keys of a site, before its first call."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from asterisk_compliance.cli.context import JsonOption
from asterisk_compliance.cli.output import print_json, print_line, say

WORDS = """\
{file} opens every recording that is sealed from now on. Nothing else does.
Take it away from this machine before the first call: to the compliance officer, on a medium of
its own, with a copy in a safe. Then delete it here. Without it no recording can ever be heard.
A second recipient is recommended, such as the officer's deputy: run this again with another file,
and name both. Then write in compliance.toml:

    [vault]
    recipients = ["{recipient}"]

When recordings are sealed, let the officer prove that his key opens one: recordings drill"""


def init(
    *,
    identity: Annotated[
        Path,
        typer.Option("--identity", help="Where to write the officer's private key; a new file."),
    ],
    as_json: JsonOption = False,
) -> None:
    """Make the officer's key pair, and print the public key to which recordings are sealed.

    Exit status 2 if the file is there already: a key is never overwritten.
    """
    from asterisk_compliance.age import new_identity

    secret, recipient = new_identity()
    _write_new(identity, f"# public key: {recipient}\n{secret}\n")
    if as_json:
        print_json({"identity": str(identity), "recipient": recipient})
    else:
        print_line(recipient)
    say(WORDS.format(file=identity, recipient=recipient))


def _write_new(path: Path, text: str) -> None:
    """Readable by whoever runs this, and by nobody else."""
    try:
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise typer.BadParameter("there is a file already", param_hint="--identity") from None
    except OSError as error:
        raise typer.BadParameter(str(error.strerror), param_hint="--identity") from None
    with os.fdopen(opened, "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
