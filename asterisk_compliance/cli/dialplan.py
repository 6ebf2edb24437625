"""``asterisk-compliance dialplan``: what to include in Asterisk's own configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from asterisk_compliance.cli.context import ConfigOption
from asterisk_compliance.cli.output import print_raw, say
from asterisk_compliance.errors import ConfigError

app = typer.Typer(
    help="What to include in extensions.conf and features.conf.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("render")
def render(
    config: ConfigOption = None,
    node: Annotated[
        str | None, typer.Option("--node", help="Which Asterisk, if there are several.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write there instead of to stdout.")
    ] = None,
) -> None:
    """Print the dialplan for a configuration, or for the defaults without one."""
    from asterisk_compliance.app.dialplan import render_default, render_for
    from asterisk_compliance.config import load

    if config is None:
        text = render_default()
    else:
        settings = load(config, secrets=False)
        found = [item for item in settings.asterisk if node in {None, item.node}]
        if len(found) != 1:
            names = ", ".join(item.node for item in settings.asterisk)
            raise ConfigError(str(config), [f"say which Asterisk with --node: {names}"])
        text = render_for(settings, found[0], str(config))
    if out is None:
        print_raw(text.encode().splitlines())
        return
    out.write_text(text, encoding="utf-8")
    out.chmod(0o644)  # Asterisk reads it as its own user
    say(f"wrote {out}; include it in extensions.conf, then: asterisk -rx 'dialplan reload'")


@app.command("features")
def features(
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write there instead of to stdout.")
    ] = None,
) -> None:
    """Print the feature codes to include in features.conf, behind its [applicationmap]."""
    from asterisk_compliance import catalogue

    text = (catalogue.dialplan() / "compliance-features.conf").read_text(encoding="utf-8")
    if out is None:
        print_raw(text.encode().splitlines())
        return
    out.write_text(text, encoding="utf-8")
    out.chmod(0o644)
    say(f"wrote {out}; include it in features.conf, then: asterisk -rx 'module reload features'")
