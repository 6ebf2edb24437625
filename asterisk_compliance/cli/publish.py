"""``asterisk-compliance publish``: what people must be able to read about their recordings."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from asterisk_compliance.cli.context import DEFAULT_CONFIG, ConfigFileOption, JsonOption
from asterisk_compliance.cli.output import print_json, print_line, say

app = typer.Typer(
    help="The page about recording, for the web site.", no_args_is_help=True, rich_markup_mode=None
)


class PageLanguage(StrEnum):
    JA = "ja"
    EN = "en"


@app.command("notice-page")
def notice_page(
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="Directory to write to.")],
    language: Annotated[
        list[PageLanguage] | None,
        typer.Option("--language", help="Only in this one; can be repeated. All unless given."),
    ] = None,
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Write the page about recording, for people and for machines, from the configuration.

    The same configuration makes the same bytes. Needs no Asterisk and no secret.
    """
    import hashlib

    from asterisk_compliance.app.disclosure.page import page_of
    from asterisk_compliance.app.disclosure.page_files import files_of, write_files
    from asterisk_compliance.app.policy.configuration import load_configuration
    from asterisk_compliance.domain.disclosure.published_page import lacking, unsaid

    page = page_of(load_configuration(config, secrets=False))
    chosen = [str(one) for one in language or PageLanguage]
    made = files_of(page, chosen)
    written = write_files(out, made)
    if as_json:
        digests = [hashlib.sha256(content).hexdigest() for content in made.values()]
        print_json(
            [
                {"file": str(path), "sha256": digest}
                for path, digest in zip(written, digests, strict=True)
            ]
        )
    else:
        for path in written:
            print_line(str(path))
    for setting in (*lacking(page, chosen), *unsaid(page)):
        say(f"not said: {setting}")


@app.command("check")
def check(
    copies: Annotated[
        list[Path], typer.Argument(metavar="FILE|DIR", help="What is published, as it was fetched.")
    ],
    *,
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Compare published copies of the page with what the configuration says now.

    A line with ``-`` is only in the published copy, one with ``+`` only in the page as it is now.
    Exit status: 1 with a difference.
    """
    from asterisk_compliance.app.disclosure.page import page_of
    from asterisk_compliance.app.disclosure.page_files import (
        absent_in,
        copies_in,
        differs,
        read_copy,
    )
    from asterisk_compliance.app.policy.configuration import load_configuration

    page = page_of(load_configuration(config, secrets=False))
    found = {str(path): differs(str(path), read_copy(path), page) for path in copies_in(copies)}
    if as_json:
        print_json([{"file": name, "differences": lines} for name, lines in found.items()])
    else:
        for name, lines in found.items():
            for line in lines:
                print_line(f"{name}: {line}")
    for path in absent_in(copies):
        say(f"not there: {path}")
    other = sum(map(bool, found.values()))
    say(f"{len(found)} published, {other} of them not as the configuration is now")
    raise typer.Exit(1 if other else 0)
