"""``asterisk-compliance sounds``: the shipped prompts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from asterisk_compliance import catalogue
from asterisk_compliance.cli.context import JsonOption
from asterisk_compliance.cli.output import print_json, say, stdout, table
from asterisk_compliance.errors import ConfigError

app = typer.Typer(help="The shipped prompts.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_prompts(as_json: JsonOption = False) -> None:
    """List the prompts: id, language, length, the purposes they say, and their words."""
    prompts = list(catalogue.shipped_prompts().values())
    if as_json:
        print_json(prompts)
        return
    lines = [
        (p.id, p.language, f"{p.length_ms / 1_000:.1f} s", "&".join(p.purposes), p.text)
        for p in prompts
    ]
    stdout().print(table(("prompt", "language", "length", "purposes", "words"), lines))


@app.command("install")
def install(
    directory: Annotated[
        Path, typer.Argument(help="Asterisk's directory for them: `sounds` in the configuration.")
    ],
) -> None:
    """Copy the prompts to where Asterisk plays them from, one directory per language.

    A file that is there already is replaced only if it differs.
    """
    written = 0
    try:
        for prompt in catalogue.shipped_prompts().values():
            target = directory / prompt.language
            target.mkdir(parents=True, exist_ok=True)
            for suffix in catalogue.SAMPLE_RATE_SUFFIXES:
                file = target / f"{prompt.id}{suffix}"
                source = catalogue.sounds() / prompt.language / file.name
                audio = source.read_bytes()
                if not file.exists() or file.read_bytes() != audio:
                    file.write_bytes(audio)
                    file.chmod(0o644)
                    written += 1
    except OSError as error:
        raise ConfigError(str(directory), [f"{error.filename}: {error.strerror}"]) from None
    say(f"{written} files written to {directory}")
