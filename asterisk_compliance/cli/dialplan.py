"""``asterisk-compliance dialplan``: what to include in Asterisk's own configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from asterisk_compliance.cli.check import count
from asterisk_compliance.cli.context import ConfigOption, JsonOption
from asterisk_compliance.cli.output import print_json, print_raw, say, stdout, table
from asterisk_compliance.errors import ConfigError

if TYPE_CHECKING:
    from asterisk_compliance.config.settings import AsteriskSettings, Settings

NodeOption: TypeAlias = Annotated[
    str | None, typer.Option("--node", help="Which Asterisk, if there are several.")
]

app = typer.Typer(
    help="What to include in extensions.conf and features.conf.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("render")
def render(
    config: ConfigOption = None,
    node: NodeOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write there instead of to stdout.")
    ] = None,
) -> None:
    """Print the dialplan for a configuration, or for the defaults without one."""
    from asterisk_compliance.app.dialplan.rendering import render_default, render_for
    from asterisk_compliance.config.settings import load

    if config is None:
        text = render_default()
    else:
        settings = load(config, secrets=False)
        text = render_for(settings, _which(settings, node, config), str(config))
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
    from asterisk_compliance.shipped import catalogue

    text = (catalogue.dialplan() / "compliance-features.conf").read_text(encoding="utf-8")
    if out is None:
        print_raw(text.encode().splitlines())
        return
    out.write_text(text, encoding="utf-8")
    out.chmod(0o644)
    say(f"wrote {out}; include it in features.conf, then: asterisk -rx 'module reload features'")


@app.command("check")
def check(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="extensions.conf, or what dialplan show prints; - is standard input.",
        ),
    ],
    config: ConfigOption = None,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is wrong with a site's own dialplan: who is recorded or called untold, and more.

    Exit status: 1 with a finding that is an error, 2 if the dialplan cannot be read.
    """
    from asterisk_compliance.app.checks.dialplan import checked, checked_alone
    from asterisk_compliance.config.settings import load

    if config is None:
        found = checked_alone(file)
    else:
        settings = load(config, secrets=False)
        found = checked(file, settings, _which(settings, node, config), str(config))
    if as_json:
        print_json(
            [
                {
                    "id": one.id,
                    "severity": one.severity,
                    "file": one.place.file,
                    "line": one.place.line or None,
                    "address": one.address,
                    "what": one.what,
                    "todo": one.todo,
                }
                for one in found
            ]
        )
    elif found:
        columns = ("finding", "severity", "where", "in the dialplan", "what", "what to do")
        lines = [
            (one.id, one.severity, one.place, one.address, one.what, one.todo) for one in found
        ]
        stdout().print(table(columns, lines))
    severities = [one.severity for one in found]
    counts = ", ".join(count(severities.count(one), one) for one in ("error", "warning", "note"))
    say(f"{file}: {counts}")
    raise typer.Exit(1 if "error" in severities else 0)


def _which(settings: Settings, node: str | None, config: Path) -> AsteriskSettings:
    """The Asterisk that is meant.

    Raises:
        ConfigError: it is not said which.
    """
    found = [item for item in settings.asterisk if node in {None, item.node}]
    if len(found) != 1:
        names = ", ".join(item.node for item in settings.asterisk)
        raise ConfigError(str(config), [f"say which Asterisk with --node: {names}"])
    return found[0]
